"""Figures of clusters as PNG files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.evaluation.figure_style import COLOURS, LINE_STYLES, panel_grid, plain_text

MARKERS = "os^Dv<>P*Xph"
N_COLUMNS = 3
MOST_TRACES = 14
"""Of a record section."""


def curves_figure(
    path: Path, ks: Sequence[int], curves: Mapping[str, Sequence[float]], recommended: int | None = None
) -> Path:
    """One panel a quantity against the number of clusters; a line marks the recommended number.

    Args:
        path: PNG to write.
        ks: numbers of clusters.
        curves: name to values, NaN where there is none; names without any value are left out.
        recommended: number to mark.
    """
    shown = {name: np.asarray(values, float) for name, values in curves.items() if np.isfinite(values).any()}
    columns = min(N_COLUMNS, max(1, len(shown)))
    figure, panels = panel_grid(math.ceil(max(1, len(shown)) / columns), columns, 3.4, 2.5)
    for axes, (name, values) in zip(panels, shown.items(), strict=False):
        axes.plot(ks, values, "o-", color=COLOURS[0])
        if recommended is not None:
            axes.axvline(recommended, color=COLOURS[1], linestyle=LINE_STYLES[1], linewidth=1)
        axes.set_xlabel("number of clusters K")
        axes.set_title(plain_text(name), fontsize=9)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    return save_figure(figure, path)


def map_figure(path: Path, places: np.ndarray, colourings: Mapping[str, Sequence[str]], axis: str) -> Path:
    """The samples on a plane, once for every way to colour them.

    Args:
        path: PNG to write.
        places: float (N, 2).
        colourings: title to the N names that give colour and marker; "" is grey.
        axis: what the axes are, such as ``principal component``.
    """
    figure, panels = panel_grid(1, len(colourings), 5.2, 4.4)
    for axes, (title, names) in zip(panels, colourings.items(), strict=True):
        asked = np.asarray([str(name) for name in names])
        for number, name in enumerate(sorted(set(asked.tolist()), key=_in_order)):
            chosen = asked == name
            colour = COLOURS[number % len(COLOURS)] if name else "0.7"
            marker = MARKERS[number // len(COLOURS) % len(MARKERS)]
            label = f"{plain_text(name) or 'none'} ({int(chosen.sum())})"
            x, y = places[chosen].T
            axes.scatter(x, y, s=9, color=colour, marker=marker, label=label, alpha=0.7, linewidths=0)
        axes.set(xlabel=f"{axis} 1", ylabel=f"{axis} 2", title=plain_text(title))
        axes.legend(fontsize=7, frameon=False, markerscale=1.6)
    return save_figure(figure, path)


def _in_order(name: str) -> tuple[bool, int, str]:
    return name == "", int(name) if name.isdigit() else -1, name


def times_figure(path: Path, bins: Sequence[str], counts: Mapping[str, Sequence[int]]) -> Path:
    """Sizes of clusters over time, stacked.

    Args:
        path: PNG to write.
        bins: names of the months or years.
        counts: cluster to the number of events in every bin.
    """
    figure, (axes,) = panel_grid(1, 1, min(12.0, 3.0 + 0.3 * len(bins)), 3.2)
    base = np.zeros(len(bins))
    for number, (name, values) in enumerate(counts.items()):
        hatch = ("", "//", "..", "xx")[number // len(COLOURS) % 4]
        axes.bar(range(len(bins)), values, bottom=base, color=COLOURS[number % len(COLOURS)], hatch=hatch, label=name)
        base += np.asarray(values, float)
    step = max(1, len(bins) // 20)
    axes.set_xticks(range(0, len(bins), step), [plain_text(name) for name in bins[::step]], rotation=60, ha="right")
    axes.set_ylabel("events")
    axes.legend(fontsize=7, frameon=False, title="cluster", loc="center left", bbox_to_anchor=(1, 0.5))
    return save_figure(figure, path)


def sections_figure(
    path: Path,
    sections: Sequence[tuple[np.ndarray, np.ndarray]],
    captions: Sequence[str],
    length_s: float,
) -> Path:
    """Record sections side by side, as a seismologist draws them: distance to the right, time downwards.

    Of stations at nearly the same distance one is drawn.

    Args:
        path: PNG to write.
        sections: per event offsets (S,) in km, NaN where they are not known, and traces float (S, T).
        captions: one per event.
        length_s: duration of the traces.
    """
    columns = min(4, len(sections))
    figure, panels = panel_grid(math.ceil(len(sections) / columns), columns, 3.0, 3.2)
    for axes, (offset_km, traces), caption in zip(panels, sections, captions, strict=False):
        known = bool(np.isfinite(offset_km).all())
        place = offset_km if known else np.arange(len(traces), dtype=float)
        spacing = np.ptp(place) / MOST_TRACES or 1.0
        shown = _apart(place, spacing)
        time_s = np.linspace(0, length_s, traces.shape[1])
        for x, trace in zip(place[shown], traces[shown], strict=True):
            peak = np.abs(trace).max()
            scaled = 0.7 * spacing * trace / peak if peak > 0 else np.zeros(len(trace))
            axes.plot(x + scaled, time_s, "k", linewidth=0.3)
        axes.set_ylim(length_s, 0)
        axes.set_title(caption, fontsize=7)
        label = "offset (km)" if known else "station"
        axes.set_xlabel(f"{label}, {len(shown)} of {len(traces)} stations", fontsize=7)
        axes.set_ylabel("time (s)", fontsize=7)
        axes.tick_params(labelsize=6)
    for axes in panels[len(sections) :]:
        axes.set_axis_off()
    return save_figure(figure, path)


def _apart(places: np.ndarray, spacing: float) -> np.ndarray:
    """Numbers of places, in rising order, that are at least ``spacing`` from the one before."""
    kept: list[int] = []
    for number in np.argsort(places, kind="stable"):
        if not kept or places[number] - places[kept[-1]] >= spacing:
            kept.append(int(number))
    return np.array(kept, int)
