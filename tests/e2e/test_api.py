"""The control API against its own description, and /metrics against Prometheus' own checker."""
import shutil
import subprocess

import schemathesis
from hypothesis import HealthCheck, given, settings

import weir

ROWS, _ = weir.electricity_rows()


def make_busy(server):
    server.cli("deploy", "electricity", weir.MODELS / "electricity_v1.ubj", "--stages", "shadow,5")
    connection = server.connect()
    for i in range(50):
        server.infer("electricity", weir.electricity_body(ROWS[i], id=f"r{i}"),
                     connection=connection)
    connection.close()
    server.api("/endpoints/electricity/feedback", "POST",
               [{"id": f"r{i}", "label": i % 2} for i in range(40)])


def test_the_answers_are_what_the_openapi_document_says(electricity):
    make_busy(electricity)
    schema = schemathesis.from_uri(f"{electricity.url}/api/v1/openapi.json")
    checks = [schemathesis.checks.response_schema_conformance,
              schemathesis.checks.content_type_conformance]
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=15, deadline=None, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))
        def check(case):
            response = case.call()
            # A deploy of random bytes and a query of random text are refused, not broken.
            assert response.status_code < 500 or response.status_code == 503, response.text
            case.validate_response(response, checks=checks)
            seen.add((operation.verbose_name, response.status_code == 200))

        given(case=operation.as_strategy())(check)()
    assert electricity.infer("electricity", weir.electricity_body(ROWS[0])).status == 200
    assert len({name for name, _ in seen}) == 19


def test_known_good_calls_fit_the_document(electricity):
    make_busy(electricity)
    schema = schemathesis.from_uri(f"{electricity.url}/api/v1/openapi.json")

    def call(method, path, **case):
        operation = schema[path][method]
        made = operation.make_case(**case)
        response = made.call()
        assert response.status_code == 200, response.text
        made.validate_response(response, checks=[schemathesis.checks.response_schema_conformance])
        return response

    endpoint = {"endpoint": "electricity"}
    json_type = {"media_type": "application/json"}
    call("GET", "/status")
    call("GET", "/endpoints")
    call("GET", "/endpoints/{endpoint}", path_parameters=endpoint)
    call("GET", "/endpoints/{endpoint}/decisions", path_parameters=endpoint)
    call("GET", "/endpoints/{endpoint}/rollouts/{number}",
         path_parameters={**endpoint, "number": "1"})
    for move in ("pause", "resume", "promote", "rollback"):
        call("POST", "/endpoints/{endpoint}/" + move, path_parameters=endpoint,
             body={"by": "test"}, **json_type)
    call("POST", "/sql", body={"query": "select * from electricity"}, **json_type)
    made = call("POST", "/exports", body={"query": "select id from electricity", "format": "csv"},
                **json_type).json()
    assert call("GET", "/exports/{id}", path_parameters={"id": made["id"]}).content.startswith(
        b"id\n")
    call("DELETE", "/exports/{id}", path_parameters={"id": made["id"]})
    call("POST", "/ledger/erase", body={"key": "nobody"}, **json_type)
    call("POST", "/ledger/compact", **json_type)
    call("DELETE", "/endpoints/{endpoint}/versions/{version}",
         path_parameters={**endpoint, "version": "2"})


def test_metrics_pass_promtool(electricity):
    make_busy(electricity)
    text = electricity.get("/metrics")
    assert text.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    promtool = shutil.which("promtool")
    assert promtool, "scripts/setup installs promtool (package prometheus)"
    done = subprocess.run([promtool, "check", "metrics"], input=text.body, capture_output=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    for name in ('weir_requests_total{endpoint="electricity",version="1",arm="primary",status="ok"}',
                 "weir_request_duration_seconds_bucket{", "weir_records_total",
                 "weir_feedback_rows_total{"):
        assert name in text.body.decode(), name


def test_triton_names_are_shown_where_they_are_wanted(tmp_path, data):
    path = tmp_path / "weir.yaml"
    path.write_text("server: {triton_metrics: true}\n")
    models = {"electricity": weir.MODELS / "electricity_v1.onnx",
              "slow": weir.MODELS / "slow.onnx", "zero": weir.MODELS / "refuses_zero.onnx"}
    with weir.serve(data, models, "--config", path) as server:
        row = weir.electricity_rows()[0][0]
        three = {"inputs": [
            {"name": "input", "shape": [3, 8], "datatype": "FP32", "data": [row] * 3}]}
        wrong = {"inputs": [{"name": "input", "shape": [1], "datatype": "FP32", "data": [1]}]}
        for body, status in ((three, 200), (three, 200), (wrong, 400)):
            assert server.infer("electricity", body).status == status
        assert server.infer("slow", weir.electricity_body(row)).status == 200
        hurried = weir.electricity_body(row, parameters={"timeout": 1})
        assert server.infer("slow", hurried).status in (503, 504)
        zero = {"inputs": [{"name": "index", "shape": [1], "datatype": "INT64", "data": [0]}]}
        assert server.infer("zero", zero).status >= 400
        text = server.get("/metrics").body.decode()
    labels = '{model="electricity",version="1"}'
    values = dict(line.rsplit(" ", 1) for line in text.splitlines()
                  if line.startswith("nv_inference_"))
    assert values["nv_inference_request_success" + labels] == "2"
    assert values["nv_inference_count" + labels] == "6"
    assert values["nv_inference_exec_count" + labels] == "2"
    assert values[
        'nv_inference_request_failure{model="electricity",version="1",reason="OTHER"}'] == "1"
    assert values['nv_inference_request_failure{model="slow",version="1",reason="REJECTED"}'] == "1"
    failed = {r: values[f'nv_inference_request_failure{{model="zero",version="1",reason="{r}"}}']
              for r in ("BACKEND", "OTHER")}
    assert sorted(failed.values()) == ["0", "1"], failed
    assert values['nv_inference_pending_request_count{model="slow",version="1"}'] == "0"
    for phase in ("request", "compute_infer", "compute_input"):
        assert float(values[f"nv_inference_{phase}_duration_us{labels}"]) > 0
    done = subprocess.run(
        [shutil.which("promtool"), "check", "metrics"], input=text, capture_output=True, text=True)
    # Triton's own names break rules of Prometheus about names; nothing else may.
    assert all(line.startswith("nv_inference_") for line in done.stderr.splitlines()), done.stderr
