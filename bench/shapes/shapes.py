"""Many rows and wide rows: 100 rows of the electricity set in a request, as JSON and as binary
tensors, against raw runs of the same rows in the same library; 784 values through a model that
computes nothing, as binary tensors, against a static answer of the same bytes from nginx.

Servers run on core 0, the load (wrk, 16 connections) on core 1; settings take turns. `part of the
floor` is what the floor takes divided by what Weir takes, CPU time per request: 1 would be no cost
at all. Median over the rounds and a 95 % interval of the median (order statistics).
"""
import argparse
import pathlib
import shutil
import struct
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "load"))
from load import *  # noqa: F403 (the bench next door)

BATCH, WIDTH = 100, 784


def binary_request(name, rows):
    """Head and body of a V2 request with one FP32 tensor behind its JSON."""
    values = [value for row in rows for value in row]
    data = struct.pack(f"<{len(values)}f", *values)
    head = json.dumps({
        "inputs": [{"name": name, "shape": [len(rows), len(rows[0])], "datatype": "FP32",
                    "parameters": {"binary_data_size": len(data)}}],
        "parameters": {"binary_data_output": True}}, separators=(",", ":")).encode()
    return len(head), head + data


class Setting:
    """A server, its request and its floor in µs of CPU."""

    def __init__(self, name, server, floor, body=None, json_bytes=0):
        self.name, self.server, self.floor = name, server, floor
        self.body, self.json_bytes, self.results = body, json_bytes, []

    def run(self, seconds):
        os.environ["WEIR_BENCH_BODY"] = str(self.body or "")
        os.environ["WEIR_BENCH_JSON_BYTES"] = str(self.json_bytes)
        self.results.append(load(self.server, seconds))


def ask(server, json_bytes, body):
    request = urllib.request.Request(server.url, body, {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(json_bytes)})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.headers["Inference-Header-Content-Length"]), answer.read()


class Wide(Weir):
    """Serves the model that computes nothing."""

    def __init__(self, folder):
        self.data = tempfile.mkdtemp(dir=folder)
        Process.__init__(
            self, [WEIR, "serve", "--listen", "127.0.0.1:0", "--threads", "1", "--data", self.data,
                   "--model", f"identity={MODELS / 'identity.onnx'}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.base = self.process.stdout.readline().split("serves on ")[1].split(",")[0]
        self.url = self.base + "/v2/models/identity/infer"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9, help="rounds (9)")
    parser.add_argument("--seconds", type=int, default=2, help="of load per setting and round (2)")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-bench-"))

    rows = ROWS[:BATCH]
    electricity = Weir(folder, MODELS / "electricity_v1.onnx")
    many_json = folder / "many.json"
    many_json.write_text(json.dumps({"inputs": [
        {"name": "input", "shape": [BATCH, 8], "datatype": "FP32",
         "data": [value for row in rows for value in row]}]}, separators=(",", ":")))
    json_bytes, binary = binary_request("input", rows)
    many_binary = folder / "many.bin"
    many_binary.write_bytes(binary)
    _, answered = ask(electricity, json_bytes, binary)
    found = struct.unpack(f"<{2 * BATCH}f", answered[-8 * BATCH:])[1::2]
    assert max(abs(a - b) for a, b in zip(found, EXPECTED)) < 1e-6

    wide = Wide(folder)
    picture = [[(i % 251) / 251 for i in range(WIDTH)]]
    wide_bytes, wide_body = binary_request("x", picture)
    wide_file = folder / "wide.bin"
    wide_file.write_bytes(wide_body)
    head, echoed = ask(wide, wide_bytes, wide_body)
    assert echoed[head:] == wide_body[wide_bytes:]
    static = Nginx(folder, "x" * len(echoed))

    settings = [
        Setting(f"{BATCH} rows, JSON", electricity, "raw", many_json),
        Setting(f"{BATCH} rows, binary", electricity, "raw", many_binary, json_bytes),
        Setting(f"{WIDTH} values, binary", wide, "static", wide_file, wide_bytes),
        Setting("nginx, the same bytes", static, None, wide_file, wide_bytes)]
    for setting in settings:
        setting.run(1)
        setting.results.clear()
    raw = []
    for number in range(options.pairs):
        raw.append(raw_run_us(BATCH, repetitions=1))
        for setting in settings:
            setting.run(options.seconds)
        print(f"\rround {number + 1} of {options.pairs}", end="", file=sys.stderr)
    print(file=sys.stderr)

    print(f"{'':24}{'CPU µs':>9}{'req/s':>9}{'rows/s':>10}   part of the floor")
    floors = {"raw": raw, "static": [r["cpu_us"] for r in settings[-1].results]}
    for setting in settings:
        rate = median([r["rate"] for r in setting.results])
        count = BATCH if setting.floor == "raw" else 1
        line = (f"{setting.name:24}{median([r['cpu_us'] for r in setting.results]):>9.1f}"
                f"{rate:>9.0f}{rate * count:>10.0f}")
        if setting.floor:
            parts = [f / r["cpu_us"] for f, r in zip(floors[setting.floor], setting.results)]
            low, high = interval(parts)
            line += f"   {median(parts):.3f} (95 % {low:.3f} to {high:.3f})"
        print(line)
    print(f"{'raw Run(), 100 rows':24}{median(raw):>9.1f}{'':9}{BATCH * 1e6 / median(raw):>10.0f}")
    for server in (electricity, wide, static):
        server.stop()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
