"""C1 to C14 over gRPC: what the clients that people have rely on."""
import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb

from v2 import grpc_calls, tensors
from v2.grpc_calls import outputs_of, request
from v2.target import FRESH, check_outputs
from v2.verdicts import PATIENCE_S, NotApplicable
from v2.verdicts import grpc as point

Code = grpc.StatusCode


@point("C1", "answers carry raw contents")
@pytest.mark.parametrize("file", ["two_inputs", "strings"])
def test_outputs_are_raw(target, calls, file):
    model = target.reference(file)
    arrays = model.arrays()
    answer = calls.infer(request(model, arrays))
    for output in answer.outputs:
        assert not output.HasField("contents"), f"output '{output.name}' has typed contents"
    check_outputs(outputs_of(answer), target.expected(model, arrays))


@point("C1", "answers carry raw contents")
@pytest.mark.parametrize("file", ["two_inputs", "strings"])
def test_typed_contents_are_understood(target, calls, file):
    model = target.reference(file)
    arrays = model.arrays()
    check_outputs(outputs_of(calls.infer(request(model, arrays, typed=True))),
                  target.expected(model, arrays))


@point("C7", "live, ready, and grpc.health.v1")
def test_health(calls, model):
    assert calls.call("ServerLive", pb.ServerLiveRequest()).live, "not live"
    assert calls.call("ServerReady", pb.ServerReadyRequest()).ready, "not ready"
    ready = calls.call("ModelReady", pb.ModelReadyRequest(name=model.name)).ready
    assert ready, f"model '{model.name}' is not ready"


@point("C7", "live, ready, and grpc.health.v1")
def test_the_standard_health_service(calls):
    try:
        answer = calls.raw_method("/grpc.health.v1.Health/Check")
    except grpc.RpcError as error:
        raise AssertionError(f"grpc.health.v1.Health/Check: {error.code().name}")
    assert answer == b"\x08\x01", f"the status is {answer!r}, not SERVING"


@point("C8", "what KServe's parser needs")
def test_model_name(calls, model):
    answer = calls.infer(request(model))
    assert answer.model_name == model.name, f"model_name is '{answer.model_name}'"
    for output in answer.outputs:
        assert output.name and output.datatype and output.shape, f"a field is missing: {output}"


@point("C9", "types of the reserved parameters")
@pytest.mark.parametrize("parameters", [
    {"timeout": 50_000_000}, {"priority": pb.InferParameter(uint64_param=1)}, {"sequence_id": 7},
    {"sequence_id": "seven"}])
def test_parameters_are_accepted(calls, model, parameters):
    calls.infer(request(model, parameters=parameters))


@point("C10", "names; what load and unload send")
def test_a_slash_and_a_space_in_a_name(target, calls):
    named = [m for m in target.models() if "/" in m.name and " " in m.name and m.is_plain()]
    if not named:
        raise NotApplicable("no model with a slash and a space in its name, such as 'a/b c'")
    assert calls.infer(request(named[0])).model_name == named[0].name


@point("C10", "names; what load and unload send")
def test_what_clients_send_to_load_and_unload(target, calls, model_files):
    target.needs_extension("model_repository")
    name = FRESH + "_grpc"
    load = pb.RepositoryModelLoadRequest(model_name=name)
    load.parameters["config"].string_param = '{"backend":"onnxruntime"}'
    load.parameters["file:1/model.onnx"].bytes_param = (model_files / "linear.onnx").read_bytes()
    calls.call("RepositoryModelLoad", load)
    model = target.ask(name)
    assert model, "the loaded model has no metadata"
    arrays = model.arrays()
    check_outputs(outputs_of(calls.infer(request(model, arrays))), target.expected(model, arrays))
    unload = pb.RepositoryModelUnloadRequest(model_name=name)
    unload.parameters["unload_dependents"].bool_param = False
    calls.call("RepositoryModelUnload", unload)
    calls.refused("ModelInfer", request(model), (Code.UNAVAILABLE, Code.NOT_FOUND))


@point("C11", "a tensor of 16 MiB there and back")
@pytest.mark.parametrize("limit", [grpc_calls.INT32_MAX, -1])
def test_sixteen_mebibytes(target, calls, limit):
    model = target.reference("dynamic_axes")
    array = np.arange(2**22, dtype=np.float32).reshape(1, -1, 2)
    other = grpc_calls.Calls(calls.address, limit)
    try:
        answer = other.infer(request(model, {"x": array}))
    finally:
        other.close()
    assert tensors.same(outputs_of(answer)["turned"], array.transpose(0, 2, 1)), "wrong numbers"


@point("C12", "BYTES and BF16")
@pytest.mark.parametrize("typed", [False, True])
def test_bytes_elements_of_any_content(target, calls, typed):
    model = target.reference("strings")
    cities = np.array([[b""], [b"a\0b"], [b"\xff"], [b"Bern"]], np.object_)
    check_outputs(outputs_of(calls.infer(request(model, {"city": cities}, typed=typed))),
                  {"echo": cities, "code": np.int64([[-1], [-1], [-1], [1]])})


@point("C12", "BYTES and BF16")
def test_every_datatype(target, calls):
    model = target.reference("every_type")
    arrays = model.arrays()
    check_outputs(outputs_of(calls.infer(request(model, arrays))), target.expected(model, arrays))


def stream(calls, requests, metadata=()):
    """The answers of a stream, and the status it ended with."""
    answers = calls.stub.ModelStreamInfer(iter(requests), timeout=PATIENCE_S, metadata=metadata)
    try:
        return list(answers), Code.OK
    except grpc.RpcError as error:
        return [], error.code()


@point("C13", "errors in a stream")
def test_an_error_leaves_the_stream_open(target, calls, model):
    bad = request(model, id="b")
    bad.model_name = "no-such-model"
    answers, status = stream(calls, [request(model, id="a"), bad, request(model, id="c")])
    assert status == Code.OK, f"the stream ended with {status.name}"
    assert len(answers) == 3, f"{len(answers)} answers to 3 requests"
    assert answers[1].error_message, "the bad request got no error_message"
    ids = [answers[0].infer_response.id, answers[2].infer_response.id]
    assert ids == ["a", "c"], f"ids out of order: {ids}"
    check_outputs(outputs_of(answers[2].infer_response), target.expected(model, model.arrays()))


@point("C13", "errors in a stream")
def test_real_status_codes_on_request(calls, model):
    bad = request(model)
    bad.model_name = "no-such-model"
    _, status = stream(calls, [bad], metadata=(("triton_grpc_error", "true"),))
    assert status == Code.NOT_FOUND, f"with triton_grpc_error: true the stream ended {status.name}"


@point("C14", "empty outputs")
def test_an_output_without_elements(target, calls):
    model = target.reference("two_inputs")
    empty = {n: np.empty((0, 2), np.float32) for n in "ab"}
    answer = calls.infer(request(model, empty))
    check_outputs(outputs_of(answer), {"sum": empty["a"], "product": empty["a"]})
