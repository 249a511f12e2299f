import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from obspy.geodetics import gps2dist_azimuth

from seisvision.base.sample_ids import SampleIds
from seisvision.data.samples.events import EventSamples, Window
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import ConfigurationError, DataError
from seisvision.evaluation.baselines import feature_table
from seisvision.evaluation.baselines.feature_table import compute_any, compute_feature_table
from seisvision.judging.baselines import Part, fit_output, make_features
from seisvision.outputs.baseline import Baseline

CLASSES = ["earthquake", "glacial"]
N_EVENTS = 40
N_STATIONS = 3
RATE_HZ = 2.0
N_SAMPLES = 2400


STATION_COORDINATES = ("station_latitude_deg", "station_longitude_deg")


def write_set(folder: Path, *, without: tuple[str, ...] = (), n_lacking: int = N_EVENTS) -> WaveformSet:
    """Events with a P pulse (even) or a Rayleigh wave (odd); the last ``n_lacking`` are ``without`` some columns."""
    rng = np.random.default_rng(0)
    time_s = np.arange(N_SAMPLES) / RATE_HZ - 100
    with WaveformSetWriter(folder, card={}) as writer:
        for number in range(N_EVENTS):
            waveform = rng.normal(0, 1e-9, (N_STATIONS, 3, N_SAMPLES)).astype(np.float32)
            rows = []
            for station in range(N_STATIONS):
                latitude, longitude = 60.0 - 8 * (station + 1), -40 + rng.uniform(-5, 5)
                distance_m, azimuth, back_azimuth = gps2dist_azimuth(60.0, -40.0, latitude, longitude)
                # Roughly P at 8 km/s, which falls into the expert's window, and Rayleigh waves.
                centre, width, period = (distance_m / 8000, 20, 1.7) if number % 2 == 0 else (distance_m / 3800, 90, 60)
                packet = np.exp(-(((time_s - centre) / width) ** 2)) * np.cos(2 * np.pi * time_s / period)
                waveform[station, 0] += 1e-8 * packet
                row = {
                    "source_id": f"event-{number}",
                    "source_type": CLASSES[number % 2],
                    "source_origin_time": "2020-01-01T00:01:40Z",
                    "source_latitude_deg": 60.0,
                    "source_longitude_deg": -40.0,
                    "source_depth_km": 10.0,
                    "station_network_code": "XX",
                    "station_code": f"S{station}",
                    "station_latitude_deg": latitude,
                    "station_longitude_deg": longitude,
                    "trace_start_time": "2020-01-01T00:00:00Z",
                    "trace_sampling_rate_hz": RATE_HZ,
                    "path_ep_distance_km": distance_m / 1000,
                    "path_azimuth_deg": azimuth,
                    "path_back_azimuth_deg": back_azimuth,
                }
                gone = without if number >= N_EVENTS - n_lacking else ()
                rows.append({column: value for column, value in row.items() if column not in gone})
            writer.add_event(rows, waveform)
    return WaveformSet(folder)


def samples(waveform_set: WaveformSet, **changes: Any) -> EventSamples:
    settings = {"components": "ZNE", "window": Window(length_s=N_SAMPLES / RATE_HZ)} | changes
    return EventSamples(waveform_set, waveform_set.source_ids, **settings)


