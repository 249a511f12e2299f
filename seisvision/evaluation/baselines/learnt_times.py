"""Places from arrival times alone, by travel times learnt from events whose places are known.

Nothing has to be known of the stations: where each stands is found together with the velocities, as in joint
hypocentre determination (Douglas 1967, Nature 215, 47-48) with the roles of events and stations exchanged. What remains
at each station is smoothed over the neighbouring events, as source-specific station terms are (Richards-Dinger and
Shearer 2000, J. Geophys. Res. 105, 10939-10960). It is the classical answer that networks of stations have to beat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import torch

from seisvision.evaluation.baselines.arrival_features import FEWEST_TIMES

FEWEST_EVENTS = 20
FEWEST_PICKS = 8
"""Of one kind at one station, or it is left out."""
NU = 2.0
"""Degrees of freedom of the distribution of errors: automatic picks are often wrong altogether."""
STAGES_S = (5.0, 1.5, 0.5)
"""Scales of errors of the first fits, from the widest valley on; then each kind of time has its own."""
MEAN_LOG = 0.61
"""Of ``log(1 + x**2 / NU)`` where x has Student's distribution with that many degrees of freedom."""
LEAST_SIGMA_S = 0.05
SLOWNESS_S_KM = 0.2
"""Before anything is learnt: between P and S of a crust."""
BANDWIDTHS_KM = (3.0, 10.0, 30.0)
"""Of neighbours that share what remains; the best on the training events, each without itself, or none."""
NEIGHBOURS = 1.0
"""Weight of no correction beside that of the neighbours."""
N_KEPT = 4
STEPS_KM = tuple(8.0 / 2**level for level in range(7))
MOST_JUDGED = 60
"""Training events, without themselves, on which the width of neighbourhoods is chosen."""
WORTH = 0.9
"""Neighbours are used where they bring the median error of these below this share of that without."""
LEAST_SCALE = 0.5
"""Of the residuals of an event, over those of the training: few times fit by chance."""
LEAST_PRECISION = 1e-4
"""Per km2, of places that times do not tell: 100 km."""


class Located(NamedTuple):
    """Places of N events, NaN where there are too few times, and depths where too few training events have one."""

    place_km: np.ndarray
    """(N, 3) east, north and depth."""
    covariance_km2: np.ndarray
    """(N, 3, 3) shape of the regions and their size beside each other, which other events have to calibrate."""


