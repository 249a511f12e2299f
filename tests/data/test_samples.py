"""Windows are cut where they should be, whatever the recordings look like."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_sets import N_SAMPLES, RATE_HZ, event_waveforms, trace_row, write_foreign, write_set

from seisvision import keys
from seisvision.data.samples.events import EventSamples, Window, collate_events
from seisvision.data.samples.location_error import moved_deg
from seisvision.data.samples.paths import COORDINATES
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import ConfigurationError, DataError

WHOLE = Window(length_s=N_SAMPLES / RATE_HZ)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    return write_set(tmp_path_factory.mktemp("sets") / "small")


def write_event(path: Path, rows: list[dict[str, Any]], waveforms: list[np.ndarray]) -> WaveformSet:
    with WaveformSetWriter(path, card={}) as writer:
        writer.add_event(rows, waveforms)
    return WaveformSet(path)


def samples(waveform_set: WaveformSet, window: Window = WHOLE, **changes: Any) -> EventSamples:
    return EventSamples(waveform_set, waveform_set.source_ids, window=window, **changes)


def test_whole_window_is_the_recording(small: WaveformSet) -> None:
    sample = samples(small, components="ZN", targets={"source_type": {"quake": 0, "blast": 1}})[4]
    np.testing.assert_array_equal(sample[keys.WAVEFORM], event_waveforms(4)[:, :2])
    assert sample[keys.STATION_MASK].all() and sample[keys.COMPONENT_MASK].shape == (4, 2)
    assert sample[keys.OFFSET_KM].tolist() == [10, 20, 30, 40]
    assert sample[keys.AZIMUTH_DEG].tolist() == [0, 30, 60, 90]
    assert sample[keys.ONSET_S].tolist() == [3, 4, 5, 6]
    assert sample[keys.START_S].tolist() == [2, 2, 2, 2]
    assert float(sample[keys.SOURCE_DEPTH_KM]) == 5.0
    assert sample[keys.SAMPLING_RATE_HZ] == RATE_HZ and sample[keys.SOURCE_ID] == "ev004"
    assert sample[keys.TARGETS]["source_type"].item() == 0


@pytest.mark.parametrize(
    ("window", "skipped"),
    [
        (Window("trace", 1.0, 4.0), 20),
        (Window("trace", -1.0, 4.0), -20),
        (Window("trace", 8.0, 4.0), 160),
        (Window("origin", 0.0, 4.0), -40),
        (Window("origin", 3.0, 4.0), 20),
        (Window("onset", -2.0, 4.0), 50),  # onsets at 3, 4, 5, 6 s: median 4.5 s
    ],
)
def test_every_reference_cuts_where_it_says(small: WaveformSet, window: Window, skipped: int) -> None:
    sample = samples(small, window, components="ZNE")[2]
    padded = np.pad(event_waveforms(2), ((0, 0), (0, 0), (80, 80)))
    np.testing.assert_array_equal(sample[keys.WAVEFORM], padded[:, :, 80 + skipped :][:, :, :80])
    assert sample[keys.ONSET_S].tolist() == pytest.approx([3 + i - skipped / RATE_HZ for i in range(4)])


def test_moveout_survives_different_trace_starts(tmp_path: Path) -> None:
    """A pulse at one absolute time appears at one place, though the recordings start at different times."""
    waveforms, rows = [], []
    for station, late_s in enumerate((0.0, 1.5, 4.0)):
        waveform = np.zeros((3, N_SAMPLES), np.float32)
        waveform[:, round((5.0 - late_s) * RATE_HZ)] = 1.0
        waveforms.append(waveform)
        start = pd.Timestamp("2020-01-01T00:00:02Z") + pd.Timedelta(seconds=late_s)
        rows.append(trace_row(0, station, trace_start_time=start.isoformat(), trace_onset_s=5.0 - late_s))
    waveform_set = write_event(tmp_path / "set", rows, waveforms)
    for window in (Window("trace", 2, 6), Window("origin", 4, 6), Window("onset", -3, 6)):
        sample = samples(waveform_set, window)[0]
        assert sample[keys.WAVEFORM][:, 0].argmax(dim=1).tolist() == [60, 60, 60]
        assert sample[keys.ONSET_S].tolist() == [3, 3, 3]
        assert sample[keys.START_S].tolist() == [4, 4, 4]


def test_traces_outside_the_window_are_masked_and_dead_ones_kept(tmp_path: Path) -> None:
    waveforms = list(event_waveforms(0, 3))
    waveforms[1] = np.zeros_like(waveforms[1])
    rows = [trace_row(0, i) for i in range(3)]
    rows[2]["trace_start_time"] = "2020-01-01T01:00:00Z"
    sample = samples(write_event(tmp_path / "set", rows, waveforms))[0]
    assert sample[keys.STATION_MASK].tolist() == [True, True, False]
    assert sample[keys.COMPONENT_MASK][:, 0].tolist() == [True, True, False]
    assert not sample[keys.WAVEFORM][1:].any()


def test_mixed_rates_come_to_one_without_moving_or_aliasing(tmp_path: Path) -> None:
    """A 2 Hz tone keeps phase and amplitude; an 18 Hz tone, above the new Nyquist frequency, goes; the mean stays."""
    waveforms, rows = [], []
    for station, (rate_hz, late_s) in enumerate(((20.0, 0.0), (50.0, 1.0), (100.0, 0.5), (40.0, 0.0))):
        time_s = late_s + np.arange(round(20 * rate_hz)) / rate_hz
        tone = 1000 + np.sin(2 * np.pi * 2 * time_s) + (np.sin(2 * np.pi * 18 * time_s) if rate_hz > 40 else 0)
        waveforms.append(np.stack([tone] * 3).astype(np.float32))
        start = pd.Timestamp("2020-01-01T00:00:02Z") + pd.Timedelta(seconds=late_s)
        rows.append(trace_row(0, station, trace_sampling_rate_hz=rate_hz, trace_start_time=start.isoformat()))
    waveform_set = write_event(tmp_path / "set", rows, waveforms)
    with pytest.raises(DataError, match=r"4 sampling rates \(20, 40, 50, 100 Hz\); .*sampling_rate_hz=20"):
        samples(waveform_set)
    sample = samples(waveform_set, Window("trace", 3, 10), sampling_rate_hz=20.0)[0]
    expected = 1000 + np.sin(2 * np.pi * 2 * (3 + np.arange(200) / 20))
    error = np.abs(sample[keys.WAVEFORM][:, 0].numpy() - expected)
    assert error.max() < 0.02
    upsampled = samples(waveform_set, Window("trace", 3, 10), sampling_rate_hz=40.0)[0]
    expected = 1000 + np.sin(2 * np.pi * 2 * (3 + np.arange(400) / 40))
    assert np.abs(upsampled[keys.WAVEFORM][0, 0].numpy() - expected).max() < 0.02


def test_resampling_makes_no_step_where_a_recording_begins_or_ends(tmp_path: Path) -> None:
    waveforms = [np.full((3, 1000), 5000.0, np.float32)]
    waveform_set = write_event(tmp_path / "set", [trace_row(0, 0, trace_sampling_rate_hz=100.0)], waveforms)
    waveform = samples(waveform_set, Window("trace", -2, 14), sampling_rate_hz=20.0)[0][keys.WAVEFORM][0, 0]
    np.testing.assert_allclose(waveform[40:240], 5000.0, rtol=1e-4)
    assert not waveform[:40].any() and not waveform[240:].any()


def test_jitter_is_fixed_per_event_and_one_for_all_stations(small: WaveformSet) -> None:
    still, moved = samples(small, Window("trace", 2, 4)), samples(small, Window("trace", 2, 4, jitter_s=1.0))
    shifts = []
    for i in range(len(small)):
        shift = moved[i][keys.START_S] - still[i][keys.START_S]
        assert len(set(shift.tolist())) == 1 and abs(shift[0]) <= 1.0
        np.testing.assert_allclose(moved[i][keys.ONSET_S], still[i][keys.ONSET_S] - shift, atol=1e-5)
        first = round((2 + float(shift[0])) * RATE_HZ)
        np.testing.assert_array_equal(moved[i][keys.WAVEFORM][:, 0], event_waveforms(i)[:, 0, first : first + 80])
        shifts.append(float(shift[0]))
    assert np.std(shifts) > 0.2
    reordered = EventSamples(small, small.source_ids[::-1], window=moved.window)
    assert torch.equal(reordered[0][keys.WAVEFORM], moved[len(small) - 1][keys.WAVEFORM])
    other_seed = samples(small, moved.window, seed=1)
    assert float(other_seed[0][keys.START_S][0]) != float(moved[0][keys.START_S][0])


@pytest.mark.parametrize(("choice", "kept_km"), [("nearest", [30, 10, 20]), ("spread", [30, 10, 60])])
def test_station_choice_ignores_the_order_in_the_file(tmp_path: Path, choice: str, kept_km: list[float]) -> None:
    offsets_km = [50.0, 30.0, 10.0, 60.0, 20.0]
    rows = [trace_row(0, i, path_ep_distance_km=offset_km) for i, offset_km in enumerate(offsets_km)]
    waveform_set = write_event(tmp_path / "set", rows, list(event_waveforms(0, 5)))
    sample = samples(waveform_set, max_stations=3, station_choice=choice)[0]
    assert sample[keys.OFFSET_KM].tolist() == kept_km
    numbers = [offsets_km.index(offset_km) for offset_km in kept_km]
    np.testing.assert_array_equal(sample[keys.WAVEFORM][:, 0], event_waveforms(0, 5)[numbers, 0])


def test_without_offsets_the_earliest_onsets_are_nearest(tmp_path: Path) -> None:
    rows = [trace_row(0, i, trace_onset_s=onset_s) for i, onset_s in enumerate((7.0, 5.0, np.nan, 6.0))]
    for row in rows:
        del row["path_ep_distance_km"]
    sample = samples(write_event(tmp_path / "set", rows, list(event_waveforms(0))), max_stations=2)[0]
    assert sample[keys.ONSET_S].tolist() == [5.0, 6.0]
    assert sample[keys.OFFSET_KM].isnan().all()


def test_targets(small: WaveformSet) -> None:
    targets = {"source_type": {"blast": 0}, "source_depth_km": None}
    batch = collate_events([samples(small, targets=targets)[i] for i in range(4)])
    assert batch[keys.TARGETS]["source_type"].tolist() == [0, -1, -1, 0]
    assert batch[keys.TARGETS]["source_type"].dtype == torch.int64
    assert batch[keys.TARGETS]["source_depth_km"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert batch[keys.TARGETS]["source_depth_km"].dtype == torch.float32
    with pytest.raises(DataError, match=r"no event column 'source_typ'. Did you mean 'source_type'"):
        samples(small, targets={"source_typ": {"a": 0}})


def test_batches_are_padded_and_masked(tmp_path: Path) -> None:
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        for event, n_stations in enumerate((2, 5, 1)):
            rows = [trace_row(event, station) for station in range(n_stations)]
            writer.add_event(rows, event_waveforms(event, n_stations))
    dataset = samples(WaveformSet(tmp_path / "set"), components="ZNE")
    batch = collate_events([dataset[i] for i in range(3)])
    assert batch[keys.WAVEFORM].shape == (3, 5, 3, N_SAMPLES)
    assert batch[keys.STATION_MASK].sum(dim=1).tolist() == [2, 5, 1]
    assert batch[keys.COMPONENT_MASK].sum(dim=(1, 2)).tolist() == [6, 15, 3]
    assert not batch[keys.WAVEFORM][0, 2:].any() and batch[keys.OFFSET_KM][0, 2:].isnan().all()
    for i, n_stations in enumerate((2, 5, 1)):
        np.testing.assert_array_equal(batch[keys.WAVEFORM][i, :n_stations], event_waveforms(i, n_stations))
    assert batch[keys.SAMPLING_RATE_HZ] == RATE_HZ and batch[keys.SOURCE_ID] == ["ev000", "ev001", "ev002"]


def test_batches_of_two_rates_are_refused(small: WaveformSet) -> None:
    mixed = [samples(small)[0], samples(small, sampling_rate_hz=10.0)[0]]
    with pytest.raises(DataError, match=r"mixes the sampling rates \[10.0, 20.0\]"):
        collate_events(mixed)


def test_a_reference_that_is_missing_is_named(tmp_path: Path) -> None:
    rows = [trace_row(0, i, source_origin_time=None, trace_onset_s=None) for i in range(4)]
    waveform_set = write_event(tmp_path / "set", rows, list(event_waveforms(0)))
    assert samples(waveform_set)[0][keys.START_S].isnan().all()
    with pytest.raises(DataError, match=r"'origin' needs source_origin_time .* 1 events lack, first 'ev000'"):
        samples(waveform_set, Window("origin"))
    with pytest.raises(DataError, match="'onset' needs trace_onset_s"):
        samples(waveform_set, Window("onset"))


def test_times_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    rows = [trace_row(0, i) for i in range(4)]
    rows[1]["trace_start_time"] = None
    with pytest.raises(DataError, match="with and without trace_start_time"):
        samples(write_event(tmp_path / "partial", rows, list(event_waveforms(0))))
    rows[1]["trace_start_time"] = "yesterday"
    with pytest.raises(DataError, match="trace_start_time='yesterday' of event 'ev000' is not a time"):
        samples(write_event(tmp_path / "words", rows, list(event_waveforms(0))))


def test_a_bare_foreign_set_is_served(tmp_path: Path) -> None:
    """No times, no coordinates, no source_id: the trace itself is the reference."""
    table = pd.DataFrame({"trace_name": ["b$0", "b$1"]})
    write_foreign(tmp_path / "set", table, {"b": event_waveforms(0, 2)}, {"sampling_rate": 20})
    sample = samples(WaveformSet(tmp_path / "set"))[1]
    np.testing.assert_array_equal(sample[keys.WAVEFORM][0], event_waveforms(0, 2)[1, :1])
    for key in (keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.ONSET_S, keys.START_S, keys.SOURCE_DEPTH_KM):
        assert sample[key].isnan().all()


def test_distances_and_onsets_come_from_other_columns_where_need_be(tmp_path: Path) -> None:
    """Paris to Rome is 1106.601 km on WGS84, at 130.493 degrees from north (ObsPy)."""
    places = dict(zip(COORDINATES, (48.8566, 2.3522, 41.9028, 12.4964), strict=True))
    given = ["trace_onset_s", "path_ep_distance_km", "path_azimuth_deg"]
    known = trace_row(0, 0)
    unknown = {key: value for key, value in trace_row(0, 1).items() if key not in given}
    rows = [known, unknown | places | {"trace_p_arrival_sample": 84.0}]
    waveform_set = write_event(tmp_path / "set", rows, list(event_waveforms(0, 2)))
    sample = samples(waveform_set)[0]
    assert sample[keys.OFFSET_KM].tolist() == pytest.approx([10.0, 1106.601], abs=0.001)
    assert sample[keys.AZIMUTH_DEG].tolist() == pytest.approx([0.0, 130.493], abs=0.001)
    assert sample[keys.ONSET_S].tolist() == pytest.approx([3.0, 4.2])


@pytest.mark.parametrize(
    "changes",
    [
        {"components": ""},
        {"components": "ZZ"},
        {"sampling_rate_hz": 0.0},
        {"max_stations": 0},
        {"station_choice": "best"},
        {"epicentre_error_km": -1.0},
        {"origin_error_s": float("nan")},
    ],
)
def test_settings_are_checked(small: WaveformSet, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(changes))):
        samples(small, **changes)


@pytest.mark.parametrize("changes", [{"reference": "onsett"}, {"length_s": 0.0}, {"jitter_s": -1.0}])
def test_windows_are_checked(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"window.{next(iter(changes))}"):
        Window(**changes)


def test_reading_on_and_on_needs_no_more_memory(small: WaveformSet) -> None:
    dataset = samples(small)
    for i in range(len(dataset)):
        dataset[i]
    tracemalloc.start()
    for _ in range(30):
        for i in range(len(dataset)):
            dataset[i]
    grown_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown_bytes < 50_000


def test_a_pickled_copy_serves_the_same(small: WaveformSet) -> None:
    dataset = samples(small, Window("onset", -1, 3, jitter_s=1))
    copy = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(copy[3][keys.WAVEFORM], dataset[3][keys.WAVEFORM])


def test_shared_foreign_set(shared_data: Path) -> None:
    waveform_set = WaveformSet(shared_data / "ipoc_seisbench")
    dataset = EventSamples(
        waveform_set,
        waveform_set.source_ids[:5],
        window=Window("trace", 0, 12),
        components="ZNE",
        targets={"source_depth_km": None, "source_event_category": {"ID": 0}},
    )
    batch = collate_events([dataset[i] for i in range(5)])
    assert batch[keys.WAVEFORM].shape == (5, 1, 3, 240)
    assert 1 < batch[keys.TARGETS]["source_depth_km"][0] < 200
    assert ((batch[keys.OFFSET_KM] > 0) & (batch[keys.OFFSET_KM] < 500)).all()


def placed_set(path: Path, n_stations: int = 6) -> WaveformSet:
    """One event at 60 N with stations around it whose distances the table does not give."""
    rows = []
    for station in range(n_stations):
        row = trace_row(0, station) | dict(
            zip(COORDINATES, (60.0, -20.0, 58.0 + station, -22.0 + station), strict=True)
        )
        rows.append({key: value for key, value in row.items() if not key.startswith("path_")})
    return write_event(path, rows, list(event_waveforms(0, n_stations)))


def test_back_azimuths_are_computed_or_read(small: WaveformSet, tmp_path: Path) -> None:
    from obspy.geodetics import gps2dist_azimuth

    sample = samples(placed_set(tmp_path / "set"))[0]
    expected = [gps2dist_azimuth(60.0, -20.0, 58.0 + i, -22.0 + i) for i in range(6)]
    np.testing.assert_allclose(sample[keys.BACK_AZIMUTH_DEG], [path[2] for path in expected], atol=1e-3)
    np.testing.assert_allclose(sample[keys.OFFSET_KM], [path[0] / 1e3 for path in expected], rtol=1e-6)
    assert samples(small)[0][keys.BACK_AZIMUTH_DEG].isnan().all()
    row = trace_row(0, 0, path_back_azimuth_deg=-90.0)
    given = samples(write_event(tmp_path / "given", [row], list(event_waveforms(0, 1))))
    assert given[0][keys.BACK_AZIMUTH_DEG].tolist() == [270.0]
    batch = collate_events([given[0], samples(placed_set(tmp_path / "more"))[0]])
    assert batch[keys.BACK_AZIMUTH_DEG][0, 1:].isnan().all() and batch[keys.BACK_AZIMUTH_DEG][0, 0] == 270


def test_wrong_epicentres_change_the_geometry_consistently(tmp_path: Path) -> None:
    """All six distances fit one epicentre, some kilometres off; targets and waveforms stay."""
    from obspy.geodetics import gps2dist_azimuth
    from scipy.optimize import least_squares

    waveform_set = placed_set(tmp_path / "set")
    true, wrong = samples(waveform_set), samples(waveform_set, epicentre_error_km=20.0)
    offset_km = wrong[0][keys.OFFSET_KM].numpy().astype(float)
    assert 1 < np.abs(offset_km - true[0][keys.OFFSET_KM].numpy()).max() < 80
    assert torch.equal(wrong[0][keys.WAVEFORM], true[0][keys.WAVEFORM])

    def paths(place: np.ndarray) -> np.ndarray:
        return np.array([gps2dist_azimuth(*place, 58.0 + i, -22.0 + i) for i in range(6)])

    found = least_squares(lambda place: paths(place)[:, 0] / 1e3 - offset_km, [60.0, -20.0], diff_step=1e-5)
    assert np.abs(found.fun).max() < 0.02
    np.testing.assert_allclose(wrong[0][keys.AZIMUTH_DEG], paths(found.x)[:, 1], atol=0.05)
    np.testing.assert_allclose(wrong[0][keys.BACK_AZIMUTH_DEG], paths(found.x)[:, 2], atol=0.05)
    again = samples(waveform_set, epicentre_error_km=20.0)[0][keys.OFFSET_KM]
    assert torch.equal(again, wrong[0][keys.OFFSET_KM])
    assert not torch.equal(again, samples(waveform_set, epicentre_error_km=20.0, seed=1)[0][keys.OFFSET_KM])


def test_epicentre_errors_have_the_size_asked_for() -> None:
    from obspy.geodetics import gps2dist_azimuth

    latitude_deg, longitude_deg = moved_deg(np.array([75.0]), np.array([179.9]), np.array([30.0]), np.array([40.0]))
    metres, azimuth_deg, _ = gps2dist_azimuth(75.0, 179.9, latitude_deg[0], longitude_deg[0])
    assert metres == pytest.approx(50e3, rel=0.01)
    assert azimuth_deg == pytest.approx(53.13, abs=1.0)


def test_wrong_epicentres_need_coordinates(small: WaveformSet) -> None:
    with pytest.raises(DataError, match=r"epicentre_error_km=5 needs source_latitude_deg.* 40 traces"):
        samples(small, epicentre_error_km=5.0)


def test_wrong_origin_times_move_windows_and_labels_alike(small: WaveformSet) -> None:
    """A sample said to lie t after the origin really lies t plus the error after it."""
    claimed, errors = samples(small, Window("origin", 3.0, 4.0), origin_error_s=0.5), []
    from_start = samples(small, Window("trace", 1.0, 4.0), origin_error_s=0.5)
    for i in range(len(small)):
        error_s = 3.0 - float(from_start[i][keys.START_S][0])
        assert claimed[i][keys.START_S].tolist() == pytest.approx([3.0] * 4)
        first = round((1.0 + error_s) * RATE_HZ)
        np.testing.assert_array_equal(claimed[i][keys.WAVEFORM][:, 0], event_waveforms(i)[:, 0, first : first + 80])
        errors.append(error_s)
    assert 0.2 < np.std(errors) < 1.0


@pytest.mark.parametrize("window", [Window("random", 0, 4), Window("trace", 0, 4, complete=True)])
def test_windows_of_single_traces_are_refused_for_events(small: WaveformSet, window: Window) -> None:
    with pytest.raises(ConfigurationError, match="for single traces"):
        samples(small, window)
