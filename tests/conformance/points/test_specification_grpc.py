"""C15 to C40 over gRPC: what the specification and its extensions say."""
import struct

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb

from v2.grpc_calls import outputs_of, request
from v2.target import check_outputs
from v2.verdicts import PATIENCE_S
from v2.verdicts import grpc as point

Code = grpc.StatusCode
BAD = Code.INVALID_ARGUMENT


@point("C15", "an id is echoed")
def test_an_id_is_echoed(calls, model):
    assert calls.infer(request(model, id="mine")).id == "mine"
    made = [calls.infer(request(model)).id for _ in range(2)]
    assert made == ["", ""] or made[0] != made[1], f"two requests without an id got {made[0]!r}"


@point("C20", "a shape that overflows")
@pytest.mark.parametrize("shape", [[2**62, 2**62], [2**63 - 1, 2], [-1, 2]])
@pytest.mark.parametrize("typed", [False, True])
def test_a_shape_that_overflows(calls, model, shape, typed):
    bad = request(model, typed=typed)
    bad.inputs[0].shape[:] = shape
    calls.refused("ModelInfer", bad, BAD)


@point("C21", "element count and shape differ")
def test_element_count_and_shape(target, calls):
    model = target.reference("two_inputs")
    bad = request(model, typed=True)
    bad.inputs[1].contents.fp32_contents.append(1)
    calls.refused("ModelInfer", bad, BAD, bad.inputs[1].name, 4, 5)


@point("C22", "reserved parameters of a wrong type")
@pytest.mark.parametrize("parameters", [
    {"timeout": "soon"}, {"priority": "high"}, {"triton_unknown": 1}])
def test_reserved_parameters(calls, model, parameters):
    calls.refused("ModelInfer", request(model, parameters=parameters), BAD, next(iter(parameters)))


@point("C27", "unknown model, version and method")
def test_unknown_names(calls, model):
    bad = request(model)
    bad.model_name = "no-such-model"
    calls.refused("ModelInfer", bad, Code.NOT_FOUND, "no-such-model")
    calls.refused("ModelMetadata", pb.ModelMetadataRequest(name="no-such-model"), Code.NOT_FOUND)
    calls.refused("ModelInfer", request(model, model_version="987654"), Code.NOT_FOUND)
    with pytest.raises(grpc.RpcError) as raised:
        calls.raw_method("/inference.GRPCInferenceService/NoSuchMethod")
    assert raised.value.code() == Code.UNIMPLEMENTED, raised.value.code().name


