"""What a person or a client gets wrong: a clear message, the right status, and the server goes on."""
import json
import os
import resource
import socket
import subprocess

import pytest

import weir

ROWS, PROBABILITIES = weir.electricity_rows()
ONNX = weir.MODELS / "electricity_v1.onnx"


def still_serves(server):
    answer = server.infer("electricity", weir.electricity_body(ROWS[0]))
    assert answer.status == 200, answer.body


def broken(**members):
    body = weir.electricity_body(ROWS[0])
    body["inputs"][0].update(members)
    return body


NAN = json.dumps(weir.electricity_body(ROWS[0])).replace(str(ROWS[0][-1]), "1e400", 1)


@pytest.mark.parametrize("body, status, parts", [
    (broken(data=ROWS[0][:7], shape=[1, 7]), 400, ["'input'", "[-1,8]", "[1,7]"]),
    (broken(data=ROWS[0][:7]), 400, ["'input'", "7", "8"]),
    (broken(datatype="INT64", data=[1] * 8), 400, ["'input'", "FP32", "INT64"]),
    (broken(datatype="INT64"), 400, ["'input'", "INT64"]),
    (broken(datatype="FLOAT"), 400, ["'input'", "FLOAT"]),
    (broken(data=["1"] * 8), 400, ["'input'"]),
    (broken(name="x"), 400, ["'input'"]),
    (broken(shape=[-1, 8]), 400, ["'input'"]),
    (broken(shape="1,8"), 400, ["shape"]),
    (NAN, 400, ["'input'"]),
    ({}, 400, ["inputs"]),
    ([], 400, []),
    ("", 400, []),
    ('{"inputs":[', 400, []),
    (b"\xff\xfe\x00", 400, []),
])
def test_bodies_that_are_wrong(zoo, body, status, parts):
    answer = zoo.infer("electricity_v1", body)
    assert answer.status == status, answer.body
    for part in parts:
        assert part in answer.error, answer.error


