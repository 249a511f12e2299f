"""Pictures for the audit page: bars, maps and record sections as inline SVG, every text escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from seisvision.earth.coast_lines import CREDIT, shores_in, svg_path
from seisvision.plain_text import as_html as escape

WIDTH = 420
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b0a800", "#888888")
"""Okabe and Ito (2008): told apart by colour-blind people, on light and dark ground."""
MAX_POINTS = 1500


def colour(number: int) -> str:
    """Colour of the class of that number."""
    return COLOURS[number % len(COLOURS)]


def legend(names: Sequence[str]) -> str:
    """Names with their colours."""
    items = (
        f'<span class="key"><i style="background:{colour(i)}"></i>{escape(name)}</span>' for i, name in enumerate(names)
    )
    return f'<p class="legend">{"".join(items)}</p>'


def histogram(title: str, edges: Sequence[float], counts: Mapping[str, Sequence[int]]) -> str:
    """Stacked bars of the counts of each class."""
    height, left, base = 150, 34, 126
    total = np.sum([list(values) for values in counts.values()], axis=0)
    highest = max(1, int(total.max()))
    step = (WIDTH - left - 8) / len(total)
    floor = np.zeros(len(total))
    bars = []
    for number, values in enumerate(counts.values()):
        for i, value in enumerate(values):
            size = value / highest * 100
            if value:
                x, y = left + i * step, base - floor[i] - size
                bars.append(
                    f'<rect x="{x:.1f}" y="{y:.1f}" width="{step * 0.9:.1f}" height="{size:.1f}"'
                    f' fill="{colour(number)}"/>'
                )
            floor[i] += size
    ticks = [(left, edges[0], "start"), (WIDTH - 8, edges[-1], "end")]
    texts = "".join(f'<text x="{x}" y="142" text-anchor="{anchor}">{value:.4g}</text>' for x, value, anchor in ticks)
    texts += f'<text x="{left - 4}" y="34" text-anchor="end">{highest}</text>'
    texts += f'<text x="{left}" y="14" class="t">{escape(title)}</text>'
    line = f'<line x1="{left}" y1="{base}" x2="{WIDTH - 8}" y2="{base}"/>'
    return _svg(height, "".join(bars) + line + texts, title)


def strip(value: float, low: float, high: float, chance: float) -> str:
    """A bar from 0 to 1 with an interval and a mark for chance."""
    x = [2 + 156 * min(max(number, 0.0), 1.0) for number in (value, low, high, chance)]
    return (
        f'<svg class="strip" viewBox="0 0 160 14" role="img" aria-label="{value:.2f}">'
        f'<rect x="2" y="4" width="{x[0] - 2:.1f}" height="6" fill="{COLOURS[0]}"/>'
        f'<line x1="{x[1]:.1f}" x2="{x[2]:.1f}" y1="7" y2="7" stroke-width="2"/>'
        f'<line x1="{x[3]:.1f}" x2="{x[3]:.1f}" y1="1" y2="13" stroke-dasharray="2 1"/></svg>'
    )


def map_view(title: str, sources: np.ndarray, classes: np.ndarray, stations: np.ndarray) -> str:
    """Sources (E, 2: latitude, longitude) as dots coloured by class and stations (S, 2) as triangles, with a grid."""
    places = np.concatenate([sources, stations])
    places = places[np.isfinite(places).all(axis=1) & (np.abs(places[:, 0]) <= 90)]
    if not len(places):
        return ""
    # Longitudes count from their middle on the circle, so that a set across the date line is one piece.
    angle = np.angle(np.exp(1j * np.radians(places[:, 1])).sum(), deg=True)
    extent = [_x(places[:, 1], angle), places[:, 0]]
    low, high = np.array([part.min() for part in extent]), np.array([part.max() for part in extent])
    pad = np.maximum(0.05 * (high - low), 0.02)
    low, high = low - pad, high + pad
    squeeze = max(0.2, float(np.cos(np.radians(np.clip((low[1] + high[1]) / 2, -85, 85)))))
    scale = min((WIDTH - 50) / ((high[0] - low[0]) * squeeze), 300 / (high[1] - low[1]))
    height = (high[1] - low[1]) * scale + 48

    def place(latitude: float, longitude: float) -> tuple[float, float]:
        x = float(_x(np.array([longitude]), angle)[0])
        return 42 + (x - low[0]) * squeeze * scale, 20 + (high[1] - latitude) * scale

    parts = [_grid(low, high, squeeze, scale, angle), _shores(low, high, squeeze, scale, angle)]
    for latitude, longitude in _thinned(stations):
        x, y = place(latitude, longitude)
        parts.append(f'<path d="M{x:.1f} {y - 4:.1f}l4 7h-8z" class="station"/>')
    for number in np.unique(classes):
        for latitude, longitude in _thinned(sources[classes == number]):
            x, y = place(latitude, longitude)
            fill = colour(int(number)) if number >= 0 else "currentColor"
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{fill}" fill-opacity="0.65"/>')
    return _svg(height, "".join(parts) + f'<text x="42" y="12" class="t">{escape(title)}</text>', title)


def _x(longitude: np.ndarray, middle: float) -> np.ndarray:
    return (longitude - middle + 180) % 360 - 180


def _thinned(places: np.ndarray) -> np.ndarray:
    known = places[np.isfinite(places).all(axis=1) & (np.abs(places[:, 0]) <= 90)]
    return known[:: max(1, len(known) // MAX_POINTS)]


def _grid(low: np.ndarray, high: np.ndarray, squeeze: float, scale: float, middle: float) -> str:
    """Meridians and parallels at round degrees, labelled."""
    right, bottom = 42 + (high[0] - low[0]) * squeeze * scale, 20 + (high[1] - low[1]) * scale
    parts = []
    for degree in _round_degrees(low[0] + middle, high[0] + middle):
        x = 42 + (degree - middle - low[0]) * squeeze * scale
        parts.append(f'<line class="g" x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{bottom:.1f}"/>')
        shown = (degree + 180) % 360 - 180
        parts.append(f'<text x="{x:.1f}" y="{bottom + 12:.1f}" text-anchor="middle">{shown:.5g}</text>')
    for degree in _round_degrees(low[1], high[1]):
        y = 20 + (high[1] - degree) * scale
        parts.append(f'<line class="g" x1="42" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="38" y="{y + 3:.1f}" text-anchor="end">{degree:.5g}</text>')
    return "".join(parts)


def _shores(low: np.ndarray, high: np.ndarray, squeeze: float, scale: float, middle: float) -> str:
    """Where the extra ``maps`` brought them."""
    latitude, longitude = shores_in(low[0] + middle, high[0] + middle, low[1], high[1])
    if not len(latitude):
        return ""
    right, bottom = 42 + (high[0] - low[0]) * squeeze * scale, 20 + (high[1] - low[1]) * scale
    x, y = 42 + (longitude - middle - low[0]) * squeeze * scale, 20 + (high[1] - latitude) * scale
    credit = f'<text x="{right:.1f}" y="{bottom + 24:.1f}" text-anchor="end">{CREDIT}</text>'
    return f'<path class="shore" d="{svg_path(x, y, (42, right), (20, bottom))}"/>{credit}'


def _round_degrees(low: float, high: float) -> np.ndarray:
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 90, 180)
    step = next(step for step in steps if (high - low) / step <= 5)
    return np.arange(np.ceil(low / step) * step, high, step)


def record_section(
    title: str,
    names: Sequence[str],
    starts_s: Sequence[float],
    lengths_s: Sequence[float],
    waveforms: Sequence[np.ndarray],
) -> str:
    """Traces of one event below each other, each scaled by its maximum, in common time."""
    left, row, right = 96, 22, 8
    first = min(starts_s)
    span = max(start + length for start, length in zip(starts_s, lengths_s, strict=True)) - first
    scale = (WIDTH - left - right) / max(span, 1e-9)
    parts = []
    for i, (name, start, length, samples) in enumerate(zip(names, starts_s, lengths_s, waveforms, strict=True)):
        middle = 30 + i * row
        parts.append(f'<text x="{left - 4}" y="{middle + 3}" text-anchor="end">{escape(name[:18])}</text>')
        points = _envelope(samples, left + (start - first) * scale, length * scale, middle, row * 0.48)
        parts.append(f'<polyline points="{points}"/>')
    bottom = 30 + len(names) * row
    parts.append(
        f'<text x="{left}" y="{bottom}">0 s</text>'
        f'<text x="{WIDTH - right}" y="{bottom}" text-anchor="end">{span:.4g} s</text>'
    )
    return _svg(bottom + 6, "".join(parts) + f'<text x="4" y="12" class="t">{escape(title)}</text>', title)


def _envelope(samples: np.ndarray, x: float, width: float, middle: float, half: float) -> str:
    """Lowest and highest value of each column of the picture, so that no spike is lost."""
    finite = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    finite = finite - finite.mean() if len(finite) else np.zeros(1)
    finite /= max(float(np.abs(finite).max()), 1e-300)
    columns = min(len(finite), 320)
    edges = np.linspace(0, len(finite), columns + 1).astype(int)[:-1]
    low, high = np.minimum.reduceat(finite, edges), np.maximum.reduceat(finite, edges)
    at = x + width * np.arange(columns) / columns
    return " ".join(
        f"{a:.1f},{middle - half * b:.1f} {a:.1f},{middle - half * c:.1f}"
        for a, b, c in zip(at, low, high, strict=True)
    )


def _svg(height: float, inner: str, title: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">{inner}</svg>'
