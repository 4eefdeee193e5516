"""Real clients that are programs of their own: they print one line of JSON per step."""
import json
import subprocess

from v2.verdicts import PATIENCE_S


def run(command, text=None):
    """Fails with the first step that did not work. Returns the names of the steps."""
    try:
        done = subprocess.run([str(c) for c in command], input=text, capture_output=True,
                              text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the client did not end within {PATIENCE_S} s")
    steps = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for step in steps:
        assert step["ok"], f"{step['step']}: {step['detail']}"
    assert done.returncode == 0, f"the client ended with {done.returncode}: {done.stderr[-300:]}"
    return [step["step"] for step in steps]
