"""Far more requests than can be answered: a server on core 0, an open loop of requests from core 1
(bench/load/open_loop.cc), at the capacity that callers in a closed loop find, and at ten times that, or
at what the generator can do.
`slow` is a model of about 50 ms that runs in the pool, `fixed_cost` one of under a millisecond that
runs on the loop. Shown: goodput against capacity, p99 of what is answered (from the moment a request
was due), and how long a refusal takes.
"""
import argparse
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "load"))
from load import *  # noqa: F403 (the bench next door)

SETTINGS = {
    "slow": "server: {{queue_wait: {wait}, max_backlog: {wait}}}\n",
    "fixed_cost": "server: {{max_backlog: {wait}}}\n",
    "fixed_cost, auto": "server: {{queue_wait: {wait}, max_backlog: {wait}}}\n"
                        "endpoints: {{electricity: {{batching: auto}}}}\n",
}
CALLERS = {"slow": 2, "fixed_cost": 4, "fixed_cost, auto": 64}
WAIT = {"slow": "500ms", "fixed_cost": "100ms", "fixed_cost, auto": "100ms"}


class Overloaded(Weir):
    def __init__(self, folder, setting):
        config = pathlib.Path(folder) / f"{setting}.yaml"
        config.write_text(SETTINGS[setting].format(wait=WAIT[setting]))
        self.data = tempfile.mkdtemp(dir=folder)
        model = MODELS / f"{setting.split(',')[0]}.onnx"
        Process.__init__(
            self, [WEIR, "serve", "--listen", "127.0.0.1:0", "--threads", "1", "--data", self.data,
                   "--config", config, "--model", f"electricity={model}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.base = self.process.stdout.readline().split("serves on ")[1].split(",")[0]
        self.url = self.base + "/v2/models/electricity/infer"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, help="rounds (5)")
    parser.add_argument("--seconds", type=int, default=5, help="of load per setting and round (5)")
    parser.add_argument("--connections", type=int, default=2000, help="of the open loop (2000)")
    parser.add_argument("--most", type=float, default=50_000, metavar="RATE",
                        help="what the generator can do by itself, requests/s (50000)")
    parser.add_argument("--settings", default="; ".join(SETTINGS))
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    bodies = pathlib.Path(folder) / "bodies"
    bodies.write_text("\n".join(map(body_of, ROWS)) + "\n")
    body = pathlib.Path(folder) / "body"
    body.write_text(body_of(ROWS[0]))
    os.environ["WEIR_BENCH_BODIES"] = str(bodies)
    for setting in options.settings.split("; "):
        server = Overloaded(folder, setting)
        load(server, 1, CALLERS[setting])
        capacity, full, over = [], [], []
        for _ in range(options.pairs):
            rate = load(server, options.seconds, CALLERS[setting])["rate"]
            capacity.append(rate)
            full.append(open_loop(server.url, body, rate, options.seconds, options.connections))
            many = min(10 * rate, options.most)
            over.append(open_loop(server.url, body, many, options.seconds, options.connections))
        times = min(10, options.most / median(capacity))
        print(f"{setting}: capacity {median(capacity):.0f} requests/s; at {WAIT[setting]}")
        for name, rounds in (("1 ×", full), (f"{times:.1f} ×", over)):
            goodput = [r["rate"] / c for r, c in zip(rounds, capacity)]
            low, high = interval(goodput)
            print(f"  {name:5} goodput {median(goodput):.3f} (95 % {low:.3f} to {high:.3f}), "
                  f"p50 {median([r['p50'] for r in rounds]) / 1e3:.1f} ms, "
                  f"p99 {median([r['p99'] for r in rounds]) / 1e3:.1f} ms, refused after p50 "
                  f"{median([r['refused_p50'] for r in rounds]) / 1e3:.2f} ms, p99 "
                  f"{median([r['refused_p99'] for r in rounds]) / 1e3:.2f} ms, not sent "
                  f"{sum(r['no_connection'] for r in rounds) / sum(r['due'] for r in rounds):.1%}")
        p99 = [a["p99"] / b["p99"] for a, b in zip(over, full) if b["p99"]]
        low, high = interval(p99)
        print(f"  p99 at {times:.1f} × / p99 at capacity: {median(p99):.2f} (95 % {low:.2f} to {high:.2f})")
        server.stop()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
