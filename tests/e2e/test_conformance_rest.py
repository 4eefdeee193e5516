"""The Open Inference Protocol V2 over REST, point by point (C1 to C40; gRPC points apart)."""
import gzip
import json
import socket
import struct
import zlib

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, deserialize_bytes_tensor

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


def binary_request(document, tensors, **extra):
    """The body and headers of a request with binary tensors."""
    head = json.dumps(document).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), **extra}
    return head + b"".join(tensors), headers


def binary_two_inputs(**members):
    a = np.float32([[1, 2], [3, 4]]).tobytes()
    document = {
        "inputs": [
            {"name": n, "shape": [2, 2], "datatype": "FP32",
             "parameters": {"binary_data_size": len(a)}} for n in "ab"
        ],
        **members,
    }
    return binary_request(document, [a, a])


def values(answer, name):
    return next(o for o in answer.json()["outputs"] if o["name"] == name)["data"]


def test_c02_success_is_exactly_200_and_failures_have_an_error(zoo):
    good = [zoo.get(p) for p in ("/v2", "/v2/health/live", "/v2/health/ready", f"/v2/models/{E}",
                                 f"/v2/models/{E}/ready", f"/v2/models/{E}/config",
                                 f"/v2/models/{E}/stats", "/v2/models/stats")]
    good += [zoo.post("/v2/repository/index"), zoo.post(f"/v2/repository/models/{E}/load"),
             zoo.infer(E, weir.electricity_body(ROWS[0]))]
    assert [a.status for a in good] == [200] * len(good)
    for answer in (zoo.get("/v2/models/none"), zoo.infer(E, "{"), zoo.get("/v2/nothing")):
        assert answer.status >= 400
        assert isinstance(answer.error, str) and answer.error


def test_c03_the_header_decides_not_the_media_type(zoo):
    body, headers = binary_two_inputs(parameters={"binary_data_output": True})
    answer = zoo.infer("two_inputs", body, headers=headers)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    length = int(answer.headers["Inference-Header-Content-Length"])
    document = json.loads(answer.body[:length])
    assert [o["parameters"]["binary_data_size"] for o in document["outputs"]] == [16, 16]
    assert np.frombuffer(answer.body[length:length + 16], np.float32).tolist() == [2, 4, 6, 8]


def test_c04_json_outputs_have_no_parameters(zoo):
    answer = zoo.infer(E, weir.electricity_body(ROWS[0])).json()
    assert all("parameters" not in o for o in answer["outputs"])
    assert answer["parameters"] == {
        "weir_version": "1", "weir_arm": "primary", "weir_decision": "answered"}


def test_c05_content_length_no_chunking_and_header_names_in_any_case(zoo):
    body, headers = binary_two_inputs()
    shouting = {name.upper(): value for name, value in headers.items()}
    answer = zoo.infer("two_inputs", body, headers=shouting)
    assert answer.status == 200
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert "Transfer-Encoding" not in answer.headers


