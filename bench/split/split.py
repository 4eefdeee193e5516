"""The split as users meet it: a million keys at each stage of a rollout, over HTTP, and what the
ledger says afterwards. Shown for each stage: keys, share of the candidate, distance from the
planned share in standard errors of a binomial share. Then: keys that fell back to the old version
while the canary grew (must be 0)."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

SOURCE = pathlib.Path(__file__).resolve().parents[2]
MODELS = SOURCE / "tests/data/models"
WEIR = os.environ["WEIR"]
STAGES = (5, 25, 50)


def post(url, body, content_type="application/json"):
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def sql(base, query):
    answer = post(f"{base}/api/v1/sql", json.dumps({"query": query}).encode())
    return answer["rows"]


def send_keys(base, keys, body):
    """Sends at least the keys user-0 … user-(keys-1), each once or, at a seam, twice."""
    sent = 0
    while sent < keys:
        environment = {**os.environ, "WEIR_BENCH_FIRST": str(sent), "WEIR_BENCH_BODY": body}
        done = subprocess.run(
            ["wrk", "-t1", "-c16", "-d5s", "-s", str(SOURCE / "bench/split/keys.lua"),
             f"{base}/v2/models/electricity/infer"],
            env=environment, capture_output=True, text=True, check=True)
        if "Non-2xx" in done.stdout:
            sys.exit(f"requests were refused:\n{done.stdout}")
        sent += int(re.search(r"(\d+) requests in", done.stdout)[1])
        print(f"\r{min(sent, keys):,} keys of {keys:,}", end="", file=sys.stderr)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=1_000_000, help="at each stage (1000000)")
    keys = parser.parse_args().keys
    rows = json.loads((MODELS / "electricity_rows.json").read_text())["rows"]
    body = json.dumps({"inputs": [
        {"name": "input", "shape": [1, 8], "datatype": "FP32", "data": rows[0]}]})
    with tempfile.TemporaryDirectory(prefix="weir-split-") as data:
        server = subprocess.Popen(
            [WEIR, "serve", "--listen", "127.0.0.1:0", "--data", data,
             "--model", f"electricity={MODELS / 'electricity_v1.ubj'}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            base = server.stdout.readline().split("serves on ")[1].split(",")[0]
            stages = ",".join(map(str, STAGES)) + ",100"
            post(f"{base}/api/v1/endpoints/electricity/deploy?stages={stages}&file_name=v2.onnx",
                 (MODELS / "electricity_v1.onnx").read_bytes(), "application/octet-stream")
            for place, _ in enumerate(STAGES):
                if place > 0:
                    post(f"{base}/api/v1/endpoints/electricity/promote", b"")
                send_keys(base, keys, body)
            failed = report(base, keys)
        finally:
            server.terminate()
            server.wait()
    sys.exit(failed)


def report(base, keys):
    failed = 0
    shares = sql(base, "select stage, count(distinct key_hash) as keys, count(distinct key_hash) "
                       "filter (arm = 'candidate') as candidates, count(*) as records from "
                       "electricity group by all order by candidates")
    print(f"{'stage':>8}{'records':>12}{'keys':>12}{'candidate %':>13}{'standard errors':>17}")
    for planned, row in zip(STAGES, shares):
        n, p = row["keys"], planned / 100
        share = row["candidates"] / n
        distance = (share - p) / (p * (1 - p) / n) ** 0.5
        failed |= n < keys or abs(distance) > 4
        print(f"{planned:>6} %{row['records']:>12,}{n:>12,}{100 * share:>13.3f}{distance:>17.2f}")
    moved = sql(base, "select count(*) as keys from (select key_hash from electricity group by "
                      "key_hash having min(time) filter (arm = 'candidate') < "
                      "max(time) filter (arm = 'primary'))")[0]["keys"]
    both = sql(base, "select count(*) as keys from (select key_hash from electricity group by "
                     "key_hash, stage having count(distinct arm) > 1)")[0]["keys"]
    print(f"keys that fell back to the old version while the canary grew: {moved}")
    print(f"keys with two arms in one stage: {both}")
    return 1 if failed or moved or both else 0


if __name__ == "__main__":
    main()
