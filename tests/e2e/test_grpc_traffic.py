"""gRPC beside HTTP: names and traces, access log, rate limits, metrics, TLS, routing keys, and a
successor that takes over."""
import json
import os
import re
import shutil
import signal
import threading

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2

import weir
from grpc_client import Code, connect, refused, request, stub_of
from steady import Load, certificate

ROWS, _ = weir.electricity_rows()
E = "electricity"
ONNX = weir.MODELS / "electricity_v1.onnx"
INFER = "/inference.GRPCInferenceService/ModelInfer"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = f"00-{TRACE_ID}-b7ad6b7169203331-01"


def configured(tmp_path, text):
    path = tmp_path / "weir.yaml"
    path.write_text(text)
    return ["--config", path]


def found(server, query):
    return weir.wait_for(lambda: server.sql(query), query)


def metric(server, name):
    """One number of /metrics; `name` with its labels."""
    text = server.get("/metrics").body.decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])


@pytest.fixture
def stub(electricity):
    with connect(electricity) as channel:
        yield stub_of(channel)


# --- names and traces -----------------------------------------------------------------------------

def test_the_request_id_names_the_record(electricity, stub):
    for name in ("x-request-id", "ce-id"):
        answer, call = stub.ModelInfer.with_call(request(E), metadata=[(name, f"r-{name}")])
        assert answer.id == f"r-{name}"
        assert dict(call.initial_metadata())["x-request-id"] == f"r-{name}"
        assert found(electricity, f"SELECT id FROM {E} WHERE id = 'r-{name}'")
    of_header = [("x-request-id", "of-the-header")]
    answer, call = stub.ModelInfer.with_call(request(E, id="of-the-body"), metadata=of_header)
    assert answer.id == "of-the-body"
    assert dict(call.initial_metadata())["x-request-id"] == "of-the-header"
    error = refused(Code.NOT_FOUND, lambda: stub.ModelInfer(request("nobody"), metadata=of_header))
    assert dict(error.initial_metadata())["x-request-id"] == "of-the-header"
    # Whose call it is not: what a call before brought is forgotten, and so is what is no id.
    for metadata in ([], [("x-request-id", "not an id")]):
        answer, call = stub.ModelInfer.with_call(request(E), metadata=metadata)
        assert len(answer.id) == 36 and "x-request-id" not in dict(call.initial_metadata())


def test_a_stream_is_named_by_its_messages(electricity, stub):
    call = stub.ModelStreamInfer(iter([request(E), request(E, id="own")]),
                                 metadata=[("x-request-id", "of-all"), ("traceparent", TRACE)])
    ids = [answer.infer_response.id for answer in call]
    assert len(ids[0]) == 36 and ids[1] == "own"
    assert dict(call.initial_metadata())["x-request-id"] == "of-all"
    rows = weir.wait_for(
        lambda: len(rows := electricity.sql(
            f"SELECT id FROM {E} WHERE traceparent = '{TRACE}'")) == 2 and rows, "both records")
    assert {row["id"] for row in rows} == set(ids)


def test_a_trace_is_found_by_sql_and_goes_on(tmp_path):
    with weir.serve(tmp_path / "behind", {E: ONNX}) as behind:
        remote = tmp_path / "m.remote"
        remote.write_text(f"{behind.url}/v2/models/{E}\n")
        with weir.serve(tmp_path / "front", {E: remote}) as front, connect(front) as channel:
            stub = stub_of(channel)
            broken = TRACE.replace("00-", "zz-")
            stub.ModelInfer(request(E, id="broken"), metadata=[("traceparent", broken)])
            stub.ModelInfer(request(E, id="traced"),
                            metadata=[("traceparent", TRACE), ("tracestate", "a=b")])
            for server in (front, behind):
                traced = found(server, f"SELECT id FROM {E} WHERE traceparent = '{TRACE}'")
                assert len(traced) == 1
            query = f"SELECT traceparent FROM {E} WHERE id = 'broken'"
            assert found(front, query) == [{"traceparent": None}]


# --- the access log -------------------------------------------------------------------------------

