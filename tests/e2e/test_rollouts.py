"""Launching versions: stages, sticky keys, rollback under load, restarts."""
import collections
import json
import statistics
import threading
import time

import pytest

import weir

ROWS, PROBABILITIES = weir.electricity_rows()
ONNX = weir.MODELS / "electricity_v1.onnx"
FOREST = weir.MODELS / "electricity_v1.ubj"


@pytest.fixture(scope="session")
def other_forest(tmp_path_factory):
    """A model that answers differently: the same trees with another base score."""
    path = tmp_path_factory.mktemp("models") / "other.ubj"
    table = path.with_suffix(".csv")
    lines = ["a,b,c,d,e,f,g,h,y"]
    for i, row in enumerate(ROWS):
        lines.append(",".join(map(str, row)) + f",{i % 2}")
    table.write_text("\n".join(lines) + "\n")
    weir.cli("train", table, "--label", "y", "--out", path, "--trees", 5, "--depth", 2)
    return path


def arm(answer):
    return answer.json()["parameters"]["weir_arm"]


def infer(server, row=0, key=None, connection=None):
    headers = {"weir-routing-key": key} if key else {}
    return server.infer("electricity", weir.electricity_body(ROWS[row]), headers=headers,
                        connection=connection)


def status(server):
    return server.api("/endpoints/electricity")


def comparison(server):
    pairs = status(server)["comparisons"]
    return pairs[0] if pairs else None


def test_a_launch_stage_by_stage_through_the_cli(electricity):
    text = electricity.cli("deploy", "electricity", FOREST, "--stages", "shadow,5,25,50,100").stdout
    assert "shadow" in text
    assert all(len(line) <= 100 for line in text.splitlines())
    shares = []
    for _ in range(5):
        now = json.loads(electricity.cli("promote", "electricity", "--json").stdout)
        shares.append((now["stage"], {a["arm"]: a["share_percent"] for a in now["arms"]}))
    assert shares[0] == ("canary 5%", {"primary": 95, "candidate": 5})
    assert shares[2] == ("canary 50%", {"primary": 50, "candidate": 50})
    assert shares[3] == ("bake", {"primary": 0, "candidate": 100})
    # After the bake the candidate is the primary version.
    assert shares[4][0] is None
    assert status(electricity)["primary_version"] == "2"
    assert arm(infer(electricity)) == "primary"
    again = electricity.cli("promote", "electricity", check=False)
    assert again.returncode == 1 and "electricity" in again.stderr


def test_stages_100_goes_there_at_once_and_back(electricity):
    electricity.cli("deploy", "electricity", FOREST, "--stages", "100")
    assert arm(infer(electricity)) == "candidate"
    electricity.cli("rollback", "electricity")
    assert arm(infer(electricity)) == "primary"
    assert infer(electricity).json()["model_version"] == "1"


def test_a_shadow_answers_nothing_and_is_compared(electricity, other_forest):
    electricity.cli("deploy", "electricity", other_forest, "--stages", "shadow,50")
    connection = electricity.connect()
    for i in range(200):
        answer = infer(electricity, i, connection=connection).json()
        assert answer["model_version"] == "1"
        assert answer["outputs"][1]["data"][1] == pytest.approx(PROBABILITIES[i], abs=1e-6)
    connection.close()
    pairs = weir.wait_for(
        lambda: (c := comparison(electricity)) and c["pairs"] == 200 and c, "200 pairs")
    assert pairs["labels"]["n"] == 200 and 0 < pairs["labels"]["rate"] < 1
    assert pairs["scores"]["mean_absolute"] > 0.01
    rows = electricity.sql("select count(*) n, avg((primary_predicted = other_predicted)::int) r "
                           "from electricity_pairs")
    assert rows[0]["n"] == 200
    assert rows[0]["r"] == pytest.approx(pairs["labels"]["rate"])
    assert "weir_comparison_label_agreement_ratio{" in electricity.get("/metrics").body.decode()


