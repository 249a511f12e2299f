"""Events that ETAS expects by cell and window, from what is known when the window is issued."""

from __future__ import annotations

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.counting import Windows
from seisvision.catalogues.grid import Grid
from seisvision.forecasting.etas.background import Background
from seisvision.forecasting.etas.cells import Cells
from seisvision.forecasting.etas.parameters import EtasParameters
from seisvision.forecasting.etas.simulation import Events, simulate, time_share

STEPS = np.array([0, 0.003, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
"""Of the time from issue to end: aftershocks of aftershocks are followed from step to step."""
POINTS = 8
MOST_OF_A_STEP = 0.95
"""Aftershocks of an event within its own step; where more are expected nothing converges."""
WINDOWS_AT_ONCE = 256


def part_from(parameters: EtasParameters, magnitude: float) -> float:
    """Of all events, those of ``magnitude`` and more."""
    above, width = (one - parameters.reference_magnitude for one in (magnitude, parameters.largest_magnitude))
    least = np.exp(-parameters.beta * width)
    return float(max(np.exp(-parameters.beta * max(above, 0)) - least, 0) / (1 - least))


def expected_counts(
    parameters: EtasParameters,
    background: Background,
    catalogue: EventCatalogue,
    windows: Windows,
    grid: Grid,
    magnitude: float,
) -> np.ndarray:
    """Numbers of events of ``magnitude`` and more to be expected, float64 (W, C).

    Background and direct aftershocks of what is known are integrated over time and cells. Aftershocks of events that
    are still to come are followed in time over all cells together, and go where their parents are expected.

    Args:
        parameters: of the model.
        background: of the model.
        catalogue: complete events; of each window those before its issue are used.
        windows: W of them.
        grid: C cells.
        magnitude: least one of the events counted.
    """
    cells = Cells.of_grid(grid)
    x, y = grid.projection.to_km(catalogue.latitude_deg, catalogue.longitude_deg)
    near = np.isfinite(x + y)
    x, y, time, size = x[near], y[near], catalogue.time_days[near], catalogue.magnitude[near]
    number, spread = parameters.triggered(size), parameters.spread_km2(size)
    even = background.shares(cells) * parameters.background_per_day * windows.length_days
    inside = grid.cell_of(catalogue.latitude_deg[near], catalogue.longitude_deg[near]) >= 0
    stay = number * cells.within(x, y, spread, parameters.q - 1)
    result = np.empty((len(windows), len(cells)))
    for low in range(0, len(windows), WINDOWS_AT_ONCE):
        part = slice(low, min(low + WINDOWS_AT_ONCE, len(windows)))
        n_before = int(np.searchsorted(time, windows.issue_days[part][-1]))
        before = slice(0, n_before)
        known = time[before] < windows.issue_days[part, None]
        ends = [
            time_share(edge[part, None] - time[before], parameters) for edge in (windows.begin_days, windows.end_days)
        ]
        direct = np.where(known, ends[1] - ends[0], 0) * number[before]
        placed = cells.sums(direct, x[before], y[before], spread[before], parameters.q - 1)
        in_cells = np.minimum(placed.sum(axis=1) / np.maximum(direct.sum(axis=1), 1e-300), 1)
        rows = windows.select(np.arange(part.start, part.stop))
        moves = _moves(rows, time, number, stay, inside)
        growth = _growth(parameters, time[before], number[before], in_cells, moves, rows)
        result[part] = (placed + even) * growth[:, None]
    return result * part_from(parameters, magnitude)


def _moves(windows: Windows, time: np.ndarray, number: np.ndarray, stay: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Chances (W, 2, 2) that an aftershock falls in or out of the cells (rows) of a parent in or out of them (columns).

    Means over the events before each issue, and no other, of the ``stay`` of their ``number`` of aftershocks.
    """
    n_before = np.searchsorted(time, windows.issue_days)
    into = []
    for chosen, where_none in ((inside, 1.0), (~inside, 0.0)):
        all_of, in_cells = (np.append(0, np.cumsum(np.where(chosen, one, 0)))[n_before] for one in (number, stay))
        into.append(np.where(all_of > 0, in_cells / np.maximum(all_of, 1e-300), where_none))
    chances = np.stack(into, axis=1)
    return np.stack([chances, 1 - chances], axis=1)


def _growth(
    parameters: EtasParameters,
    time: np.ndarray,
    number: np.ndarray,
    in_cells: np.ndarray,
    moves: np.ndarray,
    windows: Windows,
) -> np.ndarray:
    """Of all events expected in the cells in each window (W,), the number over that of those without unknown parents.

    Args:
        parameters: of the model.
        time: (N,) of the sources.
        number: (N,) aftershocks of each within 1000 days.
        in_cells: (W,) part of the direct aftershocks that falls into cells.
        moves: (W, 2, 2) of :func:`_moves`.
        windows: W of them.
    """
    total_days = windows.lead_days + windows.length_days
    edges = np.unique(np.concatenate([STEPS * total_days, [windows.lead_days]]))
    known = time < windows.issue_days[:, None]
    shares = [time_share(windows.issue_days[:, None] + edge - time, parameters) for edge in edges]
    reached = np.stack([(np.where(known, share, 0) * number).sum(axis=1) for share in shares], axis=1)
    arriving = np.diff(reached, axis=1)
    # (W, 2, K): in the cells, where the background is, and out of them.
    direct = np.stack([in_cells[:, None] * arriving, (1 - in_cells[:, None]) * arriving], axis=1)
    direct[:, 0] += parameters.background_per_day * np.diff(edges)
    begin, end = edges[:-1], edges[1:]
    # Parents lie anywhere in their step; those of a step have some of their aftershocks in it.
    at = begin[:, None] + (np.arange(POINTS) + 0.5) / POINTS * (end - begin)[:, None]
    inside = time_share(end - at[..., None], parameters) - time_share(begin - at[..., None], parameters)
    passed = parameters.mean_productivity * inside.mean(axis=1)
    everything = np.zeros_like(direct)
    for step in range(len(begin)):
        children = moves @ (everything[..., :step] @ passed[:step, step])[..., None]
        own = np.eye(2) - min(passed[step, step], MOST_OF_A_STEP) * moves
        everything[..., step] = np.linalg.solve(own, direct[..., step, None] + children)[..., 0]
    judged = begin >= windows.lead_days - 1e-9
    return np.asarray(everything[:, 0, judged].sum(axis=1) / direct[:, 0, judged].sum(axis=1))


def simulated_numbers(
    parameters: EtasParameters,
    background: Background,
    catalogue: EventCatalogue,
    windows: Windows,
    grid: Grid,
    magnitude: float,
    draws: np.random.Generator,
    n_simulations: int = 1000,
) -> np.ndarray:
    """Numbers of events in all cells that are drawn for each window, int (W, R), for number tests and intervals."""
    x, y = grid.projection.to_km(catalogue.latitude_deg, catalogue.longitude_deg)
    near = np.isfinite(x + y)
    zeros = np.zeros(int(near.sum()), dtype=int)
    known = Events(catalogue.time_days[near], x[near], y[near], catalogue.magnitude[near], zeros, zeros)
    numbers = np.zeros((len(windows), n_simulations), dtype=int)
    for window in range(len(windows)):
        issue, end = windows.issue_days[window], windows.end_days[window]
        history = known.select(np.arange(np.searchsorted(known.time_days, issue)))
        drawn = simulate(parameters, background, (issue, end), draws, history, n_simulations)
        counted = (drawn.time_days >= windows.begin_days[window]) & (drawn.magnitude >= magnitude - 1e-4)
        counted[counted] = grid.cell_of(*grid.projection.to_degrees(drawn.x_km[counted], drawn.y_km[counted])) >= 0
        numbers[window] = np.bincount(drawn.simulation[counted], minlength=n_simulations)
    return numbers
