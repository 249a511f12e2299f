"""Single traces: windows that tell nothing of the origin time, draws that follow from names."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small_sets import N_SAMPLES, RATE_HZ, event_waveforms, trace_row, write_set

from seisvision import keys
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.paths import COORDINATES
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.samples.window import Window
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.memory import SamplesInMemory
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import ConfigurationError, DataError

N_EVENTS, N_STATIONS = 6, 5
BURSTS = {"bands_hz": [[1.0, 4.0]], "sta_s": 1.0, "threshold": 3.0}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    return write_set(tmp_path_factory.mktemp("sets") / "small")


def traces(waveform_set: WaveformSet, window: Window, rows: Any = None, **changes: Any) -> TraceSamples:
    rows = range(len(waveform_set.metadata)) if rows is None else rows
    return TraceSamples(waveform_set, rows, window=window, **changes)


def stacked(samples: TraceSamples) -> torch.Tensor:
    return torch.cat([samples[i][keys.WAVEFORM] for i in range(len(samples))])


def recordings(event: int) -> np.ndarray:
    """(S, 3, 60 s): weak noise, and from some moment on, different at every station, strong motion for 12 s."""
    rng = np.random.default_rng(100 + event)
    motion = rng.normal(size=(N_STATIONS, 3, round(60 * RATE_HZ)))
    for station, onset_s in enumerate(20 + 3 * rng.random(N_STATIONS) + 2 * np.arange(N_STATIONS)):
        motion[station, :, round(onset_s * RATE_HZ) : round((onset_s + 12) * RATE_HZ)] *= 30
    return motion.astype(np.float32)


def write_recordings(path: Path, *, lead_s: float, shift_s: float, late_s: float, pick: bool) -> WaveformSet:
    """Write the same recordings with ``lead_s`` of zeros before them and other times in the table.

    Args:
        path: folder of the set.
        lead_s: zeros recorded before the motion.
        shift_s: everything happens that much later.
        late_s: the origin time is given that much later still.
        pick: onsets stand in the table; else they must be detected.
    """
    with WaveformSetWriter(path, card={"name": path.name}) as writer:
        for event in range(N_EVENTS):
            start = pd.Timestamp("2020-01-01T00:00:02Z") + pd.Timedelta(seconds=shift_s - lead_s)
            origin = pd.Timestamp("2020-01-01T00:00:00Z") + pd.Timedelta(seconds=shift_s + late_s)
            changes = {"trace_start_time": start.isoformat(), "source_origin_time": origin.isoformat()}
            rows = [
                trace_row(event, station, trace_onset_s=20.0 + station + lead_s if pick else None, **changes)
                for station in range(N_STATIONS)
            ]
            waveforms = np.pad(recordings(event), ((0, 0), (0, 0), (round(lead_s * RATE_HZ), 0)))
            writer.add_event(rows, waveforms)
    return WaveformSet(path)


@pytest.fixture(scope="module", params=[True, False], ids=["picked", "detected"])
def twins(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[WaveformSet, WaveformSet]:
    folder = tmp_path_factory.mktemp("twins")
    return (
        write_recordings(folder / "one", lead_s=0, shift_s=0, late_s=0, pick=request.param),
        write_recordings(folder / "other", lead_s=100, shift_s=3e6 + 0.013, late_s=7.3, pick=request.param),
    )


@pytest.mark.parametrize("jitter_s", [0.0, 2.0])
def test_onset_windows_do_not_depend_on_any_clock(twins: tuple[WaveformSet, WaveformSet], jitter_s: float) -> None:
    window = Window("onset", -5.0, 12.0, jitter_s=jitter_s, complete=True)
    one, other = (traces(waveform_set, window, components="ZNE", onset=BURSTS) for waveform_set in twins)
    assert len(one) == N_EVENTS * N_STATIONS
    assert torch.equal(stacked(one), stacked(other))
    onsets = [torch.cat([samples[i][keys.ONSET_S] for i in range(len(samples))]) for samples in (one, other)]
    np.testing.assert_allclose(onsets[0], onsets[1], atol=1e-4)
    # The labels that only views with a right to them may draw do differ.
    assert float((one[0][keys.START_S] - other[0][keys.START_S]).abs()) == pytest.approx(7.3, abs=1e-3)


def test_origin_and_trace_windows_do_depend_on_the_clock(twins: tuple[WaveformSet, WaveformSet]) -> None:
    for window in (Window("origin", 10.0, 12.0), Window("trace", 10.0, 12.0)):
        one, other = (stacked(traces(waveform_set, window)) for waveform_set in twins)
        assert not torch.equal(one, other)


def test_a_complete_window_has_no_padding_at_either_end(twins: tuple[WaveformSet, WaveformSet]) -> None:
    for window in (Window("onset", -6, 20, 3, complete=True), Window("random", length_s=20, complete=True)):
        edges = stacked(traces(twins[0], window, onset=BURSTS))[..., [0, -1]]
        assert (edges != 0).all()


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        (Window("onset", -3.5, 4, complete=True), "the window begins before the recording"),
        (Window("onset", -1.0, 8.5, complete=True), "the window ends after the recording"),
        (Window("trace", 0.5, 10, complete=True), "the window ends after the recording"),
        (Window("trace", -1, 12, complete=True), "the recording is shorter than the window"),
        (Window("random", 0, 10.05, complete=True), "the recording is shorter than the window"),
    ],
)
def test_incomplete_windows_are_refused(small: WaveformSet, window: Window, problem: str) -> None:
    with pytest.raises(DataError, match=rf"cannot be cut, first row \d+ of event 'ev00\d': {problem}"):
        traces(small, window)
    assert len(traces(small, Window(window.reference, window.start_s, window.length_s))) == 40


def test_the_longest_complete_window_is_the_recording(small: WaveformSet) -> None:
    whole = np.concatenate([event_waveforms(event)[:, :1] for event in range(10)])
    for reference in ("trace", "random"):
        np.testing.assert_array_equal(
            stacked(traces(small, Window(reference, 0, 10, complete=True)))[:, 0], whole[:, 0]
        )


def test_resampled_windows_are_complete_to_the_last_sample(small: WaveformSet) -> None:
    window = Window("trace", 0, 10, complete=True)
    for rate_hz in (10.0, 50.0, 7.0):
        waveform = stacked(traces(small, window, sampling_rate_hz=rate_hz))
        assert waveform.shape[-1] == round(10 * rate_hz) and (waveform[..., -1] != 0).all()


def test_a_trace_is_the_same_alone_as_in_its_event(small: WaveformSet) -> None:
    window = Window("trace", 1.0, 6.0)
    alone = traces(small, window, [14, 3, 15], components="ZE")
    event = EventSamples(small, ["ev003"], window=window, components="ZE")[0]
    sample = alone[0]
    for key in (keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.ONSET_S, keys.START_S, keys.STATION_MASK, keys.WAVEFORM):
        np.testing.assert_allclose(sample[key], event[key][2:3], rtol=1e-6)
    assert sample[keys.COMPONENT_MASK].shape == (1, 2)
    assert sample[keys.SOURCE_ID] == "ev003" and sample[keys.TRACE_ID] == "14"
    assert float(sample[keys.SOURCE_DEPTH_KM]) == 4.0 and sample[keys.SAMPLING_RATE_HZ] == RATE_HZ
    assert alone.sample_ids == ("14", "3", "15") and alone.source_ids == ("ev003", "ev000", "ev003")
    batch = collate_events(alone.__getitems__([0, 1]))
    assert batch[keys.WAVEFORM].shape == (2, 1, 2, 120) and batch[keys.TRACE_ID] == ["14", "3"]
    assert torch.equal(pickle.loads(pickle.dumps(alone))[2][keys.WAVEFORM], alone[2][keys.WAVEFORM])


def test_traces_of_one_event_start_by_their_own_clocks(tmp_path: Path) -> None:
    rows = [trace_row(0, i, trace_start_time=f"2020-01-01T00:00:{2 + 3 * i:02d}Z") for i in range(3)]
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        writer.add_event(rows, event_waveforms(0, 3))
    waveform_set = WaveformSet(tmp_path / "set")
    starts = [
        sample[keys.START_S].item() for sample in map(traces(waveform_set, Window("trace", 1, 4)).__getitem__, range(3))
    ]
    assert starts == [3, 6, 9]
    waveform = stacked(traces(waveform_set, Window("origin", 9, 3)))
    for i, skipped in enumerate((140, 80, 20)):
        np.testing.assert_array_equal(waveform[i, 0], event_waveforms(0, 3)[i, 0, skipped : skipped + 60])


def test_draws_follow_from_names_and_not_from_the_order_in_the_file(tmp_path: Path) -> None:
    def write(name: str, events: list[int], stations: list[int]) -> WaveformSet:
        with WaveformSetWriter(tmp_path / name, card={}) as writer:
            for event in events:
                rows = [trace_row(event, station) for station in stations]
                writer.add_event(rows, event_waveforms(event)[stations])
        return WaveformSet(tmp_path / name)

    def pictures(waveform_set: WaveformSet, window: Window, **changes: Any) -> dict[str, bytes]:
        samples = traces(waveform_set, window, **changes)
        codes = waveform_set.metadata["station_code"]
        return {
            f"{sample[keys.SOURCE_ID]}.{codes[int(sample[keys.TRACE_ID])]}": sample[keys.WAVEFORM].numpy().tobytes()
            for sample in map(samples.__getitem__, range(len(samples)))
        }

    one, other = write("one", [0, 1, 2, 3], [0, 1, 2, 3]), write("other", [3, 1, 0], [2, 0, 3, 1])
    for window in (Window("onset", -1, 3, jitter_s=1.5), Window("random", 0, 3)):
        for limit in (None, 2):
            expected, found = (pictures(some, window, max_traces_per_event=limit) for some in (one, other))
            assert found == {name: expected[name] for name in found} and len(found) == 3 * (limit or 4)
        assert pictures(one, window, seed=1) != pictures(one, window)
    kept = {tuple(sorted(name for name in pictures(one, window, max_traces_per_event=2, seed=s))) for s in range(5)}
    assert len(kept) > 1


def test_random_windows_lie_everywhere_inside_the_recording(small: WaveformSet) -> None:
    samples = traces(small, Window("random", 0, 4, complete=True))
    starts = np.array([samples[i][keys.START_S].item() - 2 for i in range(len(samples))])
    assert starts.min() >= 0 and starts.max() <= 6
    assert abs(starts.mean() - 3) < 1 and starts.std() > 1.2
    short = traces(small, Window("random", 0, 20))
    assert all((short[i][keys.WAVEFORM] != 0).sum() == N_SAMPLES for i in range(10))


def test_jitter_moves_each_trace_on_its_own(small: WaveformSet) -> None:
    samples = traces(small, Window("onset", -2, 3, jitter_s=1.0))
    onsets = np.array([samples[i][keys.ONSET_S].item() for i in range(len(samples))])
    assert (np.abs(onsets - 2) <= 1).all() and np.ptp(onsets[:4]) > 0.1 and np.ptp(onsets[::4]) > 0.1


def test_targets_of_traces(tmp_path: Path) -> None:
    places = dict(zip(COORDINATES, (48.8566, 2.3522, 41.9028, 12.4964), strict=True))
    bare = {key: value for key, value in trace_row(0, 1).items() if not key.startswith("path_")}
    rows = [trace_row(0, 0, trace_fault="gap"), bare | places, bare | {"station_code": "S9"}]
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        writer.add_event(rows, event_waveforms(0, 3))
    waveform_set = WaveformSet(tmp_path / "set")
    targets = dict.fromkeys(("path_ep_distance_km", "path_azimuth_deg", "path_back_azimuth_deg", "source_depth_km"))
    classes = {"source_type": {"quake": 0, "blast": 1}, "trace_fault": {"gap": 0}}
    found = traces(waveform_set, Window("trace", 0, 5), targets=targets | classes).targets
    np.testing.assert_allclose(found["path_ep_distance_km"], [10, 1106.601, np.nan], rtol=1e-5)
    np.testing.assert_allclose(found["path_azimuth_deg"], [0, 130.493, np.nan], atol=1e-3)
    np.testing.assert_allclose(found["path_back_azimuth_deg"], [np.nan, 317.736, np.nan], atol=1e-3)
    assert found["source_depth_km"].tolist() == [1, 1, 1] and found["source_type"].tolist() == [1, 1, 1]
    assert found["trace_fault"].tolist() == [0, -1, -1]
    with pytest.raises(DataError, match=r"no column 'path_ep_distance'. Did you mean 'path_ep_distance_km'"):
        traces(waveform_set, Window("trace", 0, 5), targets={"path_ep_distance": None})


def test_settings_are_checked(small: WaveformSet) -> None:
    with pytest.raises(ConfigurationError, match="max_traces_per_event=0"):
        traces(small, Window(), max_traces_per_event=0)
    with pytest.raises(ConfigurationError, match="sampling_rate_hz=-1"):
        traces(small, Window(), sampling_rate_hz=-1.0)
    with pytest.raises(DataError, match="trace 40 is not in"):
        traces(small, Window(), [3, 40])
    with pytest.raises(DataError, match="no onset time"):
        traces(write_nothing(small), Window("onset"))


def write_nothing(small: WaveformSet) -> WaveformSet:
    """A set whose table gives no onset."""
    path = small.path.with_name("without onset")
    with WaveformSetWriter(path, card={}) as writer:
        writer.add_event([trace_row(0, 0, trace_onset_s=None)], event_waveforms(0, 1))
    return WaveformSet(path)


def test_the_peak_of_the_event_is_that_of_its_typical_largest_trace(small: WaveformSet) -> None:
    samples = traces(small, Window(length_s=2.0), components="ZNE", event_peak=True)
    batch = collate_events([samples[i] for i in range(len(samples))])
    for event, source_id in enumerate(small.source_ids):
        waveforms = event_waveforms(event)
        peaks = np.abs(waveforms - waveforms.mean(axis=2, keepdims=True)).max(axis=(1, 2))
        members = [i for i, name in enumerate(batch[keys.SOURCE_ID]) if name == source_id]
        np.testing.assert_allclose(batch[keys.EVENT_PEAK][members], np.quantile(peaks, 0.9), rtol=1e-5)
    assert keys.EVENT_PEAK not in traces(small, Window(length_s=2.0))[0]
    kept = SamplesInMemory(samples)
    assert kept[3][keys.EVENT_PEAK] == samples[3][keys.EVENT_PEAK]