def test_a_lasting_shadow_beside_a_rollout(electricity, other_forest):
    electricity.cli("deploy", "electricity", other_forest, "--shadow")
    electricity.cli("deploy", "electricity", FOREST, "--stages", "shadow,50")
    roles = {v["version"]: v["role"] for v in status(electricity)["versions"]}
    assert roles == {"1": "primary", "2": "shadow", "3": "shadow"}
    infer(electricity)
    weir.wait_for(lambda: len(status(electricity)["comparisons"]) == 2, "both shadows compared")
    electricity.cli("model", "remove", "electricity", "2")
    assert {v["version"]: v["role"] for v in status(electricity)["versions"]}["2"] == ""


def test_keys_keep_their_arm_while_the_canary_grows(electricity):
    electricity.cli("deploy", "electricity", FOREST, "--stages", "5,25,50,100")
    keys = [f"user-{i}" for i in range(400)]
    seen = []
    connection = electricity.connect()
    for _ in range(4):
        seen.append({k for k in keys if arm(infer(electricity, key=k, connection=connection))
                     == "candidate"})
        electricity.cli("promote", "electricity")
    connection.close()
    assert seen[0] <= seen[1] <= seen[2] <= seen[3]
    assert len(seen[3]) == 400
    for share, chosen in zip((0.05, 0.25, 0.5), seen):
        spread = 5 * (share * (1 - share) / 400) ** 0.5
        assert abs(len(chosen) / 400 - share) < spread
    recorded = electricity.sql(
        "select reason, count(distinct key_hash) k, count(*) n from electricity group by all")
    assert recorded == [{"reason": "split", "k": 400, "n": 1600}]


def test_a_pinned_version_answers_outside_the_split(electricity):
    electricity.cli("deploy", "electricity", FOREST, "--stages", "shadow,5")
    answer = electricity.infer("electricity/versions/2", weir.electricity_body(ROWS[0], id="p"))
    assert answer.json()["model_version"] == "2"
    record = electricity.sql("select version, reason, arm from electricity where id = 'p'")
    assert record == [{"version": 2, "reason": "pinned", "arm": "candidate"}]


def test_pause_holds_and_resume_goes_on(electricity):
    electricity.cli("deploy", "electricity", FOREST, "--stages", "5,50")
    electricity.cli("pause", "electricity", "--reason", "lunch")
    refused = electricity.cli("promote", "electricity", check=False)
    assert refused.returncode == 1 and "resume" in refused.stderr
    electricity.cli("resume", "electricity")
    electricity.cli("promote", "electricity")
    assert status(electricity)["stage"] == "canary 50%"
    history = json.loads(electricity.cli("rollout", "electricity", "--json").stdout)["history"]
    assert [h["action"] for h in history] == ["start", "pause", "resume", "promote"]
    assert history[1]["text"] == "lunch"


class Load:
    """Clients that never stop; remembers what each request got, and when it was sent."""

    def __init__(self, server, clients=4):
        self.server, self.results, self.is_over = server, collections.deque(), False
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        weir.wait_for(lambda: len(self.results) > 50, "the load to begin")
        return self

    def __exit__(self, *_):
        self.is_over = True
        for thread in self.threads:
            thread.join()

    def run(self, number):
        connection = self.server.connect()
        body = json.dumps(weir.electricity_body(ROWS[number]))
        while not self.is_over:
            sent = time.monotonic()
            answer = self.server.infer("electricity", body, connection=connection)
            version = answer.json().get("model_version") if answer.status == 200 else None
            self.results.append((sent, answer.status, version, time.monotonic()))
        connection.close()


