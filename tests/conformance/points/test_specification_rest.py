"""C15 to C40 over REST: what the specification and its extensions say."""
import gzip
import json
import struct
import zlib

import numpy as np
import pytest

from v2 import models, tensors
from v2.target import check_outputs
from v2.verdicts import rest


@rest("C15", "an id is echoed")
def test_an_id_is_echoed(server, model):
    for given in ("mine", "é/ \"x\""):
        echoed = server.infer(model, model.json_request(id=given)).ok().get("id")
        assert echoed == given, f"id {given!r} came back as {echoed!r}"


@rest("C15", "an id is echoed")
def test_ids_that_the_server_makes_differ(server, model):
    made = [server.infer(model, model.json_request()).ok().get("id") for _ in range(2)]
    assert made == [None, None] or made == ["", ""] or made[0] != made[1], \
        f"two requests without an id both got {made[0]!r}"


@rest("C16", "flat and nested data are the same")
def test_nested_data(target, server, model):
    arrays = model.arrays()
    nested = {"inputs": [model.tensor(n, a, data=a.tolist()) for n, a in arrays.items()]}
    check_outputs(server.infer(model, nested).outputs(), target.expected(model, arrays))
    flat = server.infer(model, model.json_request(arrays)).outputs()
    check_outputs(flat, target.expected(model, arrays))


@rest("C17", "FP16 and BF16 as JSON are refused")
@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_half_precision_is_binary_only(target, server, binary, datatype):
    model = target.reference("every_type")
    name = datatype.lower()
    raw, arrays = [], model.arrays()
    body = {"inputs": []}
    for other, array in arrays.items():
        if other == name:
            body["inputs"].append(model.tensor(other, array, data=[1, 2, 3, 4]))
        else:
            raw.append(tensors.to_bytes(model.inputs[other][0], array))
            body["inputs"].append(
                model.tensor(other, array, parameters={"binary_data_size": len(raw[-1])}))
    body, headers = models.with_tensors(body, raw)
    server.infer(model, body, headers=headers).refused(400, "binary")


@rest("C18", "too few and too many binary bytes")
def test_bytes_that_are_missing_or_left_over(server, model, binary):
    body, headers = model.binary_request()
    connection = server.connect()
    for broken in (body[:-1], body + b"x"):
        server.infer(model, broken, headers=headers, connection=connection).refused(400)
    server.infer(model, body, headers=headers, connection=connection).ok()
    connection.close()


@rest("C19", "Inference-Header-Content-Length that cannot be")
@pytest.mark.parametrize("value", ["-1", "ten", "100000000", "1.5"])
def test_a_header_length_that_cannot_be(server, model, binary, value):
    body, _ = model.binary_request()
    server.infer(model, body, headers={"Inference-Header-Content-Length": value}).refused(400)


@rest("C20", "a shape that overflows")
@pytest.mark.parametrize("shape", [[2**62, 2**62], [2**63 - 1, 2], [2**32, 2**32]])
def test_a_shape_that_overflows(server, model, shape):
    body = model.json_request()
    body["inputs"][0]["shape"] = shape
    server.infer(model, body).refused(400)


@rest("C21", "element count and shape differ")
def test_element_count_and_shape(server, model):
    body = model.json_request()
    first = body["inputs"][0]
    wanted = len(first["data"])
    first["data"].append(first["data"][0])
    server.infer(model, body).refused(400, first["name"], wanted, wanted + 1)


@rest("C22", "reserved parameters of a wrong type")
@pytest.mark.parametrize("parameters", [
    {"timeout": "soon"}, {"priority": -1}, {"binary_data_output": "yes"}, {"triton_unknown": 1}])
def test_reserved_parameters(server, model, parameters):
    answer = server.infer(model, model.json_request(parameters=parameters))
    assert answer.status != 200, f"{json.dumps(parameters)} was accepted"
    answer.refused(400, next(iter(parameters)))


