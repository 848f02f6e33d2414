# SPDX-License-Identifier: Apache-2.0
"""Drawing for the charts of a benchmark: scales, ticks, numbers in words, and a canvas that makes one SVG.

Usage: from svg import Canvas, Log, Linear, ticks, seconds, size_words, count_words
Every chart is WIDTH wide and has its legend above the plot, so that nothing can lie on top of anything and text keeps
its size on a telephone. Colours come from css(), written out, because not every program that shows SVG knows variables.
"""
import html
import math
import re

WIDTH = 360
MARGIN = 8
CHARACTER = 0.6  # width of a character by font size, on the large side
COLOURS = {  # of Okabe and Ito, told apart by colour-blind readers; class: on white, on black
    "ecdh": ("#0072b2", "#56b4e9"), "vole": ("#c24e00", "#f0954a"), "paillier": ("#8a3f6d", "#dd94bb"),
    "rlwe": ("#007a5a", "#2fc79a"), "plain": ("#5f5f5f", "#b5b5b5"), "other": ("#7a6a00", "#e6d94a"),
    "link0": ("#007a5a", "#2fc79a"), "link1": ("#8a3f6d", "#dd94bb"), "link2": ("#0072b2", "#56b4e9"), "link3": ("#8a6a00", "#e6c04a"),
    "reading": ("#7cc4ee", "#7cc4ee"), "waiting": ("#c9c9c9", "#8a8a8a"), "matching": ("#0072b2", "#2b83c4"), "writing": ("#007a5a", "#1fa37c"),
}
PAPER = (("#ffffff", "#1b1b1d", "#59595f", "#dcdce0"), ("#17181b", "#ececee", "#b0b0b6", "#3a3b40"))  # paper, ink, pale ink, grid


def css(dark):
    """The style of every chart, in light or dark."""
    paper, ink, pale, grid = PAPER[dark]
    rules = [f"svg text{{font:10.5px system-ui,sans-serif;fill:{pale}}}", f"svg .title{{font-size:12.5px;font-weight:600;fill:{ink}}}",
             f"svg .legend{{font-size:11px;fill:{ink}}}", f"svg .paper{{fill:{paper}}}", f"svg .grid{{stroke:{grid};fill:none}}",
             f"svg .axis,svg .limit{{stroke:{pale};fill:none}}", "svg .limit{stroke-dasharray:5 3}", "svg .line{fill:none;stroke-width:1.8}",
             "svg .prediction{fill:none;stroke-width:1.1;stroke-dasharray:4 3}", "svg .band{stroke:none;opacity:.15}", "svg .whisker{stroke-width:1.2}",
             "svg .marker{stroke-width:1.8}", "svg .drop{stroke-dasharray:2 3}", f"svg .bar{{stroke:{paper};stroke-width:1}}"]
    for name, colours in COLOURS.items():
        rules.append(f"svg .{name}{{stroke:{colours[dark]};fill:{colours[dark]}}}")
        rules.append(f"svg .{name}.hollow{{fill:{paper}}}")
    rules.append("svg .line,svg .prediction{fill:none}svg .bar{stroke:%s}svg .band{stroke:none}" % paper)
    return "\n".join(rules)


def escape(words):
    """Text for XML and HTML; characters that neither allows, and those that turn the direction, become a question mark."""
    return html.escape(re.sub("[^\t\n\r\x20-\x7e\xa0-\u2029\u202f-\u2065\u206a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", str(words)))


def cut(words, length):
    return words if len(words) <= length else words[:length - 1] + "…"


def figures(value, digits=3):
    """A number by its significant digits, without an exponent: 0.0123, 1.23, 12.3, 1230."""
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def in_units(value, units, digits):
    for size, name in units:
        if value >= size * 0.9995:
            break
    return f"{figures(value / size, digits)}\xa0{name}"


