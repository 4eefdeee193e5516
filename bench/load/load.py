"""What a request costs: Weir in several settings, a static answer of nginx, a raw run of the model.

Servers run on core 0, the load (wrk, 16 connections) on core 1. Settings take turns, so that each
round gives one number of each; differences are taken within a round. Costs are CPU time of the
server's process divided by requests: the number that a busy neighbour moves least. Shown: median
over the rounds and, for ratios, a 95 % interval of the median (order statistics).
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
MODELS = SOURCE / "tests/data/models"
WEIR = os.environ["WEIR"]
CLOCK = os.sysconf("SC_CLK_TCK")
SERVER_CORE, LOAD_CORE = "0", "1"


def cpu_seconds(pid):
    """User and system time of a process, all threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK


def memory_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def interval(values):
    """95 % interval of the median by order statistics (binomial(n, 1/2)); exact for n >= 6."""
    ordered, n = sorted(values), len(values)
    from math import comb
    below, k = 0.0, 0
    while k < n // 2 and below + comb(n, k) / 2**n <= 0.025:
        below += comb(n, k) / 2**n
        k += 1
    return ordered[max(k - 1, 0)], ordered[min(n - k, n - 1)]


class Process:
    """A server on core 0."""

    def __init__(self, command, **kwargs):
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *command], **kwargs)
        self.pid = self.process.pid

    def cpu_seconds(self):
        return cpu_seconds(self.pid)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Weir(Process):
    def __init__(self, folder, model, *arguments):
        self.data = tempfile.mkdtemp(dir=folder)
        begin = time.monotonic()
        super().__init__(
            [WEIR, "serve", "--listen", "127.0.0.1:0", "--threads", "1", "--data", self.data,
             "--model", f"electricity={model}", *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        self.base = line.split("serves on ")[1].split(",")[0]
        self.url = self.base + "/v2/models/electricity/infer"
        first = json.loads(post(self.url, body_of(ROWS[0])))
        assert abs(first["outputs"][1]["data"][1] - EXPECTED[0]) < 1e-6, first
        self.start_s = time.monotonic() - begin
        self.start_mb = memory_mb(self.pid)

    def stop(self):
        super().stop()
        shutil.rmtree(self.data)


def write_nginx_config(folder, port, answer):
    (pathlib.Path(folder) / "nginx.conf").write_text(
        "daemon off; master_process off; worker_processes 1; error_log /dev/null;\n"
        f"pid {folder}/nginx.pid;\nevents {{ worker_connections 512; }}\nhttp {{\n"
        "  access_log off; keepalive_requests 100000000; client_body_buffer_size 64k;\n"
        f"  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;\n"
        f"  scgi_temp_path {folder}/scgi;\n"
        f"  server {{ listen 127.0.0.1:{port};\n    default_type application/json;\n"
        f"    location / {{ return 200 '{answer}'; }}\n  }}\n}}\n")


class Nginx(Process):
    """Answers every request with the same bytes, as many as Weir's answer has."""

    def __init__(self, folder, answer):
        port = free_port()
        write_nginx_config(folder, port, answer)
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        super().__init__([nginx, "-c", f"{folder}/nginx.conf"], stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}/v2/models/electricity/infer"
        for _ in range(500):
            try:
                post(self.url, "{}")
                break
            except OSError:
                time.sleep(0.01)


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def post(url, body):
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def body_of(row):
    return json.dumps({"inputs": [
        {"name": "input", "shape": [1, 8], "datatype": "FP32", "data": row}]}, separators=(",", ":"))


def load(server, seconds, connections=16, rest_ms=0):
    """One stretch of load: CPU µs per request, requests per second, p50 and p99 in µs. With
    rest_ms, each connection rests that long on average after an answer, so that the server is not
    at its limit."""
    before = server.cpu_seconds()
    environment = {**os.environ, "WEIR_BENCH_REST_MS": str(rest_ms)}
    done = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
         "--latency", "-s", str(SOURCE / "bench/load/predict.lua"), server.url],
        env=environment, capture_output=True, text=True, check=True)
    used = server.cpu_seconds() - before
    requests = int(re.search(r"(\d+) requests in", done.stdout)[1])
    if "Non-2xx" in done.stdout:
        raise SystemExit(f"{server.url} refused requests:\n{done.stdout}")

    def quantile(name):
        number, unit = re.search(rf"{name}%\s+([\d.]+)(us|ms|s)", done.stdout).groups()
        return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]

    return {"cpu_us": used * 1e6 / requests, "rate": requests / seconds, "p50": quantile(50),
            "p99": quantile(99), "requests": requests}


