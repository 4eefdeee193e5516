"""What a run found, as tables in Markdown and as plots."""
import pathlib

import plot
from load import interval, median

BEGIN, END = "<!-- bench/compare: written by the command -->", "<!-- bench/compare: end -->"


def values(side, what, number):
    """One number of each round; rounds without it are left out."""
    return [r[what][number] for r in side["rounds"] if what in r]


def middle(side, what, number):
    found = values(side, what, number)
    return median(found) if found else None


def ratios(pair, what, number, upside_down=False):
    over, under = values(pair["weir"], what, number), values(pair["peer"], what, number)
    found = [a / b for a, b in zip(over, under) if b]
    return [1 / ratio for ratio in found if ratio] if upside_down else found


def digits(number):
    if number is None:
        return ""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def with_interval(found):
    if not found:
        return ""
    low, high = interval(found)
    return f"{digits(median(found))} ({digits(low)} to {digits(high)})"


def one_line(pair):
    return f"requests/s of Weir ÷ its: {with_interval(ratios(pair, 'one', 'rate'))}"


def sides(result):
    """Weir once, over all pairs, then each peer, the fastest first."""
    weir = {"rounds": [], "start_s": []}
    for pair in result["pairs"].values():
        for key, value in pair["weir"].items():
            weir[key] = weir[key] + value if key in ("rounds", "start_s") else value
    # The plots want the one curve that was taken.
    weir["curve"] = next((pair["weir"]["curve"] for pair in result["pairs"].values()
                          if "curve" in pair["weir"]), [])
    found = {name: pair["peer"] for name, pair in result["pairs"].items()}
    fastest_first = sorted(found, key=lambda name: -middle(found[name], "one", "rate"))
    return {"weir": weir, **{name: found[name] for name in fastest_first}}


def row(*cells):
    return "| " + " | ".join(cells) + " |"


def table(heads, rows):
    return [row(*heads), row(*("---" for _ in heads)).replace(" ", ""), *rows, ""]


def pair_of(result, name):
    return result["pairs"].get(name)


def throughput(result, all_sides):
    def line(name, side):
        pair = pair_of(result, name)
        return row(
            name, digits(middle(side, "one", "rate")),
            with_interval(ratios(pair, "one", "rate")) if pair else "",
            digits(middle(side, "one", "cpu_us")),
            digits(100 * middle(side, "hundred", "rate")) if values(side, "hundred", "rate") else "",
            with_interval(ratios(pair, "hundred", "rate")) if pair else "")
    return table(["server", "1 row: requests/s", "Weir ÷ it", "CPU µs", "100 rows: rows/s",
                  "Weir ÷ it"], [line(name, side) for name, side in all_sides.items()])


def latency(result, all_sides):
    def line(name, side):
        pair = pair_of(result, name)
        cells = [name, digits(middle(side, "half", "rate"))]
        for what in ("p50", "p99"):
            cells += [digits(middle(side, "half", what)),
                      with_interval(ratios(pair, "half", what)) if pair else ""]
        lost = sum(values(side, "half", "no_connection")) / sum(values(side, "half", "due"))
        return row(*cells, f"{lost:.2%}")
    return table(["server", "requests/s", "p50 µs", "Weir's ÷ its", "p99 µs", "Weir's ÷ its",
                  "not sent"], [line(name, side) for name, side in all_sides.items()])


def start_and_memory(all_sides):
    return table(["server", "start to first right answer s", "memory then MB", "after the load MB"],
                 [row(name, digits(median(side["start_s"])), digits(side["memory_ready_mb"]),
                      digits(side["memory_loaded_mb"])) for name, side in all_sides.items()])


def grpc(result, all_sides):
    def line(name, side):
        pair = pair_of(result, name)
        return row(name, digits(middle(side, "grpc", "rate")),
                   with_interval(ratios(pair, "grpc", "rate")) if pair else "",
                   *(digits(middle(side, "grpc", what)) for what in ("cpu_us", "p50", "p99")))
    rows = [line(name, side) for name, side in all_sides.items() if values(side, "grpc", "rate")]
    heads = ["server", "calls/s", "Weir ÷ it", "CPU µs", "p50 µs", "p99 µs"]
    return ["gRPC, one row a call, 16 callers (`grpc_load`):", "", *table(heads, rows)] if rows else []


def floor(result):
    """What no server can be below: the static answer and the bare run of the model."""
    pair = result["pairs"].get("nginx-static")
    if not pair:
        return []
    cpu, batch, raw = [], [], []
    for weir, nginx in zip(pair["weir"]["rounds"], pair["peer"]["rounds"]):
        one, hundred = nginx["raw_us"]["1"], nginx["raw_us"]["100"]
        if one and hundred:
            raw.append((one, hundred))
            cpu.append(weir["one"]["cpu_us"] / (one + nginx["one"]["cpu_us"]))
            batch.append(100 * weir["hundred"]["rate"] * hundred / 100e6)
    if not raw:
        return []
    return [f"Raw `Run()` of ONNX Runtime takes {digits(median([r[0] for r in raw]))} µs for one row "
            f"and {digits(median([r[1] for r in raw]))} µs for 100. CPU of Weir ÷ (raw `Run()` + "
            f"static answer): {with_interval(cpu)}. Rows/s of Weir in requests of 100 ÷ raw `Run()`: "
            f"{with_interval(batch)}.", ""]


def commands(result, all_sides):
    lines = []
    for name, side in all_sides.items():
        command = " ".join(pathlib.Path(word).name if word.startswith("/") else word
                           for word in side["command"])
        lines.append(f"- {name}: {side['version']}; {side['what']}; `{command}`")
    lines += [f"- {name} was left out: {why}" for name, why in result["left_out"].items()]
    return [*lines, ""]


def markdown(result, pictures):
    all_sides = sides(result)
    where = result["machine"]
    return "\n".join([
        f"    {result['command']}", "",
        "One row of 8 features as JSON over HTTP, 16 connections; the same ONNX model (100 trees of",
        "depth 6) and the same 200 rows for all, all answers checked; the server on one core, the load",
        "on another; each peer in turns with a Weir of its own. Ratios are medians over",
        f"{result['rounds']} rounds of {result['seconds']} s with a 95 % interval. {where['cpu']}, "
        f"{where['cores']} cores, load {where['load_before']:.1f}",
        f"before the run, {where['time'][:10]}.", "",
        *throughput(result, all_sides),
        "An open loop at half of what each server can do itself; latency counts from the moment at",
        "which a request was due:", "",
        *latency(result, all_sides), *grpc(result, all_sides),
        "Of all processes of a server together:", "",
        *start_and_memory(all_sides), *floor(result),
        *(f"![{title}]({path})" for title, path in pictures), "",
        "What ran:", "", *commands(result, all_sides)])


def write(result, out, docs):
    """Into the folder `out` and, where `docs` is one, into it; yields the paths."""
    all_sides = sides(result)
    drawn = {"compare-curve.svg": plot.curves(all_sides),
             "compare-latency.svg": plot.histograms(all_sides)}
    titles = ("Latency against throughput", "Latency at half load")
    text = markdown(result, list(zip(titles, drawn)))
    for folder in filter(None, (out, docs)):
        for name, picture in drawn.items():
            (folder / name).write_text(picture)
            yield folder / name
    (out / "compare.md").write_text(text)
    yield out / "compare.md"
    if docs:
        page = docs / "performance.md"
        before, rest = page.read_text().split(BEGIN, 1)
        after = rest.split(END, 1)[1]
        page.write_text(f"{before}{BEGIN}\n{text}{END}{after}")
        yield page
