"""gRPC: the calls that the conformance suite does not make, and what only Weir promises: limits,
deadlines, cancellation, draining, tokens, addresses."""
import contextlib
import socket
import threading

import numpy as np
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase)
from tritonclient.grpc import service_pb2, service_pb2_grpc

import weir
from conftest import ELECTRICITY
from grpc_client import Code, connect, probabilities, refused, request

@pytest.fixture
def stub(zoo):
    with connect(zoo) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def test_answers_what_rest_answers(zoo, stub):
    rows, _ = weir.electricity_rows()
    answer = stub.ModelInfer(request(id="abc"))
    assert (answer.model_name, answer.model_version, answer.id) == ("electricity_v1", "1", "abc")
    assert {key: value.string_param for key, value in answer.parameters.items()} == {
        "weir_version": "1", "weir_arm": "primary", "weir_decision": "answered"}
    assert not any(output.HasField("contents") for output in answer.outputs)
    rest = zoo.infer("electricity_v1", weir.electricity_body(rows[0])).json()
    for output in rest["outputs"]:
        at = [o.name for o in answer.outputs].index(output["name"])
        dtype = {"INT64": np.int64, "FP32": np.float32}[output["datatype"]]
        raw = np.frombuffer(answer.raw_output_contents[at], dtype)
        np.testing.assert_allclose(raw, np.array(output["data"]).reshape(-1), rtol=1e-6)


def test_typed_contents_go_in_and_come_out_when_asked_for(stub):
    raw = probabilities(stub.ModelInfer(request()))
    message = request()
    values = np.frombuffer(message.raw_input_contents[0], np.float32)
    del message.raw_input_contents[:]
    message.inputs[0].contents.fp32_contents.extend(values)
    message.parameters["binary_data_output"].bool_param = False
    answer = stub.ModelInfer(message)
    assert not answer.raw_output_contents
    assert list(answer.outputs[0].contents.int64_contents) in ([0], [1])
    np.testing.assert_array_equal(
        np.array(answer.outputs[1].contents.fp32_contents, np.float32), raw.reshape(-1))


def test_raw_and_typed_outputs_do_not_mix(stub):
    message = request()
    message.outputs.add(name="label").parameters["binary_data"].bool_param = False
    message.outputs.add(name="probabilities")
    refused(Code.INVALID_ARGUMENT, lambda: stub.ModelInfer(message), "label", "binary_data_output")


def test_refusals_name_what_is_wrong(stub):
    def changed(change):
        message = request()
        change(message)
        return lambda: stub.ModelInfer(message)

    bad = Code.INVALID_ARGUMENT
    refused(Code.NOT_FOUND, changed(lambda m: setattr(m, "model_name", "nobody")), "nobody")
    refused(Code.NOT_FOUND, changed(lambda m: setattr(m, "model_version", "9")), "9")
    refused(Code.NOT_FOUND, changed(lambda m: setattr(m, "model_version", "v1")), "v1")
    refused(bad, changed(lambda m: setattr(m.inputs[0], "name", "other")), "'input' is missing")
    refused(bad, changed(lambda m: setattr(m.inputs[0], "datatype", "FP8")), "FP8")
    refused(bad, changed(lambda m: m.inputs[0].shape.__setitem__(0, 2)), "[2,8]", "32")
    refused(bad, changed(lambda m: m.inputs[0].shape.__setitem__(0, 1 << 62)), "too large")
    refused(bad, changed(lambda m: m.inputs[0].contents.fp32_contents.append(1)),
            "contents field must not be specified when using raw_input_contents")
    refused(bad, changed(lambda m: m.raw_input_contents.append(b"")), "2", "raw_input_contents")
    refused(bad, changed(lambda m: m.outputs.add(name="nothing")), "nothing")
    refused(bad, changed(lambda m: m.parameters["timeout"].MergeFrom(
        service_pb2.InferParameter(string_param="1"))), "timeout")
    refused(bad, changed(lambda m: m.parameters["triton_x"].MergeFrom(
        service_pb2.InferParameter(bool_param=True))), "triton_")
    refused(bad, changed(lambda m: m.inputs[0].parameters["shared_memory_region"].MergeFrom(
        service_pb2.InferParameter(string_param="r"))), "shared memory")


def test_a_message_that_is_none_is_refused_and_the_connection_goes_on(zoo, stub):
    with connect(zoo) as channel:
        for method in ("ModelInfer", "ModelMetadata", "RepositoryModelLoad"):
            call = channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
            refused(Code.INVALID_ARGUMENT, lambda: call(b"\x0a\xff\xff\xff\xff\x0f"), "readable")
        refused(Code.UNIMPLEMENTED,
                lambda: channel.unary_unary("/inference.GRPCInferenceService/Guess")(b""), "Guess")
    assert stub.ModelInfer(request()).model_name == "electricity_v1"