@rest("C23", "binary_data of an output beats binary_data_output")
def test_the_flag_of_an_output_wins(target, server, binary):
    model = target.reference("two_inputs")
    arrays = model.arrays()
    body = model.json_request(arrays, parameters={"binary_data_output": True}, outputs=[
        {"name": "sum", "parameters": {"binary_data": False}}, {"name": "product"}])
    answer = server.infer(model, body)
    first, second = answer.ok()["outputs"]
    assert "data" in first, "binary_data: false did not beat binary_data_output: true"
    assert "data" not in second, "binary_data_output: true did nothing"
    check_outputs(answer.outputs(), target.expected(model, arrays))
    body = model.json_request(arrays, outputs=[
        {"name": "sum", "parameters": {"binary_data": True}}])
    answer = server.infer(model, body)
    assert "data" not in answer.ok()["outputs"][0], "binary_data: true did nothing"


@rest("C24", "media type and header of mixed and empty answers")
def test_one_binary_and_one_json_output(target, server, binary):
    model = target.reference("two_inputs")
    arrays = model.arrays()
    body = model.json_request(arrays, outputs=[
        {"name": "sum", "parameters": {"binary_data": True}}, {"name": "product"}])
    answer = server.infer(model, body)
    answer.ok()
    assert answer.is_binary(), "no Inference-Header-Content-Length"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    check_outputs(answer.outputs(), target.expected(model, arrays))


@rest("C24", "media type and header of mixed and empty answers")
def test_all_binary_outputs_are_empty(target, server, binary):
    model = target.reference("two_inputs")
    empty = {n: np.empty((0, 2), np.float32) for n in "ab"}
    body, headers = model.binary_request(empty, parameters={"binary_data_output": True})
    answer = server.infer(model, body, headers=headers)
    answer.ok()
    assert not answer.is_binary(), "Inference-Header-Content-Length without a binary byte"
    assert answer.headers["Content-Type"] == "application/json", answer.headers["Content-Type"]


@rest("C25", "raw requests")
def test_the_body_is_the_only_input(target, server, binary):
    model = target.reference("linear")
    row = np.float32([[1, 2, 3]])
    headers = {"Inference-Header-Content-Length": "0"}
    answer = server.infer(model, row.tobytes(), headers=headers)
    answer.ok()
    assert answer.is_binary(), "the answer to a raw request is not binary"
    check_outputs(answer.outputs(), target.expected(model, {"x": row}))
    two = target.reference("two_inputs")
    server.infer(two, bytes(16), headers=headers).refused(400)


PACK = {"gzip": gzip.compress, "deflate": zlib.compress}
UNPACK = {"gzip": gzip.decompress, "deflate": zlib.decompress}


@rest("C26", "gzip and deflate")
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_requests(target, server, model, encoding):
    arrays = model.arrays()
    expected = target.expected(model, arrays)
    packed = PACK[encoding](json.dumps(model.json_request(arrays)).encode())
    answer = server.infer(model, packed, headers={"Content-Encoding": encoding})
    check_outputs(answer.outputs(), expected)
    if not target.has_binary_tensors():
        return
    body, headers = model.binary_request(arrays)
    headers["Content-Encoding"] = encoding
    check_outputs(server.infer(model, PACK[encoding](body), headers=headers).outputs(), expected)


@rest("C26", "gzip and deflate")
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_answers(server, model, encoding):
    rows = 200 if next(iter(model.inputs.values()))[1][:1] == [-1] else 1
    answer = server.infer(model, model.json_request(rows=rows),
                          headers={"Accept-Encoding": encoding})
    assert answer.status == 200, f"{answer.status} with Accept-Encoding: {encoding}"
    assert answer.headers.get("Content-Encoding") == encoding, \
        f"Accept-Encoding: {encoding} was not followed"
    assert json.loads(UNPACK[encoding](answer.body))["outputs"]


@rest("C26", "gzip and deflate")
def test_a_small_body_that_inflates_past_the_limit(server, model):
    packer = zlib.compressobj(level=1, wbits=31)
    bomb = packer.compress(b"[" + b" " * (256 << 20)) + packer.flush()
    server.infer(model, bomb, headers={"Content-Encoding": "gzip"}).refused((400, 413))
    server.infer(model, model.json_request()).ok()


@rest("C27", "wrong verb, unknown model, unknown version")
def test_a_wrong_verb(server, model):
    server.get(server.model_path(model) + "/infer").refused(405)
    server.post("/v2", {}).refused(405)


