"""Small charts as SVG text: no library, colours by class, every mark with a tip that is plain text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from seisvision.evaluation.tables import number_text
from seisvision.plain_text import as_html as esc

MOST_POINTS = 60
"""Points of a drawn curve; longer ones are thinned."""
COLOURS = 8


def colour(number: int) -> str:
    """Class that gives the colour of a group."""
    return f"c{number}" if number < COLOURS else "cx"


@dataclass(frozen=True)
class Curve:
    """One line of a chart."""

    name: str
    points: Sequence[tuple[float, float]]
    style: str = "cx"
    key: str = ""
    """Shown at its end."""
    faint: bool = False
    """Drawn in the background, without tips."""


@dataclass
class Frame:
    """A plotting area with linear axes, in pixels."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: int = 400
    height: int = 240
    left: int = 46
    right: int = 26
    top: int = 12
    bottom: int = 36
    parts: list[str] = field(default_factory=list)

    def x(self, value: float) -> float:
        """Pixels from the left."""
        low, high = self.x_range
        return self.left + (value - low) / ((high - low) or 1.0) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        low, high = self.y_range
        return (
            self.height - self.bottom - (value - low) / ((high - low) or 1.0) * (self.height - self.top - self.bottom)
        )

    def axes(
        self, x_label: str, y_label: str = "", *, percent: bool = False, y_ticks: bool = True, whole_x: bool = False
    ) -> None:
        """Ticks, a line below, and labels."""
        base = self.height - self.bottom
        for value in ticks(*self.y_range) if y_ticks else []:
            y = self.y(value)
            text = f"{value * 100:g} %" if percent else f"{value:g}"
            self.parts.append(
                f'<line class="axis" x1="{self.left}" x2="{self.width - self.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            self.parts.append(f'<text x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>')
        for value in ticks(*self.x_range):
            if whole_x and value != round(value):
                continue
            self.parts.append(f'<text x="{self.x(value):.1f}" y="{base + 15}" text-anchor="middle">{value:g}</text>')
        self.parts.append(
            f'<line class="axis" x1="{self.left}" x2="{self.width - self.right}" y1="{base}" y2="{base}"/>'
        )
        middle = (self.left + self.width - self.right) / 2
        self.parts.append(f'<text x="{middle}" y="{self.height - 4}" text-anchor="middle">{esc(x_label)}</text>')
        if y_label:
            self.parts.append(f'<text x="{self.left}" y="{self.top - 2}">{esc(y_label)}</text>')

    def svg(self, title: str) -> str:
        """The chart; the arrow keys walk through its marks."""
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" tabindex="0" '
            f'aria-label="{esc(title)}">{"".join(self.parts)}</svg>'
        )