def test_calls_that_are_not_supported_say_what_to_do(stub):
    for call, message, mention in (
            (stub.SystemSharedMemoryRegister, service_pb2.SystemSharedMemoryRegisterRequest(),
             "raw_input_contents"),
            (stub.SystemSharedMemoryStatus, service_pb2.SystemSharedMemoryStatusRequest(),
             "raw_input_contents"),
            (stub.CudaSharedMemoryUnregister, service_pb2.CudaSharedMemoryUnregisterRequest(),
             "raw_input_contents"),
            (stub.TraceSetting, service_pb2.TraceSettingRequest(), "weir sql"),
            (stub.LogSettings, service_pb2.LogSettingsRequest(), "--log-level")):
        refused(Code.UNIMPLEMENTED, lambda: call(message), mention)


def test_a_large_tensor_passes_and_one_beyond_the_limit_does_not(data):
    with weir.serve(data, {"dynamic_axes": weir.MODELS / "dynamic_axes.onnx",
                           "electricity_v1": ELECTRICITY}) as server, connect(server) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        rows = 16 * 1024 * 1024 // 32
        answer = stub.ModelInfer(request(rows=rows))
        assert probabilities(answer).shape == (rows, 2)
        beyond = request(rows=65 * 1024 * 1024 // 32)
        refused(Code.RESOURCE_EXHAUSTED, lambda: stub.ModelInfer(beyond), "larger")
        assert stub.ServerLive(service_pb2.ServerLiveRequest()).live


def test_streams_answer_in_order_and_go_on_after_an_error(stub):
    messages = [request(id=str(i), rows=i + 1) for i in range(20)]
    messages[7].model_name = "nobody"
    answers = list(stub.ModelStreamInfer(iter(messages)))
    assert len(answers) == 20
    for i, answer in enumerate(answers):
        assert answer.infer_response.id == str(i)
        if i == 7:
            assert "nobody" in answer.error_message
        else:
            assert not answer.error_message
            assert probabilities(answer.infer_response).shape == (i + 1, 2)


def test_streams_end_with_the_status_when_the_client_asks_for_it(stub):
    messages = [request(), request(model="nobody"), request()]
    call = stub.ModelStreamInfer(iter(messages), metadata=[("triton_grpc_error", "true")])
    assert next(call).infer_response.model_name == "electricity_v1"
    refused(Code.NOT_FOUND, lambda: next(call), "nobody")


def test_health_and_reflection(zoo, stub):
    with connect(zoo) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "inference.GRPCInferenceService"):
            status = health.Check(health_pb2.HealthCheckRequest(service=service)).status
            assert status == health_pb2.HealthCheckResponse.SERVING
        refused(Code.NOT_FOUND,
                lambda: health.Check(health_pb2.HealthCheckRequest(service="x")), "x")
        watch = health.Watch(health_pb2.HealthCheckRequest(service="x"))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        watch.cancel()
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "inference.GRPCInferenceService" in database.get_services()
        pool = DescriptorPool(database)
        service = pool.FindServiceByName("inference.GRPCInferenceService")
        assert service.methods_by_name["ModelStreamInfer"].server_streaming
        assert len(service.methods) == 20
    assert stub.ServerReady(service_pb2.ServerReadyRequest()).ready


def test_statistics_and_repository_agree_with_rest(data):
    with weir.serve(data, {"electricity_v1": ELECTRICITY}) as server, connect(server) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        stub.ModelInfer(request(rows=8))
        stub.ModelInfer(request())
        model = stub.ModelStatistics(service_pb2.ModelStatisticsRequest()).model_stats[0]
        assert (model.inference_count, model.execution_count) == (9, 2)
        assert (model.inference_stats.success.count, model.inference_stats.fail.count) == (2, 0)
        rest = server.get("/v2/models/electricity_v1/stats").json()["model_stats"][0]
        assert rest["last_inference"] == model.last_inference
        for name in ("success", "fail", "queue", "compute_input", "compute_infer"):
            ours = getattr(model.inference_stats, name)
            assert rest["inference_stats"][name] == {"count": ours.count, "ns": ours.ns}
        assert [b.batch_size for b in model.batch_stats] == [
            b["batch_size"] for b in rest["batch_stats"]]
        index = stub.RepositoryIndex(service_pb2.RepositoryIndexRequest()).models
        assert [(m.name, m.version, m.state) for m in index] == [("electricity_v1", "1", "READY")]
        load = service_pb2.RepositoryModelLoadRequest(model_name="new")
        load.parameters["file:1/model.onnx"].bytes_param = ELECTRICITY.read_bytes()
        stub.RepositoryModelLoad(load)
        assert stub.ModelInfer(request(model="new")).model_name == "new"
        stub.RepositoryModelUnload(service_pb2.RepositoryModelUnloadRequest(model_name="new"))
        assert not stub.ModelReady(service_pb2.ModelReadyRequest(name="new")).ready
        refused(Code.UNAVAILABLE, lambda: stub.ModelInfer(request(model="new")), "new")


