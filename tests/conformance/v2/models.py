"""The models that the points speak of.

The reference models are the ONNX files of tests/data/models with known behaviour. They are found by
their signature, so a server may have them under any name. A model that is none of them is judged
by its metadata: what it answers is then compared with its own answer to the plainest request.
"""
import json

import numpy as np

from v2 import tensors


def _two_inputs(inputs):
    a, b = inputs["a"], inputs["b"]
    return {"sum": a + b, "product": a * b}


def _strings(inputs):
    codes = {b"Bern": 1, b"Wien": 2}
    texts = [e.encode() if isinstance(e, str) else e for e in inputs["city"].ravel()]
    echo = np.array([*texts, None], np.object_)[:-1].reshape(inputs["city"].shape)
    return {"code": np.int64([codes.get(e, -1) for e in texts]).reshape(echo.shape), "echo": echo}


def _linear(inputs):
    return {"variable": inputs["x"] @ np.float32([[1], [10], [100]]) + np.float32(0.5)}


def _every_type(inputs):
    return {name + "_out": array for name, array in inputs.items()}


EVERY_TYPE = [n.upper() for n in (
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "fp16",
    "bf16", "fp32", "fp64", "bytes")]

# File (without .onnx): inputs, names of outputs, what it computes (None: judged by itself).
REFERENCE = {
    "two_inputs": ({"a": ("FP32", [-1, 2]), "b": ("FP32", [-1, 2])}, {"sum", "product"},
                   _two_inputs),
    "strings": ({"city": ("BYTES", [-1, 1])}, {"code", "echo"}, _strings),
    "linear": ({"x": ("FP32", [-1, 3])}, {"variable"}, _linear),
    "every_type": ({t.lower(): (t, [-1, 2]) for t in EVERY_TYPE},
                   {t.lower() + "_out" for t in EVERY_TYPE}, _every_type),
    "dynamic_axes": ({"x": ("FP32", [-1, -1, 2])}, {"turned"},
                     lambda inputs: {"turned": inputs["x"].transpose(0, 2, 1)}),
    "slow": ({"input": ("FP32", [-1, 8])}, {"label", "probabilities"}, None),
}


class Model:
    """One model of the server: its metadata, and requests made for it."""

    def __init__(self, name, metadata):
        self.name, self.metadata = name, metadata
        self.inputs = {i["name"]: (i["datatype"], [int(d) for d in i["shape"]])
                       for i in metadata["inputs"]}
        self.outputs = [o["name"] for o in metadata["outputs"]]
        self.file, self.function = self._recognise()

    def _recognise(self):
        for file, (inputs, outputs, function) in REFERENCE.items():
            if self.inputs == inputs and set(self.outputs) == outputs:
                return file, function
        return None, None

    def is_plain(self):
        """Whether a request of small numbers as JSON is understood by any such model."""
        return self.inputs and all(
            t not in ("FP16", "BF16", "BYTES") for t, _ in self.inputs.values())

    def arrays(self, rows=2, first=1):
        """Small whole numbers: every datatype holds them."""
        result = {}
        for name, (datatype, shape) in self.inputs.items():
            dimensions = [d if d >= 0 else (rows if i == 0 else 1) for i, d in enumerate(shape)]
            count = int(np.prod(dimensions))
            numbers = (np.arange(first, first + count) % 7).reshape(dimensions)
            if datatype == "BYTES":
                texts = np.array([*(f"é{n}" for n in numbers.ravel()), None], np.object_)[:-1]
                result[name] = texts.reshape(dimensions)
            else:
                kind = np.float32 if datatype == "BF16" else tensors.KINDS[datatype]
                result[name] = numbers.astype(kind)
        return result

    def tensor(self, name, array, **members):
        return {"name": name, "shape": list(array.shape), "datatype": self.inputs[name][0],
                **members}

    def json_request(self, arrays=None, rows=2, **members):
        arrays = arrays or self.arrays(rows)
        return {"inputs": [self.tensor(n, a, data=tensors.to_json(self.inputs[n][0], a))
                           for n, a in arrays.items()], **members}

    def binary_request(self, arrays=None, rows=2, **members):
        """Body and headers; every input is binary."""
        arrays = arrays or self.arrays(rows)
        raw = [tensors.to_bytes(self.inputs[n][0], a) for n, a in arrays.items()]
        document = {"inputs": [
            self.tensor(n, a, parameters={"binary_data_size": len(r)})
            for (n, a), r in zip(arrays.items(), raw)], **members}
        return with_tensors(document, raw)


def with_tensors(document, raw):
    """The body of a request with binary tensors, and the header that it needs."""
    head = json.dumps(document).encode()
    return head + b"".join(raw), {"Inference-Header-Content-Length": str(len(head))}
