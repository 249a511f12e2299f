"""Whatever an import does to a recording, an arrival stays where picks and predicted times are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from obspy import Stream, Trace
from obspy.core.inventory import Channel, Inventory, Network, Station
from obspy.core.inventory.response import Response
from recorded_trees import ORIGIN, write_events, write_table
from scipy.signal import freqs_zpk, hilbert

from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import Source, build_recipe, load_recipe
from seisvision.data.importing.series.band import band_pass
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.picking.first_motion import delay_s, detect_onset

CONF = Path(__file__).resolve().parents[2] / "conf" / "import"
ARRIVAL = ORIGIN + 7.2037
BEFORE_S, LENGTH_S = 40.0, 120.0
ZEROS, POLES, GAIN = [0j, 0j], [-4.44 + 4.44j, -4.44 - 4.44j], 4e8
PULSE_HZ, WIDTH_S = 6.0, 0.12
BAND = {"band_hz": [1, 12]}
HIGH_PASS = {"band_hz": [2, 20], "rate_hz": None}
AZIMUTHS = {"1": (30.0, 0.0), "2": (120.0, 0.0), "Z": (0.0, -90.0)}


def pulse(after_s, hz=PULSE_HZ, width_s=WIDTH_S, derivative=0):
    """A wavelet about zero, or its first or second derivative in time."""
    rise = -after_s / width_s**2 + 2j * np.pi * hz
    factor = [1, rise, rise**2 - 1 / width_s**2][derivative]
    return (factor * np.exp(-0.5 * (after_s / width_s) ** 2 + 2j * np.pi * hz * after_s)).real


def times_s(rate_hz, after_s=0.0, length_s=LENGTH_S):
    """Of the samples, after the arrival."""
    return np.arange(round(length_s * rate_hz)) / rate_hz + after_s - BEFORE_S - (ARRIVAL - ORIGIN)


def trace(channel="HHZ", rate_hz=100.0, after_s=0.0, length_s=LENGTH_S, seen=None, **wavelet):
    """The wavelet with some noise and a slow swing, sampled from ``after_s`` on."""
    samples = pulse(times_s(rate_hz, after_s, length_s), **wavelet) if seen is None else seen
    samples = 1e6 * samples / np.abs(samples).max() + np.random.default_rng(1).normal(size=len(samples))
    header = {"network": "XX", "station": "AAA", "channel": channel, "sampling_rate": rate_hz}
    return Trace(samples, header | {"starttime": ORIGIN - BEFORE_S + after_s})


def counts(rate_hz=100.0):
    """What a short-period seismometer writes of a ground velocity that is the first derivative of the wavelet."""
    length = 4 * round(LENGTH_S * rate_hz)
    spectrum = np.fft.rfft(pulse(times_s(rate_hz), derivative=1), length)
    omega = 2 * np.pi * np.fft.rfftfreq(length, 1 / rate_hz)
    return np.fft.irfft(spectrum * freqs_zpk(ZEROS, POLES, 1.0, omega)[1], length)[: length // 4]


def with_gap():
    """A second is missing some seconds after the arrival, and the pieces overlap before it."""
    whole = trace()
    start = whole.stats.starttime
    return [
        whole.copy().trim(start, start + 30),
        whole.copy().trim(start + 28, start + 51),
        whole.copy().trim(start + 52, start + LENGTH_S),
    ]


def turned(offset_s):
    """Components along odd directions, which are sampled at other times."""
    ground = {"Z": 1.0, "1": np.cos(np.radians(30)), "2": -np.sin(np.radians(30))}
    traces = [trace(f"HH{letter}", after_s=offset_s * i) for i, letter in enumerate(ground)]
    for one, size in zip(traces, ground.values(), strict=True):
        one.data = one.data * size
    return traces


def stations_xml(folder, letters):
    response = Response.from_paz(ZEROS, POLES, GAIN, input_units="M/S", output_units="COUNTS")
    channels = [
        Channel(
            f"HH{letter}", "", 46.0, -121.9, 100.0, 0.0, *AZIMUTHS.get(letter, (0.0, 0.0)),
            response=response, start_date=ORIGIN - 1e6,
        )
        for letter in letters
    ]  # fmt: skip
    station = Station("AAA", 46.0, -121.9, 100.0, channels=channels, start_date=ORIGIN - 1e6)
    Inventory([Network("XX", [station])], source="test").write(str(folder / "stations.xml"), format="STATIONXML")


def imported(folder, traces, settings=None, **source):
    """Row and samples (C, T) of an import of ``traces`` with a pick at the arrival."""
    (folder / "waveforms").mkdir()
    Stream(traces).write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    write_events(folder / "events.csv", ["ev0"])
    write_table(folder / "picks.csv", [{"event_id": "ev0", "station": "AAA", "phase": "P", "time": str(ARRIVAL)}])
    stations_xml(folder, sorted({one.stats.channel[-1] for one in traces}))
    plain = {
        "name": "one", "waveforms": str(folder / "waveforms"), "events": str(folder / "events.csv"),
        "stations": str(folder / "stations.xml"), "picks": str(folder / "picks.csv"),
    }  # fmt: skip
    if isinstance(settings, (dict, type(None))):
        recipe = build_recipe({"name": "set", "sources": [plain | source]} | (settings or {}))
    else:
        recipe = replace(settings, sources=(Source(**plain | source | {"waveforms": (plain["waveforms"],)}),))
    report = run_import(recipe, folder / "set")
    made = WaveformSet(folder / "set")
    row = made.metadata.iloc[0]
    return report, row, made.read_trace(0, row.trace_component_order)[0]


def late_samples(samples, row, **wavelet):
    """By how many samples the wavelet lies behind the pick."""
    rate_hz = row.trace_sampling_rate_hz
    after_s = (np.arange(len(samples)) - row.trace_p_arrival_sample) / rate_hz
    near = np.abs(after_s) < 5 * wavelet.get("width_s", WIDTH_S)
    shifts = np.linspace(-20, 20, 801)
    alike = [abs(samples[near] @ pulse(after_s[near] - shift / rate_hz, **wavelet)) for shift in shifts]
    return shifts[int(np.argmax(alike))]


CHAINS = {
    "nothing": ({}, {}),
    "band-pass": ({"processing": BAND}, {}),
    "high-pass, for the band ends near half the rate": ({"processing": HIGH_PASS}, {"rate_hz": 40.0}),
    "half the rate": ({"processing": {"rate_hz": 50}}, {}),
    "40 of 100 Hz": ({"processing": {"rate_hz": 40}}, {}),
    "a higher rate": ({"processing": {"rate_hz": 100}}, {"rate_hz": 62.5}),
    "an odd ratio": ({"processing": {"rate_hz": 33.3}}, {}),
    "a drifting clock": ({"processing": {"rate_hz": 50}}, {"rate_hz": 99.99}),
    "a late start": ({"processing": BAND | {"rate_hz": 40}}, {"after_s": 12.3456}),
    "a short recording": ({"processing": {"band_hz": [0.1, 12]}}, {"after_s": 44.0, "length_s": 11.0}),
    "all of it": ({"processing": BAND | {"rate_hz": 40, "normalise": "trace_rms"}}, {}),
    "a window": ({"window": {"reference": "onset", "before_s": 10, "length_s": 30, "jitter_s": 5}}, {}),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_an_arrival_stays_within_a_quarter_of_a_sample_of_its_pick(tmp_path, chain):
    settings, made = CHAINS[chain]
    _, row, samples = imported(tmp_path, [trace(**made)], settings)
    assert abs(late_samples(samples[0], row)) <= 0.25


@pytest.mark.parametrize(("output", "derivative"), [("DISP", 0), ("VEL", 1), ("ACC", 2)])
@pytest.mark.parametrize("settings", [{}, {"processing": BAND | {"rate_hz": 50}}])
def test_responses_integration_and_differentiation_move_nothing(tmp_path, output, derivative, settings):
    _, row, samples = imported(tmp_path, [trace(seen=counts())], settings, response="remove", output=output)
    assert abs(late_samples(samples[0], row, derivative=derivative)) <= 0.25


@pytest.mark.parametrize("settings", [{}, {"processing": BAND | {"rate_hz": 50}}])
@pytest.mark.parametrize("traces", [with_gap(), turned(0.0), turned(0.0037), turned(2.5)], ids=range(4))
def test_joining_turning_and_one_time_grid_move_nothing(tmp_path, settings, traces):
    _, row, samples = imported(tmp_path, traces, settings)
    for component, one in zip(row.trace_component_order, samples, strict=True):
        # The ground moves up and north only.
        if component != "E":
            assert abs(late_samples(one, row)) <= 0.25


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_the_recipes_that_are_shipped_move_nothing(tmp_path, name):
    recipe = load_recipe(CONF / f"{name}.yaml", "nowhere")
    assert recipe.processing.zerophase
    recipe = replace(recipe, quality=replace(recipe.quality, min_stations=1, min_signal_stations=0), window=None)
    middle_hz = float(np.sqrt(np.prod(recipe.processing.band_hz)))
    wavelet = {"hz": middle_hz, "width_s": 1 / middle_hz}
    _, row, samples = imported(tmp_path, [trace(**wavelet)], recipe)
    assert row.trace_sampling_rate_hz == recipe.processing.rate_hz
    assert abs(late_samples(samples[0], row, **wavelet)) <= 0.25


def test_a_causal_filter_delays_and_says_so(tmp_path):
    report, row, samples = imported(tmp_path, [trace()], {"processing": BAND | {"zerophase": False}})
    # The filter changes the shape, so the middle of the envelope is asked for.
    late_s = (np.argmax(np.abs(hilbert(samples[0]))) - row.trace_p_arrival_sample) / row.trace_sampling_rate_hz
    assert late_s > 0.04
    note = next(note for note in report.notes if "causal" in note)
    told_s = float(note.split("about ")[1].split(" s")[0])
    assert told_s == pytest.approx(late_s, abs=0.02) and "zerophase=true" in note


def arrivals(rate_hz, ratio, n=25):
    """Recordings in which noise sets in, and when, in seconds after their start."""
    for seed in range(n):
        rng = np.random.default_rng([seed, round(ratio)])
        onset_s = 40 + rng.uniform(0, 1)
        after_s = np.arange(round(80 * rate_hz)) / rate_hz - onset_s
        noise, motion = rng.normal(size=(2, len(after_s)))
        yield onset_s, noise + ratio * motion * np.where(after_s < 0, 0, np.exp(-np.maximum(after_s, 0) / 6))


@pytest.mark.parametrize("band", [(1, 10), (3, 20)])
@pytest.mark.parametrize("ratio", [10, 10_000])
def test_onsets_are_found_neither_early_nor_late(tmp_path, band, ratio):
    """In the filtered set strong ones would come early by tenths of a second, in a causal one late.

    So would the low-pass of the resampling let them, by a tenth of a second and more.
    """
    errors_s = []
    for i, (onset_s, samples) in enumerate(arrivals(100.0, ratio, 12)):
        folder = tmp_path / str(i)
        folder.mkdir()
        header = {"network": "XX", "station": "AAA", "channel": "HHZ", "sampling_rate": 100.0}
        one = Trace(samples * 1000, header | {"starttime": ORIGIN - 40})
        settings = {"processing": {"band_hz": list(band), "rate_hz": 50}, "onset_band_hz": list(band)}
        row = imported(folder, [one], settings, picks=None)[1]
        errors_s.append(row.trace_onset_s - onset_s)
    assert abs(np.median(errors_s)) < 0.03 and np.min(errors_s) > -0.1


def test_the_delay_of_the_detector_is_what_is_taken_off():
    for band in ((1, 10), (5, 18)):
        made = [(onset_s, band_pass(one, 100.0, band, zerophase=False)) for onset_s, one in arrivals(100.0, 30)]
        found = [(onset_s, detect_onset(one, 100.0)) for onset_s, one in made]
        late_s = np.median([onset.time_s - onset_s for onset_s, onset in found])
        taken_s = np.median([delay_s(onset.snr, band) for _, onset in found])
        assert late_s > 0.01 and abs(late_s - taken_s) < 0.02


def test_strong_arrivals_are_taken_off_less_and_narrow_bands_more():
    assert delay_s(1000, (1, 10)) < delay_s(10, (1, 10)) < delay_s(10, (1, 5))
    assert pd.Series([delay_s(ratio, (1, 10)) for ratio in (0, 4, 1e9)]).between(0, 0.12).all()