def test_rollback_and_promote_under_load_100_times(electricity):
    calls, quiet = [], {"1": [], "2": []}

    def timed(path):
        begin = time.monotonic()
        electricity.api(f"/endpoints/electricity/{path}", "POST")
        calls.append(time.monotonic() - begin)

    def hold(version):
        """Nobody moves anything: every request of this time is of that version."""
        begin = time.monotonic()
        time.sleep(0.005)
        quiet[version].append((begin, time.monotonic()))

    model = FOREST.read_bytes()
    with Load(electricity) as load:
        for _ in range(100):
            path = "/api/v1/endpoints/electricity/deploy?file_name=v2.ubj&stages=5,100"
            assert electricity.post(path, model).status == 200
            timed("promote")
            hold("2")
            timed("rollback")
            hold("1")
    statuses = collections.Counter(s for _, s, _, _ in load.results)
    versions = collections.Counter(v for _, _, v, _ in load.results)
    print(f"\n{len(load.results)} requests, versions {dict(versions)}; calls: median "
          f"{1e3 * statistics.median(calls):.1f} ms, longest {1e3 * max(calls):.1f} ms")
    assert set(statuses) == {200}
    assert versions["2"] > 0, "the candidate had its turn"
    for version, action in (("2", "promote"), ("1", "rollback")):
        # Answered before the next call too: a client may be held up between its clock and its
        # request.
        got = [v for sent, _, v, done in load.results
               if any(a <= sent and done < b for a, b in quiet[version])]
        assert got, f"no request fell between a {action} and the next call"
        assert set(got) == {version}, (
            f"a request that was sent after the {action} returned got the old version")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_rollout_survives_a_restart_exactly(data, end):
    with weir.serve(data, {"electricity": ONNX}) as server:
        server.cli("deploy", "electricity", FOREST, "--stages", "shadow,5,25,50,100")
        server.cli("promote", "electricity")
        server.cli("promote", "electricity")
        server.cli("pause", "electricity")
        before = status(server)["rollout"]
        keys = {f"u{i}": arm(infer(server, key=f"u{i}")) for i in range(100)}
        server.stop() if end == "stop" else server.kill()
    with weir.serve(data) as server:
        assert status(server)["rollout"] == before
        assert {k: arm(infer(server, key=k)) for k in keys} == keys
        server.cli("resume", "electricity")
        server.cli("rollback", "electricity")
        assert {arm(infer(server, key=k)) for k in keys} == {"primary"}


def test_a_file_that_is_no_model_touches_nothing(electricity, tmp_path):
    garbage = tmp_path / "garbage.onnx"
    garbage.write_bytes(b"this is not a model" * 100)
    refused = electricity.cli("deploy", "electricity", garbage, check=False)
    assert refused.returncode == 1
    assert "garbage.onnx" in refused.stderr
    assert [v["version"] for v in status(electricity)["versions"]] == ["1"]
    assert infer(electricity).status == 200


def test_a_candidate_that_cannot_stand_in_is_refused(electricity):
    refused = electricity.cli("deploy", "electricity", weir.MODELS / "two_inputs.onnx", check=False)
    assert refused.returncode == 1
    assert "input" in refused.stderr and "sidecar" in refused.stderr


def test_a_second_launch_waits_for_the_first(electricity, other_forest):
    electricity.cli("deploy", "electricity", FOREST, "--stages", "shadow,5")
    refused = electricity.cli("deploy", "electricity", other_forest, check=False)
    assert refused.returncode == 1 and "weir rollback electricity" in refused.stderr


def test_the_same_content_is_the_same_version(electricity):
    for _ in range(2):
        electricity.cli("deploy", "electricity", FOREST, "--stages", "5")
        electricity.cli("rollback", "electricity")
    assert [v["version"] for v in status(electricity)["versions"]] == ["1", "2"]


def test_model_on_the_command_line_never_replaces_what_is_served(data):
    with weir.serve(data, {"electricity": ONNX}):
        pass
    with weir.serve(data, {"electricity": FOREST}) as server:
        assert status(server)["primary_version"] == "1"
        assert "weir deploy electricity" in server.log()
