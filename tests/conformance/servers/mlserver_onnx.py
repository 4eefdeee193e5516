"""The reference models under MLServer: a runtime over ONNX Runtime, and the settings for it.

    python3 -m venv venv && venv/bin/pip install mlserver==1.7.1 onnxruntime==1.32.0 'uvloop<0.22'
    venv/bin/python mlserver_onnx.py FOLDER && PYTHONPATH=. venv/bin/mlserver start FOLDER

MLServer has no runtime for ONNX of its own. This one does what such runtimes usually do: it decodes
each input with MLServer's codec for arrays, and encodes each output with it.
"""
import json
import pathlib
import sys

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceResponse

MODELS = pathlib.Path(__file__).resolve().parents[2] / "data/models"
FILES = ["two_inputs", "strings", "linear", "every_type", "dynamic_axes", "slow"]
PORTS = {"http_port": 8300, "grpc_port": 8301, "metrics_port": 8302}
DATATYPES = {"tensor(bool)": "BOOL", "tensor(float16)": "FP16", "tensor(bfloat16)": "BF16",
             "tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(string)": "BYTES",
             **{f"tensor({sign}int{bits})": f"{sign}int{bits}".upper()
                for sign in ("", "u") for bits in (8, 16, 32, 64)}}


class OnnxModel(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            self.settings.parameters.uri, options, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload):
        feeds = {}
        for tensor in payload.inputs:
            if tensor.datatype == "BYTES":
                texts = StringCodec.decode_input(tensor)
                feeds[tensor.name] = np.array(texts, np.object_).reshape(tensor.shape)
            else:
                feeds[tensor.name] = self.decode(tensor, default_codec=NumpyCodec)
        names = [o.name for o in payload.outputs or []] or None
        arrays = self.session.run(names, feeds)
        names = names or [o.name for o in self.session.get_outputs()]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[
            encode(n, a) for n, a in zip(names, arrays)])


def encode(name, array):
    if array.dtype != np.object_:
        return NumpyCodec.encode_output(name, array)
    output = StringCodec.encode_output(name, array.ravel().tolist())
    output.shape = list(array.shape)
    return output


def metadata(values):
    return [{"name": v.name, "datatype": DATATYPES[v.type],
             "shape": [d if isinstance(d, int) else -1 for d in v.shape]} for v in values]


def write_settings(folder):
    for name, file in [*((f, f) for f in FILES), ("a/b c", "two_inputs")]:
        path = MODELS / f"{file}.onnx"
        try:
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own; the other models are worth a look anyway.
            print(f"{file} is left out: {error}")
            continue
        place = folder / name.replace("/", "_").replace(" ", "_")
        place.mkdir(parents=True, exist_ok=True)
        settings = {
            "name": name, "platform": "onnxruntime_onnx", "implementation":
            "mlserver_onnx.OnnxModel", "parameters": {"uri": str(path), "version": "1"},
            "inputs": metadata(session.get_inputs()), "outputs": metadata(session.get_outputs())}
        (place / "model-settings.json").write_text(json.dumps(settings, indent=1))
    (folder / "settings.json").write_text(json.dumps(
        {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **PORTS}))


if __name__ == "__main__":
    write_settings(pathlib.Path(sys.argv[1]))
