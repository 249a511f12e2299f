"""Epicentres from distances: accuracy, wrong stations, mirror images, special places, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_events import errors_km, random_events, stations_around
from obspy.geodetics import gps2dist_azimuth
from scipy.optimize import least_squares

from seisvision.earth.unit_vectors import angle, azimuth_deg, coordinates_deg, geodesic, moved, unit_vectors
from seisvision.errors import ConfigurationError, DataError
from seisvision.location.locate import Locations, locate

MODES = ("robust", "paper")


def _located(events: dict[str, np.ndarray], offset_km: np.ndarray | None = None, **settings: object) -> Locations:
    distances = events["offset_km"] if offset_km is None else offset_km
    return locate(events["station_latitude_deg"], events["station_longitude_deg"], distances, **settings)


def _errors(found: Locations, events: dict[str, np.ndarray]) -> np.ndarray:
    return errors_km(found.latitude_deg.numpy(), found.longitude_deg.numpy(), events)


def test_distances_and_azimuths_agree_with_obspy_all_over_the_globe() -> None:
    rng = np.random.default_rng(1)
    places = rng.uniform(-1, 1, (400, 4)) * [90, 180, 90, 180]
    special = [[90, 0, 80, 30], [-90, 50, -60, 20], [0, 179.5, 0, -179.5], [10, 20, 10.001, 20], [0, 0, 0, 90]]
    places = np.concatenate([places, np.array(special)])
    far = np.array([gps2dist_azimuth(*place) for place in places])
    first = unit_vectors(*torch.as_tensor(places[:, :2]).unbind(1))
    second = unit_vectors(*torch.as_tensor(places[:, 2:]).unbind(1))
    way = geodesic(first, second)
    near_antipode = far[:, 0] > 19_800e3
    assert np.abs(way.distance_km.numpy() * 1000 - far[:, 0])[~near_antipode].max() < 1
    for ours, theirs in (
        (azimuth_deg(way.north, way.east), far[:, 1]),
        (azimuth_deg(way.back_north, way.back_east), far[:, 2]),
    ):
        wrapped = (ours.numpy() - theirs + 180) % 360 - 180
        assert np.abs(wrapped)[~near_antipode].max() < 1e-3
    sphere = 6371.0 * angle(first, second)
    assert np.abs(sphere.numpy() * 1000 / far[:, 0] - 1)[~near_antipode].max() < 0.007


def test_the_antipode_gives_a_distance_and_coinciding_points_none() -> None:
    here = unit_vectors(torch.tensor([0.0, 12.0], dtype=torch.float64), torch.tensor([0.0, 5.0], dtype=torch.float64))
    there = unit_vectors(
        torch.tensor([0.2, 12.0], dtype=torch.float64), torch.tensor([179.9, 5.0], dtype=torch.float64)
    )
    distance_km = geodesic(here, there).distance_km
    assert distance_km[0] == pytest.approx(19_980, rel=0.006)
    assert distance_km[1] == 0


@pytest.mark.parametrize("mode", MODES)
def test_exact_distances_give_the_epicentre(mode: str) -> None:
    """Acceptance test (i), with distances from ObsPy."""
    events = random_events(25, 8)
    places = zip(events["station_latitude_deg"], events["station_longitude_deg"], strict=True)
    true = zip(events["latitude_deg"], events["longitude_deg"], strict=True)
    offset_km = np.array(
        [
            [gps2dist_azimuth(*here, *there)[0] / 1000 for there in zip(*p, strict=True)]
            for here, p in zip(true, places, strict=True)
        ]
    )
    found = _located(events, offset_km, mode=mode)
    assert _errors(found, events).max() < 0.1
    assert found.located.all() and not found.ambiguous.any()
    assert found.rms_km.max() < 0.1
    assert (found.n_stations == 8).all()


@pytest.mark.parametrize("mode", MODES)
def test_five_percent_noise_costs_less_than_a_tenth_of_the_distance(mode: str) -> None:
    """Acceptance test (ii)."""
    events = random_events(300, 8)
    noisy = events["offset_km"] * (1 + 0.05 * np.random.default_rng(2).normal(size=events["offset_km"].shape))
    found = _located(events, noisy, mode=mode)
    narrow = found.gap_deg.numpy() < 180
    assert narrow.sum() > 200
    assert np.median(_errors(found, events)[narrow]) < 0.1 * events["offset_km"].mean()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "centre_deg", [(52.0, 179.9), (-18.0, -179.95), (80.0, -40.0), (89.9, 20.0), (-89.95, 0.0)], ids=str
)
def test_the_date_line_and_the_poles_are_nothing_special(centre_deg: tuple[float, float], mode: str) -> None:
    """Acceptance test (iii); the ring around the pole too."""
    events = random_events(20, 8, centre_deg=centre_deg, spread_deg=0.05)
    found = _located(events, mode=mode)
    assert _errors(found, events).max() < 0.1
    noisy = events["offset_km"] * (1 + 0.05 * np.random.default_rng(2).normal(size=events["offset_km"].shape))
    usual = random_events(20, 8, spread_deg=0.05)
    elsewhere = _located(usual, usual["offset_km"] * noisy / events["offset_km"], mode=mode)
    ratio = np.median(_errors(_located(events, noisy, mode=mode), events)) / np.median(_errors(elsewhere, usual))
    assert 0.8 < ratio < 1.25


def test_an_epicentre_at_the_pole_is_found_by_a_ring_of_stations() -> None:
    longitude = np.arange(0.0, 360, 45)[None]
    latitude = np.full_like(longitude, 87.0)
    offset_km = np.full_like(longitude, gps2dist_azimuth(90, 0, 87, 0)[0] / 1000)
    found = locate(latitude, longitude, offset_km)
    assert gps2dist_azimuth(found.latitude_deg.item(), found.longitude_deg.item(), 90, 0)[0] < 100
    assert found.gap_deg.item() == pytest.approx(45, abs=0.1)


@pytest.mark.parametrize("mode", MODES)
def test_a_station_off_by_300_km_is_overruled_which_least_squares_does_not(mode: str) -> None:
    """Acceptance test (iv)."""
    events = random_events(40, 8)
    wrong = events["offset_km"].copy()
    wrong[:, 3] += 300
    assert _errors(_located(events, wrong, mode=mode), events).max() < 5
    squared = [_by_least_squares(events, wrong, i) for i in range(10)]
    first = {name: values[:10] for name, values in events.items()}
    assert np.median(errors_km(*np.array(squared).T, first)) > 20


def _by_least_squares(events: dict[str, np.ndarray], offset_km: np.ndarray, i: int) -> np.ndarray:
    stations = events["station_latitude_deg"][i], events["station_longitude_deg"][i]

    def residual(place: np.ndarray) -> np.ndarray:
        ways = [gps2dist_azimuth(*place, *there)[0] / 1000 for there in zip(*stations, strict=True)]
        return np.array(ways) - offset_km[i]

    return least_squares(residual, [events["latitude_deg"][i], events["longitude_deg"][i]]).x


def test_with_given_sigmas_a_wrong_station_costs_little() -> None:
    events = random_events(200, 8)
    rng = np.random.default_rng(5)
    noisy = events["offset_km"] + rng.normal(0, 5, events["offset_km"].shape)
    clean = _errors(_located(events, noisy, offset_sigma_km=np.full_like(noisy, 5.0)), events)
    noisy[:, 0] += 300
    wrong = _errors(_located(events, noisy, offset_sigma_km=np.full_like(noisy, 5.0)), events)
    assert np.median(wrong) < 1.3 * np.median(clean)


def test_a_certain_station_counts_more() -> None:
    events = random_events(300, 6)
    rng = np.random.default_rng(7)
    sigma_km = np.where(np.arange(6) < 3, 2.0, 40.0) * np.ones_like(events["offset_km"])
    noisy = np.abs(events["offset_km"] + sigma_km * rng.normal(size=sigma_km.shape))
    weighted = np.median(_errors(_located(events, noisy, offset_sigma_km=sigma_km), events))
    equal = np.median(_errors(_located(events, noisy), events))
    assert weighted < 0.6 * equal


def test_the_answer_is_that_of_scipy_on_the_same_cost() -> None:
    events = random_events(12, 10)
    rng = np.random.default_rng(11)
    noisy = np.abs(events["offset_km"] + rng.normal(0, 10, events["offset_km"].shape))
    noisy[:, 2] += 120
    found = _located(events, noisy, offset_sigma_km=np.full_like(noisy, 10.0))
    # Where the misfit is too large for the sigmas, the scale is estimated and the cost is another.
    believed = np.flatnonzero(found.scale.numpy() == 1)
    assert len(believed) >= 8
    for i in believed.tolist():
        stations = list(zip(events["station_latitude_deg"][i], events["station_longitude_deg"][i], strict=True))

        def cost(place: np.ndarray, i: int = i, stations: list = stations) -> np.ndarray:
            ways = np.array([gps2dist_azimuth(*place, *there)[0] / 1000 for there in stations])
            return (ways - noisy[i]) / 10

        start = [found.latitude_deg[i].item() + 0.05, found.longitude_deg[i].item() - 0.05]
        theirs = least_squares(cost, start, loss=_student, x_scale=[1, 2], xtol=1e-12, ftol=1e-14).x
        apart_m, _, _ = gps2dist_azimuth(*theirs, found.latitude_deg[i].item(), found.longitude_deg[i].item())
        assert apart_m < 100


def _student(z: np.ndarray) -> np.ndarray:
    return np.array([5 * np.log1p(z / 4), 5 / (4 + z), -5 / (4 + z) ** 2])


@pytest.mark.parametrize("mode", MODES)
def test_stations_in_a_line_give_two_solutions(mode: str) -> None:
    """Acceptance test (v)."""
    latitude, longitude = np.linspace(63, 67, 6)[None], np.full((1, 6), -18.0)
    events = {"latitude_deg": np.array([65.4]), "longitude_deg": np.array([-16.0])}
    ways = [gps2dist_azimuth(65.4, -16.0, there, -18.0)[0] / 1000 for there in latitude[0]]
    found = locate(latitude, longitude, np.array([ways]), mode=mode)
    assert found.ambiguous.item() and "second" in found.reason[0]
    first = errors_km(found.latitude_deg.numpy(), found.longitude_deg.numpy(), events)[0]
    second = errors_km(found.second_latitude_deg.numpy(), found.second_longitude_deg.numpy(), events)[0]
    mirror_km = gps2dist_azimuth(65.4, -16.0, 65.4, -20.0)[0] / 1000
    assert sorted([first, second]) == pytest.approx([0, mirror_km], abs=0.1)


def test_stations_nearly_in_a_line_give_two_solutions_where_noise_hides_the_side() -> None:
    rng = np.random.default_rng(8)
    latitude, longitude = np.full((100, 6), 65.0), np.tile(np.linspace(-22, -14, 6), (100, 1))
    ways = np.array([gps2dist_azimuth(65.9, -17.0, 65.0, there)[0] / 1000 for there in longitude[0]])
    noisy = ways + rng.normal(0, 5, (100, 6))
    for sigma_km in (None, np.full((100, 6), 5.0)):
        found = locate(latitude, longitude, noisy, offset_sigma_km=sigma_km)
        assert found.ambiguous.float().mean() > 0.9
        north = torch.maximum(found.latitude_deg, found.second_latitude_deg)[found.ambiguous]
        south = torch.minimum(found.latitude_deg, found.second_latitude_deg)[found.ambiguous]
        assert north.median().item() == pytest.approx(65.9, abs=0.05)
        assert south.median().item() == pytest.approx(64.0, abs=0.2)


def test_the_mirror_image_is_gone_once_a_station_stands_aside() -> None:
    longitude = np.array([[-22.0, -20.0, -18.0, -16.0, -18.0]])
    latitude = np.array([[65.0, 65.0, 65.0, 65.0, 64.0]])
    ways = [gps2dist_azimuth(65.9, -17.0, *there)[0] / 1000 for there in zip(latitude[0], longitude[0], strict=True)]
    found = locate(latitude, longitude, np.array([ways]))
    assert not found.ambiguous.item() and found.second_latitude_deg.isnan().all() and found.reason == [""]


@pytest.mark.parametrize("sigmas", [False, True])
def test_two_stations_give_two_solutions(sigmas: bool) -> None:
    events = random_events(50, 2, distance_km=(80, 250))
    sigma_km = np.full_like(events["offset_km"], 5.0) if sigmas else None
    found = _located(events, offset_sigma_km=sigma_km)
    second = errors_km(found.second_latitude_deg.numpy(), found.second_longitude_deg.numpy(), events)
    nearer = np.fmin(_errors(found, events), second)
    apart = found.ambiguous.numpy()
    assert apart.mean() > 0.8
    assert nearer[apart].max() < 0.2
    assert found.ellipse95.major_km.isnan().all() and "too few distances for an ellipse" in found.reason[0]


def test_two_circles_that_do_not_meet_are_met_half_way() -> None:
    found = locate([[0.0, 0.0]], [[0.0, 4.0]], np.array([[100.0, 200.0]]), errors="equal")
    far = gps2dist_azimuth(0, 0, 0, 4)[0] / 1000
    assert found.located.item() and abs(found.latitude_deg.item()) < 0.05
    assert gps2dist_azimuth(0, 0, 0, found.longitude_deg.item())[0] / 1000 == pytest.approx(
        100 + (far - 300) / 2, abs=0.5
    )


def test_a_back_azimuth_locates_from_one_station_and_settles_the_side() -> None:
    one = random_events(60, 1, distance_km=(50, 900))
    noisy = one["back_azimuth_deg"] + np.random.default_rng(3).normal(0, 2, (60, 1))
    settings = {"offset_sigma_km": np.full((60, 1), 5.0), "azimuth_sigma_deg": np.full((60, 1), 2.0)}
    found = _located(one, back_azimuth_deg=noisy, **settings)
    expected = one["offset_km"][:, 0] * np.radians(np.abs((noisy - one["back_azimuth_deg"])[:, 0]))
    assert np.abs(_errors(found, one) - expected).max() < 2
    assert not found.ambiguous.any() and (found.gap_deg == 360).all()
    line = random_events(60, 2, distance_km=(80, 250))
    settings = {"offset_sigma_km": np.full((60, 2), 5.0), "azimuth_sigma_deg": np.full((60, 2), 3.0)}
    both = _located(line, back_azimuth_deg=line["back_azimuth_deg"] - 360, **settings)
    assert _errors(both, line).max() < 0.1
    assert both.ambiguous.float().mean() < 0.2


def test_networks_of_a_few_kilometres_locate_to_metres() -> None:
    events = random_events(100, 8, distance_km=(0.5, 8), spread_deg=0.2)
    assert _errors(_located(events), events).max() < 0.02
    noisy = np.abs(events["offset_km"] + np.random.default_rng(1).normal(0, 0.1, (100, 8)))
    found = _located(events, noisy, offset_sigma_km=np.full((100, 8), 0.1))
    assert np.median(_errors(found, events)) < 0.15
    assert found.ambiguous.float().mean() < 0.05


def test_teleseismic_distances_locate_too() -> None:
    events = random_events(40, 10, distance_km=(500, 9000), spread_deg=30, centre_deg=(20, 140))
    assert _errors(_located(events), events).max() < 0.1


def test_epicentres_far_outside_the_network_are_found() -> None:
    rng = np.random.default_rng(4)
    latitude, longitude = np.array([38.0] * 30), np.array([23.0] * 30)
    stations = stations_around(latitude, longitude, rng.uniform(1500, 1600, (30, 8)), rng.uniform(0, 10, (30, 8)))
    ways = [
        [gps2dist_azimuth(38, 23, *there)[0] / 1000 for there in zip(*p, strict=True)]
        for p in zip(*stations, strict=True)
    ]
    found = locate(*stations, np.array(ways))
    events = {"latitude_deg": latitude, "longitude_deg": longitude}
    second = errors_km(
        found.second_latitude_deg.nan_to_num().numpy(), found.second_longitude_deg.nan_to_num().numpy(), events
    )
    assert np.fmin(_errors(found, events), second).max() < 0.5


def test_what_cannot_be_located_is_flagged_with_a_reason() -> None:
    latitude = [[64.0, 65.0, 64.5], [64.0, 64.0, 64.0], [64.0, 65.0, 66.0], [64.0, 65.0, 66.0]]
    longitude = [[-20.0, -18.0, -16.0], [-20.0, -20.0, -20.0], [-20.0, -19.0, -17.0], [-20.0, -19.0, -17.0]]
    distances = [[50.0, 80.0, 90.0], [50.0, 50.0, 50.0], [np.nan, -1.0, np.inf], [50.0, np.nan, np.nan]]
    found = locate(np.array(latitude), np.array(longitude), np.array(distances))
    assert found.located.tolist() == [True, False, False, False]
    assert "all 3 stations lie within" in found.reason[1]
    assert "no usable station" in found.reason[2]
    assert "one distance is a circle" in found.reason[3]
    for values in (found.latitude_deg, found.rms_km, found.gap_deg):
        assert values[1:].isnan().all() and values[0].isfinite()
    assert found.ellipse95.major_km.isnan().all()


def test_bad_observations_are_left_out_by_name_and_change_nothing_else() -> None:
    events = random_events(3, 8)
    good = _located(events)
    more = {name: np.concatenate([v, v[:, :5]], 1) if v.ndim == 2 else v for name, v in events.items()}
    more["offset_km"][:, 8:] = [np.nan, -3.0, np.inf, 30_000.0, 50.0]
    more["station_latitude_deg"][:, 12] = 95.0
    found = _located(more)
    assert torch.allclose(found.latitude_deg, good.latitude_deg, atol=1e-6)
    assert (found.n_stations == 8).all()
    assert set(found.left_out[0]) == {8, 9, 10, 11, 12}
    assert found.left_out[1][9].startswith("offset_km=-3 is not a number from 0")
    assert "station_latitude_deg=95" in found.left_out[2][12]
    assert found.residual_km[:, 8:].isnan().all() and found.residual_km[:, :8].isfinite().all()
    padded = _located(more, mask=np.arange(13)[None].repeat(3, 0) < 8)
    assert padded.left_out == [{}, {}, {}]


def test_a_distance_without_sigma_is_left_out_where_others_have_one() -> None:
    events = random_events(1, 6)
    sigma_km = np.array([[5.0, 5.0, 5.0, 5.0, np.nan, 0.0]])
    found = _located(events, offset_sigma_km=sigma_km)
    assert found.n_stations.item() == 4
    assert list(found.left_out[0]) == [4, 5] and "offset_sigma_km=0" in found.left_out[0][5]


def test_misuse_is_refused() -> None:
    events = random_events(2, 4)
    with pytest.raises(ConfigurationError, match="Did you mean 'paper'"):
        _located(events, mode="papr")
    with pytest.raises(ConfigurationError, match="azimuth_sigma_deg"):
        _located(events, back_azimuth_deg=events["back_azimuth_deg"])
    with pytest.raises(DataError, match=r"offset_sigma_km has shape \(2, 3\)"):
        _located(events, offset_sigma_km=np.ones((2, 3)))
    with pytest.raises(DataError, match="events, stations"):
        locate(np.ones(3), np.ones(3), np.ones(3))


def test_no_events_give_no_locations() -> None:
    found = locate(np.zeros((0, 5)), np.zeros((0, 5)), np.zeros((0, 5)))
    assert found.latitude_deg.shape == (0,) and found.covariance_km2.shape == (0, 2, 2) and found.reason == []


@pytest.mark.parametrize("mode", ["robust", "paper"])
def test_events_without_any_station_are_not_located_and_say_so(mode: str) -> None:
    none = np.zeros((3, 0))
    found = locate(none, none, none, offset_sigma_km=none, mode=mode)  # type: ignore[arg-type]
    assert not found.located.any() and all(found.reason)
    assert found.residual_km.shape == (3, 0)
    assert found.n_stations.tolist() == [0, 0, 0]
    assert len(locate(none[:0], none[:0], none[:0]).located) == 0


def test_events_do_not_influence_each_other() -> None:
    events = random_events(1500, 5)
    noisy = events["offset_km"] * (1 + 0.05 * np.random.default_rng(2).normal(size=events["offset_km"].shape))
    together = _located(events, noisy)
    some = {name: values[1490:] for name, values in events.items()}
    alone = _located(some, noisy[1490:])
    assert torch.allclose(together.latitude_deg[1490:], alone.latitude_deg, atol=1e-4)
    assert together.ambiguous[1490:].equal(alone.ambiguous)


def test_steps_on_the_sphere_pass_the_pole_and_the_date_line() -> None:
    here = unit_vectors(torch.tensor([89.5, 0.0]).double(), torch.tensor([10.0, 179.9]).double())
    there = moved(here, torch.tensor([111.19, 0.0]).double(), torch.tensor([0.0, 22.24]).double())
    latitude, longitude = coordinates_deg(there)
    assert latitude.tolist() == pytest.approx([89.5, 0.0], abs=1e-3)
    assert longitude.tolist() == pytest.approx([-170.0, -179.9], abs=1e-2)
