"""Slow models, batches, deadlines and what is refused under load, against the running program."""
import concurrent.futures
import json
import math
import socket
import threading

import pytest

import weir
from grpc_client import connect, request, stub_of

ROWS, _ = weir.electricity_rows()
FIXED, SLOW = weir.MODELS / "fixed_cost.onnx", weir.MODELS / "slow.onnx"


def serve(folder, models, config):
    path = folder / "weir.yaml"
    path.write_text(config)
    return weir.serve(folder / "data", models, "--config", path)


def expected(row):
    """What fixed_cost.onnx and slow.onnx answer: the logistic function of the mean of a row."""
    return 1 / (1 + math.exp(-sum(row) / len(row)))


def probability(answer):
    assert answer.status == 200, answer.body
    outputs = {o["name"]: o["data"] for o in answer.json()["outputs"]}
    return outputs["probabilities"][1]


def statistics(server, model):
    return server.get(f"/v2/models/{model}/stats").json()["model_stats"][0]


@pytest.mark.parametrize("setting", ["{max_rows: 16, max_delay: 20ms}", "auto", "off"])
def test_rows_of_a_batch_come_back_to_their_owners(tmp_path, setting):
    config = f"endpoints: {{m: {{batching: {setting}}}}}\n"
    with serve(tmp_path, {"m": FIXED}, config) as server:
        def caller(first):
            connection = server.connect()
            for i in range(first, first + 20):
                row = ROWS[i % len(ROWS)]
                answer = server.infer("m", weir.electricity_body(row, id=f"r{i}"), connection=connection)
                assert answer.json()["id"] == f"r{i}"
                assert probability(answer) == pytest.approx(expected(row), abs=1e-5)
            connection.close()

        with concurrent.futures.ThreadPoolExecutor(16) as callers:
            list(callers.map(caller, range(0, 320, 20)))
        seen = statistics(server, "m")
        assert seen["inference_count"] == 320
        sizes = {b["batch_size"]: b["compute_infer"]["count"] for b in seen["batch_stats"]}
        assert sum(sizes.values()) == seen["execution_count"]
        assert sum(size * count for size, count in sizes.items()) == 320
        if setting == "off":
            assert seen["execution_count"] == 320
        elif setting != "auto":
            assert seen["execution_count"] < 320
        # Every request is a record, whatever ran together.
        weir.wait_for(
            lambda: len(server.sql("select id from m where status = 'ok'")) == 320, "320 records")


def test_a_timeout_that_cannot_be_met_is_refused_at_once(tmp_path):
    with serve(tmp_path, {"slow": SLOW, "fast": weir.MODELS / "electricity_v1.ubj"}, "") as server:
        body = weir.electricity_body(ROWS[0], parameters={"timeout": 1000})

        def refused():
            # 504 when a busy machine let the millisecond pass before it looked.
            answer = server.infer("slow", body)
            assert answer.status in (503, 504)
            return answer if answer.status == 503 else None

        answer = weir.wait_for(refused, "the refusal in time")
        assert answer.headers["Retry-After"]
        assert "timeout" in answer.error
        assert server.infer("fast", weir.electricity_body(ROWS[0])).status == 200
        assert probability(server.infer("slow", weir.electricity_body(ROWS[0]))) == \
            pytest.approx(expected(ROWS[0]), abs=1e-5)
        # A run of that length is nothing for an event loop: the pool made it.
        assert statistics(server, "slow")["execution_count"] == 1


def test_a_full_queue_refuses_and_the_rest_is_answered(tmp_path):
    config = "endpoints: {slow: {limits: {queue_requests: 2, running: 1, queue_wait: 1h}}}\n"
    with serve(tmp_path, {"slow": SLOW}, config) as server:
        together = threading.Barrier(12)

        def caller(_):
            together.wait()
            answer = server.infer("slow", weir.electricity_body(ROWS[0]))
            if answer.status == 503:
                assert answer.headers["Retry-After"]
            return answer.status

        with concurrent.futures.ThreadPoolExecutor(12) as callers:
            statuses = list(callers.map(caller, range(12)))
        assert set(statuses) == {200, 503}
        version = server.api("/endpoints/slow")["versions"][0]
        assert version["refused"] == statuses.count(503)
        assert version["queued"] == 0
        assert version["cpu_seconds"] > 0
        assert version["memory_bytes"] > 0
        assert version["run_us"] > 1000


