"""Samples that stand for gaps, how much may be filled, and pieces that contradict one another."""

import h5py
import numpy as np
import pytest
from obspy import Stream, Trace
from recorded_trees import ORIGIN, add_up, recipe, write_events

from seisvision.data.importing.formats.waveform_files import Segment
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import Quality
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.series.checks import check
from seisvision.data.importing.series.gaps import gap_mask
from seisvision.data.importing.series.signals import join
from seisvision.data.importing.tables.times import NS
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError

RATE = 100.0


def motion(amplitude=2000.0, noise=20.0, seed=1):
    """Two minutes of noise in counts, with a tremor that begins after forty seconds."""
    t = np.arange(12000) / RATE - 40
    tremor = amplitude * np.where(t > 0, np.exp(-np.maximum(t, 0) / 8), 0) * np.sin(2 * np.pi * 4 * t)
    return (noise * np.random.default_rng(seed).normal(size=12000) + tremor).round()


def found(samples):
    mask, values = gap_mask(samples, RATE)
    return [] if mask is None else np.flatnonzero(mask).tolist(), values


@pytest.mark.parametrize(
    ("value", "kind", "length"),
    [
        (-(2**31), "i4", 10),
        (2**31 - 1, "i4", 7),
        (-12345, "i4", 300),
        (-9999, "i4", 1),
        (-999, "i4", 10),
        (9999, "f4", 10),
        (99999, "f8", 2),
        (1e20, "f4", 1),
        (-1e30, "f8", 10),
        (np.nan, "f4", 10),
        (-np.inf, "f4", 3),
        (0, "i4", 40),
        (-32768, "i4", 5),
    ],
)
def test_fillers_are_gaps(value, kind, length):
    samples = motion().astype(kind)
    samples[3000 : 3000 + length] = value
    at, values = found(samples)
    assert at == list(range(3000, 3000 + length))
    assert np.array_equal(values, [np.float32(value) if kind == "f4" else value], equal_nan=True)


def one_sample_of(value, amplitude):
    samples = motion(amplitude)
    samples[5000] = value
    return samples


@pytest.mark.parametrize(
    "samples",
    [
        motion(),
        one_sample_of(-9999, 60000),
        one_sample_of(2**31 - 1, 2.1e9),
        motion(2, 1.2) - 999,  # an offset, and noise of a count
        np.clip(motion(60000), -9999, 9999),
        np.clip(motion(60000), -32768, 32767),
        np.clip(motion(6e9, 200), -(2**31), 2**31 - 1),
        np.clip(motion(6e9, 200), -1.9e9, 2**31 - 1),
        motion(20, 0.6),  # zero most of the time
        motion() + 1e9,
        np.concatenate([np.zeros(500), motion()[500:11000], np.zeros(1000)]),
        np.where(np.abs(np.arange(12000) - 5000) < 9, 0, motion(5, 0.3)),
    ],
)
def test_samples_are_no_gaps(samples):
    assert found(samples.astype(np.int64)) == ([], [])


@pytest.mark.parametrize(("value", "kind"), [(-1e10, "f8"), (99999.99, "f4"), (-8388608, "i4"), (8e8, "i4")])
def test_any_value_far_out_at_which_a_recording_stands_still_is_a_gap(value, kind):
    samples = motion().astype(kind)
    samples[3000:3010] = value
    assert found(samples)[0] == list(range(3000, 3010))
    samples = motion().astype(kind)
    samples[3000:3003] = value
    assert found(samples)[0] == []


def test_a_clipped_pulse_is_no_gap():
    pulse = 3e5 * np.exp(-(((np.arange(12000) - 6000) / 15) ** 2))
    assert found(np.clip(motion(0) + pulse, -1e5, 1e5).astype(np.int32)) == ([], [])


def test_zeros_far_from_an_offset_are_gaps_however_short():
    samples = (motion() + 100000).astype(np.int32)
    samples[[700, 701, 9000]] = 0
    samples[-30:] = 0
    assert found(samples)[0] == [700, 701, 9000, *range(11970, 12000)]


