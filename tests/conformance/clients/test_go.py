"""A client in Go, generated from the public protocol buffers (clients/go)."""
import os

from v2 import programs
from v2.verdicts import NotRun, client


@client("go", "gRPC", "ready, metadata, infers, error, stream")
def test_go(target, calls):
    program = os.environ.get("V2_GO_CLIENT")
    if not program:
        raise NotRun(os.environ.get("V2_GO_REASON", "no go here"))
    steps = programs.run([program, calls.address, target.reference("two_inputs").name])
    assert "stream" in steps, f"only {steps}"
