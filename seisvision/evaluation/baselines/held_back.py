"""How large regions of learnt locations are, by events that none of what located them was fitted to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.evaluation.baselines.learnt_times import LearntTimes, Located
from seisvision.evaluation.conformal import conformal_threshold

FEWEST_HELD_BACK = 20
"""Of 18 events the largest error is exceeded more often than in one of twenty: they size no region of 95 %."""
N_FOLDS = 5
COMMON = 0.25
"""Of the median error, which is added to each region: what the times of an event do not tell, as they are alike."""


@dataclass(frozen=True)
class RegionSizes:
    """How many standard deviations of :class:`Located` regions reach.

    Attributes:
        common_km: of epicentres along each axis, and of depths, added to what the times of an event tell.
        epicentre, depth: by level; infinite where there are too few events for it.
    """

    common_km: tuple[float, float]
    epicentre: dict[float, float]
    depth: dict[float, float]

    @classmethod
    def of(
        cls, found: Located, place_km: np.ndarray, source_ids: Sequence[Any], levels: Sequence[float]
    ) -> RegionSizes:
        """As large as N events that were held back say, whose places are (N, 3).

        Regions of every level hold new events like these with at least its probability (split conformal prediction).
        """
        off_km = found.place_km - place_km
        away_km, down_km = np.hypot(*off_km[:, :2].T), np.abs(off_km[:, 2])
        common_km = COMMON * _median(away_km), COMMON * _median(down_km)
        plane, depth = cls(common_km, {}, {}).covariances_km2(found)
        known = np.isfinite(away_km)
        size = np.full(len(off_km), np.nan)
        inverse = np.linalg.inv(plane[known])
        size[known] = np.sqrt(np.einsum("ni,nij,nj->n", off_km[known, :2], inverse, off_km[known, :2]))
        sizes = (size, down_km / depth)
        across, down = ({one: conformal_threshold(size, source_ids, one) for one in levels} for size in sizes)
        return cls(common_km, across, down)

    def of_level(self, level: float) -> tuple[float, float]:
        """Of the epicentre and of the depth; NaN where there is no region."""
        across, down = (one.get(level, math.inf) for one in (self.epicentre, self.depth))
        return across if math.isfinite(across) else math.nan, down if math.isfinite(down) else math.nan

    def covariances_km2(self, found: Located) -> tuple[np.ndarray, np.ndarray]:
        """Covariances (N, 2, 2) of epicentres and standard deviations (N,) of depths, before they are sized."""
        plane = found.covariance_km2[:, :2, :2] + self.common_km[0] ** 2 * np.eye(2)
        return plane, np.sqrt(found.covariance_km2[:, 2, 2] + self.common_km[1] ** 2)


NO_REGIONS = RegionSizes((math.nan, math.nan), {}, {})


def located_without(learn: Callable[[np.ndarray], LearntTimes | None], time_s: np.ndarray) -> Located | None:
    """N events, each located by travel times that a fifth of them, itself among these, had no part in; None where the
    others are too few.

    Args:
        learn: travel times from the events at places (M,).
        time_s: arrival times (N, K) of all.
    """
    place_km, covariance_km2 = np.full((len(time_s), 3), np.nan), np.full((len(time_s), 3, 3), np.nan)
    for fold in range(min(N_FOLDS, len(time_s))):
        held = np.arange(fold, len(time_s), N_FOLDS)
        learnt = learn(np.setdiff1d(np.arange(len(time_s)), held))
        if learnt is None:
            return None
        place_km[held], covariance_km2[held] = learnt.locate(time_s[held], learnt.bandwidth_km)
    return Located(place_km, covariance_km2)


def _median(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan
