"""gRPC for tests: a channel, a good request, and what a refusal is."""
import contextlib

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

import weir

UNLIMITED = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
Code = grpc.StatusCode


@contextlib.contextmanager
def connect(server, credentials=None):
    """A channel with a connection of its own."""
    options = [*UNLIMITED, ("grpc.use_local_subchannel_pool", 1)]
    channel = grpc.insecure_channel(server.grpc, options=options) if credentials is None else \
        grpc.secure_channel(server.grpc, credentials, options=options)
    with channel:
        yield channel


def stub_of(channel):
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


def request(model="electricity_v1", rows=1, **members):
    """A good request with raw contents; what members name is set on it."""
    message = service_pb2.ModelInferRequest(model_name=model, **members)
    tensor = message.inputs.add(name="input", datatype="FP32", shape=[rows, 8])
    values = np.tile(np.array(weir.electricity_rows()[0][0], np.float32), (rows, 1))
    message.raw_input_contents.append(values.tobytes())
    assert tensor.name == "input"
    return message


def refused(code, call, *mentions):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == code, caught.value.details()
    for mention in mentions:
        assert mention in caught.value.details()
    return caught.value


def probabilities(response):
    at = [output.name for output in response.outputs].index("probabilities")
    return np.frombuffer(response.raw_output_contents[at], np.float32).reshape(-1, 2)
