"""A BentoML service with one worker. Its way with the least work: an async method, arrays in and out."""
import bentoml
import numpy

from model import Model


@bentoml.service(workers=1)
class Electricity:
    def __init__(self):
        self.model = Model()

    @bentoml.api
    async def predict(self, rows: numpy.ndarray) -> numpy.ndarray:
        return self.model.probabilities(rows)
