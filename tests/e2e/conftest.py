import pytest

import weir

ELECTRICITY = weir.MODELS / "electricity_v1.onnx"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """A server with one model of every kind, for tests that change nothing."""
    names = ["electricity_v1", "two_inputs", "every_type", "strings", "fixed_shape", "dynamic_axes"]
    models = {name: weir.MODELS / f"{name}.onnx" for name in names}
    models["a/b c"] = ELECTRICITY
    with weir.serve(tmp_path_factory.mktemp("zoo") / "data", models) as server:
        yield server


@pytest.fixture
def electricity(data):
    with weir.serve(data, {"electricity": ELECTRICITY}) as server:
        yield server
