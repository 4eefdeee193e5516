"""Plots as SVG, without a library: lines of latency against throughput, histograms of latency."""
import math
from html import escape

WEIR = "#0b5cad"
# Told apart by people who see few colours (after Okabe and Ito), beside a dash that differs.
OTHERS = ("#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#555555", "#e69f00", "#7b4fa3")
DASHES = ("", "6 3", "2 3", "8 3 2 3")
TEXT = 'font-family="DejaVu Sans, Helvetica, Arial, sans-serif"'


def colour(place):
    """Of the server at that place; Weir is the first."""
    return WEIR if place == 0 else OTHERS[(place - 1) % len(OTHERS)]


def dash(place):
    return DASHES[0] if place == 0 else DASHES[(place + (place - 1) // len(OTHERS)) % len(DASHES)]


def text(x, y, words, anchor="start", size=12, fill="#222", more=""):
    return (f'<text x="{x:.1f}" y="{y:.1f}" {TEXT} font-size="{size}" fill="{fill}" '
            f'text-anchor="{anchor}" {more}>{escape(words)}</text>')


def line(points, stroke, width=1.0, dashes=""):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    style = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width}"{style}/>'


def document(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}">\n<rect width="100%" height="100%" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def microseconds(us):
    for limit, unit in ((1e6, "s"), (1e3, "ms")):
        if us >= limit:
            return f"{us / limit:g} {unit}"
    return f"{us:g} µs"


def short(number):
    return f"{number / 1000:g}k" if number >= 1000 else f"{number:g}"


class LogAxis:
    """Values from low to high on pixels from begin to end."""

    def __init__(self, numbers, begin, end):
        self.low = math.log10(min(numbers)) - 0.05
        self.high = math.log10(max(numbers)) + 0.05
        self.begin, self.end = begin, end

    def at(self, number):
        share = (math.log10(number) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self):
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        steps = (1, 2, 5) if self.high - self.low < 2.5 else (1,)
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        return [tick for tick in ticks if self.low <= math.log10(tick) <= self.high]


def panel(x, y, title, words):
    """The frame, its ticks and the name of its x axis."""
    left, right, top, bottom = x.begin, x.end, y.end, y.begin
    parts = [text(left, top - 10, title, size=13, more='font-weight="bold"'),
             text((left + right) / 2, bottom + 36, words, "middle")]
    for tick in x.ticks():
        parts += [line([(x.at(tick), top), (x.at(tick), bottom)], "#e4e4e4"),
                  text(x.at(tick), bottom + 16, short(tick), "middle", 11)]
    for tick in y.ticks():
        parts += [line([(left, y.at(tick)), (right, y.at(tick))], "#e4e4e4"),
                  text(left - 6, y.at(tick) + 4, microseconds(tick), "end", 11)]
    return parts + [line([(left, top), (left, bottom), (right, bottom)], "#888")]


def legend(names, left, top, column_width, columns):
    parts = []
    for place, name in enumerate(names):
        x = left + place % columns * column_width
        y = top + place // columns * 18
        parts += [line([(x, y - 4), (x + 26, y - 4)], colour(place), 3 if place == 0 else 2,
                       dash(place)), text(x + 32, y, name)]
    return parts


def curves(sides):
    """Two panels, the median and the 99th percentile: latency over the rate of right answers."""
    names = [name for name in sides if sides[name].get("curve")]
    if not names:
        return document(200, 40, [text(10, 24, "no curve was measured")])
    points = [point for name in names for point in sides[name]["curve"] if point["p50"]]
    y_numbers = [point[what] for point in points for what in ("p50", "p99")]
    parts = [text(20, 24, "Latency against throughput, one core for the server", size=15,
                  more='font-weight="bold"')]
    for left, what, title in ((70, "p50", "median"), (500, "p99", "99th percentile")):
        x = LogAxis([point["rate"] for point in points], left, left + 360)
        y = LogAxis(y_numbers, 390, 70)
        parts += panel(x, y, title, "requests/s answered (open loop)")
        for place, name in reversed(list(enumerate(names))):
            dots = [(x.at(p["rate"]), y.at(p[what])) for p in sides[name]["curve"] if p[what]]
            parts.append(line(dots, colour(place), 3 if place == 0 else 1.7, dash(place)))
            parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{3 if place == 0 else 2}" '
                      f'fill="{colour(place)}"/>' for a, b in dots]
    rows = math.ceil(len(names) / 4)
    parts += legend(names, 70, 456, 210, 4)
    return document(890, 456 + 18 * rows, parts)


def add_histograms(side):
    """The sum over the rounds: {lower edge in µs: count}."""
    total = {}
    for round_ in side["rounds"]:
        for edge, count in round_["half"]["histogram"]:
            total[edge] = total.get(edge, 0) + count
    return dict(sorted(total.items()))


def share_below(histogram, share):
    """The lower edge of the step that holds this share."""
    left = share * sum(histogram.values())
    for edge, count in histogram.items():
        left -= count
        if left <= 0:
            return edge
    return max(histogram)


def histograms(sides):
    """A strip for each server over one axis of latency, with marks at 50 and 99 %."""
    found = {name: add_histograms(side) for name, side in sides.items()}
    found = {name: histogram for name, histogram in found.items() if histogram}
    if not found:
        return document(200, 40, [text(10, 24, "no latency was measured")])
    step, strip, top, left, right = 10**0.05, 38, 66, 200, 860
    bottom = top + strip * len(found)
    edges = [edge for histogram in found.values() for edge in histogram]
    x = LogAxis([min(edges), max(edges) * step], left, right)
    parts = [text(20, 24, "Latency at half of what each server can do itself", size=15,
                  more='font-weight="bold"'),
             text(20, 44, "Open loop, from the moment a request was due; marks at 50 % and 99 %")]
    for tick in x.ticks():
        parts += [line([(x.at(tick), top), (x.at(tick), bottom)], "#e4e4e4"),
                  text(x.at(tick), bottom + 16, microseconds(tick), "middle", 11)]
    for place, (name, histogram) in enumerate(found.items()):
        base = top + strip * (place + 1)
        scale = (strip - 6) / max(histogram.values())
        for edge, count in histogram.items():
            width = x.at(edge * step) - x.at(edge)
            parts.append(f'<rect x="{x.at(edge):.1f}" y="{base - count * scale:.1f}" '
                         f'width="{width:.1f}" height="{count * scale:.1f}" '
                         f'fill="{colour(place)}"/>')
        for share in (0.5, 0.99):
            at = x.at(share_below(histogram, share) * step**0.5)
            parts.append(line([(at, base - strip + 8), (at, base)], "#111", 1.2, "3 2"))
        parts += [line([(left, base), (right, base)], "#999"),
                  text(left - 10, base - 10, name, "end")]
    return document(900, bottom + 30, parts)
