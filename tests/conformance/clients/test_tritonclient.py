"""Triton's Python clients: HTTP, gRPC, both as asyncio, and the stream."""
import asyncio
import base64
import pathlib
import queue
import sys

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from tritonclient.utils import InferenceServerException

from v2 import programs, tensors
from v2.verdicts import PATIENCE_S, client

SYNC, AIO = "tritonclient", "tritonclient.aio"
NUMBERS, TEXTS = "infers numbers", "infers texts"
ABOUT = "metadata, configuration, index, statistics, load"
REFUSAL = "shared memory is refused with words"


@pytest.fixture
def over_http(server):
    with triton_http.InferenceServerClient(server.address) as connection:
        yield connection


@pytest.fixture
def over_grpc(calls):
    with triton_grpc.InferenceServerClient(calls.address) as connection:
        yield connection


def inputs_for(library, model, arrays, **options):
    result = []
    for name, array in arrays.items():
        tensor = library.InferInput(name, list(array.shape), model.inputs[name][0])
        tensor.set_data_from_numpy(array, **options)
        result.append(tensor)
    return result


def check(result, expected):
    for name, array in expected.items():
        got = result.as_numpy(name)
        assert got is not None, f"as_numpy('{name}') gives nothing"
        assert tensors.same(got, array), f"as_numpy('{name}') gives {got.tolist()!r:.50}"


@client(SYNC, "REST", "infers, as JSON and binary, compressed too")
@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_http_infers(over_http, target, model, binary_in, binary_out):
    arrays = model.arrays(rows=20)
    wanted = [triton_http.InferRequestedOutput(n, binary_data=binary_out) for n in model.outputs]
    result = over_http.infer(
        model.name, inputs_for(triton_http, model, arrays, binary_data=binary_in),
        outputs=wanted, request_id="r1", priority=1, timeout=50_000_000)
    check(result, target.expected(model, arrays))
    assert result.get_response()["id"] == "r1"
    # Without outputs the client asks for all of them in binary form.
    check(over_http.infer(model.name, inputs_for(triton_http, model, arrays)),
          target.expected(model, arrays))


@client(SYNC, "REST", "infers, as JSON and binary, compressed too")
def test_http_infers_texts_and_compresses(over_http, target):
    model = target.reference("strings")
    arrays = {"city": np.array([["Bern"], ["Wien"], ["é"]], np.object_)}
    for compression in ("gzip", "deflate"):
        result = over_http.infer(
            model.name, inputs_for(triton_http, model, arrays),
            request_compression_algorithm=compression,
            response_compression_algorithm=compression)
        check(result, target.expected(model, arrays))


def ask_everything(connection, target, model, of):
    """The calls beside infer; `of` reads a member of what this client returns."""
    assert connection.is_server_live() and connection.is_server_ready()
    assert connection.is_model_ready(model.name)
    try:
        assert not connection.is_model_ready("no-such-model")
    except InferenceServerException as error:  # Over gRPC a server may also say NOT_FOUND.
        assert "NOT_FOUND" in str(error), str(error)
    assert of(connection.get_server_metadata(), "name")
    assert of(connection.get_model_metadata(model.name), "name") == model.name
    listed = target.extensions()
    if "model_configuration" in listed:
        config = connection.get_model_config(model.name)
        assert of(config if isinstance(config, dict) else config.config, "name") == model.name
    if "model_repository" in listed:
        index = connection.get_model_repository_index()
        names = [of(m, "name") for m in (index if isinstance(index, list) else index.models)]
        assert model.name in names
        connection.load_model(model.name)
    if "statistics" in listed:
        stats = of(connection.get_inference_statistics(model.name), "model_stats")
        assert of(stats[0], "name") == model.name


@client(SYNC, "REST", ABOUT)
def test_http_asks_everything(over_http, target, model):
    ask_everything(over_http, target, model, lambda document, member: document[member])


@client(SYNC, "gRPC", ABOUT)
def test_grpc_asks_everything(over_grpc, target, model):
    ask_everything(over_grpc, target, model, getattr)


