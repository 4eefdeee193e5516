"""Models that crash: in a process of their own, inside the server; and memory that comes back."""
import base64
import collections
import ctypes
import os
import pathlib
import signal
import threading

import pytest

import weir

ROWS, PROBABILITIES = weir.electricity_rows()
FOREST = weir.MODELS / "electricity_v1.ubj"
ONNX = weir.MODELS / "electricity_v1.onnx"
# A sanitizer turns the signal into an exit code.
PROGRAM = pathlib.Path(weir.BINARY).read_bytes()
ENDING = b"exit code" if b"__asan_init" in PROGRAM or b"__tsan_init" in PROGRAM else b"signal 11"


def isolated(folder, model, name=None, more=""):
    path = folder / (name or f"isolated-{model.name}")
    path.write_bytes(model.read_bytes())
    path.with_name(path.name + ".yaml").write_text("isolation: process\n" + more)
    return path


def hosts(pid):
    """The processes of models that a server has."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1]
            command = entry.joinpath("cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == pid and b"model-host" in command:
            found.append(int(entry.name))
    return found


def rss_kib(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def electricity(server, name, row=0, **kwargs):
    return server.infer(name, weir.electricity_body(ROWS[row]), **kwargs)


def heavy(**members):
    return {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [2]}], **members}


class Load:
    """Calls of one endpoint from some threads until the block ends."""

    def __init__(self, server, name, threads=4):
        self.server, self.name = server, name
        self.answers = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        connection = self.server.connect()
        while not self.stopping.is_set():
            answer = electricity(self.server, self.name, connection=connection)
            self.answers.append((answer.status, answer.body))
        connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def statuses(self):
        return collections.Counter(status for status, _ in self.answers)

    def more(self, count):
        """Waits until so many more calls have succeeded."""
        wanted = self.statuses()[200] + count
        weir.wait_for(lambda: self.statuses()[200] >= wanted, f"{count} answers of {self.name}")


@pytest.mark.parametrize("model", [FOREST, ONNX])
def test_answers_are_the_same_in_a_process_of_its_own(data, tmp_path, model):
    models = {"own": isolated(tmp_path, model), "plain": model}
    with weir.serve(data, models) as server:
        assert len(hosts(server.process.pid)) == 1
        for i in range(50):
            own, plain = (electricity(server, name, i) for name in models)
            assert own.status == 200, own.body
            assert own.json()["outputs"] == plain.json()["outputs"]
        answer = server.infer("own", {"inputs": [
            {"name": "input", "shape": [100, 8], "datatype": "FP32", "data": ROWS[:100]}]})
        assert answer.json()["outputs"][1]["data"][1::2] == \
            pytest.approx(PROBABILITIES[:100], abs=1e-6)


def test_the_sidecar_of_an_isolated_model_is_applied(data, tmp_path):
    path = isolated(tmp_path, FOREST, more="outputs:\n  odds: {from: probabilities}\n")
    with weir.serve(data, {"e": path}) as server:
        names = [o["name"] for o in electricity(server, "e").json()["outputs"]]
        assert names == ["label", "odds"]


def test_a_crash_fails_only_the_calls_in_flight(data, tmp_path):
    with weir.serve(data, {"own": isolated(tmp_path, FOREST), "plain": FOREST}) as server:
        with Load(server, "own") as own, Load(server, "plain", 2) as plain:
            for _ in range(3):
                own.more(50)
                [pid] = hosts(server.process.pid)
                os.kill(pid, signal.SIGSEGV)
                weir.wait_for(lambda: hosts(server.process.pid) not in ([pid], []), "a new process")
            own.more(50)
            plain.more(50)
        assert set(plain.statuses()) == {200}
        assert set(own.statuses()) <= {200, 503}
        # Four clients, three crashes: each client has one call in flight.
        assert own.statuses()[503] <= 12
        for status, body in own.answers:
            if status == 503:
                assert ENDING in body and b"isolated-electricity_v1.ubj" in body, body
        assert server.process.poll() is None
        assert ENDING.decode() in server.log()


def test_a_process_that_dies_while_nobody_calls_is_back_for_the_next(data, tmp_path):
    with weir.serve(data, {"own": isolated(tmp_path, FOREST)}) as server:
        [pid] = hosts(server.process.pid)
        os.kill(pid, signal.SIGKILL)
        weir.wait_for(lambda: hosts(server.process.pid) not in ([pid], []), "a new process")
        assert electricity(server, "own").status == 200
        assert "signal 9" in server.log()


def test_a_timeout_does_not_wait_for_the_model(data, tmp_path):
    with weir.serve(data, {"own": isolated(tmp_path, FOREST), "plain": FOREST}) as server:
        [pid] = hosts(server.process.pid)
        os.kill(pid, signal.SIGSTOP)
        body = weir.electricity_body(ROWS[0], parameters={"timeout": 100_000})
        for _ in range(3):
            answer = server.infer("own", body)
            assert answer.status == 504, answer.body
        assert electricity(server, "plain").status == 200
        os.kill(pid, signal.SIGCONT)
        assert electricity(server, "own").status == 200
        assert hosts(server.process.pid) == [pid]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_process_ends_with_the_server(data, tmp_path, end):
    server = weir.Server(data, {"own": isolated(tmp_path, FOREST)})
    [pid] = hosts(server.process.pid)
    getattr(server, end)()
    weir.wait_for(lambda: not os.path.exists(f"/proc/{pid}") or
                  " Z " in pathlib.Path(f"/proc/{pid}/stat").read_text(), "the end of the process")


def test_unloading_ends_the_process(data, tmp_path):
    with weir.serve(data, {"own": isolated(tmp_path, FOREST)}) as server:
        assert server.post("/v2/repository/models/own/unload").status == 200
        weir.wait_for(lambda: not hosts(server.process.pid), "the end of the process")
        assert server.post("/v2/repository/models/own/load").status == 200
        assert electricity(server, "own").status == 200


def test_a_model_that_cannot_be_loaded_says_why(data, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"hello")
    done = weir.cli("serve", "--listen", "127.0.0.1:0", "--data", data, "--model",
                    f"m={isolated(tmp_path, broken)}", check=False)
    assert done.returncode == 1 and "isolated-broken.onnx" in done.stderr
    assert "ONNX" in done.stderr


def threads_named(pid, name):
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return [int(t.name) for t in tasks if (t / "comm").read_text().strip() == name]


def tgkill(pid, thread):
    sys_tgkill = {"x86_64": 234, "aarch64": 131}[os.uname().machine]
    ctypes.CDLL(None, use_errno=True).syscall(sys_tgkill, pid, thread, signal.SIGSEGV)


def crash_inside_the_candidate(data, models, candidate):
    """Serves until the server has died inside the candidate, version 2; starts again each time that
    the signal came at another moment."""
    note = data / "crash-note"
    # A run on the event loop, whatever it takes: its thread is the one to be killed.
    config = data.parent / "inline.yaml"
    config.write_text("server: {slow_run: 1h}\n")
    server = weir.Server(data, models, "--threads", "1", "--config", config)
    server.cli("deploy", "m", candidate, "--stages", "100")
    for _ in range(30):
        def call():
            try:
                while True:
                    server.infer("m", heavy())
            except (OSError, weir.http.client.HTTPException):
                pass
        callers = [threading.Thread(target=call) for _ in range(3)]
        for caller in callers:
            caller.start()
        weir.wait_for(lambda: " 200 " in f" {server.infer('m', heavy()).status} ", "an answer")
        [thread] = threads_named(server.process.pid, "http-0")
        tgkill(server.process.pid, thread)
        assert server.process.wait(weir.PATIENCE_S) == -signal.SIGSEGV
        server.process.stdout.close()
        for caller in callers:
            caller.join()
        if note.read_text().startswith(f"{int(signal.SIGSEGV)} 2 m"):
            return
        server = weir.Server(data, (), "--threads", "1")
    raise AssertionError("the signal never came while the model ran")


def test_a_candidate_that_crashes_the_server_is_rolled_back_before_the_port_opens(data, tmp_path):
    candidate = tmp_path / "candidate.onnx"
    candidate.write_bytes((weir.MODELS / "heavy.onnx").read_bytes())
    (tmp_path / "candidate.onnx.yaml").write_text("task: regression\n")
    crash_inside_the_candidate(data, {"m": weir.MODELS / "heavy.onnx"}, candidate)
    with weir.serve(data, (), "--threads", "1") as server:
        first = server.infer("m", heavy())
        assert first.status == 200 and first.json()["model_version"] == "1"
        assert first.json()["parameters"]["weir_arm"] == "primary"
        rollout = server.api("/endpoints/m/rollouts/1")
        assert rollout["status"] == "rolled_back", rollout
        assert rollout["history"][-1]["by"] == "crash"
        # Before it said that it serves.
        log = server.log()
        assert "version 2 of 'm' crashed the process and was rolled back" in log
        # The note is used up.
        assert not (data / "crash-note").read_text()


@pytest.fixture
def nothing_held_back(monkeypatch):
    """AddressSanitizer keeps freed memory for a while unless it is told not to."""
    options = os.environ.get("ASAN_OPTIONS", "")
    monkeypatch.setenv(
        "ASAN_OPTIONS", f"{options}:quarantine_size_mb=0:thread_local_quarantine_size_kb=0")


@pytest.mark.usefixtures("nothing_held_back")
@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize("model", [FOREST, ONNX])
def test_loading_and_unloading_gives_memory_back(data, tmp_path, model, isolation):
    path = isolated(tmp_path, model) if isolation == "process" else model
    with weir.serve(data, {"m": path}) as server:
        sizes = []
        for _ in range(30):
            assert server.post("/v2/repository/models/m/unload").status == 200
            assert server.post("/v2/repository/models/m/load").status == 200
            assert electricity(server, "m").status == 200
            sizes.append(rss_kib(server.process.pid))
        assert len(hosts(server.process.pid)) == (isolation == "process")
        descriptors = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        print(f"\n{model.name}, isolation {isolation}: RSS {sizes[4]} KiB after 5 cycles, "
              f"{sizes[-1]} KiB after 30; {descriptors} descriptors")
        assert max(sizes[20:]) < sizes[4] * 1.05 + 2048, sizes
        assert descriptors < 100


@pytest.mark.usefixtures("nothing_held_back")
def test_models_that_come_and_go_by_upload_give_memory_back(data):
    content = base64.b64encode(FOREST.read_bytes()).decode()
    with weir.serve(data, {"stays": ONNX}) as server:
        sizes = []
        for _ in range(30):
            files = {"file:1/model.ubj": content, "config": "{}"}
            path = "/v2/repository/models/comes"
            assert server.post(path + "/load", {"parameters": files}).status == 200
            assert electricity(server, "comes").status == 200
            assert server.post(path + "/unload").status == 200
            sizes.append(rss_kib(server.process.pid))
        print(f"\nRSS {sizes[4]} KiB after 5 cycles, {sizes[-1]} KiB after 30")
        assert max(sizes[20:]) < sizes[4] * 1.05 + 2048, sizes