def segment(samples, start_s=0.0):
    return Segment("XX", "AAA", "", "HHZ", ORIGIN.ns + round(start_s * NS), RATE, len(samples), samples, {})


def test_gaps_within_are_filled_and_those_at_the_ends_cut_off():
    samples = motion().astype(np.float32)
    samples[:200], samples[3000:3050], samples[-100:] = np.nan, 1e30, -12345
    joined = join([segment(samples)], 1.0, "f", "counts")
    assert joined.start_ns == ORIGIN.ns + 2 * NS and len(joined.samples) == 11700
    assert joined.interpolated_s == pytest.approx(0.5) and np.abs(joined.samples).max() < 2100
    assert joined.gaps_ns == ((ORIGIN.ns + 30 * NS, ORIGIN.ns + round(30.5 * NS)),)
    with pytest.raises(Refusal, match=r"gap 0\.5 s > 0\.4 s \(samples of 1e\+30, nan, -12345 count as gaps\)"):
        join([segment(samples)], 0.4, "f", "counts")
    with pytest.raises(Refusal, match="nothing but gaps"):
        join([segment(np.full(500, np.nan))], 1.0, "f", "counts")


def test_counts_keep_their_precision_above_a_large_offset():
    samples = (motion(20, 5) + 2_000_000_000).astype(np.int32)
    assert np.array_equal(join([segment(samples)], 1.0, "f", "counts").samples, samples)


@pytest.mark.parametrize(("lost", "refused"), [(5, False), (18, False), (22, True), (90, True)])
def test_how_much_may_be_filled_is_limited(lost, refused):
    whole = motion()
    pieces = [segment(whole[begin : begin + 200 - lost], begin / RATE) for begin in range(0, 12000, 200)]
    joined = join(pieces, 1.0, "f", "counts")
    if not refused:
        assert check(joined, Quality()).interpolated_s == pytest.approx(59 * lost / RATE)
        return
    with pytest.raises(Refusal, match="gaps that were interpolated, more than 10%") as caught:
        check(joined, Quality())
    assert caught.value.cause == "interpolated"
    check(joined, Quality(max_interpolated_fraction=0.5))


def test_pieces_that_agree_join_wherever_they_overlap():
    whole = motion()
    for late_s in (0.0, 0.004, 0.01, -0.01):
        joined = join([segment(whole[:7000]), segment(whole[5000:], 50 + late_s)], 1.0, "f", "counts")
        assert np.array_equal(joined.samples, whole) and not joined.overlap_differs
    broken = whole.copy()
    broken[5100:5150] = np.nan
    joined = join([segment(whole[:7000]), segment(broken[5000:], 50)], 1.0, "f", "counts")
    assert np.array_equal(joined.samples, whole) and joined.interpolated_s == 0


@pytest.mark.parametrize("late_s", [0.2, -3.0])
def test_pieces_that_contradict_one_another_are_refused_or_marked(late_s):
    whole = motion()
    joined = join([segment(whole[:7000]), segment(whole[5000:], 50 + late_s)], 1.0, "f", "counts")
    with pytest.raises(Refusal) as caught:
        check(joined, Quality())
    assert (caught.value.stage, caught.value.cause) == ("merge", "overlap")
    assert check(joined, Quality(overlaps="flag")).overlap_differs


def write_sac(folder, samples):
    for i, part in enumerate((samples[:6000], samples[6000:])):
        named = {"network": "XX", "station": "AAA", "channel": "HHZ", "sampling_rate": RATE}
        Trace(part, named | {"starttime": ORIGIN - 40 + 60 * i}).write(str(folder / f"ev0.{i}.sac"), format="SAC")


def write_asdf(folder, samples):
    with h5py.File(folder / "ev0.h5", "w") as archive:
        archive.attrs["file_format"] = "ASDF"
        for i, part in enumerate((samples[:6000], samples[6000:])):
            dataset = archive.create_dataset(f"Waveforms/XX.AAA/XX.AAA..HHZ__{i}__raw", data=part)
            dataset.attrs["starttime"], dataset.attrs["sampling_rate"] = (ORIGIN - 40 + 60 * i).ns, RATE


