"""What networks see lies before each issue, parts lie apart, gaps are not quiet, scales are those of the training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seisvision import keys
from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.counting import Windows
from seisvision.catalogues.gaps import Gaps
from seisvision.catalogues.grid import Grid
from seisvision.catalogues.region import Region
from seisvision.errors import ConfigurationError, DataError
from seisvision.forecasting.samples.histories import Histories
from seisvision.forecasting.samples.indicators import EightIndicators, SpanIndicators
from seisvision.forecasting.samples.maps import CountMaps
from seisvision.forecasting.samples.parts import Horizon, time_parts, usable
from seisvision.forecasting.samples.samples import Inputs, Samples, Scales

REGION = Region.box(33.0, 34.0, -117.0, -116.0)
GRID = Grid.of_degrees(REGION, 0.25)
DAYS = 600.0


def catalogue_of(seed: int = 0, n: int = 3000, gaps: Gaps | None = None) -> EventCatalogue:
    draws = np.random.default_rng(seed)
    days = np.sort(draws.uniform(0, DAYS, n))
    gaps = gaps or Gaps()
    days = days[~gaps.contains(days)]
    n = len(days)
    return EventCatalogue(
        days, draws.uniform(33, 34, n), draws.uniform(-117, -116, n), 2 + draws.exponential(0.43, n),
        np.full(n, np.nan), np.arange(n).astype(str), 0.0, DAYS, gaps,
    )  # fmt: skip


def inputs_of(catalogue: EventCatalogue, kind: str = "eight") -> tuple[Inputs, Histories]:
    histories = Histories(catalogue, GRID)
    found = (
        EightIndicators(histories, 2.0, 20, 60.0) if kind == "eight" else SpanIndicators(histories, 2.0, (10.0, 60.0))
    )
    return Inputs(catalogue, GRID, CountMaps(catalogue, GRID, [2.0, 2.5], 3, 5.0), found, 2, 10.0), histories


def samples_of(catalogue: EventCatalogue, windows: Windows, unit: str = "region", kind: str = "eight") -> Samples:
    inputs, histories = inputs_of(catalogue, kind)
    scales = Scales.of(inputs, windows, histories.observed)
    rates = {"poisson": np.zeros((len(windows), GRID.n_cells))}
    return Samples(inputs, scales, windows, catalogue, rates, unit, 3, histories.observed)


WINDOWS = Windows.between(100.0, 400.0, 5.0)


@pytest.mark.parametrize("kind", ["eight", "spans"])
def test_nothing_seen_comes_from_the_issue_on(kind: str) -> None:
    catalogue = catalogue_of()
    now = float(WINDOWS.issue_days[20])
    later = catalogue.time_days >= now
    other = replace(catalogue, magnitude=np.where(later, 6.0, catalogue.magnitude))
    other = other.select(~later | (np.arange(len(later)) % 3 == 0))
    one, moved = (inputs_of(some, kind) for some in (catalogue, other))
    issue = WINDOWS.issue_days[:21]
    assert (one[0].maps.at(issue) == moved[0].maps.at(issue)).all()
    seen, also = (histories.observed(issue) for _, histories in (one, moved))
    assert np.array_equal(one[0].indicators.at(seen), moved[0].indicators.at(also), equal_nan=True)
    after = one[1].observed(WINDOWS.issue_days[21:24])
    assert not np.array_equal(one[0].indicators.at(after), moved[0].indicators.at(after), equal_nan=True)


def test_indicators_are_what_they_say_of_the_events_of_a_place() -> None:
    catalogue = catalogue_of()
    histories = Histories(catalogue, GRID)
    day, cell = 333.0, 5
    inside = (GRID.cell_of(catalogue.latitude_deg, catalogue.longitude_deg) == cell) & (catalogue.time_days < day)
    last = np.flatnonzero(inside)[-20:]
    time, size = catalogue.time_days[last], catalogue.magnitude[last]
    found = EightIndicators(histories, 2.0, 20, 300.0).at(np.array([day]))[0, cell]
    b = np.log10(np.e) / (size.mean() - 2.0)
    assert found[0] == pytest.approx(np.log10(time[-1] - time[0]), rel=1e-5)
    assert found[1] == pytest.approx(size.mean(), rel=1e-5)
    assert found[3] == pytest.approx(b, rel=1e-5)
    a = np.log10(20) + 2 * b
    assert found[5] == pytest.approx(size.max() - a / b, abs=1e-4)
    large = time[size >= 3.0]
    assert found[6] == pytest.approx(
        np.log10(np.diff(large).mean() if len(large) > 1 else time[-1] - time[0]), abs=1e-4
    )
    spans = SpanIndicators(histories, 2.0, (30.0,)).at(np.array([day]))[0]
    month = inside & (catalogue.time_days >= day - 30)
    assert spans[cell, 0] == pytest.approx(np.log1p(month.sum()), rel=1e-6)
    assert spans[cell, 2] == pytest.approx(catalogue.magnitude[month].max() - 2.0, rel=1e-5)
    whole = (catalogue.time_days < day) & (catalogue.time_days >= day - 30)
    assert spans[-1, 0] == pytest.approx(np.log1p(whole.sum()), rel=1e-6)
    steps = np.diff(catalogue.time_days[month])
    assert spans[cell, 5] == pytest.approx(steps.std() / steps.mean(), rel=1e-4)


def test_places_without_events_are_unknown_and_not_zero() -> None:
    catalogue = catalogue_of(n=4)
    found = EightIndicators(Histories(catalogue, GRID), 2.0, 20, 60.0).at(np.array([DAYS]))
    assert np.isnan(found).all()


def test_gaps_do_not_pass_for_quiet() -> None:
    gaps = Gaps([(200.0, 260.0)])
    catalogue = catalogue_of(gaps=gaps)
    spans = SpanIndicators(Histories(catalogue, GRID), 2.0, (30.0,))
    histories = Histories(catalogue, GRID)
    before, after = spans.at(histories.observed(np.array([200.0, 262.0])))[:, -1, 0]
    assert after == pytest.approx(before, rel=0.1), "thirty observed days hold as many events across the gap"
    windows = Windows.between(150.0, 350.0, 5.0)
    kept = windows.select(usable(catalogue, windows, 15.0))
    touched = (kept.issue_days - 15 < 260) & (kept.end_days > 200)
    assert not touched.any() and len(kept) < len(windows)


@pytest.mark.parametrize("fold", [None, 0, 1, 2])
def test_no_day_belongs_to_two_parts(fold: int | None) -> None:
    horizon = Horizon(15.0, 2.0, 5.0, 1.0)
    parts = time_parts(catalogue_of(), (50.0, 550.0), horizon, 0.25, fold, None if fold is None else 3)
    days = {
        part: np.unique(np.concatenate([np.arange(issue - 15, issue + 7) for issue in windows.issue_days]))
        for part, windows in parts.items()
    }
    assert not np.intersect1d(days["train"], days["val"]).size
    assert len(parts["train"]) > len(parts["val"]) > 50


def test_folds_validate_every_time_once() -> None:
    horizon = Horizon(5.0, 0.0, 5.0, 5.0)
    found = [time_parts(catalogue_of(), (50.0, 550.0), horizon, 0.2, fold, 4)["val"].issue_days for fold in range(4)]
    assert np.array_equal(np.sort(np.concatenate(found)), np.arange(50.0, 550.0, 5.0))


def test_gaps_that_would_let_events_into_two_parts_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"split\.gap_days=4 is shorter"):
        time_parts(catalogue_of(), (50.0, 550.0), Horizon(15.0, 0.0, 5.0, 5.0, 4.0), 0.25)
    with pytest.raises(DataError, match=r"no window is left of 'train'.*split\.gap_days"):
        time_parts(catalogue_of(), (400.0, 550.0), Horizon(300.0, 0.0, 5.0, 5.0), 0.25)


def test_scales_are_those_of_the_training() -> None:
    catalogue = catalogue_of()
    loud = replace(catalogue, magnitude=np.where(catalogue.time_days > 400, 7.0, catalogue.magnitude))
    train = Windows.between(100.0, 390.0, 5.0)
    for kind in ("eight", "spans"):
        one, other = (samples_of(some, train, kind=kind).scales.to_dict() for some in (catalogue, loud))
        assert one == other


def test_a_cell_is_what_the_region_has_in_its_place() -> None:
    catalogue = catalogue_of()
    whole, cells = samples_of(catalogue, WINDOWS), samples_of(catalogue, WINDOWS, "cell")
    assert len(whole) == len(WINDOWS) and len(cells) == len(WINDOWS) * GRID.n_cells
    region, cell = whole[7], cells[7 * GRID.n_cells + 6]
    assert cell[keys.EVENT_COUNTS].tolist() == [region[keys.EVENT_COUNTS][6]]
    assert np.array_equal(cell[keys.INDICATORS][0], region[keys.INDICATORS][6])
    row, column = divmod(int(whole.places[6]), GRID.n_columns)
    assert np.array_equal(cell[keys.MAPS][..., 1, 1], region[keys.MAPS][..., row, column])
    assert whole.counts.sum() == np.sum((catalogue.time_days >= 100) & (catalogue.time_days < 400))


def test_maps_count_by_class_and_step() -> None:
    catalogue = catalogue_of()
    maps = np.expm1(CountMaps(catalogue, GRID, [2.0, 2.5], 3, 5.0).at(np.array([300.0])))[0]
    latest = (catalogue.time_days >= 295) & (catalogue.time_days < 300)
    assert maps[-1].sum() == pytest.approx(latest.sum(), rel=1e-4)
    assert maps[-1, 1].sum() == pytest.approx((latest & (catalogue.magnitude >= 2.5)).sum(), rel=1e-4)
    assert maps.sum() == pytest.approx(((catalogue.time_days >= 285) & (catalogue.time_days < 300)).sum(), rel=1e-4)
