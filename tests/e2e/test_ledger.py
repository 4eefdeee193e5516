"""Records, feedback, SQL, export, erasure, and what survives a kill."""
import json
import os
import pathlib
import threading
import time

import pyarrow.parquet
import pytest

import weir

ROWS, PROBABILITIES = weir.electricity_rows()
ONNX = weir.MODELS / "electricity_v1.onnx"

FIXED_COLUMNS = (
    "id row time recorded_at version arm stage rollout reason propensity key_hash module status "
    "error decision score predicted label latency_us queue_us run_us").split()


def infer(server, row=0, connection=None, **members):
    answer = server.infer("electricity", weir.electricity_body(ROWS[row], **members),
                          connection=connection)
    assert answer.status == 200, answer.body
    return answer.json()


def feedback(server, rows):
    return server.api("/endpoints/electricity/feedback", "POST", rows)


def counts(**given):
    return {"accepted": 0, "matched": 0, "waiting": 0, "duplicate": 0, "corrected": 0, **given}


def test_the_columns_of_a_record(electricity):
    infer(electricity, id="one")
    row = electricity.sql("select * from electricity")[0]
    names = list(row)
    assert [n for n in FIXED_COLUMNS if n not in names] == []
    assert [n for n in names if n in FIXED_COLUMNS] == FIXED_COLUMNS
    assert row["id"] == "one" and row["row"] == 0 and row["version"] == 1
    assert (row["arm"], row["status"], row["decision"], row["reason"]) == (
        "primary", "ok", "answered", "only")
    assert row["score"] == pytest.approx(PROBABILITIES[0], abs=1e-6)
    assert row["predicted"] == str(int(PROBABILITIES[0] >= 0.5))
    assert [row[f"input_{i}"] for i in range(8)] == pytest.approx(ROWS[0], abs=1e-6)
    assert row["output_probabilities_1"] == pytest.approx(row["score"])
    assert row["time"] == row["recorded_at"] and row["time"].endswith("Z")
    assert row["latency_us"] >= row["run_us"] > 0


def test_a_row_each_and_event_time(electricity):
    body = {"id": "b", "parameters": {"weir_time": "2001-02-03T04:05:06Z"}, "inputs": [
        {"name": "input", "shape": [3, 8], "datatype": "FP32", "data": ROWS[:3]}]}
    assert electricity.infer("electricity", body).status == 200
    rows = electricity.sql("select row, time, score from electricity where id = 'b' order by row")
    assert [r["row"] for r in rows] == [0, 1, 2]
    assert {r["time"] for r in rows} == {"2001-02-03T04:05:06Z"}
    assert [r["score"] for r in rows] == pytest.approx(PROBABILITIES[:3], abs=1e-6)


def test_failures_are_on_record_and_refusals_are_not(electricity):
    body = weir.electricity_body(ROWS[0], id="short")
    body["inputs"][0]["shape"], body["inputs"][0]["data"] = [1, 7], ROWS[0][:7]
    assert electricity.infer("electricity", body).status == 400
    assert electricity.infer("electricity", "not json").status == 400
    rows = electricity.sql("select id, status, error, input_0 from electricity")
    assert rows == [
        {"id": "short", "status": "error", "error": "invalid_argument", "input_0": None}]


def test_missing_values_are_null(electricity):
    row = [None, *ROWS[0][1:]]
    infer_body = weir.electricity_body(row, id="gap")
    assert electricity.infer("electricity", infer_body).status == 200
    assert electricity.sql("select input_0, input_1 from electricity") == [
        {"input_0": None, "input_1": pytest.approx(ROWS[0][1])}]