@dataclass(frozen=True)
class LearntTimes:
    """Travel times of K kinds (a phase at a station) from E training events.

    Attributes:
        kept: (K,) columns of the arrival times that are used.
        station_km: (K, 2) east and north of the station of each kind.
        constant_s, slowness_s_km, bend_s_km2: (K,) of travel times.
        sigma_s: (K,) scales of errors.
        place_km: (E, 3) east, north and depth of the training events.
        remaining_s: (E, K) what remains there, NaN where nothing was picked or the pick is wrong.
        depth_km: mean and standard deviation of the depths of the training events that have one; None: fewer than
            :data:`FEWEST_EVENTS` have one, and none is said.
        bandwidth_km: of the neighbourhoods over which that is smoothed; None: it is not used.
    """

    kept: np.ndarray
    station_km: np.ndarray
    constant_s: np.ndarray
    slowness_s_km: np.ndarray
    bend_s_km2: np.ndarray
    sigma_s: np.ndarray
    place_km: np.ndarray
    remaining_s: np.ndarray
    depth_km: tuple[float, float] | None
    bandwidth_km: float | None = None

    def times_s(self, place_km: np.ndarray) -> np.ndarray:
        """Times (..., K) that waves take from places (..., 3), but for the origin."""
        away = place_km[..., None, :2] - self.station_km
        way_km = np.sqrt((away**2).sum(-1) + place_km[..., None, 2] ** 2)
        return self.constant_s + self.slowness_s_km * way_km + self.bend_s_km2 * way_km**2

    def corrections_s(
        self, place_km: np.ndarray, bandwidth_km: float | None, without: np.ndarray | None = None
    ) -> np.ndarray:
        """What remained at the neighbours of places (N, 3), (N, K); ``without`` (N,) are events that do not count."""
        if bandwidth_km is None:
            return np.zeros((len(place_km), len(self.kept)))
        away_km2 = ((place_km[:, None] - self.place_km) ** 2).sum(-1)
        weight = np.exp(-away_km2 / (2 * bandwidth_km**2))
        if without is not None:
            weight[np.arange(len(weight)), without] = 0
        known = np.isfinite(self.remaining_s)
        return (weight @ np.where(known, self.remaining_s, 0.0)) / (weight @ known + NEIGHBOURS)

    def locate(self, time_s: np.ndarray, bandwidth_km: float | None, without: np.ndarray | None = None) -> Located:
        """Places of N events from their arrival times (N, K'), of all columns."""
        time_s = time_s[:, self.kept]
        place_km = np.full((len(time_s), 3), np.nan)
        covariance_km2 = np.full((len(time_s), 3, 3), np.nan)
        for number in np.flatnonzero(np.isfinite(time_s).sum(1) >= FEWEST_TIMES).tolist():
            own = None if without is None else without[number : number + 1]
            place_km[number] = self._located(time_s[number], bandwidth_km, own)
            correction_s = self.corrections_s(place_km[number : number + 1], bandwidth_km, own)[0]
            covariance_km2[number] = self._covariance_km2(place_km[number], time_s[number], correction_s)
        if self.depth_km is None:
            place_km[:, 2] = covariance_km2[:, 2] = covariance_km2[:, :, 2] = np.nan
        return Located(place_km, covariance_km2)

    def _covariance_km2(self, place_km: np.ndarray, time_s: np.ndarray, correction_s: np.ndarray) -> np.ndarray:
        """Curvature of the misfit (3, 3) at a place, wider where the times of the event fit worse than is usual.

        An event whose times contradict each other is off by more than their curvature says, and by more than in
        proportion: of 210 simulated events (docs/locating.md) regions of 95 % were smallest with standard deviations
        that grow with the square of the residuals.
        """
        known = np.isfinite(time_s)
        late_s, sigma_s = (time_s - self.times_s(place_km) - correction_s)[known], self.sigma_s[known]
        off, weight = _about_origin(late_s, sigma_s)
        way_km = np.append(place_km[:2] - self.station_km[known], np.full((known.sum(), 1), place_km[2]), 1)
        length_km = np.maximum(np.sqrt((way_km**2).sum(1)), 1e-3)
        slow = self.slowness_s_km[known] + 2 * self.bend_s_km2[known] * length_km
        design = way_km * (slow / length_km)[:, None]
        design -= (weight[:, None] * design).sum(0) / weight.sum()
        precision = (NU + 1) / NU * (design * weight[:, None]).T @ design + LEAST_PRECISION * np.eye(3)
        precision[2, 2] += 1 / self._depth_prior[1] ** 2
        scale = max(float(np.sqrt(np.log1p(off**2 / NU).mean() / MEAN_LOG)), LEAST_SCALE)
        return np.linalg.inv(precision) * scale**4

    @property
    def _depth_prior(self) -> tuple[float, float]:
        """Mean and standard deviation: depths are the least certain."""
        if self.depth_km is None:
            return float(np.median(self.place_km[:, 2])), 1.0
        return self.depth_km[0], max(self.depth_km[1], 1.0)

    def _located(self, time_s: np.ndarray, bandwidth_km: float | None, without: np.ndarray | None) -> np.ndarray:
        """The place (3,) of one event: the best of all tried, then of finer and finer lattices about the best few."""
        known = np.isfinite(time_s)
        tried = self._tried()
        if without is not None:
            tried = np.delete(tried, without, axis=0)
        kept = tried[np.argsort(self._misfit(tried, time_s, known, np.zeros(known.sum())))[:N_KEPT]]
        for step_km in STEPS_KM:
            correction_s = self.corrections_s(
                kept, bandwidth_km, None if without is None else without.repeat(len(kept))
            )
            nodes = kept[:, None] + step_km * (LATTICE if self.depth_km is not None else LEVEL_LATTICE)
            nodes[..., 2] = nodes[..., 2].clip(min(0.0, self.place_km[:, 2].min()))
            misfit = self._misfit(nodes, time_s, known, correction_s[:, None, known])
            kept = nodes[np.arange(len(nodes)), misfit.argmin(1)]
        return kept[misfit.min(1).argmin()]

    def _tried(self) -> np.ndarray:
        """Places (M, 3): those of the training events first, and a lattice over them and a little beyond."""
        low, high = self.place_km[:, :2].min(0), self.place_km[:, :2].max(0)
        beyond = 0.2 * (high - low) + 1.0
        lines = [np.linspace(a - one, b + one, 15) for a, b, one in zip(low, high, beyond, strict=True)]
        lattice = np.stack(np.meshgrid(*lines, [np.median(self.place_km[:, 2])], indexing="ij"), -1).reshape(-1, 3)
        return np.concatenate([self.place_km, lattice])

    def _misfit(
        self, place_km: np.ndarray, time_s: np.ndarray, known: np.ndarray, correction_s: np.ndarray
    ) -> np.ndarray:
        """Misfit (...) of places (..., 3) to the ``known`` times (K,), with the origin that suits each place best."""
        away_s = time_s[known] - self.times_s(place_km)[..., known] - correction_s
        sigma_s = self.sigma_s[known]
        off, _ = _about_origin(away_s, sigma_s)
        middle_km, spread_km = self._depth_prior
        shallow = (place_km[..., 2] - middle_km) / spread_km
        return (NU + 1) / 2 * np.log1p(off**2 / NU).sum(-1) + shallow**2 / 2


