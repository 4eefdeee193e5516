"""The suite against servers that are wrong: each fault makes the line of its point fail, and no
other line. A point without a fault fails here too, so that no point is unable to fail."""
import json
import os
import pathlib
import subprocess
import sys

import pytest

from suite import faults_grpc, faults_rest
from suite.proxy import GrpcProxy, RestProxy

FAULTS = {**{(point, "REST"): fault for point, fault in faults_rest.FAULTS.items()},
          **{(point, "gRPC"): fault for point, fault in faults_grpc.FAULTS.items()}}
# Points over gRPC that compare with REST see the fault there as well.
ALSO = {(name, "REST"): {(name, "gRPC")} for name in ("C29", "C36")}
GROUPS = 3


def asked(target, faults):
    """What the suite says of a server with these faults: {(point, transport): (verdict, why)}."""
    rest = RestProxy(target.rest.host, target.rest.port,
                     [f for (_, transport), f in faults.items() if transport == "REST"])
    grpc = GrpcProxy(target.grpc_address,
                     [f for (_, transport), f in faults.items() if transport == "gRPC"])
    try:
        return table(["--url", rest.url, "--grpc", grpc.address])
    finally:
        rest.stop()
        grpc.stop()
        # A fault of load leaves this one out.
        target.rest.post("/v2/repository/models/linear/load").ok()


def table(where):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "points", *where, "--save", "-"],
        cwd=pathlib.Path(__file__).parents[1], env={**os.environ, "PYTHONPATH": "."},
        capture_output=True, text=True)
    last = done.stdout.rstrip().rsplit("\n", 1)[-1]
    assert last.startswith("[["), done.stdout + done.stderr
    return {(name, transport): (verdict, why)
            for name, transport, verdict, why in json.loads(last)}


def failed(lines):
    return {line for line, (verdict, _) in lines.items() if verdict == "fail"}


def test_a_right_server_passes_every_point_and_every_point_has_a_fault(target):
    lines = asked(target, {})
    assert {line: said for line, said in lines.items() if said[0] != "pass"} == {}
    assert set(lines) == set(FAULTS)


@pytest.mark.parametrize("group", range(GROUPS))
def test_exactly_the_lines_of_the_faults_fail(target, group):
    faults = dict(list(FAULTS.items())[group::GROUPS])
    wanted = set(faults).union(*(ALSO.get(line, set()) for line in faults))
    lines = asked(target, faults)
    wrong = {line: lines[line] for line in failed(lines) - wanted}
    assert wrong == {}, "failed without a fault"
    assert wanted - failed(lines) == set(), "passed in spite of its fault"
