"""Figures of picks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.evaluation.figure_style import COLOURS, LINE_STYLES, panel_grid
from seisvision.outputs.picks.matching import NEAREST_S
from seisvision.outputs.picks.measures import Judged
from seisvision.outputs.plain import figure_path


def draw_picks(judged: Judged, stem: Path) -> None:
    """Write residuals, measures against the threshold and reliability of every phase."""
    residual_figure(figure_path(stem, "residuals"), judged)
    threshold_figure(figure_path(stem, "threshold"), judged)
    reliability_figure(figure_path(stem, "reliability"), judged)


def residual_figure(path: Path, judged: Judged) -> Path:
    """Histogram of pick minus arrival, one panel a phase."""
    widest_s = NEAREST_S[-1]
    figure, panels = panel_grid(1, len(judged.phases), 4.0, 3.2)
    for number, (phase, axes) in enumerate(zip(judged.phases, panels, strict=True)):
        residual_s = judged.matched(number, widest_s).residual_s
        values = residual_s[np.isfinite(residual_s)]
        axes.hist(values, bins=np.linspace(-widest_s, widest_s, 51).tolist(), color=COLOURS[number])
        axes.axvline(0, color="0.6", linewidth=1)
        middle = f", median {np.median(values):+.3f} s" if len(values) else ""
        axes.set_title(f"{phase}: {len(values)} picks{middle}", fontsize=10)
        axes.set(xlabel="pick minus arrival (s)", ylabel="picks")
    return save_figure(figure, path)


def threshold_figure(path: Path, judged: Judged) -> Path:
    """Precision, recall and F1 within 0.1 s against the probability from which a pick counts."""
    figure, panels = panel_grid(1, len(judged.phases), 4.0, 3.2)
    for number, (phase, axes) in enumerate(zip(judged.phases, panels, strict=True)):
        curve = judged.against_threshold(number, NEAREST_S[0])
        for name, style in zip(("f1", "precision", "recall"), LINE_STYLES, strict=False):
            axes.plot(curve["threshold"], curve[name], style, color=COLOURS[number], label=name)
        axes.axvline(judged.threshold, color="0.6", linewidth=1)
        axes.set(ylim=(0, 1.02), xlim=(0, 1), xlabel="threshold", title=f"{phase} within {NEAREST_S[0]:g} s")
        axes.legend(frameon=False, fontsize=8)
    return save_figure(figure, path)


def reliability_figure(path: Path, judged: Judged) -> Path:
    """Share of picks that are of an arrival within 0.2 s against their probability."""
    figure, (axes,) = panel_grid(1, 1, 4.2, 4.0)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="perfectly calibrated")
    for number, phase in enumerate(judged.phases):
        bins, _ = judged.reliability(number)
        axes.plot(bins["confidence"], bins["accuracy"], "o-", color=COLOURS[number], label=phase)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="probability of the pick", ylabel="share within 0.2 s")
    axes.legend(frameon=False, loc="upper left")
    return save_figure(figure, path)
