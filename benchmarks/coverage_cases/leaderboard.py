"""Means of several trainings as the leaderboard of ``seisvision compare`` shows them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from coverage import Case, event_of_sample
from scipy.special import ndtr, ndtri

from seisvision.evaluation.resampling import EventBootstrap
from seisvision.reports.comparing.groups import summarise

RIGHT = 0.85
EVENT_SHARE = 0.6
"""Of the variance on the normal scale: what all trainings find hard in an event."""
SEEDS = (1, 2, 3, 5)


@dataclass
class Leaderboard(Case):
    """The true share right of a configuration, over events and trainings, lies in the interval of its runs.

    One training speaks of that network, so there its own true share has to.
    """

    spread: float
    """Standard deviation over trainings in points of the share right."""

    def __post_init__(self) -> None:
        self.name = f"leaderboard, seed spread {self.spread:g} points"

    def holds(self, rng: np.random.Generator, n_events: int, arrangement: str) -> dict[str, bool | None]:
        """For the first of several seeds, the first two, and so on."""
        groups = event_of_sample(rng, n_events, arrangement)
        bootstrap = EventBootstrap(groups, n_resamples=2)
        scale = self.spread / (100 * math.exp(-(ndtri(RIGHT) ** 2) / 2) / math.sqrt(2 * math.pi))
        means = ndtri(RIGHT) + scale * rng.normal(size=max(SEEDS))
        hard = math.sqrt(EVENT_SHARE) * rng.normal(size=n_events)[groups]
        own = math.sqrt(1 - EVENT_SHARE) * rng.normal(size=(max(SEEDS), len(groups)))
        measures = [bootstrap.share(mean + hard + one > 0) for mean, one in zip(means, own, strict=True)]
        found = {}
        for n in SEEDS:
            truth = ndtr(means[0]) if n == 1 else ndtr(ndtri(RIGHT) / math.sqrt(1 + scale**2))
            summary = summarise(measures[:n], lowest=0.0, highest=1.0)
            found[f"accuracy, {n} seed{'s' * (n > 1)}"] = bool(summary.low <= truth <= summary.high)
        return found


CASES: list[Case] = [Leaderboard(spread) for spread in (0.0, 2.4, 4.9)]
