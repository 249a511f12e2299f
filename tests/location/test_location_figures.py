"""Maps and error figures: drawn for every part of the globe, true distances on the map, clear refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_events import random_events
from matplotlib.image import imread
from obspy.geodetics import gps2dist_azimuth

from seisvision.errors import DataError
from seisvision.location.figures import Projection, error_figure, location_map
from seisvision.location.locate import locate


@pytest.mark.parametrize("centre_deg", [(64.5, -18.0), (52.0, 179.9), (89.5, 0.0)], ids=str)
def test_a_map_is_drawn_anywhere(tmp_path: Path, centre_deg: tuple[float, float]) -> None:
    events = random_events(3, 6, centre_deg=centre_deg, spread_deg=0.2)
    stations = events["station_latitude_deg"], events["station_longitude_deg"]
    noisy = events["offset_km"] + np.random.default_rng(0).normal(0, 10, (3, 6))
    noisy[1, 0] = np.nan
    found = locate(*stations, noisy)
    true = {"true_latitude_deg": events["latitude_deg"], "true_longitude_deg": events["longitude_deg"]}
    bare = imread(location_map(tmp_path / "bare.png", *stations, found))
    whole = imread(location_map(tmp_path / "whole.png", *stations, found, **true, offset_km=noisy, event=1))
    assert (bare[..., :3] < 0.9).any()
    assert bare.shape == whole.shape and (bare != whole).any()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.png", "whole.png"]


def test_distances_and_directions_from_the_middle_of_the_map_are_true() -> None:
    project = Projection.about(np.array([51.0, 53.0, np.nan]), np.array([179.0, -179.0, 10.0]))
    assert abs(project.longitude_deg) == pytest.approx(180, abs=0.1)
    east, north = project(np.array([50.0, 55.0]), np.array([-178.0, 176.0]))
    for x, y, place in zip(east, north, [(50.0, -178.0), (55.0, 176.0)], strict=True):
        metres, azimuth_deg, _ = gps2dist_azimuth(project.latitude_deg, project.longitude_deg, *place)
        assert np.hypot(x, y) == pytest.approx(metres / 1000, abs=1e-3)
        assert np.degrees(np.arctan2(x, y)) % 360 == pytest.approx(azimuth_deg, abs=1e-4)
    assert np.isnan(project(np.array([np.nan]), np.array([1.0]))[0][0])


def test_errors_are_drawn_against_the_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    error_km = rng.lognormal(1, 1, 60)
    error_km[3] = np.nan
    drawn = imread(error_figure(tmp_path / "e.png", error_km, rng.integers(3, 20, 60), rng.uniform(40, 360, 60)))
    assert (drawn[..., :3] < 0.9).mean() > 0.01


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    events = random_events(1, 5)
    stations = events["station_latitude_deg"], events["station_longitude_deg"]
    found = locate(*stations, events["offset_km"])
    with pytest.raises(DataError, match="no station has a position"):
        location_map(tmp_path / "m.png", np.full((1, 5), np.nan), stations[1], found)
    with pytest.raises(DataError, match="Circles of distance need offset_km"):
        location_map(tmp_path / "m.png", *stations, found, event=0)
    with pytest.raises(DataError, match="no event was located"):
        error_figure(tmp_path / "e.png", np.array([np.nan]), np.array([4]), np.array([90.0]))