def test_c05_expect_100_continue_is_answered(zoo):
    body = json.dumps(weir.electricity_body(ROWS[0])).encode()
    with socket.create_connection((zoo.host, zoo.port), timeout=weir.PATIENCE_S) as connection:
        connection.sendall(
            f"POST /v2/models/{E}/infer HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_c06_metadata_with_and_without_a_slash(zoo):
    assert zoo.get("/v2").json() == zoo.get("/v2/").json()
    assert zoo.get("/v2").json()["name"] == "weir"


def test_c07_health_bodies(zoo):
    for path in ("/v2/health/live", "/v2/health/ready"):
        answer = zoo.get(path)
        assert answer.status == 200
        assert answer.json() == {"live": True, "ready": True}


def test_c08_what_the_kserve_client_needs(zoo):
    answer = zoo.infer(E, weir.electricity_body(ROWS[0])).json()
    assert answer["model_name"] == E
    assert all("data" in o for o in answer["outputs"])


@pytest.mark.parametrize("parameters", [
    {"timeout": 1_000_000}, {"priority": 2}, {"sequence_id": 7}, {"sequence_id": "seven"}])
def test_c09_parameter_types(zoo, parameters):
    answer = zoo.infer(E, weir.electricity_body(ROWS[0], parameters=parameters))
    assert answer.status == 200, answer.body


def test_c10_names_in_paths(zoo):
    for name in ("a/b%20c", "a%2Fb%20c"):
        answer = zoo.infer(name, weir.electricity_body(ROWS[0]))
        assert answer.status == 200, answer.body
        assert answer.json()["model_name"] == "a/b c"


def test_c10_what_load_and_unload_send(data):
    model = (weir.MODELS / "linear.onnx").read_bytes()
    import base64
    with weir.serve(data, {"m": weir.MODELS / "two_inputs.onnx"}) as server:
        path = "/v2/repository/models/m"
        body = {"parameters": {"unload_dependents": False}}
        assert server.post(path + "/unload", body).status == 200
        assert server.infer("m", two_inputs()).status == 503
        assert server.get("/v2/models/m/ready").status == 503
        assert server.post(path + "/load").status == 200
        assert server.infer("m", two_inputs()).status == 200
        files = {"file:1/model.onnx": base64.b64encode(model).decode(), "config": "{}"}
        fresh = server.post("/v2/repository/models/fresh/load", {"parameters": files})
        assert fresh.status == 200, fresh.body
        answer = server.infer("fresh", {"inputs": [
            {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 1, 1]}]})
        assert values(answer, "variable") == [111.5]


def test_c12_bytes_elements_of_any_content(zoo):
    elements = [b"", b"a\0b", b"\xff"]
    blob = b"".join(struct.pack("<I", len(e)) + e for e in elements)
    document = {
        "inputs": [{"name": "city", "shape": [3, 1], "datatype": "BYTES",
                    "parameters": {"binary_data_size": len(blob)}}],
        "outputs": [{"name": "echo", "parameters": {"binary_data": True}}]}
    body, headers = binary_request(document, [blob])
    answer = zoo.infer("strings", body, headers=headers)
    assert answer.status == 200, answer.body
    length = int(answer.headers["Inference-Header-Content-Length"])
    assert deserialize_bytes_tensor(answer.body[length:]).tolist() == elements


def test_c12_bytes_that_are_not_utf8_cannot_be_json(zoo):
    blob = struct.pack("<I", 1) + b"\xff"
    document = {"inputs": [{"name": "city", "shape": [1, 1], "datatype": "BYTES",
                            "parameters": {"binary_data_size": len(blob)}}]}
    body, headers = binary_request(document, [blob])
    answer = zoo.infer("strings", body, headers=headers)
    assert answer.status == 400
    assert "echo" in answer.error and "binary" in answer.error


def test_c14_empty_binary_outputs(zoo):
    document = {"inputs": [{"name": n, "shape": [0, 2], "datatype": "FP32",
                            "parameters": {"binary_data_size": 0}} for n in "ab"],
                "parameters": {"binary_data_output": True}}
    body, headers = binary_request(document, [])
    answer = zoo.infer("two_inputs", body, headers=headers)
    assert answer.status == 200, answer.body
    # C24: all binary outputs are empty, so the answer is plain JSON.
    assert answer.headers["Content-Type"] == "application/json"
    assert "Inference-Header-Content-Length" not in answer.headers
    assert [o["parameters"]["binary_data_size"] for o in answer.json()["outputs"]] == [0, 0]


def test_c15_id_is_echoed_or_made(zoo):
    given = zoo.infer(E, weir.electricity_body(ROWS[0], id="mine")).json()["id"]
    assert given == "mine"
    first, second = (zoo.infer(E, weir.electricity_body(ROWS[0])).json()["id"] for _ in range(2))
    assert len(first) == 36 and first[14] == "7" and first != second
    assert first[:13] <= second[:13]  # They sort by milliseconds.