@rest("C27", "wrong verb, unknown model, unknown version")
def test_unknown_names(server, model):
    body = model.json_request()
    server.infer("no-such-model", body).refused(404)
    server.get("/v2/models/no-such-model").refused(404)
    server.get("/v2/models/no-such-model/ready").refused(404)
    server.infer(model, body, version=987654).refused(404)
    server.get(server.model_path(model) + "/versions/987654").refused(404)


def done(answer):
    assert answer.status == 200, f"{answer.status} for an empty body: {answer.body[:70]!r}"


@rest("C28", "index, load, unload with an empty body")
def test_empty_bodies(target, server):
    target.needs_extension("model_repository")
    model = target.reference("linear")
    entries = [e for e in server.post("/v2/repository/index").ok() if e["name"] == model.name]
    assert entries and entries[0].get("state") == "READY", f"the index says {entries}"
    path = f"/v2/repository/models/{model.name}"
    done(server.post(path + "/unload"))
    assert server.infer(model, model.json_request()).status != 200, "it infers after unload"
    done(server.post(path + "/load"))
    server.infer(model, model.json_request()).ok()



STATISTICS = {"success", "fail", "queue", "compute_input", "compute_infer", "compute_output",
              "cache_hit", "cache_miss"}


def statistics(server, model):
    """The statistics of the one version that answers."""
    return server.get(server.model_path(model) + "/stats").ok()["model_stats"][-1]


def counts(server, model):
    of = statistics(server, model)
    return np.array([of["inference_stats"]["success"]["count"], of["inference_count"],
                     of["execution_count"]])


@rest("C29", "statistics")
def test_the_fields_of_statistics(target, server, model):
    target.needs_extension("statistics")
    server.infer(model, model.json_request()).ok()
    of = statistics(server, model)
    assert of["name"] == model.name
    assert isinstance(of["last_inference"], int) and of["last_inference"] > 10**12, \
        f"last_inference is {of['last_inference']!r}, not milliseconds since the epoch"
    assert set(of["inference_stats"]) >= STATISTICS, \
        f"inference_stats lacks {STATISTICS - set(of['inference_stats'])}"
    for name in STATISTICS:
        assert set(of["inference_stats"][name]) >= {"count", "ns"}, f"'{name}' lacks count or ns"
    assert of["inference_stats"]["compute_infer"]["ns"] > 0
    assert all({"batch_size", "compute_infer"} <= set(b) for b in of["batch_stats"])
    everything = server.get("/v2/models/stats").ok()["model_stats"]
    assert model.name in [m["name"] for m in everything]


@rest("C29", "statistics")
def test_the_worked_counts_of_the_specification(target, server):
    target.needs_extension("statistics")
    model = target.reference("two_inputs")
    before = counts(server, model)
    for rows in (8, 1):
        server.infer(model, model.json_request(rows=rows)).ok()
    gained = (counts(server, model) - before).tolist()
    assert gained == [2, 9, 2], f"8 rows and 1 row count as {gained}: requests, rows, executions"
    sizes = [b["batch_size"] for b in statistics(server, model)["batch_stats"]]
    assert {1, 8} <= set(sizes), f"batch_stats has the sizes {sizes}"


@rest("C31", "JSON members in any order")
def test_members_in_any_order(target, server, model):
    arrays = model.arrays()
    body = model.json_request(arrays, outputs=[{"name": n} for n in model.outputs], id="x")
    backwards = {k: [dict(reversed(i.items())) for i in v] if k == "inputs" else v
                 for k, v in reversed(body.items())}
    backwards["inputs"] = [
        {k: i[k] for k in ("data", "datatype", "shape", "name")} for i in backwards["inputs"]]
    check_outputs(server.infer(model, backwards).outputs(), target.expected(model, arrays))


@rest("C32", "JSON nested 10,000 deep")
@pytest.mark.parametrize("head", ["", '{"inputs":', '{"parameters":{"x":',
                                  '{"inputs":[{"name":"a","datatype":"FP32","data":'])
def test_deep_json(server, model, head):
    for body in (head + "[" * 10_000, head + "[" * 10_000 + "]" * 10_000):
        server.infer(model, body).refused(400)
    server.infer(model, model.json_request()).ok()


