from pathlib import Path

import numpy as np
import pytest
from obspy.taup import TauPyModel

from seisvision import keys
from seisvision.data.importing.series.band import band_pass
from seisvision.data.synthesis.generator import EventGenerator
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.data.synthesis_local.generator import LocalEventGenerator
from seisvision.data.synthesis_local.parameters import LocalSynthesisParameters
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.travel_times import phase_times
from seisvision.errors import DataError
from seisvision.evaluation.baselines.trace_features import s_minus_p_features
from seisvision.picking.s_minus_p import PickerSettings, default_settings, distance_of, pick_distances, s_minus_p_table

LEAD_S = 120.0


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Noise-free traces of shallow earthquakes in a radial Earth, with windows that begin at odd times before P."""
    parameters = SynthesisParameters(
        n_events=8,
        classes=("tectonic",),
        noise_db=-60.0,
        heterogeneity=0.0,
        fault=0.0,
        coda=0.0,
        lead_s=LEAD_S,
        magnitude=(5.0, 5.6),
        n_stations=(10, 10),
        seed=11,
    )
    generator = EventGenerator(parameters, tmp_path_factory.mktemp("tables"))
    rng = np.random.default_rng(0)
    waveforms, offsets_km, onsets_s = [], [], []
    for number in range(8):
        event = generator.event(number)
        if event.source.depth_km > 40:
            continue
        p_s = phase_times(generator.tables.rays, "P", event.source.depth_km, event.geometry.distance_deg)
        for trace, distance_deg, time_s in zip(event.waveforms, event.geometry.distance_deg, p_s, strict=True):
            start = int(2 * (LEAD_S + time_s - rng.uniform(30, 90)))
            waveforms.append(trace[:, start : start + 1800])
            offsets_km.append(distance_deg * KM_PER_DEG)
            onsets_s.append(LEAD_S + time_s - start / 2)
    return {"waveform": np.array(waveforms), "offset_km": np.array(offsets_km), "onset_s": np.array(onsets_s)}


def batch_of(clean: dict[str, np.ndarray], onset_error_s: float = 0.0) -> dict[str, object]:
    errors_s = np.random.default_rng(1).normal(0, 1, len(clean["onset_s"])) * onset_error_s
    return {
        keys.WAVEFORM: clean["waveform"][:, None],
        keys.ONSET_S: (clean["onset_s"] + errors_s)[:, None],
        keys.SAMPLING_RATE_HZ: 2.0,
    }


@pytest.mark.parametrize("distance_deg", [0.3, 3.0, 12.0, 40.0])
def test_distances_follow_taup(distance_deg: float) -> None:
    found = {"P": np.inf, "S": np.inf}
    for arrival in TauPyModel("ak135").get_travel_times(10.0, distance_deg, ["ttbasic"]):
        if arrival.name in ("p", "P", "Pn", "s", "S", "Sn"):
            kind = arrival.name[0].upper()
            found[kind] = min(found[kind], arrival.time)
    distance_km = distance_of(np.array([found["S"] - found["P"]]))[0]
    assert distance_km / KM_PER_DEG == pytest.approx(distance_deg, rel=0.02)


def test_the_table_grows_and_ends() -> None:
    distance_deg, delay_s = s_minus_p_table()
    assert (np.diff(delay_s) > 0).all() and (np.diff(distance_deg) > 0).all() and distance_deg[0] == 0
    assert np.isnan(distance_of(np.array([np.nan, -5.0, 5000.0]))).all()


@pytest.mark.parametrize("onset_error_s", [0.0, 2.0])
def test_distances_of_noise_free_earthquakes(clean: dict[str, np.ndarray], onset_error_s: float) -> None:
    picks = pick_distances(batch_of(clean, onset_error_s))
    answered = np.isfinite(picks.distance_km)
    assert len(answered) >= 40 and answered.mean() > 0.85
    relative = np.abs(picks.distance_km / clean["offset_km"] - 1)[answered]
    assert np.median(relative) < 0.05 and (relative < 0.1).mean() > 0.75
    assert np.median(np.abs(picks.p_s - clean["onset_s"])) < 3


def test_nothing_depends_on_amplitude_or_on_the_direction_of_the_horizontals(clean: dict[str, np.ndarray]) -> None:
    straight = pick_distances(batch_of(clean)).distance_km
    angle = np.radians(37.0)
    vertical, north, east = (1e6 * clean["waveform"][:, i] for i in range(3))
    turned = np.stack(
        [vertical, np.cos(angle) * north - np.sin(angle) * east, np.sin(angle) * north + np.cos(angle) * east], axis=1
    )
    again = pick_distances(batch_of({**clean, "waveform": turned})).distance_km
    same = np.isclose(straight, again, rtol=0.01, equal_nan=True)
    assert same.mean() > 0.9


@pytest.mark.parametrize(
    ("rate_hz", "length_s", "offset_range_km", "band_hz", "share"),
    [(50.0, 45.0, (5, 60), (3, 20), 0.6), (10.0, 200.0, (50, 400), (0.05, 4), 0.45)],
)
def test_local_and_regional_earthquakes_with_coda_and_noise(
    rate_hz: float, length_s: float, offset_range_km: tuple[float, float], band_hz: tuple[float, float], share: float
) -> None:
    parameters = LocalSynthesisParameters(
        n_events=10,
        seed=21,
        sampling_rate_hz=rate_hz,
        length_s=length_s,
        offset_range_km=offset_range_km,
        band_hz=band_hz,
        repeat=0.0,
        magnitude=(2.0, 3.0) if rate_hz > 20 else (4.0, 5.5),
    )
    generator = LocalEventGenerator(parameters)
    events = [generator.event(number) for number in range(10)]
    p_s, s_s = (np.concatenate([getattr(one, f"{kind}_time_s") + one.lead_s for one in events]) for kind in "ps")
    batch = {
        keys.WAVEFORM: np.concatenate([one.waveforms for one in events])[:, None],
        keys.ONSET_S: p_s[:, None],
        keys.SAMPLING_RATE_HZ: rate_hz,
    }
    picks = pick_distances(batch)
    answered = np.isfinite(picks.distance_km)
    error_s = np.abs(picks.s_s - picks.p_s - (s_s - p_s))[answered]
    assert answered.mean() > 0.6
    # The rest are mostly surface waves taken for S; a pick at random would be right in about a tenth.
    assert (error_s < 0.1 * (s_s - p_s)[answered]).mean() > share


@pytest.mark.parametrize(
    ("rate_hz", "band_hz", "delay_s", "length_s"), [(50.0, (3, 20), 3.0, 24), (10.0, (0.05, 4), 15.0, 120)]
)
def test_a_set_filtered_with_zero_phase_does_not_bring_strong_s_forward(
    rate_hz: float, band_hz: tuple[float, float], delay_s: float, length_s: float
) -> None:
    """P on Z and N, S mostly on E and N, a hundred times the noise; energy that S has ahead of it is the filter's."""
    n, before_s = round(length_s * rate_hz), length_s / 4
    batches, late_s = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        after_s = np.arange(n) / rate_hz - before_s - rng.uniform(0, 1)
        decay = [np.where(after_s < t, 0, np.exp(-np.maximum(after_s - t, 0) * 12 / length_s)) for t in (0, delay_s)]
        p, s = 100 * rng.normal(size=n) * decay[0], 300 * rng.normal(size=n) * decay[1]
        ground = rng.normal(size=(3, n)) + np.stack([p + 0.2 * s, 0.5 * p + 0.5 * s, s])
        batches.append(band_pass(ground, rate_hz, band_hz))
        late_s.append(-after_s[0])
    batch = {
        keys.WAVEFORM: np.stack(batches)[:, None],
        keys.ONSET_S: np.array(late_s)[:, None],
        keys.SAMPLING_RATE_HZ: rate_hz,
    }
    picks = pick_distances(batch)
    assert abs(np.nanmedian(picks.s_s - np.array(late_s) - delay_s)) < 1 / rate_hz