def test_c16_flat_and_nested_data(zoo):
    flat = zoo.infer("two_inputs", two_inputs())
    nested = two_inputs()
    nested["inputs"][0]["data"] = [[1, 2], [3, 4]]
    assert values(zoo.infer("two_inputs", nested), "sum") == values(flat, "sum") == [6, 8, 10, 12]


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_c17_half_precision_is_binary_only(zoo, datatype):
    name = datatype.lower()
    answer = zoo.infer("every_type", {"inputs": [
        {"name": name, "shape": [1, 2], "datatype": datatype, "data": [1, 2]}]})
    assert answer.status == 400
    assert "binary" in answer.error and name in answer.error


def test_c18_too_few_and_too_many_binary_bytes(zoo):
    connection = zoo.connect()
    body, headers = binary_two_inputs()
    for broken in (body[:-1], body + b"x"):
        answer = zoo.infer("two_inputs", broken, headers=headers, connection=connection)
        assert answer.status == 400, answer.body
        assert "byte" in answer.error
    assert zoo.infer("two_inputs", body, headers=headers, connection=connection).status == 200
    connection.close()


@pytest.mark.parametrize("value", ["-1", "ten", "100000", "1.5"])
def test_c19_a_header_length_that_cannot_be(zoo, value):
    body, headers = binary_two_inputs()
    headers["Inference-Header-Content-Length"] = value
    answer = zoo.infer("two_inputs", body, headers=headers)
    assert answer.status == 400
    assert value in answer.error


def test_c20_a_shape_that_overflows(zoo):
    body = two_inputs()
    body["inputs"][0]["shape"] = [2**62, 2**62]
    answer = zoo.infer("two_inputs", body)
    assert answer.status == 400 and "'a'" in answer.error


def test_c21_element_count_and_shape(zoo):
    body = two_inputs()
    body["inputs"][1]["data"] = [1, 2, 3]
    answer = zoo.infer("two_inputs", body)
    assert answer.status == 400
    assert "'b'" in answer.error and "3" in answer.error and "4" in answer.error


@pytest.mark.parametrize("parameters", [
    {"timeout": "soon"}, {"priority": -1}, {"binary_data_output": "yes"}, {"triton_unknown": 1}])
def test_c22_reserved_parameters(zoo, parameters):
    answer = zoo.infer(E, weir.electricity_body(ROWS[0], parameters=parameters))
    assert answer.status == 400
    assert next(iter(parameters)) in answer.error


def test_c23_the_flag_of_an_output_wins(zoo):
    body = two_inputs(parameters={"binary_data_output": True},
                      outputs=[{"name": "sum", "parameters": {"binary_data": False}},
                               {"name": "product"}])
    answer = zoo.infer("two_inputs", body)
    document = json.loads(answer.body[:int(answer.headers["Inference-Header-Content-Length"])])
    assert "data" in document["outputs"][0]
    assert document["outputs"][1]["parameters"] == {"binary_data_size": 16}
    body = two_inputs(outputs=[{"name": "sum", "parameters": {"binary_data": True}}])
    assert zoo.infer("two_inputs", body).headers["Content-Type"] == "application/octet-stream"


def test_c24_one_binary_and_one_json_output(zoo):
    body = two_inputs(outputs=[{"name": "sum", "parameters": {"binary_data": True}},
                               {"name": "product"}])
    answer = zoo.infer("two_inputs", body)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    length = int(answer.headers["Inference-Header-Content-Length"])
    assert values(weir.Response(200, {}, answer.body[:length]), "product") == [5, 12, 21, 32]
    assert np.frombuffer(answer.body[length:], np.float32).tolist() == [6, 8, 10, 12]


