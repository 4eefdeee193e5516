"""Starts Weir with the reference models, for runs that name no server."""
import os
import pathlib
import re
import signal
import subprocess

from v2.models import REFERENCE
from v2.verdicts import PATIENCE_S


class Weir:
    def __init__(self, data, models):
        source = pathlib.Path(os.environ.get(
            "WEIR_SOURCE", pathlib.Path(__file__).resolve().parents[3]))
        binary = os.environ.get("WEIR", str(source / "build/release/weir"))
        files = {name: models / f"{name}.onnx" for name in REFERENCE}
        files["a/b c"] = models / "two_inputs.onnx"
        command = [binary, "serve", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0",
                   "--data", str(data)]
        for name, path in files.items():
            command += ["--model", f"{name}={path}"]
        self.log_path = data.parent / "weir.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        rest = re.search(r"http://[\d.]+:\d+", line)
        grpc = re.search(r"gRPC on ([\d.]+:\d+)", line)
        assert rest and grpc, f"weir did not say where it serves: {line}{self.log()}"
        self.url, self.grpc = rest[0], grpc[1]

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()
        return code
