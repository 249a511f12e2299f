"""How strong a trace is, pixel by pixel, and what amplitude becomes 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

NORMS = ("trace", "section", "channel-shared", "none")
NOISE_QUANTILE = 0.25
"""Quantile of a trace's pixel amplitudes that stands for its noise in a decibel envelope."""
NOISE_FLOOR = 1e-3
"""The noise is at least this share of the peak: a quarter of a record may be missing."""
SECTION_QUANTILE = 0.9
"""Quantile of the trace levels that scales a section: one glitch or one strong trace does not darken the rest."""
LEVEL_FLOOR = 0.01
"""A trace's level is at least this share of its peak, so that a lone spike on a silent trace is drawn as one."""
ROUNDING = 2e-6
"""Motion below this share of a trace's mean is float32 rounding: the trace is flat."""


class PixelTraces(NamedTuple):
    """One channel of a batch after binning into time pixels."""

    lowest: torch.Tensor
    """float32 (B, S, R): smallest sample of each pixel."""
    highest: torch.Tensor
    """float32 (B, S, R): largest sample of each pixel."""
    amplitude: torch.Tensor
    """float32 (B, S, R): the larger magnitude of the two."""
    level: torch.Tensor
    """float32 (B, S): what amplitude the trace is normalised by; NaN where it is not live."""
    live: torch.Tensor
    """bool (B, S): the trace is present, finite and not flat."""

    def part(self, samples: slice) -> PixelTraces:
        """Only some samples of the batch."""
        return PixelTraces(*(values[samples] for values in self))


def centre_pixels(lowest: torch.Tensor, highest: torch.Tensor) -> torch.Tensor:
    """Move extremes (..., R) in place so that each trace's middle is zero, and return that middle (...).

    The middle is the mean, over the pixels that hold a recording, of half-way between their extremes.
    Pixels of zeros, where nothing was recorded, stay zero, and so does the end of a recording that shares
    a pixel with them: otherwise a recording with an offset would begin with a step.
    """
    no_low, no_high = lowest == 0, highest == 0
    empty = no_low & no_high
    beside = empty.clone()
    beside[..., 1:] |= empty[..., :-1]
    beside[..., :-1] |= empty[..., 1:]
    pixels = (~empty).sum(-1, keepdim=True).clamp_min_(1)
    middle = (lowest + highest).sum(-1, keepdim=True) / (2 * pixels)
    lowest.sub_(middle).masked_fill_(beside & no_low, 0.0)
    highest.sub_(middle).masked_fill_(beside & no_high, 0.0)
    return middle.squeeze(-1)


def measure(
    lowest: torch.Tensor,
    highest: torch.Tensor,
    mean: torch.Tensor,
    mask: torch.Tensor,
    clip_quantile: float | None,
    motion: torch.Tensor | None = None,
) -> PixelTraces:
    """Return extremes (B, S, R) with the level of each trace and whether it is drawn at all.

    The level is the ``clip_quantile`` of the pixels' amplitudes. A trace lives when ``mask`` (B, S) allows it, it
    is finite and it moves by more than the rounding of its ``mean`` (B, S). The level of others is NaN. Without a
    ``clip_quantile`` it is 1. How far traces move (B, S) is that between their extremes, unless given.
    """
    amplitude = torch.maximum(highest, -lowest)
    if clip_quantile is None:
        level = torch.ones_like(mean)
    else:
        count = max(1, math.ceil((1 - clip_quantile) * lowest.shape[-1]))
        largest = amplitude.topk(count, dim=-1).values
        level = torch.maximum(largest[..., -1], largest[..., 0] * LEVEL_FLOOR)
    motion = highest.amax(-1) - lowest.amin(-1) if motion is None else motion
    live = mask & motion.isfinite() & (motion > ROUNDING * mean.abs())
    return PixelTraces(lowest, highest, amplitude, level.masked_fill(~live, torch.nan), live)


def scale_factors(channels: Sequence[PixelTraces], norm: str) -> list[torch.Tensor]:
    """Return per channel what each trace is multiplied by: (B, S), 0 where it is not live.

    ``trace``: one over the trace's level in that channel; ``section``: over a high quantile of the levels of
    the event's traces; ``channel-shared``: over the trace's largest level of all channels; ``none``: 1.
    """
    levels = torch.stack([channel.level for channel in channels])
    live = torch.stack([channel.live for channel in channels])
    if norm == "section":
        levels = known_quantile(levels, SECTION_QUANTILE)
    elif norm == "channel-shared":
        levels = levels.nan_to_num(nan=0.0).amax(0, keepdim=True)
    elif norm == "none":
        levels = torch.ones_like(levels)
    return list(torch.where(live, levels.reciprocal(), 0.0))


