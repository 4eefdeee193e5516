"""The points, and how a test says that a point cannot be decided here."""
import os

import pytest

# Nothing that works takes this long, also on a busy machine.
PATIENCE_S = float(os.environ.get("V2_PATIENCE_S", 60))


def rest(name, title):
    """Marks a test of point `name` over REST."""
    return pytest.mark.point(name, "REST", title)


def grpc(name, title):
    """Marks a test of point `name` over gRPC."""
    return pytest.mark.point(name, "gRPC", title)


def client(name, transport, title):
    """Marks a test with a real client."""
    return pytest.mark.point(name, transport, title)


class NotApplicable(Exception):
    """The server has nothing that the point speaks of."""


class NotRun(Exception):
    """Something that the test needs is missing on this machine."""
