"""Catalogues drawn from ETAS, generation by generation (Zhuang and Touati 2015, CORSSA)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.region import Region
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.errors import DataError
from seisvision.forecasting.etas.background import Background
from seisvision.forecasting.etas.parameters import REFERENCE_DAYS, EtasParameters

MOST_EVENTS = 5_000_000


@dataclass(frozen=True)
class Events:
    """N events of one or many simulations, in no order.

    Attributes:
        time_days, x_km, y_km, magnitude: (N,).
        simulation: (N,) number of the simulation that each belongs to.
        generation: (N,) 0 for background and for what came before.
    """

    time_days: np.ndarray
    x_km: np.ndarray
    y_km: np.ndarray
    magnitude: np.ndarray
    simulation: np.ndarray
    generation: np.ndarray

    def __len__(self) -> int:
        """Return N."""
        return len(self.time_days)

    def select(self, chosen: np.ndarray) -> Events:
        """The events of a mask or of numbers."""
        return Events(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def joined(cls, parts: list[Events]) -> Events:
        """All of several."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def draw_magnitudes(parameters: EtasParameters, n: int, draws: np.random.Generator) -> np.ndarray:
    """Magnitudes (n,) above the reference, exponential up to the largest."""
    width = parameters.largest_magnitude - parameters.reference_magnitude
    below = -np.expm1(-parameters.beta * width)
    return parameters.reference_magnitude - np.log1p(-draws.uniform(size=n) * below) / parameters.beta


def simulate(
    parameters: EtasParameters,
    background: Background,
    span: tuple[float, float],
    draws: np.random.Generator,
    history: Events | None = None,
    n_simulations: int = 1,
) -> Events:
    """Draw what happens in a span of time; aftershocks may fall outside of the region.

    Args:
        parameters: of the model.
        background: where events come by themselves.
        span: begin and end (days).
        draws: source of chance.
        history: events before the span whose aftershocks are drawn too; they are not among what is returned.
        n_simulations: independent ones, all after the same history.

    Raises:
        DataError: more than five million events come of it, as of parameters whose branching ratio is near 1 or above.
    """
    begin, end = span
    n = draws.poisson(parameters.background_per_day * (end - begin) * n_simulations)
    x, y = background.draw(n, draws)
    first = Events(
        draws.uniform(begin, end, n), x, y, draw_magnitudes(parameters, n, draws),
        draws.integers(n_simulations, size=n), np.zeros(n, dtype=int),
    )  # fmt: skip
    found = [first]
    if history is not None and len(history):
        found.append(_after_history(history, parameters, span, draws, n_simulations))
    parents, total = Events.joined(found), 0
    found = [parents]
    while len(parents):
        total += len(parents)
        if total > MOST_EVENTS:
            raise DataError(
                f"a simulation has more than {MOST_EVENTS:,} events; the branching ratio of its parameters is "
                f"{parameters.mean_productivity:.2f}, and from 1 on sequences do not end: take a shorter span"
            )
        parents = _aftershocks(parents, parameters.triggered(parents.magnitude), parameters, span, draws)
        found.append(parents)
    return Events.joined(found)


def _after_history(
    history: Events, parameters: EtasParameters, span: tuple[float, float], draws: np.random.Generator, n: int
) -> Events:
    """Direct aftershocks, in n simulations, of what came before."""
    chance = np.diff(
        time_share(np.stack([span[0] - history.time_days, span[1] - history.time_days]), parameters), axis=0
    )
    expected = parameters.triggered(history.magnitude) * chance[0]
    number = draws.poisson(expected.sum() * n)
    event = draws.choice(len(history), number, p=expected / expected.sum()) if number else np.empty(0, dtype=int)
    parents = history.select(event)
    return _children(parents, parameters, span, draws, draws.integers(n, size=number))


def _aftershocks(
    parents: Events,
    number: np.ndarray,
    parameters: EtasParameters,
    span: tuple[float, float],
    draws: np.random.Generator,
) -> Events:
    """Direct aftershocks of events that lie in the span."""
    share = time_share(span[1] - parents.time_days, parameters)
    counts = draws.poisson(number * share)
    repeated = parents.select(np.repeat(np.arange(len(parents)), counts))
    return _children(repeated, parameters, span, draws, repeated.simulation)


def _children(
    parents: Events,
    parameters: EtasParameters,
    span: tuple[float, float],
    draws: np.random.Generator,
    simulation: np.ndarray,
) -> Events:
    """One event after each of N parents, within the span."""
    n = len(parents)
    first = time_share(np.maximum(span[0] - parents.time_days, 0), parameters)
    last = time_share(span[1] - parents.time_days, parameters)
    share = first + (last - first) * draws.uniform(size=n)
    days = _days_of_share(share, parameters)
    spread = parameters.spread_km2(parents.magnitude)
    radius = np.sqrt(spread * np.expm1(-np.log(1 - draws.uniform(size=n)) / (parameters.q - 1)))
    turn = draws.uniform(0, 2 * np.pi, n)
    return Events(
        np.clip(parents.time_days + days, span[0], np.nextafter(span[1], -np.inf)),
        parents.x_km + radius * np.cos(turn),
        parents.y_km + radius * np.sin(turn),
        draw_magnitudes(parameters, n, draws),
        simulation,
        parents.generation + 1,
    )


def time_share(days: np.ndarray, parameters: EtasParameters) -> np.ndarray:
    """Direct aftershocks (N,) that have come after ``days``, over those of 1000 days; 0 before the event."""
    power = parameters.powers_left
    reached = np.expm1(power * np.log1p(np.maximum(days, 0) / parameters.c_days))
    return np.asarray(reached / np.expm1(power * np.log1p(REFERENCE_DAYS / parameters.c_days)))


def _days_of_share(share: np.ndarray, parameters: EtasParameters) -> np.ndarray:
    power = parameters.powers_left
    reached = share * np.expm1(power * np.log1p(REFERENCE_DAYS / parameters.c_days))
    return np.asarray(parameters.c_days * np.expm1(np.log1p(reached) / power))


def as_catalogue(events: Events, region: Region, span: tuple[float, float]) -> EventCatalogue:
    """One simulation as a catalogue in the order of time; places beyond the plane of the region are left out."""
    near = np.flatnonzero(np.hypot(events.x_km, events.y_km) < EARTH_RADIUS_KM)
    order = near[np.argsort(events.time_days[near], kind="stable")]
    latitude, longitude = region.projection.to_degrees(events.x_km[order], events.y_km[order])
    return EventCatalogue(
        events.time_days[order], latitude, longitude, events.magnitude[order], np.full(len(order), 10.0),
        np.array([f"sim{number}" for number in range(len(order))]), *span,
    )  # fmt: skip
