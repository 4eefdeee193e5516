"""KServe's Python client, REST and gRPC."""
import json
import pathlib
import sys

import pytest

from v2 import programs, tensors
from v2.verdicts import client

STEPS = pathlib.Path(__file__).with_name("kserve_steps.py")
TITLE = "live, ready, model ready, infers, error"


def as_lists(model, arrays, datatype_of):
    return {n: [datatype_of(n), list(a.shape), tensors.to_json(datatype_of(n), a)]
            for n, a in arrays.items()}


def run(target, transport, address, file):
    model = target.reference(file)
    arrays = model.arrays()
    outputs = {o["name"]: o["datatype"] for o in model.metadata["outputs"]}
    inputs = as_lists(model, arrays, lambda n: model.inputs[n][0])
    expected = as_lists(model, target.expected(model, arrays), outputs.get)
    steps = programs.run([sys.executable, STEPS, transport, address, model.name,
                          json.dumps(inputs)], text=json.dumps(expected))
    assert "close" in steps, f"only {steps}"


@client("kserve", "REST", TITLE)
@pytest.mark.parametrize("file", ["two_inputs", "strings"])
def test_rest(target, server, file):
    run(target, "REST", server.url, file)


@client("kserve", "gRPC", TITLE)
@pytest.mark.parametrize("file", ["two_inputs", "strings"])
def test_grpc(target, calls, file):
    run(target, "gRPC", calls.address, file)
