"""Catalogues in which it is known what can be forecast, each made by a seed.

``etas_world``: nothing but ETAS is true in it. Its parameters come with it, so that the true rates are known, and no
forecast can gain on them but by chance.

``precursor_world``: ETAS as before, but the large events are planted: they come at random in time, at random in
the places of the background, and each is announced. In the 25 to 5 days before it, :data:`SWARM` small events of
magnitude 0.1 to 0.4 above the least come within :data:`SWARM_KM` of its place; a few swarms are false alarms. Nothing
else tells of large events, and those of ETAS are held below them, so a model that sees swarms gains on every one that
does not, ETAS among them, which takes them for aftershocks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.region import Region
from seisvision.forecasting.etas.background import Background, EvenBackground, SmoothedBackground
from seisvision.forecasting.etas.parameters import EtasParameters
from seisvision.forecasting.etas.simulation import Events, as_catalogue, simulate
from seisvision.seeding import DEFAULT_SEED, numpy_stream

BOX = (33.0, 34.0, -117.0, -116.0)
TRUE = EtasParameters(0.8, 0.35, 1.2, 0.01, 1.15, 0.5, 1.6, 0.7, 2.5, 1.0, 6.5)
FAULTS = 12
"""Places about which the background of the built-in region is smeared out."""
SWARM = 8
SWARM_KM = 2.0
AHEAD_DAYS = (5.0, 25.0)
TRUE_SHARE = 0.7
"""Of the swarms, those that a large event follows."""
LARGE = 5.0


@dataclass(frozen=True)
class World:
    """A catalogue and what is true of it.

    Attributes:
        catalogue: its events.
        region: of the background.
        parameters: of ETAS in it.
        background: where events come by themselves.
        announced: (K, 3) time (days) and place (x, y in km) of planted large events; empty in ``etas_world``.
        false_alarms: (L, 3) of times and places that swarms told of and nothing came.
    """

    catalogue: EventCatalogue
    region: Region
    parameters: EtasParameters
    background: Background
    announced: np.ndarray
    false_alarms: np.ndarray


def etas_world(seed: int = DEFAULT_SEED, days: float = 3000.0, parameters: EtasParameters = TRUE) -> World:
    """A catalogue of ``days`` from 1970 on in which nothing but ETAS is true."""
    region, background = _place(seed)
    events = simulate(parameters, background, (0.0, days), numpy_stream(seed, "etas world"))
    nothing = np.empty((0, 3))
    return World(as_catalogue(events, region, (0.0, days)), region, parameters, background, nothing, nothing)


def precursor_world(seed: int = DEFAULT_SEED, days: float = 3000.0, n_large: int = 60) -> World:
    """The same with ``n_large`` planted events of magnitude 5 and more, each after a swarm."""
    below = replace(TRUE, largest_magnitude=LARGE - 0.2)
    region, background = _place(seed)
    draws = numpy_stream(seed, "precursor world")
    usual = simulate(below, background, (0.0, days), draws)
    n_false = round(n_large * (1 / TRUE_SHARE - 1))
    n = n_large + n_false
    time = np.sort(draws.uniform(AHEAD_DAYS[1], days, n))
    x, y = background.draw(n, draws)
    told = np.stack([time, x, y], axis=1)
    large = np.zeros(n, dtype=bool)
    large[draws.permutation(n)[:n_large]] = True
    before = draws.uniform(*AHEAD_DAYS, (n, SWARM))
    radius, turn = SWARM_KM * np.sqrt(draws.uniform(size=(n, SWARM))), draws.uniform(0, 2 * np.pi, (n, SWARM))
    size = below.reference_magnitude + draws.uniform(0.1, 0.4, (n, SWARM))
    east, north = radius * np.cos(turn), radius * np.sin(turn)
    swarms = _events(time[:, None] - before, x[:, None] + east, y[:, None] + north, size)
    magnitudes = LARGE + np.minimum(draws.exponential(1 / below.beta, n_large), 1.0)
    planted = _events(time[large], x[large], y[large], magnitudes)
    # Planted events have aftershocks like others, but none of these is large.
    quiet = replace(below, background_per_day=1e-12)
    parts = [usual, swarms, planted, *_after(planted, quiet, background, days, draws)]
    catalogue = as_catalogue(Events.joined(parts), region, (0.0, days))
    return World(catalogue, region, below, background, told[large], told[~large])


def _after(
    planted: Events, parameters: EtasParameters, background: Background, days: float, draws: np.random.Generator
) -> list[Events]:
    """Aftershocks of every planted event, from its own time on."""
    return [
        simulate(parameters, background, (float(planted.time_days[one]), days), draws, planted.select(np.array([one])))
        for one in range(len(planted))
    ]


def _place(seed: int) -> tuple[Region, Background]:
    region = Region.box(*BOX)
    x, y = EvenBackground(region).draw(FAULTS, numpy_stream(seed, "places of a world"))
    background = SmoothedBackground(region, x, y, neighbours=1)
    return region, background


def _events(time: np.ndarray, x: np.ndarray, y: np.ndarray, magnitude: np.ndarray) -> Events:
    zeros = np.zeros(time.size, dtype=int)
    return Events(time.ravel(), x.ravel(), y.ravel(), magnitude.ravel(), zeros, zeros)
