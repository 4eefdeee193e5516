"""What HTTP brings along: encodings, names and traces, cross-origin, logs, limits, TLS."""
import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import zlib

import pytest

import weir
from steady import certificate

ROWS, PROBABILITIES = weir.electricity_rows()
E = "electricity"
ONNX = weir.MODELS / "electricity_v1.onnx"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = f"00-{TRACE_ID}-b7ad6b7169203331-01"


def configured(tmp_path, text):
    path = tmp_path / "weir.yaml"
    path.write_text(text)
    return ["--config", path]


def many_rows(count, **members):
    data = [value for i in range(count) for value in ROWS[i % len(ROWS)]]
    return {"inputs": [{"name": "input", "shape": [count, 8], "datatype": "FP32", "data": data}],
            **members}


def score(answer):
    output = next(o for o in answer.json()["outputs"] if o["name"] == "probabilities")
    return output["data"][1]


# --- encodings ------------------------------------------------------------------------------------

@pytest.mark.parametrize("accepted, encoding", [
    ("gzip", "gzip"), ("deflate", "deflate"), ("gzip;q=0.2, deflate;q=0.7", "deflate"),
    ("gzip;q=0", None), ("identity, gzip;q=0.5", None), ("br", None)])
def test_answers_in_the_encoding_that_weighs_most(electricity, accepted, encoding):
    answer = electricity.infer(E, many_rows(100), headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding") == encoding
    body = answer.body
    if encoding == "gzip":
        body = gzip.decompress(body)
    elif encoding == "deflate":
        body = zlib.decompress(body)
    assert len(json.loads(body)["outputs"][1]["data"]) == 200


def test_short_answers_are_not_compressed(data, tmp_path):
    options = configured(tmp_path, "server:\n  compress_min_bytes: 64KiB\n")
    with weir.serve(data, {E: ONNX}, *options) as server:
        accept = {"Accept-Encoding": "gzip"}
        small = server.infer(E, many_rows(100), headers=accept)
        assert small.headers.get("Content-Encoding") is None and len(small.body) < 64 * 1024
        large = server.infer(E, many_rows(5000), headers=accept)
        assert large.headers.get("Content-Encoding") == "gzip"


def test_binary_tensors_may_be_compressed_both_ways(electricity):
    head = json.dumps({
        "inputs": [{"name": "input", "shape": [200, 8], "datatype": "FP32",
                    "parameters": {"binary_data_size": 200 * 32}}],
        "parameters": {"binary_data_output": True}}).encode()
    tensor = b"".join(struct.pack("<8f", *ROWS[i % len(ROWS)]) for i in range(200))
    headers = {"Inference-Header-Content-Length": str(len(head)),
               "Content-Type": "application/octet-stream"}
    plain = electricity.infer(E, head + tensor, headers=headers)
    assert plain.status == 200, plain.body
    for encoding, pack, unpack in (("gzip", gzip.compress, gzip.decompress),
                                   ("deflate", zlib.compress, zlib.decompress)):
        answer = electricity.infer(
            E, pack(head + tensor),
            headers={**headers, "Content-Encoding": encoding, "Accept-Encoding": encoding})
        assert answer.status == 200, answer.body
        assert answer.headers["Content-Encoding"] == encoding
        assert len(answer.body) < len(plain.body)
        body = unpack(answer.body)
        # The length counts bytes of the answer as it is, not as it travels.
        json_bytes = int(answer.headers["Inference-Header-Content-Length"])
        outputs = json.loads(body[:json_bytes])["outputs"]
        sizes = [o["parameters"]["binary_data_size"] for o in outputs]
        assert json_bytes + sum(sizes) == len(body)
        assert body[json_bytes:] == plain.body[int(
            plain.headers["Inference-Header-Content-Length"]):]


def test_a_bomb_is_refused(electricity):
    for pack, encoding in ((gzip.compress, "gzip"), (zlib.compress, "deflate")):
        bomb = pack(b" " * (65 << 20))
        answer = electricity.infer(E, bomb, headers={"Content-Encoding": encoding})
        assert answer.status == 413 and "decompressed" in answer.error
    assert electricity.infer(E, weir.electricity_body(ROWS[0])).status == 200


# --- methods --------------------------------------------------------------------------------------

def test_other_methods_are_told_what_there_is(electricity):
    for path, allowed in ((f"/v2/models/{E}/infer", "POST, OPTIONS"),
                          ("/v2/health/ready", "GET, HEAD, OPTIONS"),
                          ("/metrics", "GET, HEAD, OPTIONS"), ("/", "GET, HEAD, OPTIONS"),
                          ("/api/v1/sql", "POST, OPTIONS"),
                          ("/api/v1/endpoints", "GET, HEAD, OPTIONS")):
        refused = electricity.request("PATCH", path)
        assert refused.status == 405 and refused.headers["Allow"] == allowed, path
        asked = electricity.request("OPTIONS", path)
        assert asked.status == 204 and asked.headers["Allow"] == allowed and not asked.body
    assert electricity.request("OPTIONS", "*").status == 204


def test_head_is_get_without_a_body(electricity):
    for path in ("/v2", "/v2/health/live", f"/v2/models/{E}", "/metrics", "/api/v1/status"):
        head = electricity.request("HEAD", path)
        assert head.status == 200 and head.body == b"" and int(head.headers["Content-Length"]) > 0


def test_pages_of_allowed_origins(data, tmp_path):
    options = configured(tmp_path, "server:\n  cors_origins: ['https://page.example']\n"
                                   "  protect_predictions: true\n")
    token = tmp_path / "token"
    token.write_text("secret")
    with weir.serve(data, {E: ONNX}, *options, "--token-file", token) as server:
        preflight = server.request("OPTIONS", f"/v2/models/{E}/infer", headers={
            "Origin": "https://page.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type"})
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://page.example"
        assert preflight.headers["Access-Control-Allow-Headers"] == "authorization,content-type"
        answer = server.infer(E, weir.electricity_body(ROWS[0]), headers={
            "Origin": "https://page.example", "Authorization": "Bearer secret"})
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "https://page.example"
        other = server.request("OPTIONS", f"/v2/models/{E}/infer", headers={
            "Origin": "https://evil.example", "Access-Control-Request-Method": "POST"})
        assert "Access-Control-Allow-Origin" not in other.headers and other.status == 401


# --- names and traces -----------------------------------------------------------------------------

def found(server, query):
    return weir.wait_for(lambda: server.sql(query), query)


def test_the_request_id_names_the_record(electricity):
    for header in ("x-request-id", "Ce-Id"):
        answer = electricity.infer(E, weir.electricity_body(ROWS[0]), headers={header: f"r-{header}"})
        assert answer.json()["id"] == f"r-{header}"
        assert answer.headers["X-Request-Id"] == f"r-{header}"
        assert found(electricity, f"SELECT id FROM {E} WHERE id = 'r-{header}'")
    both = electricity.infer(E, weir.electricity_body(ROWS[0], id="of-the-body"),
                             headers={"x-request-id": "of-the-header"})
    assert both.json()["id"] == "of-the-body"
    assert both.headers["X-Request-Id"] == "of-the-header"


def test_a_trace_is_found_by_sql(electricity):
    answer = electricity.infer(E, weir.electricity_body(ROWS[0], id="traced"),
                               headers={"traceparent": TRACE})
    assert answer.status == 200
    electricity.infer(E, weir.electricity_body(ROWS[0], id="broken"),
                      headers={"traceparent": TRACE.replace("00-", "zz-")})
    found(electricity, f"SELECT id FROM {E} WHERE id = 'broken'")
    rows = electricity.sql(f"SELECT id FROM {E} WHERE split_part(traceparent, '-', 2) = '{TRACE_ID}'")
    assert rows == [{"id": "traced"}]


def test_a_trace_goes_on_to_a_remote_backend(data, tmp_path):
    with weir.serve(tmp_path / "behind", {E: ONNX}) as behind:
        remote = tmp_path / "m.remote"
        remote.write_text(f"{behind.url}/v2/models/{E}\n")
        with weir.serve(data, {"front": remote}) as front:
            answer = front.infer("front", weir.electricity_body(ROWS[0]),
                                 headers={"traceparent": TRACE, "tracestate": "a=b"})
            assert answer.status == 200, answer.body
            assert found(behind, f"SELECT id FROM {E} WHERE traceparent = '{TRACE}'")


# --- the access log -------------------------------------------------------------------------------

def test_the_access_log(data, tmp_path):
    log = tmp_path / "access.json"
    options = configured(tmp_path, f"server:\n  access_log: {{path: {log}}}\n")
    with weir.serve(data, {E: ONNX}, *options) as server:
        answer = server.infer(E, weir.electricity_body(ROWS[0]), headers={"traceparent": TRACE})
        server.get("/nowhere?password=hush")
        lines = weir.wait_for(lambda: log.read_text().count("\n") >= 2 and log.read_text(), "lines")
        predicted, missing = map(json.loads, lines.splitlines())
        assert predicted["path"] == f"/v2/models/{E}/infer" and predicted["status"] == 200
        assert predicted["method"] == "POST" and predicted["peer"].startswith("127.0.0.1:")
        assert predicted["id"] == answer.json()["id"] and predicted["traceparent"] == TRACE
        assert predicted["request_bytes"] > 100 and predicted["answer_bytes"] == len(answer.body)
        assert predicted["duration_us"] > 0
        assert missing["status"] == 404 and "hush" not in lines
        # Rotation.
        log.rename(tmp_path / "old")
        server.process.send_signal(signal.SIGHUP)
        weir.wait_for(log.exists, "the new file")
        weir.wait_for(lambda: server.get("/v2") and log.read_text(), "a line in the new file")


def test_the_access_log_holds_only_errors_when_nothing_is_sampled(data, tmp_path):
    log = tmp_path / "access.json"
    options = configured(tmp_path, f"server:\n  access_log: {{path: {log}, sample: 0}}\n")
    with weir.serve(data, {E: ONNX}, *options) as server:
        for _ in range(20):
            server.infer(E, weir.electricity_body(ROWS[0]))
        server.infer(E, "{}")
    lines = log.read_text().splitlines()
    assert len(lines) == 1 and json.loads(lines[0])["status"] == 400


# --- rate limits ----------------------------------------------------------------------------------

def test_a_client_that_asks_too_often(data, tmp_path):
    options = configured(
        tmp_path, "server:\n  rate_limit: {header: x-api-key, per_second: 0.01, burst: 3}\n")
    with weir.serve(data, {E: ONNX}, *options) as server:
        body = weir.electricity_body(ROWS[0])
        connection = server.connect()

        def ask(key):
            return server.infer(E, body, headers={"x-api-key": key}, connection=connection)

        assert [ask("a").status for _ in range(4)] == [200, 200, 200, 429]
        refused = ask("a")
        assert refused.status == 429 and 90 <= int(refused.headers["Retry-After"]) <= 100
        assert "rate_limit" in refused.error
        assert ask("b").status == 200
        # Control, health and metrics are not counted.
        for path in ("/v2/health/ready", "/api/v1/status"):
            assert server.request("GET", path, headers={"x-api-key": "a"}).status == 200
        assert 'weir_http_refused_total{reason="rate_limit"} 2' in server.get("/metrics").body.decode()
        # Without the header a client is its address.
        assert [server.infer(E, body).status for _ in range(4)] == [200, 200, 200, 429]


# --- TLS ------------------------------------------------------------------------------------------

def https(server, trusted):
    context = ssl.create_default_context(cafile=str(trusted))
    context.set_alpn_protocols(["http/1.1"])
    return http.client.HTTPSConnection(server.host, server.port, context=context, timeout=60)


def test_tls_with_a_certificate_that_is_exchanged(data, tmp_path):
    first, first_key = certificate(tmp_path / "first", "first")
    second, second_key = certificate(tmp_path / "second", "second")
    used, key = tmp_path / "used.pem", tmp_path / "used.key"
    shutil.copy(first, used)
    shutil.copy(first_key, key)
    flags = ["--tls-certificate", used, "--tls-key", key]
    with weir.serve(data, {E: ONNX}, *flags) as server:
        assert server.url.startswith("https://")
        command = ["status", E, "--server", server.url]
        done = weir.cli(*command, env={**os.environ, "SSL_CERT_FILE": str(first)})
        assert E in done.stdout
        done = weir.cli(*command, check=False)
        assert done.returncode == 1 and "SSL_CERT_FILE" in done.stderr
        old = https(server, first)
        answer = server.infer(E, many_rows(3000), connection=old)
        assert answer.status == 200 and old.sock.selected_alpn_protocol() == "http/1.1"

        def exchange(new, new_key, tell):
            for source, target in ((new, used), (new_key, key)):
                shutil.copy(source, f"{target}.new")
                os.replace(f"{target}.new", target)
            tell()
            connection = weir.wait_for(lambda: trusted(new), "the new certificate")
            assert server.infer(E, many_rows(1), connection=connection).status == 200

        def trusted(ca):
            connection = https(server, ca)
            try:
                connection.connect()
                return connection
            except ssl.SSLError:
                return None

        # By a signal, then by the files alone.
        exchange(second, second_key, lambda: server.process.send_signal(signal.SIGHUP))
        exchange(first, first_key, lambda: None)
        assert server.infer(E, many_rows(1), connection=old).status == 200
        # What is broken changes nothing, and the log names the file.
        key.write_text("nonsense")
        weir.wait_for(lambda: str(key) in server.log(), "the reason in the log")
        assert trusted(first)


def test_tls_that_cannot_be(data, tmp_path):
    good, key = certificate(tmp_path / "a", "a")
    for flags, part in ((["--tls-certificate", good], "--tls-key"),
                        (["--tls-certificate", "/no/such", "--tls-key", key], "/no/such"),
                        (["--tls-certificate", key, "--tls-key", key], str(key))):
        done = weir.cli("serve", "--listen", "127.0.0.1:0", "--data", data, *flags, check=False)
        assert done.returncode == 1 and part in done.stderr, done.stderr


# --- framing --------------------------------------------------------------------------------------

def exchange(server, text):
    with socket.create_connection((server.host, server.port), timeout=60) as client:
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer


def test_pipelined_chunked_and_expecting(electricity):
    body = json.dumps(weir.electricity_body(ROWS[0])).encode()
    head = f"POST /v2/models/{E}/infer HTTP/1.1\r\nHost: x\r\n".encode()
    plain = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunks = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(
        b"%x\r\n%s\r\n" % (len(body[i:i + 7]), body[i:i + 7]) for i in range(0, len(body), 7)
    ) + b"0\r\n\r\n"
    answer = exchange(electricity, plain + chunks + plain)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    with socket.create_connection((electricity.host, electricity.port), timeout=60) as client:
        client.sendall(head + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
