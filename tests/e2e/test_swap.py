"""The end of a server, and its successor: no request is lost."""
import http.client
import json
import signal
import socket

import weir
from steady import Load

ROWS, PROBABILITIES = weir.electricity_rows()
E = "electricity"
ONNX = weir.MODELS / "electricity_v1.onnx"
CLIENTS = 8


class Clients(Load):
    """Each on a kept connection of its own."""

    def __init__(self, host, port):
        super().__init__(CLIENTS)
        self.host, self.port = host, port

    def asker(self, number):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=weir.PATIENCE_S)
        body = json.dumps(weir.electricity_body(ROWS[number]))

        def ask():
            connection.request("POST", f"/v2/models/{E}/infer", body=body)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content
        return ask


def ended(server):
    code = server.process.wait(timeout=weir.PATIENCE_S)
    server.process.stdout.close()
    return code


def test_readiness_goes_first_and_nothing_is_lost(data, tmp_path):
    config = tmp_path / "weir.yaml"
    config.write_text("server:\n  drain_delay: 30s\n")
    with weir.serve(data, {E: ONNX}, "--config", config) as server:
        kept = server.connect()
        assert server.get("/v2/health/ready", connection=kept).status == 200
        with Clients(server.host, server.port) as load:
            server.process.send_signal(signal.SIGTERM)
            weir.wait_for(lambda: server.get("/v2/health/ready").status == 503, "not ready")
            assert server.get("/v2/health/live").status == 200
            load.wait_for_more(100)  # It goes on answering until clients have gone elsewhere.
        assert not load.failures
        last = server.get("/v2", connection=kept)
        assert last.status == 200 and last.headers["Connection"] == "close"
        server.process.send_signal(signal.SIGTERM)  # Enough waited.
        assert ended(server) == 0
    with weir.serve(data) as server:
        assert server.sql(f"SELECT count(*) AS n FROM {E}") == [{"n": load.answered}]


def test_a_request_in_flight_is_answered(data):
    with weir.serve(data, {E: ONNX}) as server:
        body = json.dumps(weir.electricity_body(ROWS[0])).encode()
        with socket.create_connection((server.host, server.port), timeout=60) as client:
            client.sendall(b"POST /v2/models/%s/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
                           b"Expect: 100-continue\r\n\r\n" % (E.encode(), len(body)))
            assert b"100 Continue" in client.recv(1000)
            server.process.send_signal(signal.SIGTERM)

            def is_refused():
                try:
                    server.connect().connect()
                except ConnectionRefusedError:
                    return True

            weir.wait_for(is_refused, "no more connections")
            client.sendall(body)
            answer = client.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200") and b"Connection: close" in answer
        assert ended(server) == 0


def test_a_new_program_takes_over_under_load(data):
    servers = [weir.Server(data, {E: ONNX})]
    try:
        with Clients(servers[0].host, servers[0].port) as load:
            for _ in range(3):
                old = servers[-1]
                servers.append(weir.Server(data, {}, "--take-over"))
                assert servers[-1].port == old.port
                assert ended(old) == 0
                load.wait_for_more(100)
        assert not load.failures
        newest = servers[-1]
        newest.cli("ledger", "compact")
        assert newest.sql(f"SELECT count(*) AS n FROM {E}") == [{"n": load.answered}]
        assert newest.sql(f"SELECT count(DISTINCT id) AS n FROM {E}") == [{"n": load.answered}]
        assert newest.stop() == 0
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.kill()


def test_what_is_wrong_with_the_successor_is_found_before_the_old_one_ends(data, tmp_path):
    with weir.serve(data, {E: ONNX}) as old:
        for arguments, part in ((["--model", "x=/no/such.onnx"], "/no/such.onnx"),
                                (["--config", "/no/such.yaml"], "/no/such.yaml"),
                                (["--tls-certificate", "/no", "--tls-key", "/no"], "/no")):
            done = weir.cli("serve", "--take-over", "--data", data, *arguments, check=False)
            assert done.returncode == 1 and part in done.stderr, done.stderr
        assert old.infer(E, weir.electricity_body(ROWS[0])).status == 200


def test_taking_over_from_nobody_is_a_start(data):
    with weir.serve(data, {E: ONNX}, "--take-over") as server:
        assert server.infer(E, weir.electricity_body(ROWS[0])).status == 200


def test_a_supervisor_keeps_the_socket(data):
    """Socket activation: the socket outlives the program, so a restart refuses nobody."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        port = listening.getsockname()[1]
        wrapper = ["bash", "-c", f'exec 3<&{listening.fileno()}; '
                                 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"']

        def start():
            return weir.Server(data, {E: ONNX}, wrapper=wrapper, pass_fds=(listening.fileno(),))

        server = start()
        try:
            assert server.port == port
            with Clients(server.host, server.port) as load:
                for _ in range(2):
                    assert server.stop() == 0
                    server = start()
                    load.wait_for_more(100)
            assert not load.failures
        finally:
            assert server.stop() == 0
