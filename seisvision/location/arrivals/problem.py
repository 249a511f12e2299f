"""Arrival times of many events, what a hypocentre predicts for them, and what the difference costs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seisvision.earth.constants import EARTH_RADIUS_KM, WGS84_FLATTENING, WGS84_RADIUS_KM
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.earth.unit_vectors import frame
from seisvision.location.student import DEGREES_OF_FREEDOM

SQUARED_ECCENTRICITY = WGS84_FLATTENING * (2 - WGS84_FLATTENING)
DEAD_SHARE = 0.05
"""Probability that a station that has not triggered would not have, whatever came."""
LEAST = 1e-9
SAME_STATION_KM = 1e-3


@dataclass(frozen=True)
class Problem:
    """M location problems of up to S picks; values of slots without a pick are finite and do not count."""

    station_km: Tensor
    """(M, S, 3) geocentric places of the stations."""
    foot_km: Tensor
    """(M, S, 3) the same at elevation zero."""
    elevation_km: Tensor
    """(M, S)."""
    phase: Tensor
    """(M, S) int64, number in ``PHASES``."""
    time_s: Tensor
    """(M, S) less static corrections."""
    sigma_s: Tensor
    """(M, S)."""
    used: Tensor
    """(M, S) bool: an arrival."""
    waiting: Tensor
    """(M, S) bool: no arrival until the time."""
    limits_km: Tensor
    """(M, 2) least and greatest depth."""
    prior_point: Tensor
    """(M, 3) unit vectors."""
    prior_depth_km: Tensor
    """(M,)."""
    prior_sigma_km: Tensor
    """(M, 2) of the epicentre in each direction and of the depth; infinite where there is no prior."""
    travel_times: TravelTimes
    robust: bool

    def rows(self, index: Tensor) -> Problem:
        """The problems at ``index``, a tensor of row numbers, which may repeat."""
        tensors = {name: value[index] for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **tensors)  # type: ignore[arg-type]

    @property
    def count(self) -> Tensor:
        """(M,) float: arrivals."""
        return self.used.sum(1).to(self.time_s.dtype)


@dataclass(frozen=True)
class Prediction:
    """What hypocentres (M,) predict."""

    travel_s: Tensor
    """(M, S)."""
    slowness: Tensor
    """(M, S, 3) derivatives of the travel time by km north, east and down."""
    distance_km: Tensor
    """(M, S) along the surface."""
    north: Tensor
    """(M, S) direction to the station: cosine of the azimuth."""
    east: Tensor
    """(M, S)."""


def geocentric_km(point: Tensor, height_km: Tensor) -> Tensor:
    """Geocentric places (..., 3) of unit vectors of geodetic coordinates (..., 3) and heights (...) on WGS84."""
    radius = WGS84_RADIUS_KM / (1 - SQUARED_ECCENTRICITY * point[..., 2].square()).sqrt()
    flat = torch.stack([radius, radius, radius * (1 - SQUARED_ECCENTRICITY)], -1)
    return point * (flat + height_km[..., None])


def predicted(problem: Problem, point: Tensor, depth_km: Tensor) -> Prediction:
    """Travel times from sources at unit vectors (M, 3) and depths (M,).

    Straight ways are those between places in space, so that neither poles nor the date line nor the flattening matter;
    the way along the surface follows from the chord between its ends, good to 10 m at 1,000 km.
    """
    surface = geocentric_km(point, torch.zeros_like(depth_km))
    axes = torch.stack([*frame(point), -point], -1)
    # Coordinates in rows: what follows goes through memory in its order.
    axes = axes.transpose(1, 2).contiguous()
    north, east, sunk = (axes @ (problem.foot_km - surface[:, None]).transpose(1, 2)).unbind(1)
    length = (north.square() + east.square() + sunk.square()).sqrt().clamp_min(LEAST)
    half = (length / (2 * EARTH_RADIUS_KM)).clamp_max(1)
    distance = 2 * EARTH_RADIUS_KM * half.asin()
    stretch = 1 / (1 - half.square()).clamp_min(0.01).sqrt()
    # From the source, up and down are along one normal; the station is higher by its elevation along its own.
    way_north, way_east, way_down = (axes @ (problem.station_km - surface[:, None]).transpose(1, 2)).unbind(1)
    way_down = way_down - depth_km[:, None]
    straight = (way_north.square() + way_east.square() + way_down.square()).sqrt().clamp_min(LEAST)
    ratio, by_depth, by_distance = problem.travel_times.ratio(
        problem.phase, depth_km[:, None].expand_as(distance), distance, problem.elevation_km
    )
    shrunk = (1 - depth_km / EARTH_RADIUS_KM)[:, None]
    along, across = ratio / straight, by_distance * straight * stretch / length
    slowness = torch.stack(
        [
            -(along * shrunk * way_north + across * north),
            -(along * shrunk * way_east + across * east),
            -along * way_down + by_depth * straight,
        ],
        1,
    ).transpose(1, 2)
    level = torch.hypot(north, east).clamp_min(LEAST)
    return Prediction(ratio * straight, slowness, distance, north / level, east / level)


@dataclass(frozen=True)
class Terms:
    """Cost of residuals over their sigmas (..., S) and its local model."""

    cost: Tensor
    """(...) negative log likelihood."""
    slope: Tensor
    """(..., S) derivative of the cost."""
    stiffness: Tensor
    """(..., S) positive: curvature of a parabola that does not lie below the cost (of arrivals)."""


def terms(residual: Tensor, used: Tensor, waiting: Tensor | None, *, robust: bool) -> Terms:
    """Cost of residuals (..., S): Student-t errors, or normal ones; waiting stations cost where a wave is overdue.

    ``waiting`` is None where no station waits.
    """
    squared = residual.square()
    if robust:
        nu = DEGREES_OF_FREEDOM
        single = (nu + 1) / 2 * torch.log1p(squared / nu)
        weight = (nu + 1) / (nu + squared)
    else:
        single, weight = squared / 2, torch.ones_like(squared)
    if waiting is None:
        weight = weight * used
        return Terms((single * used).sum(-1), weight * residual, weight)
    overdue, rising, stiff = _overdue(residual)
    cost = torch.where(used, single, torch.where(waiting, overdue, 0.0)).sum(-1)
    slope = torch.where(used, weight * residual, torch.where(waiting, rising, 0.0))
    return Terms(cost, slope, torch.where(used, weight, torch.where(waiting, stiff, 0.0)))


def _overdue(late: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cost, slope and stiffness where no wave has come for ``late`` sigmas after its predicted time.

    The probability of that is the share of Student-t errors that are later still, and that of a dead station.
    """
    root = (1 + late.square() / 4).rsqrt()
    # Closed form of the distribution with four degrees of freedom.
    held = 0.5 + 0.375 * late * root * (1 - (late * root).square() / 12)
    alive = 1 - DEAD_SHARE
    silent = DEAD_SHARE + alive * (1 - held).clamp_min(0)
    slope = alive * 0.375 * root**5 / silent
    return -silent.log(), slope, slope * slope.clamp_min(1.0) + LEAST


