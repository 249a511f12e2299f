"""Figures of predicted classes: which are taken for which, and how honest the stated probabilities are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.evaluation.figure_style import COLOURS, panel_grid, plain_text
from seisvision.outputs.classes.measures import reliability_bins


def confusion_figure(path: Path, confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> Path:
    """Confusion matrix (K, K), row = true class: counts, shaded by the share of the true class."""
    counts = np.asarray(confusion, dtype=float)
    total = counts.sum(1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    n_classes = len(class_names)
    figure, (axes,) = panel_grid(1, 1, 2.2 + 0.7 * n_classes, 1.8 + 0.6 * n_classes)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), value in np.ndenumerate(counts):
        colour = "white" if share[row, column] > 0.6 else "black"
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=11)
    _class_ticks(axes.xaxis, class_names, rotation=30)
    _class_ticks(axes.yaxis, class_names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    figure.colorbar(image, ax=axes, label="share of true class", fraction=0.05)
    return save_figure(figure, path)


def reliability_figure(path: Path, target: np.ndarray, probability: np.ndarray) -> Path:
    """Share right against stated probability (N, K) of the predicted class, with the number of samples per bin."""
    bins = reliability_bins(target, probability)
    figure, (axes,) = panel_grid(1, 1, 4.2, 4.0)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="perfectly calibrated")
    axes.plot(bins.confidence, bins.accuracy, "o-", color=COLOURS[0], label="network")
    for x, y, count in zip(bins.confidence, bins.accuracy, bins.count, strict=True):
        axes.annotate(str(count), (x, y), xytext=(0, -14), textcoords="offset points", ha="center", fontsize=8)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="probability of the predicted class", ylabel="share right")
    axes.legend(frameon=False, loc="upper left")
    return save_figure(figure, path)


def _class_ticks(axis: Any, class_names: Sequence[str], rotation: float = 0) -> None:
    names = [plain_text(name) for name in class_names]
    axis.set_ticks(range(len(names)), names, rotation=rotation, ha="right")
