"""C2 to C14 over REST: what the clients that people have rely on."""
import base64
import json

import numpy as np
import pytest

from v2 import models, tensors
from v2.target import FRESH, check_outputs
from v2.verdicts import NotApplicable, rest


@rest("C2", "success is 200, failure has 'error'")
def test_every_success_is_exactly_200(target, server, model):
    base = server.model_path(model)
    paths = ["/v2", "/v2/health/live", "/v2/health/ready", base, base + "/ready"]
    if "model_configuration" in target.extensions():
        paths.append(base + "/config")
    if "statistics" in target.extensions():
        paths += [base + "/stats", "/v2/models/stats"]
    for path in paths:
        assert (status := server.get(path).status) == 200, f"GET {path}: {status}"
    if "model_repository" in target.extensions():
        server.post("/v2/repository/index").ok()
    server.infer(model, model.json_request()).ok()


@rest("C2", "success is 200, failure has 'error'")
def test_every_failure_is_json_with_error(server, model):
    server.get("/v2/models/no-such-model").refused((400, 404))
    server.infer(model, "{").refused(400)
    server.get("/v2/no-such-path").refused((400, 404))


@rest("C3", "the header decides, not the media type")
def test_binary_tensors_without_a_media_type(target, server, model, binary):
    arrays = model.arrays()
    body, headers = model.binary_request(arrays, parameters={"binary_data_output": True})
    answer = server.infer(model, body, headers=headers)
    document = answer.ok()
    assert answer.is_binary(), "the answer is not binary"
    assert answer.headers["Content-Type"] == "application/octet-stream", \
        f"Content-Type is {answer.headers['Content-Type']}"
    assert all("data" not in o for o in document["outputs"]), "an output came as JSON"
    check_outputs(answer.outputs(), target.expected(model, arrays))


@rest("C4", "no parameters on a JSON output")
def test_json_outputs_have_no_parameters(server, model):
    for output in server.infer(model, model.json_request()).ok()["outputs"]:
        assert "parameters" not in output, \
            f"output '{output['name']}' has parameters {output['parameters']}"


@rest("C5", "Content-Length, no chunks, header names in any case")
def test_the_length_is_said(server, model):
    answer = server.infer(model, model.json_request())
    answer.ok()
    assert "Transfer-Encoding" not in answer.headers, "the answer is chunked"
    assert int(answer.headers["Content-Length"]) == len(answer.body)


@rest("C5", "Content-Length, no chunks, header names in any case")
def test_header_names_in_any_case(server, model, binary):
    body, headers = model.binary_request()
    for change in (str.upper, str.lower):
        answer = server.infer(model, body, headers={change(n): v for n, v in headers.items()})
        answer.ok()
        assert "Transfer-Encoding" not in answer.headers, "the answer is chunked"


@rest("C5", "Content-Length, no chunks, header names in any case")
def test_expect_100_continue_is_answered(server, model):
    body = json.dumps(model.json_request()).encode()
    path = server.prefix + server.model_path(model) + "/infer"
    with server.socket() as connection, connection.makefile("rb") as reader:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {server.address}\r\nExpect: 100-continue\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        line = reader.readline()
        assert line.startswith(b"HTTP/1.1 100"), f"'Expect: 100-continue' got {line!r}"
        while reader.readline().strip():
            pass
        connection.sendall(body)
        line = reader.readline()
        assert line.startswith(b"HTTP/1.1 200"), f"after the body came {line!r}"


@rest("C6", "GET /v2 and /v2/ give the server's metadata")
def test_metadata_with_and_without_a_slash(server):
    plain, slash = server.get("/v2").ok(), server.get("/v2/").ok()
    assert plain == slash, "the two answers differ"
    for member, kind in (("name", str), ("version", str), ("extensions", list)):
        assert isinstance(plain.get(member), kind), f"'{member}' is {plain.get(member)!r}"


@rest("C7", "health bodies satisfy every client")
def test_health_bodies(server, model):
    for path in ("/v2/health/live", "/v2/health/ready"):
        answer = server.get(path)
        assert answer.status == 200, f"{path}: {answer.status}"
        document = answer.document()
        for member in ("live", "ready"):
            assert document.get(member) is True, f"{path} says '{member}': {document.get(member)}"
    server.get(server.model_path(model) + "/ready").ok()


@rest("C8", "what KServe's parser needs")
def test_model_name_and_data(target, server, model):
    answers = [server.infer(model, model.json_request()).ok()]
    if target.has_binary_tensors():
        body, headers = model.binary_request(parameters={"binary_data_output": True})
        answers.append(server.infer(model, body, headers=headers).ok())
    for answer in answers:
        assert answer.get("model_name") == model.name, f"model_name is {answer.get('model_name')}"
        for output in answer["outputs"]:
            assert "data" in output or "binary_data_size" in output.get("parameters", {}), \
                f"output '{output['name']}' has neither data nor binary_data_size"


