"""Times that the channels of a record section are aligned on."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from seisvision.base.devices import kept
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.travel_times import TABLE_DISTANCES_DEG, travel_time_curve
from seisvision.errors import ConfigurationError

PHASE = "P"
SOURCE_DEPTH_KM = 10.0
"""Depth for which P is predicted: what a deeper source arrives early by is part of the picture."""


def check_align(setting: str, align: Any) -> str | float | None:
    """Return ``align``, or raise ConfigurationError unless it is None, ``P`` or a velocity in km/s above 0."""
    if align is None or align == PHASE:
        return align
    if isinstance(align, bool) or not isinstance(align, int | float) or not align > 0:
        raise ConfigurationError(
            f"{setting}={align} is not allowed; give '{PHASE}' for the first arrival, "
            "a velocity in km/s that is larger than 0, or null"
        )
    return float(align)


class Timing(NamedTuple):
    """Which time of each trace a channel shows."""

    known: torch.Tensor
    """bool (B, S): whether that is known."""
    start_s: torch.Tensor | None
    """float32 (B, S): where the channel begins, after the window's start; None: with the window."""
    earlier_s: torch.Tensor | None
    """float32 (B, S): how much earlier than it was the trace is drawn; None: not at all."""


def timing(
    align: str | float | None,
    time_range_s: tuple[float, float] | None,
    offset_km: torch.Tensor,
    window_start_s: torch.Tensor,
    earth_model: str,
) -> Timing:
    """Timing of a channel, from offsets and window starts after the origin time (B, S), NaN where not known."""
    arrival_s = predicted_s(align, offset_km, earth_model)
    if time_range_s is not None:
        start_s = arrival_s - window_start_s + time_range_s[0]
        return Timing(start_s.isfinite(), start_s, None)
    return Timing(arrival_s.isfinite(), None, None if align is None else arrival_s)


def predicted_s(align: str | float | None, offset_km: torch.Tensor, earth_model: str) -> torch.Tensor:
    """Seconds from the origin to what ``align`` names, at offsets (B, S): NaN where it is not known.

    A velocity gives offset / velocity, ``P`` the first P of a source at 10 km depth, up to 100 degrees; None 0.
    """
    if align is None:
        return torch.zeros_like(offset_km)
    if not isinstance(align, str):
        return offset_km / align
    position = offset_km / KM_PER_DEG / float(TABLE_DISTANCES_DEG[0])
    table_s = _p_times_s(earth_model, offset_km.device).to(offset_km)
    below = position.nan_to_num(nan=0.0).long().clamp_(0, len(table_s) - 2)
    time_s = table_s[below].lerp(table_s[below + 1], position - below)
    return time_s.masked_fill(position > len(table_s) - 1, torch.nan)


def cut(series: torch.Tensor, first: torch.Tensor, samples: int) -> torch.Tensor:
    """Return ``samples`` samples of every trace (traces, T) from its own ``first`` (traces,); zero outside."""
    index = first[:, None] + torch.arange(samples, device=series.device)
    inside = (index >= 0) & (index < series.shape[-1])
    return series.gather(-1, index.clamp_(0, series.shape[-1] - 1)).masked_fill_(~inside, 0.0)


@kept
def _p_times_s(earth_model: str, device: torch.device) -> torch.Tensor:
    """First P in steps of the first tabulated distance, from 0: float32 (X + 1,)."""
    times_s = travel_time_curve(earth_model, PHASE, SOURCE_DEPTH_KM)
    # Above the source: the ray is straight, and the table begins at 28 km.
    step_km = float(TABLE_DISTANCES_DEG[0]) * KM_PER_DEG
    overhead_s = times_s[0] * SOURCE_DEPTH_KM / (SOURCE_DEPTH_KM**2 + step_km**2) ** 0.5
    return torch.tensor([overhead_s, *times_s], dtype=torch.float32, device=device)
