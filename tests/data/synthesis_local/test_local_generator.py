"""What local synthetic seismograms promise: causality, directions, decay, noise and repeatability."""

import numpy as np
import pytest

from seisvision.data.synthesis.geometry import EventGeometry
from seisvision.data.synthesis.sources import double_couple
from seisvision.data.synthesis_local.generator import LocalEventGenerator, LocalSource
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters

CLEAN = {
    "noise_db": -300,
    "path_spread": 0,
    "surface_waves": 0,
    "repeat": 0,
    "n_stations": (24, 24),
    "lead_s": (10, 10),
}
NO_CODA = {"mean_free_path_km": (1e6, 1e6)}
RATE = 50.0


def _event(index=0, **settings):
    return LocalEventGenerator(LocalSynthesisParameters(**{**CLEAN, **settings})).event(index)


def _power(event):
    return np.square(event.waveforms.astype(float)).sum(axis=1)


@pytest.mark.parametrize(
    "settings", [{}, {"mean_free_path_km": (10, 10)}, {"quality": (20, 20), "quality_exponent": 0}]
)
def test_nothing_moves_before_p(settings):
    event = _event(**settings)
    for power, p_time_s in zip(_power(event), event.p_time_s, strict=True):
        first = int((event.lead_s + p_time_s) * RATE)
        onset = power[first : first + 50].max()
        # A recorder's low-pass rings for some samples on both sides.
        assert power[: first - 8].max() < 2e-3 * onset and power[: first - 20].max() < 1e-4 * onset


def test_the_band_moves_no_arrival():
    """The peak of each trace stays where it is, as in an import; a causal filter moves it by two to three samples."""
    whole, filtered = _event(), _event(band_hz=(3, 20))
    lags = []
    for one, other in zip(whole.waveforms[:, 0], filtered.waveforms[:, 0], strict=True):
        lags.append(np.argmax(np.correlate(other.astype(float), one.astype(float), "full")) - len(one) + 1)
    assert not np.any(lags)
    # Sets that were filtered causally, as once was done, are others; those without a band are the same as ever.
    names = [LocalSynthesisParameters(band_hz=band_hz).fingerprint() for band_hz in (None, (3, 20))]
    assert names[0] == "ca4d04f655ab" and names[1] != "a888dd08fa64"


def test_s_comes_later_than_p_by_a_time_that_grows_with_distance():
    event = _event(vp_vs=(1.75, 1.75), velocity_spread=0)
    lag_s = event.s_time_s - event.p_time_s
    np.testing.assert_allclose(event.s_time_s, 1.75 * event.p_time_s)
    hypocentral_km = np.hypot(event.geometry.offset_km, event.source.depth_km)
    # Eight kilometres a second of S minus P is the rule of thumb; slower in the uppermost kilometres.
    assert np.all((hypocentral_km / lag_s > 5.5) & (hypocentral_km / lag_s < 9))
    # And the energy does arrive then: the second before S holds less than the second after it.
    for power, s_time_s in zip(_power(event), event.s_time_s, strict=True):
        arrival = int((event.lead_s + s_time_s) * RATE)
        assert power[arrival : arrival + 50].sum() > power[arrival - 50 : arrival].sum()


def _ring(n=8, distance_km=10.0):
    azimuth = np.arange(n) * 360 / n
    blank = np.zeros(n)
    back = (azimuth + 180) % 360
    return EventGeometry(0.0, 0.0, np.array(["X"] * n), blank, blank, np.full(n, distance_km), azimuth, back)


def _first_motion(tensor, geometry, depth_km=5.0):
    """P pulse (3, S) on Z, R, T at its peak, and the whole motion (3, S, T)."""
    generator = LocalEventGenerator(LocalSynthesisParameters(**{**CLEAN, **NO_CODA}))
    source = LocalSource(depth_km, 2.0, 1e12, 10.0, tensor)
    spectra, (p_s, _) = generator.ground_motion(source, generator.medium(0), geometry, 0, 10.0)
    motion = generator.grid.to_time(spectra)
    at = round((15.0 + p_s[0]) * RATE)
    window = motion[..., at - 2 : at + 10]
    return window, motion


def test_p_pushes_up_and_away_where_the_radiation_is_positive():
    strike_slip = double_couple(0.0, np.pi / 2, 0.0)
    # Compression in the quadrants of 45 and 225 degrees for a vertical left-lateral fault that strikes north.
    window, _ = _first_motion(strike_slip, _ring())
    first = np.take_along_axis(window, np.abs(window).argmax(-1)[..., None], -1)[..., 0]
    push, pull = [1, 5], [3, 7]
    assert (first[0, push] > 0).all() and (first[1, push] > 0).all()
    assert (first[0, pull] < 0).all() and (first[1, pull] < 0).all()
    # P lies in the vertical plane.
    assert np.abs(window[2]).max() < 1e-3 * np.abs(window[0]).max()


