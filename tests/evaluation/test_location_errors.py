"""Summaries of location errors: known errors give known numbers, and coverage is counted as it is called."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from obspy.geodetics import gps2dist_azimuth

from seisvision.errors import DataError
from seisvision.evaluation.location import summarise_locations
from seisvision.location.locate import Locations, locate
from seisvision.location.uncertainty import Ellipse

KM_PER_DEG = 111.195


def _network(n_events: int, n_stations: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    longitude = np.arange(n_stations) * 360 / n_stations
    stations = np.sin(np.radians(longitude)), np.cos(np.radians(longitude))
    ways = [gps2dist_azimuth(0, 0, *there)[0] / 1000 for there in zip(*stations, strict=True)]
    latitude, longitude = (np.tile(values, (n_events, 1)) for values in stations)
    return latitude, longitude, np.tile(ways, (n_events, 1))


def _located(n_events: int) -> Locations:
    return locate(*_network(n_events))


def test_known_errors_give_known_numbers() -> None:
    error_km = np.array([1.0, 8.0, 20.0, 40.0, 80.0, 200.0, 3.0, 5.0, 30.0, 60.0])
    summary = summarise_locations(_located(10), error_km / KM_PER_DEG, np.zeros(10))
    assert summary.error_km == pytest.approx(error_km, rel=0.01)
    measures = summary.measures
    assert measures["median_error_km"].value == pytest.approx(25, rel=0.01)
    assert measures["mean_error_km"].value == pytest.approx(error_km.mean(), rel=0.01)
    assert measures["p90_error_km"].value == pytest.approx(np.quantile(error_km, 0.9), rel=0.01)
    shares = [measures[f"within_{km}km"].value for km in (10, 25, 50, 100)]
    assert shares == [0.4, 0.5, 0.7, 0.9]
    assert measures["median_error_km"].low < 25 < measures["median_error_km"].high
    assert measures["unlocated"].value == 0 and measures["ambiguous"].value == 0
    assert json.loads(json.dumps(summary.to_dict()))["measures"]["within_10km"]["n"] == 10


def test_coverage_counts_true_epicentres_inside_the_turned_ellipse() -> None:
    found = _located(4)
    ones = torch.ones(4, dtype=torch.float64)
    east_west = Ellipse(50 * ones, 10 * ones, 90 * ones)
    found = replace(found, ellipse95=east_west, ellipse68=Ellipse(25 * ones, 5 * ones, 90 * ones))
    latitude, longitude = np.array([0.0, 40, 0, 9]) / KM_PER_DEG, np.array([40.0, 0, 20, 0]) / KM_PER_DEG
    measures = summarise_locations(found, latitude, longitude).measures
    assert measures["coverage_95"].value == 0.75
    assert measures["coverage_68"].value == 0.25
    without = replace(
        found, ellipse95=Ellipse(*(torch.where(ones.cumsum(0) == 2, torch.nan, v) for v in vars(east_west).values()))
    )
    assert summarise_locations(without, latitude, longitude).measures["coverage_95"].value == 1
    assert summarise_locations(without, latitude, longitude).measures["coverage_95"].n == 3


def test_events_that_were_not_located_count_as_misses_and_unknown_ones_not_at_all() -> None:
    latitude, longitude, offset_km = _network(6)
    offset_km[0] = np.nan
    true = np.array([0, 0, 0, 0, 0, np.nan])
    summary = summarise_locations(locate(latitude, longitude, offset_km), true, np.zeros(6))
    assert summary.measures["unlocated"].value == pytest.approx(1 / 5)
    assert summary.measures["within_10km"].value == pytest.approx(4 / 5)
    assert summary.measures["median_error_km"].n == 4
    assert np.isnan(summary.error_km[[0, 5]]).all()


def test_tables_by_stations_and_gap_hold_every_located_event_once() -> None:
    latitude, longitude, offset_km = _network(8, 12)
    offset_km[:4, 6:] = np.nan
    offset_km[4, 3:] = np.nan
    error_km = np.array([1.0, 1, 1, 1, 1, 50, 50, 50])
    summary = summarise_locations(locate(latitude, longitude, offset_km), error_km / KM_PER_DEG, np.zeros(8))
    assert [(row["low"], row["high"], row["n"]) for row in summary.by_stations] == [(3, 4, 1), (5, 7, 4), (10, 15, 3)]
    assert summary.by_stations[-1]["median_error_km"] == pytest.approx(50, rel=0.01)
    assert sum(row["n"] for row in summary.by_gap) == 8
    assert [(row["low"], row["n"]) for row in summary.by_gap] == [(0, 3), (180, 4), (270, 1)]


def test_other_lengths_are_refused_and_nothing_located_is_no_number() -> None:
    with pytest.raises(DataError, match="3 locations need as many true places"):
        summarise_locations(_located(3), np.zeros(2), np.zeros(2))
    latitude, longitude, offset_km = _network(2)
    measures = summarise_locations(locate(latitude, longitude, -offset_km), np.zeros(2), np.zeros(2)).measures
    assert np.isnan(measures["median_error_km"].value) and measures["unlocated"].value == 1
    assert np.isnan(measures["coverage_95"].value)
