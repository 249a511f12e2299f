"""Predicted distances take the place of those that coordinates give, and nothing else of the source gets through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_sets import event_waveforms, trace_row

from seisvision import keys
from seisvision.data.samples.events import EventSamples, Window
from seisvision.data.samples.predicted_offsets import PredictedOffsets
from seisvision.data.samples.usability import unusable_samples
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import ConfigurationError, DataError

N_EVENTS, N_STATIONS = 3, 4
WINDOW = Window("onset", -2.0, 5.0)
COORDINATES = ("source_latitude_deg", "source_longitude_deg", "station_latitude_deg", "station_longitude_deg")


def write(path: Path, **changes: object) -> WaveformSet:
    with WaveformSetWriter(path, card={"name": "small"}) as writer:
        for event in range(N_EVENTS):
            rows = [trace_row(event, station, **changes) for station in range(N_STATIONS)]
            writer.add_event(rows, event_waveforms(event, N_STATIONS))
    return WaveformSet(path)


def offsets(known: int = N_EVENTS * N_STATIONS) -> PredictedOffsets:
    n = N_EVENTS * N_STATIONS
    km = np.where(np.arange(n) < known, 100.0 + np.arange(n), np.nan)
    reasons = ["" if i < known else "no onset time" for i in range(n)]
    return PredictedOffsets([f"ev{i // N_STATIONS:03d}" for i in range(n)], km, np.full(n, np.nan), reasons)


def samples(waveform_set: WaveformSet) -> EventSamples:
    return EventSamples(waveform_set, waveform_set.source_ids, window=WINDOW, max_stations=3, offsets=offsets())


def test_the_predicted_distances_are_served(tmp_path: Path) -> None:
    sample = EventSamples(write(tmp_path / "a"), ["ev001"], window=WINDOW, offsets=offsets())[0]
    assert sample[keys.OFFSET_KM].tolist() == [104, 105, 106, 107]
    for key in (keys.AZIMUTH_DEG, keys.BACK_AZIMUTH_DEG, keys.START_S, keys.SOURCE_DEPTH_KM):
        assert torch.isnan(sample[key]).all()


def test_nothing_that_the_table_says_of_the_source_changes_a_sample(tmp_path: Path) -> None:
    """Not where it was, when it was, how deep, or how far the stations are."""
    plain = write(tmp_path / "plain")
    other = write(
        tmp_path / "other",
        **dict.fromkeys(COORDINATES[:2], 12.5),
        path_ep_distance_km=77.0,
        path_azimuth_deg=123.0,
        path_back_azimuth_deg=3.0,
        source_depth_km=600.0,
        source_origin_time="2019-12-31T23:00:00.000Z",
    )
    for one, two in zip(samples(plain), samples(other), strict=True):
        for key, value in one.items():
            if torch.is_tensor(value):
                assert torch.equal(value.nan_to_num(-1.0), two[key].nan_to_num(-1.0)), key
    without = EventSamples(other, other.source_ids, window=WINDOW)[0]
    assert without[keys.OFFSET_KM].tolist() == [77.0] * 4


def test_events_with_few_predicted_distances_are_left_out_with_the_reason(tmp_path: Path) -> None:
    settings = {"window": WINDOW, "offsets": offsets(known=6)}
    reasons = unusable_samples(write(tmp_path / "a"), samples=settings, min_stations=3)
    assert reasons == dict.fromkeys(["ev001", "ev002"], "fewer than 3 stations with a predicted offset")


def test_settings_that_need_the_source_are_refused(tmp_path: Path) -> None:
    waveform_set = write(tmp_path / "a")
    for changes in ({"window": Window("origin", 0.0, 5.0)}, {"epicentre_error_km": 5.0}, {"origin_error_s": 1.0}):
        with pytest.raises(ConfigurationError, match="offsets are predicted"):
            EventSamples(waveform_set, ["ev000"], **{"window": WINDOW, "offsets": offsets(), **changes})


def test_the_table_comes_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "features" / "offsets.csv"
    offsets(known=5).write(path)
    read = PredictedOffsets.read(path)
    np.testing.assert_array_equal(read.offset_km, offsets(known=5).offset_km)
    assert list(read.reasons) == list(offsets(known=5).reasons) and list(path.parent.iterdir()) == [path]
    path.write_text(path.read_text().replace("\n3,", "\n9,"))
    with pytest.raises(DataError, match="numbered"):
        PredictedOffsets.read(path)


def test_distances_of_another_set_are_refused(tmp_path: Path) -> None:
    short = offsets()
    short = PredictedOffsets(short.source_ids[:5], short.offset_km[:5], short.sigma_km[:5], short.reasons[:5])
    with pytest.raises(DataError, match="another waveform set"):
        EventSamples(write(tmp_path / "a"), ["ev002"], window=WINDOW, offsets=short)
