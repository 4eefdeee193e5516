"""Weir in front of another V2 server: here another Weir, and servers that misbehave."""
import http.server
import json
import struct
import threading

import numpy as np
import pytest

import weir

ROWS, PROBABILITIES = weir.electricity_rows()


def remote(folder, url, model, name="m"):
    path = folder / f"{name}.remote"
    path.write_text(f"{url}/v2/models/{model}\n")
    return path


@pytest.fixture(scope="module")
def gateway(zoo, tmp_path_factory):
    """A server whose models are those of another one."""
    folder = tmp_path_factory.mktemp("gateway")
    names = ["electricity_v1", "two_inputs", "every_type", "strings", "dynamic_axes"]
    models = {name: remote(folder, zoo.url, name, name) for name in names}
    models["spaces"] = remote(folder, zoo.url, "a%2Fb%20c/versions/1", "spaces")
    with weir.serve(folder / "data", models) as server:
        yield server


def outputs(answer):
    assert answer.status == 200, answer.body
    return {o["name"]: (o["datatype"], o["shape"], o["data"]) for o in answer.json()["outputs"]}


def test_the_signature_is_that_of_the_other_server(zoo, gateway):
    for name in ("electricity_v1", "every_type", "strings"):
        here, there = gateway.get(f"/v2/models/{name}"), zoo.get(f"/v2/models/{name}")
        for member in ("inputs", "outputs"):
            assert here.json()[member] == there.json()[member]
        assert here.json()["platform"] == "remote_v2"


def test_answers_are_those_of_the_other_server(zoo, gateway):
    for i in range(50):
        body = weir.electricity_body(ROWS[i])
        assert outputs(gateway.infer("electricity_v1", body)) == \
            outputs(zoo.infer("electricity_v1", body)) == \
            outputs(gateway.infer("spaces", body))
    body = {"inputs": [{"name": "input", "shape": [100, 8], "datatype": "FP32",
                        "data": ROWS[:100]}]}
    answer = outputs(gateway.infer("electricity_v1", body))
    assert answer["probabilities"][2][1::2] == pytest.approx(PROBABILITIES[:100], abs=1e-6)


def test_missing_values_and_texts_go_through(zoo, gateway):
    row = [None, *ROWS[0][1:]]
    body = weir.electricity_body(row)
    assert outputs(gateway.infer("electricity_v1", body)) == \
        outputs(zoo.infer("electricity_v1", body))
    elements = [b"", b"a\0b", b"\xff"]
    blob = b"".join(struct.pack("<I", len(e)) + e for e in elements)
    document = json.dumps({
        "inputs": [{"name": "city", "shape": [3, 1], "datatype": "BYTES",
                    "parameters": {"binary_data_size": len(blob)}}],
        "outputs": [{"name": "echo", "parameters": {"binary_data": True}}]}).encode()
    answer = gateway.infer("strings", document + blob, headers={
        "Inference-Header-Content-Length": str(len(document))})
    assert answer.status == 200, answer.body
    assert answer.body[int(answer.headers["Inference-Header-Content-Length"]):] == blob


def test_records_are_kept_as_of_any_model(zoo, tmp_path):
    models = {"m": remote(tmp_path, zoo.url, "electricity_v1")}
    with weir.serve(tmp_path / "data", models) as server:
        for i in range(20):
            server.infer("m", weir.electricity_body(ROWS[i], id=f"r{i}"))
        rows = weir.wait_for(
            lambda: (r := server.sql("select id, score from m")) and len(r) == 20 and r, "records")
        scores = {row["id"]: row["score"] for row in rows} if isinstance(rows[0], dict) else \
            {row[0]: row[1] for row in rows}
        assert [scores[f"r{i}"] for i in range(20)] == pytest.approx(PROBABILITIES[:20], abs=1e-6)


def test_a_version_elsewhere_can_be_launched_against_one_here(zoo, tmp_path):
    with weir.serve(tmp_path / "data", {"m": weir.MODELS / "electricity_v1.onnx"}) as server:
        server.cli("deploy", "m", remote(tmp_path, zoo.url, "electricity_v1"), "--stages", "50,100")
        versions = {server.infer("m", weir.electricity_body(ROWS[0])).json()["model_version"]
                    for _ in range(100)}
        assert versions == {"1", "2"}