def seconds(value, digits=3):
    """0.0123 is 12.3 ms, 79 is 1 min 19 s."""
    for size, name, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if value >= size * 0.9995:
            whole, rest = divmod(round(value / part), size // part)
            return f"{whole}\xa0{name}" + (f"\xa0{rest}\xa0{small}" if rest else "")
    return in_units(value, ((1, "s"), (1e-3, "ms"), (1e-6, "µs")), digits)


def size_words(value, digits=3):
    return in_units(value, ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "bytes")), digits)


def count_words(value):
    """16384 is 16 thousand, 4096 is 4.1 thousand, 1048576 is 1 million."""
    for size, name in ((1e9, "\xa0billion"), (1e6, "\xa0million"), (1e3, "\xa0thousand"), (1, "")):
        if value >= size * 0.9995:
            break
    value /= size
    return (f"{value:.0f}" if value >= 9.95 else f"{value:.1f}".removesuffix(".0")) + name


def ratio_words(value):
    """A ratio near 1 as a percentage of difference, a large one as a factor."""
    if 0.5 < value < 2:
        percent = (value - 1) * 100
        return "equal" if abs(percent) < 0.05 else f"{percent:+.{1 if abs(percent) < 10 else 0}f} %".replace(".0 ", " ").replace("-", "−")
    return f"× {figures(value, 2)}"


class Log:
    """A logarithmic scale over the values, with some room at both ends, from coordinate a to b."""

    def __init__(self, values, a, b, room=1.25):
        self.low, self.high, self.a, self.b = min(values) / room, max(values) * room, a, b

    def __call__(self, value):
        return self.a + (self.b - self.a) * math.log(value / self.low) / math.log(self.high / self.low)


class Linear:
    def __init__(self, low, high, a, b):
        self.low, self.high, self.a, self.b = low, high, a, b

    def __call__(self, value):
        return self.a + (self.b - self.a) * (value - self.low) / (self.high - self.low)


def decades(low, high, steps):
    return [s * 10.0**e for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1) for s in steps]


def time_marks(low, high, fine):
    small = [v for v in decades(low, high, (1, 2, 5) if fine else (1,)) if v < 60]
    large = (20, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000) if fine else (60, 600, 3600, 36000)
    return sorted({*small, *(v for v in large if v >= 20)} | {v for v in decades(low, high, (1,)) if v >= 86400})


def ticks(scale, kind, room=18):
    """Where a logarithmic scale is marked: as many round values as keep `room` between them, at least two if that can be."""
    def marks(fine):
        steps = (1, 2, 5) if fine else (1,)
        return time_marks(scale.low, scale.high, fine) if kind == "time" else decades(scale.low, scale.high, steps)

    for fine in (False, True):
        found = [v for v in marks(fine) if scale.low <= v <= scale.high]
        if len(found) > 2:
            break
    if len(found) < 2:
        found = [v for v in decades(scale.low, scale.high, (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)) if scale.low <= v <= scale.high and (kind != "time" or v < 60)] or found
    kept = []
    for v in found:
        if not kept or abs(scale(v) - scale(kept[-1])) >= room:
            kept.append(v)
    return kept


def size_ticks(scale, sizes, room=70):
    """The sizes measured as far as they fit, the largest always: those are the ones a reader looks for."""
    kept = []
    for v in sorted(set(sizes), reverse=True):
        if not kept or abs(scale(v) - scale(kept[-1])) >= room:
            kept.append(v)
    return kept[::-1]