def test_nothing_is_computed_for_clients_that_have_gone(tmp_path):
    config = "endpoints: {slow: {limits: {running: 1, queue_wait: 1h}}}\n"
    with serve(tmp_path, {"slow": SLOW}, config) as server:
        body = json.dumps(weir.electricity_body(ROWS[0])).encode()
        request = (b"POST /v2/models/slow/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
                   % len(body) + body)
        address = (server.host, server.port)
        clients = [socket.create_connection(address) for _ in range(40)]
        for client in clients:
            client.sendall(request)
        version = lambda: server.api("/endpoints/slow")["versions"][0]
        weir.wait_for(lambda: version()["queued"] > 30, "requests in the queue")
        # One only closes its sending side and still waits.
        patient = clients.pop()
        patient.shutdown(socket.SHUT_WR)
        for client in clients:
            client.close()
        weir.wait_for(lambda: version()["queued"] <= 1, "the queue without those who have gone")
        answer = b""
        while part := patient.recv(65536):
            answer += part
        assert b"HTTP/1.1 200 OK" in answer
        patient.close()
        shown = statistics(server, "slow")
        assert shown["execution_count"] < 20
        assert shown["inference_stats"]["fail"]["count"] == 0


@pytest.mark.parametrize("method", ["ModelInfer", "ModelStreamInfer"])
def test_nothing_is_computed_for_calls_that_are_cancelled(tmp_path, method):
    config = "endpoints: {slow: {limits: {running: 1, queue_wait: 1h}}}\n"
    with serve(tmp_path, {"slow": SLOW}, config) as server, connect(server) as channel:
        stub = stub_of(channel)
        if method == "ModelInfer":
            calls = [stub.ModelInfer.future(request("slow")) for _ in range(40)]
        else:
            calls = [stub.ModelStreamInfer(iter([request("slow")])) for _ in range(40)]
        version = lambda: server.api("/endpoints/slow")["versions"][0]
        weir.wait_for(lambda: version()["queued"] > 30, "calls in the queue")
        for call in calls:
            call.cancel()
        weir.wait_for(lambda: version()["queued"] == 0, "the queue without cancelled calls")
        stub.ModelInfer(request("slow"))
        shown = statistics(server, "slow")
        assert shown["execution_count"] < 20
        assert shown["inference_stats"]["fail"]["count"] == 0


def test_what_versions_use_is_shown(tmp_path):
    with serve(tmp_path, {"m": FIXED}, "") as server:
        for row in ROWS[:40]:
            assert server.infer("m", weir.electricity_body(row)).status == 200
        text = server.get("/metrics").body.decode()
        for name in ("memory_bytes", "cpu_seconds_total", "executions_total", "run_seconds",
                     "queue_requests", "refused_total", "late_total"):
            assert f'weir_version_{name}{{endpoint="m",version="1"}}' in text
        shown = server.cli("status", "m").stdout
        assert "memory MiB" in shown and "CPU s" in shown
        assert statistics(server, "m")["memory_usage"][0]["byte_size"] > 0


def test_a_model_over_its_memory_limit_is_not_loaded(tmp_path):
    with serve(tmp_path, {}, "endpoints: {m: {limits: {memory_bytes: 100}}}\n") as server:
        answer = server.cli("deploy", "m", FIXED, check=False)
        assert answer.returncode == 1
        assert "limits.memory_bytes" in answer.stderr


def test_a_gpu_that_the_runtime_does_not_have_is_refused_with_the_fix(tmp_path):
    model = tmp_path / "m.onnx"
    model.write_bytes(FIXED.read_bytes())
    (tmp_path / "m.onnx.yaml").write_text("device: cuda\n")
    with serve(tmp_path, {}, "") as server:
        answer = server.cli("deploy", "m", model, check=False)
        assert answer.returncode == 1
        assert "device: cuda" in answer.stderr and "WEIR_ONNXRUNTIME" in answer.stderr