def test_c25_raw_requests(zoo):
    headers = {"Inference-Header-Content-Length": "0"}
    raw = np.float32(ROWS[0]).tobytes()
    answer = zoo.infer(E, raw, headers=headers)
    assert answer.status == 200, answer.body
    length = int(answer.headers["Inference-Header-Content-Length"])
    probabilities = np.frombuffer(answer.body[length + 8:], np.float32)
    assert probabilities[1] == pytest.approx(PROBABILITIES[0], abs=1e-6)
    answer = zoo.infer("two_inputs", raw, headers=headers)
    assert answer.status == 400 and "one input" in answer.error


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_c26_compressed_requests_and_answers(zoo, encoding):
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    unpack = gzip.decompress if encoding == "gzip" else zlib.decompress
    body = {"inputs": [{"name": "input", "shape": [100, 8], "datatype": "FP32",
                        "data": ROWS[:100]}]}
    answer = zoo.infer(E, pack(json.dumps(body).encode()),
                       headers={"Content-Encoding": encoding, "Accept-Encoding": encoding})
    assert answer.status == 200
    assert answer.headers["Content-Encoding"] == encoding
    outputs = json.loads(unpack(answer.body))["outputs"]
    assert outputs[1]["data"][1::2] == pytest.approx(PROBABILITIES[:100], abs=1e-6)
    body, headers = binary_two_inputs()
    headers["Content-Encoding"] = encoding
    assert zoo.infer("two_inputs", pack(body), headers=headers).status == 200


def test_c26_a_small_body_that_inflates_past_the_limit(zoo):
    bomb = gzip.compress(b"[" + b" " * (200 << 20))
    answer = zoo.infer(E, bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status == 413 and answer.error
    rss = next(l for l in open(f"/proc/{zoo.process.pid}/status") if l.startswith("VmHWM"))
    assert "asan" in zoo.log() or int(rss.split()[1]) < 900_000


def test_c27_verbs_and_unknown_names(zoo):
    for answer, status in (
            (zoo.get(f"/v2/models/{E}/infer"), 405), (zoo.post("/v2"), 405),
            (zoo.get("/v2/models/none/ready"), 404), (zoo.infer("none", two_inputs()), 404),
            (zoo.infer(f"{E}/versions/9", weir.electricity_body(ROWS[0])), 404),
            (zoo.infer(f"{E}/versions/one", weir.electricity_body(ROWS[0])), 404),
            (zoo.get(f"/v2/models/{E}/versions/9"), 404)):
        assert answer.status == status
        assert answer.error


def test_c28_an_empty_body_works(zoo):
    index = zoo.post("/v2/repository/index")
    assert index.status == 200 and {"name": E, "version": "1", "state": "READY", "reason": ""} in [
        {**entry, "reason": entry.get("reason", "")} for entry in index.json()]
    assert zoo.post(f"/v2/repository/models/{E}/load").status == 200


def test_c29_statistics(data):
    with weir.serve(data, {"m": weir.MODELS / "two_inputs.onnx"}) as server:
        eight = {"inputs": [{"name": n, "shape": [8, 2], "datatype": "FP32", "data": [1] * 16}
                            for n in "ab"]}
        one = {"inputs": [{"name": n, "shape": [1, 2], "datatype": "FP32", "data": [1] * 2}
                          for n in "ab"]}
        assert server.infer("m", eight).status == server.infer("m", one).status == 200
        stats = server.get("/v2/models/m/stats").json()["model_stats"][0]
        # The worked example of the specification: two requests of 1 and 8 rows, no batcher.
        assert (stats["name"], stats["version"]) == ("m", "1")
        assert stats["inference_stats"]["success"]["count"] == 2
        assert (stats["inference_count"], stats["execution_count"]) == (9, 2)
        assert set(stats["inference_stats"]) == {
            "success", "fail", "queue", "compute_input", "compute_infer", "compute_output",
            "cache_hit", "cache_miss"}
        for duration in stats["inference_stats"].values():
            assert set(duration) == {"count", "ns"}
        assert stats["inference_stats"]["compute_infer"]["ns"] > 0
        assert sorted(b["batch_size"] for b in stats["batch_stats"]) == [1, 8]
        assert server.get("/v2/models/stats").json()["model_stats"][0]["name"] == "m"


def test_c31_keys_in_any_order(zoo):
    text = ('{"outputs":[{"name":"sum"}],"inputs":[{"data":[1,2,3,4],"datatype":"FP32",'
            '"shape":[2,2],"name":"a"},{"shape":[2,2],"data":[5,6,7,8],"name":"b",'
            '"datatype":"FP32"}],"id":"x"}')
    assert values(zoo.infer("two_inputs", text), "sum") == [6, 8, 10, 12]


def test_c32_deep_json(zoo):
    for text in ("[" * 10_000, '{"inputs":' + "[" * 10_000,
                 '{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":' + "[" * 10_000):
        answer = zoo.infer(E, text)
        assert answer.status == 400 and answer.error


def test_c33_bytes_whose_length_reaches_beyond_the_buffer(zoo):
    blob = struct.pack("<I", 1000) + b"short"
    document = {"inputs": [{"name": "city", "shape": [1, 1], "datatype": "BYTES",
                            "parameters": {"binary_data_size": len(blob)}}]}
    body, headers = binary_request(document, [blob])
    answer = zoo.infer("strings", body, headers=headers)
    assert answer.status == 400 and "city" in answer.error


def test_c34_requested_outputs(zoo):
    answer = zoo.infer("two_inputs", two_inputs(outputs=[{"name": "product"}, {"name": "sum"}]))
    assert [o["name"] for o in answer.json()["outputs"]] == ["product", "sum"]
    answer = zoo.infer("two_inputs", two_inputs(outputs=[{"name": "none"}]))
    assert answer.status == 400 and "none" in answer.error and "product" in answer.error


def test_c35_duplicate_and_missing_inputs(zoo):
    body = two_inputs()
    body["inputs"].append(body["inputs"][0])
    answer = zoo.infer("two_inputs", body)
    assert answer.status == 400 and "'a'" in answer.error
    body = two_inputs()
    del body["inputs"][1]
    answer = zoo.infer("two_inputs", body)
    assert answer.status == 400 and "'b'" in answer.error


def test_c36_exactly_the_extensions_that_answer(zoo):
    assert set(zoo.get("/v2").json()["extensions"]) == {
        "binary_tensor_data", "model_configuration", "model_repository", "parameters",
        "statistics"}
    assert zoo.get("/v2/systemsharedmemory/status").status == 404


def test_c37_metadata_and_fixed_dimensions(zoo):
    metadata = zoo.get(f"/v2/models/{E}").json()
    assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 8]}]
    answer = zoo.infer(E, {"inputs": [
        {"name": "input", "shape": [1, 7], "datatype": "FP32", "data": [0] * 7}]})
    assert answer.status == 400
    assert "[-1,8]" in answer.error and "[1,7]" in answer.error