def origin_s(problem: Problem, delay_s: Tensor, start_s: Tensor | None, iterations: int) -> Tensor:
    """Likeliest origin times (..., ) for times minus travel times (..., S), by reweighting.

    The other quantities of ``problem`` have to broadcast with the delays; ``start_s`` None starts at the median.
    """
    used, waiting = problem.used, problem.waiting if bool(problem.waiting.any()) else None
    if start_s is None:
        start_s = torch.where(used, delay_s, torch.nan).nanmedian(-1).values
    precision = 1 / problem.sigma_s
    for _ in range(iterations):
        found = terms((delay_s - start_s[..., None]) * precision, used, waiting, robust=problem.robust)
        push = (found.slope * precision).sum(-1)
        start_s = start_s + push / (found.stiffness * precision.square()).sum(-1).clamp_min(LEAST)
    return start_s


def prior_cost(problem: Problem, point: Tensor, depth_km: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cost (M,), downhill direction (M, 3) and precision (M, 3) of the prior, by km north, east and down."""
    precision = problem.prior_sigma_km.square().reciprocal()[:, [0, 0, 1]]
    north, east = frame(point)
    away = (problem.prior_point - point) * EARTH_RADIUS_KM
    toward = torch.stack([(away * north).sum(-1), (away * east).sum(-1), problem.prior_depth_km - depth_km], -1)
    return (toward.square() * precision).sum(-1) / 2, toward * precision, precision


def n_stations(problem: Problem, seen: Tensor) -> Tensor:
    """Different places (M,) of the picks (M, S) that are ``seen``."""
    # About the first station, coordinate by coordinate: these arrays are large.
    around = (problem.foot_km - problem.foot_km[:, :1]).float()
    same = seen[:, :, None] & seen[:, None]
    for axis in around.unbind(2):
        same &= (axis[:, :, None] - axis[:, None]).abs_() <= SAME_STATION_KM
    repeated = same.tril_(-1).any(2)
    return (seen & ~repeated).sum(1)


def hyper_radius(covariance: Tensor) -> Tensor:
    """Largest standard deviation (M,) of covariances (M, N, N)."""
    return torch.linalg.eigvalsh(covariance)[:, -1].clamp_min(0).sqrt()


def degrees_turned(north: Tensor, east: Tensor) -> Tensor:
    """Azimuth in [0, 360)."""
    return torch.atan2(east, north) * (180 / math.pi) % 360 % 360
