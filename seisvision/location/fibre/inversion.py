"""A hypocentre from the P times of one fibre, with a Gaussian prior and the origin time eliminated.

The weights are those of Hirata and Matsu'ura (1987), Phys. Earth Planet. Inter. 47, 50-61: with weights W of the picks,
W' = W - W 1 1^T W / (1^T W 1) takes the origin time out, steps are (G^T W' G + C^-1)^-1 (G^T W' r + C^-1 (x0 - x)), and
the inverse is the covariance. Residuals weigh as those of Student-t errors, since a trigger on noise is off by seconds.

Picks along a line tell where along it a source lies and how far from it, but hardly at what angle: near and deep look
like far and shallow, and one side like the other. Descents in three coordinates creep along that valley and end where
they are stopped. Here every angle about the fibre has a descent of its own, of two coordinates that the picks do tell,
all of them at once; what is said of a side is said of all its angles, each with its likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from seisvision.earth.travel_time_table import TravelTimes
from seisvision.location import student
from seisvision.location.fibre.line import Line
from seisvision.location.fibre.times import p_times_s

ANGLES = np.radians(np.linspace(4.5, 175.5, 20))
"""About the fibre, from level on one side to level on the other."""
SPACING = float(ANGLES[1] - ANGLES[0])
SIDES = np.cos(ANGLES) > 0, np.cos(ANGLES) < 0
START_KM = 20.0
"""From the fibre."""
ITERATIONS = 20
ROUGH_PICKS = 48
"""So many, evenly taken, are enough to begin with."""
LEAST_GAIN, ROUGH_GAIN = 0.3, 1.0
"""Of the negative log likelihood in a step, below which a descent ends: of all picks, and of some."""
WORSE = 8.0
"""Above the best angle, from which on nobody waits for the descent of another."""
HOPELESS = 8.0
"""Above the best angle by some of the picks, from which on the others are not asked, but for two on either side."""
LONGEST_STEP_KM = 30.0
LEAST_RADIUS_KM = 0.5
SIDE_KM = 1.0
"""Solutions closer than this are one."""
LEAST_SHARE = 0.05
"""Probability of the less likely side from which on the other fits as well."""
LEAST_SIGMA_S = 1e-3


@dataclass(frozen=True)
class FibrePrior:
    """What is known before: depth, and how far from the first channel to trigger the epicentre may be."""

    depth_km: float = 10.0
    sigma_depth_km: float = 10.0
    sigma_horizontal_km: float = 100.0
    fall: float = 1.3
    """Power of the distance with which earthquakes that trigger the fibre get fewer: for each magnitude less there are
    ten times as many, and amplitudes fall with that power. It has a say between angles and sides only."""


@dataclass(frozen=True)
class Solution:
    """A hypocentre on one side of a fibre: mean and covariance of its angles."""

    place_km: np.ndarray
    """(3,) east, north, depth."""
    origin_s: float
    covariance_km2: np.ndarray
    """(3, 3)."""
    probability: float
    """That the source is on this side, if picks err as stated."""
    rms_s: float
    """Of the likeliest angle."""

    def ellipse_km(self, level: float) -> tuple[float, float, float]:
        """Half axes, longer first, and azimuth of the longer (degrees) of the epicentre's ellipse of a level."""
        size, turned = np.linalg.eigh(self.covariance_km2[:2, :2])
        minor, major = np.sqrt(-2 * np.log(1 - level) * size)
        return float(major), float(minor), float(np.degrees(np.arctan2(turned[0, 1], turned[1, 1])) % 180)

    def held(self, place_km: np.ndarray, level: float) -> bool:
        """Whether an epicentre (2,) lies in the ellipse of a level."""
        away = place_km - self.place_km[:2]
        return bool(away @ np.linalg.solve(self.covariance_km2[:2, :2], away) <= -2 * np.log(1 - level))

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
) -> tuple[Solution, Solution]:
    """The likelier and the other solution of P picks; the same one twice where both are one place.

    Args:
        line: the fibre.
        channel: (N,) numbers of the channels.
        time_s: (N,) picks.
        sigma_s: standard deviation of a pick; larger residuals raise it.
        travel_times: of the P wave.
        prior: of the hypocentre.
    """
    problem = _Problem.of(line.channel_km[channel], time_s, max(sigma_s, LEAST_SIGMA_S), travel_times, prior)
    some = np.unique(np.linspace(0, len(time_s) - 1, ROUGH_PICKS).round().astype(int))
    start = np.column_stack([np.zeros(len(ANGLES)), np.full(len(ANGLES), START_KM)])
    place, origin, rough = problem.only(some).descend(start, None, ROUGH_GAIN)
    excess = rough.cost - rough.cost.min()
    kept = excess < HOPELESS
    for side in SIDES:
        kept |= side & (excess <= np.sort(excess[side])[1])
    rms_s = rough.rms_s[rough.cost.argmin()] * np.sqrt(len(some) / max(1.0, len(some) - 4))
    # Residuals that the stated errors do not explain widen them.
    problem = replace(problem, sigma_s=max(problem.sigma_s, float(rms_s)), angles=ANGLES[kept])
    sides = problem.sides(*problem.descend(place[kept], origin[kept], LEAST_GAIN))
    best, other = sorted(sides, key=lambda one: -one.probability)
    apart = float(np.hypot(*(best.place_km - other.place_km)[:2]))
    return best, best if apart < SIDE_KM else other