def test_feedback_is_counted_and_joined(electricity, tmp_path):
    for i in range(4):
        infer(electricity, i, id=f"r{i}")
    assert feedback(electricity, [{"id": "r0", "label": 1}, {"id": "r1", "label": "0"},
                                  {"id": "nobody", "label": 1}]) == counts(
                                      accepted=3, matched=2, waiting=1)
    assert feedback(electricity, [{"id": "r0", "label": 1.0}]) == counts(
        accepted=1, matched=1, duplicate=1)
    assert feedback(electricity, [{"id": "r0", "label": 0}]) == counts(
        accepted=1, matched=1, corrected=1)
    # An older label arrives late: it is kept, and does not win.
    feedback(electricity, [{"id": "r1", "label": 1, "time": "1999-01-01T00:00:00Z"}])
    feedback(electricity, [{"id": "r2", "event": "purchase", "value": 12.5},
                           {"id": "r2", "tag": "odd"}])
    labels = electricity.sql("select id, label from electricity order by id")
    assert labels == [{"id": "r0", "label": "0"}, {"id": "r1", "label": "0"},
                      {"id": "r2", "label": None}, {"id": "r3", "label": None}]
    events = electricity.sql("select event, value, tag from electricity_feedback "
                             "where id = 'r2' order by event nulls last")
    assert events == [{"event": "purchase", "value": 12.5, "tag": None},
                      {"event": None, "value": None, "tag": "odd"}]
    table = tmp_path / "labels.csv"
    table.write_text("id,label,time\nr3,1,2020-01-01T00:00:00Z\n007,1,2020-01-01T00:00:00Z\n")
    said = electricity.cli("feedback", "electricity", table).stdout
    assert "2 accepted, 1 matched, 1 waiting" in said
    lines = tmp_path / "labels.ndjson"
    lines.write_text('{"id":"r3","label":0}\n{"id":"r2","label":1}\n')
    done = json.loads(electricity.cli("feedback", "electricity", lines, "--json").stdout)
    assert done == counts(accepted=2, matched=2, corrected=1)
    live = electricity.api("/endpoints/electricity")
    assert live["arms"][0]["accuracy"]["labelled"] == 4
    assert live["feedback"]["accepted"] == 12


def test_a_label_before_its_prediction(electricity):
    assert feedback(electricity, [{"id": "early", "label": 1}])["waiting"] == 1
    infer(electricity, id="early")
    assert electricity.sql("select label from electricity") == [{"label": "1"}]
    weir.wait_for(
        lambda: electricity.api("/endpoints/electricity")["arms"][0]["accuracy"]["labelled"] == 1,
        "the label counts")


def test_sql_only_reads(electricity):
    for query in ("drop view electricity", "copy (select 1) to '/tmp/weir-should-not-be'",
                  "select * from read_csv('/etc/passwd')", "attach '/tmp/x.db'",
                  "select 1; select 2", "install httpfs", "set memory_limit = '9GB'"):
        refused = electricity.cli("sql", query, check=False)
        assert refused.returncode == 1, query
        assert refused.stderr.startswith("weir: ")
    assert not pathlib.Path("/tmp/weir-should-not-be").exists()
    assert electricity.sql("select 42 as n") == [{"n": 42}]


def test_sql_as_the_readme_says(electricity):
    infer(electricity)
    query = "select version, arm, count(*), avg(score) from electricity group by all"
    rows = json.loads(electricity.cli("sql", query, "--json").stdout)
    assert rows[0]["version"] == 1 and rows[0]["count_star()"] == 1
    assert "primary" in electricity.cli("sql", query).stdout
    wrong = electricity.cli("sql", "select nothing from electricity", check=False)
    assert wrong.returncode == 1 and "nothing" in wrong.stderr


def test_parquet_is_readable_by_others_while_the_server_runs(electricity):
    for i in range(10):
        infer(electricity, i, parameters={"weir_time": f"2001-01-0{1 + i % 2}T00:00:00Z"})
    electricity.cli("ledger", "compact")
    folder = electricity.data / "ledger/electricity/records"
    assert sorted(p.name for p in folder.iterdir()) == ["day=2001-01-01", "day=2001-01-02"]
    tables = [pyarrow.parquet.read_table(p) for p in folder.glob("*/*.parquet")]
    assert sum(t.num_rows for t in tables) == 10
    assert str(tables[0].schema.field("input_0").type) == "float"
    infer(electricity, 11)
    assert electricity.sql("select count(*) n from electricity") == [{"n": 11}]


