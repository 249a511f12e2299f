"""Whole events: reproducible, causal, with geometry that tells nothing of the class."""

from dataclasses import replace

import numpy as np
import pytest
from station_rings import stations_at

from seisvision.data.synthesis.generator import EventGenerator, rotate_to_zne
from seisvision.data.synthesis.geometry import event_geometry
from seisvision.data.synthesis.parameters import SOURCE_TYPES, SynthesisParameters
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.geodesics import geodesic
from seisvision.earth.sphere import destination
from seisvision.earth.travel_times import phase_times
from seisvision.errors import ConfigurationError


def test_an_event_depends_on_seed_and_index_only(real, earth_cache):
    other = EventGenerator(real.parameters, earth_cache)
    forward = [real.event(index).waveforms for index in range(4)]
    backward = [other.event(index).waveforms for index in reversed(range(4))][::-1]
    for first, second in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(first, second)
    another_seed = EventGenerator(replace(real.parameters, seed=1), earth_cache)
    assert another_seed.event(0).geometry.latitude_deg != real.event(0).geometry.latitude_deg


def test_waveforms_are_float32_velocities_of_all_stations(real):
    event = real.event(0)
    n_stations = len(event.geometry.offset_km)
    assert event.waveforms.shape == (n_stations, 3, 3600)
    assert event.waveforms.dtype == np.float32
    assert np.isfinite(event.waveforms).all()
    assert 1e-8 < np.median(np.abs(event.waveforms)) < 1e-4


def test_more_noise_changes_the_noise_only(real, earth_cache):
    loud = EventGenerator(replace(real.parameters, noise_db=10), earth_cache)
    first, second = real.event(1), loud.event(1)
    assert first.source.magnitude == second.source.magnitude
    assert first.faults == second.faults
    np.testing.assert_array_equal(first.geometry.offset_km, second.geometry.offset_km)
    assert np.abs(second.waveforms).mean() > 1.5 * np.abs(first.waveforms).mean()


def test_dead_stations_are_kept_as_zeros(earth_cache):
    generator = EventGenerator(SynthesisParameters(fault=10), earth_cache)
    event = generator.event(0)
    dead = [present == ("dead",) for present in event.faults]
    assert any(dead)
    assert not all(dead)
    for is_dead, waveform in zip(dead, event.waveforms, strict=True):
        assert is_dead == (waveform == 0).all()


@pytest.mark.parametrize("kind", SOURCE_TYPES[:-1])
def test_nothing_moves_before_the_first_arrival(earth_cache, kind):
    """Late waves of long sources would wrap round to the start if the FFT were too short."""
    parameters = SynthesisParameters(classes=(kind,), noise_db=-300, fault=0)
    generator = EventGenerator(parameters, earth_cache)
    early = []
    for index in range(6):
        source, geometry = generator.source(index), generator.geometry(index)
        motion = generator.grid.to_time(generator.ground_motion(source, geometry, index))
        first = phase_times(generator.tables.rays, "P", source.depth_km, geometry.distance_deg)
        for station, onset_s in enumerate(first):
            before = motion[:, station, : max(int(2 * (onset_s - 8)), 1)]
            early.append(np.abs(before).max() / np.abs(motion[:, station, :3600]).max())
    assert np.median(early) < 0.01
    assert np.quantile(early, 0.99) < 0.04


@pytest.mark.parametrize("kind", SOURCE_TYPES[:-1])
def test_a_lead_is_quiet_and_delays_all_that_follows(earth_cache, kind):
    """Time before the origin lies at the end of the FFT period, where late waves would show."""
    parameters = SynthesisParameters(classes=(kind,), noise_db=-300, fault=0, length_s=2100, lead_s=300)
    generator = EventGenerator(parameters, earth_cache)
    early = []
    for index in range(4):
        event = generator.event(index)
        assert (event.origin_time - event.start_time).total_seconds() == 300
        first = phase_times(generator.tables.rays, "P", event.source.depth_km, event.geometry.distance_deg)
        for waveform, onset_s in zip(event.waveforms, first, strict=True):
            before = waveform[:, : int(2 * (300 + onset_s - 8))]
            early.append(np.abs(before).max() / np.abs(waveform).max())
    assert np.median(early) < 0.01
    assert np.quantile(early, 0.99) < 0.04


def test_a_lead_moves_the_waves_by_its_length(earth_cache):
    """Without random path effects the waves do not depend on the length of the FFT."""
    settings = {"classes": ("explosion",), "noise_db": -300, "fault": 0, "heterogeneity": 0, "coda": 0}
    plain = EventGenerator(SynthesisParameters(length_s=1200, **settings), earth_cache).event(0).waveforms
    late = EventGenerator(SynthesisParameters(length_s=1500, lead_s=300, **settings), earth_cache).event(0).waveforms
    assert late.shape[-1] == 3000
    difference = np.abs(late[..., 600:] - plain).max(axis=(1, 2)) / np.abs(plain).max(axis=(1, 2))
    assert np.quantile(difference, 0.9) < 0.01


def test_events_are_those_of_earlier_versions(earth_cache):
    """Sums of moduli, as made before a lead could be asked for; stored sets of that fingerprint stay valid."""
    parameters = SynthesisParameters(n_events=4, n_stations=(3, 5), length_s=600, offset_range_deg=(2, 10))
    generator = EventGenerator(parameters, earth_cache)
    sums = [np.abs(generator.event(index).waveforms).sum(dtype=float) for index in range(4)]
    np.testing.assert_allclose(sums, [0.010461569, 0.028684333, 0.018423408, 0.015775532], rtol=1e-4)