def _about_origin(away_s: np.ndarray, sigma_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is left of times (..., K) less the likeliest origin, over their sigmas, and the weights of their squares."""
    origin_s = np.median(away_s, -1)
    for _ in range(6):
        weight = 1 / (sigma_s**2 * (1 + ((away_s - origin_s[..., None]) / sigma_s) ** 2 / NU))
        origin_s = (weight * away_s).sum(-1) / weight.sum(-1)
    return (away_s - origin_s[..., None]) / sigma_s, weight


LATTICE = np.stack(np.meshgrid([-1, -0.5, 0, 0.5, 1], [-1, -0.5, 0, 0.5, 1], [-0.5, 0, 0.5], indexing="ij"), -1)
LATTICE = LATTICE.reshape(-1, 3)
LEVEL_LATTICE = LATTICE[LATTICE[:, 2] == 0]


def learnt_times(
    time_s: np.ndarray,
    station: np.ndarray,
    phase: np.ndarray,
    place_km: np.ndarray,
    station_km: np.ndarray,
    bandwidth_km: float | Literal["best"] | None = "best",
) -> LearntTimes | None:
    """Travel times from the arrivals of events whose places are known; None where these are too few.

    Args:
        time_s: (E, K) arrival times after the beginning of each recording, which tell nothing of the origin; NaN where
            there is none. Many may be wrong.
        station, phase: (K,) numbers of the station and the phase of each column.
        place_km: (E, 3) east, north and depth of the events; a depth that is not known is taken as that of the others,
            or as 0, which the constants of the stations make good.
        station_km: (S, 2) east and north of the stations, NaN where they are not known.
        bandwidth_km: of neighbourhoods; ``best``: that of :data:`BANDWIDTHS_KM`, or none, with the smallest errors of
            training events without themselves.
    """
    picked = np.isfinite(time_s)
    kept = np.flatnonzero(picked.sum(0) >= FEWEST_PICKS)
    used = picked[:, kept].sum(1) >= FEWEST_TIMES
    if used.sum() < FEWEST_EVENTS or len(np.unique(station[kept])) < FEWEST_TIMES:
        return None
    time_s, place_km = time_s[used], place_km[used].copy()
    deep_km = place_km[np.isfinite(place_km[:, 2]), 2]
    depth_km = (float(deep_km.mean()), float(deep_km.std())) if len(deep_km) >= FEWEST_EVENTS else None
    place_km[:, 2] = np.nan_to_num(place_km[:, 2], nan=float(np.median(deep_km)) if len(deep_km) else 0.0)
    rough = _fitted(time_s[:, kept], kept, station[kept], phase[kept], place_km, station_km, depth_km)
    if bandwidth_km != "best":
        return replace(rough, bandwidth_km=bandwidth_km)
    judged = np.linspace(0, len(time_s) - 1, min(len(time_s), MOST_JUDGED)).round().astype(int)
    error_km = {}
    for width in (None, *BANDWIDTHS_KM):
        off_km = rough.locate(time_s[judged], width, judged).place_km[:, :2] - place_km[judged, :2]
        error_km[width] = float(np.nanmedian(np.hypot(*off_km.T)))
    nearest = min(BANDWIDTHS_KM, key=error_km.__getitem__)
    return replace(rough, bandwidth_km=nearest if error_km[nearest] < WORTH * error_km[None] else None)


def _fitted(
    time_s: np.ndarray,
    kept: np.ndarray,
    station: np.ndarray,
    phase: np.ndarray,
    place_km: np.ndarray,
    station_km: np.ndarray,
    depth_km: tuple[float, float] | None,
) -> LearntTimes:
    """Stations, velocities, constants and origins that fit arrival times (E, K) best."""
    known = torch.from_numpy(np.isfinite(time_s))
    time = torch.from_numpy(np.nan_to_num(time_s))
    place = torch.from_numpy(place_km)
    _, slot = np.unique(station, return_inverse=True)
    _, group = np.unique(phase, return_inverse=True)
    told = np.isfinite(station_km).all(1)[np.unique(station)]
    begun = _first_stations_km(time_s, slot, place_km)
    begun[told] = station_km[np.unique(station)][told]
    fixed = torch.from_numpy(told)[:, None]
    first = torch.from_numpy(begun)
    # In hundreds of kilometres and of seconds everything is of the size of one.
    moved = torch.zeros_like(first, requires_grad=True)
    origin = torch.from_numpy(np.nanmedian(time_s, 1) / 100).requires_grad_()
    constant = torch.zeros(len(kept), dtype=torch.float64, requires_grad=True)
    slowness = torch.zeros(len(kept), dtype=torch.float64, requires_grad=True)
    bend = torch.zeros(int(group.max()) + 1, dtype=torch.float64, requires_grad=True)
    log_sigma = torch.zeros(len(kept), dtype=torch.float64, requires_grad=True)
    parameters = [moved, origin, constant, slowness, bend, log_sigma]

    def columns() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        where = torch.where(fixed, first, first + 100 * moved)[slot]
        return where, SLOWNESS_S_KM * torch.exp(slowness), bend[group] / 1000

    def misfit(scale_s: float | None) -> torch.Tensor:
        where, slow, bent = columns()
        way = torch.sqrt(((place[:, None, :2] - where) ** 2).sum(-1) + place[:, None, 2] ** 2 + 1e-6)
        off = time - 100 * origin[:, None] - 100 * constant - slow * way - bent * way**2
        sigma = LEAST_SIGMA_S + torch.exp(log_sigma) if scale_s is None else torch.full_like(log_sigma, scale_s)
        loss = (NU + 1) / 2 * torch.log1p((off / sigma) ** 2 / NU) + torch.log(sigma)
        # Constants and origins may not drift together, nor velocities where distances are all alike.
        held = (constant**2).sum() + (slowness**2).sum() + 10 * (bend**2).sum() + 0.1 * (moved**2).sum()
        return torch.where(known, loss, 0.0).sum() / known.sum() + 1e-3 * held / len(kept)

    for scale_s in (*STAGES_S, None):
        if scale_s is None:
            log_sigma.data.fill_(np.log(STAGES_S[-1]))
        search = torch.optim.LBFGS(parameters, max_iter=200, line_search_fn="strong_wolfe", tolerance_change=1e-9)

        def closure(scale_s: float | None = scale_s, search: torch.optim.LBFGS = search) -> torch.Tensor:
            search.zero_grad()
            loss = misfit(scale_s)
            loss.backward()
            return loss

        search.step(closure)
    with torch.no_grad():
        where, slow, bent = (one.numpy() for one in columns())
        sigma_s = (LEAST_SIGMA_S + torch.exp(log_sigma)).numpy()
        found = LearntTimes(
            kept, where, 100 * constant.numpy(), slow, bent, sigma_s, place_km, np.full(time_s.shape, np.nan), depth_km
        )
        off_s = time_s - 100 * origin.numpy()[:, None] - found.times_s(place_km)
    remaining_s = np.where(np.abs(off_s) < 4 * sigma_s, off_s, np.nan)
    return replace(found, remaining_s=remaining_s)


def _first_stations_km(time_s: np.ndarray, slot: np.ndarray, place_km: np.ndarray) -> np.ndarray:
    """A first guess (S, 2): the middle of the events whose waves came soonest, compared with all other stations."""
    late_s = time_s - np.nanmedian(time_s, 1)[:, None]
    found = np.zeros((int(slot.max()) + 1, 2))
    for number in range(len(found)):
        own = np.full(len(late_s), np.inf)
        for column in np.flatnonzero(slot == number).tolist():
            own = np.fmin(own, late_s[:, column])
        soonest = np.argsort(own)[: max(3, int(np.isfinite(own).sum()) // 10)]
        found[number] = np.median(place_km[soonest, :2], 0)
    return found
