"""Drawing kernels: from samples to pixels, batched, on any device, without loops over events or traces.

In this module R is the number of time pixels of a picture and W the number of distance pixels;
N stands for the pictures of a batch, S for the traces of one picture.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional

POSITION_STEPS = 1024
"""Wiggle edges are rounded to 1/1024 pixel: float32 sums of such numbers are exact, in any order, on any device."""


@torch.no_grad()
def pixel_extremes(series: torch.Tensor, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the smallest and the largest sample of every time pixel: two tensors (..., R) from ``series`` (..., T).

    Every sample counts in at least one pixel. A NaN makes its pixel NaN.
    """
    series = series.contiguous()
    return pixel_largest(series.neg(), rows).neg_(), pixel_largest(series, rows)


@torch.no_grad()
def pixel_amplitudes(series: torch.Tensor, rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest magnitude of every time pixel (..., R) of ``series`` (..., T), and how far it moves (...).

    In less than half the time of :func:`pixel_extremes`, where signs do not matter.
    """
    return pixel_largest(series.abs().contiguous(), rows), series.amax(-1) - series.amin(-1)


@torch.no_grad()
def pixel_largest(series: torch.Tensor, rows: int) -> torch.Tensor:
    """The largest sample of every time pixel (..., R) of a contiguous ``series`` (..., T)."""
    samples = series.shape[-1]
    flat = series.view(-1, 1, samples)
    plan = _pooling_plan(samples, rows)
    if plan is None:
        stride = kernel = -(-samples // rows)
        flat = functional.interpolate(flat, size=rows * stride, mode="nearest")
    else:
        chunks, kernel, stride = plan
        flat = flat.view(-1, 1, samples // chunks)
    return functional.max_pool1d(flat, kernel, stride).view(*series.shape[:-1], rows)


def _pooling_plan(samples: int, rows: int) -> tuple[int, int, int] | None:
    """Return (chunks, kernel, stride) that bins a window by plain pooling, or None where the rows would be off.

    Pooling needs rows of equal length, so the window is cut into as few chunks as keep every row within
    an eighth of a pixel, or one sample, of where it belongs; neighbouring rows overlap by no more than that.
    """
    common = math.gcd(samples, rows)
    for chunks in (n for n in range(1, common + 1) if common % n == 0):
        chunk_samples, chunk_rows = samples // chunks, rows // chunks
        stride = chunk_samples // chunk_rows
        kernel = chunk_samples - (chunk_rows - 1) * stride
        if stride and kernel - stride <= max(1, stride // 8):
            return chunks, kernel, stride
    return None


def shift_rows(values: torch.Tensor, rows_earlier: torch.Tensor) -> torch.Tensor:
    """Move ``values`` (N, S, R) earlier by ``rows_earlier`` (N, S) whole pixels; what comes in is zero."""
    rows = values.shape[-1]
    source = torch.arange(rows, device=values.device) + rows_earlier[..., None]
    inside = (source >= 0) & (source < rows)
    return values.gather(-1, source.clamp_(0, rows - 1)) * inside


def nearest_trace(
    position_px: torch.Tensor, width: int, max_gap_px: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return for every pixel column the nearest trace (N, W) and, with ``max_gap_px``, whether it is near enough.

    ``position_px`` (N, S) counts from the left edge of the picture; NaN: the trace is not drawn.
    ``max_gap_px`` (N, 1) is the largest distance from the middle of a column to a trace that colours it;
    a trace always colours the column it lies in. Columns of a picture without any trace point anywhere.
    """
    position, order = position_px.nan_to_num(nan=math.inf).sort(dim=-1, stable=True)
    middle = (position[:, 1:] + position[:, :-1]) / 2
    centre = torch.arange(width, device=position.device, dtype=position.dtype).add_(0.5).expand(len(position), -1)
    slot = torch.searchsorted(middle.contiguous(), centre.contiguous())
    index = order.gather(1, slot)
    if max_gap_px is None:
        return index, None
    return index, (centre - position.gather(1, slot)).abs() <= max_gap_px.clamp_min(0.5)


@torch.no_grad()
def draw_density(
    values: torch.Tensor, position_px: torch.Tensor, width: int, max_gap_px: torch.Tensor | None = None
) -> torch.Tensor:
    """Paint every pixel column with the values of its nearest trace: (N, R, W) from ``values`` (N, S, R).

    See :func:`nearest_trace` for the positions and the gap. Traces that are not drawn must be zero.
    """
    index, near = nearest_trace(position_px, width, max_gap_px)
    picture = values.transpose(1, 2).contiguous().gather(2, index[:, None].expand(-1, values.shape[2], -1))
    return picture if near is None else picture.mul_(near[:, None])


@torch.no_grad()
def draw_wiggles(
    lowest: torch.Tensor,
    highest: torch.Tensor,
    position_px: torch.Tensor,
    width: int,
    *,
    line_px: float = 0.8,
    fill: bool = True,
) -> torch.Tensor:
    """Draw anti-aliased wiggles, ink 1 on paper 0: (N, R, W) from extremes (N, S, R) given in pixels.

    In every time pixel a wiggle inks the interval from its lowest to its highest value, widened by the
    line and, with ``fill``, down to its base line where it is positive. The ink of a pixel is the share
    of its width that is covered; overlapping wiggles add up to at most 1. ``position_px`` (N, S) is the
    base line from the left edge; NaN: the trace is not drawn.
    """
    lowest, highest = _joined(lowest, highest)
    left, right = lowest.sub_(line_px / 2), highest.add_(line_px / 2)
    if fill:
        # Where the highest value is negative the left end is negative already, so this fills positive lobes only.
        left.clamp_max_(0.0)
    base = position_px.nan_to_num(nan=-math.inf)[..., None]
    pictures, _, rows = left.shape
    edges = left.new_zeros(pictures, rows, width + 2)
    _add_edges(edges, right.add_(base).clamp_(0, width), 1.0)
    _add_edges(edges, left.add_(base).clamp_(0, width), -1.0)
    return edges.cumsum_(-1)[..., :width].clamp(0, 1)


def _joined(lowest: torch.Tensor, highest: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Stretch each pixel's interval to meet the one before, so that steep lines do not fall apart."""
    low, high = lowest.clone(), highest.clone()
    torch.minimum(lowest[..., 1:], highest[..., :-1], out=low[..., 1:])
    torch.maximum(highest[..., 1:], lowest[..., :-1], out=high[..., 1:])
    return low, high


def _add_edges(edges: torch.Tensor, end_px: torch.Tensor, sign: float) -> None:
    """Add to ``edges`` (N, R, W + 2) the differences along W of ink from the left edge up to ``end_px`` (N, S, R)."""
    pictures, rows, stride = edges.shape
    end_px = end_px.mul_(POSITION_STEPS).round_().div_(POSITION_STEPS)
    pixel = end_px.to(torch.int64)
    covered = (end_px - pixel).mul_(sign)
    row_start = torch.arange(pictures * rows, device=edges.device).mul_(stride).view(pictures, 1, rows)
    index = pixel.add_(row_start).view(-1)
    flat = edges.view(-1)
    flat.scatter_add_(0, index, covered.sub(sign).view(-1))
    flat[1:].scatter_add_(0, index, covered.neg_().view(-1))