def test_c38_a_batch_of_rows(zoo):
    body = {"inputs": [{"name": "input", "shape": [200, 8], "datatype": "FP32", "data": ROWS}]}
    before = zoo.get(f"/v2/models/{E}/stats").json()["model_stats"][0]
    answer = zoo.infer(E, body).json()["outputs"]
    after = zoo.get(f"/v2/models/{E}/stats").json()["model_stats"][0]
    assert answer[1]["shape"] == [200, 2]
    assert answer[1]["data"][1::2] == pytest.approx(PROBABILITIES, abs=1e-6)
    assert after["inference_count"] - before["inference_count"] == 200
    assert after["execution_count"] - before["execution_count"] == 1


def test_c39_a_client_that_goes_away_frees_its_place(zoo):
    body = json.dumps(weir.electricity_body(ROWS[0])).encode()
    for _ in range(20):
        connection = socket.create_connection((zoo.host, zoo.port))
        connection.sendall(
            f"POST /v2/models/{E}/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
            "\r\n\r\n".encode() + body)
        connection.close()
    weir.wait_for(lambda: zoo.api("/status")["in_flight"] == 0, "no request in flight")
    assert zoo.infer(E, weir.electricity_body(ROWS[0])).status == 200


def test_c40_a_deadline_that_has_passed_is_refused(zoo):
    answer = zoo.infer("dynamic_axes", {
        "parameters": {"timeout": 1},
        "inputs": [{"name": "x", "shape": [1, 20000, 2], "datatype": "FP32",
                    "data": [0.5] * 40000}]})
    assert answer.status == 504 and "timeout" in answer.error


