"""MLServer has no runtime for ONNX: this is one of its own kind of custom runtimes."""
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

from model import Model


class OnnxModel(MLModel):
    async def load(self):
        self.model = Model()
        return True

    async def predict(self, request):
        rows = self.decode(request.inputs[0], default_codec=NumpyCodec)
        output = NumpyCodec.encode_output("probabilities", self.model.probabilities(rows))
        return InferenceResponse(
            model_name=self.name, model_version=self.version, outputs=[output])
