"""Places from arrival times alone, by travel times learnt from events whose places are known.

Nothing has to be known of the stations: where each stands is found together with the velocities, as in joint
hypocentre determination (Douglas 1967, Nature 215, 47-48) with the roles of events and stations exchanged. What remains
at each station is smoothed over the neighbouring events, as source-specific station terms are (Richards-Dinger and
Shearer 2000, J. Geophys. Res. 105, 10939-10960). It is the classical answer that networks of stations have to beat.
"""

from __future__ import annotations

from dataclasses import dataclass

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
"""Training events, without themselves, on which the width of neighbourhoods is chosen and spreads are measured."""
WORTH = 0.9
"""Neighbours are used where they bring the median error of these below this share of that without."""


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
        bandwidth_km: of the neighbourhoods over which that is smoothed; None: it is not used.
        spread_km: (3,) of places of training events that were located without themselves.
    """

    kept: np.ndarray
    station_km: np.ndarray
    constant_s: np.ndarray
    slowness_s_km: np.ndarray
    bend_s_km2: np.ndarray
    sigma_s: np.ndarray
    place_km: np.ndarray
    remaining_s: np.ndarray
    bandwidth_km: float | None = None
    spread_km: tuple[float, float, float] = (np.nan, np.nan, np.nan)

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

    def locate(self, time_s: np.ndarray, bandwidth_km: float | None, without: np.ndarray | None = None) -> np.ndarray:
        """Places (N, 3) of events from their arrival times (N, K'), of all columns; NaN where there are too few."""
        time_s = time_s[:, self.kept]
        place_km = np.full((len(time_s), 3), np.nan)
        for number in np.flatnonzero(np.isfinite(time_s).sum(1) >= FEWEST_TIMES).tolist():
            own = None if without is None else without[number : number + 1]
            place_km[number] = self._located(time_s[number], bandwidth_km, own)
        return place_km

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
            # Depths are the least certain, and within the crust.
            nodes = kept[:, None] + step_km * LATTICE
            nodes[..., 2] = nodes[..., 2].clip(0.0)
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
        origin_s = np.median(away_s, -1)
        for _ in range(6):
            weight = 1 / (sigma_s**2 * (1 + ((away_s - origin_s[..., None]) / sigma_s) ** 2 / NU))
            origin_s = (weight * away_s).sum(-1) / weight.sum(-1)
        off = (away_s - origin_s[..., None]) / sigma_s
        depth_km = self.place_km[:, 2]
        shallow = (place_km[..., 2] - depth_km.mean()) / max(float(depth_km.std()), 1.0)
        return (NU + 1) / 2 * np.log1p(off**2 / NU).sum(-1) + shallow**2 / 2


LATTICE = np.stack(np.meshgrid([-1, -0.5, 0, 0.5, 1], [-1, -0.5, 0, 0.5, 1], [-0.5, 0, 0.5], indexing="ij"), -1)
LATTICE = LATTICE.reshape(-1, 3)


def learnt_times(
    time_s: np.ndarray, station: np.ndarray, phase: np.ndarray, place_km: np.ndarray, station_km: np.ndarray
) -> LearntTimes | None:
    """Travel times from the arrivals of events whose places are known; None where these are too few.

    Args:
        time_s: (E, K) arrival times after the beginning of each recording, which tell nothing of the origin; NaN where
            there is none. Many may be wrong.
        station, phase: (K,) numbers of the station and the phase of each column.
        place_km: (E, 3) east, north and depth of the events; a depth that is not known is that of the others.
        station_km: (S, 2) east and north of the stations, NaN where they are not known.
    """
    picked = np.isfinite(time_s)
    kept = np.flatnonzero(picked.sum(0) >= FEWEST_PICKS)
    used = picked[:, kept].sum(1) >= FEWEST_TIMES
    if used.sum() < FEWEST_EVENTS or len(np.unique(station[kept])) < FEWEST_TIMES:
        return None
    time_s, place_km = time_s[used], place_km[used].copy()
    deep = np.isfinite(place_km[:, 2])
    place_km[~deep, 2] = np.median(place_km[deep, 2]) if deep.any() else 0.0
    rough = _fitted(time_s[:, kept], kept, station[kept], phase[kept], place_km, station_km)
    judged = np.linspace(0, len(time_s) - 1, min(len(time_s), MOST_JUDGED)).round().astype(int)
    found: dict[float | None, np.ndarray] = {
        width: rough.locate(time_s[judged], width, judged) - place_km[judged] for width in (None, *BANDWIDTHS_KM)
    }
    error_km = {width: float(np.nanmedian(np.hypot(*off[:, :2].T))) for width, off in found.items()}
    nearest = min(BANDWIDTHS_KM, key=error_km.__getitem__)
    best = nearest if error_km[nearest] < WORTH * error_km[None] else None
    # As wide as a normal distribution of which as many lie outside: errors have heavier tails than their middle tells.
    spread_km = np.maximum(np.nanquantile(np.abs(found[best]), 0.95, axis=0) / 1.96, 1e-3)
    return LearntTimes(**{**vars(rough), "bandwidth_km": best, "spread_km": tuple(spread_km.tolist())})


def _fitted(
    time_s: np.ndarray,
    kept: np.ndarray,
    station: np.ndarray,
    phase: np.ndarray,
    place_km: np.ndarray,
    station_km: np.ndarray,
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
            kept, where, 100 * constant.numpy(), slow, bent, sigma_s, place_km, np.full(time_s.shape, np.nan)
        )
        off_s = time_s - 100 * origin.numpy()[:, None] - found.times_s(place_km)
    remaining_s = np.where(np.abs(off_s) < 4 * sigma_s, off_s, np.nan)
    return LearntTimes(**{**vars(found), "remaining_s": remaining_s})


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
