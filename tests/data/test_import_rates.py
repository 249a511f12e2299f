"""Several rates in one station, rates told inexactly, and components between whose samples the grid falls."""

import numpy as np
import pytest
from obspy import Stream, Trace
from recorded_trees import ORIGIN, add_up, recipe, write_events

from seisvision.data.importing.formats.waveform_files import Segment
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import Processing
from seisvision.data.importing.series.signals import join, process
from seisvision.data.importing.series.time_grid import at_positions, clean_rate, later, to_rate
from seisvision.data.importing.tables.times import NS
from seisvision.data.sets.waveform_set import WaveformSet

PULSE_S = 60.0
"""The pulse is that long after the start of the recordings."""
WHOLE = {"taper_fraction": 0.0}


def pulse(rate, after_s=0.0, length_s=120.0):
    """A pulse of 4 Hz on a slow swing, sampled from ``after_s`` after the start on."""
    t = np.arange(round(length_s * rate)) / rate + after_s - PULSE_S
    return 2000 * np.exp(-((t / 1.5) ** 2)) * np.cos(2 * np.pi * 4 * t) + 3 * np.sin(2 * np.pi * 0.7 * t)


def channel(letter, rate, after_s=0.0, length_s=120.0):
    header = {"network": "XX", "station": "AAA", "channel": f"HH{letter}", "sampling_rate": rate}
    samples = pulse(rate, after_s, length_s).astype(np.float32)
    return Trace(samples, header | {"starttime": ORIGIN - 40 + after_s})


def imported(folder, traces, **sections):
    (folder / "waveforms").mkdir()
    Stream(traces).write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    write_events(folder / "events.csv", ["ev0"])
    report = run_import(recipe(folder, {"stations": None}, **sections), folder / "set")
    assert add_up(report)
    made = WaveformSet(folder / "set")
    return report, made.metadata.iloc[0], made.read_trace(0, made.metadata.trace_component_order[0])[0]


def lateness_s(samples, rate, first_s=0.0):
    """By how much the pulse is late, to a small part of a sample."""
    t = np.arange(len(samples)) / rate + first_s
    shifts = np.linspace(-1, 1, 201) / rate
    model = [np.interp(t, np.arange(12000) / 100.0 + shift, pulse(100.0)) for shift in shifts]
    return shifts[np.argmin([np.square(samples - expected).sum() for expected in model])]


@pytest.mark.parametrize(
    ("rates", "expected"), [((100, 50, 50), 50), ((40, 100, 100), 100), ((100, 40, 50), 40), ((100, 50), 50)]
)
@pytest.mark.parametrize("window", [None, {"reference": "origin", "before_s": 10, "length_s": 40}])
def test_components_of_a_station_come_to_one_rate(tmp_path, rates, expected, window, caplog):
    traces = [channel(letter, rate) for letter, rate in zip("ZNE", rates, strict=False)]
    _, row, samples = imported(tmp_path, traces, processing=WHOLE, window=window)
    assert row.trace_sampling_rate_hz == expected and len(samples) == len(rates)
    assert row.trace_component_rates_hz == " ".join(map(str, rates))
    assert not caplog.records, "a table that was just written is in doubt"
    assert row.trace_original_sampling_rate_hz == min(rates) and row.trace_upsampled == (expected > min(rates))
    begin_s = 0 if window is None else 30
    assert samples.shape[1] == (120 if window is None else 40) * expected
    assert all(abs(lateness_s(part, expected, begin_s)) < 0.2 / expected for part in samples)


@pytest.mark.parametrize("rates", [(100, 99.9999), (99.9999, 100.0001, 100), (39.999996, 40)])
def test_rates_told_inexactly_are_one_clean_rate(tmp_path, rates):
    pieces, nominal = [], round(rates[0])
    for i, rate in enumerate(rates):
        piece = channel("Z", nominal, 30.0 * i, 30.0)
        piece.stats.sampling_rate = rate
        pieces.append(piece)
    whole = channel("Z", nominal).data[: 30 * nominal * len(rates)]
    _, row, samples = imported(tmp_path, pieces, processing=WHOLE | {"max_gap_s": 0}, quality={"max_flat_s": 99})
    assert row.trace_sampling_rate_hz == nominal and row.trace_interpolated_s == 0
    assert samples.shape == (1, len(whole)) and np.corrcoef(samples[0], whole)[0, 1] > 0.9999


