"""Completeness and b-values against what was drawn; main shocks against what was planted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.completeness import Completeness, estimate, in_space, in_time
from seisvision.catalogues.declustering import gardner_knopoff, nearest_neighbours
from seisvision.catalogues.grid import Grid
from seisvision.catalogues.magnitudes import b_value, magnitude_step
from seisvision.catalogues.region import Region
from seisvision.errors import DataError


def drawn(n: int, complete: float, seed: int, b: float = 1.0, step: float = 0.1) -> np.ndarray:
    """Magnitudes rounded to ``step``, found below ``complete`` only with the chance of a normal distribution."""
    rng = np.random.default_rng(seed)
    true = complete - 2 - step / 2 + rng.exponential(1 / (b * np.log(10)), n * 100)
    below = true < complete - step / 2
    seen = rng.uniform(size=len(true)) < np.where(below, np.exp(-0.5 * ((complete - true) / 0.25) ** 2), 1)
    return np.round(true[seen] / step)[:n] * step


def test_b_values_of_rounded_magnitudes_have_no_bias_and_intervals_that_hold() -> None:
    values = [b_value(drawn(2000, 2.0, seed, step=0.2), 2.0, 0.2) for seed in range(100)]
    assert np.mean([one.b for one in values]) == pytest.approx(1.0, abs=0.01)
    assert np.std([one.b for one in values]) == pytest.approx(np.mean([one.error for one in values]), rel=0.25)
    held = [one.low95 <= 1 <= one.high95 for one in values]
    assert 0.88 <= np.mean(held) <= 1.0


def test_b_values_of_too_little_are_not_numbers() -> None:
    assert np.isnan(b_value(np.array([3.0]), 2.0, 0.1).b)
    assert np.isnan(b_value(np.full(50, 2.0), 2.0, 0.1).b)


@pytest.mark.parametrize("step", [0.1, 0.01, 0.5])
def test_the_step_of_magnitudes_is_found(step: float) -> None:
    rng = np.random.default_rng(0)
    assert magnitude_step(np.round(rng.exponential(0.5, 1000) / step) * step) == step


@pytest.mark.parametrize(("method", "within"), [("maximum curvature", 0.21), ("b-value stability", 0.31)])
def test_completeness_is_found_with_its_interval(method: str, within: float) -> None:
    found = estimate(drawn(4000, 2.5, 3), method)
    assert abs(found.value - 2.5) <= within
    assert found.low95 <= found.value <= found.high95
    assert np.isnan(estimate(np.ones(10), method).value)
    with pytest.raises(DataError, match="maximum curvature"):
        estimate(np.ones(10), "guess")


def scattered(magnitude: np.ndarray, x_deg: np.ndarray, seed: int = 0) -> EventCatalogue:
    rng = np.random.default_rng(seed)
    n = len(magnitude)
    ids = np.array([str(i) for i in range(n)])
    return EventCatalogue(
        np.arange(n) + 0.5, rng.uniform(0, 1, n), x_deg, magnitude, np.full(n, 5.0), ids, 0.0, n + 1.0
    )


def test_completeness_differs_in_time_and_space_where_it_does() -> None:
    old, new = drawn(1500, 3.0, 1), drawn(1500, 2.0, 2)
    parts = in_time(scattered(np.concatenate([old, new]), np.full(3000, 0.5)), 750)
    assert [part[2].value for part in parts] == pytest.approx([3.0, 3.0, 2.0, 2.0], abs=0.21)
    assert [part[0] for part in parts[1:]] == [part[1] for part in parts[:-1]]
    mixed = np.where(np.arange(3000) % 2, np.repeat(old, 2), np.repeat(new, 2))
    places = np.where(np.arange(3000) % 2, 0.5, 1.5)
    found = in_space(scattered(mixed, places), Grid.of_degrees(Region.box(0, 1, 0, 2), 1.0))
    assert [found[cell].value for cell in (0, 1)] == pytest.approx([3.0, 2.0], abs=0.21)


def test_completeness_rises_after_large_events_and_falls_back() -> None:
    catalogue = scattered(np.array([3.0, 7.0, 6.0]), np.full(3, 0.5))
    raised = Completeness(2.0).after_large(catalogue, 5.0)
    assert raised.at(np.array([0.0, 1.4999, 1e4])).tolist() == [2.0, 2.0, 2.0]
    assert raised.at(np.array([1.5]))[0] >= 4.5
    # A day after M 7 it is 2.5; the step that holds there begins a little earlier, on the safe side.
    assert 2.5 <= raised.at(np.array([2.49]))[0] <= 2.8
    pieces = raised.pieces(0.0, 10.0)
    assert pieces[0][0] == 0.0
    assert pieces[-1][1] == 10.0
    assert all(one[1] == other[0] for one, other in pairwise(pieces))


def test_steps_below_the_base_are_refused() -> None:
    with pytest.raises(DataError, match="below its base"):
        Completeness.from_steps(2.0, [(10.0, 1.0)])


def test_planted_aftershocks_are_told_from_main_shocks() -> None:
    rng = np.random.default_rng(0)
    n_main, n_after = 60, 20
    time, magnitude = [], []
    lat, lon, is_main = [], [], []
    for _ in range(n_main):
        day, place = rng.uniform(0, 20000), rng.uniform(-8, 8, 2)
        time += [day, *(day + rng.exponential(2, n_after))]
        magnitude += [5.0, *(3 + rng.exponential(0.2, n_after))]
        lat += [place[0], *(place[0] + rng.normal(0, 0.02, n_after))]
        lon += [place[1], *(place[1] + rng.normal(0, 0.02, n_after))]
        is_main += [True] + [False] * n_after
    order = np.argsort(time)
    columns = [np.array(column)[order] for column in (time, lat, lon, magnitude)]
    ids = np.array([str(i) for i in order])
    catalogue = EventCatalogue(*columns, np.full(len(ids), 5.0), ids, 0.0, 30000.0)
    truth = np.array(is_main)[order]
    assert (gardner_knopoff(catalogue) == truth).mean() > 0.97
    assert (nearest_neighbours(catalogue).main == truth).mean() > 0.95