def fits_as_well(best: Solution, other: Solution) -> bool:
    """Whether the picks do not tell the two sides apart."""
    return other is not best and other.probability > LEAST_SHARE


@dataclass(frozen=True)
class _Model:
    """Cost at places and origin times, and its local model with the origin eliminated; K angles."""

    cost: np.ndarray
    """(K,) negative log likelihood, with that of the prior."""
    information: np.ndarray
    """(K, 2, 2)."""
    downhill: np.ndarray
    """(K, 2)."""
    pull: np.ndarray
    """(K, 2) mean derivatives of the times, weighted."""
    late_s: np.ndarray
    """(K,) weighted mean of the residuals."""
    total: np.ndarray
    """(K,) sum of the weights."""
    rms_s: np.ndarray
    """(K,)."""

    def where(self, better: np.ndarray, other: _Model) -> _Model:
        """This one where it is better (K,), else the other."""
        if better.all():
            return self
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Model(*(np.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs))


def _inverse(information: np.ndarray) -> np.ndarray:
    """Of symmetric matrices (K, 2, 2)."""
    a, b, d = information[:, 0, 0], information[:, 0, 1], information[:, 1, 1]
    return np.stack([d, -b, -b, a], 1).reshape(-1, 2, 2) / (a * d - b * b)[:, None, None]


