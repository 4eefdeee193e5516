"""One server under measurement: started on its core, checked, put under load, stopped with all of its
processes. CPU time and memory are those of the whole tree of processes."""
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

import load
import peers

TOLERANCE = 1e-5
CONNECTIONS = 16
# An open loop is to find a free connection whenever a request is due.
OPEN_CONNECTIONS = 256
START_LIMIT_S = 120
CURVE = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)


def process_tree(root):
    """{pid: start time} of a process and what it started."""
    children, born = {}, {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
        born[int(entry.name)] = fields[19]
    tree, waiting = {}, [root]
    while waiting:
        pid = waiting.pop()
        if pid in born:
            tree[pid] = born[pid]
            waiting += children.get(pid, [])
    return tree


def over_tree(root, measure):
    """The sum over the tree; a process that ended meanwhile counts nothing."""
    total = 0
    for pid in process_tree(root):
        try:
            total += measure(pid)
        except (OSError, TypeError):  # Gone, or about to be: without memory.
            pass
    return total


def free_port():
    """A low one: onnxruntime-server takes none above 32767."""
    while True:
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", random.randrange(20_000, 32_000)))
            except OSError:
                continue
            return s.getsockname()[1]


class Server(load.Process):
    def __init__(self, peer, folder):
        self.peer = peer
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        peer.prepare(folder)
        port, self.grpc_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}{peer.path}"
        self.argv = [str(word) for word in peer.command(folder, port, self.grpc_port)]
        environment = {
            **os.environ, "MODEL": str(peers.ONNX), "ORT_DISABLE_TELEMETRY": "1",
            "OMP_NUM_THREADS": "1", "PYTHONPATH": str(peers.SERVERS), **peer.environment(folder)}
        self.log = folder / "log"
        with self.log.open("w") as log:
            begin = time.monotonic()
            super().__init__(self.argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                             stdout=log, stderr=subprocess.STDOUT)
        try:
            self.await_first_answer(begin + START_LIMIT_S)
        except BaseException:
            self.stop()
            raise
        self.start_s = time.monotonic() - begin

    def await_first_answer(self, deadline):
        """Asks every 2 ms until the first row has its right answer."""
        error = None
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode}: {self.last_words()}")
            try:
                self.check(load.ROWS[:1], load.EXPECTED[:1])
                return
            except (OSError, http.client.HTTPException) as refused:
                error = refused
                time.sleep(0.002)
        raise RuntimeError(f"no answer after {START_LIMIT_S} s: {error}; {self.last_words()}")

    def last_words(self):
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"{lines[-1][:160] if lines else 'it said nothing'} ({self.log})"

    def check(self, rows, expected):
        answer = load.post(self.url, self.peer.body(rows))
        if not self.peer.has_model:
            return 0.0
        found = self.peer.probabilities(json.loads(answer))
        distance = max(abs(a - b) for a, b in zip(found, expected))
        if len(found) != len(rows) or not distance < TOLERANCE:
            raise RuntimeError(f"a wrong answer: {answer[:160]}")
        return distance

    def check_all(self):
        """The largest distance from what is expected: each row alone, then all in one request."""
        return max([self.check(load.ROWS, load.EXPECTED)] + [
            self.check([row], [right]) for row, right in zip(load.ROWS, load.EXPECTED)])

    def write_bodies(self, rows):
        """All rows in turn, so many in a request."""
        path = self.folder / f"bodies-{rows}"
        starts = range(0, len(load.ROWS), rows)
        path.write_text("".join(
            self.peer.body(load.ROWS[at:at + rows]) + "\n" for at in starts))
        return path

    def cpu_seconds(self):
        return over_tree(self.pid, load.cpu_seconds)

    def memory_mb(self):
        return over_tree(self.pid, load.memory_mb)

    def closed_loop(self, rows, seconds, connections=CONNECTIONS):
        os.environ["WEIR_BENCH_BODIES"] = str(self.write_bodies(rows))
        return load.load(self, seconds, connections)

    def open_loop(self, rate, seconds):
        return load.open_loop(self.url, self.write_bodies(1), rate, seconds, OPEN_CONNECTIONS)

    def grpc(self, seconds, callers=CONNECTIONS):
        before = self.cpu_seconds()
        done = subprocess.run(
            ["taskset", "-c", load.LOAD_CORE, pathlib.Path(load.WEIR).parent / "grpc_load",
             f"127.0.0.1:{self.grpc_port}", "electricity", str(callers), str(callers),
             str(seconds)], capture_output=True, text=True, timeout=60 + 2 * seconds)
        if done.returncode != 0:
            raise RuntimeError(f"gRPC: {done.stderr.strip()[:160]}")
        rate, p50, p99 = map(float, done.stdout.split())
        # The load warms up for a quarter of the time and measures after it; CPU is of both.
        used = self.cpu_seconds() - before
        return {"rate": rate, "p50": p50, "p99": p99, "cpu_us": used * 1e6 / (rate * 1.25 * seconds)}

    def stop(self):
        """The whole tree: what does not end by itself within 15 s is killed."""
        tree = process_tree(self.pid)
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            pass
        for pid, born in tree.items():
            if process_tree(pid).get(pid) == born:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        self.process.wait()
