"""Figures of what a network of waveforms looked at, along time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.errors import DataError
from seisvision.evaluation.figure_style import panel_grid, plain_text

N_COLUMNS = 2
REACH = 0.45
"""Share of the distance between two lines that the largest motion of a record reaches."""
PHASES = {"P": "tab:green", "S": "tab:purple"}


@dataclass(frozen=True)
class SeenLines:
    """Lines as a network saw them, with what is known of their time.

    Args:
        lines: (N, P, T).
        channels: names of the P channels.
        sample_s: seconds between two samples.
        arrivals_s: P and S (N, 2) in seconds after the first sample, NaN where they are not known.
    """

    lines: np.ndarray
    channels: Sequence[str]
    sample_s: float
    arrivals_s: np.ndarray

    @property
    def duration_s(self) -> float:
        """Length of the lines in seconds."""
        return self.lines.shape[-1] * self.sample_s


def weighted_lines_figure(
    path: Path, seen: SeenLines, maps: np.ndarray, captions: Sequence[str], *, signed: bool, title: str = ""
) -> Path:
    """One panel a sample: its lines below each other over the shade of its map, P and S marked, time in seconds.

    Args:
        path: PNG to write.
        seen: the lines; those of a sample have one scale.
        maps: (N, T); every map is shown on its own scale.
        captions: N texts of one or more lines.
        signed: whether values below zero mean something (they lower the prediction); else they are not shown.
        title: above everything.

    Raises:
        DataError: numbers or lengths of lines, maps and captions differ, or there is none.
    """
    n_samples, n_channels, length = seen.lines.shape
    if not n_samples or maps.shape != (n_samples, length) or len(captions) != n_samples:
        raise DataError(
            f"Lines {seen.lines.shape}, maps {maps.shape} and {len(captions)} captions do not belong together; give "
            "one map as long as the lines and one caption for every sample, and at least one sample."
        )
    n_columns = min(N_COLUMNS, n_samples)
    figure, panels = panel_grid(math.ceil(n_samples / n_columns), n_columns, 4.4, 1.2 + 0.45 * n_channels)
    time_s = np.arange(length) * seen.sample_s
    bottom, top = -n_channels + 0.5, 0.5
    for number, (axes, heat) in enumerate(zip(panels, maps, strict=False)):
        largest = float(np.abs(heat).max()) or 1.0
        scaled = heat / largest if signed else np.clip(heat, 0, None) / largest
        axes.imshow(scaled[None], cmap="RdBu_r" if signed else "Oranges", vmin=-1, vmax=1, aspect="auto",
                    alpha=0.75 * np.abs(scaled)[None], extent=(0, seen.duration_s, bottom, top))  # fmt: skip
        peak = float(np.abs(seen.lines[number]).max()) or 1.0
        for channel, line in enumerate(seen.lines[number]):
            axes.plot(time_s, REACH * line / peak - channel, color="black", linewidth=0.5)
        _mark_phases(axes, seen.arrivals_s[number], seen.duration_s)
        axes.set_yticks(-np.arange(n_channels), [plain_text(name) for name in seen.channels])
        axes.set(xlim=(0, seen.duration_s), ylim=(bottom, top), xlabel="time after the start of the window (s)")
        axes.set_title(captions[number], fontsize=7)
        axes.tick_params(labelsize=7)
    for axes in panels[n_samples:]:
        axes.set_axis_off()
    if title:
        figure.suptitle(title, fontsize=8)
    return save_figure(figure, path)


def _mark_phases(axes: object, arrivals_s: np.ndarray, duration_s: float) -> None:
    """A vertical line with its letter where P and S arrive within the window."""
    for (letter, colour), time_s in zip(PHASES.items(), arrivals_s, strict=True):
        if 0 <= time_s <= duration_s:
            axes.axvline(time_s, color=colour, linewidth=1.0, linestyle="--")  # type: ignore[attr-defined]
            axes.text(time_s, 0.5, letter, color=colour, fontsize=8, va="top", ha="left")  # type: ignore[attr-defined]


def weight_by_phase(maps: np.ndarray, seen: SeenLines, signed: bool) -> dict[str, dict[str, float]]:
    """Where the weight of maps (N, T) lies: medians over the samples of which P and S are known and in the window.

    Of each interval ``share_of_weight``, and ``share_of_time``, which a map has that is the same everywhere. Empty
    where no sample has both phases. Of maps with a sign magnitudes count, else what is above zero.
    """
    time_s = (np.arange(maps.shape[-1]) + 0.5) * seen.sample_s
    p_s, s_s = seen.arrivals_s[:, :1], seen.arrivals_s[:, 1:]
    weight = np.abs(maps) if signed else np.clip(maps, 0, None)
    total = weight.sum(1)
    # Comparisons with NaN are false.
    usable = ((p_s >= 0) & (s_s >= p_s) & (s_s <= seen.duration_s))[:, 0] & (total > 0)
    if not usable.any():
        return {}
    within = {"before_p": time_s < p_s, "p_to_s": (time_s >= p_s) & (time_s < s_s), "after_s": time_s >= s_s}
    return {
        name: {
            "share_of_weight": float(np.median((weight * mask).sum(1)[usable] / total[usable])),
            "share_of_time": float(np.median(mask.mean(1)[usable])),
        }
        for name, mask in within.items()
    }