@dataclass(frozen=True)
class _Problem:
    """Picks in a frame along the fibre: places are (km along from the first pick, km from its line)."""

    along_km: np.ndarray
    """(N,) of the channels, on the straight line through the picked ones."""
    across_km: np.ndarray
    """(N,)."""
    time_s: np.ndarray
    sigma_s: float
    travel_times: TravelTimes
    prior: FibrePrior
    first_km: np.ndarray
    """(2,) zero of the frame."""
    axes: np.ndarray
    """(2, 2) unit vectors along and across."""
    angles: np.ndarray = field(default_factory=ANGLES.copy)
    """(K,) about the fibre, of the descents."""

    @classmethod
    def of(
        cls,
        place_km: np.ndarray,
        time_s: np.ndarray,
        sigma_s: float,
        travel_times: TravelTimes,
        prior: FibrePrior,
    ) -> _Problem:
        """From channels (N, 2) east and north."""
        first, middle = place_km[np.argmin(time_s)], place_km.mean(0)
        axis = np.linalg.eigh((place_km - middle).T @ (place_km - middle))[1][:, 1]
        axes = np.array([axis, [axis[1], -axis[0]]])
        # The first channel may lie beside the line that all of them follow.
        first = middle + ((first - middle) @ axis) * axis
        along, across = axes @ (place_km - first).T
        return cls(along, across, time_s, sigma_s, travel_times, prior, first, axes)

    def only(self, some: np.ndarray) -> _Problem:
        """With some of the picks."""
        return replace(self, along_km=self.along_km[some], across_km=self.across_km[some], time_s=self.time_s[some])

    def descend(
        self, start_km: np.ndarray, origin_s: np.ndarray | None, least_gain: float
    ) -> tuple[np.ndarray, np.ndarray, _Model]:
        """Damped Gauss-Newton steps of all angles at once: places (K, 2), origin times (K,) and the model there."""
        place, damping = start_km, np.full(len(start_km), 1e-3)
        origin = np.median(self.time_s - self._travel(place)[0], axis=1) if origin_s is None else origin_s
        now, done = self._model(place, origin), np.zeros(len(place), bool)
        for _ in range(ITERATIONS):
            size = (now.information[:, 0, 0] + now.information[:, 1, 1]) / 2
            damped = now.information + (damping * size)[:, None, None] * np.eye(2)
            step = (_inverse(damped) @ now.downhill[..., None])[..., 0].clip(-LONGEST_STEP_KM, LONGEST_STEP_KM)
            trial = place + step
            trial[:, 1] = np.maximum(trial[:, 1], np.maximum(LEAST_RADIUS_KM, place[:, 1] / 3))
            later = now.late_s - (now.pull * (trial - place)).sum(1)
            there = self._model(trial, origin + later)
            better = there.cost <= now.cost
            done |= np.abs(now.cost - there.cost) < least_gain
            place = np.where(better[:, None], trial, place)
            origin = np.where(better, origin + later, origin)
            now = there.where(better, now)
            damping = np.where(better, damping / 10, damping * 10)
            if (done | (now.cost > now.cost.min() + WORSE)).all():
                break
        return place, origin, now

    def _travel(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Travel times (K, N) from places (K, 2), and their derivatives along and away from the fibre."""
        cosine, sine = np.cos(self.angles)[:, None], np.sin(self.angles)
        along = place[:, :1] - self.along_km
        across = place[:, 1:] * cosine - self.across_km
        distance = np.sqrt(along * along + across * across)
        travel, deeper, farther = p_times_s(self.travel_times, place[:, 1] * sine, distance)
        farther /= np.maximum(distance, 1e-6)
        return travel, farther * along, farther * across * cosine + deeper * sine[:, None]

    def _model(self, place: np.ndarray, origin: np.ndarray) -> _Model:
        """Cost and its local model at places (K, 2) and origin times (K,)."""
        nu, precision = student.DEGREES_OF_FREEDOM, 1 / self.sigma_s**2
        travel, along, away = self._travel(place)
        late = self.time_s - origin[:, None] - travel
        squared = late * late * (precision / nu)
        weight = ((nu + 1) / nu * precision) / (1 + squared)
        rows = np.stack([along, away, np.ones_like(late), late], 1)
        sums = (weight[:, None] * rows) @ rows.transpose(0, 2, 1)
        total, pull, delay = sums[:, 2, 2], sums[:, :2, 2], sums[:, 2, 3]
        pull_mean, late_s = pull / total[:, None], delay / total
        stiff, offset = self._prior(place)
        information = sums[:, :2, :2] - pull[:, :, None] * pull_mean[:, None] + stiff[..., None] * np.eye(2)
        downhill = sums[:, :2, 3] - pull * late_s[:, None] + offset
        cost = (nu + 1) / 2 * np.log1p(squared).sum(1) + self._prior_cost(place)
        return _Model(cost, information, downhill, pull_mean, late_s, total, np.sqrt(sums[:, 3, 3] / total))

    def _prior(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Information (K, 2), without what both coordinates share, and downhill direction (K, 2) of the prior."""
        level, deep = self.prior.sigma_horizontal_km**-2, self.prior.sigma_depth_km**-2
        cosine, sine = np.cos(self.angles), np.sin(self.angles)
        away = cosine**2 * level + sine**2 * deep
        downhill = sine * deep * self.prior.depth_km - away * place[:, 1]
        return np.column_stack([np.full(len(place), level), away]), np.column_stack([-level * place[:, 0], downhill])

    def _prior_cost(self, place: np.ndarray) -> np.ndarray:
        across, depth = place[:, 1] * np.cos(self.angles), place[:, 1] * np.sin(self.angles)
        level = (place[:, 0] ** 2 + across**2) / self.prior.sigma_horizontal_km**2
        return (level + ((depth - self.prior.depth_km) / self.prior.sigma_depth_km) ** 2) / 2

    def sides(self, place: np.ndarray, origin: np.ndarray, model: _Model) -> tuple[Solution, Solution]:
        """What the angles of either side say together; each weighs by its likelihood, integrated over its plane."""
        covariance = student.VARIANCE_KNOWN * student.NORMAL_WEIGHT * _inverse(model.information)
        spread = (covariance[:, 0, 0] * covariance[:, 1, 1] - covariance[:, 0, 1] ** 2) / model.total
        log_weight = np.log(place[:, 1]) + np.log(spread) / 2 - model.cost
        log_weight -= self.prior.fall * np.log(np.sqrt((place**2).sum(1)))
        cosine, sine = np.cos(self.angles), np.sin(self.angles)
        turned = np.zeros((len(place), 3, 2))
        turned[:, :2, 0], turned[:, :2, 1], turned[:, 2, 1] = self.axes[0], cosine[:, None] * self.axes[1], sine
        points = (turned @ place[..., None])[..., 0] + [*self.first_km, 0]
        # Between two angles a source may lie anywhere.
        around = (place[:, 1, None] * np.column_stack([-sine[:, None] * self.axes[1], cosine])) * (SPACING / 12**0.5)
        within = turned @ covariance @ turned.transpose(0, 2, 1) + around[:, :, None] * around[:, None]
        found = []
        for side in (cosine > 0, cosine < 0):
            own = np.exp(log_weight[side] - log_weight[side].max())
            share = np.exp(log_weight[side] - log_weight.max()).sum() / np.exp(log_weight - log_weight.max()).sum()
            own /= own.sum()
            middle = own @ points[side]
            away = points[side] - middle
            scatter = np.einsum("k,kij->ij", own, within[side]) + (own[:, None] * away).T @ away
            likeliest = int(np.flatnonzero(side)[own.argmax()])
            found.append(
                Solution(middle, float(own @ origin[side]), scatter, float(share), float(model.rms_s[likeliest]))
            )
        return found[0], found[1]