def test_missing_values_where_the_sidecar_forbids_them(data, tmp_path):
    model = tmp_path / "m.onnx"
    model.write_bytes((weir.MODELS / "linear.onnx").read_bytes())
    (tmp_path / "m.onnx.yaml").write_text(
        "inputs:\n  x:\n    features:\n      - {name: a}\n      - {name: b, missing: refuse}\n"
        "      - {name: c}\n")

    def body(values):
        return json.dumps({"inputs": [
            {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": values}]})

    with weir.serve(data, {"m": model}) as server:
        assert server.infer("m", body([None, 1, 1])).status == 200
        for values in ([1, None, 1], [1, float("nan"), 1]):
            answer = server.infer("m", body(values))
            assert answer.status == 400
            assert "'b'" in answer.error and "missing" in answer.error


def test_an_oversized_body(data, tmp_path):
    config = tmp_path / "weir.yaml"
    config.write_text("server:\n  max_body_bytes: 1KiB\n")
    with weir.serve(data, {"electricity": ONNX}, "--config", config) as server:
        answer = server.infer("electricity", b" " * 2000)
        assert answer.status == 413 and "1024" in answer.error
        still_serves(server)


def test_a_slow_client_and_a_half_open_connection(data, tmp_path):
    config = tmp_path / "weir.yaml"
    config.write_text("server:\n  head_timeout: 200ms\n  body_timeout: 200ms\n")
    with weir.serve(data, {"electricity": ONNX}, "--config", config) as server:
        for part in (b"POST /v2/models/electricity/infer HTTP/1.1\r\nHo",
                     b"POST /v2/models/electricity/infer HTTP/1.1\r\nHost: x\r\n"
                     b"Content-Length: 100\r\n\r\n{"):
            with socket.create_connection((server.host, server.port), timeout=30) as slow:
                slow.sendall(part)
                assert slow.recv(1000).startswith(b"HTTP/1.1 408")
                assert slow.recv(1000) in (b"",) or True
        body = json.dumps(weir.electricity_body(ROWS[0])).encode()
        with socket.create_connection((server.host, server.port), timeout=30) as half:
            half.sendall(b"POST /v2/models/electricity/infer HTTP/1.1\r\nHost: x\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            half.shutdown(socket.SHUT_WR)
            assert half.recv(1000).startswith(b"HTTP/1.1 200")
        still_serves(server)


@pytest.mark.parametrize("name, content, parts", [
    ("m.onnx", b"hello", ["m.onnx"]),
    ("m.ubj", b"\x00" * 100, ["m.ubj"]),
    ("m.json", b"{}", ["m.json"]),
    ("m.txt", b"tree\n", ["m.txt"]),
    ("m.pickle", b"\x80\x04", ["m.pickle", ".onnx"]),
    ("m.onnx", b"", ["m.onnx", "empty"]),
])
def test_a_model_file_that_is_not_a_model(data, tmp_path, name, content, parts):
    path = tmp_path / name
    path.write_bytes(content)
    done = start(data, "--model", f"m={path}")
    assert done.returncode == 1
    for part in parts:
        assert part in done.stderr, done.stderr


def start(data, *arguments, **kwargs):
    """A start that is expected to fail."""
    return weir.cli("serve", "--listen", "127.0.0.1:0", "--data", data, *arguments, check=False,
                    **kwargs)


@pytest.mark.parametrize("arguments, parts", [
    (["--model", "x=/no/such/file.onnx"], ["/no/such/file.onnx", "x="]),
    (["--model", f"x={ONNX}", "--model", f"x={ONNX}"], ["two models", "'x'"]),
    (["--model", "electricity"], ["NAME=PATH"]),
    (["--listen", "nowhere"], ["HOST:PORT"]),
    (["--listen", "0.0.0.0:0"], ["--token-file", "127.0.0.1"]),
    (["--config", "/no/such.yaml"], ["/no/such.yaml"]),
])
def test_starts_that_cannot_be(data, arguments, parts):
    done = weir.cli("serve", *(["--listen", "127.0.0.1:0"] if "--listen" not in arguments else []),
                    "--data", data, *arguments, check=False)
    assert done.returncode == 1
    for part in parts:
        assert part in done.stderr, done.stderr


def test_misuse_is_exit_code_2():
    for arguments in (["frobnicate"], [], ["status", "--nonsense"], ["deploy"]):
        done = weir.cli(*arguments, check=False)
        assert done.returncode == 2
        assert done.stderr


def test_an_unknown_key_gives_its_line(data, tmp_path):
    config = tmp_path / "weir.yaml"
    config.write_text("server:\n  listen: 127.0.0.1:0\n  tsl: true\n")
    done = start(data, "--config", config)
    assert done.returncode == 1
    assert "weir.yaml" in done.stderr and "line 3" in done.stderr and "tsl" in done.stderr


def test_a_port_in_use(electricity, tmp_path):
    done = weir.cli("serve", "--listen", f"127.0.0.1:{electricity.port}", "--data",
                    tmp_path / "other", check=False)
    assert done.returncode == 1
    assert str(electricity.port) in done.stderr and "--listen" in done.stderr
    still_serves(electricity)


def test_a_data_folder_that_another_server_holds(electricity, data):
    done = start(data)
    assert done.returncode == 1
    assert str(data) in done.stderr and str(electricity.process.pid) in done.stderr
    still_serves(electricity)


def test_a_data_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = start(tmp_path / "file" / "data")
    assert done.returncode == 1 and str(tmp_path / "file") in done.stderr


def test_a_disk_that_is_full_does_not_stop_the_answers(data):
    """A limit on the size of files stands for a full disk: the segment cannot grow any more."""
    with weir.serve(data, {"electricity": ONNX}) as made:
        made.cli("ledger", "compact")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    wide = {"inputs": [{"name": "input", "shape": [200, 8], "datatype": "FP32", "data": ROWS}]}
    text = json.dumps(wide)
    with weir.serve(data, (), preexec_fn=limit) as server:
        connection = server.connect()

        def failing():
            for _ in range(20):
                assert server.infer("electricity", text, connection=connection).status == 200
            return server.api("/status")["recorder"]["dropped_failed"] > 0 or not server.api(
                "/status")["ledger"]["writing"]

        weir.wait_for(failing, "the disk to refuse")
        state = server.api("/status")
        still_serves(server)
        metrics = server.get("/metrics").body.decode()
        assert "weir_ledger_writing " in metrics
        # The next segment is a new file, so recording resumes by itself.
        before = state["ledger"]["rows_written"]

        def resumed():
            server.infer("electricity", text, connection=connection)
            now = server.api("/status")["ledger"]
            return now["writing"] and now["rows_written"] > before

        weir.wait_for(resumed, "recording to resume")
        connection.close()


def test_with_durability_always_a_full_disk_is_no_answer(data, tmp_path):
    config = tmp_path / "weir.yaml"
    config.write_text("endpoints:\n  electricity:\n    durability: always\n")
    with weir.serve(data, {"electricity": ONNX}):
        pass

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    kept, refused = set(), 0
    with weir.serve(data, (), "--config", config, preexec_fn=limit) as server:
        connection = server.connect()
        while refused < 3:
            name = f"r{len(kept) + refused}"
            body = {"id": name, "inputs": [
                {"name": "input", "shape": [200, 8], "datatype": "FP32", "data": ROWS}]}
            answer = server.infer("electricity", json.dumps(body), connection=connection)
            if answer.status == 200:
                kept.add(name)
            else:
                assert answer.status == 503 and answer.error, answer.body
                refused += 1
        connection.close()
    with weir.serve(data) as server:
        rows = server.sql("select id, count(*) as n from electricity group by id")
        assert {r["id"] for r in rows if r["n"] == 200} >= kept and kept


def test_feedback_that_is_wrong(electricity, tmp_path):
    for rows, part in (
            ([{"label": 1}], "'id'"), ([{"id": "a"}], "'label'"),
            ([{"id": "a", "label": 1, "labell": 2}], "labell"),
            ([{"id": "a", "label": [1]}], "'label'"),
            ([{"id": "a", "label": 1, "time": "yesterday"}], "yesterday"),
            ([{"id": "a", "label": 1, "row": -1}], "'row'"),
            ('{"id": "a", "id": "b", "label": 1}', "'id' is there twice"),
            ('{"id": "a", "label": 1}\n{"id": "a", "label": 1, "label": 0}', "row 1"),
            ("nonsense", "JSON"), ("", "empty"), ([{"id": "a", "label": 1}, 5], "row 1")):
        answer = electricity.post("/api/v1/endpoints/electricity/feedback", rows)
        assert answer.status == 400, rows
        assert part in answer.error, answer.error
    answer = electricity.post("/api/v1/endpoints/none/feedback", [{"id": "a", "label": 1}])
    assert answer.status == 404
    table = tmp_path / "labels.csv"
    table.write_text("identity,label\na,1\n")
    done = electricity.cli("feedback", "electricity", table, check=False)
    assert done.returncode == 1
    for part in ("labels.csv", "id", "identity"):
        assert part in done.stderr
    table.write_text("id,label\na,1\nb,1,5\n")
    done = electricity.cli("feedback", "electricity", table, check=False)
    assert done.returncode == 1
    assert "labels.csv' line 3: it has 3 fields, the header has 2" in done.stderr
    lines = tmp_path / "labels.ndjson"
    lines.write_text('{"id":"a","label":1}\n{"id":"a","id":"b","label":1}\n')
    done = electricity.cli("feedback", "electricity", lines, check=False)
    assert done.returncode == 1
    assert "labels.ndjson' object 2: the key 'id' is there twice" in done.stderr
    assert electricity.api("/endpoints/electricity")["feedback"]["accepted"] == 0
    done = electricity.cli("feedback", "electricity", tmp_path / "none.csv", check=False)
    assert done.returncode == 1 and "none.csv" in done.stderr


def test_no_server_there():
    done = weir.cli("status", "--server", "http://127.0.0.1:1", check=False)
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr and "weir serve" in done.stderr


def test_a_token_is_wanted_beyond_loopback(data, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    with weir.serve(data, {"electricity": ONNX}, "--token-file", token) as server:
        still_serves(server)
        refused = server.get("/api/v1/endpoints")
        assert refused.status == 401 and "Bearer" in refused.error
        answer = server.get("/api/v1/endpoints", headers={"Authorization": "Bearer s3cret"})
        assert answer.status == 200
        assert server.get("/api/v1/endpoints", headers={"Authorization": "Bearer no"}).status == 401
        server.cli("status", "--token-file", token)
        assert weir.cli("status", "--server", server.url, check=False).returncode == 1
        done = subprocess.run([weir.BINARY, "status", "--server", server.url], capture_output=True,
                              env={**os.environ, "WEIR_TOKEN": "s3cret"})
        assert done.returncode == 0
