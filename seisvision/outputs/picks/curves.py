"""Curves along a window: what is wanted of them, and which times they tell."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

ABSENT_S = -1000.0
"""Time of an arrival that a window is known not to hold. NaN: nothing is known of it."""
BOX_WIDTH = 12**0.5
"""Width of a box over its standard deviation; half the base of a triangle is the square root of 6 of them."""
CODA = 1.4
"""An event is in the window from P until so many times S minus P have gone by (Mousavi et al. 2020)."""
NEAREST_LOG = 1e-12


def _gaussian(distance: torch.Tensor) -> torch.Tensor:
    return (-0.5 * distance.square()).exp()


def _triangle(distance: torch.Tensor) -> torch.Tensor:
    return (1 - distance.abs() / 6**0.5).clamp_min(0)


def _box(distance: torch.Tensor) -> torch.Tensor:
    return (distance.abs() <= BOX_WIDTH / 2).to(distance)


SHAPES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "gaussian": _gaussian,
    "triangle": _triangle,
    "box": _box,
}
"""Height of a label at a distance from the arrival in standard deviations."""


def label_curves(
    arrivals_s: torch.Tensor, n_samples: int, rate_hz: float, sigma_s: float, shape: str = "gaussian"
) -> torch.Tensor:
    """Curves (B, K, T) that are 1 at the arrivals and fall off on both sides.

    Args:
        arrivals_s: (B, K, E) times of E arrivals of K phases after the first sample; NaN and times outside stand for
            none, though an arrival just beyond an end has its flank inside.
        n_samples: T.
        rate_hz: of the samples.
        sigma_s: standard deviation of the label.
        shape: ``gaussian``, ``triangle`` or ``box``.
    """
    time_s = torch.arange(n_samples, device=arrivals_s.device, dtype=torch.float32) / rate_hz
    curves = arrivals_s.new_zeros(*arrivals_s.shape[:2], n_samples, dtype=torch.float32)
    for one_s in arrivals_s.float().unbind(-1):
        # Asked on the processor only, where it saves time: an accelerator would have to be waited for.
        if one_s.device.type != "cpu" or one_s.isfinite().any():
            height = SHAPES[shape]((time_s - one_s[..., None]) / sigma_s)
            curves = torch.maximum(curves, height.nan_to_num(0.0))
    return curves


def event_curve(arrivals_s: torch.Tensor, n_samples: int, rate_hz: float) -> torch.Tensor:
    """Curve (B, T) that is 1 from P until :data:`CODA` times S minus P later, of all events of a window.

    Args:
        arrivals_s: (B, 2, E) P and S after the first sample.
        n_samples: T.
        rate_hz: of the samples.
    """
    time_s = torch.arange(n_samples, device=arrivals_s.device, dtype=torch.float32) / rate_hz
    p_s, s_s = (one.float()[..., None] for one in arrivals_s.unbind(1))
    # Comparisons with NaN are false.
    inside = (time_s >= p_s) & (time_s <= p_s + CODA * (s_s - p_s)) & (s_s > p_s)
    return inside.any(1).float()


def peaks(curves: torch.Tensor, n_kept: int, apart: int, least: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The highest maxima of curves, the highest first.

    Args:
        curves: (..., T) probabilities.
        n_kept: K, at most so many.
        apart: of maxima that are no farther apart than this many samples only the highest counts.
        least: height below which a maximum does not count, but for the highest of a curve.

    Returns:
        Places (..., K) in samples, between samples by a parabola through the three about the maximum, and heights
        (..., K); NaN where there are fewer.
    """
    shape, n_samples = curves.shape[:-1], curves.shape[-1]
    lines = curves.reshape(-1, 1, n_samples)
    around = functional.max_pool1d(lines, 2 * apart + 1, 1, apart)[:, 0]
    lines = lines[:, 0]
    rises = functional.pad(lines[:, 1:] > lines[:, :-1], (1, 0), value=True)
    # Of a plateau, its first sample.
    found = lines.where((lines == around) & rises, -1.0)
    height, place = found.topk(min(n_kept, n_samples), dim=-1)
    counts = height >= least
    counts[:, :1] = height[:, :1] >= 0
    place_between = place + _to_top(lines, place)
    places, heights = (one.where(counts, torch.nan) for one in (place_between, height))
    short = n_kept - places.shape[-1]
    places, heights = (functional.pad(one, (0, short), value=torch.nan) for one in (places, heights))
    return places.reshape(*shape, n_kept), heights.reshape(*shape, n_kept)


def _to_top(lines: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """From maxima (N, K) of lines (N, T) to the tops of parabolas through their neighbours, in samples."""
    last = lines.shape[-1] - 1
    left, here, right = (lines.gather(-1, (place + step).clamp(0, last)) for step in (-1, 0, 1))
    bend = left - 2 * here + right
    inside = (place > 0) & (place < last) & (bend < 0)
    return torch.where(inside, (0.5 * (left - right) / bend.clamp_max(-NEAREST_LOG)).clamp(-0.5, 0.5), 0.0)
