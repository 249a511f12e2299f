"""Places from one station: what the draws, the region and the depth say against what is true."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.geodesics import geodesic
from seisvision.earth.sphere import destination
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.location.single import Calibrated, StationView, locate_single, region_area_km2, region_border
from seisvision.location.single_figures import single_map
from seisvision.location.single_quakeml import write_single_quakeml

N = 300
SIGMA_LOG, SIGMA_DEG, SIGMA_S = 0.1, 12.0, 0.15
TIMES = TravelTimes.constant(6.0, 3.5)


def made(seed: int = 0, sigma_deg: float = SIGMA_DEG) -> tuple[StationView, dict[str, np.ndarray]]:
    """Stations at one place, and events around it that they misjudge as much as they say."""
    generator = np.random.default_rng(seed)
    distance = generator.uniform(5, 60, N)
    depth = generator.uniform(1, 15, N)
    azimuth = generator.uniform(0, 360, N)
    said = np.log1p(distance) + SIGMA_LOG * generator.normal(size=N)
    travel_s = np.hypot(distance, depth) / 6.0
    view = StationView(
        np.full(N, 64.8),
        np.full(N, -17.0),
        lambda steps: np.maximum(np.expm1(said[:, None] + SIGMA_LOG * steps), 0),
        azimuth + sigma_deg * generator.normal(size=N),
        np.full(N, sigma_deg),
        travel_s + SIGMA_S * generator.normal(size=N),
        np.full(N, SIGMA_S),
    )
    return view, {"distance": distance, "azimuth": azimuth, "depth": depth, "said": said}


def calibrated() -> Calibrated:
    """Radii of two normal errors."""
    radii = np.sort(np.hypot(*np.random.default_rng(9).normal(size=(2, 3000))))
    return Calibrated(radii, np.full(3000, 1 / 3000), *np.quantile(radii, [0.68, 0.95]))


def inside(latitude: np.ndarray, longitude: np.ndarray, point: tuple[float, float]) -> bool:
    """Whether a point lies within a closed border."""
    from matplotlib.path import Path as Border

    return bool(Border(np.stack([longitude, latitude], 1)).contains_point((point[1], point[0])))


def test_the_region_holds_its_share_of_true_places_and_of_draws() -> None:
    view, truth = made()
    sizes = calibrated()
    found = locate_single(view, sizes, TIMES, 20.0, seed=1, n_draws=200)
    true = destination(64.8, -17.0, truth["azimuth"], truth["distance"] / KM_PER_DEG)
    hits, of_draws = [], []
    for row in range(N):
        border = region_border(view, row, sizes.radius95)
        hits.append(inside(*border, (true[0][row], true[1][row])))
        draws = zip(found.draws_latitude_deg[row], found.draws_longitude_deg[row], strict=True)
        of_draws += [inside(*border, one) for one in draws]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.035)
    assert np.mean(of_draws) == pytest.approx(0.95, abs=0.02)


def test_the_region_is_a_banana_that_an_ellipse_would_not_hold() -> None:
    view, _ = made(sigma_deg=40.0)
    found = locate_single(view, calibrated(), TIMES, 20.0, seed=1)
    row = int(np.argmax(view.distance_at(np.zeros((N, 1)))[:, 0]))
    distance, _, _ = geodesic(64.8, -17.0, found.draws_latitude_deg[row], found.draws_longitude_deg[row])
    expected = view.distance_at(np.zeros((N, 1)))[row, 0]
    assert np.median(distance) == pytest.approx(expected, rel=0.03)
    # The mean of the draws lies inside the bend, nearer to the station than any likely place.
    mean = found.draws_latitude_deg[row].mean(), found.draws_longitude_deg[row].mean()
    assert geodesic(64.8, -17.0, *mean)[0] < np.quantile(distance, 0.05)


def test_area_is_that_of_the_border_and_never_more_than_the_ring() -> None:
    view, _ = made()
    area = region_area_km2(view, 1.0)
    latitude, longitude = region_border(view, 0, 1.0)
    east = (longitude - longitude[0]) * 111.2 * np.cos(np.radians(latitude.mean()))
    north = (latitude - latitude[0]) * 111.2
    shoelace = abs(np.dot(east, np.roll(north, 1)) - np.dot(north, np.roll(east, 1))) / 2
    assert area[0] == pytest.approx(shoelace, rel=0.03)
    everywhere, _ = made(sigma_deg=5000.0)
    ends = everywhere.distance_at(np.tile([-1.0, 1.0], (N, 1)))
    assert region_area_km2(everywhere, 1.0)[0] == pytest.approx(np.pi * (ends[0, 1] ** 2 - ends[0, 0] ** 2), rel=0.02)
    assert np.isinf(region_area_km2(view, np.inf)).all()


def test_depths_follow_from_travel_times() -> None:
    view, truth = made()
    near = truth["distance"] < 15
    found = locate_single(view, calibrated(), TIMES, 20.0, seed=1, n_draws=400)
    assert np.corrcoef(found.depth_km[near], truth["depth"][near])[0, 1] > 0.6
    low, high = found.depth_ends_km[:, 1].T
    assert ((truth["depth"] >= low) & (truth["depth"] <= high)).mean() > 0.9
    # Far away a travel time says little of the depth.
    assert np.median((high - low)[truth["distance"] > 45]) > np.median((high - low)[near])


def test_events_do_not_depend_on_those_beside_them_and_may_lack_a_travel_time() -> None:
    view, _ = made()
    bare = replace(view, p_travel_s=np.full(N, np.nan))
    found, without = (locate_single(one, calibrated(), TIMES, 20.0, seed=1, n_draws=50) for one in (view, bare))
    assert np.isnan(without.depth_km).all() and np.array_equal(without.draws_latitude_deg, found.draws_latitude_deg)


def test_quakeml_and_map_say_that_it_is_one_station(tmp_path: Path) -> None:
    from obspy import read_events

    view, _ = made()
    found = locate_single(view, calibrated(), TIMES, 20.0, seed=1, n_draws=50)
    low, high = found.depth_ends_km[:, 1].T
    table = pd.DataFrame(
        {
            "event_id": [f"event {row // 3}" for row in range(N)],
            "trace": [str(row) for row in range(N)],
            "station_id": "XX.S",
            "latitude_deg": found.latitude_deg,
            "longitude_deg": found.longitude_deg,
            "area95_km2": found.area_km2[0.95],
            "depth_km": found.depth_km,
            "depth_low95_km": low,
            "depth_high95_km": high,
            "origin_time": "2017-06-17T23:39:12Z",
            "origin_sigma_s": 0.2,
        }
    )
    events = read_events(str(write_single_quakeml(tmp_path / "single.xml", table, found, 0.95)))
    assert len(events) == N // 3 and len(events[0].origins) == 3
    origin = events[0].preferred_origin()
    assert origin.origin_uncertainty.confidence_level == 95 and origin.quality.used_station_count == 1
    assert "XX.S alone" in origin.comments[0].text
    smallest = table.area95_km2[:3].argmin()
    assert origin.latitude == pytest.approx(float(found.latitude_deg[smallest]))
    assert single_map(tmp_path / "map.png", view, found, calibrated(), 0, (64.9, -17.1)).stat().st_size > 5000