def test_the_access_log(data, tmp_path):
    log = tmp_path / "access.json"
    options = configured(tmp_path, f"server:\n  access_log: {{path: {log}}}\n")
    with weir.serve(data, {E: ONNX}, *options) as server, connect(server) as channel:
        stub = stub_of(channel)

        def lines(count):
            text = weir.wait_for(
                lambda: log.read_text().count("\n") >= count and log.read_text(), f"{count} lines")
            return [json.loads(line) for line in text.splitlines()]

        answer = stub.ModelInfer(request(E), metadata=[("traceparent", TRACE)])
        refused(Code.NOT_FOUND, lambda: stub.ModelInfer(
            request("nobody"), metadata=[("x-request-id", "mine")]))
        stub.ServerLive(service_pb2.ServerLiveRequest())
        streamed = list(stub.ModelStreamInfer(iter([request(E), request("nobody")])))
        predicted, missing, live, first, second = lines(5)
        assert predicted["path"] == INFER and predicted["method"] == "POST"
        assert (predicted["status"], predicted["grpc_status"]) == (200, 0)
        assert re.fullmatch(r"127\.0\.0\.1:\d+", predicted["peer"])
        assert predicted["id"] == answer.id and predicted["traceparent"] == TRACE
        assert predicted["request_bytes"] == request(E).ByteSize()
        assert predicted["answer_bytes"] == answer.ByteSize()
        assert predicted["duration_us"] > 0
        assert missing["grpc_status"] == Code.NOT_FOUND.value[0] and missing["id"] == "mine"
        assert live["path"].endswith("/ServerLive") and live["grpc_status"] == 0
        assert first["id"] == streamed[0].infer_response.id and first["grpc_status"] == 0
        assert second["grpc_status"] == Code.NOT_FOUND.value[0]
        # HTTP writes into the same file.
        server.get("/v2")
        assert lines(6)[5]["path"] == "/v2" and "grpc_status" not in lines(6)[5]


def test_the_access_log_holds_only_errors_when_nothing_is_sampled(data, tmp_path):
    log = tmp_path / "access.json"
    options = configured(tmp_path, f"server:\n  access_log: {{path: {log}, sample: 0}}\n")
    with weir.serve(data, {E: ONNX}, *options) as server, connect(server) as channel:
        stub = stub_of(channel)
        for _ in range(20):
            stub.ModelInfer(request(E))
        refused(Code.NOT_FOUND, lambda: stub.ModelInfer(request("nobody")))
    lines = log.read_text().splitlines()
    assert [json.loads(line)["grpc_status"] for line in lines] == [Code.NOT_FOUND.value[0]]


# --- rate limits ----------------------------------------------------------------------------------

def test_a_client_that_asks_too_often(data, tmp_path):
    options = configured(
        tmp_path, "server:\n  rate_limit: {header: X-Api-Key, per_second: 0.01, burst: 3}\n")
    with weir.serve(data, {E: ONNX}, *options) as server, connect(server) as channel:
        stub = stub_of(channel)
        a = [("x-api-key", "a")]
        for _ in range(3):
            stub.ModelInfer(request(E), metadata=a)
        error = refused(Code.RESOURCE_EXHAUSTED,
                        lambda: stub.ModelInfer(request(E), metadata=a), "rate_limit")
        trailer = dict(error.trailing_metadata())
        assert 90 <= int(trailer["retry-after"]) <= 100
        assert 90_000 <= int(trailer["grpc-retry-pushback-ms"]) <= 100_000
        # The bucket is that of HTTP.
        body = weir.electricity_body(ROWS[0])
        assert server.infer(E, body, headers={"X-Api-Key": "a"}).status == 429
        # What else is asked about a model counts, and so does each message of a stream.
        metadata = service_pb2.ModelMetadataRequest(name=E)
        refused(Code.RESOURCE_EXHAUSTED, lambda: stub.ModelMetadata(metadata, metadata=a))
        b = [("x-api-key", "b")]
        answers = list(stub.ModelStreamInfer(iter([request(E)] * 4), metadata=b))
        assert [bool(answer.error_message) for answer in answers] == [False] * 3 + [True]
        assert "rate_limit" in answers[3].error_message
        ends = stub.ModelStreamInfer(
            iter([request(E)]), metadata=[*b, ("triton_grpc_error", "true")])
        error = refused(Code.RESOURCE_EXHAUSTED, lambda: next(ends))
        assert dict(error.trailing_metadata())["retry-after"]
        # Health and the server itself are not counted.
        for _ in range(4):
            assert stub.ServerReady(service_pb2.ServerReadyRequest(), metadata=a).ready
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), metadata=a)
        # Without the entry a client is its address.
        for _ in range(3):
            stub.ModelInfer(request(E))
        refused(Code.RESOURCE_EXHAUSTED, lambda: stub.ModelInfer(request(E)))
        assert metric(server, 'weir_grpc_refused_total{reason="rate_limit"}') == 5
        assert metric(server, 'weir_http_refused_total{reason="rate_limit"}') == 1