def ticks(low: float, high: float, n: int = 4) -> list[float]:
    """About ``n`` round numbers between ``low`` and ``high``, in either order."""
    low, high = min(low, high), max(low, high)
    span = high - low
    if not math.isfinite(span) or span <= 0:
        return [low] if math.isfinite(low) else []
    step = 10 ** math.floor(math.log10(span / n))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if span / (factor * step) <= n)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def spread(values: Sequence[float], pad: float = 0.04) -> tuple[float, float]:
    """Range of finite values with a little room."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    room = pad * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + room


def thin(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """At most ``most`` points, evenly chosen, with both ends."""
    if len(points) <= most:
        return list(points)
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]


def line_chart(title: str, curves: Sequence[Curve], x_label: str, *, percent: bool = False) -> str:
    """Curves with a key at their right end and a tip at every point."""
    points = [point for curve in curves for point in curve.points]
    frame = Frame(spread([x for x, _ in points], 0.0), spread(_inner([y for _, y in points])))
    frame.axes(x_label, percent=percent, whole_x=True)
    taken: list[float] = []
    for curve in sorted(curves, key=lambda curve: not curve.faint):
        shown = [(x, min(max(y, frame.y_range[0]), frame.y_range[1]), y) for x, y in thin(curve.points)]
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y, _ in shown)
        kind = "curve faint" if curve.faint else "curve"
        frame.parts.append(f'<polyline class="{kind} {curve.style}" points="{path}"/>')
        if curve.faint:
            continue
        for x, y, true in shown:
            value = f"{true:.1%}" if percent else number_text(true)
            tip = esc(f"{curve.name}\n{x_label} {x:g}: {value}")
            frame.parts.append(
                f'<circle class="hit {curve.style}" r="5" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" '
                f'data-tip="{tip}"/>'
            )
        if shown and curve.key:
            x, y = frame.x(shown[-1][0]) + 7, _free(frame.y(shown[-1][1]) + 4, taken, frame.height - 4)
            frame.parts.append(f'<text class="key {curve.style}" x="{x:.1f}" y="{y:.1f}">{esc(curve.key)}</text>')
    return frame.svg(title)


def _inner(values: Sequence[float]) -> list[float]:
    """Values without the few that would flatten all others; a first epoch may be far off."""
    finite = sorted(value for value in values if math.isfinite(value))
    if len(finite) < 20:
        return finite
    low, high = finite[round(0.01 * (len(finite) - 1))], finite[round(0.96 * (len(finite) - 1))]
    return [value for value in finite if low - (high - low) <= value <= high + 0.6 * (high - low)]


def _free(y: float, taken: list[float], lowest: float) -> float:
    """A height for a key that covers no other and lies above ``lowest``; full columns overlap."""
    for step in range(18):
        for sign in (1, -1):
            place = y + sign * step * 6
            if place <= lowest and all(abs(place - other) >= 11 for other in taken):
                taken.append(place)
                return place
    return y


def scatter_chart(
    title: str, points: Sequence[tuple[float, float, str]], limits: tuple[float, float], style: str, unit: str
) -> str:
    """Predictions against targets; points are target, prediction and tip."""
    frame = Frame(limits, limits, 300, 260, left=46, right=10)
    frame.axes(f"target {unit}", f"prediction {unit}")
    (x1, x2), (y1, y2) = map(frame.x, limits), map(frame.y, limits)
    frame.parts.append(f'<line class="ideal" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')
    for x, y, text in points:
        inside = min(max(y, limits[0]), limits[1])
        frame.parts.append(
            f'<circle class="dot {style}" r="2.6" cx="{frame.x(x):.1f}" cy="{frame.y(inside):.1f}" '
            f'data-tip="{esc(text)}"/>'
        )
    return frame.svg(title)


def histogram_chart(
    title: str, edges: Sequence[float], shares: Sequence[float], most: float, style: str, label: str, ideal: bool = True
) -> str:
    """Bars of a histogram, in shares of all samples; ``most`` makes the heights of several charts comparable.

    ``ideal``: values are errors, and a line marks where there is none.
    """
    frame = Frame((edges[0], edges[-1]), (0.0, most or 1.0), 300, 130, left=46, right=10)
    frame.axes(label, y_ticks=False)
    for (low, high), share in zip(pairwise(edges), shares, strict=True):
        if share:
            x, y = frame.x(low), frame.y(share)
            tip = esc(f"{number_text(low)} to {number_text(high)}: {share:.1%} of the samples")
            frame.parts.append(
                f'<rect class="bar {style}" x="{x:.1f}" y="{y:.1f}" width="{max(0.5, frame.x(high) - x - 0.8):.1f}" '
                f'height="{frame.height - frame.bottom - y:.1f}" data-tip="{tip}"/>'
            )
    if ideal and edges[0] < 0 < edges[-1]:
        x = frame.x(0)
        frame.parts.append(
            f'<line class="ideal" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{frame.height - frame.bottom}"/>'
        )
    return frame.svg(title)


@dataclass(frozen=True)
class Bin:
    """A value with its interval over a place on the horizontal axis; NaN ends where the interval is not known."""

    x: float
    y: float
    low: float
    high: float
    about: str


def interval_chart(
    title: str, curves: Sequence[tuple[str, str, Sequence[Bin]]], x_label: str, y_label: str, *, percent: bool = False
) -> str:
    """Curves (key, style, bins) with intervals, side by side so that bars of one place do not cover each other."""
    bins = [one for _, _, some in curves for one in some]
    x_range = spread([one.x for one in bins])
    highest = max([end for one in bins for end in (one.y, one.high) if math.isfinite(end)], default=1.0)
    frame = Frame(x_range, (0.0, 1.05 * highest or 1.0), top=18)
    frame.axes(x_label, y_label, percent=percent)
    taken: list[float] = []
    for number, (key, style, some) in enumerate(curves):
        shift = 3.0 * (number - (len(curves) - 1) / 2)
        places = [(frame.x(one.x) + shift, one) for one in some]
        path = " ".join(f"{x:.1f},{frame.y(one.y):.1f}" for x, one in places)
        frame.parts.append(f'<polyline class="curve {style}" points="{path}"/>')
        for x, one in places:
            frame.parts.append(_bin_mark(frame, x, one, style, percent))
        y = _free(frame.y(some[-1].y) + 4, taken, frame.height - 4)
        frame.parts.append(f'<text class="key {style}" x="{places[-1][0] + 8:.1f}" y="{y:.1f}">{esc(key)}</text>')
    return frame.svg(title)


def _bin_mark(frame: Frame, x: float, one: Bin, style: str, percent: bool) -> str:
    def text(value: float) -> str:
        return f"{value:.1%}" if percent else number_text(value)

    known = math.isfinite(one.low) and math.isfinite(one.high)
    interval = f" [{text(one.low)}, {text(one.high)}]" if known else ""
    ends = f'y1="{frame.y(one.low):.1f}" y2="{frame.y(one.high):.1f}"' if known else ""
    bar = f'<line class="whisk {style}" x1="{x:.1f}" x2="{x:.1f}" {ends}/>' if known else ""
    tip = esc(f"{text(one.y)}{interval}\n{one.about}")
    return f'{bar}<circle class="dot {style}" r="3.4" cx="{x:.1f}" cy="{frame.y(one.y):.1f}" data-tip="{tip}"/>'


def bar_chart(title: str, shares: Sequence[tuple[str, float]]) -> str:
    """Horizontal bars of shares, one a line, names to the left."""
    longest = max((len(name) for name, _ in shares), default=0)
    left = min(320, 30 + 7 * longest)
    frame = Frame((0.0, max((share for _, share in shares), default=1.0) or 1.0), (0.0, 1.0),
                  760, 24 * len(shares) + 8, left=left, right=60, top=4, bottom=4)  # fmt: skip
    for number, (name, share) in enumerate(shares):
        y = 4 + 24 * number
        tip = esc(f"{name}: {share:.1%}")
        frame.parts.append(
            f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{esc(name)}</text><rect class="bar c0" x="{left}" '
            f'y="{y + 3}" width="{max(1.0, frame.x(share) - left):.1f}" height="16" rx="2" data-tip="{tip}"/>'
            f'<text x="{max(left + 1.0, frame.x(share)) + 6:.1f}" y="{y + 15}">{share:.0%}</text>'
        )
    return frame.svg(title)


def whisker(low: float, value: float, high: float, limits: tuple[float, float], style: str) -> str:
    """A dot with its interval on a scale that all rows share."""
    frame = Frame(limits, (0, 1), 144, 16, left=4, right=4, top=0, bottom=0)
    ends = "" if math.isnan(low) or math.isnan(high) else (
        f'<line x1="{frame.x(low):.1f}" x2="{frame.x(high):.1f}" y1="8" y2="8"/>'
    )  # fmt: skip
    dot = f'<circle cx="{frame.x(value):.1f}" cy="8" r="3.6"/>'
    return f'<svg class="whisker {style}" viewBox="0 0 144 16" aria-hidden="true">{ends}{dot}</svg>'


@dataclass(frozen=True)
class Axis:
    """One setting (or the measure) of a parallel chart."""

    name: str
    values: Sequence[Any]
    """One a line; numbers, or anything else as categories."""


def parallel_chart(title: str, axes: Sequence[Axis], tips: Sequence[str], styles: Sequence[str]) -> str:
    """Every configuration as a line through its settings to its measure; the first lines are drawn last, on top."""
    frame = Frame((0.0, float(len(axes) - 1)), (0.0, 1.0), 1100, 340, left=70, right=70, top=20, bottom=40)
    scaled = [_scale(axis.values) for axis in axes]
    texts: list[str] = []
    # So many lines that nothing would be seen through them are made thinner.
    frame.parts.append(f'<g style="--rest:{max(0.04, min(0.4, 30 / len(tips))):.2f}">')
    for number, (axis, (_, marks)) in enumerate(zip(axes, scaled, strict=True)):
        x = frame.x(number)
        frame.parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{frame.height - frame.bottom}"/>'
        )
        label = axis.name if len(axis.name) < 25 else f"…{axis.name[-23:]}"
        frame.parts.append(f'<text x="{x:.1f}" y="{frame.height - 14}" text-anchor="middle">{esc(label)}</text>')
        texts += [
            f'<text x="{x + 5:.1f}" y="{frame.y(y) - 3:.1f}">{esc(text[:18])}</text>' for y, text in _apart(marks)
        ]
    for line in reversed(range(len(tips))):
        places = [positions[line] for positions, _ in scaled]
        path = " ".join(f"{frame.x(i):.1f},{frame.y(y):.1f}" for i, y in enumerate(places) if y is not None)
        frame.parts.append(f'<polyline class="line {styles[line]}" points="{path}" data-tip="{esc(tips[line])}"/>')
    frame.parts += ["</g>", *texts]
    return frame.svg(title)


def _apart(marks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Marks whose texts do not cover each other."""
    kept: list[tuple[float, str]] = []
    for place, text in sorted(marks):
        if not kept or place - kept[-1][0] > 0.04:
            kept.append((place, text))
    return kept


def _scale(values: Sequence[Any]) -> tuple[list[float | None], list[tuple[float, str]]]:
    """Heights from 0 to 1 and marks: linear, logarithmic over large ranges, or categories."""
    numbers = [value for value in values if is_number(value)]
    if len(numbers) < len(values) - sum(value is None for value in values) or not numbers:
        names = sorted({str(value) for value in values})
        height = {name: (i + 0.5) / len(names) for i, name in enumerate(names)}
        return [height[str(value)] for value in values], [(y, name) for name, y in height.items()][:12]
    low, high = min(numbers), max(numbers)
    logarithmic = low > 0 and high / low >= 30
    change = math.log10 if logarithmic else float
    width = (change(high) - change(low)) or 1.0
    shown = sorted(set(numbers)) if len(set(numbers)) <= 6 else [low, high]
    height_of = {value: (change(value) - change(low)) / width for value in set(numbers)}
    return [height_of[value] if value is not None else None for value in values], [
        (height_of[value], number_text(value)) for value in shown
    ]


def is_number(value: Any) -> bool:
    """A finite number that is not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
