"""Dynamic batching of a model with a fixed cost per call (fixed_cost.onnx): servers with batching
off, auto and fixed take turns on core 0, the load comes from core 1: 64 connections without a rest,
and one connection, where batching must cost nothing. Shown: medians, and ratios to `off` within
rounds with a 95 % interval of the median.
"""
import argparse
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "load"))
from load import *  # noqa: F403 (the bench next door)

SETTINGS = {"off": "off", "auto": "auto", "fixed": "{max_rows: 64, max_delay: 1ms}"}


class Batching(Weir):
    def __init__(self, folder, setting):
        config = pathlib.Path(folder) / f"{setting}.yaml"
        config.write_text(f"endpoints: {{electricity: {{batching: {SETTINGS[setting]}}}}}\n")
        self.data = tempfile.mkdtemp(dir=folder)
        Process.__init__(
            self, [WEIR, "serve", "--listen", "127.0.0.1:0", "--threads", "1", "--data", self.data,
                   "--config", config, "--model", f"electricity={MODELS / 'fixed_cost.onnx'}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.base = self.process.stdout.readline().split("serves on ")[1].split(",")[0]
        self.url = self.base + "/v2/models/electricity/infer"

    def rows_a_run(self):
        stats = json.loads(urllib.request.urlopen(
            self.base + "/v2/models/electricity/stats", timeout=30).read())["model_stats"][0]
        return stats["inference_count"] / stats["execution_count"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9, help="rounds (9)")
    parser.add_argument("--seconds", type=int, default=2, help="of load per setting and round (2)")
    parser.add_argument("--connections", type=int, default=64)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    bodies = pathlib.Path(folder) / "bodies"
    bodies.write_text("\n".join(map(body_of, ROWS)) + "\n")
    os.environ["WEIR_BENCH_BODIES"] = str(bodies)
    servers = {name: Batching(folder, name) for name in SETTINGS}
    many = {name: [] for name in servers}
    one = {name: [] for name in servers}
    for server in servers.values():
        load(server, 1, options.connections)
    for number in range(options.pairs):
        for name in sorted(servers, reverse=number % 2 == 1):
            many[name].append(load(servers[name], options.seconds, options.connections))
            one[name].append(load(servers[name], options.seconds, 1))
        print(f"\rround {number + 1} of {options.pairs}", end="", file=sys.stderr)
    print(file=sys.stderr)
    for title, results in ((f"{options.connections} connections", many), ("1 connection", one)):
        print(f"{title:16}{'req/s':>9}{'CPU µs':>9}{'p50 µs':>9}{'p99 µs':>9}{'/ off':>30}")
        for name, rounds in results.items():
            print(f"{name:16}" + "".join(f"{median([r[k] for r in rounds]):>9.0f}" for k in (
                "rate", "cpu_us", "p50", "p99")) + f"{ratio(results, name, 'off', 'rate'):>30}")
    for what in ("p50", "cpu_us"):
        print(f"auto / off at 1 connection, {what}: {ratio(one, 'auto', 'off', what)}")
    print("rows a run, over all: " + ", ".join(
        f"{name} {server.rows_a_run():.1f}" for name, server in servers.items()))
    for server in servers.values():
        server.stop()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
