"""The onset detector on made and on real arrivals."""

import numpy as np
import pandas as pd
import pytest
from obspy import UTCDateTime, read

from seisvision.data.importing.series.band import band_pass
from seisvision.picking.first_motion import detect_onset

RATE = 50.0


def record(seed, pieces, seconds=90.0):
    """Noise of amplitude 1 plus (start_s, amplitude, rise_s, decay_s) tremors of 3 to 8 Hz, band-passed."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    total = rng.normal(size=len(time))
    for start_s, amplitude, rise_s, decay_s in pieces:
        after = time - start_s
        envelope = np.where(after >= 0, np.exp(-after / decay_s) * np.minimum(1, after / max(rise_s, 1e-6)), 0)
        total = total + 3 * amplitude * envelope * band_pass(rng.normal(size=len(time)), RATE, (3, 8))
    return band_pass(total, RATE, (1, 10), zerophase=False)


def errors(pieces, true_s, n=25):
    return np.array([detect_onset(record(seed, pieces), RATE).time_s - true_s for seed in range(n)])


def test_impulsive_arrivals_are_found_within_a_third_of_a_second():
    assert np.mean(np.abs(errors([(40.0, 20, 0, 6)], 40.0)) < 0.35) > 0.9


def test_the_first_arrival_is_found_ahead_of_a_stronger_second_one():
    assert np.mean(np.abs(errors([(40.0, 8, 0, 8), (48.0, 30, 0, 8)], 40.0)) < 0.7) > 0.8


def test_a_separate_earlier_event_is_not_taken():
    assert np.mean(np.abs(errors([(12.0, 10, 0, 1.5), (50.0, 30, 0, 8)], 50.0)) < 0.7) > 0.8


def test_slow_rises_are_found_within_their_rise():
    found = errors([(35.0, 15, 8, 15)], 35.0)
    assert np.nanmedian(found) > -1 and np.nanmedian(found) < 5


def test_noise_has_no_onset():
    found = [detect_onset(record(seed, []), RATE) for seed in range(40)]
    assert np.mean([np.isfinite(onset.time_s) for onset in found]) < 0.05


@pytest.mark.parametrize("samples", [np.zeros(10), np.zeros(5000)])
def test_nothing_is_made_of_nothing(samples):
    assert np.isnan(detect_onset(samples, RATE).time_s)


def test_scale_does_not_matter():
    samples = record(1, [(40.0, 20, 0, 6)])
    assert detect_onset(samples * 1e-9, RATE).time_s == pytest.approx(detect_onset(samples, RATE).time_s)


def test_analyst_onsets_of_a_volcano_are_met(shared_data):
    """Records of mt_baker begin 5 s before the onset an analyst read."""
    files = sorted((shared_data / "mt_baker" / "waveforms").glob("*/*.mseed"))[::4]
    found = []
    for file in files:
        trace = read(str(file))[0].detrend("linear").taper(0.05, max_length=1)
        samples = band_pass(trace.data, trace.stats.sampling_rate, (2, 12), zerophase=False)
        found.append(detect_onset(samples, 50.0).time_s)
    assert np.mean(np.abs(np.array(found) - 5.0) < 0.5) > 0.7


def test_picks_of_bardarbunga_are_met_where_signals_stand_out(shared_data):
    """A swarm: other events often come before or after in the same record, so the median is asked for."""
    folder = shared_data / "bardarbunga" / "waveforms"
    late_s = []
    for path in sorted(folder.glob("*_picks.csv"))[:6]:
        stream = read(str(folder / path.name.replace("_picks.csv", ".mseed"))).detrend("linear").taper(0.05)
        picks = pd.read_csv(path)
        for row in picks[(picks.Phase == "P") & (picks.PickTime.astype(str) != "-1")].itertuples():
            trace = stream.select(station=row.Station, component="Z")[0]
            found = detect_onset(band_pass(trace.data, 100.0, (2, 12), zerophase=False), 100.0).time_s
            late_s.append(found - (UTCDateTime(row.PickTime) - trace.stats.starttime))
    assert abs(np.nanmedian(late_s)) < 0.3


def test_motion_from_the_first_seconds_on_is_no_failure():
    """At 16 Hz the half second that is searched then holds one sample less than the criterion needs."""
    for rate_hz in (10.0, 15.0, 16.0, 17.0, 20.0):
        samples = np.random.default_rng(0).normal(size=round(12 * rate_hz))
        first = round(3 * rate_hz) + 1
        samples[first : first + round(0.5 * rate_hz)] *= 100
        assert 0 <= detect_onset(samples, rate_hz).time_s <= 3.2