# --- metrics --------------------------------------------------------------------------------------

def test_calls_are_counted(electricity, stub):
    before = metric(electricity, "weir_grpc_requests_total")
    for _ in range(5):
        stub.ModelInfer(request(E))
    stub.ServerLive(service_pb2.ServerLiveRequest())
    assert metric(electricity, "weir_grpc_requests_total") == before + 6
    assert metric(electricity, "weir_grpc_connections") == 1
    held = threading.Event()
    stream = stub.ModelStreamInfer(iter(lambda: held.wait(weir.PATIENCE_S), True))
    weir.wait_for(lambda: metric(electricity, "weir_grpc_requests_in_flight") == 1, "the stream")
    stream.cancel()
    weir.wait_for(lambda: metric(electricity, "weir_grpc_requests_in_flight") == 0, "its end")
    assert metric(electricity, "weir_grpc_cancelled_total") == 1
    held.set()
    electricity.post(f"/v2/repository/models/{E}/unload")
    error = refused(Code.UNAVAILABLE, lambda: stub.ModelInfer(request(E)))
    assert dict(error.trailing_metadata())["retry-after"] == "1"
    assert metric(electricity, 'weir_grpc_refused_total{reason="unavailable"}') == 1
    assert metric(electricity, 'weir_grpc_refused_total{reason="exhausted"}') == 0


def test_connections_that_end_are_seen(electricity):
    with connect(electricity) as one, connect(electricity) as other:
        for channel in (one, other):
            stub_of(channel).ModelInfer(request(E))
        assert metric(electricity, "weir_grpc_connections") == 2
    weir.wait_for(lambda: metric(electricity, "weir_grpc_connections") == 0, "their end")


def test_connections_have_a_limit(data, tmp_path):
    options = configured(tmp_path, "server:\n  max_connections: 2\n")
    with weir.serve(data, {E: ONNX}, *options) as server, connect(server) as one, \
            connect(server) as two, connect(server) as three:
        for channel in (one, two):
            stub_of(channel).ModelInfer(request(E))
        refused(Code.UNAVAILABLE, lambda: stub_of(three).ModelInfer(request(E)))
        stub_of(one).ModelInfer(request(E))
        assert metric(server, 'weir_grpc_refused_total{reason="connections"}') >= 1


# --- what a call brings ---------------------------------------------------------------------------

def test_a_key_is_the_same_one_over_both_transports(data, tmp_path):
    options = configured(tmp_path, f"endpoints: {{{E}: {{routing_key: {{header: X-User}}}}}}\n")
    with weir.serve(data, {E: ONNX}, *options) as server, connect(server) as channel:
        stub = stub_of(channel)
        of_request = request(E, id="grpc-2")
        of_request.parameters["weir-routing-key"].string_param = "ann"
        for name, message in (("weir-routing-key", request(E, id="grpc-0")),
                              ("x-user", request(E, id="grpc-1")), (None, of_request)):
            stub.ModelInfer(message, metadata=[(name, "ann")] if name else [])
        server.infer(E, weir.electricity_body(ROWS[0], id="http"), headers={"X-User": "ann"})
        rows = weir.wait_for(
            lambda: len(rows := server.sql(f"SELECT id, key_hash FROM {E}")) == 4 and rows, "rows")
        assert len({row["key_hash"] for row in rows}) == 1 and rows[0]["key_hash"] is not None


def test_a_deadline_that_cannot_be_met_is_refused_at_once(data):
    with weir.serve(data, {"slow": weir.MODELS / "slow.onnx"}) as server, \
            connect(server) as channel:
        stub = stub_of(channel)
        message = request("slow")
        message.parameters["timeout"].int64_param = 1000

        def refusal():
            # DEADLINE_EXCEEDED when a busy machine let the millisecond pass before it looked.
            with pytest.raises(grpc.RpcError) as caught:
                stub.ModelInfer(message)
            assert caught.value.code() in (Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED)
            return caught.value if caught.value.code() == Code.RESOURCE_EXHAUSTED else None

        error = weir.wait_for(refusal, "the refusal in time")
        assert "timeout" in error.details() and dict(error.trailing_metadata())["retry-after"]
        assert metric(server, 'weir_grpc_refused_total{reason="exhausted"}') >= 1
        stub.ModelInfer(request("slow"), timeout=weir.PATIENCE_S)