@client(SYNC, "gRPC", "infers")
@pytest.mark.parametrize("file", ["two_inputs", "strings"])
def test_grpc_infers(over_grpc, target, file):
    model = target.reference(file)
    arrays = model.arrays()
    result = over_grpc.infer(model.name, inputs_for(triton_grpc, model, arrays),
                             request_id="r1", timeout=50_000_000, client_timeout=PATIENCE_S)
    check(result, target.expected(model, arrays))
    assert result.get_response().id == "r1"
    answers = queue.SimpleQueue()
    over_grpc.async_infer(model.name, inputs_for(triton_grpc, model, arrays),
                          lambda result, error: answers.put((result, error)))
    result, error = next_answer(answers)
    assert error is None, str(error)
    check(result, target.expected(model, arrays))


def next_answer(answers):
    try:
        return answers.get(timeout=PATIENCE_S)
    except queue.Empty:
        raise AssertionError(f"no answer within {PATIENCE_S:.0f} s")


@client(SYNC, "gRPC", "stream: in order, errors inside")
def test_grpc_stream(calls, target):
    program = pathlib.Path(__file__).with_name("triton_stream_steps.py")
    steps = programs.run(
        [sys.executable, program, calls.address, target.reference("two_inputs").name])
    assert "close" in steps, f"only {steps}"


@client(AIO, "REST", "infers; twenty at once")
def test_http_aio(server, target, model):
    async def all_at_once():
        async with triton_http_aio.InferenceServerClient(server.address) as connection:
            assert await connection.is_server_ready()
            return await asyncio.gather(*(
                connection.infer(model.name, inputs_for(
                    triton_http_aio, model, model.arrays(first=i))) for i in range(20)))

    for i, result in enumerate(asyncio.run(all_at_once())):
        check(result, target.expected(model, model.arrays(first=i)))


@client(AIO, "gRPC", "infers; twenty at once; stream")
def test_grpc_aio(calls, target, model):
    async def all_at_once():
        async with triton_grpc_aio.InferenceServerClient(calls.address) as connection:
            assert await connection.is_server_ready()
            return await asyncio.gather(*(
                connection.infer(model.name, inputs_for(
                    triton_grpc_aio, model, model.arrays(first=i))) for i in range(20)))

    for i, result in enumerate(asyncio.run(all_at_once())):
        check(result, target.expected(model, model.arrays(first=i)))


@client(AIO, "gRPC", "infers; twenty at once; stream")
def test_grpc_aio_stream(calls, target, model):
    async def requests():
        for i in range(5):
            yield {"model_name": model.name, "request_id": str(i),
                   "inputs": inputs_for(triton_grpc_aio, model, model.arrays(first=i))}

    async def stream():
        async with triton_grpc_aio.InferenceServerClient(calls.address) as connection:
            return [a async for a in connection.stream_infer(
                requests(), stream_timeout=PATIENCE_S)]

    answers = asyncio.run(stream())
    assert len(answers) == 5
    for i, (result, error) in enumerate(answers):
        assert error is None, str(error)
        check(result, target.expected(model, model.arrays(first=i)))


def is_refused(target, extension, action):
    """Whoever has no shared memory says so: an error with words, not a crash or a success."""
    if extension in target.extensions():
        return
    with pytest.raises(InferenceServerException) as raised:
        action()
    message = raised.value.message() or ""
    assert "shared memory" in message.lower().replace("_", " ").replace("sharedmemory",
                                                                         "shared memory"), message


@client(SYNC, "REST", REFUSAL)
def test_http_shared_memory(over_http, target, model):
    is_refused(target, "system_shared_memory", lambda: over_http.register_system_shared_memory(
        "region", "/region", 64))
    is_refused(target, "cuda_shared_memory", lambda: over_http.register_cuda_shared_memory(
        "region", b"handle", 0, 64))
    over = inputs_for(triton_http, model, model.arrays())
    over[0].set_shared_memory("region", 64)
    is_refused(target, "system_shared_memory", lambda: over_http.infer(model.name, over))


@client(SYNC, "gRPC", REFUSAL)
def test_grpc_shared_memory(over_grpc, target, model):
    is_refused(target, "system_shared_memory", lambda: over_grpc.register_system_shared_memory(
        "region", "/region", 64))
    is_refused(target, "cuda_shared_memory", lambda: over_grpc.register_cuda_shared_memory(
        "region", base64.b64encode(b"handle"), 0, 64))
    over = inputs_for(triton_grpc, model, model.arrays())
    over[0].set_shared_memory("region", 64)
    is_refused(target, "system_shared_memory", lambda: over_grpc.infer(model.name, over))