def test_horizontal_shear_of_a_strike_slip_fault_is_strongest_along_and_across_it():
    _, motion = _first_motion(double_couple(0.0, np.pi / 2, 0.0), _ring())
    transverse = np.abs(motion[2]).max(-1)
    assert transverse[[0, 2, 4, 6]].min() > 2 * transverse[[1, 3, 5, 7]].max()


def test_horizontals_point_to_the_source():
    """The covariance of the P wave gives the back azimuth back, as it does on real stations."""
    event = _event(n_stations=(40, 40), offset_range_km=(10, 40), depth_km=(3, 3), **NO_CODA)
    errors = []
    for waveform, p_s, back in zip(event.waveforms, event.p_time_s, event.geometry.back_azimuth_deg, strict=True):
        at = int((event.lead_s + p_s) * RATE)
        up, north, east = waveform[:, at - 2 : at + 20].astype(float)
        # Up and away from the source go together.
        found = np.degrees(np.arctan2(-np.sum(up * east), -np.sum(up * north))) % 360
        errors.append((found - back + 180) % 360 - 180)
    assert np.median(np.abs(errors)) < 5


def test_coda_outlasts_the_direct_waves():
    with_coda, without = (_event(mean_free_path_km=(km, km), offset_range_km=(15, 25)) for km in (15, 1e6))
    late = [
        np.median(
            [p[int((e.lead_s + s + 4) * RATE) :].sum() / p.sum() for p, s in zip(_power(e), e.s_time_s, strict=True)]
        )
        for e in (with_coda, without)
    ]
    assert late[0] > 0.02 and late[1] < 0.2 * late[0]


def test_amplitudes_fall_with_distance_and_grow_with_magnitude():
    weak, strong = (_event(magnitude=(m, m), stress_drop_mpa=(1, 1)) for m in (1.0, 3.0))
    peak = np.abs(weak.waveforms).max(axis=(1, 2))
    slope = np.polyfit(np.log(np.hypot(weak.geometry.offset_km, weak.source.depth_km)), np.log(peak), 1)[0]
    assert -4 < slope < -1
    ratio = np.abs(strong.waveforms).max(axis=(1, 2)) / peak
    # Two magnitudes are a thousand in moment; the lower corner takes part of it at short periods.
    assert np.all((ratio > 30) & (ratio < 1000))


def test_noise_follows_its_knob():
    quiet, loud = (_event(noise_db=db, magnitude=(-2, -2)) for db in (0.0, 20.0))
    before = slice(0, int(9 * RATE))
    ratio = quiet.waveforms[..., before].std(-1) / loud.waveforms[..., before].std(-1)
    np.testing.assert_allclose(ratio, 0.1, rtol=0.02)


def test_events_follow_from_seed_and_index_alone():
    one, two = (LocalEventGenerator(LocalSynthesisParameters(n_events=n)) for n in (3, 700))
    two.event(5)
    np.testing.assert_array_equal(one.event(2).waveforms, two.event(2).waveforms)
    other = LocalEventGenerator(LocalSynthesisParameters(seed=1)).event(2)
    assert not np.array_equal(one.event(2).waveforms, other.waveforms)


def test_swarms_are_few_places_around_stations_that_stay():
    parameters = LocalSynthesisParameters(n_events=40, swarms=3, n_stations=(2, 4))
    found = [LocalEventGenerator(parameters).geometry(index) for index in range(40)]
    stations = {
        (code, latitude, longitude)
        for one in found
        for code, latitude, longitude in zip(
            one.station_code, one.station_latitude_deg, one.station_longitude_deg, strict=True
        )
    }
    assert len(stations) == 4
    assert all(one.offset_km.max() <= parameters.offset_range_km[1] + 2 for one in found)
    places_km = 111.2 * np.array([[one.latitude_deg, one.longitude_deg] for one in found])
    places_km[:, 1] *= np.cos(np.radians(found[0].latitude_deg))
    apart_km = np.linalg.norm(places_km[:, None] - places_km, axis=-1)
    # Each event has others within a swarm's diameter, and those are a third of all.
    assert 0.15 < (apart_km < 3.1).mean() < 0.6
    names = [LocalSynthesisParameters(swarms=swarms).fingerprint() for swarms in (0, 3)]
    assert names[0] == LocalSynthesisParameters().fingerprint() != names[1]
    assert "swarms" not in LocalSynthesisParameters().as_dict()