# --- TLS ------------------------------------------------------------------------------------------

def is_trusted(server, authority):
    credentials = grpc.ssl_channel_credentials(authority.read_bytes())
    with connect(server, credentials) as channel:
        try:
            return stub_of(channel).ServerLive(service_pb2.ServerLiveRequest()).live
        except grpc.RpcError as error:
            assert error.code() == Code.UNAVAILABLE, error
            return False


def test_tls_with_a_certificate_that_is_exchanged(data, tmp_path):
    first, first_key = certificate(tmp_path / "first", "first")
    second, second_key = certificate(tmp_path / "second", "second")
    used, key = tmp_path / "used.pem", tmp_path / "used.key"
    shutil.copy(first, used)
    shutil.copy(first_key, key)
    flags = ["--tls-certificate", used, "--tls-key", key]
    with weir.serve(data, {E: ONNX}, *flags) as server, \
            connect(server, grpc.ssl_channel_credentials(first.read_bytes())) as old:
        assert stub_of(old).ModelInfer(request(E)).model_name == E
        assert not is_trusted(server, second)
        with connect(server) as plain:
            refused(Code.UNAVAILABLE, lambda: stub_of(plain).ModelInfer(request(E)))

        def exchange(new, new_key, tell):
            for source, target in ((new_key, key), (new, used)):
                shutil.copy(source, f"{target}.new")
                os.replace(f"{target}.new", target)
            tell()
            weir.wait_for(lambda: is_trusted(server, new), "the new certificate")

        # By a signal, then by the files alone.
        exchange(second, second_key, lambda: server.process.send_signal(signal.SIGHUP))
        assert not is_trusted(server, first)
        assert stub_of(old).ModelInfer(request(E)).model_name == E
        exchange(first, first_key, lambda: None)
        # What is broken changes nothing.
        key.write_text("nonsense")
        weir.wait_for(lambda: f"gRPC stays the old one: '{key}'" in server.log(), "the reason")
        assert is_trusted(server, first) and not is_trusted(server, second)


# --- clients and the age of their connections -----------------------------------------------------

class Callers(Load):
    """Callers of one client."""

    def __init__(self, server, callers=4):
        super().__init__(callers)
        self.client = tritonclient.grpc.InferenceServerClient(server.grpc)
        tensor = tritonclient.grpc.InferInput("input", [1, 8], "FP32")
        tensor.set_data_from_numpy(np.array([ROWS[0]], np.float32))
        self.inputs = [tensor]

    def asker(self, number):
        def ask():
            assert self.client.infer(E, self.inputs).as_numpy("probabilities").shape == (1, 2)
        return ask

    def __exit__(self, *_):
        super().__exit__()
        self.client.close()


def test_connections_that_are_old_are_replaced_without_a_lost_call(data, tmp_path):
    log = tmp_path / "access.json"
    options = configured(
        tmp_path, f"server:\n  grpc_connection_age: 100ms\n  access_log: {{path: {log}}}\n")
    with weir.serve(data, {E: ONNX}, *options) as server:
        def peers():
            whole = log.read_text().rpartition("\n")[0]
            return {json.loads(line)["peer"] for line in whole.splitlines()}

        with Callers(server) as load:
            weir.wait_for(lambda: len(peers()) >= 10 or load.failures, "ten connections")
        assert not load.failures


def test_a_new_program_takes_over_under_load(data, tmp_path):
    options = configured(tmp_path, "server:\n  grpc_connection_age: 1s\n")
    servers = [weir.Server(data, {E: ONNX}, *options)]
    try:
        with Callers(servers[0]) as load:
            for _ in range(3):
                old = servers[-1]
                servers.append(weir.Server(data, {}, "--take-over", *options))
                assert servers[-1].grpc == old.grpc and servers[-1].port == old.port
                assert old.process.wait(timeout=weir.PATIENCE_S) == 0
                load.wait_for_more(100)
        assert not load.failures
        newest = servers[-1]
        newest.cli("ledger", "compact")
        assert newest.sql(f"SELECT count(*) AS n FROM {E}") == [{"n": load.answered}]
        assert "have gone; they are cut" not in newest.log()
        assert newest.stop() == 0
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.kill()