def test_export_and_train_again(electricity, tmp_path):
    for i in range(60):
        infer(electricity, i, id=f"r{i}")
    feedback(electricity, [{"id": f"r{i}", "label": i % 2} for i in range(50)])
    out = tmp_path / "train.parquet"
    electricity.cli("export", "electricity", "--out", out)
    table = pyarrow.parquet.read_table(out)
    manifest = json.loads((tmp_path / "train.parquet.manifest.json").read_text())
    assert table.num_rows == manifest["rows"] == 50
    assert len(manifest["sha256"]) == 64 and "label" in manifest["query"]
    features = ",".join(f"input_{i}" for i in range(8))
    model = tmp_path / "again.ubj"
    weir.cli("train", out, "--label", "label", "--features", features, "--out", model,
             "--trees", 3)
    electricity.cli("deploy", "electricity", model, "--stages", "100")
    assert infer(electricity, 0)["model_version"] == "2"


def test_erasing_a_person(electricity):
    for i in range(20):
        answer = electricity.infer("electricity", weir.electricity_body(ROWS[i], id=f"r{i}"),
                                   headers={"weir-routing-key": f"user-{i % 4}"})
        assert answer.status == 200
        if i == 9:
            electricity.cli("ledger", "compact")
    feedback(electricity, [{"id": "r1", "label": 1}, {"id": "r2", "label": 1}])
    said = electricity.cli("ledger", "erase", "--key", "user-1").stdout
    assert said.startswith("5 rows erased")
    left = electricity.sql("select count(*) n, count(label) labels from electricity")
    assert left == [{"n": 15, "labels": 1}]
    assert electricity.sql("select count(*) n from electricity_feedback") == [{"n": 1}]
    assert electricity.cli("ledger", "erase", "--key", "user-1").stdout.startswith("0 rows")


