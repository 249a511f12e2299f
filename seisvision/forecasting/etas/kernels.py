"""Shares of the power laws of ETAS in spans of time and in polygons; all in float64, all with gradients."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from seisvision.forecasting.etas.parameters import REFERENCE_DAYS

NODES = 6
"""Of Gauss-Legendre on each half of an edge: shares are right to 1e-3, and mostly to 1e-5."""


def time_share(days: Tensor, c_days: Tensor, p: Tensor) -> Tensor:
    """Direct aftershocks that have come after ``days``, over those of 1000 days; 0 before the event."""
    power = _not_zero(1 - p)
    reached = torch.expm1(power * torch.log1p(days.clamp(min=0) / c_days))
    return reached / torch.expm1(power * torch.log1p(REFERENCE_DAYS / c_days))


def log_time_factor(c_days: Tensor, p: Tensor) -> Tensor:
    """Logarithm of what (t + c)^-p is multiplied by, so that its integral over 1000 days is one."""
    power = _not_zero(1 - p)
    whole = torch.expm1(power * torch.log1p(REFERENCE_DAYS / c_days)) / power
    return -(power * torch.log(c_days) + torch.log(whole))


def _not_zero(power: Tensor) -> Tensor:
    """At p = 1 the integral is a logarithm, of which powers close by give ten digits."""
    return power + torch.where(power.detach().abs() < 1e-10, 1e-10, 0.0)


def polygon_share(x_km: Tensor, y_km: Tensor, spread_km2: Tensor, q_less_1: Tensor, corners_km: Tensor) -> Tensor:
    """Share of the aftershocks of each event that fall into a polygon.

    A circular kernel over a polygon is, by Stokes, the share within the distance of the outline, averaged over the
    angle at which it is seen (Ogata 1998 sums over sectors). Along an edge at distance h, with w² = h² + D and
    t = w tan u along it, the share beyond is (w²/D)^-(q-1) times the angle less the integral of
    (1 - cos^2(q-1) u) h w / (h² cos² u + w² sin² u) du, which is smooth however near the edge is.

    Args:
        x_km: (...,) places of the events on a plane.
        y_km: (...,).
        spread_km2: (...,) D.
        q_less_1: without shape.
        corners_km: (P, 2) of the polygon, anticlockwise, or (..., P, 2), one for each event.
    """
    along = torch.roll(corners_km, -1, dims=-2) - corners_km
    length = along.norm(dim=-1)
    east, north = corners_km[..., 0] - x_km[..., None], corners_km[..., 1] - y_km[..., None]
    # Signed, positive to the left of the edge, which is the inside.
    height = (east * along[..., 1] - north * along[..., 0]) / length
    first = (east * along[..., 0] + north * along[..., 1]) / length
    ends = torch.stack([first, first + length], dim=-1)
    side, height = torch.sign(height), height.abs().clamp(min=1e-9)
    width2 = height**2 + spread_km2[..., None]
    width = width2.sqrt()
    angle = torch.atan2(ends, height[..., None])
    beyond = torch.exp(-q_less_1 * torch.log(width2 / spread_km2[..., None]))
    inner = torch.atan2(ends, width[..., None])
    nodes, weights = _nodes()
    at = inner[..., None] * nodes
    cos2 = torch.cos(at) ** 2
    share = -torch.expm1(q_less_1 * torch.log(cos2))
    whole = (height * width)[..., None, None] / (
        height[..., None, None] ** 2 * cos2 + width2[..., None, None] * (1 - cos2)
    )
    part = (share * whole) @ weights * inner
    of_ends = angle - beyond[..., None] * (angle - part)
    return (side * (of_ends[..., 1] - of_ends[..., 0])).sum(-1) / (2 * math.pi)


@lru_cache
def _nodes() -> tuple[Tensor, Tensor]:
    """Nodes and weights of Gauss-Legendre on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return torch.from_numpy((nodes + 1) / 2), torch.from_numpy(weights / 2)