def open_loop(url, bodies, rate, seconds, connections):
    """Requests that are due at random moments, whether or not earlier ones have been answered: what
    bench/load/open_loop.cc prints."""
    port, path = re.search(r":(\d+)(/.*)$", url).groups()
    done = subprocess.run(
        ["taskset", "-c", LOAD_CORE, pathlib.Path(WEIR).parent / "open_loop", port, path, bodies,
         f"{rate:.1f}", str(seconds), str(connections)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def raw_run_us(rows=1, repetitions=5):
    """CPU of one Run() of ONNX Runtime through its C API, from the micro benchmark: the same rows of
    the electricity set in turn, so many at a time."""
    program = pathlib.Path(WEIR).parent / "onnx_bench"
    if not program.exists():
        return None
    done = subprocess.run(
        ["taskset", "-c", SERVER_CORE, str(program), f"--benchmark_filter=^raw_run/{rows}$",
         f"--benchmark_repetitions={repetitions}", "--benchmark_format=json"],
        capture_output=True, text=True, check=True)
    return median([entry["cpu_time"] / {"ns": 1e3, "us": 1, "ms": 1e-3}[entry["time_unit"]]
                   for entry in json.loads(done.stdout)["benchmarks"]
                   if entry["run_type"] == "iteration"])


def deploy_shadow(server, model):
    url = f"{server.base}/api/v1/endpoints/electricity/deploy?stages=shadow,5&file_name={model.name}"
    request = urllib.request.Request(url, model.read_bytes(), method="POST")
    urllib.request.urlopen(request, timeout=30).read()


def ratio(results, over, under, what="cpu_us"):
    values = [a[what] / b[what] for a, b in zip(results[over], results[under])]
    low, high = interval(values)
    return f"{median(values):.3f} (95 % {low:.3f} to {high:.3f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9, help="rounds (9)")
    parser.add_argument("--seconds", type=int, default=2, help="of load per setting and round (2)")
    parser.add_argument("--json", help="write all numbers to this file")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    bodies = pathlib.Path(folder) / "bodies"
    bodies.write_text("\n".join(map(body_of, ROWS)) + "\n")
    os.environ["WEIR_BENCH_BODIES"] = str(bodies)
    onnx, forest = MODELS / "electricity_v1.onnx", MODELS / "electricity_v1.ubj"

    servers = {"weir, ledger off": Weir(folder, onnx, "--ledger", "off"),
               "weir": Weir(folder, onnx), "weir, forest": Weir(folder, forest),
               "weir, one shadow": Weir(folder, onnx), "weir, 50 ms shadow": Weir(folder, onnx)}
    deploy_shadow(servers["weir, one shadow"], forest)
    deploy_shadow(servers["weir, 50 ms shadow"], MODELS / "slow.onnx")
    answer = post(servers["weir"].url, body_of(ROWS[0]))
    servers["nginx, static answer"] = Nginx(folder, answer)
    raw = raw_run_us()
    results = {name: [] for name in servers}
    for server in servers.values():
        load(server, 1)
    calm = {"weir": [], "weir, 50 ms shadow": []}
    for round_number in range(options.pairs):
        for name, server in servers.items():
            results[name].append(load(server, options.seconds))
        for name in sorted(calm, reverse=round_number % 2 == 1):
            calm[name].append(load(servers[name], options.seconds, rest_ms=1))
        print(f"\rround {round_number + 1} of {options.pairs}", end="", file=sys.stderr)
    print(file=sys.stderr)

    print(f"{'':24}{'CPU µs':>8}{'req/s':>9}{'p50 µs':>8}{'p99 µs':>8}{'MB':>6}{'start s':>9}"
          f"{'MB then':>9}")
    for name, rounds in results.items():
        server = servers[name]
        start = (f"{server.start_s:>9.3f}{server.start_mb:>9.1f}" if hasattr(server, "start_s") else "")
        print(f"{name:24}" + "".join(f"{median([r[k] for r in rounds]):>{w}.{d}f}" for k, w, d in (
            ("cpu_us", 8, 2), ("rate", 9, 0), ("p50", 8, 0), ("p99", 8, 0))) +
            f"{memory_mb(server.pid):>6.1f}{start}")
    if raw is not None:
        print(f"{'raw Run()':24}{raw:>8.2f}")
        floor = [raw + r["cpu_us"] for r in results["nginx, static answer"]]
        values = [a["cpu_us"] / b for a, b in zip(results["weir"], floor)]
        low, high = interval(values)
        print(f"\nweir / (raw Run + static answer)   {median(values):.3f} (95 % {low:.3f} to {high:.3f})")
    print(f"ledger on / off                    {ratio(results, 'weir', 'weir, ledger off')}")
    print(f"forest / ONNX                      {ratio(results, 'weir, forest', 'weir')}")
    rate = median([r["rate"] for r in calm["weir"]])
    for what in ("p50", "p99"):
        print(f"50 ms shadow on / off, {what}         {ratio(calm, 'weir, 50 ms shadow', 'weir', what)} "
              f"at {rate:,.0f} requests/s ({median([r[what] for r in calm['weir']]):.0f} µs)")
    total = sum(r["requests"] for r in results["weir"])
    print(f"memory of 'weir' after {total:,} requests: {memory_mb(servers['weir'].pid):.1f} MB")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(
            {"raw_run_us": raw, "at full load": results, "at rest": calm}, indent=1))
    for server in servers.values():
        server.stop()
    shutil.rmtree(folder)


ROWS_DOCUMENT = json.loads((MODELS / "electricity_rows.json").read_text())
ROWS, EXPECTED = ROWS_DOCUMENT["rows"], ROWS_DOCUMENT["probabilities"]

if __name__ == "__main__":
    main()
