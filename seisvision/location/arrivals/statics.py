"""Corrections of stations and phases: what their picks are late on average."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seisvision.location.arrivals.hypocentres import Hypocentres

ROUNDS = 4
FEWEST_PICKS = 3
"""A station with fewer picks has no correction."""


def fit_statics(
    locate: Callable[[np.ndarray], Hypocentres], station: np.ndarray, *, rounds: int = ROUNDS
) -> tuple[np.ndarray, Hypocentres]:
    """Corrections (N,) in seconds of N stations and phases, and the hypocentres found with them.

    Events are located and corrections raised by the median residual of each station in turn (Pujol 1988, Bull. Seism.
    Soc. Am. 78, 1179-1189, calls them station corrections of joint hypocentre determination). Fit them on training
    events, and give them to others as ``statics``.

    Args:
        locate: hypocentres of the training events with corrections (B, S) of their picks.
        station: int (B, S) number of the station and phase of each pick, -1 for padding.
        rounds: of locating and correcting.
    """
    n = int(station.max()) + 1 if station.size else 0
    statics = np.zeros(n)
    found = locate(of_picks(statics, station))
    for _ in range(rounds):
        residual = found.residual_s.cpu().numpy()
        usable = np.isfinite(residual) & (station >= 0) & found.located.cpu().numpy()[:, None]
        for number in range(n):
            late = residual[usable & (station == number)]
            if len(late) >= FEWEST_PICKS:
                statics[number] += np.median(late)
        found = locate(of_picks(statics, station))
    return statics, found


def of_picks(statics: np.ndarray, station: np.ndarray) -> np.ndarray:
    """Corrections (B, S) of picks by the numbers (B, S) of their stations; none for those without a number."""
    if not len(statics):
        return np.zeros(station.shape)
    known = (station >= 0) & (station < len(statics))
    return np.where(known, statics[np.where(known, station, 0)], 0.0)
