"""What is written by hand most often: FastAPI around ONNX Runtime."""
from fastapi import FastAPI
from pydantic import BaseModel

from model import Model

app = FastAPI()
model = Model()


class Rows(BaseModel):
    rows: list[list[float]]


class Probabilities(BaseModel):
    probabilities: list[list[float]]


@app.post("/predict")
async def predict(request: Rows) -> Probabilities:
    return Probabilities(probabilities=model.probabilities(request.rows).tolist())
