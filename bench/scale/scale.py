"""What grows and what must not: a server with many models (time to start, memory and CPU per
request, each against one model), memory over many requests, memory over many loads and unloads.

Servers run on core 0, the load (wrk, 16 connections) on core 1. Ratios are taken within rounds;
shown with a 95 % interval of the median (order statistics).
"""
import argparse
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "load"))
from load import *  # noqa: F403 (the bench next door)

KINDS = {"forest": "electricity_v1.ubj", "ONNX": "electricity_v1.onnx"}


class Many(Weir):
    """Serves the same model under the names m0, m1, …; ready when the last one answers right."""

    def __init__(self, folder, model, count):
        self.data = tempfile.mkdtemp(dir=folder)
        config = pathlib.Path(self.data) / "models.yaml"
        config.write_text("endpoints:\n" + "".join(
            f"  m{i}: {{model: {MODELS / model}}}\n" for i in range(count)))
        begin = time.monotonic()
        Process.__init__(
            self, [WEIR, "serve", "--listen", "127.0.0.1:0", "--threads", "1", "--data", self.data,
                   "--config", config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.base = self.process.stdout.readline().split("serves on ")[1].split(",")[0]
        self.url = f"{self.base}/v2/models/m{count - 1}/infer"
        first = json.loads(post(self.url, body_of(ROWS[0])))
        self.start_s = time.monotonic() - begin
        assert abs(first["outputs"][1]["data"][1] - EXPECTED[0]) < 1e-6, first


def many_models(folder, options):
    for kind, model in KINDS.items():
        one, many = Many(folder, model, 1), Many(folder, model, options.models)
        each = (memory_mb(many.pid) - memory_mb(one.pid)) / (options.models - 1)
        print(f"{options.models:,} {kind} models: start to the first right answer of the last "
              f"{many.start_s:.2f} s (one: {one.start_s:.3f} s),\n  {memory_mb(many.pid):.1f} MB "
              f"(one: {memory_mb(one.pid):.1f} MB), that is {1024 * each:.0f} KiB a model")
        ratios = []
        for _ in range(options.pairs):
            costs = {}
            for server, count in ((one, 1), (many, options.models)):
                os.environ["WEIR_BENCH_MODELS"] = str(count)
                costs[count] = load(server, options.seconds)["cpu_us"]
            ratios.append(costs[options.models] / costs[1])
        os.environ["WEIR_BENCH_MODELS"] = "0"
        low, high = interval(ratios)
        print(f"  CPU per request, all in turn / one: {median(ratios):.3f} "
              f"(95 % {low:.3f} to {high:.3f})")
        one.stop()
        many.stop()


def many_requests(folder, options):
    server = Weir(folder, MODELS / KINDS["ONNX"])
    done, wanted = 0, (options.requests // 10, options.requests)
    seen = []
    while done < wanted[-1]:
        done += load(server, 5)["requests"]
        print(f"\r{done:,} requests, {memory_mb(server.pid):.1f} MB ", end="", file=sys.stderr)
        if done >= wanted[len(seen)]:
            seen.append((done, memory_mb(server.pid)))
    print(file=sys.stderr)
    for count, memory in seen:
        print(f"memory after {count:,} requests: {memory:.2f} MB")
    print(f"  ratio {seen[1][1] / seen[0][1]:.4f}")
    server.stop()


def many_loads(folder, options):
    for kind, model in KINDS.items():
        server = Weir(folder, MODELS / model)
        seen = []
        for number in range(options.loads):
            for verb in ("unload", "load"):
                post(f"{server.base}/v2/repository/models/electricity/{verb}", "{}")
            if number in (options.loads // 10 - 1, options.loads - 1):
                answer = json.loads(post(server.url, body_of(ROWS[0])))
                assert abs(answer["outputs"][1]["data"][1] - EXPECTED[0]) < 1e-6, answer
                seen.append(memory_mb(server.pid))
        print(f"{kind}: memory after {options.loads // 10:,} loads and unloads {seen[0]:.2f} MB, "
              f"after {options.loads:,} {seen[1]:.2f} MB; ratio {seen[1] / seen[0]:.4f}")
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--loads", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=9, help="rounds (9)")
    parser.add_argument("--seconds", type=int, default=2, help="of load per setting and round (2)")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    bodies = pathlib.Path(folder) / "bodies"
    bodies.write_text("\n".join(map(body_of, ROWS)) + "\n")
    os.environ["WEIR_BENCH_BODIES"] = str(bodies)
    many_models(folder, options)
    many_loads(folder, options)
    many_requests(folder, options)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