@point("C28", "index, load, unload without parameters")
def test_without_parameters(target, calls):
    target.needs_extension("model_repository")
    model = target.reference("linear")
    index = calls.call("RepositoryIndex", pb.RepositoryIndexRequest()).models
    states = [m.state for m in index if m.name == model.name]
    assert states == ["READY"], f"the index says {states}"
    calls.call("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name=model.name))
    calls.refused("ModelInfer", request(model), (Code.UNAVAILABLE, Code.NOT_FOUND))
    calls.call("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name=model.name))
    calls.infer(request(model))


def statistics(calls, model):
    return calls.call("ModelStatistics", pb.ModelStatisticsRequest(name=model.name)).model_stats[-1]


def counts(of):
    return np.array([of.inference_stats.success.count, of.inference_count, of.execution_count])


@point("C29", "statistics agree with REST")
def test_statistics_agree_with_rest(target, calls, server):
    target.needs_extension("statistics")
    model = target.reference("two_inputs")
    before = counts(statistics(calls, model))
    for rows in (8, 1):
        calls.infer(request(model, rows=rows))
    here = statistics(calls, model)
    gained = (counts(here) - before).tolist()
    assert gained == [2, 9, 2], f"8 rows and 1 row count as {gained}: requests, rows, executions"
    there = server.get(server.model_path(model) + "/stats").ok()["model_stats"][-1]
    assert (here.name, here.version) == (there["name"], there["version"])
    for name in ("last_inference", "inference_count", "execution_count"):
        assert getattr(here, name) == there[name], f"{name}: {getattr(here, name)}, {there[name]}"
    for name in ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"):
        one, two = getattr(here.inference_stats, name), there["inference_stats"][name]
        assert (one.count, one.ns) == (two["count"], two["ns"]), f"'{name}' differs: {one} {two}"
    sizes = [sorted(b.batch_size for b in here.batch_stats),
             sorted(b["batch_size"] for b in there["batch_stats"])]
    assert sizes[0] == sizes[1], f"batch sizes: {sizes}"


@point("C30", "contents that contradict each other")
def test_raw_and_typed_contents_together(target, calls):
    model = target.reference("two_inputs")
    mixed = request(model, typed=True)
    mixed.raw_input_contents.extend(request(model).raw_input_contents)
    calls.refused("ModelInfer", mixed, BAD)


@point("C30", "contents that contradict each other")
def test_raw_contents_of_a_wrong_length_or_number(target, calls):
    model = target.reference("two_inputs")
    for change in (lambda raw: raw[:-1], lambda raw: raw + b"x"):
        bad = request(model)
        bad.raw_input_contents[0] = change(bad.raw_input_contents[0])
        calls.refused("ModelInfer", bad, BAD)
    for contents in (1, 3):
        bad = request(model)
        raw = bad.raw_input_contents[0]
        del bad.raw_input_contents[:]
        bad.raw_input_contents.extend([raw] * contents)
        calls.refused("ModelInfer", bad, BAD)


@point("C30", "contents that contradict each other")
def test_fp16_has_no_typed_contents(target, calls):
    model = target.reference("every_type")
    arrays = model.arrays()
    bad = pb.ModelInferRequest(model_name=model.name)
    for name, array in arrays.items():
        tensor = bad.inputs.add(name=name, datatype=model.inputs[name][0], shape=array.shape)
        if name == "fp16":
            tensor.contents.fp32_contents.extend(array.ravel().tolist())
    calls.refused("ModelInfer", bad, BAD)


@point("C33", "BYTES whose length reaches beyond the buffer")
@pytest.mark.parametrize("blob", [struct.pack("<I", 1000) + b"short", b"\x01\0",
                                  struct.pack("<I", 2**32 - 1)])
def test_a_length_beyond_the_buffer(target, calls, blob):
    bad = request(target.reference("strings"), rows=1)
    bad.raw_input_contents[0] = blob
    calls.refused("ModelInfer", bad, BAD)


@point("C34", "requested outputs")
def test_requested_outputs(target, calls):
    model = target.reference("two_inputs")
    calls.refused("ModelInfer", request(model, outputs=["no_such_output"]), BAD, "no_such_output")
    for asked in (["product", "sum"], ["sum", "product"], ["product"]):
        answer = calls.infer(request(model, outputs=asked))
        got = [o.name for o in answer.outputs]
        assert got == asked, f"asked for {asked}, got {got}"
        check_outputs(outputs_of(answer), target.expected(model, model.arrays()), asked)


@point("C35", "duplicate and missing inputs")
@pytest.mark.parametrize("typed", [False, True])
def test_duplicate_and_missing_inputs(target, calls, typed):
    model = target.reference("two_inputs")
    duplicate = request(model, typed=typed)
    duplicate.inputs.append(duplicate.inputs[0])
    missing = request(model, typed=typed)
    del missing.inputs[1]
    if not typed:
        duplicate.raw_input_contents.append(duplicate.raw_input_contents[0])
        del missing.raw_input_contents[1]
    calls.refused("ModelInfer", duplicate, BAD, "a")
    calls.refused("ModelInfer", missing, BAD, "b")


@point("C36", "exactly the extensions that answer are listed")
def test_extensions(target, calls, model):
    listed = set(calls.call("ServerMetadata", pb.ServerMetadataRequest()).extensions)
    assert listed == set(target.extensions()), "REST and gRPC list different extensions"
    asked = {
        "model_configuration": ("ModelConfig", pb.ModelConfigRequest(name=model.name)),
        "model_repository": ("RepositoryIndex", pb.RepositoryIndexRequest()),
        "statistics": ("ModelStatistics", pb.ModelStatisticsRequest(name=model.name)),
        "system_shared_memory": ("SystemSharedMemoryStatus", pb.SystemSharedMemoryStatusRequest()),
        "cuda_shared_memory": ("CudaSharedMemoryStatus", pb.CudaSharedMemoryStatusRequest()),
        "trace": ("TraceSetting", pb.TraceSettingRequest()),
        "logging": ("LogSettings", pb.LogSettingsRequest()),
    }
    for name, (method, message) in asked.items():
        try:
            getattr(calls.stub, method)(message, timeout=PATIENCE_S)
            assert name in listed, f"{method} answers, but '{name}' is not listed"
        except grpc.RpcError as error:
            assert name not in listed, f"'{name}' is listed, but {method}: {error.code().name}"
            assert error.code() == Code.UNIMPLEMENTED, f"{method}: {error.code().name}"


@point("C37", "metadata and fixed dimensions")
def test_metadata_and_fixed_dimensions(target, calls, server):
    model = target.reference("two_inputs")
    here = calls.call("ModelMetadata", pb.ModelMetadataRequest(name=model.name))
    there = server.get(server.model_path(model)).ok()
    assert (here.name, here.platform) == (there["name"], there["platform"])
    assert list(here.versions) == there.get("versions", []), f"versions: {list(here.versions)}"
    for side in ("inputs", "outputs"):
        got = [{"name": t.name, "datatype": t.datatype, "shape": list(t.shape)}
               for t in getattr(here, side)]
        wanted = [{k: t[k] for k in ("name", "datatype", "shape")} for t in there[side]]
        assert got == wanted, f"{side}: {got} and over REST {wanted}"
        assert all(t["shape"] == [-1, 2] for t in got), f"{side}: {got}"
    bad = request(model, {n: np.zeros((2, 3), np.float32) for n in "ab"})
    calls.refused("ModelInfer", bad, BAD, "2", "3")


@point("C38", "a batch of n rows is n inferences and one request")
def test_a_batch_of_rows(target, calls):
    model = target.reference("two_inputs")
    arrays = model.arrays(rows=200)
    counted = "statistics" in target.extensions()
    before = counts(statistics(calls, model)) if counted else None
    check_outputs(outputs_of(calls.infer(request(model, arrays))), target.expected(model, arrays))
    if counted:
        gained = (counts(statistics(calls, model)) - before).tolist()
        assert gained == [1, 200, 1], f"200 rows count as {gained}: requests, rows, executions"
