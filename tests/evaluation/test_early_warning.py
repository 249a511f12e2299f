"""Early answers: silent stations count, nothing is said before data have come, replay says what offline asking says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seisvision.earth.travel_time_table import TravelTimes
from seisvision.errors import ConfigurationError, DataError
from seisvision.evaluation.warning.censored import CensoredLocator
from seisvision.evaluation.warning.measures import errors_km, table_by_time
from seisvision.evaluation.warning.replay import replayed
from seisvision.evaluation.warning.said import Said, Truth

TIMES = TravelTimes.constant(6.0, 3.5)
LEAD_S = 5.0


@pytest.fixture(scope="module")
def network() -> tuple[CensoredLocator, Truth]:
    """An earthquake north of the middle of 25 stations, and a recording of noise."""
    north, east = (one.ravel() for one in np.meshgrid(np.linspace(-40, 40, 5), np.linspace(-40, 40, 5)))
    place = np.array([18.0, 7.0])
    onset_s = LEAD_S + np.hypot(np.hypot(north - place[0], east - place[1]), 8.0) / 6.0
    latitude, longitude = np.tile(north / 111.2, (2, 1)), np.tile(east / 111.2, (2, 1))
    locator = CensoredLocator(latitude, longitude, np.stack([onset_s, np.full(25, np.nan)])[..., None], TIMES)
    where = [np.array([value / 111.2, np.nan]) for value in place]
    truth = Truth(
        ["one", "noise"],
        *where,
        np.array([3.0, np.nan]),
        np.array([onset_s.min(), np.nan]),
        30.0,
        np.array([False, True]),
    )
    return locator, truth


def test_nothing_is_said_before_four_stations_have_triggered(network: tuple[CensoredLocator, Truth]) -> None:
    locator, truth = network
    said = locator.said(truth.first_p_s - 0.1)
    assert np.isnan(said.latitude_deg).all() and (said.alert == 0).all()


def test_silent_stations_move_the_answer_which_is_near_in_the_end(network: tuple[CensoredLocator, Truth]) -> None:
    locator, truth = network
    soon, late = (errors_km(locator.said(truth.first_p_s + after), truth)[0][0] for after in (4.0, 15.0))
    assert late < 0.5 and soon < 10
    first_four = np.argsort(locator.onset_s[0, :, 0])[:4]
    values = (locator.latitude_deg, locator.longitude_deg, locator.onset_s)
    alone = CensoredLocator(*(one[:1, first_four] for one in values), TIMES)
    whole, part = locator.said(truth.first_p_s + 4.0), alone.said(truth.first_p_s[:1] + 4.0)
    # Without the silent stations four P times leave depth and distance open.
    moved_deg = np.hypot(whole.latitude_deg[0] - part.latitude_deg[0], whole.longitude_deg[0] - part.longitude_deg[0])
    assert moved_deg > 1e-4


def test_no_region_is_stated_where_the_mirror_image_fits_as_well() -> None:
    latitude_deg, longitude_deg = np.linspace(-0.4, 0.4, 9)[None], np.zeros((1, 9))
    onset_s = LEAD_S + np.hypot(np.hypot(111.2 * latitude_deg - 7.0, 18.0), 8.0) / 6.0
    said = CensoredLocator(latitude_deg, longitude_deg, onset_s[..., None], TIMES).said(np.array([60.0]))
    assert np.isfinite(said.latitude_deg).all() and np.isnan(said.covariance_km2).all()


def test_the_table_tells_errors_alerts_and_false_ones(network: tuple[CensoredLocator, Truth]) -> None:
    by_time, first = table_by_time([network[0]], network[1], (0.0, 4.0, 10.0))
    assert by_time["located"].tolist() == [0.0, 1.0, 1.0]
    assert by_time["error_median_km"].iloc[2] < 1 and (by_time["false_alerts_a_day"] == 0).all()
    assert first["first_right_median_s"].iloc[0] == 4.0 and first["right_alert"].iloc[0] == 1.0


def test_earthquakes_without_a_p_are_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    class Perfect:
        name = "perfect"

        def said(self, seen_s: np.ndarray) -> Said:
            said = Said.nothing(5)
            said.alert[:] = [1, 1, 1, 0, 0]
            said.latitude_deg[:3], said.longitude_deg[:3] = 38.0, 20.0
            return said

    places = np.array([38.0] * 3 + [np.nan] * 2), np.array([20.0] * 3 + [np.nan] * 2)
    is_noise = np.array([False] * 3 + [True] * 2)
    first_p_s = np.array([10.0, 10.0, *[np.nan] * 3])
    truth = Truth(list("abcde"), *places, np.full(5, 2.0), first_p_s, 50.0, is_noise)
    row = table_by_time([Perfect()], truth, [4.0])[0].iloc[0]
    assert row["events"] == 2 and row["false_alerts_a_day"] == 0
    assert row["noise_days"] == pytest.approx(28 / 86_400)
    assert "1 of 5 recordings" in caplog.text and "such as c" in caplog.text
    with pytest.raises(DataError, match="none of the 5"):
        table_by_time([Perfect()], replace(truth, first_p_s=np.full(5, np.nan)), [4.0])


def test_a_replay_says_what_asking_says_and_nothing_earlier(network: tuple[CensoredLocator, Truth]) -> None:
    locator, truth = network
    rows = list(replayed([locator], truth, [0, 0], 1.0))
    assert rows and {row["source_id"] for row in rows} == {"one"}
    assert min(row["since_first_p_s"] for row in rows) > 0
    for row in rows[:3]:
        seen_s = row["time_ns"] / 1e9
        assert locator.said(np.full(2, seen_s)).latitude_deg[0] == row["latitude_deg"]
    with pytest.raises(ConfigurationError, match="no length"):
        next(replayed([locator], truth, [0, 0], 0.0))