def write_segy(folder, samples):
    header = {"starttime": ORIGIN - 40, "sampling_rate": RATE, "network": "", "station": "R1", "channel": "SPZ"}
    Stream([Trace(samples, header)]).write(str(folder / "ev0.segy"), format="SEGY", data_encoding=5)


def write_mseed(folder, samples):
    header = {"network": "XX", "station": "AAA", "channel": "HHZ", "sampling_rate": RATE, "starttime": ORIGIN - 40}
    Trace(samples, header).write(str(folder / "ev0.mseed"), format="MSEED")


@pytest.mark.parametrize("write", [write_sac, write_asdf, write_segy, write_mseed])
def test_every_format_gets_the_same_treatment(tmp_path, write):
    samples = motion().astype(np.float32)
    samples[3000:3040], samples[7000:7060] = -12345, np.nan
    (tmp_path / "waveforms").mkdir()
    write(tmp_path / "waveforms", samples)
    write_events(tmp_path / "events.csv", ["ev0"])
    named = {"stations": None, "association": {"by": "name", "pattern": r"(ev\d)"}}
    window = {"reference": "trace", "before_s": -50, "length_s": 40}
    report = run_import(recipe(tmp_path, named, window=window), tmp_path / "set")
    made = WaveformSet(tmp_path / "set")
    row = made.metadata.iloc[0]
    assert add_up(report) and row.trace_interpolated_s == pytest.approx(0.6) and not row.trace_onset_interpolated
    assert np.abs(made.read_trace(0, "Z")[0]).max() < 2100


def gappy_tree(folder, gaps):
    """One station whose packets leave out the samples in ``gaps``."""
    (folder / "waveforms").mkdir()
    samples = motion().astype(np.float32)
    for begin, end in gaps:
        samples[begin:end] = np.nan
    write_mseed(folder / "waveforms", samples)
    write_events(folder / "events.csv", ["ev0"])
    return folder


def test_the_window_says_what_of_it_was_filled(tmp_path):
    folder = gappy_tree(tmp_path, [(begin, begin + 60) for begin in range(3500, 4500, 120)])
    spoilt = recipe(folder, {"stations": None}, window={"reference": "origin", "before_s": 5, "length_s": 10})
    with pytest.raises(DataError):
        run_import(spoilt, folder / "set")
    assert "more than 10%" in (folder / "set.rejected.csv").read_text()
    sound = {"reference": "trace", "before_s": -60, "length_s": 20}
    run_import(recipe(folder, {"stations": None}, window=sound), folder / "set")
    assert WaveformSet(folder / "set").metadata.trace_interpolated_s.tolist() == [0]


def test_an_onset_in_a_filled_gap_is_marked(tmp_path):
    run_import(recipe(gappy_tree(tmp_path, [(3980, 4040)]), {"stations": None}), tmp_path / "set")
    row = WaveformSet(tmp_path / "set").metadata.iloc[0]
    assert row.trace_onset_interpolated and row.trace_interpolated_s == pytest.approx(0.6)


def test_settings_that_make_no_sense_are_refused(tmp_path):
    for quality in ({"max_interpolated_fraction": 5}, {"overlaps": "keep"}):
        with pytest.raises(ConfigurationError, match=next(iter(quality))):
            recipe(tmp_path, quality=quality)


@pytest.mark.parametrize(("every", "begin"), [(100, 0), (200, 1), (500, 0)])
def test_single_samples_lost_at_steady_times_are_gaps_and_no_slow_clock(every, begin):
    samples = motion()
    starts = range(begin, len(samples), every)
    joined = join([segment(samples[at : at + every - 1], at / 100) for at in starts], 1.0, "f", "counts")
    assert joined.start_ns == ORIGIN.ns + begin * NS // 100
    assert joined.interpolated_s == pytest.approx(0.01 * (len(starts) - 1))
    kept = np.delete(samples[begin : begin + len(joined.samples)], np.arange(every - 1, len(joined.samples), every))
    same = np.delete(joined.samples, np.arange(every - 1, len(joined.samples), every))
    assert np.allclose(same - same.mean(), kept - kept.mean(), atol=1)
