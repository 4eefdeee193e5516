"""weir batch: files through the request path, without a server."""
import json
import os
import pathlib
import signal
import subprocess

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import weir

NAMES = ["date", "day", "period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"]
FOREST = weir.MODELS / "electricity_v1.ubj"
ONNX = weir.MODELS / "electricity_v1.onnx"
BY_POSITION = ("--columns", ",".join(NAMES))


def table(count, **further):
    rows, _ = weir.electricity_rows()
    columns = {name: pa.array([rows[i % len(rows)][place] for i in range(count)], pa.float32())
               for place, name in enumerate(NAMES)}
    return pa.table({**further, **columns})


def probabilities(count):
    _, known = weir.electricity_rows()
    return [known[i % len(known)] for i in range(count)]


def write(path, rows):
    if path.suffix == ".parquet":
        pq.write_table(rows, path)
    elif path.suffix == ".csv":
        pyarrow.csv.write_csv(rows, path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows.to_pylist()))
    return path


def read(path):
    if path.suffix == ".parquet":
        return pq.read_table(path)
    if path.suffix == ".csv":
        return pyarrow.csv.read_csv(path)
    return pa.Table.from_pylist([json.loads(line) for line in path.read_text().splitlines()])


def batch(*arguments, check=True):
    done = weir.cli("batch", *arguments, "--json", check=check)
    return json.loads(done.stdout) if check else done


def rejected(out):
    path = pathlib.Path(f"{out}.rejected.ndjson")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("model", [FOREST, ONNX])
@pytest.mark.parametrize("source", ["parquet", "csv", "ndjson"])
@pytest.mark.parametrize("target", ["parquet", "csv", "ndjson"])
def test_every_format_gives_the_models_own_answers(tmp_path, model, source, target):
    rows = table(500, key=pa.array([f"row {i}" for i in range(500)]))
    out = tmp_path / f"out.{target}"
    report = batch(model, "--in", write(tmp_path / f"in.{source}", rows), "--out", out,
                   "--keep", "key", *BY_POSITION)
    assert (report["rows"], report["rejected"], report["resumed"]) == (500, 0, 0)
    answers = read(out)
    assert answers.column_names[:3] == ["key", "score", "predicted"]
    assert answers["key"].to_pylist() == rows["key"].to_pylist()
    assert answers["score"].to_pylist() == pytest.approx(probabilities(500), abs=1e-6)
    labels = [int(p > 0.5) for p in answers["score"].to_pylist()]
    assert answers["output_label"].to_pylist() == labels
    assert [int(text) for text in answers["predicted"].to_pylist()] == labels
    assert sorted(os.listdir(tmp_path)) == sorted([f"in.{source}", f"out.{target}"])


def test_a_large_file_is_the_same_from_any_number_of_threads(tmp_path):
    """More than one part, so that the joined Parquet has several row groups."""
    path = write(tmp_path / "in.parquet", table(300_000))
    one, four = tmp_path / "one.parquet", tmp_path / "four.parquet"
    batch(FOREST, "--in", path, "--out", one, "--threads", 1, *BY_POSITION)
    report = batch(FOREST, "--in", path, "--out", four, "--threads", 4, *BY_POSITION)
    assert report["rows"] == 300_000
    assert pq.ParquetFile(one).num_row_groups == 3
    assert one.read_bytes() == four.read_bytes()
    scores = pq.read_table(four)["score"].to_pylist()
    assert scores[:200] == pytest.approx(probabilities(200), abs=1e-6)
    assert scores == scores[:200] * 1500


