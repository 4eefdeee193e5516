"""What a slow neighbour costs a fast model: one server with one loop on core 0 serves a forest of
about 10 µs a row and an ONNX model of about 50 ms; the load comes from core 1. Rounds with and
without callers of the slow model take turns; the fast one is called at about half of its capacity.
Shown: median of its p50 and p99, and the ratio within rounds with a 95 % interval of the median.
"""
import argparse
import pathlib
import shutil
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "load"))
from load import *  # noqa: F403 (the bench next door)


class Callers:
    """Threads that call the slow model one request after the other."""

    def __init__(self, url, count):
        self.url, self.is_over, self.answered = url, False, 0
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.is_over:
            post(self.url, body_of(ROWS[0]))
            self.answered += 1

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9, help="rounds (9)")
    parser.add_argument("--seconds", type=int, default=3, help="of load per setting and round (3)")
    parser.add_argument("--connections", type=int, default=16, help="to the fast model (16)")
    parser.add_argument("--callers", type=int, default=4, help="of the slow model (4)")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="weir-bench-")
    bodies = pathlib.Path(folder) / "bodies"
    bodies.write_text("\n".join(map(body_of, ROWS)) + "\n")
    os.environ["WEIR_BENCH_BODIES"] = str(bodies)
    server = Weir(folder, MODELS / "electricity_v1.ubj", "--model", f"slow={MODELS / 'slow.onnx'}")
    slow_url = server.base + "/v2/models/slow/infer"
    load(server, 1)
    results = {"alone": [], "beside the slow one": []}
    answered = 0
    for number in range(options.pairs):
        for name in sorted(results, reverse=number % 2 == 1):
            callers = Callers(slow_url, options.callers) if name != "alone" else None
            results[name].append(load(server, options.seconds, options.connections, rest_ms=1))
            if callers:
                callers.stop()
                answered += callers.answered
        print(f"\rround {number + 1} of {options.pairs}", end="", file=sys.stderr)
    print(file=sys.stderr)
    print(f"{'the fast model':24}{'req/s':>9}{'p50 µs':>8}{'p99 µs':>8}")
    for name, rounds in results.items():
        print(f"{name:24}" + "".join(f"{median([r[k] for r in rounds]):>{w}.0f}" for k, w in (
            ("rate", 9), ("p50", 8), ("p99", 8))))
    for what in ("p50", "p99"):
        print(f"beside / alone, {what}: {ratio(results, 'beside the slow one', 'alone', what)}")
    print(f"the slow model answered {answered / options.pairs / options.seconds:.1f} requests/s")
    server.stop()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