@pytest.fixture(scope="module")
def full_set(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    return write_set(tmp_path_factory.mktemp("sets") / "full")


def fitted(waveform_set: WaveformSet, cache_dir: Path, components: str = "ZNE") -> dict[str, Baseline]:
    """Baselines of the kinds of events, half of which train."""
    about = {"kind": "class", "target": "source_type", "class_names": CLASSES}
    ids = waveform_set.source_ids
    whole = Part(SampleIds.of_events(ids), {"source_type": np.arange(len(ids)) % 2})
    number = np.arange(len(ids))
    parts = {
        "train": whole.where(number < 20),
        "val": whole.where((number >= 20) & (number < 30)),
        "test": whole.where(number >= 30),
    }
    dataset = samples(waveform_set, components=components)
    return fit_output(make_features(dataset, "event", about, {}, cache_dir=cache_dir, key="k"), about, parts)


def test_baselines_from_files_to_measures(full_set: WaveformSet, tmp_path: Path) -> None:
    results = fitted(full_set, tmp_path)
    names = ["majority", "station_count", "geometry", "band_power", "physics", "boosting", "forest"]
    assert list(results) == names
    assert all(baseline.skipped is None for baseline in results.values())
    for name in ("band_power", "physics", "forest"):
        assert results[name].metrics["test"]["accuracy"].value == 1.0
    assert results["geometry"].metrics["test"]["accuracy"].value < 0.9
    assert results["station_count"].metrics["test"]["roc_auc"].value == 0.5
    assert len(list(tmp_path.iterdir())) == 4


def test_a_table_is_computed_once_and_read_again(full_set: WaveformSet, tmp_path: Path) -> None:
    first = compute_feature_table(samples(full_set), "physics", {}, tmp_path, "k")
    reading_disabled = samples(full_set)
    reading_disabled.waveform_set = None  # type: ignore[assignment]
    again = compute_feature_table(reading_disabled, "physics", {}, tmp_path, "k")
    assert again.ids == first.ids and again.names == first.names
    assert np.array_equal(again.values, first.values)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_decides_the_values_decides_the_file(
    full_set: WaveformSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = samples(full_set)
    part = EventSamples(full_set, full_set.source_ids[:5], components="ZNE", window=dataset.window)
    compute_feature_table(dataset, "band_power", {}, tmp_path, "k")
    compute_feature_table(dataset, "band_power", {}, tmp_path, "other key")
    compute_feature_table(dataset, "band_power", {"bands_hz": [[0.1, 0.2]]}, tmp_path, "k")
    compute_feature_table(part, "band_power", {}, tmp_path, "k")
    monkeypatch.setattr(feature_table, "FEATURES_VERSION", 99)
    compute_feature_table(dataset, "band_power", {}, tmp_path, "k")
    assert len(list(tmp_path.iterdir())) == 5


def test_a_damaged_cache_is_computed_again(full_set: WaveformSet, tmp_path: Path) -> None:
    first = compute_feature_table(samples(full_set), "geometry", {}, tmp_path, "k")
    path = next(tmp_path.iterdir())
    for damage in (b"", path.read_bytes()[:100]):
        path.write_bytes(damage)
        again = compute_feature_table(samples(full_set), "geometry", {}, tmp_path, "k")
        assert np.array_equal(again.values, first.values)


@pytest.mark.parametrize(
    ("column", "missed"),
    [
        ("source_origin_time", "start_s"),
        ("path_ep_distance_km", "offset_km"),
        ("path_azimuth_deg", "azimuth_deg"),
        ("source_latitude_deg", "source_latitude_deg"),
    ],
)
def test_the_expert_says_what_it_misses(column: str, missed: str, tmp_path: Path) -> None:
    waveform_set = write_set(tmp_path / "set", without=(column, *STATION_COORDINATES))
    with pytest.raises(DataError, match=rf"incomplete for 40 of 40 events \({missed} is not known: 40\)"):
        compute_feature_table(samples(waveform_set), "physics", {}, tmp_path / "cache", "k")


def test_baselines_go_on_without_the_expert(full_set: WaveformSet, tmp_path: Path) -> None:
    results = fitted(full_set, tmp_path, components="Z")
    assert "components ZNE" in str(results["physics"].skipped)
    assert results["band_power"].skipped is None
    assert results["forest"].metrics["test"]["accuracy"].value == 1.0


def test_a_few_incomplete_events_are_counted_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    waveform_set = write_set(tmp_path / "set", without=("path_ep_distance_km", *STATION_COORDINATES), n_lacking=2)
    with caplog.at_level(logging.WARNING):
        table = compute_feature_table(samples(waveform_set), "geometry", {}, tmp_path / "cache", "k")
    assert "incomplete for 2 of 40 events (offset_km is not known: 2); the first is 'event-38'" in caplog.text
    assert np.isnan(table.values[-2:, 0]).all() and np.isfinite(table.values[:-2]).all()


def test_unknown_kinds_are_refused_with_the_nearest(full_set: WaveformSet, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'physics'"):
        compute_feature_table(samples(full_set), "physic", {}, tmp_path, "k")


def test_kinds_that_share_a_batch_say_what_they_say_alone(full_set: WaveformSet, tmp_path: Path) -> None:
    kinds = ["band_power", "physics", "attributes"]
    together = compute_any(samples(full_set), kinds, {}, tmp_path, "together")
    for kind in kinds:
        alone = compute_feature_table(samples(full_set), kind, {}, tmp_path, "alone")
        assert np.isfinite(alone.values).any()
        assert np.array_equal(together[kind].values, alone.values, equal_nan=True)
