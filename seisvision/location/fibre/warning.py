"""Locations while picks come in along a fibre: at 101, 121, 141, ... of them, and the one that counts.

In Katakami et al. (2025), of all locations within the first seconds the one counts whose standard deviations sum up to
the least. A location from fewer channels that happens to look sharp then wins over those that know more; in simulations
the latest is nearer (``benchmarks/fibre_coverage.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seisvision.earth.travel_time_table import TravelTimes
from seisvision.location.fibre.inversion import FibrePrior, Solution, both_sides, fits_as_well
from seisvision.location.fibre.line import Line, curvature_s_m2, thinned

FIRST_PICKS = 101
STEP_PICKS = 20
WITHIN_S = 2.0
APART_S = 4.0
"""Picks this much earlier than the median of the first hundred are noise and do not start the clock."""
FEWEST_THINNED = 5
FEWEST_FOR_ELLIPSE = 8
"""Thinned picks."""
CHOICES = ("latest", "least-error")


@dataclass(frozen=True)
class Update:
    """What is known when the last of so many picks has come in."""

    n_picks: int
    n_used: int
    """Picks that were left after thinning."""
    since_s: float
    """Since the first pick."""
    best: Solution
    other: Solution
    """On the other side of the fibre; the same where there is none."""
    ambiguous: bool
    curvature_s_m2: float


def updates(
    line: Line,
    time_s: np.ndarray,
    travel_times: TravelTimes,
    *,
    sigma_s: float = 0.1,
    correlation_km: float | None = None,
    prior: FibrePrior | None = None,
    within_s: float = WITHIN_S,
) -> list[Update]:
    """Locations at 101, 121, 141, ... picks within the first seconds, the first of them first.

    Args:
        line: the fibre.
        time_s: (C,) picks of its channels, NaN where there is none.
        travel_times: of the P wave.
        sigma_s: standard deviation of a pick.
        correlation_km: of picks closer than this along the fibre one counts; None: every channel counts.
        prior: of the hypocentre.
        within_s: how long after the first pick to go on.
    """
    order = np.argsort(np.where(np.isfinite(time_s), time_s, np.inf), kind="stable")
    order = order[np.isfinite(time_s[order])]
    if len(order) < FIRST_PICKS:
        return []
    early = time_s[order[:FIRST_PICKS]]
    order = order[np.searchsorted(time_s[order], np.median(early) - APART_S) :]
    first_s = time_s[order[0]]
    found: list[Update] = []
    for count in range(FIRST_PICKS, len(order) + 1, STEP_PICKS):
        since_s = float(time_s[order[count - 1]] - first_s)
        if since_s > within_s:
            break
        picks = order[:count]
        curvature = curvature_s_m2(line.along_km[picks], time_s[picks])
        if correlation_km is not None:
            picks = picks[thinned(line.along_km[picks], time_s[picks], correlation_km)]
        if len(picks) < FEWEST_THINNED:
            continue
        best, other = both_sides(line, picks, time_s[picks], sigma_s, travel_times, prior or FibrePrior())
        found.append(Update(count, len(picks), since_s, best, other, fits_as_well(best, other), curvature))
    return found


def chosen(found: list[Update], choice: str = "latest") -> Update | None:
    """The update that counts; None where there is none.

    Args:
        found: all of them, the first first.
        choice: ``latest``, which knows most; or ``least-error``, that of the least total error, as published.
    """
    if not found:
        return None
    return found[-1] if choice == "latest" else min(found, key=lambda one: one.best.total_error_km)


def bounds(update: Update) -> bool:
    """Whether the ellipses of an update hold their share of epicentres in simulations.

    With fewer channels the source lies beyond an end, as a rule, from where the picks tell a direction and no distance.
    """
    return update.n_used >= FEWEST_FOR_ELLIPSE
