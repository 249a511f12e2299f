"""Figures of where errors come from, and pictures of what a network looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.errors import DataError
from seisvision.evaluation.figure_style import COLOURS, panel_grid, plain_text
from seisvision.files import whole_file
from seisvision.judging.error_sources import ErrorBin
from seisvision.outputs.predictions import SHARE_WRONG

QUANTITIES = {
    "offset_km": "offset (km)",
    "nearest_station_km": "nearest station (km)",
    "magnitude": "magnitude",
    "depth_km": "depth (km)",
    "n_stations": "stations",
    "gap_deg": "azimuthal gap (deg)",
}
"""What the axes of quantities are called."""
N_COLUMNS = 4
HALF = 0.5
"""Of the largest value of a map: where its outline is drawn."""


def error_against_figure(path: Path, bins: Mapping[str, Sequence[ErrorBin]]) -> Path:
    """One panel a quantity: the error in each bin with its interval, n written beside it.

    Raises:
        DataError: there is no quantity.
    """
    if not bins:
        raise DataError("No quantity varies between the samples, so there is nothing to draw errors against.")
    n_columns = min(3, len(bins))
    figure, panels = panel_grid(math.ceil(len(bins) / n_columns), n_columns, 3.7, 2.9)
    for axes, (name, some) in zip(panels, bins.items(), strict=False):
        middle, value = ([one.middle for one in some], [one.error.value for one in some])
        low, high = ([one.error.low for one in some], [one.error.high for one in some])
        # An interval that is not known has no bar.
        below = np.nan_to_num(np.subtract(value, low)).clip(0)
        above = np.nan_to_num(np.subtract(high, value)).clip(0)
        axes.errorbar(middle, value, yerr=[below, above], fmt="o-", color=COLOURS[0], capsize=3, linewidth=1.2)
        for one in some:
            axes.annotate(f"{one.error.n}", (one.middle, one.error.value), xytext=(5, 5), textcoords="offset points",
                          fontsize=7, color="0.35")  # fmt: skip
        axes.set(xlabel=QUANTITIES.get(name, plain_text(name)), ylabel=_label(some[0].measure), ylim=(0, None))
    for axes in panels[len(bins) :]:
        axes.set_axis_off()
    return save_figure(figure, path)


def _label(measure: str) -> str:
    if measure == SHARE_WRONG:
        return "share wrong"
    unit = measure.removeprefix("median_ae").strip("_")
    return f"median error ({unit})" if unit else "median error"


def overlay_figure(
    path: Path,
    pictures: np.ndarray,
    maps: np.ndarray,
    captions: Sequence[str],
    *,
    signed: bool,
    title: str = "",
) -> Path:
    """Pictures with what a network looked at: each picture as it is, and below it with its map laid over it.

    Args:
        path: PNG to write.
        pictures: uint8 (N, 3, H, W).
        maps: (N, H, W); every map is shown on its own scale, with the outline of its upper half.
        captions: N texts of one or more lines.
        signed: whether values below zero mean something (they lower the prediction); else they are not shown.
        title: above everything.

    Raises:
        DataError: numbers or sizes of pictures, maps and captions differ.
    """
    if not len(pictures) == len(maps) == len(captions) or pictures.shape[2:] != maps.shape[1:] or not len(pictures):
        raise DataError(
            f"Pictures {pictures.shape}, maps {maps.shape} and {len(captions)} captions do not belong together; give "
            "one map of the picture's size and one caption for every picture, and at least one picture."
        )
    n_columns = min(N_COLUMNS, len(pictures))
    n_rows = 2 * math.ceil(len(pictures) / n_columns)
    lines = max(text.count("\n") for text in captions) + 1
    figure, panels = panel_grid(n_rows, n_columns, 2.6, 2.1 + 0.08 * lines)
    for axes in panels:
        axes.set_axis_off()
    for number, (picture, heat, caption) in enumerate(zip(pictures, maps, captions, strict=True)):
        row, column = divmod(number, n_columns)
        plain, laid = panels[2 * row * n_columns + column], panels[(2 * row + 1) * n_columns + column]
        shown = picture.transpose(1, 2, 0)
        plain.imshow(shown, aspect="auto", interpolation="nearest")
        plain.set_title(caption, fontsize=7)
        laid.imshow(shown.mean(2), cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="nearest")
        largest = float(np.abs(heat).max()) or 1.0
        scaled = heat / largest if signed else np.clip(heat, 0, None) / largest
        # Transparent where the map is small, so that the picture stays readable.
        laid.imshow(scaled, cmap="RdBu_r" if signed else "Oranges", vmin=-1, vmax=1, aspect="auto",
                    alpha=0.75 * np.abs(scaled))  # fmt: skip
        if min(heat.shape) > 1 and heat.any():
            laid.contour(np.abs(scaled), levels=[HALF], colors="white", linewidths=0.8)
    if title:
        figure.suptitle(title, fontsize=8)
    return save_figure(figure, path)


def picture_file(path: Path, picture: np.ndarray) -> Path:
    """Write one picture uint8 (3, H, W) as PNG, pixel by pixel."""
    from matplotlib.image import imsave

    with whole_file(path) as partial:
        imsave(partial, np.ascontiguousarray(picture.transpose(1, 2, 0)), format="png")
    return path
