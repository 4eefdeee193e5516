"""ray_server.py PORT: one proxy and one replica of Ray Serve, on a cluster of this machine alone."""
import signal
import sys
import threading

import ray
from ray import serve

from model import Model

QUIET = {"log_level": "ERROR", "enable_access_log": False}


@serve.deployment(num_replicas=1, max_ongoing_requests=100, ray_actor_options={"num_cpus": 1})
class Electricity:
    def __init__(self):
        self.model = Model()

    async def __call__(self, request):
        rows = (await request.json())["rows"]
        return {"probabilities": self.model.probabilities(rows).tolist()}


if __name__ == "__main__":
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False,
             object_store_memory=200_000_000)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])}, logging_config=QUIET)
    serve.run(Electricity.bind(), name="electricity", route_prefix="/predict", logging_config=QUIET)
    stopped.wait()
    serve.shutdown()
    ray.shutdown()
