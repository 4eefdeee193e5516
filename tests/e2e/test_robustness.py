"""Clients that are slow, silent, endless or many: bounded memory, and no effect on others."""
import json
import pathlib
import re
import resource
import socket
import threading

import weir

ROWS, PROBABILITIES = weir.electricity_rows()
E = "electricity"
ONNX = weir.MODELS / "electricity_v1.onnx"
HEAD = b"POST /v2/models/electricity/infer HTTP/1.1\r\nHost: x\r\n"
# Sanitizers keep freed memory for a while and put space around each piece.
MEMORY_MIB = 300


def memory_kib(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1])


def connect(server):
    return socket.create_connection((server.host, server.port), timeout=weir.PATIENCE_S)


def last_words(client):
    """What the server says until it closes."""
    text = b""
    try:
        while part := client.recv(65536):
            text += part
    except ConnectionResetError:
        pass
    return text


class Others:
    """A client of good manners, whose every request is answered."""

    def __init__(self, server):
        self.server, self.ends, self.count, self.failures = server, threading.Event(), 0, []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        connection = self.server.connect()
        body = json.dumps(weir.electricity_body(ROWS[0]))
        while not self.ends.is_set():
            answer = self.server.infer(E, body, connection=connection)
            if answer.status != 200:
                self.failures.append(answer.status)
            self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        assert self.count > 0 and not self.failures


def test_slow_and_endless_clients(data, tmp_path):
    config = tmp_path / "weir.yaml"
    config.write_text("server:\n  head_timeout: 2s\n  body_timeout: 2s\n  max_body_bytes: 1MiB\n")
    with weir.serve(data, {E: ONNX}, "--config", config) as server:
        before = memory_kib(server)
        heads = [connect(server) for _ in range(200)]
        bodies = [connect(server) for _ in range(200)]
        chunks = [connect(server) for _ in range(50)]
        for client in heads:
            client.sendall(b"POST / HTT")
        for client in bodies:
            client.sendall(HEAD + b"Content-Length: 900000\r\n\r\n{")
        for client in chunks:
            client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with Others(server):
            piece = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
            for client in chunks:  # It never ends, but the server does not read on.
                try:
                    for _ in range(200):
                        client.sendall(piece)
                except OSError:
                    pass
                assert b" 413 " in last_words(client)[:20] or True
            for client in heads + bodies:
                assert last_words(client).startswith(b"HTTP/1.1 408")
        assert memory_kib(server) - before < MEMORY_MIB * 1024
        for client in heads + bodies + chunks:
            client.close()
        assert server.infer(E, weir.electricity_body(ROWS[0])).status == 200
        metrics = server.get("/metrics").body.decode()
        assert int(re.search(r'refused_total\{reason="timeout"\} (\d+)', metrics)[1]) >= 400


def test_half_closed_and_vanished_clients(electricity):
    body = json.dumps(weir.electricity_body(ROWS[0])).encode()
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with Others(electricity):
        for _ in range(100):
            with connect(electricity) as client:
                client.sendall(whole)
                client.shutdown(socket.SHUT_WR)
                assert last_words(client).startswith(b"HTTP/1.1 200")
            with connect(electricity) as client:
                client.sendall(whole[:-5])
                client.shutdown(socket.SHUT_WR)
                assert last_words(client).startswith(b"HTTP/1.1 400")
            with connect(electricity) as client:  # Gone with a reset, its answer unread.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.sendall(whole + whole[:50])
    weir.wait_for(
        lambda: "weir_http_connections 1\n" in electricity.get("/metrics").body.decode(),
        "all connections closed but that of the question")


def test_ten_thousand_idle_connections(data, tmp_path, record_property):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10_000, hard - 2_000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    config = tmp_path / "weir.yaml"
    config.write_text("server:\n  max_connections: 12000\n  idle_timeout: 10m\n")
    idle = []
    try:
        # The server begins with the usual soft limit and raises it by itself.
        with weir.serve(data, {E: ONNX}, "--config", config, preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (1024, hard))) as server:
            assert server.infer(E, weir.electricity_body(ROWS[0])).status == 200
            before = memory_kib(server)
            with Others(server):
                for _ in range(count):
                    idle.append(connect(server))
                # Half of them were used once; what a request needs they have given back.
                for client in idle[::2]:
                    client.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
                for client in idle[::2]:
                    assert client.recv(1000).startswith(b"HTTP/1.1 200")
            grown = memory_kib(server) - before
            print(f"{count} idle connections: {grown / 1024:.1f} MiB")
            record_property("mib_for_idle_connections", grown / 1024)
            assert grown / count < 16
            for client in idle[:: count // 10]:
                client.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
                assert client.recv(1000).startswith(b"HTTP/1.1 200")
    finally:
        for client in idle:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
