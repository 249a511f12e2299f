"""What waveforms are divided by before a network sees them."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from seisvision.errors import DataError
from seisvision.views.amplitude import ROUNDING

MEASURES = ("peak", "std")
STREAM_QUANTILE = 0.999
"""Quantile of the peaks of records that stands for the peak of the stream: one glitch is not the measure of all."""


def motion_mask(lines: torch.Tensor) -> torch.Tensor:
    """Tell (B, C) which recordings (B, C, T) are finite and move by more than the rounding of their mean."""
    # Not aminmax, which is ten times slower along the last axis.
    highest, lowest = lines.amax(-1), lines.amin(-1)
    motion = highest - lowest
    # A number that is not one, or an infinite one, makes the motion so.
    return motion.isfinite() & (motion > ROUNDING * (highest + lowest).abs() / 2)


def level_of_records(lines: torch.Tensor, measure: str, is_joint: bool) -> torch.Tensor:
    """Return peak or root mean square of each record (B, C, T): (B, C, 1), or (B, 1, 1) of all components together.

    Samples that are zero, where nothing was recorded, do not count in the mean. It is 1 where nothing moves.
    """
    if measure == "peak":
        level = torch.maximum(lines.amax(-1, keepdim=True), -lines.amin(-1, keepdim=True))
        level = level.amax(1, keepdim=True) if is_joint else level
    else:
        dims = (1, 2) if is_joint else (2,)
        level = _root_mean_square(lines, dims)
    return torch.where(level > 0, level, 1.0)


def _root_mean_square(lines: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    # Squares of motion below 1e-19 would be lost in float32.
    peak = lines.abs().amax(dims, keepdim=True)
    scaled = lines / torch.where(peak > 0, peak, 1.0)
    recorded = torch.ne(lines, 0).sum(dims, keepdim=True).clamp_min(1)
    return (scaled.square().sum(dims, keepdim=True) / recorded).sqrt() * peak


def level_of_stream(records: Iterable[torch.Tensor], measure: str, is_joint: bool) -> torch.Tensor:
    """Return one level (C,), or (1,) of all components together, for all records in batches (B, C, T).

    ``peak``: a high quantile of the peaks of the records; ``std``: the root of the mean over records of their mean
    squares. Records in which nothing moves do not count.

    Raises:
        DataError: a component moves in no record.
    """
    found = []
    for lines in records:
        level = level_of_records(lines, measure, is_joint)[..., 0].double()
        moves = (lines != 0).any(-1)
        moves = moves.any(1, keepdim=True) if is_joint else moves
        found.append(level.masked_fill(~moves, torch.nan))
    levels = torch.cat(found) if found else torch.empty(0, 1, dtype=torch.float64)
    if len(levels) == 0 or bool(levels.isnan().all(0).any()):
        raise DataError(
            "level_of='stream' needs training traces of which every component moves; give view.fixed_level, leave the "
            "component out of view.components, or choose view.across=joint"
        )
    if measure == "peak":
        return levels.nanquantile(STREAM_QUANTILE, dim=0).float()
    return levels.square().nanmean(0).sqrt().float()
