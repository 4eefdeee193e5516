"""litserve_server.py PORT: one API process and one worker."""
import sys

import litserve

from model import Model


class Electricity(litserve.LitAPI):
    def setup(self, device):
        self.model = Model()

    def decode_request(self, request):
        return request["rows"]

    def predict(self, rows):
        return self.model.probabilities(rows)

    def encode_response(self, output):
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Electricity(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, log_level="error",
               access_log=False, generate_client_file=False)
