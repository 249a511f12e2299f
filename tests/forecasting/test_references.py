"""References see the past only, survive gaps, and lose to the truth where it is known; the command tells all of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.completeness import Completeness
from seisvision.catalogues.gaps import Gaps
from seisvision.catalogues.grid import Grid
from seisvision.catalogues.times import date_text
from seisvision.cli import main
from seisvision.errors import ConfigurationError, DataError
from seisvision.forecasting.comparison import judge
from seisvision.forecasting.etas.rates import expected_counts
from seisvision.forecasting.references import Reference
from seisvision.forecasting.references.maps import LastYear, PoissonMap, Smoothed
from seisvision.forecasting.references.omori import OmoriSmoothed
from seisvision.forecasting.synthetic import AHEAD_DAYS, SWARM, SWARM_KM, World, etas_world, precursor_world
from seisvision.forecasting.task import ForecastTask

MAKE = (PoissonMap, LastYear, Smoothed, OmoriSmoothed)


def task_of(world: World, catalogue: EventCatalogue | None = None, **changes: object) -> ForecastTask:
    settings: dict[str, object] = {"fit": (0.0, 800.0), "test": (800.0, 1200.0), "length_days": 5.0} | changes
    grid = Grid.of_degrees(world.region, 0.2)
    return ForecastTask(catalogue or world.catalogue, grid, Completeness(2.5), 2.5, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def world() -> World:
    return etas_world(1, 1200.0)


@pytest.mark.parametrize("make", MAKE)
def test_rates_are_possible_and_know_nothing_of_what_comes(make: type[Reference], world: World) -> None:
    task = task_of(world)
    reference = make()
    reference.fit(task)
    rates = reference.rates(task.test_windows)
    assert rates.shape == task.test_counts.shape
    assert (rates > 0).all()
    assert rates.sum() == pytest.approx(task.test_counts.sum(), rel=0.6)
    # Another future, the same past: the rates of the first windows stay.
    now = float(task.test_windows.issue_days[10])
    later = world.catalogue.time_days >= now
    moved = replace(world.catalogue, magnitude=np.where(later, 2.5, world.catalogue.magnitude))
    moved = moved.select(~later | (np.arange(len(later)) % 2 == 0))
    other = make()
    other.fit(task_of(world, moved))
    assert other.rates(task.test_windows)[:11] == pytest.approx(rates[:11], rel=1e-9)


def test_fits_do_not_see_the_test(world: World) -> None:
    cut = task_of(world, replace(world.catalogue.between(0, 800), end_day=1200.0))
    for make in MAKE:
        one, other = make(), make()
        one.fit(task_of(world))
        other.fit(cut)
        assert one.rates(cut.fit_windows) == pytest.approx(other.rates(cut.fit_windows), rel=1e-9)


def test_gaps_do_not_lower_rates_and_windows_in_them_are_left_out(world: World) -> None:
    gaps = Gaps([(200, 500), (1000, 1003)])
    seen = replace(world.catalogue.select(~gaps.contains(world.catalogue.time_days)), gaps=gaps)
    task = task_of(world, seen)
    assert not ((task.test_windows.begin_days < 1003) & (task.test_windows.end_days > 1000)).any()
    whole, holed = PoissonMap(), PoissonMap()
    whole.fit(task_of(world))
    holed.fit(task)
    events = world.catalogue.between(0, 800)
    rest = 1 - gaps.contains(events.time_days).mean()
    assert holed.per_day == pytest.approx(whole.per_day * rest * 800 / 500, rel=0.02)


def test_tests_before_the_end_of_the_fit_are_refused(world: World) -> None:
    with pytest.raises(ConfigurationError, match="before the fit ends"):
        task_of(world, test=(700.0, 1200.0))
    with pytest.raises(ConfigurationError, match="below the completeness"):
        ForecastTask(
            world.catalogue, Grid.of_degrees(world.region, 0.2), Completeness(2.5), 2.0, (0.0, 800.0), (800.0, 1200.0)
        )


def test_nothing_gains_on_the_truth_where_nothing_but_etas_is_true(world: World) -> None:
    task = task_of(world)
    true = world.parameters, world.background, world.catalogue
    rates = {
        "truth": expected_counts(*true, task.test_windows, task.grid, 2.5),
    }
    for make in MAKE:
        reference = make()
        reference.fit(task)
        rates[reference.name] = reference.rates(task.test_windows)
    found = judge(task, {}, rates, 30.0)["forecasts"]
    for name in rates:
        if name != "truth":
            assert found[name]["gain_over"]["truth"]["low"] < 0
            assert found["truth"]["gain_over"][name]["value"] > 0
    assert found["truth"]["expected_events"] == pytest.approx(task.test_counts.sum(), rel=0.35)


def test_worlds_follow_from_their_seed() -> None:
    assert etas_world(3, 300.0).catalogue.fingerprint() == etas_world(3, 300.0).catalogue.fingerprint()
    assert etas_world(3, 300.0).catalogue.fingerprint() != etas_world(4, 300.0).catalogue.fingerprint()


def test_planted_events_have_their_swarm_and_no_other_event_is_large() -> None:
    world = precursor_world(2, 1500.0, 30)
    assert len(world.announced) == 30
    assert len(world.false_alarms) == 13
    catalogue = world.catalogue
    x, y = world.region.projection.to_km(catalogue.latitude_deg, catalogue.longitude_deg)
    large = catalogue.time_days[catalogue.magnitude >= 5]
    assert large == pytest.approx(np.sort(world.announced[:, 0]), abs=1e-9)
    for time, at_x, at_y in np.concatenate([world.announced, world.false_alarms]):
        ahead = time - catalogue.time_days
        near = (np.hypot(x - at_x, y - at_y) < SWARM_KM) & (ahead > AHEAD_DAYS[0]) & (ahead < AHEAD_DAYS[1])
        assert near.sum() >= SWARM


def test_a_test_without_events_cannot_be_judged(world: World) -> None:
    quiet = replace(world.catalogue.between(0, 800), end_day=1200.0)
    task = task_of(world, quiet)
    with pytest.raises(DataError, match="no event of magnitude"):
        judge(task, {}, {"poisson": np.ones(task.test_counts.shape)})


@pytest.mark.slow
def test_the_command_fits_judges_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = etas_world(5, 500.0)
    found = world.catalogue
    rows = [
        f"{date_text(time)},{lat:.5f},{lon:.5f},{size:.2f}"
        for time, lat, lon, size in zip(
            found.time_days, found.latitude_deg, found.longitude_deg, found.magnitude, strict=True
        )
    ]
    (tmp_path / "c.csv").write_text("time,latitude,longitude,magnitude\n" + "\n".join(rows) + "\n1970-03-03,,,\n")
    words = [
        "forecast", "references", str(tmp_path / "c.csv"), "--out", str(tmp_path / "out"), "--complete", "2.6",
        "--region", "33/34/-117/-116", "--span", "1970-01-01/1971-05-16", "--fit", "1970-03-01/1971-01-01",
        "--test", "1971-01-01/1971-05-01", "--cell-deg", "0.25", "--window-days", "5", "--simulations", "20",
        "--background", "even", "--gap", "1971-05-02/1971-05-16",
    ]  # fmt: skip
    rows_in_gap = [row for row in rows if row >= "1971-05-02"]
    if rows_in_gap:
        assert main(words) == 1
        words = words[:-2]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "omori_smoothed" in said
    assert said.strip().endswith("references.json")
    content = json.loads((tmp_path / "out" / "references.json").read_text())
    assert set(content["forecasts"]) == {"poisson", "last_year", "smoothed", "omori_smoothed", "etas"}
    assert content["catalogue"]["refused"]
    gain = content["forecasts"]["etas"]["gain_over"]["poisson"]
    assert {"value", "low", "high", "least_seen", "t_test"} <= gain.keys()
    with np.load(tmp_path / "out" / "rates.npz") as rates:
        assert rates["rates_etas"].shape == rates["counts"].shape == (24, 16)
    assert main([*words, "--fit", "1970-03-01/1971-02-01"]) == 2
    (tmp_path / "out" / "references.csv").write_text("mine")
    assert main(words) == 2