def test_coda_follows_the_arrivals_and_can_be_left_out(earth_cache):
    stations = stations_at(np.full(20, 25.0), np.arange(0, 360, 18))

    def share_after_p(coda):
        parameters = SynthesisParameters(classes=("explosion",), heterogeneity=0, coda=coda)
        generator = EventGenerator(parameters, earth_cache)
        vertical = generator.grid.to_time(generator.ground_motion(generator.source(0), stations))[0]
        first = float(phase_times(generator.tables.rays, "P", 0.5, 25.0))
        strength = [
            np.abs(vertical[:, int(2 * (first + a)) : int(2 * (first + b))]).max() for a, b in ((-2, 8), (12, 25))
        ]
        return strength[1] / strength[0]

    assert share_after_p(0) < 0.03
    assert 0.05 < share_after_p(1) < 0.6


def test_rotation_agrees_with_obspy(real):
    from obspy.signal.rotate import rotate_ne_rt

    geometry = real.geometry(3)
    rng = np.random.default_rng(0)
    zrt = rng.standard_normal((3, len(geometry.offset_km), 50)).astype(np.float32)
    zne = rotate_to_zne(zrt, geometry)
    for station, back_azimuth in enumerate(geometry.back_azimuth_deg):
        radial, transverse = rotate_ne_rt(zne[1, station], zne[2, station], back_azimuth)
        np.testing.assert_allclose(radial, zrt[1, station], atol=1e-5)
        np.testing.assert_allclose(transverse, zrt[2, station], atol=1e-5)


def test_geodesic_agrees_with_obspy():
    from obspy.geodetics import gps2dist_azimuth

    rng = np.random.default_rng(0)
    latitude, longitude = np.degrees(np.arcsin(rng.uniform(-1, 1, (2, 60)))), rng.uniform(-180, 180, (2, 60))
    latitude[:, 0], longitude[:, 0] = [89.0, 88.0], [0, 180]
    latitude[:, 1], longitude[:, 1] = [10.0, 11.0], [179.5, -179.5]
    latitude[:, 2], longitude[:, 2] = [0.0, 0.0], [10, 40]
    ours = geodesic(latitude[0], longitude[0], latitude[1], longitude[1])
    for i in range(60):
        metres, azimuth, back = gps2dist_azimuth(latitude[0, i], longitude[0, i], latitude[1, i], longitude[1, i])
        if metres < 18e6:
            assert ours[0][i] == pytest.approx(metres / 1e3, abs=1e-3)
            assert (ours[1][i] - azimuth + 180) % 360 - 180 == pytest.approx(0, abs=1e-4)
            assert (ours[2][i] - back + 180) % 360 - 180 == pytest.approx(0, abs=1e-4)


def test_destination_goes_there_and_back():
    latitude, longitude = destination(70.0, -40.0, np.array([0.0, 90.0, 217.0]), 30.0)
    distance_km, azimuth, _ = geodesic(70.0, -40.0, latitude, longitude)
    np.testing.assert_allclose(distance_km / KM_PER_DEG, 30, rtol=5e-3)
    np.testing.assert_allclose((azimuth + 1) % 360, [1, 91, 218], atol=0.3)


@pytest.mark.parametrize("geometry", ["random", "network"])
def test_stations_lie_in_the_offset_range(geometry):
    parameters = SynthesisParameters(geometry=geometry, n_stations=(5, 9), offset_range_deg=(3, 20))
    for index in range(20):
        placed = event_geometry(parameters, index)
        assert 5 <= len(placed.offset_km) <= 9
        # Drawn on a sphere, measured on the ellipsoid.
        assert (placed.distance_deg > 3 * 0.993).all()
        assert (placed.distance_deg < 20 * 1.007).all()
        assert (np.diff(placed.offset_km) >= 0).all()
        assert len(set(placed.station_code)) == len(placed.station_code)


def test_a_network_is_the_same_for_all_events():
    parameters = SynthesisParameters(geometry="network")
    places: dict[str, tuple[float, float]] = {}
    total = 0
    for index in range(60):
        placed = event_geometry(parameters, index)
        for code, *place in zip(
            placed.station_code, placed.station_latitude_deg, placed.station_longitude_deg, strict=True
        ):
            assert places.setdefault(str(code), tuple(place)) == tuple(place)
            total += 1
    assert len(places) < total / 2


def test_random_stations_are_never_used_twice():
    parameters = SynthesisParameters()
    codes = [str(code) for index in range(40) for code in event_geometry(parameters, index).station_code]
    assert len(set(codes)) == len(codes)


def test_an_impossible_network_is_refused():
    parameters = SynthesisParameters(geometry="network", n_stations=(200, 200), offset_range_deg=(0.25, 1.0))
    with pytest.raises(ConfigurationError, match="geometry=random"):
        event_geometry(parameters, 0)


def test_cells_are_named_by_their_south_west_corner():
    geometry = event_geometry(SynthesisParameters(), 0)
    assert replace(geometry, latitude_deg=64.2, longitude_deg=-41.0).cell == "N60W050"
    assert replace(geometry, latitude_deg=-0.1, longitude_deg=0.1).cell == "S10E000"


def test_geometry_and_time_do_not_tell_the_class(real):
    """A classifier that sees everything but the waveforms guesses."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_score

    parameters = SynthesisParameters()
    features, labels = [], []
    for index in range(400):
        placed = event_geometry(parameters, index)
        offset = placed.offset_km
        features.append([offset.mean(), offset.min(), offset.max(), offset.std(), len(offset), placed.latitude_deg])
        labels.append(parameters.source_type(index))
    forest = RandomForestClassifier(60, random_state=0)
    assert abs(cross_val_score(forest, features, labels, cv=5).mean() - 0.5) < 0.08