def test_every_datatype_as_binary_and_as_json(zoo):
    numbers = {"BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32,
               "UINT64": np.uint64, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32,
               "INT64": np.int64, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64}
    inputs, tensors, expected = [], [], {}
    for datatype, kind in numbers.items():
        array = np.array([[0, 1]], kind)
        tensors.append(array.tobytes())
        expected[datatype.lower() + "_out"] = array
        inputs.append({"name": datatype.lower(), "shape": [1, 2], "datatype": datatype,
                       "parameters": {"binary_data_size": len(tensors[-1])}})
    inputs.append({"name": "bf16", "shape": [1, 2], "datatype": "BF16",
                   "parameters": {"binary_data_size": 4}})
    tensors.append(b"\0\0\x80\x3f")
    inputs.append({"name": "bytes", "shape": [1, 2], "datatype": "BYTES", "data": ["x", "é"]})
    document = {"inputs": inputs, "outputs": [
        {"name": n, "parameters": {"binary_data": n in ("fp16_out", "bf16_out")}}
        for n in [*expected, "bf16_out", "bytes_out"]]}
    body, headers = binary_request(document, tensors)
    answer = zoo.infer("every_type", body, headers=headers)
    assert answer.status == 200, answer.body
    length = int(answer.headers["Inference-Header-Content-Length"])
    outputs = {o["name"]: o for o in json.loads(answer.body[:length])["outputs"]}
    for name, array in expected.items():
        if "data" in outputs[name]:
            assert outputs[name]["data"] == array.ravel().tolist(), name
    assert outputs["bytes_out"]["data"] == ["x", "é"]
    assert answer.body[length:] == np.float16([0, 1]).tobytes() + b"\0\0\x80\x3f"


@pytest.fixture(scope="module")
def client(zoo):
    client = triton.InferenceServerClient(f"{zoo.host}:{zoo.port}")
    yield client
    client.close()


def test_tritonclient_metadata_and_repository(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(E) and client.is_model_ready(E, "1")
    assert client.get_server_metadata()["name"] == "weir"
    assert client.get_model_metadata(E)["inputs"][0]["shape"] == [-1, 8]
    assert client.get_model_config(E)["name"] == E
    assert any(m["name"] == E for m in client.get_model_repository_index())
    assert client.get_inference_statistics(E)["model_stats"][0]["name"] == E
    client.load_model(E)


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_tritonclient_infers(client, binary_in, binary_out):
    batch = triton.InferInput("input", [200, 8], "FP32")
    batch.set_data_from_numpy(np.float32(ROWS), binary_data=binary_in)
    wanted = [triton.InferRequestedOutput(n, binary_data=binary_out)
              for n in ("probabilities", "label")]
    result = client.infer(E, [batch], outputs=wanted, request_id="r1", timeout=5_000_000)
    assert result.as_numpy("probabilities")[:, 1] == pytest.approx(PROBABILITIES, abs=1e-6)
    assert result.as_numpy("label").shape == (200,)
    assert result.get_response()["id"] == "r1"


def test_tritonclient_strings_and_compression(client):
    cities = np.array([["Bern"], ["Wien"], ["Rom"]], dtype=object)
    batch = triton.InferInput("city", [3, 1], "BYTES")
    batch.set_data_from_numpy(cities)
    result = client.infer("strings", [batch], request_compression_algorithm="gzip",
                          response_compression_algorithm="deflate")
    assert result.as_numpy("code").ravel().tolist() == [1, 2, -1]
    assert result.as_numpy("echo").ravel().tolist() == [b"Bern", b"Wien", b"Rom"]


def test_tritonclient_shows_our_messages(client):
    batch = triton.InferInput("input", [1, 7], "FP32")
    batch.set_data_from_numpy(np.zeros((1, 7), np.float32))
    with pytest.raises(InferenceServerException, match=r"\[-1,8\]"):
        client.infer(E, [batch])


def test_answers_are_those_of_the_model_row_by_row(zoo):
    connection = zoo.connect()
    for row, probability in list(zip(ROWS, PROBABILITIES))[:50]:
        answer = zoo.infer(E, weir.electricity_body(row), connection=connection)
        assert values(answer, "probabilities")[1] == pytest.approx(probability, abs=1e-6)
    connection.close()


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
