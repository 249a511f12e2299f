"""Where each trace of a record section stands on the distance axis."""

from __future__ import annotations

from typing import NamedTuple

import torch

MARGIN = 0.03
"""Share of the picture left free at both ends of a distance axis that is fitted to the section."""
OFFSET_TRACE_SPACING = 1 / 24
"""Share of the picture that stands for one trace spacing where traces stand at their true distances."""
_NO_KEY = 1e30
"""Sorts behind every distance and every time that is known."""


class Layout(NamedTuple):
    """Places of the traces of a batch on a distance axis of W pixels."""

    position_px: torch.Tensor
    """float32 (B, S): base line from the left edge; NaN: not drawn."""
    spacing_px: torch.Tensor
    """float32 (B, 1): one trace spacing, the deflection of amplitude 1."""
    px_per_km: torch.Tensor | None
    """float32 (B, 1); None where the axis is not a distance."""


def rank_layout(offset_km: torch.Tensor, onset_s: torch.Tensor, drawn: torch.Tensor, order: str, width: int) -> Layout:
    """Give every drawn trace an equal share of the axis, sorted by ``order`` ("offset", "onset" or "given").

    Traces of unknown offset follow the known ones in the order of their onsets, and those without an
    onset come last, as given. All inputs are (B, S).
    """
    # Two stable sorts in single precision, the last the one that counts most: one key of both would need double, which
    # many accelerators do slowly or not at all.
    group = torch.zeros_like(offset_km)
    key = torch.zeros_like(offset_km) if order == "given" else onset_s.nan_to_num(nan=_NO_KEY)
    if order == "offset":
        known = offset_km.isfinite()
        key, group = key.masked_fill(known, 0.0), torch.where(known, offset_km, _NO_KEY)
    by_key = key.argsort(dim=-1, stable=True)
    by_group = group.masked_fill(~drawn, torch.inf).gather(-1, by_key).argsort(dim=-1, stable=True)
    rank = by_key.gather(-1, by_group).argsort(dim=-1)
    spacing_px = width / drawn.sum(-1, keepdim=True).clamp_min(1)
    position_px = ((rank + 0.5) * spacing_px).masked_fill(~drawn, torch.nan)
    return Layout(position_px, spacing_px, None)


def offset_layout(
    offset_km: torch.Tensor, drawn: torch.Tensor, range_km: tuple[float, float] | None, width: int
) -> Layout:
    """Put every drawn trace at its offset (B, S), on the axis ``range_km`` or, with None, on one fitted to the section.

    Traces of unknown offset and traces outside the range are not drawn.
    """
    drawn = drawn & offset_km.isfinite()
    spacing_px = offset_km.new_full((len(offset_km), 1), width * OFFSET_TRACE_SPACING)
    if range_km is not None:
        low_km, high_km = range_km
        drawn = drawn & (offset_km >= low_km) & (offset_km <= high_km)
        px_per_km = torch.full_like(spacing_px, width / (high_km - low_km))
        position_px = (offset_km - low_km) * px_per_km
    else:
        nearest = offset_km.masked_fill(~drawn, torch.inf).amin(-1, keepdim=True)
        farthest = offset_km.masked_fill(~drawn, -torch.inf).amax(-1, keepdim=True)
        # One trace alone, or several at one distance, have no extent: they stand in the middle.
        extent_km = farthest - nearest
        px_per_km = (1 - 2 * MARGIN) * width / torch.where(extent_km > 0, extent_km, torch.inf)
        position_px = (offset_km - (farthest + nearest) / 2) * px_per_km + width / 2
    return Layout(position_px.masked_fill(~drawn, torch.nan), spacing_px, px_per_km)