def test_the_other_server_goes_and_comes_back(tmp_path):
    behind = weir.Server(tmp_path / "behind", {"e": weir.MODELS / "electricity_v1.onnx"})
    body = weir.electricity_body(ROWS[0])
    with weir.serve(tmp_path / "data", {"m": remote(tmp_path, behind.url, "e"),
                                        "own": weir.MODELS / "electricity_v1.onnx"}) as server:
        assert server.infer("m", body).status == 200
        behind.kill()
        answer = server.infer("m", body)
        assert answer.status == 503
        assert f"{behind.host}:{behind.port}" in answer.error
        assert server.infer("own", body).status == 200
        again = weir.Server(tmp_path / "behind", listen=f"{behind.host}:{behind.port}")
        with again:
            assert server.infer("m", body).status == 200
            # The model is unloaded there: our client's request was right all the same.
            assert again.post("/v2/repository/models/e/unload").status == 200
            answer = server.infer("m", body)
            assert answer.status == 503 and "not loaded" in answer.error


def test_an_address_that_leads_nowhere(tmp_path, zoo):
    for url, model, part in (("http://127.0.0.1:1", "m", "127.0.0.1:1"),
                             (zoo.url, "nobody", "nobody"), ("ftp://x", "m", "http://"),
                             (zoo.url.replace("http", "https"), "m", "TLS")):
        done = weir.cli("serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data", "--model",
                        f"m={remote(tmp_path, url, model)}", check=False)
        assert done.returncode == 1 and part in done.stderr and ".remote" in done.stderr


class Other(http.server.BaseHTTPRequestHandler):
    """A server that takes JSON only; what it does with a call is in `script`."""
    protocol_version = "HTTP/1.1"
    script = None

    def log_message(self, *_):
        pass

    def answer(self, status, document):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/v2":
            return self.answer(200, {"name": "other", "version": "1", "extensions": []})
        specs = [{"name": n, "datatype": "FP32", "shape": [-1, 2]} for n in ("x", "y")]
        self.answer(200, {"name": "m", "inputs": specs[:1], "outputs": specs[1:]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(*type(self).script(self, json.loads(body)))


def echo(_, request):
    given = request["inputs"][0]
    # Data before datatype and shape: members come in any order.
    return 200, {"model_name": "m", "outputs": [
        {"data": given["data"], "name": "y", "shape": given["shape"], "datatype": "FP32"}]}


@pytest.fixture
def other():
    Other.script = echo
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def small_body(**members):
    return {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.5, -2]}],
            **members}


@pytest.mark.parametrize("status, document, wanted, part", [
    (400, {"error": "x is odd"}, 400, "x is odd"),
    (404, {"error": "no such model"}, 503, "no such model"),
    (429, {"error": "busy"}, 503, "busy"),
    (500, b"<html>oops</html>", 500, "oops"),
    (503, {"error": "not ready"}, 503, "not ready"),
    (504, {"error": "late"}, 504, "late"),
    (200, b"[]", 500, "not a JSON object"),
    (200, b'{"outputs":[', 500, "JSON"),
    (200, {"outputs": []}, 500, "no output 'y'"),
    (200, {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}]},
     500, "[1,3]"),
    (200, {"outputs": [{"name": "y", "datatype": "INT64", "shape": [1, 2], "data": [1, 2]}]},
     500, "INT64"),
    (200, {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [1]}]},
     500, "'y'"),
    (200, {"outputs": [{"name": "y", "datatype": "FP32", "shape": [10**9, 2], "data": [1]}]},
     500, "too little data"),
])
def test_what_the_other_server_says_is_passed_on(data, tmp_path, other, status, document, wanted,
                                                 part):
    with weir.serve(data, {"m": remote(tmp_path, other, "m")}) as server:
        assert outputs(server.infer("m", small_body())) == {"y": ("FP32", [1, 2], [1.5, -2])}
        Other.script = lambda *_: (status, document)
        answer = server.infer("m", small_body())
        assert answer.status == wanted, answer.body
        assert part in answer.error and other.removeprefix("http://") in answer.error
        Other.script = echo
        assert server.infer("m", small_body()).status == 200


def test_a_timeout_and_a_full_queue(data, tmp_path, other):
    release = threading.Event()

    def hang(handler, request):
        release.wait(weir.PATIENCE_S)
        return echo(handler, request)

    with weir.serve(data, {"m": remote(tmp_path, other, "m"),
                           "own": weir.MODELS / "linear.onnx"}) as server:
        Other.script = hang
        answer = server.infer("m", small_body(parameters={"timeout": 200_000}))
        assert answer.status == 504 and "in time" in answer.error
        # The calls that hang hold up nobody else.
        results = []
        threads = [threading.Thread(target=lambda: results.append(
            server.infer("m", small_body()).status)) for _ in range(20)]
        for thread in threads:
            thread.start()
        x = np.ones((1, 3)).tolist()
        assert server.infer("own", {"inputs": [
            {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": x}]}).status == 200
        assert not results
        release.set()
        for thread in threads:
            thread.join()
        assert results == [200] * 20
