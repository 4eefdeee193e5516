"""curl, as people type it."""
import json
import shutil
import subprocess

from v2.verdicts import PATIENCE_S, NotRun, client


def curl(*arguments, body=None):
    """The status, and the body as JSON."""
    program = shutil.which("curl")
    if not program:
        raise NotRun("no curl here")
    done = subprocess.run(
        [program, "--silent", "--show-error", "--write-out", "\n%{http_code}", "--noproxy", "*",
         "--max-time", str(PATIENCE_S), *arguments], input=body, capture_output=True)
    assert done.returncode == 0, f"curl ended with {done.returncode}: {done.stderr.decode()[:100]}"
    text, status = done.stdout.rsplit(b"\n", 1)
    return int(status), text


TITLE = "asks and infers, also with a big and a compressed body"


@client("curl", "REST", TITLE)
def test_curl_asks_and_infers(server, model):
    status, text = curl(server.url + "/v2/health/ready")
    assert status == 200, f"health: {status}"
    body = json.dumps(model.json_request()).encode()
    status, text = curl("-H", "Content-Type: application/json", "--data-binary", "@-",
                        server.url + server.model_path(model) + "/infer", body=body)
    assert status == 200, f"infer: {status} {text[:80]!r}"
    assert json.loads(text)["model_name"] == model.name
    status, text = curl(server.url + "/v2/models/no-such-model")
    assert status == 404 and json.loads(text)["error"], f"unknown model: {status} {text[:80]!r}"


@client("curl", "REST", TITLE)
def test_curl_with_a_big_body(server, target):
    model = target.reference("two_inputs")
    # Above 1 MiB curl sends 'Expect: 100-continue' and waits for the answer to it.
    body = json.dumps(model.json_request(rows=100_000)).encode()
    assert len(body) > 1 << 20
    status, text = curl("--compressed", "-H", "Content-Type: application/json", "--data-binary",
                        "@-", server.url + server.model_path(model) + "/infer", body=body)
    assert status == 200, f"infer: {status} {text[:80]!r}"
    assert json.loads(text)["outputs"][0]["shape"] == [100_000, 2]
    status, text = curl("-H", "Transfer-Encoding: chunked", "-H", "Content-Type: application/json",
                        "--data-binary", "@-", server.url + server.model_path(model) + "/infer",
                        body=body)
    assert status == 200, f"infer in chunks: {status} {text[:80]!r}"
