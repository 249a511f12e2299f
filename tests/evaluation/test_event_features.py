from typing import Any

import numpy as np
import pytest
import torch

from seisvision import keys
from seisvision.earth.sphere import back_azimuths
from seisvision.errors import DataError
from seisvision.evaluation.baselines.features import (
    DEFAULT_BANDS_HZ,
    PHYSICS_NAMES,
    SOURCE_LATITUDE_DEG,
    band_power_features,
    default_travel_time,
    geometry_features,
    physics_features,
)
from seisvision.evaluation.baselines.windows import band_weights, prepare

RATE_HZ = 2.0
N_SAMPLES = 3600
START_S = -100.0
OFFSET_KM = np.array([1000.0, 1500.0, 2000.0, 2500.0])


def toy_travel_time(phase: str, distance_deg: np.ndarray) -> np.ndarray:
    return distance_deg * (14.0 if phase == "P" else 25.0)


def make_batch(waveform: np.ndarray, **changes: Any) -> dict[str, Any]:
    """A batch as the data room makes it, all stations live, at `OFFSET_KM`."""
    n_events, n_stations, n_components, _ = waveform.shape
    shape = (n_events, n_stations)
    batch = {
        keys.WAVEFORM: torch.from_numpy(waveform.astype(np.float32)),
        keys.STATION_MASK: torch.ones(shape, dtype=torch.bool),
        keys.COMPONENT_MASK: torch.ones((*shape, n_components), dtype=torch.bool),
        keys.OFFSET_KM: torch.tensor(OFFSET_KM[:n_stations], dtype=torch.float32).expand(shape).clone(),
        keys.START_S: torch.full(shape, START_S),
        keys.AZIMUTH_DEG: torch.full(shape, 210.0),
        SOURCE_LATITUDE_DEG: np.full(n_events, 10.0),
        keys.SAMPLING_RATE_HZ: RATE_HZ,
        keys.SOURCE_ID: [f"event-{i}" for i in range(n_events)],
    }
    return batch | changes


def noise(n_events: int = 1, seed: int = 0, amplitude: float = 1e-9) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, amplitude, (n_events, len(OFFSET_KM), 3, N_SAMPLES))


def add_wave(
    waveform: np.ndarray, component: int, frequency_hz: float, begin_s: np.ndarray, end_s: np.ndarray, amplitude: float
) -> None:
    """Add a sinusoid between two times after the origin, one pair per station."""
    time_s = START_S + np.arange(N_SAMPLES) / RATE_HZ
    inside = (time_s >= begin_s[:, None]) & (time_s < end_s[:, None])
    waveform[..., component, :] += amplitude * inside * np.sin(2 * np.pi * frequency_hz * time_s)


def add_tectonic(waveform: np.ndarray) -> None:
    p_s = toy_travel_time("P", OFFSET_KM / 111.195)
    add_wave(waveform, 0, 0.6, p_s, p_s + 30, 1e-7)


def test_band_power_of_a_sinusoid_is_half_its_square() -> None:
    time_s = np.arange(N_SAMPLES) / RATE_HZ
    waveform = np.zeros((1, 4, 3, N_SAMPLES))
    waveform[0, :, 0] = np.array([1, 2, 4, 800])[:, None] * np.sin(2 * np.pi * time_s / 60)
    features = band_power_features(make_batch(waveform))
    # The median lies between stations of amplitude 2 and 4; the tapers take a little.
    expected = np.log(4 / 2 * 16 / 2) / 2
    assert features.values[0, 0] == pytest.approx(expected, abs=0.05)
    assert (features.values[0, 1:] < expected - 7).all()
    assert features.problems == [None]


def test_band_power_ranks_bands_and_names_them() -> None:
    time_s = np.arange(N_SAMPLES) / RATE_HZ
    waveform = np.stack([np.sin(2 * np.pi * f * time_s) for f in (1 / 60, 1 / 20, 0.6)])[:, None, None]
    features = band_power_features(make_batch(waveform))
    assert features.values.argmax(axis=1).tolist() == [0, 1, 2]
    assert features.names[2] == "log_power_0.4_0.95_hz"


def test_band_power_equals_filtering_in_time() -> None:
    waveform = noise(2, seed=4)
    traces = prepare(waveform[1, :, 0].astype(np.float32), RATE_HZ)
    weights, n_fft = band_weights(N_SAMPLES, RATE_HZ, DEFAULT_BANDS_HZ)
    spectrum = np.fft.rfft(traces, n_fft)
    filtered = np.fft.irfft(spectrum[None] * weights[:, None], n_fft)
    expected = np.median(np.log((filtered**2).sum(-1) / N_SAMPLES), axis=1)
    assert band_power_features(make_batch(waveform)).values[1] == pytest.approx(expected, abs=1e-4)


def test_dead_and_padded_stations_do_not_count() -> None:
    waveform = noise()
    alone = band_power_features(make_batch(waveform[:, :2])).values
    waveform[:, 2] = 0
    mask = torch.tensor([[True, True, True, False]])
    batch = make_batch(waveform, **{keys.STATION_MASK: mask})
    assert band_power_features(batch).values == pytest.approx(alone)
    assert physics_features(batch, travel_time=toy_travel_time).problems == [None]