def test_privacy_of_a_feature(data, tmp_path):
    model = tmp_path / "linear.onnx"
    model.write_bytes((weir.MODELS / "linear.onnx").read_bytes())
    (tmp_path / "linear.onnx.yaml").write_text(
        "task: regression\ninputs:\n  x:\n    features:\n      - {name: age}\n"
        "      - {name: ssn, store: drop}\n      - {name: city, store: hash}\n")
    with weir.serve(data, {"m": model}) as server:
        body = {"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}
        assert server.infer("m", body).status == 200
        row = server.sql("select * from m")[0]
        assert row["age"] == 1 and "ssn" not in row
        assert isinstance(row["city"], str) and len(row["city"]) == 16
        server.stop()
        for path in (data / "ledger").rglob("*"):
            assert path.is_dir() or b"ssn" not in path.read_bytes()


def test_client_metadata_by_configuration(data, tmp_path):
    config = tmp_path / "weir.yaml"
    config.write_text("ledger:\n  metadata: [x-team]\n")
    with weir.serve(data, {"electricity": ONNX}, "--config", config) as server:
        server.infer("electricity", weir.electricity_body(ROWS[0]), headers={"X-Team": "blue"})
        assert server.sql('select "x-team" team from electricity') == [{"team": "blue"}]


def test_durability_always(data, tmp_path):
    config = tmp_path / "weir.yaml"
    config.write_text("endpoints:\n  electricity:\n    durability: always\n")
    with weir.serve(data, {"electricity": ONNX}, "--config", config) as server:
        ids = [infer(server, i)["id"] for i in range(20)]
        server.kill()
    with weir.serve(data) as server:
        kept = {r["id"] for r in server.sql("select id from electricity")}
        assert set(ids) <= kept


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_live_accuracy_goes_on_after_a_restart(data, end):
    """Labels that come after a restart find the predictions before it, and count with the others."""
    def accuracy(server):
        return server.api("/endpoints/electricity")["arms"][0]["accuracy"]

    def label_of(i):
        return int(PROBABILITIES[i] >= 0.5)

    with weir.serve(data, {"electricity": ONNX}) as server:
        for i in range(6):
            infer(server, i, id=f"r{i}")
        right = [{"id": f"r{i}", "label": label_of(i)} for i in (0, 1)]
        feedback(server, [*right, {"id": "r2", "label": 1 - label_of(2)}])
        before = accuracy(server)
        assert (before["labelled"], before["correct"]) == (3, 2)
        server.sql("select 1")  # Flushes the records.
        server.stop() if end == "stop" else server.kill()
    with weir.serve(data) as server:
        # It answers before it has read the ledger, and what comes meanwhile counts too.
        infer(server, 6, id="r6")
        feedback(server, [{"id": "r6", "label": label_of(6)}, {"id": "r3", "label": label_of(3)},
                          {"id": "r2", "label": label_of(2)}, {"id": "nobody", "label": 1}])
        weir.wait_for(lambda: accuracy(server)["labelled"] == 5, "what was there before the restart")
        assert accuracy(server)["correct"] == 5
        live = server.api("/endpoints/electricity")["feedback"]
        assert (live["accepted"], live["matched"], live["waiting"]) == (4, 3, 1)
        assert live["corrected"] == 1
        assert feedback(server, [{"id": "r4", "label": 1 - label_of(4)}]) == counts(
            accepted=1, matched=1)
        assert feedback(server, right) == counts(accepted=2, matched=2, duplicate=2)
        after = accuracy(server)
        assert (after["labelled"], after["correct"]) == (6, 5)
        joined = server.sql("select count(*) as n, count(label) as labelled from electricity")
        assert joined == [{"n": 7, "labelled": 6}]


def test_without_a_ledger(data):
    with weir.serve(data, {"electricity": ONNX}, "--ledger", "off") as server:
        infer(server)
        refused = server.post("/api/v1/sql", {"query": "select 1"})
        assert refused.status == 503 and "ledger" in refused.error
        assert server.post("/api/v1/endpoints/electricity/feedback",
                           [{"id": "x", "label": 1}]).status == 503


KILLS = int(os.environ.get("WEIR_KILLS", "5"))
# The promise is 50 ms. A machine that runs other tests at the same time may hold a thread for
# longer, so the limit is set when this is measured alone: WEIR_KILLS=50 WEIR_LOSS_MS=50.
LOSS_S = float(os.environ.get("WEIR_LOSS_MS", "1000")) / 1000


def test_kill_under_load_loses_only_the_last_moment(data):
    """Answers that arrived well before the kill, and all feedback that was answered, are kept."""
    answered, labelled, gone, oldest = [], set(), set(), 0.0

    def predict(server, number, stop):
        connection = server.connect()
        try:
            while not stop.is_set():
                answer = infer(server, number, connection=connection)
                answered.append((time.monotonic(), answer["id"]))
        except (OSError, AssertionError, ValueError) as error:
            assert stop.is_set(), error
        except Exception as error:  # http.client errors of a connection that was cut
            assert stop.is_set(), error

    def label(server, stop):
        done = 0
        try:
            while not stop.is_set():
                new = [i for _, i in answered[done:done + 20]]
                if new:
                    feedback(server, [{"id": i, "label": 1} for i in new])
                    labelled.update(new)
                    done += len(new)
        except Exception as error:
            assert stop.is_set(), error

    for _ in range(KILLS):
        with weir.serve(data, {"electricity": ONNX}) as server:
            stop = threading.Event()
            first = len(answered)
            threads = [threading.Thread(target=predict, args=(server, n, stop)) for n in range(3)]
            threads.append(threading.Thread(target=label, args=(server, stop)))
            for thread in threads:
                thread.start()
            weir.wait_for(lambda: len(answered) > first + 200 and len(labelled) > 0, "load")
            killed_at = time.monotonic()
            stop.set()
            server.kill()
            for thread in threads:
                thread.join()
        with weir.serve(data) as server:
            kept = {r["id"] for r in server.sql("select id from electricity")}
            ages = [killed_at - t for t, i in answered[first:] if i not in kept]
            assert max(ages, default=0) <= LOSS_S
            assert {i for _, i in answered[:first]} - gone <= kept
            gone |= {i for _, i in answered if i not in kept}
            oldest = max(oldest, *ages, 0)
            joined = {r["id"] for r in server.sql("select id from electricity_feedback")}
            assert labelled <= joined, f"{len(labelled - joined)} acknowledged labels are lost"
    print(f"\n{KILLS} kills: {len(answered)} answers, {len(gone)} lost, the oldest "
          f"{1000 * oldest:.0f} ms before the kill; {len(labelled)} labels kept")
