"""ETAS: its likelihood against a second one, its kernels against sums, its fit against what was simulated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from slow_etas import slow_log_likelihood

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.completeness import Completeness
from seisvision.catalogues.counting import Windows, count_events
from seisvision.catalogues.gaps import Gaps
from seisvision.catalogues.grid import Grid
from seisvision.catalogues.region import Region
from seisvision.errors import DataError
from seisvision.forecasting.etas import fitting, simulation
from seisvision.forecasting.etas.background import EvenBackground, SmoothedBackground
from seisvision.forecasting.etas.cells import Cells
from seisvision.forecasting.etas.data import EtasData
from seisvision.forecasting.etas.fitting import fit_etas
from seisvision.forecasting.etas.kernels import polygon_share, time_share
from seisvision.forecasting.etas.likelihood import log_likelihood
from seisvision.forecasting.etas.pairs import AllPairs, SampledPairs
from seisvision.forecasting.etas.parameters import EtasParameters
from seisvision.forecasting.etas.rates import expected_counts, simulated_numbers
from seisvision.forecasting.etas.simulation import as_catalogue, draw_magnitudes, simulate

REGION = Region.box(33.0, 34.0, -117.0, -116.0)
TRUE = EtasParameters(0.8, 0.4, 1.3, 0.01, 1.2, 4.0, 1.7, 0.7, 2.0, 1.0, 6.0)


def simulated(seed: int, days: float = 800.0, true: EtasParameters = TRUE, **changes: object) -> EventCatalogue:
    events = simulate(true, EvenBackground(REGION), (0.0, days), np.random.default_rng(seed))
    return replace(as_catalogue(events, REGION, (0.0, days)), **changes)  # type: ignore[arg-type]


def data_of(catalogue: EventCatalogue, begin: float, complete: Completeness | None = None) -> EtasData:
    return EtasData.of(
        catalogue, REGION, (begin, catalogue.end_day), complete or Completeness(2.0), b=1.0, largest_magnitude=6.0
    )


def even(data: EtasData) -> np.ndarray:
    return EvenBackground(REGION).density(data.x_km[data.target], data.y_km[data.target])


def without(catalogue: EventCatalogue, gaps: Gaps) -> EventCatalogue:
    return replace(catalogue.select(~gaps.contains(catalogue.time_days)), gaps=gaps)


@pytest.mark.parametrize("p", [0.9, 1.0, 1.2])
@pytest.mark.parametrize("case", ["plain", "gaps and steps"])
def test_the_likelihood_is_that_of_plain_loops(case: str, p: float) -> None:
    true = replace(TRUE, p=p)
    catalogue, complete = simulated(0, 100.0), Completeness(2.0)
    if case != "plain":
        catalogue = without(catalogue, Gaps([(50, 60), (90, 91)]))
        complete = Completeness.from_steps(2.0, [(40.0, 2.3), (80.0, 2.0)])
    data = data_of(catalogue, 30.0, complete)
    assert len(data.target) > 40
    assert len(data.time_days) > len(data.target)
    value, _ = log_likelihood(true.to_vector(), data, even(data), AllPairs(data))
    assert value == pytest.approx(slow_log_likelihood(data, true, even(data)), abs=0.02)


def test_the_gradient_is_that_of_differences() -> None:
    data = data_of(simulated(1, 200.0), 50.0)
    vector = TRUE.to_vector()
    slope = log_likelihood(vector, data, even(data), AllPairs(data))[1]
    for at in range(8):
        step = np.zeros(8)
        step[at] = 1e-5
        ahead, behind = (log_likelihood(vector + way * step, data, even(data), AllPairs(data))[0] for way in (1, -1))
        assert slope[at] == pytest.approx((ahead - behind) / 2e-5, rel=1e-4, abs=1e-3)


def test_shares_of_polygons_are_those_of_sums_also_beside_an_edge_and_outside() -> None:
    corners = torch.tensor([[0.0, 0.0], [40.0, 5.0], [35.0, 30.0], [-5.0, 25.0]], dtype=torch.float64)
    x, y = np.array([15.0, 20.0, 0.05, -20.0, 36.0]), np.array([15.0, 2.6, 0.05, 10.0, 29.9])
    rng = np.random.default_rng(0)
    for spread, q_less_1 in ((0.3, 0.5), (9.0, 0.3), (9.0, 1.5)):
        power = torch.tensor(q_less_1, dtype=torch.float64)
        found = polygon_share(
            *map(torch.from_numpy, (x, y)), torch.full((5,), spread, dtype=torch.float64), power, corners
        )
        region = Region.__new__(Region)
        region.x_km, region.y_km = corners[:, 0].numpy(), corners[:, 1].numpy()
        radius = np.sqrt(spread * (rng.uniform(size=200_000) ** (-1 / q_less_1) - 1))
        turn = rng.uniform(0, 2 * np.pi, len(radius))
        drawn = [
            region.contains_km(a + radius * np.cos(turn), b + radius * np.sin(turn)).mean()
            for a, b in zip(x, y, strict=True)
        ]
        assert found.numpy() == pytest.approx(np.array(drawn), abs=0.004)


def test_cells_of_a_grid_share_what_their_region_has() -> None:
    cells = Cells.of_grid(Grid.of_degrees(REGION, 0.1))
    rng = np.random.default_rng(0)
    x, y = EvenBackground(REGION).draw(30, rng)
    x[0], y[0] = 200.0, 0.0
    spread = rng.uniform(0.1, 9, 30)
    found = cells.sums(np.eye(30), x, y, spread, 0.6)
    columns = (torch.from_numpy(one) for one in (x, y, spread))
    corners = torch.from_numpy(np.stack([REGION.x_km, REGION.y_km], axis=-1))
    whole = polygon_share(*columns, torch.tensor(0.6, dtype=torch.float64), corners).numpy()
    assert found.sum(axis=1) == pytest.approx(whole, abs=0.006)
    assert (found >= 0).all()


def test_shares_of_time_pass_through_p_of_one() -> None:
    days, c = torch.tensor([0.1, 10.0, 1000.0, 3000.0], dtype=torch.float64), torch.tensor(0.01, dtype=torch.float64)
    shares = [time_share(days, c, torch.tensor(p, dtype=torch.float64)).numpy() for p in (1 - 1e-6, 1.0, 1 + 1e-6)]
    assert shares[0] == pytest.approx(shares[1], rel=1e-4)
    assert shares[1] == pytest.approx(shares[2], rel=1e-4)
    assert shares[1][2] == pytest.approx(1)


@pytest.mark.parametrize("background", ["even", "smoothed"])
def test_backgrounds_sum_to_one_over_the_region_and_draw_what_they_say(background: str) -> None:
    rng = np.random.default_rng(3)
    x, y = EvenBackground(REGION).draw(40, rng)
    chosen = EvenBackground(REGION) if background == "even" else SmoothedBackground(REGION, x, y)
    cells = Cells.of_grid(Grid.of_degrees(REGION, 0.2))
    shares = chosen.shares(cells)
    assert shares.sum() == pytest.approx(1, abs=0.005)
    drawn = Grid.of_degrees(REGION, 0.2).cell_of(*REGION.projection.to_degrees(*chosen.draw(40_000, rng)))
    counted = np.bincount(drawn[drawn >= 0], minlength=25) / 40_000
    assert counted == pytest.approx(shares, abs=0.01)
    density = chosen.density(cells.x_km, cells.y_km)
    assert (density > 0).all()


def test_nobody_forecasts_himself() -> None:
    x = np.array([0.0, 1.0, 2.0, 30.0])
    own = SmoothedBackground(REGION, x, np.zeros(4), neighbours=1).density_at_own()
    others = SmoothedBackground(REGION, x[:3], np.zeros(3), neighbours=1).density(x[3:], np.zeros(1))
    assert own[3] == pytest.approx(others[0], rel=1e-6)


def test_a_sample_of_pairs_says_nearly_what_all_say() -> None:
    data = data_of(simulated(2, 800.0), 100.0)
    sampled, every = SampledPairs(data, TRUE, even(data)), AllPairs(data)
    assert len(sampled) < len(every) / 10
    one, other = (log_likelihood(TRUE.to_vector(), data, even(data), pairs) for pairs in (sampled, every))
    assert one[0] == pytest.approx(other[0], abs=0.002 * len(data.target))
    assert one[1] == pytest.approx(other[1], abs=0.05 * np.abs(other[1]).max() + 1)


@pytest.mark.slow
def test_a_fit_from_a_sample_ends_at_the_maximum_over_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_of(simulated(3, 250.0), 50.0)
    whole = fit_etas(data, "even")
    monkeypatch.setattr(fitting, "EXACT_UP_TO", 0)
    sampled = fit_etas(data, "even")
    assert sampled.log_likelihood == pytest.approx(whole.log_likelihood, abs=0.02)
    assert sampled.decrement < 0.05
    moved = (sampled.parameters.to_vector() - whole.parameters.to_vector()) / whole.errors()
    assert np.abs(moved).max() < 0.2


@pytest.mark.slow
def test_simulated_parameters_are_recovered_within_their_errors() -> None:
    """The short form; ``benchmarks/etas.py`` does fifty."""
    apart = []
    for seed in range(2):
        found = fit_etas(data_of(simulated(10 + seed, 360.0), 80.0), "even")
        apart.append((found.parameters.to_vector() - TRUE.to_vector()) / found.errors())
    apart = np.array(apart)
    assert (np.abs(apart) < 2).mean() > 0.8
    assert np.abs(apart).max() < 4


@pytest.mark.slow
def test_declared_gaps_keep_the_background_and_undeclared_ones_lower_it() -> None:
    catalogue, gaps = simulated(5, 360.0), Gaps([(110, 250)])
    declared = fit_etas(data_of(without(catalogue, gaps), 50.0), "even")
    undeclared = fit_etas(data_of(replace(without(catalogue, gaps), gaps=Gaps()), 50.0), "even")
    assert declared.parameters.background_per_day == pytest.approx(TRUE.background_per_day, rel=0.3)
    assert undeclared.parameters.background_per_day < 0.75 * declared.parameters.background_per_day


@pytest.mark.slow
def test_steps_of_completeness_leave_the_rate_of_the_reference_magnitude() -> None:
    catalogue = simulated(6, 900.0, replace(TRUE, productivity=0.02))
    steps = Completeness.from_steps(2.0, [(300.0, 2.6), (700.0, 2.0)])
    seen = catalogue.select(catalogue.magnitude >= steps.at(catalogue.time_days))
    right = data_of(seen, 0.0, steps)
    assert right.observed_days == pytest.approx(300 + 400 * 10**-0.6 + 200)
    found, wrong = fit_etas(right, "even"), fit_etas(data_of(seen, 0.0), "even")
    total = [one.parameters.background_per_day for one in (found, wrong)]
    assert total[0] == pytest.approx(TRUE.background_per_day, rel=0.15)
    assert total[1] < 0.85 * total[0]


def test_too_few_events_are_refused_with_what_to_do() -> None:
    with pytest.raises(DataError, match="lower magnitude"):
        EtasData.of(simulated(0, 20.0), REGION, (0.0, 20.0), Completeness(4.0))


def test_simulations_have_the_numbers_and_magnitudes_that_were_asked_for() -> None:
    draws = np.random.default_rng(0)
    magnitude = draw_magnitudes(TRUE, 100_000, draws)
    assert magnitude.min() >= 2
    assert magnitude.max() < 6
    assert magnitude.mean() - 2 == pytest.approx(1 / TRUE.beta, rel=0.02)
    parents_only = simulate(replace(TRUE, productivity=1e-9), EvenBackground(REGION), (0, 1000.0), draws)
    assert len(parents_only) == pytest.approx(800, abs=4 * np.sqrt(800))
    first = simulate(TRUE, EvenBackground(REGION), (0, 5000.0), draws)
    share = (first.generation > 0).mean()
    assert share == pytest.approx(TRUE.mean_productivity, abs=0.08)


def test_a_branching_ratio_above_one_ends_in_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "MOST_EVENTS", 20_000)
    with pytest.raises(DataError, match="branching ratio"):
        simulate(replace(TRUE, productivity=5.0), EvenBackground(REGION), (0, 2000.0), np.random.default_rng(0))


@pytest.mark.parametrize("lead", [0.0, 2.0])
def test_expected_counts_are_the_means_of_simulations(lead: float) -> None:
    catalogue = simulated(8, 400.0)
    grid = Grid.of_degrees(REGION, 0.2)
    # Right after the largest event, and long after it.
    largest = catalogue.time_days[catalogue.magnitude.argmax()]
    windows = Windows(np.sort(np.array([largest + 0.05, 399.0])), lead, 1.0)
    background = EvenBackground(REGION)
    expected = expected_counts(TRUE, background, catalogue, windows, grid, 2.5)
    drawn = simulated_numbers(TRUE, background, catalogue, windows, grid, 2.5, np.random.default_rng(0), 4000)
    error = drawn.std(axis=1) / np.sqrt(4000)
    allowed = 4 * error + 0.02 * drawn.mean(axis=1)
    assert (np.abs(expected.sum(axis=1) - drawn.mean(axis=1)) < allowed).all()


def test_rates_know_nothing_of_what_comes_after_the_issue() -> None:
    catalogue = simulated(9, 400.0)
    windows, grid = Windows.between(200, 300, 10.0), Grid.of_degrees(REGION, 0.2)
    whole = expected_counts(TRUE, EvenBackground(REGION), catalogue, windows, grid, 2.0)
    for window in (0, 5):
        past = catalogue.between(0, float(windows.issue_days[window]))
        alone = expected_counts(TRUE, EvenBackground(REGION), past, windows.select(np.array([window])), grid, 2.0)
        assert alone[0] == pytest.approx(whole[window], rel=1e-9)
    assert count_events(catalogue, grid, windows).number.sum() == pytest.approx(whole.sum(), rel=0.5)
