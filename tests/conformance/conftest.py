import pathlib

import pytest

from v2.table import Table
from v2.target import Target

MODELS = pathlib.Path(__file__).resolve().parents[1] / "data/models"


def pytest_addoption(parser):
    group = parser.getgroup("conformance")
    group.addoption("--url", help="REST address of the server under test (default: Weir itself)")
    group.addoption("--grpc", help="its gRPC address, host:port")
    group.addoption("--model", action="append", default=[],
                    help="try points with this model only (again for more); default: the index")
    group.addoption("--save", help="also write the table to this file as JSON (-: as the last line)")


def pytest_configure(config):
    # Weir started by us has all models: what is not applicable then is a failure.
    config.pluginmanager.register(
        Table(strict=not config.option.url, save_to=config.option.save), "conformance-table")


def pytest_collection_modifyitems(config, items):
    if not config.option.url:
        return
    # The suite's own tests are no business of a server's.
    items[:] = [i for i in items if i.path.parent.name != "suite"]
    if not config.option.grpc:
        items[:] = [i for i in items if i.get_closest_marker("point").args[1] == "REST"]


@pytest.fixture(scope="session")
def target(request, tmp_path_factory):
    option = request.config.option
    if option.url:
        yield Target(option.url, option.grpc, option.model)
        return
    from v2.weir import Weir
    server = Weir(tmp_path_factory.mktemp("conformance") / "data", MODELS)
    yield Target(server.url, server.grpc)
    assert server.stop() == 0, server.log()


@pytest.fixture(scope="session")
def model_files():
    return MODELS


@pytest.fixture(scope="session")
def server(target):
    """The REST interface."""
    return target.rest


@pytest.fixture(scope="session")
def calls(target):
    """The gRPC interface."""
    from v2.grpc_calls import Calls
    calls = Calls(target.grpc_address)
    yield calls
    calls.close()


@pytest.fixture
def binary(target):
    """Asked for by tests that send or want binary tensors over REST."""
    target.needs_extension("binary_tensor_data")


@pytest.fixture
def model(target):
    """A model that takes numbers as JSON: what most points need."""
    return target.any_model()
