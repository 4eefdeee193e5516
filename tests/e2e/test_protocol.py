"""What Weir itself promises over V2 REST, beyond the points of the protocol (tests/conformance)."""
import gzip
import json
import socket

import numpy as np
import pytest

import weir

ROWS, PROBABILITIES = weir.electricity_rows()
E = "electricity_v1"


def two_inputs(**members):
    return {
        "inputs": [
            {"name": "a", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]},
            {"name": "b", "shape": [2, 2], "datatype": "FP32", "data": [5, 6, 7, 8]},
        ],
        **members,
    }


def binary_two_inputs():
    """The body and headers of a request with binary tensors."""
    a = np.float32([[1, 2], [3, 4]]).tobytes()
    head = json.dumps({"inputs": [
        {"name": n, "shape": [2, 2], "datatype": "FP32",
         "parameters": {"binary_data_size": len(a)}} for n in "ab"]}).encode()
    return head + a + a, {"Inference-Header-Content-Length": str(len(head))}


def refusal(answer):
    assert answer.status == 400, answer.body
    return answer.error


def test_an_answer_says_which_version_gave_it_and_in_which_role(zoo):
    answer = zoo.infer(E, weir.electricity_body(ROWS[0])).json()
    assert answer["parameters"] == {
        "weir_version": "1", "weir_arm": "primary", "weir_decision": "answered"}


def test_an_id_of_our_own_is_a_uuid_that_sorts_by_time(zoo):
    first, second = (zoo.infer(E, weir.electricity_body(ROWS[0])).json()["id"] for _ in range(2))
    assert len(first) == 36 and first[14] == "7" and first != second
    assert first[:13] <= second[:13]  # They sort by milliseconds.


def test_refusals_name_the_thing_and_the_numbers(zoo):
    half = {"name": "fp16", "shape": [1, 2], "datatype": "FP16", "data": [1, 2]}
    assert "'fp16'" in refusal(zoo.infer("every_type", {"inputs": [half]}))
    body, headers = binary_two_inputs()
    for broken in (body[:-1], body + b"x"):
        assert "byte" in refusal(zoo.infer("two_inputs", broken, headers=headers))
    for value in ("-1", "ten", "100000", "1.5"):
        headers["Inference-Header-Content-Length"] = value
        assert value in refusal(zoo.infer("two_inputs", body, headers=headers))
    overflow = two_inputs()
    overflow["inputs"][0]["shape"] = [2**62, 2**62]
    assert "'a'" in refusal(zoo.infer("two_inputs", overflow))
    error = refusal(zoo.infer("two_inputs", two_inputs(outputs=[{"name": "none"}])))
    assert "none" in error and "product" in error
    raw = zoo.infer("two_inputs", b"1234", headers={"Inference-Header-Content-Length": "0"})
    assert "one input" in refusal(raw)


def test_an_unloaded_model_is_unavailable(data):
    with weir.serve(data, {"m": weir.MODELS / "two_inputs.onnx"}) as server:
        assert server.post("/v2/repository/models/m/unload").status == 200
        assert server.infer("m", two_inputs()).status == 503
        assert server.get("/v2/models/m/ready").status == 503


def test_a_version_is_a_number(zoo):
    for path in (f"{E}/versions/9", f"{E}/versions/one"):
        answer = zoo.infer(path, weir.electricity_body(ROWS[0]))
        assert answer.status == 404 and answer.error


def test_the_extensions_of_the_metadata(zoo):
    assert zoo.get("/v2").json()["name"] == "weir"
    assert set(zoo.get("/v2").json()["extensions"]) == {
        "binary_tensor_data", "model_configuration", "model_repository", "parameters",
        "statistics"}


def test_a_body_that_inflates_past_the_limit_is_not_held_in_memory(zoo):
    bomb = gzip.compress(b"[" + b" " * (200 << 20), compresslevel=1)
    answer = zoo.infer(E, bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status == 413 and answer.error
    rss = next(l for l in open(f"/proc/{zoo.process.pid}/status") if l.startswith("VmHWM"))
    assert "asan" in zoo.log() or int(rss.split()[1]) < 900_000


def test_clients_that_go_away_leave_nothing_in_flight(zoo):
    body = json.dumps(weir.electricity_body(ROWS[0])).encode()
    for _ in range(20):
        connection = socket.create_connection((zoo.host, zoo.port))
        connection.sendall(
            f"POST /v2/models/{E}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
            "\r\n\r\n".encode() + body)
        connection.close()
    weir.wait_for(lambda: zoo.api("/status")["in_flight"] == 0, "no request in flight")
    assert zoo.infer(E, weir.electricity_body(ROWS[0])).status == 200


def test_a_deadline_that_has_passed_is_named(zoo):
    answer = zoo.infer("dynamic_axes", {
        "parameters": {"timeout": 1},
        "inputs": [{"name": "x", "shape": [1, 20000, 2], "datatype": "FP32",
                    "data": [0.5] * 40000}]})
    assert answer.status == 504 and "timeout" in answer.error


def test_answers_are_those_of_the_model_row_by_row_and_in_a_batch(zoo):
    connection = zoo.connect()
    for row, probability in list(zip(ROWS, PROBABILITIES))[:50]:
        answer = zoo.infer(E, weir.electricity_body(row), connection=connection)
        assert answer.json()["outputs"][1]["data"][1] == pytest.approx(probability, abs=1e-6)
    connection.close()
    batch = zoo.infer(E, {"inputs": [
        {"name": "input", "shape": [200, 8], "datatype": "FP32", "data": ROWS}]}).json()["outputs"]
    assert batch[1]["shape"] == [200, 2]
    assert batch[1]["data"][1::2] == pytest.approx(PROBABILITIES, abs=1e-6)


def test_pipelined_requests_are_answered_in_order(zoo):
    bodies = [json.dumps(weir.electricity_body(ROWS[i], id=str(i))).encode() for i in range(10)]
    with socket.create_connection((zoo.host, zoo.port), timeout=weir.PATIENCE_S) as connection:
        connection.sendall(b"".join(
            f"POST /v2/models/{E}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(b)}"
            "\r\n\r\n".encode() + b for b in bodies))
        reader = connection.makefile("rb")
        for i in range(10):
            assert reader.readline().startswith(b"HTTP/1.1 200")
            length = 0
            while (line := reader.readline().strip()):
                name, value = line.decode().split(": ")
                if name == "Content-Length":
                    length = int(value)
            assert json.loads(reader.read(length))["id"] == str(i)
