"""A hypocentre from the P times of one fibre, with a Gaussian prior and the origin time eliminated.

The formulation of Hirata and Matsu'ura (1987), Phys. Earth Planet. Inter. 47, 50-61: with weights W of the picks and
W' = W - W 1 1^T W / (1^T W 1), which takes the origin time out, steps are
x + (G^T W' G + C^-1)^-1 (G^T W' r + C^-1 (x0 - x)), and the inverse is the covariance. Residuals weigh as those of
Student-t errors, since a trigger on noise is off by seconds. Descents start on both sides of the fibre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from seisvision.earth.travel_time_table import TravelTimes
from seisvision.location import student
from seisvision.location.fibre.line import Line

ITERATIONS = 25
CONVERGED_KM = 1e-3
LEAST_GAIN = 1e-2
"""Of the negative log likelihood."""
LONGEST_STEP_KM = 30.0
START_SIDE_KM = 15.0
SIDE_KM = 1.0
"""Solutions closer than this are one."""
SECOND_EXCESS = 3.0
"""Negative log likelihood above the better side up to which the other fits as well."""
LEAST_SIGMA_S = 1e-3


@dataclass(frozen=True)
class FibrePrior:
    """What is known before: depth, and how far from the first channel to trigger the epicentre may be."""

    depth_km: float = 10.0
    sigma_depth_km: float = 10.0
    sigma_horizontal_km: float = 100.0
    least_depth_km: float = 0.0
    greatest_depth_km: float = 60.0


@dataclass(frozen=True)
class Solution:
    """A hypocentre on one side of a fibre."""

    place_km: np.ndarray
    """(3,) east, north, depth."""
    origin_s: float
    covariance_km2: np.ndarray
    """(3, 3)."""
    cost: float
    """Negative log likelihood with that of the prior."""
    rms_s: float

    @property
    def total_error_km(self) -> float:
        """Sum of the standard deviations of east, north and depth, by which updates are compared."""
        return float(np.sqrt(np.diag(self.covariance_km2)).sum())


def both_sides(
    line: Line,
    channel: np.ndarray,
    time_s: np.ndarray,
    sigma_s: float,
    travel_times: TravelTimes,
    prior: FibrePrior,
    start_km: np.ndarray | None = None,
) -> tuple[Solution, Solution]:
    """The better and the other solution of P picks; the same one twice where both descents end in one place.

    Args:
        line: the fibre.
        channel: (N,) numbers of the channels.
        time_s: (N,) picks.
        sigma_s: standard deviation of a pick; larger residuals raise it.
        travel_times: of the P wave.
        prior: of the hypocentre.
        start_km: (2, 3) from which to descend; None: on both sides of the first channel.
    """
    place = line.channel_km[channel]
    first = place[np.argmin(time_s)]
    if start_km is None:
        across = START_SIDE_KM * np.array([line.axis[1], -line.axis[0]])
        start_km = np.column_stack([first + np.stack([across, -across]), np.full(2, prior.depth_km)])
    problem = _Problem(place, time_s, max(sigma_s, LEAST_SIGMA_S), travel_times, prior, first)
    found = problem.descend(start_km)
    rms_s = min(one.rms_s for one in found)
    degrees = max(1.0, len(time_s) - 4)
    scale = rms_s * np.sqrt(len(time_s) / degrees)
    if scale > 1.2 * problem.sigma_s:
        # Residuals that the stated errors do not explain widen them.
        problem = _Problem(place, time_s, scale, travel_times, prior, first)
        found = problem.descend(np.stack([one.place_km for one in found]))
    best, other = sorted(found, key=lambda one: one.cost)
    apart = float(np.hypot(*(best.place_km - other.place_km)[:2]))
    return best, best if apart < SIDE_KM else other


def fits_as_well(best: Solution, other: Solution) -> bool:
    """Whether the picks do not tell the two sides apart."""
    return other is not best and other.cost - best.cost < SECOND_EXCESS


@dataclass(frozen=True)
class _Model:
    """Cost (K,), likeliest origin (K,), information (K, 3, 3), downhill direction (K, 3) and rms (K,) at places."""

    cost: np.ndarray
    origin: np.ndarray
    information: np.ndarray
    downhill: np.ndarray
    rms_s: np.ndarray


def _step(information: np.ndarray, downhill: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """Damped steps (K, 3)."""
    size = np.trace(information, axis1=1, axis2=2) / 3
    ridge = (damping * size)[:, None, None] * np.eye(3)
    step = np.linalg.solve(information + ridge, downhill[..., None])[..., 0]
    length = np.linalg.norm(step, axis=1, keepdims=True)
    return step * np.minimum(1.0, LONGEST_STEP_KM / np.maximum(length, 1e-12))


@dataclass(frozen=True)
class _Problem:
    channel_km: np.ndarray
    time_s: np.ndarray
    sigma_s: float
    travel_times: TravelTimes
    prior: FibrePrior
    first_km: np.ndarray

    def descend(self, start_km: np.ndarray) -> list[Solution]:
        """Damped Gauss-Newton steps of all starts (K, 3) at once."""
        place, damping = start_km.copy(), np.full(len(start_km), 1e-3)
        now = self._model(place, None)
        for _ in range(ITERATIONS):
            step = _step(now.information, now.downhill, damping)
            trial = place + step
            trial[:, 2] = trial[:, 2].clip(self.prior.least_depth_km, self.prior.greatest_depth_km)
            there = self._model(trial, now.origin)
            better = there.cost <= now.cost
            gained = np.where(better, now.cost - there.cost, np.inf)
            place = np.where(better[:, None], trial, place)
            now = _Model(
                *(
                    np.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b)
                    for a, b in zip(vars(there).values(), vars(now).values(), strict=True)
                )
            )
            damping = np.where(better, damping / 10, damping * 10)
            # Where the picks bound depth and offset together only, costs stop to fall long before places stop to move.
            if ((gained < LEAST_GAIN) | (np.abs(step).max(1) < CONVERGED_KM)).all():
                break
        unit = student.VARIANCE_KNOWN * student.NORMAL_WEIGHT
        covariance = unit * np.linalg.inv(now.information)
        columns = zip(place, now.origin.tolist(), covariance, now.cost.tolist(), now.rms_s.tolist(), strict=True)
        return [Solution(*values) for values in columns]

    def _model(self, place: np.ndarray, origin: np.ndarray | None) -> _Model:
        """Cost and its local model at places (K, 3)."""
        nu, precision = student.DEGREES_OF_FREEDOM, 1 / self.sigma_s**2
        way = place[:, None, :2] - self.channel_km
        distance = np.hypot(way[..., 0], way[..., 1])
        travel, deeper, farther = self._times(place[:, 2], distance)
        delay = self.time_s - travel
        if origin is None:
            origin = np.median(delay, axis=1)
        for _ in range(3):
            late = delay - origin[:, None]
            weight = precision * (nu + 1) / (nu + late**2 * precision)
            total = weight.sum(1)
            origin = origin + (weight * late).sum(1) / total
        late = delay - origin[:, None]
        slope = (farther / np.maximum(distance, 1e-6))[..., None] * way
        design = np.concatenate([slope, deeper[..., None]], 2)
        weighted = weight[..., None] * design
        pull = weighted.sum(1)
        information = weighted.transpose(0, 2, 1) @ design - pull[:, :, None] * pull[:, None] / total[:, None, None]
        known = self.prior
        away = np.array([*self.first_km, known.depth_km]) - place
        stiff = np.array([known.sigma_horizontal_km, known.sigma_horizontal_km, known.sigma_depth_km]) ** -2.0
        downhill = (late[:, None] @ weighted)[:, 0] - pull * ((weight * late).sum(1) / total)[:, None]
        cost = (nu + 1) / 2 * np.log1p(late**2 * precision / nu).sum(1) + (stiff * away**2).sum(1) / 2
        rms = np.sqrt((weight * late**2).sum(1) / total)
        return _Model(cost, origin, information + np.diag(stiff), downhill + stiff * away, rms)

    def _times(self, depth_km: np.ndarray, distance_km: np.ndarray) -> tuple[np.ndarray, ...]:
        """Travel time (K, N) and its derivatives by depth and distance."""
        distance = torch.from_numpy(distance_km)
        depth = torch.from_numpy(depth_km)[:, None].expand(distance.shape)
        zero = torch.zeros_like(distance)
        values = self.travel_times.times_s(zero.long(), depth.contiguous(), distance, zero)
        return tuple(value.reshape(distance.shape).numpy() for value in values)
