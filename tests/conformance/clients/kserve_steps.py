"""KServe's Python client, as a program: kserve_steps.py REST|gRPC ADDRESS MODEL INPUTS

INPUTS is JSON: {name: [datatype, shape, flat data]}; EXPECTED likewise comes on standard input.
A process of its own, because its protocol buffers have the names of tritonclient's.
"""
import asyncio
import json
import logging
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

logging.disable(logging.CRITICAL)
KINDS = {"FP32": np.float32, "INT64": np.int64, "BYTES": np.object_}


def request(model, inputs, binary):
    tensors = []
    for name, (datatype, shape, data) in inputs.items():
        tensor = InferInput(name, shape, datatype)
        array = np.array(data, KINDS[datatype]).reshape(shape)
        tensor.set_data_from_numpy(array, binary_data=binary)
        tensors.append(tensor)
    return InferRequest(model, tensors, request_id="r1")


def check(answer, expected, model):
    assert answer.model_name == model, f"model_name is {answer.model_name}"
    assert answer.id == "r1", f"id is {answer.id}"
    outputs = {o.name: o for o in answer.outputs}
    for name, (datatype, shape, data) in expected.items():
        got = outputs[name].as_numpy()
        wanted = np.array(data, KINDS[datatype]).reshape(shape)
        if datatype == "BYTES":
            got = np.array([e.decode() if isinstance(e, bytes) else e for e in got.ravel()],
                           np.object_).reshape(got.shape)
        assert got.shape == wanted.shape and (got == wanted).all(), f"'{name}': {got.tolist()}"


def steps(transport, address, model, inputs, expected):
    if transport == "REST":
        client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
        where = (address,)
    else:
        client = InferenceGRPCClient(url=address, timeout=60)
        where = ()

    async def truth(call, wanted=True):
        got = await call
        assert got is wanted, f"answers {got}"

    async def infers(binary, outputs=None):
        body = request(model, inputs, binary)
        if outputs:
            body.request_outputs = outputs
        if transport == "REST":
            answer = await client.infer(address, body, model_name=model)
        else:
            answer = await client.infer(body)
        check(answer, expected, model)

    async def unknown_model():
        body = request("no-such-model", inputs, False)
        try:
            if transport == "REST":
                await client.infer(address, body, model_name="no-such-model")
            else:
                await client.infer(body)
        except Exception as error:  # httpx's or grpc's own, by transport.
            assert "no-such-model" in str(error), f"the error is {error}"
            return
        raise AssertionError("an unknown model was answered")

    yield "is_server_live", truth(client.is_server_live(*where))
    yield "is_server_ready", truth(client.is_server_ready(*where))
    yield "is_model_ready", truth(client.is_model_ready(*where, model))
    yield "infer", infers(False)
    yield "infer with binary tensors", infers(True)
    if transport == "REST":
        yield "infer with binary outputs", infers(True, [
            RequestedOutput(n, {"binary_data": True}) for n in expected])
    yield "unknown model", unknown_model()
    yield "close", client.close()


async def main(transport, address, model, inputs):
    expected = json.load(sys.stdin)
    failed = False
    for name, step in steps(transport, address, model, json.loads(inputs), expected):
        try:
            await step
            print(json.dumps({"step": name, "ok": True, "detail": ""}))
        except Exception as error:  # Whatever the client raises is what the step says.
            failed = True
            said = error.details() if hasattr(error, "details") else error  # gRPC's is long.
            print(json.dumps({"step": name, "ok": False,
                              "detail": f"{type(error).__name__}: {said}"}))
    return failed


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
