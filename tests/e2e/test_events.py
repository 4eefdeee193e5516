"""Requests and answers as CloudEvents to an HTTP server."""
import http.server
import json
import socket
import threading
import urllib.parse

import pytest

import weir

REQUEST = "org.kubeflow.serving.inference.request"
RESPONSE = "org.kubeflow.serving.inference.response"


class Receiver:
    """A real HTTP server that keeps what it is sent. `answer` decides the status of each POST."""

    def __init__(self, answer=lambda: 200):
        self.events, self.connections = [], 0
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                receiver.connections += 1
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = answer()
                if status == 200:
                    receiver.events.append((dict(self.headers.items()), json.loads(body)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def config(tmp_path, url, **further):
    path = tmp_path / "weir.yaml"
    settings = {"sink": url, **further}
    path.write_text(json.dumps({"endpoints": {"electricity": {
        "model": str(weir.MODELS / "electricity_v1.ubj"), "events": settings}}}))
    return path


def counts(server):
    lines = server.get("/metrics").body.decode().splitlines()
    return {line.split(" ")[0].replace('endpoint="electricity"', "").replace("{,", "{")
            .replace("{}", ""): float(line.split(" ")[1])
            for line in lines if line.startswith("weir_events_")}


def row():
    return weir.electricity_rows()[0][0]


def test_both_sides_of_a_request_share_its_id(tmp_path, data):
    with Receiver() as receiver:
        path = config(tmp_path, receiver.url, source="urn:test", namespace="fraud")
        with weir.serve(data, {}, "--config", path) as server:
            good = server.infer("electricity", weir.electricity_body(row(), id='order "7"'))
            named = server.infer(
                "electricity", weir.electricity_body(row()), headers={"Ce-Id": "from-outside"})
            bad = server.infer("electricity", {"id": "bad", "inputs": [
                {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]})
            assert (good.status, named.status, bad.status) == (200, 200, 400)
            weir.wait_for(lambda: len(receiver.events) == 6, "six events")
            # An event counts once its answer is there, which is after the receiver has seen it.
            weir.wait_for(lambda: counts(server)["weir_events_sent_total"] == 6, "six answers")
    by_id = {}
    for headers, body in receiver.events:
        headers = {name.lower(): value for name, value in headers.items()}
        by_id.setdefault(urllib.parse.unquote(headers["ce-id"]), []).append((headers, body))
    (request, sent), (response, answered) = by_id['order "7"']
    assert (request["ce-type"], response["ce-type"]) == (REQUEST, RESPONSE)
    for headers in (request, response):
        assert headers["ce-specversion"] == "1.0" and headers["ce-source"] == "urn:test"
        assert headers["content-type"] == "application/json"
        assert headers["ce-inferenceservicename"] == "electricity"
        assert headers["ce-namespace"] == "fraud" and headers["ce-endpoint"] == "default"
        assert headers["ce-weirversion"] == "1" and headers["ce-weirarm"] == "primary"
        assert headers["ce-weirdecision"] == "answered"
        assert headers["ce-time"].endswith("Z")
    assert sent["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [1, 8],
                               "data": pytest.approx(row())}]
    assert answered["outputs"] == [
        {**tensor, "data": pytest.approx(tensor["data"])} for tensor in (
            {name: output[name] for name in ("name", "datatype", "shape", "data")}
            for output in good.json()["outputs"])]
    failed = dict((headers["ce-type"], (headers, body)) for headers, body in by_id["bad"])
    assert failed[RESPONSE][1]["error"] == "invalid_argument"
    assert failed[RESPONSE][0]["ce-weirerror"] == "invalid_argument"
    assert named.json()["id"] in by_id
    assert receiver.connections == 1


@pytest.mark.parametrize("mode, types", [("request", {REQUEST}), ("response", {RESPONSE})])
def test_one_side_alone(tmp_path, data, mode, types):
    with Receiver() as receiver:
        with weir.serve(data, {}, "--config", config(tmp_path, receiver.url, mode=mode)) as server:
            server.infer("electricity", weir.electricity_body(row()))
            server.infer("electricity", weir.electricity_body(row()))
            weir.wait_for(lambda: len(receiver.events) == 2, "two events")
        assert {headers["ce-type"] for headers, _ in receiver.events} == types


def test_a_server_that_fails_is_tried_again_and_refusals_are_dropped(tmp_path, data):
    statuses = iter([503, 200, 400])
    with Receiver(lambda: next(statuses)) as receiver:
        path = config(tmp_path, receiver.url)
        with weir.serve(data, {}, "--config", path) as server:
            server.infer("electricity", weir.electricity_body(row()))
            weir.wait_for(
                lambda: counts(server)['weir_events_dropped_total{reason="refused"}'] == 1, "a drop")
            seen = counts(server)
            assert seen["weir_events_sent_total"] == 1
            assert seen["weir_events_failures_total"] == 1


@pytest.mark.parametrize("kind", ["dead", "silent"])
def test_serving_does_not_notice_a_dead_or_silent_server(tmp_path, data, kind):
    """Nobody listens, or somebody accepts and never answers: the queue fills, and drops."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    if kind == "dead":
        listener.close()
    path = config(tmp_path, url, queue_records=10, max_age="60s")
    with weir.serve(data, {}, "--config", path) as server:
        connection = server.connect()
        for _ in range(200):
            answer = server.infer(
                "electricity", weir.electricity_body(row()), connection=connection)
            assert answer.status == 200
        connection.close()
        weir.wait_for(
            lambda: counts(server)['weir_events_dropped_total{reason="queue_full"}'] > 0, "drops")
        seen = counts(server)
        assert seen["weir_events_queue_records"] <= 10
        assert seen["weir_events_sent_total"] == 0
        weir.wait_for(lambda: counts(server)["weir_events_oldest_seconds"] > 0, "an age")
        assert server.sql("SELECT count(*) AS n FROM electricity") == [{"n": 200}]
    listener.close()