@pytest.mark.parametrize(
    ("told", "clean"),
    [(99.9999, 100), (39.999996, 40), (1 / 0.0099999998, 100), (31.25, 31.25), (33.33334, 100 / 3), (0.0999999, 0.1)],
)
def test_clean_rates(told, clean):
    assert clean_rate(told) == pytest.approx(clean, rel=1e-12)


@pytest.mark.parametrize("rate", [99.99, 100.02, 49.998])
@pytest.mark.parametrize("rate_hz", [None, 40])
def test_a_drifting_clock_misplaces_nothing(rate, rate_hz):
    t = np.arange(round(3600 * rate)) / rate
    samples = np.exp(-(((t - 3500) / 0.5) ** 2))
    segment = Segment("XX", "AAA", "", "HHZ", 0, rate, len(samples), samples, {})
    joined = process(join([segment], 1.0, "f", "counts"), Processing(rate_hz=rate_hz, taper_fraction=0))
    assert joined.rate_hz == (rate_hz or round(rate)) and joined.original_rate_hz == rate
    assert np.argmax(joined.samples) / joined.rate_hz == pytest.approx(3500, abs=0.5 / joined.rate_hz)


def packets(rate, jitter_s):
    """Packets of two seconds, as many as make two minutes, with the nominal 100 Hz in their headers."""
    rng = np.random.default_rng(0)
    for k in range(60):
        after_s = 200 * k / rate
        t = np.arange(200) / rate + after_s - PULSE_S
        start_ns = round((after_s + rng.uniform(-jitter_s, jitter_s)) * NS)
        yield Segment("XX", "AAA", "", "HHZ", start_ns, 100.0, 200, np.exp(-((t / 0.2) ** 2)), {})


@pytest.mark.parametrize(("rate", "jitter_s"), [(100, 0.0045), (100.03, 0), (99.96, 0.001)])
def test_packets_join_in_spite_of_jitter_and_drift(rate, jitter_s):
    joined = join(list(packets(rate, jitter_s)), 1.0, "f", "counts")
    assert joined.interpolated_s == 0 and not joined.overlap_differs
    assert joined.start_ns / NS + np.argmax(joined.samples) / 100 == pytest.approx(PULSE_S, abs=0.0075)


@pytest.mark.parametrize("rate", [100.03, 99.96])
def test_a_drift_within_one_file_is_read_from_the_times_of_the_records(tmp_path, rate):
    pieces = []
    for k in range(60):
        piece = channel("Z", 100.0, 200 * k / rate, 2.0)
        piece.data = pulse(rate, 200 * k / rate, 2.0)[:200].astype(np.float32)
        pieces.append(piece)
    _, row, samples = imported(tmp_path, pieces, processing=WHOLE)
    assert row.trace_sampling_rate_hz == 100 and row.trace_original_sampling_rate_hz == pytest.approx(rate, abs=0.01)
    assert abs(lateness_s(samples[0], 100)) < 0.005


@pytest.mark.parametrize("offsets_s", [(0.0, 0.0049, -0.0049), (0.0, 0.0051, 3.2549)])
def test_components_lie_on_one_grid(tmp_path, offsets_s):
    traces = [channel(letter, 100, after_s, 110) for letter, after_s in zip("ZNE", offsets_s, strict=True)]
    _, row, samples = imported(tmp_path, traces, processing=WHOLE)
    first_s = max(0.0, np.ceil(max(offsets_s) * 100) / 100)
    late = [lateness_s(part, 100, first_s) for part in samples]
    assert np.abs(late).max() < 0.0006 and row.trace_sampling_rate_hz == 100


def test_samples_between_samples():
    t = np.arange(4000) / 100
    wave = np.sin(2 * np.pi * 31 * t) + 1e6
    inside = slice(30, -30)
    assert np.allclose(later(wave, 0.3)[inside], (np.sin(2 * np.pi * 31 * (t[:-1] + 0.003)) + 1e6)[inside], atol=2e-3)
    positions = np.arange(3000) * 1.0007
    expected = np.sin(2 * np.pi * 31 * positions / 100) + 1e6
    assert np.allclose(at_positions(wave, positions)[inside], expected[inside], atol=5e-3)
    assert len(to_rate(wave, 100, 50)) == 2000