class Canvas:
    """One chart. Title, a line of detail and legend come first and decide where the plot begins: self.left, right, top, bottom."""

    def __init__(self, title, detail="", legend=(), plot=190, left=56, under=50):
        self.title, self.parts, y = title, [], 18
        line = ""
        for word in cut(title, 130).split(" "):
            word = cut(word, 44)
            if len(line) + len(word) > 46:
                self.text(MARGIN, y, line, "title")
                line, y = "", y + 16
            line += (" " if line else "") + word
        self.text(MARGIN, y, line, "title")
        if detail:
            y += 15
            self.text(MARGIN, y, cut(detail, 58))
        x = MARGIN
        y += 18 if legend else 0
        for names, shape, words in legend:
            words = cut(words, 46)
            width = 16 + len(words) * 11 * CHARACTER * 0.9 + 12
            if x > MARGIN and x + width > WIDTH:
                x, y = MARGIN, y + 16
            self.marker(x + 6, y - 4, names, shape, legend=True)
            self.text(x + 16, y, words, "legend")
            x += width
        self.left, self.right, self.top = left, WIDTH - 16, y + 14
        self.bottom = self.top + plot
        self.height = self.bottom + under

    def text(self, x, y, words, names="", anchor="start"):
        if anchor == "middle":  # not over the edge
            half = len(str(words)) * 10.5 * CHARACTER / 2
            x = min(max(x, half), WIDTH - half)
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{names}" text-anchor="{anchor}">{escape(words)}</text>')

    def power(self, x, y, exponent):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">2<tspan dy="-4" font-size="8">{exponent}</tspan></text>')

    def path(self, points, names):
        if len(points) > 1:
            self.parts.append(f'<path class="{names}" d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>')

    def rect(self, x, y, width, height, names):
        self.parts.append(f'<rect class="{names}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>')

    def marker(self, x, y, names, shape, legend=False):
        """A point of the data; class `key` instead of `marker` in the legend, so that the two can be counted apart."""
        names = f'class="{"marker key" if legend else "marker data"} {names}"'
        if shape == "circle":
            self.parts.append(f'<circle {names} cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>')
        else:
            d = {"square": "M{l} {t}H{r}V{b}H{l}Z", "triangle": "M{x} {t}L{r} {b}H{l}Z", "diamond": "M{x} {t}L{r} {y}L{x} {b}L{l} {y}Z",
                 "cross": "M{l} {t}L{r} {b}M{r} {t}L{l} {b}", "bar": "M{l} {t}H{r}V{b}H{l}Z"}[shape]
            reach = {"square": 3.3, "cross": 3.3, "bar": 5}.get(shape, 4.4)
            at = {k: f"{v:.1f}" for k, v in (("x", x), ("y", y), ("l", x - reach), ("r", x + reach), ("t", y - reach), ("b", y + reach))}
            self.parts.append(f'<path {names} d="{d.format(**at)}"/>')

    def y_axis(self, scale, marks, words):
        for v in marks:
            self.path([(self.left, scale(v)), (self.right, scale(v))], "grid")
            self.text(self.left - 6, scale(v) + 3.5, words(v), anchor="end")

    def x_axis(self, scale, marks, words, caption):
        self.path([(self.left, self.bottom), (self.right, self.bottom)], "axis")
        for v in marks:
            self.path([(scale(v), self.bottom), (scale(v), self.bottom + 4)], "axis")
            self.text(scale(v), self.bottom + 15, words(v), anchor="middle")
        self.text((self.left + self.right) / 2, self.height - 5, caption, anchor="middle")

    def rows_axis(self, scale, sizes, caption):
        """Sizes of lists: the power of two where it is one, and in words."""
        marks = size_ticks(scale, sizes)
        self.x_axis(scale, marks, count_words, caption)
        for v in marks:
            if v & (v - 1) == 0:
                self.power(scale(v), self.bottom + 29, v.bit_length() - 1)

    def svg(self, alone=False):
        """The finished chart; alone, with its style and a white ground, for a file of its own."""
        style = f"<style>{css(False)}</style>" if alone else ""
        ground = f'<rect class="paper" width="{WIDTH}" height="{self.height:.0f}"/>' if alone else ""
        extra = f' width="{WIDTH * 2}" height="{self.height * 2:.0f}"' if alone else ""
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height:.0f}"{extra} role="img" '
                f'aria-label="{escape(self.title)}">{style}{ground}{"".join(self.parts)}</svg>')
