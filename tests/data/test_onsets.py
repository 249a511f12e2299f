"""Onsets are found where motion begins, and nowhere in noise, padding or gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sets import RATE_HZ, trace_row

from seisvision.data.samples.onsets import detect_onsets
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.synthesis.generator import EventGenerator
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.earth.travel_times import phase_times
from seisvision.errors import ConfigurationError
from seisvision.picking.sta_lta import OnsetSettings, onsets_s

SHORT = OnsetSettings.of([[2.0, 6.0]], 1.0, 3.0)


def burst(
    onset_s: float, *, snr: float = 20.0, frequency_hz: float = 4.0, length_s: float = 120.0, seed: int = 0
) -> np.ndarray:
    """Noise (1, T) of unit variance with a decaying sinusoid."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    after_s = np.maximum(time_s - onset_s, 0)
    signal = snr * np.sin(2 * np.pi * frequency_hz * after_s) * np.exp(-after_s / 20)
    return (rng.normal(size=len(time_s)) + signal)[None].astype(np.float32)


def test_onsets_are_found_to_a_fraction_of_the_averaging_length() -> None:
    true_s = np.linspace(20, 100, 17)
    found = onsets_s([burst(onset_s, seed=i) for i, onset_s in enumerate(true_s)], RATE_HZ, SHORT)
    np.testing.assert_allclose(found, true_s, atol=0.8)


def test_noise_has_no_onset() -> None:
    noise = [burst(50, snr=0, seed=seed) for seed in range(40)]
    assert np.isfinite(onsets_s(noise, RATE_HZ, SHORT)).mean() < 0.1


def test_the_earliest_band_counts() -> None:
    """Slow waves that come first are seen in the slow band, fast ones in the fast band."""
    both = OnsetSettings.of([[2.0, 6.0], [0.1, 0.3]], [1.0, 10.0], [3.0, 2.5])
    slow_then_fast = burst(30, frequency_hz=0.2) + burst(80, seed=1)
    fast_then_slow = burst(30) + burst(80, frequency_hz=0.2, seed=1)
    found = onsets_s([slow_then_fast, fast_then_slow], RATE_HZ, both)
    np.testing.assert_allclose(found, [30, 30], atol=5)
    np.testing.assert_allclose(onsets_s([slow_then_fast], RATE_HZ, SHORT), 80, atol=0.8)


def test_padding_offsets_and_gaps_are_no_onsets() -> None:
    padded = np.pad(burst(60), ((0, 0), (400, 300)))
    offset = burst(60) + 5000
    offset[:, 400:500] = 0
    dead, short = np.zeros((1, 2400), np.float32), burst(60)[:, :10]
    found = onsets_s([padded, offset, dead, short], RATE_HZ, SHORT)
    np.testing.assert_allclose(found[:2], [80, 60], atol=0.8)
    assert np.isnan(found[2:]).all()


def test_traces_do_not_influence_each_other() -> None:
    many = [burst(40, seed=1), burst(70, seed=2, length_s=200), burst(10, snr=0, seed=3, length_s=30)]
    together = onsets_s(many, RATE_HZ, SHORT)
    apart = np.concatenate([onsets_s([one], RATE_HZ, SHORT) for one in many])
    np.testing.assert_array_equal(together, apart)


def test_a_band_above_the_recorded_frequencies_has_no_say() -> None:
    settings = OnsetSettings.of([[40.0, 60.0], [2.0, 6.0]], 1.0, 3.0)
    np.testing.assert_allclose(onsets_s([burst(50)], RATE_HZ, settings), 50, atol=0.8)
    assert np.isnan(onsets_s([burst(50)], RATE_HZ, OnsetSettings.of([[40.0, 60.0]], 1.0, 3.0))).all()


