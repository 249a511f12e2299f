"""Ellipses hold what they say where the problem is not linear: the corners of ``benchmarks/ellipses.py``."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
from opened_benchmarks import opened

from seisvision.errors import ConfigurationError, DataError
from seisvision.location.locate import Locations, locate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def judge() -> ModuleType:
    return opened("ellipses")


@pytest.mark.parametrize("sigmas", ["known", "from residuals"])
@pytest.mark.parametrize(
    ("n_stations", "gap_deg", "distances", "relative_error"),
    [
        (5, 90, "30-4000", 0.05),
        (5, 270, "300-4000", 0.125),
        (6, 270, "30-4000", 0.125),
        (8, 180, "30-300", 0.125),
        (12, 270, "30-300", 0.05),
        (12, 90, "30-4000", 0.125),
        (20, 180, "30-4000", 0.1),
    ],
)
def test_ellipses_hold_what_they_say(
    judge: ModuleType, n_stations: int, gap_deg: float, distances: str, relative_error: float, sigmas: str
) -> None:
    coverage = judge.measure(judge.Cell(n_stations, gap_deg, distances, relative_error, sigmas), 500)
    assert coverage.n > 350
    assert judge.holds(coverage), coverage


def test_no_two_cells_share_their_draws(judge: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that share events fail together, and their number says less than it seems to."""
    drawn = []

    def noted(rng: np.random.Generator, *_: object) -> None:
        drawn.append(rng.random())
        raise InterruptedError

    monkeypatch.setattr(judge, "made_events", noted)
    some = [*judge.cells(), judge.Cell(8, 180, "30-300", 0.1, "known", 0.3)]
    for cell in some:
        for errors in ("log", "normal"):
            with pytest.raises(InterruptedError):
                judge.measure(cell, 1, errors)
    assert len(set(drawn)) == len(drawn) == 2 * len(some)


def test_together_the_corners_are_within_two_points(judge: ModuleType) -> None:
    """Every fourth row pooled: the error of the simulation is about one point."""
    measured = [judge.measure(cell, 200, seed=5) for cell in list(judge.cells(short=True))[::4]]
    n = np.array([one.n for one in measured])
    for level, nominal in (("68", 0.68), ("95", 0.95)):
        share = np.sum([one.inside[level] * one.n for one in measured]) / n.sum()
        assert abs(share - nominal) < 0.025


@pytest.mark.parametrize(("n_stations", "gap_deg"), [(6, 270), (12, 180)])
def test_a_common_error_is_covered_once_it_is_told(judge: ModuleType, n_stations: int, gap_deg: float) -> None:
    cell = judge.Cell(n_stations, gap_deg, "300-4000", 0.1, "known", 0.5)
    assert judge.holds(judge.measure(cell, 500))
    rng = np.random.default_rng(8)
    events = judge.made_events(rng, 500, cell)
    offset_km = judge.observed_km(rng, events["offset_km"], cell)
    place = events["station_latitude_deg"], events["station_longitude_deg"]
    silent = locate(*place, offset_km, offset_sigma_km=0.1 * offset_km)
    assert judge.is_inside(silent, silent.ellipse95, events).mean() < 0.91


def test_sigmas_and_common_share_that_say_nothing_change_nothing(judge: ModuleType) -> None:
    events = judge.made_events(np.random.default_rng(2), 20, judge.Cell(7, 180, "30-300", 0.05, "known"))
    place = events["station_latitude_deg"], events["station_longitude_deg"]
    sigma_km = 0.05 * events["offset_km"]
    plain = locate(*place, events["offset_km"], offset_sigma_km=sigma_km)
    told = locate(*place, events["offset_km"], offset_sigma_km=sigma_km, common_share=np.zeros_like(sigma_km))
    assert torch.equal(plain.ellipse95.major_km, told.ellipse95.major_km)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    place = np.array([[0.0, 0.0, 1.0]]), np.array([[0.0, 1.0, 0.0]])
    with pytest.raises(DataError, match=f"common_share={share:g}"):
        locate(*place, np.full((1, 3), 80.0), common_share=np.full((1, 3), share))
    with pytest.raises(ConfigurationError, match="errors='log'"):
        locate(*place, np.full((1, 3), 80.0), errors="log")  # type: ignore[arg-type]


def test_the_ellipse_of_a_near_station_spans_its_circle() -> None:
    """One station at 50 km and four at 3,000 km with 10 %: the epicentre may lie all around the near one."""
    azimuth = np.radians([0.0, 72, 144, 216, 288])
    distance_deg = np.array([50.0, 3000, 3000, 3000, 3000]) / 111.19
    place = distance_deg * np.cos(azimuth), distance_deg * np.sin(azimuth)
    offset_km = 111.19 * np.hypot(*place)
    found = locate(place[0][None], place[1][None], offset_km[None], offset_sigma_km=0.1 * offset_km[None])
    assert found.ellipse95.major_km.item() > 90
    assert found.ellipse95.minor_km.item() > 20


@pytest.mark.parametrize(("sigmas", "fewest"), [("known", 4), ("from residuals", 5)])
def test_fewer_stations_than_hold_get_no_ellipse_and_a_reason(judge: ModuleType, sigmas: str, fewest: int) -> None:
    for n_stations in (fewest - 1, fewest):
        events = judge.made_events(np.random.default_rng(1), 30, judge.Cell(n_stations, 180, "30-300", 0.05, sigmas))
        place = events["station_latitude_deg"], events["station_longitude_deg"]
        sigma_km = 0.05 * events["offset_km"] if sigmas == "known" else None
        found = locate(*place, events["offset_km"], offset_sigma_km=sigma_km)
        missing = found.ellipse95.major_km.isnan()
        assert missing.all() if n_stations < fewest else not missing.any()
        assert ("too few distances" in found.reason[0]) == (n_stations < fewest)


def test_paper_mode_states_no_uncertainty_and_says_so() -> None:
    place = np.array([[0.0, 0.0, 1.0, 1.0]]), np.array([[0.0, 1.0, 0.0, 1.0]])
    found: Locations = locate(*place, np.full((1, 4), 80.0), mode="paper")
    assert found.located.item() and found.ellipse95.major_km.isnan().all()
    assert "mode paper states no uncertainty" in found.reason[0]


def test_the_sigma_is_that_of_the_true_distance(judge: ModuleType) -> None:
    """Relative sigmas from observed distances: stations read too short must not pull the epicentre towards them."""
    rng = np.random.default_rng(3)
    cell = judge.Cell(16, 270, "300-4000", 0.125, "known")
    events = judge.made_events(rng, 600, cell)
    offset_km = judge.observed_km(rng, events["offset_km"], cell)
    place = events["station_latitude_deg"], events["station_longitude_deg"]
    found = locate(*place, offset_km, offset_sigma_km=0.125 * offset_km)
    predicted_km = offset_km - found.residual_km.numpy()
    bias = np.log(predicted_km / events["offset_km"]).mean(1)
    assert abs(bias.mean()) < 3 * bias.std() / np.sqrt(len(bias))
