"""kserve_server.py HTTP_PORT GRPC_PORT: a model of KServe's Python server."""
import sys
import uuid

import kserve

from model import Model


class Electricity(kserve.Model):
    def __init__(self):
        super().__init__("electricity")
        self.model = Model()
        self.ready = True

    async def predict(self, request, headers=None, response_headers=None):
        probabilities = self.model.probabilities(request.inputs[0].as_numpy())
        output = kserve.InferOutput("probabilities", list(probabilities.shape), "FP32")
        output.set_data_from_numpy(probabilities, binary_data=False)
        # An answer without an id does not pass its own checks.
        return kserve.InferResponse(request.id or str(uuid.uuid4()), self.name, [output])


if __name__ == "__main__":
    kserve.ModelServer(http_port=int(sys.argv[1]), grpc_port=int(sys.argv[2]), workers=1,
                       enable_latency_logging=False).start([Electricity()])
