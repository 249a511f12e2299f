"""Figures of a run as PNG files: what the network saw, what it learnt and where it is wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.errors import DataError
from seisvision.evaluation.figure_style import COLOURS, LINE_STYLES, panel_grid, plain_text

PARTS = ("train", "val", "test")


def learning_figure(path: Path, rows: Sequence[Mapping[str, Any]], quantities: Sequence[str] | None = None) -> Path:
    """Learning curves by epoch, the first of which is 1, as in the terminal.

    Args:
        path: PNG to write.
        rows: logged rows with ``epoch``, from 0, and keys such as ``train/loss`` and ``val/loss``; empty cells are
            skipped, and of several rows of an epoch the last counts.
        quantities: one panel for each, such as ``loss``; None takes all that were logged for ``val``, else ``train``.

    Raises:
        DataError: nothing to draw was logged.
    """
    curves = _curves(rows)
    if quantities is None:
        names = [name for part in ("val", "train") for name in curves.get(part, {})]
        quantities = list(dict.fromkeys(names))
    if not any(name in curves[part] for part in curves for name in quantities):
        raise DataError(
            f"There is nothing to draw: {len(rows)} logged rows hold no value by epoch of "
            f"{', '.join(quantities) or 'train/... or val/...'}. Train for at least one epoch first."
        )
    columns = min(3, len(quantities))
    figure, panels = panel_grid(math.ceil(len(quantities) / columns), columns, 3.6, 2.8)
    for axes, name in zip(panels, quantities, strict=False):
        for part, colour, style in zip(PARTS, COLOURS, LINE_STYLES, strict=False):
            points = curves.get(part, {}).get(name, {})
            if points:
                epochs = sorted(points)
                marker = "o" if len(epochs) < 3 else None
                values = [points[epoch] for epoch in epochs]
                axes.plot(
                    [epoch + 1 for epoch in epochs], values, color=colour, linestyle=style, marker=marker, label=part
                )
        axes.set_xlabel("epoch")
        axes.locator_params(axis="x", integer=True)
        axes.set_ylabel(plain_text(name.replace("_", " ")))
        axes.legend(frameon=False)
    return save_figure(figure, path)


def samples_figure(path: Path, images: Sequence[np.ndarray] | np.ndarray, captions: Sequence[str]) -> Path:
    """Contact sheet of pictures (N, P, H, W), uint8 or floating point, with N captions of one or more lines.

    Raises:
        DataError: there is no picture, or not one caption for each.
    """
    if not len(images) or len(images) != len(captions):
        raise DataError(
            f"{len(images)} pictures and {len(captions)} captions make no figure; give at least one picture and one "
            "caption for each."
        )
    return _contact_sheet(path, list(images), captions, n_columns=4)


def _contact_sheet(path: Path, pictures: Sequence[np.ndarray], captions: Sequence[str], n_columns: int) -> Path:
    """Pictures side by side in one panel that counts inches: a panel for each costs more than all pictures in one."""
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

    n_columns = min(n_columns, len(pictures))
    n_rows = math.ceil(len(pictures) / n_columns)
    side_in, gap_in = 2.0, 0.1
    height_in = side_in + gap_in + 0.18 * (max(caption.count("\n") for caption in captions) + 1)
    width_in = side_in + gap_in
    figure = Figure(figsize=(n_columns * width_in, n_rows * height_in))
    panel = figure.add_axes((0, 0, 1, 1), xlim=(0, n_columns * width_in), ylim=(n_rows * height_in, 0))
    panel.set_axis_off()
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(number, n_columns)
        left_in, bottom_in = column * width_in + gap_in / 2, (row + 1) * height_in - gap_in / 2
        extent = (left_in, left_in + side_in, bottom_in, bottom_in - side_in)
        # imshow() would shrink the panel to this picture.
        image = AxesImage(panel, cmap="gray", norm=Normalize(0, 1), extent=extent, interpolation="nearest")
        image.set_data(_displayable(picture))
        panel.add_image(image)
        panel.text(left_in + side_in / 2, bottom_in - side_in - 0.04, caption, fontsize=7, ha="center", va="bottom")
    return save_figure(figure, path)


def _displayable(picture: np.ndarray) -> np.ndarray:
    """Picture (P, H, W) as grey (H, W) or colour (H, W, 3) from 0 to 1; other numbers of channels side by side."""
    picture = np.asarray(picture)
    if picture.dtype == np.uint8:
        scaled = picture / 255
    else:
        low, high = float(picture.min()), float(picture.max())
        scaled = (picture - low) / (high - low) if high > low else np.zeros(picture.shape)
    return scaled.transpose(1, 2, 0) if len(scaled) == 3 else np.concatenate(list(scaled), axis=1)


def _curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[int, float]]]:
    """Values by part, quantity and epoch."""
    curves: dict[str, dict[str, dict[int, float]]] = {}
    for row in rows:
        epoch = _number(row.get("epoch"))
        for key, cell in row.items():
            part, slash, name = key.partition("/")
            value = _number(cell)
            if slash and part in PARTS and epoch is not None and value is not None:
                curves.setdefault(part, {}).setdefault(name, {})[int(epoch)] = value
    return curves


def _number(cell: Any) -> float | None:
    try:
        value = float(cell)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
