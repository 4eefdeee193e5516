"""The servers that Weir is compared with. A peer is a class: how it is installed, started, asked and
read. What it listens on is 127.0.0.1 wherever it can be told so."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.request

import load

SERVERS = pathlib.Path(__file__).resolve().parent / "servers"
ONNX = load.MODELS / "electricity_v1.onnx"


class Peer:
    name = ""
    what = ""  # One line: what is special about how it runs.
    packages = ()  # Of Python, into a folder of its own.
    folder = None  # Of its packages, where several peers share one.
    path = "/predict"
    has_model = True
    has_grpc = False
    is_big = False  # Installed only when it is named.

    def __init__(self, work):
        self.work = work
        self.venv = work / "venv" / (self.folder or self.name)

    def missing(self):
        """Why it cannot be run here; None where it can."""
        if self.packages and not (self.venv / "complete").exists():
            return "not installed: run with --install"
        return None

    def install(self):
        if not self.packages or (self.venv / "complete").exists():
            return
        if not self.program("python").exists():
            subprocess.run([sys.executable, "-m", "venv", self.venv], check=True)
        done = subprocess.run(
            [self.program("python"), "-m", "pip", "install", "-q", *self.packages],
            capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"pip: {done.stderr.strip().splitlines()[-1]}")
        (self.venv / "complete").touch()

    def program(self, name):
        return self.venv / "bin" / name

    def site(self):
        return next(self.venv.glob("lib/python*/site-packages"))

    def version(self, url=None):
        """Of the server and of the runtime under it; a running server may be asked."""
        if not self.packages:
            return ""
        code = ("import importlib.metadata as m, sys\n"
                "print(', '.join(f'{p} {m.version(p)}' for p in sys.argv[1:]))")
        names = [package.split("<")[0].split("[")[0] for package in self.packages]
        return subprocess.run([self.program("python"), "-c", code, *names], capture_output=True,
                              text=True).stdout.strip()

    def prepare(self, folder):
        """Writes what the server reads at its start into an empty folder."""

    def command(self, folder, port, grpc_port):
        raise NotImplementedError

    def environment(self, folder):
        return {}

    def body(self, rows):
        return json.dumps({"rows": rows}, separators=(",", ":"))

    def probabilities(self, answer):
        """Of the second class, one for each row."""
        return [row[1] for row in answer["probabilities"]]


class V2Peer(Peer):
    path = "/v2/models/electricity/infer"

    def body(self, rows):
        values = [value for row in rows for value in row]
        return json.dumps({"inputs": [{"name": "input", "shape": [len(rows), len(rows[0])],
                                       "datatype": "FP32", "data": values}]}, separators=(",", ":"))

    def probabilities(self, answer):
        output = next(o for o in answer["outputs"] if o["name"] == "probabilities")
        return output["data"][1::2]


class Weir(V2Peer):
    name, has_grpc = "weir", True
    what = "ledger and metrics on"
    model = ONNX

    def missing(self):
        return None if pathlib.Path(load.WEIR).exists() else f"{load.WEIR} is missing: make build"

    def version(self, url=None):
        return subprocess.run([load.WEIR, "--version"], capture_output=True,
                              text=True).stdout.splitlines()[0]

    def command(self, folder, port, grpc_port):
        return [load.WEIR, "serve", "--listen", f"127.0.0.1:{port}", "--grpc-listen",
                f"127.0.0.1:{grpc_port}", "--threads", "1", "--data", folder / "data", "--model",
                f"electricity={self.model}"]


class WeirForest(Weir):
    name = "weir-forest"
    what = "the same trees in XGBoost's own format"
    model = load.MODELS / "electricity_v1.ubj"


class Nginx(V2Peer):
    name, has_model = "nginx-static", False
    what = "a static answer, byte for byte Weir's: no model, the floor of HTTP"
    answer = "{}"

    def program(self, name):
        return shutil.which(name) or f"/usr/sbin/{name}"

    def missing(self):
        found = pathlib.Path(self.program("nginx")).exists()
        return None if found else "not installed: scripts/setup --dev"

    def version(self, url=None):
        done = subprocess.run([self.program("nginx"), "-v"], capture_output=True, text=True)
        return done.stderr.strip().removeprefix("nginx version: ")

    def command(self, folder, port, grpc_port):
        load.write_nginx_config(folder, port, self.answer)
        return [self.program("nginx"), "-c", folder / "nginx.conf"]


class Triton(V2Peer):
    name, has_grpc, folder = "triton", True, "triton"
    packages = ("nvidia-pytriton", "numpy", "onnxruntime")
    what = "tritonserver of nvidia-pytriton with the ONNX Runtime backend"
    arguments = ()

    def native(self):
        return self.work / "native"

    def missing(self):
        library = self.native() / "libtriton_onnxruntime.so"
        return super().missing() or (None if library.exists() else (
            f"needs {library} (triton-inference-server/onnxruntime_backend of the same release, "
            "built by you) and its ort/lib/libonnxruntime.so.1 beside it"))

    def install(self):
        super().install()
        if self.missing():
            raise RuntimeError(self.missing())

    def version(self, url=None):
        library = (self.native() / "ort/lib/libonnxruntime.so.1").resolve().name
        packages = f"{super().version()}, {library}"
        if not url:
            return packages
        with urllib.request.urlopen(url.split("/models")[0], timeout=30) as answer:
            return f"Triton {json.load(answer)['version']}, {packages}"

    def server(self):
        return self.site() / "pytriton/tritonserver/bin/tritonserver"

    def libraries(self):
        return self.site() / "nvidia_pytriton.libs"

    def prepare(self, folder):
        backend = folder / "backends/onnxruntime"
        model = folder / "models/electricity/1"
        for path in (backend, model):
            path.mkdir(parents=True)
        shutil.copy(self.native() / "libtriton_onnxruntime.so", backend)
        shutil.copy(self.native() / "ort/lib/libonnxruntime.so.1", backend)
        server_library = next(self.libraries().glob("libtritonserver*"))
        (backend / "libtritonserver.so").symlink_to(server_library)
        shutil.copy(ONNX, model / "model.onnx")
        (model.parent / "config.pbtxt").write_text(
            'name: "electricity"\nbackend: "onnxruntime"\nmax_batch_size: 0\n'
            'input [ { name: "input", data_type: TYPE_FP32, dims: [ -1, 8 ] } ]\n'
            'output [ { name: "probabilities", data_type: TYPE_FP32, dims: [ -1, 2 ] } ]\n'
            'instance_group [ { kind: KIND_CPU, count: 1 } ]\n'
            'parameters { key: "intra_op_thread_count" value: { string_value: "1" } }\n')

    def command(self, folder, port, grpc_port):
        return [self.server(), f"--model-repository={folder / 'models'}",
                f"--backend-directory={folder / 'backends'}", "--http-address=127.0.0.1",
                f"--http-port={port}", "--grpc-address=127.0.0.1", f"--grpc-port={grpc_port}",
                "--metrics-address=127.0.0.1", f"--metrics-port={load.free_port()}",
                "--log-info=false", *self.arguments]

    def environment(self, folder):
        python = pathlib.Path(os.path.realpath(self.program("python"))).parents[1] / "lib"
        paths = [self.native() / "ort/lib", self.libraries(), python]
        return {"LD_LIBRARY_PATH": ":".join(map(str, paths))}


class TritonOneThread(Triton):
    name, arguments = "triton-http1", ("--http-thread-count=1",)
    what = "the same with one HTTP thread instead of 8"


class OnnxruntimeServer(Peer):
    name = "onnxruntime-server"
    what = "kibae/onnxruntime-server, its 4 workers, no access log"
    path, workers = "/api/sessions/electricity/1", 4

    def binary(self):
        return self.work / "native/onnxruntime_server"

    def missing(self):
        return None if self.binary().exists() else (
            f"needs {self.binary()} (kibae/onnxruntime-server, built by you) and its libraries in "
            "ort/lib beside it")

    def install(self):
        if self.missing():
            raise RuntimeError(self.missing())

    def version(self, url=None):
        library = (self.work / "native/ort/lib/libonnxruntime.so.1").resolve().name
        return f"built by hand, {library}"  # The program does not say its own version.

    def prepare(self, folder):
        model = folder / "models/electricity"
        model.mkdir(parents=True)
        shutil.copy(ONNX, model / "1.onnx")

    def command(self, folder, port, grpc_port):
        return [self.binary(), "--http-port", str(port), "--workers", str(self.workers),
                "--model-dir", folder / "models", "--prepare-model",
                "electricity:1(session_options.intra_op_num_threads=1)", "--log-level", "error",
                "--log-file", "/dev/null", "--access-log-file", "/dev/null"]

    def environment(self, folder):
        return {"LD_LIBRARY_PATH": str(self.work / "native/ort/lib")}

    def body(self, rows):
        return json.dumps({"input": rows}, separators=(",", ":"))


class OnnxruntimeServerOneWorker(OnnxruntimeServer):
    name, workers = "onnxruntime-server-1w", 1
    what = "the same with one worker"


class FastApi(Peer):
    name = "fastapi"
    packages = ("fastapi", "uvicorn", "uvloop", "httptools", "onnxruntime", "numpy")
    what = "written by hand: uvicorn with uvloop and httptools"

    def command(self, folder, port, grpc_port):
        return [self.program("python"), "-m", "uvicorn", "fastapi_server:app", "--host",
                "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools",
                "--workers", "1", "--no-access-log", "--log-level", "warning"]


class MlServer(V2Peer):
    name, has_grpc = "mlserver", True
    # Its worker process dies at the start with uvloop 0.22 and newer.
    packages = ("mlserver", "onnxruntime", "uvloop<0.22")
    what = "parallel_workers 0, a custom runtime over ONNX Runtime"

    def prepare(self, folder):
        (folder / "model-settings.json").write_text(json.dumps(
            {"name": "electricity", "implementation": "mlserver_model.OnnxModel"}))

    def command(self, folder, port, grpc_port):
        (folder / "settings.json").write_text(json.dumps(
            {"host": "127.0.0.1", "http_port": port, "grpc_port": grpc_port, "debug": False,
             "metrics_port": load.free_port(), "parallel_workers": 0}))
        return [self.program("mlserver"), "start", folder]


class KServe(V2Peer):
    name, has_grpc = "kserve", True
    packages = ("kserve", "onnxruntime", "numpy")
    what = "its Python server with one worker"

    def command(self, folder, port, grpc_port):
        return [self.program("python"), SERVERS / "kserve_server.py", str(port), str(grpc_port)]


class LitServe(Peer):
    name = "litserve"
    packages = ("litserve", "onnxruntime", "numpy")
    what = "one API process, one worker process"

    def command(self, folder, port, grpc_port):
        return [self.program("python"), SERVERS / "litserve_server.py", str(port)]


class BentoMl(Peer):
    name = "bentoml"
    packages = ("bentoml", "onnxruntime", "numpy")
    what = "async method, access log and metrics off (on by default)"

    def prepare(self, folder):
        (folder / "config.yaml").write_text(
            "services:\n  logging:\n    access:\n      enabled: false\n"
            "  metrics:\n    enabled: false\n")

    def command(self, folder, port, grpc_port):
        return [self.program("bentoml"), "serve", "bentoml_service:Electricity", "--host",
                "127.0.0.1", "--port", str(port), "--working-dir", SERVERS]

    def environment(self, folder):
        return {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder / "home"),
                "BENTOML_CONFIG": str(folder / "config.yaml")}

    def probabilities(self, answer):
        return [row[1] for row in answer]


class RayServe(Peer):
    name, is_big = "ray-serve", True
    packages = ("ray[serve]", "onnxruntime", "numpy")
    what = "one proxy and one replica on the same core"

    def command(self, folder, port, grpc_port):
        return [self.program("python"), SERVERS / "ray_server.py", str(port)]

    def environment(self, folder):
        return {"RAY_USAGE_STATS_ENABLED": "0"}


PEERS = (WeirForest, Nginx, Triton, TritonOneThread, OnnxruntimeServer, OnnxruntimeServerOneWorker,
         FastApi, MlServer, KServe, LitServe, BentoMl, RayServe)