def test_unrecorded_ends_do_not_dilute_power() -> None:
    waveform = noise(seed=5)
    whole = band_power_features(make_batch(waveform)).values
    waveform[..., N_SAMPLES // 2 :] = 0
    assert band_power_features(make_batch(waveform)).values == pytest.approx(whole, abs=0.5)


def test_an_event_without_live_station_is_undefined_with_a_reason() -> None:
    waveform = noise(2)
    waveform[1] = 0
    batch = make_batch(waveform)
    for features in (band_power_features(batch), physics_features(batch, travel_time=toy_travel_time)):
        assert np.isfinite(features.values[0]).all() and np.isnan(features.values[1]).all()
        assert features.problems == [None, "no live station"]


def test_bands_must_fit_the_sampling_rate() -> None:
    with pytest.raises(DataError, match=r"Band \(2, 4\) Hz"):
        band_power_features(make_batch(noise()), bands_hz=[(2.0, 4.0)])


def test_p_pulse_raises_the_p_features_only() -> None:
    quiet, loud = noise(), noise()
    add_tectonic(loud)
    rise = dict(zip(PHYSICS_NAMES, *_difference(loud, quiet), strict=True))
    for name in ("log_p_snr", "log_p_snr_q90", "log_p_to_rayleigh", "log_p_to_s"):
        assert rise[name] > 5
    for name in ("log_rayleigh_long_snr", "log_rayleigh_mid_snr", "log_love_to_rayleigh"):
        assert abs(rise[name]) < 1


def test_long_rayleigh_wave_raises_its_features_only() -> None:
    quiet, loud = noise(), noise()
    arrival_s = OFFSET_KM / 3.8
    add_wave(loud, 0, 1 / 60, arrival_s - 60, arrival_s + 200, 1e-7)
    rise = dict(zip(PHYSICS_NAMES, *_difference(loud, quiet), strict=True))
    assert rise["log_rayleigh_long_snr"] > 5
    assert rise["log_p_to_rayleigh"] < -5 and rise["log_love_to_rayleigh"] < -3
    assert abs(rise["log_p_snr"]) < 1


def test_love_wave_is_found_across_the_path_and_rayleigh_motion_along_it_is_not() -> None:
    back_azimuth = np.radians(back_azimuths(np.full(4, 10.0), np.full(4, 210.0), OFFSET_KM))[:, None]
    begin_s, end_s = OFFSET_KM / 4.6 - 30, OFFSET_KM / 3.8 + 50
    across, along = noise(), noise()
    for waveform, north, east in (
        (across, np.sin(back_azimuth), -np.cos(back_azimuth)),
        (along, -np.cos(back_azimuth), -np.sin(back_azimuth)),
    ):
        add_wave(waveform, 1, 1 / 60, begin_s, end_s, 1e-7 * north)
        add_wave(waveform, 2, 1 / 60, begin_s, end_s, 1e-7 * east)
    love = PHYSICS_NAMES.index("log_love_to_rayleigh")
    assert _difference(across, noise())[0][love] > 5
    assert abs(_difference(along, noise())[0][love]) < 0.5


def test_physics_features_do_not_depend_on_where_the_window_starts() -> None:
    loud = noise(seed=7)
    add_tectonic(loud)
    earlier = np.concatenate([loud[..., -200:], loud[..., :-200]], axis=-1)
    later_start = make_batch(earlier, **{keys.START_S: torch.full((1, 4), START_S - 100.0)})
    first, second = (
        physics_features(batch, travel_time=toy_travel_time).values for batch in (make_batch(loud), later_start)
    )
    assert second[0, 0] == pytest.approx(first[0, 0], abs=0.3)


def test_geometry_ignores_the_waveforms() -> None:
    expected = [OFFSET_KM.mean(), OFFSET_KM.min(), OFFSET_KM.max(), OFFSET_KM.std(), 4]
    for seed in (0, 1):
        assert geometry_features(make_batch(noise(seed=seed))).values[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("key", "shape"),
    [(keys.OFFSET_KM, (1, 4)), (keys.AZIMUTH_DEG, (1, 4)), (keys.START_S, (1, 4)), (SOURCE_LATITUDE_DEG, (1,))],
)
def test_what_is_not_known_is_named(key: str, shape: tuple[int, ...]) -> None:
    unknown = make_batch(noise(), **{key: torch.full(shape, torch.nan)})
    features = physics_features(unknown, travel_time=toy_travel_time)
    assert np.isnan(features.values).any()
    assert features.problems == [f"{key} is not known"]


def test_missing_components_and_keys_are_refused() -> None:
    with pytest.raises(DataError, match="components ZNE; the samples have 1"):
        physics_features(make_batch(noise()[:, :, :1]))
    batch = make_batch(noise())
    del batch[keys.START_S]
    with pytest.raises(DataError, match=f"no '{keys.START_S}'"):
        physics_features(batch)


def test_back_azimuths_equal_those_on_the_ellipsoid_within_a_degree() -> None:
    from obspy.geodetics import gps2dist_azimuth

    rng = np.random.default_rng(0)
    for _ in range(50):
        latitude, station_latitude, longitude = rng.uniform(-75, 75), rng.uniform(-75, 75), rng.uniform(-60, 60)
        distance_m, azimuth, expected = gps2dist_azimuth(latitude, 0.0, station_latitude, longitude)
        found = back_azimuths(np.array([latitude]), np.array([azimuth]), np.array([distance_m / 1000]))[0]
        assert abs((found - expected + 180) % 360 - 180) < 1.0


def test_travel_times_are_those_of_a_shallow_earthquake() -> None:
    p_s, s_s = (default_travel_time(phase, np.array([30.0, 120.0])) for phase in "PS")
    # Kennett, Engdahl and Buland (1995), ak135 at 30 degrees.
    assert p_s[0] == pytest.approx(368, abs=4) and s_s[0] == pytest.approx(664, abs=6)
    assert np.isnan(p_s[1]) and np.isnan(s_s[1])


def _difference(loud: np.ndarray, quiet: np.ndarray) -> tuple[np.ndarray]:
    first, second = (physics_features(make_batch(w), travel_time=toy_travel_time).values[0] for w in (loud, quiet))
    return (first - second,)
