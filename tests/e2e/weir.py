"""The running program, for tests: starts it on a free port and talks to it."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("WEIR", str(SOURCE / "build/release/weir"))
MODELS = SOURCE / "tests/data/models"
# Sanitizers and busy machines are slow; a condition that holds is never waited for this long.
PATIENCE_S = 60


def wait_for(condition, what):
    """The first true value of condition(); fails when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {PATIENCE_S} s for: {what}")


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json()["error"]


class Server:
    """One `weir serve`. Use as a context manager."""

    def __init__(self, data, models=(), *arguments, preexec_fn=None, listen="127.0.0.1:0",
                 wrapper=(), pass_fds=()):
        self.data = pathlib.Path(data)
        self.log_path = self.data.parent / (self.data.name + ".log")
        command = [*wrapper, BINARY, "serve", "--listen", listen, "--data", str(data)]
        for name, path in dict(models).items():
            command += ["--model", f"{name}={path}"]
        command += [str(a) for a in arguments]
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=preexec_fn,
            pass_fds=pass_fds)
        log.close()
        line = self.process.stdout.readline()
        assert "serves on http" in line, f"{line}{self.log()}"
        self.url = line.split("serves on ")[1].split(",")[0]
        self.host, port = self.url.split("://")[1].rsplit(":", 1)
        self.port = int(port)
        # HOST:PORT for clients of gRPC; None when it is switched off.
        self.grpc = line.split("gRPC on ")[1].split(",")[0] if "gRPC on " in line else None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_S)

    def request(self, method, path, body=None, headers=None, connection=None):
        own = connection is None
        connection = connection or self.connect()
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            if own:
                connection.close()

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def post(self, path, body=None, **kwargs):
        return self.request("POST", path, body=body, **kwargs)

    def infer(self, model, body, **kwargs):
        return self.post(f"/v2/models/{model}/infer", body, **kwargs)

    def api(self, path="", method="GET", body=None):
        answer = self.request(method, "/api/v1" + path, body=body)
        assert answer.status == 200, answer.body
        return answer.json()

    def sql(self, query):
        return self.api("/sql", "POST", {"query": query})["rows"]

    def cli(self, *arguments, check=True):
        return cli(*arguments, "--server", self.url, check=check)


def cli(*arguments, check=True, **kwargs):
    done = subprocess.run(
        [BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=300, **kwargs)
    if check:
        assert done.returncode == 0, done.stderr
    return done


@contextlib.contextmanager
def serve(data, models=(), *arguments, **kwargs):
    server = Server(data, models, *arguments, **kwargs)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def electricity_rows():
    """Rows of the electricity model and the probabilities that XGBoost itself gives them."""
    document = json.loads((MODELS / "electricity_rows.json").read_text())
    return document["rows"], document["probabilities"]


def electricity_body(row, **members):
    return {
        "inputs": [{"name": "input", "shape": [1, 8], "datatype": "FP32", "data": row}], **members}
