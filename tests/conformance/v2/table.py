"""The verdict per point: collects what the tests of a point said, and prints one line each."""
import collections
import json
import re

import pytest

from v2.verdicts import NotApplicable, NotRun

LONGEST = 110  # Characters of a reason in the table.
PASS, FAIL, NOT_APPLICABLE, NOT_RUN = "pass", "fail", "not applicable", "not run"


class Table:
    """A pytest plugin. A point fails when one of its tests does, and passes when none does and at
    least one could be decided."""

    def __init__(self, strict, save_to=None):
        self.strict, self.save_to = strict, save_to
        self.lines = collections.OrderedDict()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        outcome = yield
        report = outcome.get_result()
        marker = item.get_closest_marker("point")
        if marker is None or (call.when != "call" and not call.excinfo):
            return
        name, transport, title = marker.args
        line = self.lines.setdefault((name, transport, title), {"said": []})
        if not call.excinfo:
            line["said"].append((PASS, ""))
            return
        error = call.excinfo.value
        verdict = {NotApplicable: NOT_APPLICABLE, NotRun: NOT_RUN}.get(type(error), FAIL)
        line["said"].append((verdict, reason(error)))
        undecided = verdict == NOT_RUN or (verdict == NOT_APPLICABLE and not self.strict)
        if undecided:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1], f"{verdict}: {reason(error)}")

    def verdicts(self):
        """(point, transport, title, verdict, reason), in order."""
        result = []
        for (name, transport, title), line in sorted(
                self.lines.items(), key=lambda l: order(l[0])):
            said = line["said"]
            failed = [why for verdict, why in said if verdict == FAIL]
            undecided = [s for s in said if s[0] in (NOT_APPLICABLE, NOT_RUN)]
            if failed:
                more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
                verdict, why = FAIL, failed[0] + more
            elif len(undecided) == len(said):
                verdict, why = undecided[0]
            else:
                verdict, why = PASS, "; ".join(why for _, why in undecided)
            result.append((name, transport, title, verdict, why))
        return result

    def pytest_unconfigure(self):
        if not self.save_to:
            return
        text = json.dumps([[n, t, v, w] for n, t, _, v, w in self.verdicts()])
        if self.save_to == "-":
            print(text)
        else:
            with open(self.save_to, "w") as file:
                file.write(text)

    def pytest_terminal_summary(self, terminalreporter):
        verdicts = self.verdicts()
        if not verdicts:
            return
        write = terminalreporter.write_line
        write("")
        for name, transport, title, verdict, why in verdicts:
            # What a pass could not look at is said too, but in brackets.
            note = f": {why}" if why and verdict != PASS else f" (without: {why})" if why else ""
            write(f"{name:<16} {transport:<5} {verdict:<14} {title}{note}")
        counts = collections.Counter(v[3] for v in verdicts)
        write("")
        write(", ".join(f"{counts[v]} {v}" for v in (PASS, FAIL, NOT_APPLICABLE, NOT_RUN)
                        if counts[v] or v in (PASS, FAIL)))


def order(key):
    """C1 to C40 first, clients after them."""
    name, transport, _ = key
    number = re.fullmatch(r"C(\d+)", name)
    return (not number, int(number[1]) if number else 0, name, transport != "REST")


def reason(error):
    """The first line of what went wrong, short enough for a table."""
    text = str(error).strip().splitlines()
    first = text[0] if text else type(error).__name__
    if not isinstance(error, (AssertionError, NotApplicable, NotRun)):
        first = f"{type(error).__name__}: {first}"
    return first if len(first) <= LONGEST else first[:LONGEST - 1] + "…"
