"""Real clients that are programs of their own: they print one line of JSON per step."""
import json
import subprocess

from v2.verdicts import PATIENCE_S

LIMIT_S = 2 * PATIENCE_S  # A whole program, its start included.


def run(command, text=None):
    """Fails with the first step that did not work. Returns the names of the steps."""
    try:
        done = subprocess.run([str(c) for c in command], input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=LIMIT_S)
        said, end = done.stdout, f"the client ended with {done.returncode}: {done.stderr[-300:]}"
        ended = done.returncode == 0
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode()
        ended, end = False, f"the client did not end within {LIMIT_S:.0f} s"
    steps = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    for step in steps:
        assert step["ok"], f"{step['step']}: {step['detail']}"
    assert ended, end
    return [step["step"] for step in steps]
