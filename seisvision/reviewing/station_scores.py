"""Stations whose labels are wrong as a whole: coordinates that were swapped, a clock that is off, a sign."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from seisvision.earth.geodesics import geodesic

SUSPECT_SIGMAS = 5.0
"""Of the median residual of a station, from which it is suspect: 100 stations of nothing have one in 17,000 sets."""
FEWEST_SAMPLES = 4
BETTER = 0.5
"""Swapped coordinates must leave no more than this share of both stations' residuals."""


@dataclass(frozen=True)
class StationScore:
    """Residuals of one station.

    Attributes:
        name: network and station code.
        n: samples.
        median_sigmas: median residual in sigmas of single samples.
        typical_sigmas: median size of the residuals, whatever their sign.
        significance: how far the median size is from what all stations have, in its standard errors.
        is_suspect: whether that is too far.
    """

    name: str
    n: int
    median_sigmas: float
    typical_sigmas: float
    significance: float
    is_suspect: bool


def station_scores(sigmas: np.ndarray, stations: Sequence[str]) -> list[StationScore]:
    """Stations, the most suspect first.

    Both the median residual (a clock, a bias) and the size of residuals (coordinates, whose errors have both signs) are
    held against those of all stations.

    Args:
        sigmas: residuals (N,) in sigmas; NaN does not count.
        stations: names (N,).
    """
    names = np.asarray(stations, dtype=object)
    known = np.isfinite(sigmas)
    usual = float(np.median(np.abs(sigmas[known]))) if known.any() else math.nan
    found = []
    for name in dict.fromkeys(names[known]):
        own = sigmas[known & (names == name)]
        # The standard error of a median of normal values is 1.2533 sigma over the root of their number.
        error = 1.2533 / math.sqrt(len(own))
        middle, size = float(np.median(own)), float(np.median(np.abs(own)))
        significance = max(abs(middle), size - usual) / error
        is_suspect = len(own) >= FEWEST_SAMPLES and significance >= SUSPECT_SIGMAS
        found.append(StationScore(str(name), len(own), middle, size, significance, is_suspect))
    return sorted(found, key=lambda one: -one.significance if one.n >= FEWEST_SAMPLES else math.inf)


@dataclass(frozen=True)
class Swap:
    """Two stations whose coordinates look swapped.

    Attributes:
        stations: their names.
        before: median size of their errors of distance, as a logarithm, with the coordinates that stand there.
        after: the same with the coordinates of the other.
    """

    stations: tuple[str, str]
    before: float
    after: float


def swapped_pairs(
    predicted_km: np.ndarray,
    stations: Sequence[str],
    station_place: Mapping[str, tuple[float, float]],
    source_place: np.ndarray,
    suspects: Sequence[str],
) -> list[Swap]:
    """Pairs of suspect stations whose predicted distances fit the coordinates of the other, the clearest first.

    Args:
        predicted_km: (N,) epicentral distances that networks tell.
        stations: names (N,).
        station_place: latitude and longitude of each station, as they stand in the table.
        source_place: (N, 2) latitude and longitude of the epicentres.
        suspects: names to be tried.
    """
    names = np.asarray(stations, dtype=object)

    def misfit(own: str, at: str) -> float:
        chosen = (names == own) & np.isfinite(predicted_km) & np.isfinite(source_place).all(axis=1)
        if not chosen.any():
            return math.nan
        latitude, longitude = station_place[at]
        found_km, _, _ = geodesic(source_place[chosen, 0], source_place[chosen, 1], latitude, longitude)
        return float(np.median(np.abs(np.log1p(predicted_km[chosen]) - np.log1p(found_km))))

    found = []
    for a, b in combinations([name for name in suspects if name in station_place], 2):
        before = [misfit(a, a), misfit(b, b)]
        after = [misfit(a, b), misfit(b, a)]
        if all(new < BETTER * old for new, old in zip(after, before, strict=True)):
            found.append(Swap((a, b), float(np.mean(before)), float(np.mean(after))))
    return sorted(found, key=lambda one: one.after / one.before)
