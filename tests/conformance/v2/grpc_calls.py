"""The server under test over gRPC: the messages as they are, without a client's help."""
import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from v2 import tensors
from v2.verdicts import PATIENCE_S

INT32_MAX = 2**31 - 1


class Calls:
    def __init__(self, address, message_size=-1):
        self.address = address
        self.channel = grpc.insecure_channel(address, options=[
            ("grpc.max_send_message_length", message_size),
            ("grpc.max_receive_message_length", message_size)])
        self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)

    def close(self):
        self.channel.close()

    def call(self, method, request, **options):
        """A call that has to succeed."""
        try:
            return getattr(self.stub, method)(request, timeout=PATIENCE_S, **options)
        except grpc.RpcError as error:
            raise AssertionError(
                f"{method}: {error.code().name} for a good request: {error.details()[:90]}")

    def infer(self, request):
        return self.call("ModelInfer", request)

    def refused(self, method, request, codes, *mentions):
        """A call that has to end with one of these codes and a text that mentions all of these."""
        codes = codes if isinstance(codes, tuple) else (codes,)
        try:
            answer = getattr(self.stub, method)(request, timeout=PATIENCE_S)
        except grpc.RpcError as error:
            text = error.details() or ""
            wanted = " or ".join(c.name for c in codes)
            assert error.code() in codes, f"{error.code().name}, not {wanted}: {text[:80]}"
            assert text, f"{error.code().name} without a message"
            for mention in mentions:
                assert str(mention) in text, f"the message does not say '{mention}': {text[:80]}"
            return
        raise AssertionError(f"{method} was accepted: {str(answer)!r:.60}")

    def raw_method(self, path, request=b""):
        """Bytes in, bytes out: for services whose messages are not at hand."""
        return self.channel.unary_unary(path)(request, timeout=PATIENCE_S)


def parameter(value):
    if isinstance(value, bool):
        return pb.InferParameter(bool_param=value)
    if isinstance(value, int):
        return pb.InferParameter(int64_param=value)
    if isinstance(value, float):
        return pb.InferParameter(double_param=value)
    return pb.InferParameter(string_param=value)


def request(model, arrays=None, rows=2, typed=False, outputs=(), **members):
    """A ModelInferRequest with raw contents, or with typed ones."""
    arrays = arrays or model.arrays(rows)
    parameters = {k: v if isinstance(v, pb.InferParameter) else parameter(v)
                  for k, v in members.pop("parameters", {}).items()}
    result = pb.ModelInferRequest(model_name=model.name, parameters=parameters, **members)
    for name in outputs:
        result.outputs.add(name=name)
    for name, array in arrays.items():
        datatype = model.inputs[name][0]
        tensor = result.inputs.add(name=name, datatype=datatype, shape=array.shape)
        if typed:
            getattr(tensor.contents, tensors.TYPED_FIELDS[datatype]).extend(elements(array))
        else:
            result.raw_input_contents.append(tensors.to_bytes(datatype, array))
    return result


def elements(array):
    if array.dtype == np.object_:
        return [e.encode() if isinstance(e, str) else e for e in array.ravel()]
    return array.ravel().tolist()


def outputs_of(answer):
    """All outputs of an answer with raw contents, by name."""
    raw, outputs = answer.raw_output_contents, answer.outputs
    assert len(raw) == len(outputs), f"{len(raw)} raw contents for {len(outputs)} outputs"
    return {o.name: tensors.from_bytes(o.datatype, list(o.shape), r)
            for o, r in zip(outputs, raw)}