def test_a_token_is_wanted_when_predictions_are_protected(data, tmp_path):
    token = tmp_path / "token"
    token.write_text("secret\n")
    config = tmp_path / "weir.yaml"
    config.write_text(f"server: {{token_file: {token}, protect_predictions: true}}\n")
    with weir.serve(data, {"electricity_v1": ELECTRICITY}, "--config", config) as server, \
            connect(server) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        refused(Code.UNAUTHENTICATED, lambda: stub.ModelInfer(request()), "authorization")
        refused(Code.UNAUTHENTICATED,
                lambda: stub.ModelMetadata(service_pb2.ModelMetadataRequest(name="electricity_v1")))
        assert stub.ModelInfer(request(), metadata=[("authorization", "Bearer secret")]).id
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest()).status == 1


class SlowServer:
    """A V2 server that knows one model and answers its predictions only when it is let."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.arrived, self.go_on = threading.Semaphore(0), threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(
                    target=self.serve, args=(self.socket.accept()[0],), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as lines:
            while head := lines.readline():
                length = 0
                while (line := lines.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                lines.read(length)
                if b"/infer" in head:
                    self.arrived.release()
                    self.go_on.wait(weir.PATIENCE_S)
                    body = (b'{"model_name":"m","outputs":[{"name":"y","datatype":"FP32",'
                            b'"shape":[1,1],"data":[7]}]}')
                else:
                    body = (b'{"name":"m","versions":["1"],"platform":"p","inputs":[{"name":"input",'
                            b'"datatype":"FP32","shape":[-1,8]}],"outputs":[{"name":"y",'
                            b'"datatype":"FP32","shape":[-1,1]}]}')
                with contextlib.suppress(OSError):
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                        b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def close(self):
        self.go_on.set()
        self.socket.close()


@pytest.fixture
def slow(data, tmp_path):
    """A server whose one model is answered by another, slow one."""
    other = SlowServer()
    other.go_on.set()  # Loading infers once.
    model = tmp_path / "slow.remote"
    model.write_text(f"http://127.0.0.1:{other.port}/v2/models/m\n")
    with weir.serve(data, {"slow": model}) as server, connect(server) as channel:
        while other.arrived.acquire(blocking=False):
            pass
        other.go_on.clear()
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        yield server, stub, other
    other.close()


def statistics(server):
    text = server.get("/metrics").body.decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    def count(status):
        return sum(float(value) for name, value in values.items()
                   if name.startswith("weir_requests_total") and f'status="{status}"' in name)
    return {status: count(status) for status in ("ok", "error", "cancelled")}


def test_a_cancelled_call_is_counted_as_cancelled_and_frees_its_place(slow):
    server, stub, other = slow
    call = stub.ModelInfer.future(request(model="slow"))
    assert other.arrived.acquire(timeout=weir.PATIENCE_S)
    call.cancel()
    other.go_on.set()
    weir.wait_for(lambda: statistics(server)["cancelled"] == 1, "the call to be counted")
    assert statistics(server) == {"ok": 0, "error": 0, "cancelled": 1}
    assert "weir_requests_in_flight 0" in server.get("/metrics").body.decode()
    assert stub.ModelInfer(request(model="slow")).model_name == "slow"


def test_a_deadline_is_the_calls_own(slow):
    server, stub, other = slow
    refused(Code.DEADLINE_EXCEEDED, lambda: stub.ModelInfer(request(model="slow"), timeout=0.3))
    message = request(model="slow")
    message.parameters["timeout"].int64_param = 200_000
    refused(Code.DEADLINE_EXCEEDED, lambda: stub.ModelInfer(message))
    other.go_on.set()
    assert stub.ModelInfer(request(model="slow"), timeout=weir.PATIENCE_S).model_name == "slow"
    assert statistics(server)["ok"] == 1


def test_calls_in_flight_are_answered_before_the_server_ends(slow):
    server, stub, other = slow
    watch = None
    with connect(server) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        idle = stub.ModelStreamInfer(iter(lambda: weir.time.sleep(3600), 1))
        call = stub.ModelInfer.future(request(model="slow"))
        assert other.arrived.acquire(timeout=weir.PATIENCE_S)
        server.process.terminate()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        refused(Code.UNAVAILABLE, lambda: next(idle), "shutting down")
        other.go_on.set()
        assert call.result(timeout=weir.PATIENCE_S).model_name == "slow"
    assert server.process.wait(weir.PATIENCE_S) == 0, server.log()


def test_a_port_in_use_names_the_flag(data, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = weir.cli("serve", "--listen", "127.0.0.1:0", "--grpc-listen", f"127.0.0.1:{port}",
                        "--data", data, check=False)
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1" in done.stderr and "--grpc-listen" in done.stderr
    done = weir.cli("serve", "--grpc-listen", "nowhere", "--data", data, check=False)
    assert done.returncode != 0 and "HOST:PORT" in done.stderr


def test_grpc_can_be_switched_off(data):
    with weir.serve(data, {"electricity_v1": ELECTRICITY}, "--grpc-listen", "off") as server:
        assert server.grpc is None
        assert server.get("/v2/health/ready").status == 200