@rest("C9", "types of the reserved parameters")
@pytest.mark.parametrize("parameters", [
    {"timeout": 50_000_000}, {"priority": 1}, {"sequence_id": 7}, {"sequence_id": "seven"},
    {"sequence_id": 7, "sequence_start": True, "sequence_end": True}])
def test_parameters_are_accepted(server, model, parameters):
    server.infer(model, model.json_request(parameters=parameters)).ok()


@rest("C10", "names in paths; what load and unload send")
def test_percent_encoding_in_names(server, model):
    encoded = "".join(f"%{byte:02X}" for byte in model.name.encode())
    answer = server.post(f"/v2/models/{encoded}/infer", model.json_request())
    assert answer.ok()["model_name"] == model.name


@rest("C10", "names in paths; what load and unload send")
def test_a_slash_and_a_space_in_a_name(target, server):
    named = [m for m in target.models() if "/" in m.name and " " in m.name and m.is_plain()]
    if not named:
        raise NotApplicable("no model with a slash and a space in its name, such as 'a/b c'")
    for path in (named[0].name.replace(" ", "%20"),
                 named[0].name.replace(" ", "%20").replace("/", "%2F")):
        answer = server.post(f"/v2/models/{path}/infer", named[0].json_request())
        assert answer.ok()["model_name"] == named[0].name


@rest("C10", "names in paths; what load and unload send")
def test_what_clients_send_to_load_and_unload(target, server, model_files):
    target.needs_extension("model_repository")
    content = base64.b64encode((model_files / "linear.onnx").read_bytes()).decode()
    path = f"/v2/repository/models/{FRESH}"
    loaded = server.post(path + "/load", {"parameters": {
        "config": '{"backend":"onnxruntime"}', "file:1/model.onnx": content}})
    assert loaded.status == 200, f"load with config and file: {loaded.status} {loaded.body[:70]!r}"
    model = target.ask(FRESH)
    assert model, "the loaded model has no metadata"
    arrays = model.arrays()
    check_outputs(server.infer(model, model.json_request(arrays)).outputs(),
                  target.expected(model, arrays))
    unloaded = server.post(path + "/unload", {"parameters": {"unload_dependents": False}})
    assert unloaded.status == 200, f"unload: {unloaded.status} {unloaded.body[:70]!r}"
    assert server.infer(model, model.json_request()).status != 200, "it infers after unload"
    assert server.get(server.model_path(model) + "/ready").status != 200, "ready after unload"


@rest("C12", "BYTES and BF16")
def test_bytes_elements_of_any_content(target, server, binary):
    model = target.reference("strings")
    cities = np.array([[b""], [b"a\0b"], [b"\xff"], [b"Bern"]], np.object_)
    body, headers = model.binary_request({"city": cities}, outputs=[
        {"name": "echo", "parameters": {"binary_data": True}},
        {"name": "code", "parameters": {"binary_data": True}}])
    check_outputs(server.infer(model, body, headers=headers).outputs(),
                  {"echo": cities, "code": np.int64([[-1], [-1], [-1], [1]])})


@rest("C12", "BYTES and BF16")
def test_bytes_that_are_not_utf8_cannot_be_json(target, server, binary):
    model = target.reference("strings")
    body, headers = model.binary_request({"city": np.array([[b"\xff"]], np.object_)})
    server.infer(model, body, headers=headers).refused(400, "echo", "binary")


@rest("C12", "BYTES and BF16")
def test_every_datatype_in_both_forms(target, server, binary):
    model = target.reference("every_type")
    arrays = model.arrays()
    raw = {n: tensors.to_bytes(model.inputs[n][0], a) for n, a in arrays.items()}
    halves = ("fp16", "bf16")
    document = {
        "inputs": [model.tensor(n, a, parameters={"binary_data_size": len(raw[n])})
                   for n, a in arrays.items()],
        "outputs": [{"name": n + "_out", "parameters": {"binary_data": n in halves}}
                    for n in arrays]}
    body, headers = models.with_tensors(document, raw.values())
    check_outputs(server.infer(model, body, headers=headers).outputs(),
                  target.expected(model, arrays))
    document["inputs"] = [
        i if i["name"] in halves else model.tensor(i["name"], arrays[i["name"]],
                                                   data=tensors.to_json(i["datatype"],
                                                                        arrays[i["name"]]))
        for i in document["inputs"]]
    body, headers = models.with_tensors(document, [raw[n] for n in halves])
    check_outputs(server.infer(model, body, headers=headers).outputs(),
                  target.expected(model, arrays))


@rest("C14", "empty binary outputs")
def test_an_output_without_elements(target, server, binary):
    model = target.reference("two_inputs")
    empty = {n: np.empty((0, 2), np.float32) for n in "ab"}
    body, headers = model.binary_request(empty, parameters={"binary_data_output": True})
    answer = server.infer(model, body, headers=headers)
    for output in answer.ok()["outputs"]:
        assert output.get("parameters", {}).get("binary_data_size") == 0, \
            f"output '{output['name']}' has parameters {output.get('parameters')}"
    check_outputs(answer.outputs(), {"sum": empty["a"], "product": empty["a"]})
