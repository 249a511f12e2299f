"""The picture of a learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.evaluation.figure_style import COLOURS, LINE_STYLES, panel_grid, plain_text
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import is_share
from seisvision.experiments.supervised.transfer.curve import SCRATCH, Point

BASELINE = "strongest baseline"


def draw_curve(path: Path, points: Sequence[Point], as_it_is: Measure | None = None) -> Path:
    """Mean over seeds against events learnt from, with every single run; beside them the baselines."""
    figure, (axes,) = panel_grid(1, 1, 6.4, 4.2)
    scale = 100 if is_share(points[0].measure) else 1
    ways = list(dict.fromkeys(one.way for one in points))
    for number, way in enumerate(ways):
        side = [one for one in points if one.way == way]
        look = {"color": COLOURS[number % len(COLOURS)], "linestyle": LINE_STYLES[number % len(LINE_STYLES)]}
        _line(axes, [(one.share, one.n_events, scale * one.value.value) for one in side], plain_text(way), look)
    beside = [(one.share, one.n_events, scale * one.strongest[1]) for one in points if one.way == SCRATCH]
    if any(np.isfinite(value) for *_, value in beside):
        _line(axes, beside, BASELINE, {"color": "0.4", "linestyle": (0, (1, 2))})
    if as_it_is is not None and np.isfinite(as_it_is.value):
        axes.axhline(scale * as_it_is.value, color="0.6", linewidth=1, label="network as it is, no event")
    unit = " (%)" if scale == 100 else ""
    axes.set(
        xscale="log", xlabel="events learnt from and validated with", ylabel=f"{points[0].measure}{unit}, test events"
    )
    counts = sorted(
        {
            round(float(np.mean([one.n_events for one in points if one.share == share])))
            for share in {one.share for one in points}
        }
    )
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, title="mean over seeds; dots: single runs", title_fontsize=8)
    return save_figure(figure, path)


def _line(axes: object, found: Sequence[tuple[float, int, float]], label: str, look: Mapping[str, object]) -> None:
    shares = sorted({share for share, *_ in found})
    means = [np.mean([(count, value) for at, count, value in found if at == share], 0) for share in shares]
    axes.plot(*np.transpose(means), label=label, **look)  # type: ignore[attr-defined]
    axes.plot(*np.transpose([one[1:] for one in found]), ".", color=look["color"], alpha=0.6)  # type: ignore[attr-defined]