def test_no_distance_without_s_onset_or_signal() -> None:
    rng = np.random.default_rng(0)
    waveform = rng.normal(size=(30, 1, 3, 1600))
    waveform[0] = 0
    batch = {keys.WAVEFORM: waveform, keys.ONSET_S: np.full((30, 1), 100.0), keys.SAMPLING_RATE_HZ: 2.0}
    batch[keys.ONSET_S][1] = np.nan
    picks = pick_distances(batch)
    assert np.isnan(picks.distance_km[:2]).all()
    assert np.isnan(picks.distance_km).mean() > 0.7
    features = s_minus_p_features(batch)
    assert features.values.shape == (30, 1) and features.problems[0] == "no clear S"


def test_local_earthquakes_are_picked_with_local_settings() -> None:
    rate_hz, rng = 50.0, np.random.default_rng(0)
    s_minus_p_s = rng.uniform(1.5, 7.0, 20)
    time_s = np.arange(1000) / rate_hz
    waveform = 0.01 * rng.normal(size=(20, 1, 3, 1000))
    pulse = np.sin(2 * np.pi * 6 * time_s) * np.exp(-time_s / 0.4)
    for row, delay_s in enumerate(s_minus_p_s):
        azimuth = rng.uniform(0, 2 * np.pi)
        p, s = (np.roll(pulse, round(at * rate_hz)) for at in (4.0, 4.0 + delay_s))
        waveform[row, 0] += np.stack([p, 0.4 * np.cos(azimuth) * p, 0.4 * np.sin(azimuth) * p])
        waveform[row, 0, 1:] += 2 * np.stack([-np.sin(azimuth) * s, np.cos(azimuth) * s])
    batch = {keys.WAVEFORM: waveform, keys.ONSET_S: np.full((20, 1), 4.1), keys.SAMPLING_RATE_HZ: rate_hz}
    picks = pick_distances(batch)
    assert picks.s_s - picks.p_s == pytest.approx(s_minus_p_s, abs=0.2)
    # Near a source in the upper crust of ak135 (5.8 and 3.46 km/s), with 10 km of depth: geometry by hand.
    by_hand = np.sqrt(np.maximum((s_minus_p_s / (1 / 3.46 - 1 / 5.8)) ** 2 - 10**2, 0))
    assert picks.distance_km == pytest.approx(by_hand, abs=4)


def test_other_samples_and_bands_are_refused(tmp_path: Path) -> None:
    batch = {keys.WAVEFORM: np.zeros((2, 4, 3, 100)), keys.ONSET_S: np.zeros((2, 4)), keys.SAMPLING_RATE_HZ: 2.0}
    with pytest.raises(DataError, match="single traces"):
        pick_distances(batch)
    one = {keys.WAVEFORM: np.zeros((2, 1, 3, 100)), keys.ONSET_S: np.zeros((2, 1)), keys.SAMPLING_RATE_HZ: 2.0}
    with pytest.raises(DataError, match="does not fit"):
        pick_distances(one, PickerSettings((3.0, 15.0), (2.0, 10.0), 1.0, 0.3, 0.3, 3.0))
    assert default_settings(2.0) != default_settings(10.0) != default_settings(50.0)
