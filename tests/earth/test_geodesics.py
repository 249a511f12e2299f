"""One formula, asked with coordinates or with unit vectors, and it is that of other programs."""

from types import SimpleNamespace

import numpy as np
import torch
from obspy.geodetics import gps2dist_azimuth

from seisvision.data.fetching.selection import _distances_km
from seisvision.earth import unit_vectors
from seisvision.earth.geodesics import geodesic, path


def places(n: int) -> tuple[np.ndarray, ...]:
    """Pairs of places no nearer than a few degrees to antipodes."""
    rng = np.random.default_rng(0)
    latitude1, latitude2 = rng.uniform(-89, 89, (2, n))
    longitude1 = rng.uniform(-180, 180, n)
    longitude2 = longitude1 + rng.uniform(-170, 170, n)
    return latitude1, longitude1, latitude2, longitude2


def test_coordinates_and_unit_vectors_give_the_same_way() -> None:
    pairs = places(500)
    distance_km, azimuth, back = geodesic(*pairs)
    first, second = (unit_vectors.unit_vectors(*map(torch.from_numpy, pair)) for pair in (pairs[:2], pairs[2:]))
    way = unit_vectors.geodesic(first, second)
    np.testing.assert_allclose(way.distance_km, distance_km, rtol=0, atol=1e-6)
    for north, east, angle_deg in ((way.north, way.east, azimuth), (way.back_north, way.back_east, back)):
        np.testing.assert_allclose(north, np.cos(np.radians(angle_deg)), atol=1e-8)
        np.testing.assert_allclose(east, np.sin(np.radians(angle_deg)), atol=1e-8)


def test_one_pair_many_and_another_program_agree() -> None:
    pairs = places(60)
    many = np.transpose(geodesic(*pairs))
    alone = np.array([path(*map(float, pair)) for pair in zip(*pairs, strict=True)])
    other = np.array([gps2dist_azimuth(*pair) for pair in zip(*pairs, strict=True)])
    np.testing.assert_allclose(alone, many, rtol=0, atol=1e-6)
    np.testing.assert_allclose(many[:, 0], other[:, 0] / 1000, rtol=0, atol=1e-4)
    np.testing.assert_allclose(many[:, 1:], other[:, 1:] % 360, rtol=0, atol=1e-6)


def test_a_hair_west_of_north_is_north() -> None:
    assert geodesic(10.0, 20.0, 90.0, 0.0)[1] == 0 and geodesic(90.0, 0.0, 10.0, 20.0)[2] == 0
    north, east = torch.ones(1, dtype=torch.float64), torch.tensor([-1e-17], dtype=torch.float64)
    assert unit_vectors.azimuth_deg(north, east) == 0


def test_a_network_may_be_empty_and_an_event_without_a_place() -> None:
    event = {"source_latitude_deg": 46.0, "source_longitude_deg": -122.0}
    stations = [SimpleNamespace(latitude=46.0, longitude=-122.0 + turn) for turn in (0.0, 1.0, 361.0)]
    found = _distances_km(event, stations)
    assert found[0] == 0 and abs(found[1] - gps2dist_azimuth(46.0, -122.0, 46.0, -121.0)[0] / 1000) < 1e-4
    assert abs(found[2] - found[1]) < 1e-9
    assert len(_distances_km(event, [])) == 0
    assert np.isnan(_distances_km({**event, "source_latitude_deg": np.nan}, stations)).all()