@rest("C33", "BYTES whose length reaches beyond the buffer")
def test_a_length_beyond_the_buffer(target, server, binary):
    model = target.reference("strings")
    for blob in (struct.pack("<I", 1000) + b"short", b"\x01\0", struct.pack("<I", 2**32 - 1)):
        document = {"inputs": [{"name": "city", "shape": [1, 1], "datatype": "BYTES",
                                "parameters": {"binary_data_size": len(blob)}}]}
        body, headers = models.with_tensors(document, [blob])
        server.infer(model, body, headers=headers).refused(400)


@rest("C34", "requested outputs")
def test_an_unknown_output(server, model):
    server.infer(model, model.json_request(outputs=[{"name": "no_such_output"}])).refused(
        400, "no_such_output")


@rest("C34", "requested outputs")
def test_outputs_come_in_the_order_asked(target, server):
    model = target.reference("two_inputs")
    for asked in (["product", "sum"], ["sum", "product"], ["product"]):
        answer = server.infer(model, model.json_request(outputs=[{"name": n} for n in asked]))
        got = [o["name"] for o in answer.ok()["outputs"]]
        assert got == asked, f"asked for {asked}, got {got}"


@rest("C35", "duplicate and missing inputs")
def test_a_duplicate_input(server, model):
    body = model.json_request()
    body["inputs"].append(body["inputs"][0])
    server.infer(model, body).refused(400, body["inputs"][0]["name"])


@rest("C35", "duplicate and missing inputs")
def test_a_missing_input(target, server):
    model = target.reference("two_inputs")
    body = model.json_request()
    del body["inputs"][1]
    server.infer(model, body).refused(400, "b")


@rest("C36", "exactly the extensions that answer are listed")
def test_extensions(target, server, model):
    listed = set(target.extensions())
    body, headers = model.binary_request()
    base = server.model_path(model)
    answers = {
        "binary_tensor_data": server.infer(model, body, headers=headers),
        "model_configuration": server.get(base + "/config"),
        "model_repository": server.post("/v2/repository/index"),
        "statistics": server.get(base + "/stats"),
        "system_shared_memory": server.get("/v2/systemsharedmemory/status"),
        "cuda_shared_memory": server.get("/v2/cudasharedmemory/status"),
        "trace": server.get("/v2/trace/setting"),
        "logging": server.get("/v2/logging"),
    }
    answering = {name for name, answer in answers.items() if answer.status == 200}
    silent, unlisted = listed & set(answers) - answering, answering - listed
    assert not silent, f"listed, but not answering: {', '.join(sorted(silent))}"
    assert not unlisted, f"answering, but not listed: {', '.join(sorted(unlisted))}"


@rest("C37", "metadata and fixed dimensions")
def test_a_fixed_dimension_that_differs(target, server):
    model = target.reference("two_inputs")
    body = {"inputs": [{"name": n, "shape": [2, 3], "datatype": "FP32", "data": [0] * 6}
                       for n in "ab"]}
    error = server.infer(model, body).refused(400)
    compact = error.replace(" ", "")
    assert "[-1,2]" in compact and "[2,3]" in compact, f"not both shapes: {error[:90]}"


@rest("C37", "metadata and fixed dimensions")
def test_a_variable_dimension_is_minus_one(target, server):
    model = target.reference("two_inputs")
    metadata = server.get(server.model_path(model)).ok()
    assert metadata["name"] == model.name and isinstance(metadata["platform"], str)
    for tensor in metadata["inputs"] + metadata["outputs"]:
        assert tensor["shape"] == [-1, 2], f"'{tensor['name']}' has the shape {tensor['shape']}"


@rest("C38", "a batch of n rows is n inferences and one request")
def test_a_batch_of_rows(target, server):
    model = target.reference("two_inputs")
    arrays = model.arrays(rows=200)
    counted = "statistics" in target.extensions()
    before = counts(server, model) if counted else None
    check_outputs(server.infer(model, model.json_request(arrays)).outputs(),
                  target.expected(model, arrays))
    if counted:
        gained = (counts(server, model) - before).tolist()
        assert gained == [1, 200, 1], f"200 rows count as {gained}: requests, rows, executions"