@pytest.mark.parametrize(("kind", "noise_db"), [("tectonic", -10), ("glacial", 0)])
def test_onsets_of_physical_events_lie_where_waves_are_strong(kind: str, noise_db: float) -> None:
    """Mostly P (TauP) for earthquakes, mostly surface waves (3 to 5 km/s) for glacial events, which have little P."""
    settings = OnsetSettings.of([[0.5, 0.95], [0.015, 0.05]], [6, 60], [2.5, 2.6])
    parameters = SynthesisParameters(
        classes=(kind,), noise_db=noise_db, fault=0, lead_s=300, length_s=2400, offset_range_deg=(5, 40)
    )
    generator = EventGenerator(parameters)
    after_p_s, speed_km_s = [], []
    for index in range(4):
        event = generator.event(index)
        found_s = onsets_s(list(event.waveforms[:, :1]), parameters.sampling_rate_hz, settings) - parameters.lead_s
        distance_deg = event.geometry.distance_deg
        after_p_s.append(found_s - phase_times(generator.tables.rays, "P", event.source.depth_km, distance_deg))
        speed_km_s.append(event.geometry.offset_km / found_s)
    if kind == "tectonic":
        assert (np.abs(np.concatenate(after_p_s)) < 5).mean() > 0.7
    else:
        speeds = np.concatenate(speed_km_s)
        assert np.mean(speeds[np.isfinite(speeds)] < 5) > 0.7
        assert np.mean(speeds[np.isfinite(speeds)] > 3) > 0.9


def write(path: Path, picks_s: list[float | None], rate_hz: float = RATE_HZ) -> WaveformSet:
    with WaveformSetWriter(path, card={}) as writer:
        for event in range(2):
            rows = [
                trace_row(event, station, trace_onset_s=pick_s, trace_sampling_rate_hz=rate_hz * (1 + station % 2))
                for station, pick_s in enumerate(picks_s)
            ]
            waveforms = [np.repeat(burst(40 + station), 3, axis=0) for station in range(len(picks_s))]
            writer.add_event(rows, waveforms)
    return WaveformSet(path)


def test_only_traces_without_an_onset_are_searched_each_at_its_rate(tmp_path: Path) -> None:
    found = detect_onsets(write(tmp_path / "set", [None, None, 5.0]), bands_hz=[[2, 6]], sta_s=1, threshold=3)
    assert np.isnan(found[[2, 5]]).all()
    assert found[0] == pytest.approx(40, abs=0.8) and found[3] == found[0]
    # Read as 40 Hz, the same samples last half as long.
    assert found[1] == pytest.approx(20.5, abs=2)


def test_onsets_are_kept_on_disk_by_set_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"bands_hz": [[2, 6]], "sta_s": 1, "threshold": 3, "cache_dir": tmp_path / "features"}
    path = write(tmp_path / "set", [None, None]).path
    found = detect_onsets(WaveformSet(path), **settings)
    detect_onsets(WaveformSet(path), **settings | {"threshold": 4})
    assert len(list((tmp_path / "features").iterdir())) == 2
    (tmp_path / "features" / "another.txt").write_text("unrelated")

    def refuse(*arguments: Any) -> None:
        raise AssertionError("waveforms were read again")

    monkeypatch.setattr(WaveformSet, "read_rows", refuse)
    np.testing.assert_array_equal(detect_onsets(WaveformSet(path), **settings), found)
    for stored in (tmp_path / "features").glob("onsets-*.npz"):
        stored.write_bytes(b"damaged")
    with pytest.raises(AssertionError, match="read again"):
        detect_onsets(WaveformSet(path), **settings)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bands_hz": []}, "bands_hz"),
        ({"bands_hz": [[4, 2]]}, "pairs 0 < low < high"),
        ({"sta_s": [1, 2]}, "sta_s"),
        ({"threshold": 0}, "threshold=0"),
    ],
)
def test_settings_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        OnsetSettings.of(**{"bands_hz": [[2, 6]], "sta_s": 1, "threshold": 3} | changes)