def known_quantile(values: torch.Tensor, quantile: float) -> torch.Tensor:
    """The ``quantile`` (..., 1) of the values (..., S) that are not NaN; NaN where all are.

    torch's own computes in double precision, which many accelerators do slowly or not at all.
    """
    if values.device.type == "cpu":
        return values.nanquantile(quantile, dim=-1, keepdim=True)
    return sorted_quantile(values, quantile)


def sorted_quantile(values: torch.Tensor, quantile: float) -> torch.Tensor:
    """The same in single precision, on any device."""
    ordered = values.sort(-1).values  # NaN last
    place = (~values.isnan()).sum(-1, keepdim=True).sub(1).clamp_min(0) * quantile
    below = place.floor()
    return ordered.gather(-1, below.long()).lerp(ordered.gather(-1, place.ceil().long()), place - below)


def decibel_envelope(amplitude: torch.Tensor, range_db: tuple[float, float]) -> torch.Tensor:
    """Return amplitudes (B, S, R) as decibels above each trace's noise, ``range_db`` mapped to [0, 1] and clipped.

    The noise is :func:`low_quantile`, or -60 dB of the trace's peak where that is larger. A trace of zeros stays zero.
    """
    low_db, high_db = range_db
    noise = torch.maximum(low_quantile(amplitude, NOISE_QUANTILE), amplitude.amax(-1, keepdim=True) * NOISE_FLOOR)
    ratio = amplitude / noise.masked_fill(noise == 0, torch.inf)
    return ratio.log10_().mul_(20).sub_(low_db).div_(high_db - low_db).clamp_(0, 1)


def live_decibels(amplitude: torch.Tensor, live: torch.Tensor, range_db: tuple[float, float]) -> torch.Tensor:
    """:func:`decibel_envelope` of traces (B, S, R) that are ``live`` (B, S, 1); others are zero.

    Padding and stations that are left out are a third of a batch, which a processor leaves out.
    """
    if amplitude.device.type != "cpu" or live.all():
        return decibel_envelope(amplitude, range_db).masked_fill_(~live, 0.0)
    rows = live.flatten().nonzero()[:, 0]
    values = torch.zeros_like(amplitude)
    values.view(-1, values.shape[-1])[rows] = decibel_envelope(amplitude.flatten(0, 1)[rows], range_db)
    return values


def low_quantile(values: torch.Tensor, quantile: float) -> torch.Tensor:
    """Return the ``quantile`` (..., 1) of the pixels (..., R) of each trace, which must not be negative.

    Up to half of the pixels may be zero without having a say: nothing was recorded there. What is zero beyond
    that is silence, so that a lone spike stands above a noise of 0.
    """
    pixels = values.shape[-1]
    count = max(1, round(quantile * pixels))
    if values.device.type == "cpu" and bool((values.numpy() > 0).all()):
        # Everything has a say. An accelerator is not asked, for that means to wait.
        found_at = int((torch.tensor(pixels) * quantile).round()) - 1
        return _smallest(values, count)[..., min(max(found_at, 0), count - 1), None]
    recorded = values != 0
    smallest = _smallest(values.masked_fill(~recorded, torch.inf), count)
    heard = recorded.sum(-1, keepdim=True)
    silent = (pixels - heard - pixels // 2).clamp_min_(0)
    rank = ((heard + silent) * quantile).round_().long().clamp_(1, count)
    found = smallest.gather(-1, (rank - silent - 1).clamp_min_(0))
    return found.masked_fill(silent >= rank, 0.0)


def _smallest(values: torch.Tensor, count: int) -> torch.Tensor:
    """The ``count`` smallest of values (..., R) in their order.

    On a processor NumPy's sort of everything takes a fifth of the time of ``topk``, for it has vector instructions.
    """
    if values.device.type == "cpu":
        return torch.from_numpy(np.sort(values.numpy(), axis=-1))[..., :count]
    # Not kthvalue, which refuses to run on accelerators when deterministic algorithms are asked for.
    return values.topk(count, dim=-1, largest=False).values
