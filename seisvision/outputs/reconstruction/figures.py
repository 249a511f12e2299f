"""Pictures beside their reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.evaluation.figure_style import COLOURS, panel_grid


def reconstruction_figure(
    path: Path, seen: np.ndarray, said: np.ndarray, captions: Sequence[str], channels: Sequence[str]
) -> Path:
    """N samples, one a column: every channel of lines with its reconstruction over it, or of images with it below.

    Args:
        path: of the PNG.
        seen: (N, P, T) or (N, P, H, W); NaN where nothing was recorded.
        said: the same as it came back.
        captions: N.
        channels: names of the P channels.
    """
    n_samples, n_channels = seen.shape[:2]
    is_image = seen.ndim == 4
    n_rows = n_channels * (2 if is_image else 1)
    figure, panels = panel_grid(n_rows, n_samples, 2.4, 1.5)
    for number in range(n_samples):
        panels[number].set_title(captions[number], fontsize=7)
        for channel in range(n_channels):
            here, name = (seen[number, channel], said[number, channel]), channels[channel]
            if is_image:
                for row, (picture, what) in enumerate(zip(here, ("seen", "reconstructed"), strict=True)):
                    axes = panels[(2 * channel + row) * n_samples + number]
                    # One scale for both; where nothing was recorded there is nothing to draw.
                    known = here[0][np.isfinite(here[0])]
                    if known.size:
                        axes.imshow(picture, cmap="gray", aspect="auto", vmin=known.min(), vmax=known.max())
                    axes.set_ylabel(f"{name} {what}" if number == 0 else "", fontsize=7)
            else:
                axes = panels[channel * n_samples + number]
                axes.plot(here[0], color="0.45", linewidth=0.8, label="seen")
                if np.isfinite(here[0]).any():
                    axes.plot(here[1], color=COLOURS[1], linewidth=0.8, label="reconstructed")
                axes.set_ylabel(name if number == 0 else "", fontsize=7)
        panels[(n_rows - 1) * n_samples + number].set_xlabel("columns" if is_image else "samples", fontsize=7)
    for axes in panels:
        axes.tick_params(labelsize=6)
    if not is_image:
        panels[0].legend(fontsize=6, loc="upper right")
    return save_figure(figure, path)