@pytest.mark.parametrize("target", ["parquet", "csv", "ndjson"])
def test_killed_in_the_middle_it_goes_on_to_the_same_bytes(tmp_path, target):
    rows = table(900_000)
    path = write(tmp_path / "in.parquet", rows)
    arguments = [FOREST, "--in", path, "--threads", 2, *BY_POSITION]
    whole, out = tmp_path / f"whole.{target}", tmp_path / f"out.{target}"
    batch(*arguments, "--out", whole)
    note = pathlib.Path(f"{out}.parts/progress.ndjson")
    for parts in (1, 3):
        process = subprocess.Popen(
            [weir.BINARY, "batch", *map(str, arguments), "--out", str(out)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        weir.wait_for(
            lambda: process.poll() is not None or (
                note.exists() and len(note.read_text().splitlines()) > parts),
            f"{parts} finished parts")
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not out.exists()
    report = batch(*arguments, "--out", out)
    assert report["rows"] == 900_000
    assert report["resumed"] >= 3 * 122_880
    assert out.read_bytes() == whole.read_bytes()
    assert not note.parent.exists()


def test_parts_of_other_work_are_not_mixed_in(tmp_path):
    path = write(tmp_path / "in.csv", table(10))
    out = tmp_path / "out.csv"
    parts = pathlib.Path(f"{out}.parts")
    parts.mkdir()
    (parts / "progress.ndjson").write_text('{"model":"another"}\n')
    done = batch(FOREST, "--in", path, "--out", out, *BY_POSITION, check=False)
    assert done.returncode == 1
    assert "parts of other work" in done.stderr and "--restart" in done.stderr
    assert batch(FOREST, "--in", path, "--out", out, "--restart", *BY_POSITION)["rows"] == 10


def test_bad_rows_go_to_the_side_file_with_a_reason(tmp_path):
    lines = write(tmp_path / "in.csv", table(6)).read_text().splitlines()
    lines[2] = lines[2].replace(lines[2].split(",")[0], "much", 1)  # Row 1.
    lines[4] = ",".join(lines[4].split(",")[:5])                    # No row at all.
    lines[5] = "," + lines[5].split(",", 1)[1]                      # A missing value is fine.
    path = tmp_path / "in.csv"
    path.write_text("\n".join(lines) + "\n")
    out = tmp_path / "out.parquet"
    report = batch(FOREST, "--in", path, "--out", out, *BY_POSITION)
    assert (report["rows"], report["rejected"]) == (4, 2)
    assert report["rejected_file"] == f"{out}.rejected.ndjson"
    first, second = rejected(out)
    assert first == {"row": 1, "reason": "column 'date': much is no FP32"}
    assert second["line"] == 5 and "Expected Number of Columns: 8" in second["reason"]
    # Without the bad rows, a side file of an earlier run is gone.
    write(path, table(6))
    assert batch(FOREST, "--in", path, "--out", out, *BY_POSITION)["rejected"] == 0
    assert not pathlib.Path(f"{out}.rejected.ndjson").exists()


def test_a_missing_value_that_the_sidecar_forbids_is_a_bad_row(tmp_path):
    model = tmp_path / "m.ubj"
    model.write_bytes(FOREST.read_bytes())
    features = ", ".join(f"{{name: {name}}}" for name in NAMES[:-1])
    pathlib.Path(f"{model}.yaml").write_text(
        f"inputs: {{input: {{features: [{features}, {{name: transfer, missing: refuse}}]}}}}\n")
    rows = table(4).to_pylist()
    rows[1]["transfer"] = None
    rows[2]["date"] = None
    path = tmp_path / "in.ndjson"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "no json\n")
    out = tmp_path / "out.ndjson"
    assert batch(model, "--in", path, "--out", out)["rows"] == 3
    assert rejected(out) == [{"row": 1, "reason": "column 'transfer' is missing"},
                             {"row": 4, "reason": "the line is no JSON"}]


def test_rows_that_the_model_itself_refuses_are_found(tmp_path):
    """refuses_zero.onnx fails on a batch that holds a zero."""
    numbers = [float(i % 7 != 3) for i in range(100)]
    count = pq.ParquetFile(write(tmp_path / "in.parquet", pa.table(
        {"x": pa.array(numbers, pa.float32())}))).metadata.num_rows
    out = tmp_path / "out.parquet"
    done = batch(weir.MODELS / "refuses_zero.onnx", "--in", tmp_path / "in.parquet", "--out", out,
                 "--columns", "x", check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rows"] + report["rejected"] == count
    assert [line["row"] for line in rejected(out)] == [i for i in range(100) if i % 7 == 3]


def test_texts_lists_and_every_type_reach_the_model(tmp_path):
    strings = write(tmp_path / "s.csv", pa.table({"text": ["a", "", "ü,\"x\""]}))
    done = batch(weir.MODELS / "strings.onnx", "--in", strings, "--out", tmp_path / "s.ndjson",
                 "--columns", "text", check=False)
    assert done.returncode == 0, done.stderr
    wide = pa.table({"x": pa.array([[float(i)] * 3000 for i in range(3)], pa.list_(pa.float32()))})
    done = batch(weir.MODELS / "wide.onnx", "--in", write(tmp_path / "w.parquet", wide), "--out",
                 tmp_path / "w.out.parquet", "--columns", "x", check=False)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "w.out.parquet").num_rows == 3


def test_columns_by_position_are_said_and_unknown_ones_refused(tmp_path):
    path = write(tmp_path / "in.csv", table(5))
    done = weir.cli("batch", FOREST, "--in", path, "--out", tmp_path / "o.csv")
    assert "taken by position: date as input_0" in done.stderr
    more = write(tmp_path / "more.csv", table(5, label=pa.array([1] * 5)))
    done = batch(FOREST, "--in", more, "--out", tmp_path / "o.csv", check=False)
    assert done.returncode == 1
    assert "no column input_0" in done.stderr and "The file has: label, date" in done.stderr
    for option in ("--keep", "--columns"):
        value = "nothing" if option == "--keep" else ",".join(["nothing", *NAMES[1:]])
        done = batch(FOREST, "--in", path, "--out", tmp_path / "o.csv", option, value, check=False)
        assert done.returncode == 1 and "has no column 'nothing'" in done.stderr, done.stderr


def test_an_empty_file_gives_an_empty_file(tmp_path):
    for source in ("parquet", "csv"):
        path = write(tmp_path / f"in.{source}", table(0))
        out = tmp_path / f"out.{source}"
        assert batch(FOREST, "--in", path, "--out", out, *BY_POSITION)["rows"] == 0
        names = read(out).column_names
        assert names[:3] == ["score", "predicted", "output_label"], names
    (tmp_path / "nothing.csv").write_text("")
    done = batch(FOREST, "--in", tmp_path / "nothing.csv", "--out", tmp_path / "o.csv", check=False)
    assert done.returncode == 1 and "no header line" in done.stderr


def test_what_cannot_be_read_or_written_is_said_at_once(tmp_path):
    path = write(tmp_path / "in.csv", table(5))

    def error(*arguments):
        done = batch(*arguments, *BY_POSITION, check=False)
        assert done.returncode == 1
        return done.stderr

    assert "no.csv" in error(FOREST, "--in", tmp_path / "no.csv", "--out", tmp_path / "o.csv")
    in_file = path / "folder" / "o.csv"
    assert "cannot write beside" in error(FOREST, "--in", path, "--out", in_file)
    assert "it is a folder" in error(FOREST, "--in", path, "--out", folder(tmp_path / "d.csv"))
    assert ".parquet, .csv and .ndjson" in error(FOREST, "--in", path, "--out", tmp_path / "o.csv.gz")
    nowhere = error("nobody", "--in", path, "--out", tmp_path / "o.csv", "--data", tmp_path / "no")
    assert "is no file, and no endpoint either" in nowhere


def folder(path):
    path.mkdir()
    return path


def test_an_endpoint_of_a_data_folder_answers_with_its_primary_and_is_recorded(tmp_path, data):
    path = write(tmp_path / "in.parquet", table(300))
    out = tmp_path / "out.parquet"
    with weir.serve(data, {"electricity": ONNX}) as server:
        while_served = batch("electricity", "--in", path, "--out", out, "--data", data, *BY_POSITION)
        assert (while_served["version"], while_served["rows"]) == ("1", 300)
        done = batch("electricity", "--in", path, "--out", out, "--data", data, "--record",
                     *BY_POSITION, check=False)
        assert done.returncode == 1 and str(data) in done.stderr
        server.cli("deploy", "electricity", FOREST, "--shadow")
    known = batch("electricity/2", "--in", path, "--out", out, "--data", data, *BY_POSITION)
    assert known["version"] == "2"
    done = batch("electricity/9", "--in", path, "--out", out, "--data", data, check=False)
    assert "has no version '9'" in done.stderr
    report = batch("electricity", "--in", path, "--out", out, "--data", data, "--record",
                   "--keep", "date", *BY_POSITION)
    assert (report["recorded"], report["not_recorded"]) == (300, 0)
    answers = pq.read_table(out).to_pylist()
    with weir.serve(data) as server:
        records = server.sql("SELECT id, row, score, arm FROM electricity ORDER BY id, row")
        label = {"id": answers[7]["id"], "row": answers[7]["row"], "label": "1"}
        server.api("/endpoints/electricity/feedback", "POST", [label])
        labelled = server.sql("SELECT id, row FROM electricity WHERE label = '1'")
    assert len(records) == 300 and {record["arm"] for record in records} == {"primary"}
    known = {(answer["id"], answer["row"]): answer["score"] for answer in answers}
    assert {(r["id"], r["row"]): r["score"] for r in records} == pytest.approx(known)
    assert labelled == [{"id": label["id"], "row": label["row"]}]


def test_a_file_has_no_ledger(tmp_path):
    path = write(tmp_path / "in.csv", table(5))
    done = batch(FOREST, "--in", path, "--out", tmp_path / "o.csv", "--record", check=False)
    assert done.returncode == 1 and "is a file; deploy it" in done.stderr
