"""Windows that reach beyond what is recorded or read, bands beyond what is sampled, and slow recordings."""

import numpy as np
import pandas as pd
import pytest
from obspy import Stream, Trace
from recorded_trees import ORIGIN, add_up, origin, recipe, trace, write_events

from seisvision.data.importing.importer import run_import
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError


def tree(folder, *traces, n_events=1):
    """Recordings from 40 s before to 80 s after the origin of each event, unless others are given."""
    (folder / "waveforms").mkdir()
    for event in range(n_events):
        channels = traces or (trace(event, "AAA"),)
        Stream(list(channels)).write(str(folder / "waveforms" / f"ev{event}.mseed"), format="MSEED")
    write_events(folder / "events.csv", [f"ev{event}" for event in range(n_events)])
    return folder


def imported(folder, association=None, **sections):
    """Report, table (None if no event is left) and rejections."""
    named = {"stations": None} | ({"association": association} if association else {})
    report = None
    try:
        report = run_import(recipe(folder, named, **sections), folder / "set", overwrite=True)
    except Exception as error:
        report = error.report
        assert add_up(report)
        return report, None, pd.read_csv(folder / "set.rejected.csv")
    assert add_up(report)
    return report, WaveformSet(folder / "set").metadata, pd.read_csv(folder / "set" / "rejected.csv")


@pytest.mark.parametrize("settings", [{"before_s": 0}, {"before_s": 2, "per_station": True}, {"before_s": -3}])
def test_a_shift_never_leads_before_the_recording_it_counts_from(tmp_path, settings):
    folder = tree(tmp_path, n_events=12)
    window = {"reference": "trace", "length_s": 40, "jitter_s": 8} | settings
    _, first, rejected = imported(folder, window=window)
    _, second, _ = imported(folder, window=window)
    begun = pd.to_datetime([str(origin(event) - 40) for event in range(12)])
    starts_s = (pd.to_datetime(first.trace_start_time) - begun).dt.total_seconds()
    assert len(first) == 12 and rejected.empty and first.trace_start_time.equals(second.trace_start_time)
    assert 0 <= min(starts_s) < 3 and 4 < max(starts_s) <= 8 - settings["before_s"]


@pytest.mark.parametrize(
    ("window", "named"),
    [
        ({"reference": "trace", "before_s": 0, "length_s": 119, "jitter_s": 30}, "window.jitter_s=30 moves"),
        ({"reference": "trace", "before_s": 9, "length_s": 60}, "window.before_s=9 asks for time before the recording"),
        ({"reference": "origin", "before_s": 500, "length_s": 60}, "it lies beyond the recording altogether"),
    ],
)
def test_the_reason_names_the_setting_that_puts_the_window_beyond_the_recording(tmp_path, window, named):
    _, made, rejected = imported(tree(tmp_path), window=window)
    assert made is None and rejected.cause[0] == "outside_recording" and named in rejected.reason[0]


@pytest.mark.parametrize("reference", ["origin", "onset", "trace"])
def test_what_is_read_by_time_reaches_over_the_window(tmp_path, reference):
    before_s = 0 if reference == "trace" else 12
    window = {"reference": reference, "before_s": before_s, "length_s": 60, "jitter_s": 2}
    _, made, rejected = imported(tree(tmp_path), {"by": "time", "before_s": 6, "after_s": 8}, window=window)
    assert rejected.empty and made.trace_pad_s.tolist() == [0]
    assert made.trace_onset_s[0] == pytest.approx({"trace": 11, "origin": 17, "onset": 12}[reference], abs=2.2)


def test_a_window_that_the_reading_ends_in_says_how_far_to_read(tmp_path):
    late = trace(0, "AAA", onset_s=45.0)
    window = {"reference": "onset", "before_s": 10, "length_s": 40}
    folder = tree(tmp_path, late)
    _, made, rejected = imported(folder, {"by": "time", "before_s": 30, "after_s": 50}, window=window)
    assert made is None and "association.after_s ends the reading: 75" in rejected.reason[0]
    _, made, rejected = imported(folder, {"by": "time", "before_s": 30, "after_s": 78}, window=window)
    assert len(made) == 1 and rejected.empty


def test_bands_beyond_what_was_recorded_are_refused(tmp_path):
    folder = tree(tmp_path, trace(0, "AAA", rate=20), trace(0, "BBB", rate=100), trace(0, "CCC", rate=25))
    _, made, rejected = imported(folder, processing={"band_hz": [1, 12.5]})
    assert made.station_code.tolist() == ["BBB", "CCC"]
    assert rejected.reason.tolist() == ["the band ends at 12.5 Hz, above half the sampling rate of 10 Hz"]
    _, made, rejected = imported(folder, processing={"band_hz": [1, 15], "rate_hz": 40})
    assert made.station_code.tolist() == ["BBB"] and set(rejected.cause) == {"slow_sampling"}
    with pytest.raises(ConfigurationError, match=r"onset_band_hz ends at 15 Hz, above half the sampling rate 20 Hz"):
        recipe(folder, processing={"rate_hz": 20}, onset_band_hz=[2, 15])
    recipe(folder, processing={"rate_hz": 10})  # the band of the default may reach beyond


@pytest.mark.parametrize("rate", [1.0, 0.1, 0.01])
def test_slow_recordings_import_with_their_onset(tmp_path, rate):
    after = np.arange(3000) - 1500
    tremor = np.where(after > 0, 2000 * np.exp(-np.maximum(after, 0) / 80) * np.sin(2 * np.pi * after / 8), 0)
    samples = (20 * np.random.default_rng(0).normal(size=3000) + tremor).astype(np.int32)
    header = {"network": "XX", "station": "AAA", "channel": "VHZ", "starttime": ORIGIN, "sampling_rate": rate}
    folder = tree(tmp_path, Trace(samples, header))
    _, made, _ = imported(folder, onset_band_hz=[0.05 * rate, 0.4 * rate])
    assert made.trace_sampling_rate_hz.tolist() == [rate]
    assert made.trace_onset_s[0] == pytest.approx(1500 / rate, abs=3 / rate)
    _, made, _ = imported(folder)  # the default band holds nothing of it
    assert np.isnan(made.trace_onset_s[0])
    _, made, rejected = imported(folder, window={"reference": "trace", "before_s": 0, "length_s": 0.4 / rate})
    assert made is None and "the window is shorter than one sample" in rejected.reason[0]


def test_a_component_that_would_halve_the_row_is_left_out(tmp_path):
    late = trace(0, "AAA", "HHE")
    late.stats.starttime += 30
    folder = tree(tmp_path, trace(0, "AAA"), trace(0, "AAA", "HHN", length_s=50), late)
    _, made, rejected = imported(folder)
    assert made.trace_component_order.tolist() == ["ZE"] and made.trace_name[0].endswith(",:4500")
    assert rejected.reason.tolist() == ["shares 50 s with component Z of the same sensor < 60 s"]
