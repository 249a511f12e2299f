"""Joining, checking and processing of one channel, against obspy where obspy does the same."""

from fractions import Fraction

import numpy as np
import pytest
from obspy import Stream, Trace, UTCDateTime
from obspy.core.inventory import Channel, Inventory, Network, Station
from obspy.core.inventory.response import Response
from scipy.signal import resample_poly

from seisvision.data.importing.formats.waveform_files import Segment
from seisvision.data.importing.recipe import Processing, Quality
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.series.band import band_pass
from seisvision.data.importing.series.checks import check, looks_clipped
from seisvision.data.importing.series.signals import Recording, filtered, join, process, resampled
from seisvision.data.importing.tables.times import NS
from seisvision.data.samples.resample import _low_pass, resample

START = UTCDateTime("2020-01-01")
RATE = 100.0


def segment(samples, start_s=0.0, rate=RATE):
    data = np.asarray(samples)
    return Segment("XX", "AAA", "", "HHZ", START.ns + round(start_s * NS), rate, len(data), data, {})


def recording(samples, rate=RATE):
    return Recording(
        "XX", "AAA", "", "HHZ", START.ns, rate, np.asarray(samples, float), rate, 0, False, "f", "counts", {}
    )


def obspy_stream(*pieces):
    return Stream(
        [Trace(p.samples.copy(), {"starttime": UTCDateTime(ns=p.start_ns), "sampling_rate": RATE}) for p in pieces]
    )


def noise(n, seed=0):
    return np.random.default_rng(seed).normal(scale=100, size=n).round().astype(np.int32)


def test_short_gaps_are_interpolated_as_obspy_does():
    pieces = segment(noise(500)), segment(noise(400, 1), 5.5), segment(noise(300, 2), 9.6)
    joined = join(list(pieces[::-1]), max_gap_s=1.0, file="f", unit="counts")
    expected = obspy_stream(*pieces).merge(method=1, fill_value="interpolate")[0]
    assert np.allclose(joined.samples, expected.data, atol=1)  # obspy rounds the filled samples of counts
    assert joined.start_ns == START.ns
    assert joined.interpolated_s == pytest.approx(0.6)


def test_long_gaps_are_refused_with_their_length():
    with pytest.raises(Refusal, match=r"gap 3\.2 s > 1 s") as caught:
        join([segment(noise(500)), segment(noise(500), 8.2)], 1.0, "f", "counts")
    assert (caught.value.cause, caught.value.value) == ("gap", pytest.approx(3.2))


def test_a_wrong_year_costs_no_memory():
    with pytest.raises(Refusal, match="gap"):
        join([segment(noise(500)), segment(noise(500), 1e9)], 1.0, "f", "counts")


def test_overlaps_with_equal_samples_join_to_the_original():
    whole = noise(1000)
    joined = join([segment(whole[:600]), segment(whole[400:], 4.0), segment(whole[100:200], 1.0)], 1.0, "f", "counts")
    assert np.array_equal(joined.samples, whole)
    assert joined.interpolated_s == 0


@pytest.mark.parametrize(
    ("samples", "settings", "cause"),
    [
        (np.zeros(2000), {}, "flat"),
        (np.concatenate([noise(1500), np.full(600, 7)]), {}, "flat"),
        (noise(500), {}, "short"),
        (np.where(np.arange(2000) == 5, np.nan, 1.0), {}, "not_finite"),
        (noise(2000), {"min_nyquist_hz": 60}, "slow_sampling"),
        (
            np.clip(noise(2000) * 1000.0 * np.sin(np.arange(2000) / 100) ** 8, -9000, 9000),
            {"clipped": "reject"},
            "clipped",
        ),
    ],
)
def test_useless_recordings_are_refused(samples, settings, cause):
    with pytest.raises(Refusal) as caught:
        check(recording(samples), Quality(**settings))
    assert caught.value.cause == cause


def test_clipping_is_a_mark_unless_refused():
    tremor = 10000 * np.exp(-np.arange(4000) / 800) * np.sin(np.arange(4000) / 10) + noise(4000) / 100
    assert not looks_clipped(tremor.round())
    assert looks_clipped(np.clip(tremor, -4000, 4000).round())
    assert not looks_clipped(np.round(noise(4000) / 100))  # one count of noise repeats its extremes by chance
    assert check(recording(np.clip(tremor, -4000, 4000).round()), Quality()).clipped


@pytest.mark.parametrize("zerophase", [False, True])
def test_band_pass_is_that_of_obspy(zerophase):
    samples = noise(3000)
    settings = Processing(band_hz=(1, 10), taper_max_s=2.0, zerophase=zerophase)
    ours = filtered(process(recording(samples), settings), settings)
    theirs = Trace(samples.astype(float), {"sampling_rate": RATE}).detrend("linear")
    theirs.taper(0.05, type="cosine", max_length=2.0)
    theirs.filter("bandpass", freqmin=1, freqmax=10, corners=4, zerophase=zerophase)
    inside = slice(300, -300)  # the two cosine tapers differ by one sample
    assert np.allclose(ours.samples[inside], theirs.data[inside], rtol=1e-3, atol=0.5)


@pytest.mark.parametrize("zerophase", [False, True])
def test_only_the_causal_filter_keeps_silence_before_the_onset(zerophase):
    spike = np.zeros(4000)
    spike[2000] = 1000.0
    settings = Processing(band_hz=(1, 10), zerophase=zerophase)
    samples = filtered(process(recording(spike), settings), settings).samples
    before = np.abs(samples[:1990]).max() / np.abs(samples).max()
    assert bool(before > 0.01) == zerophase
    # Only the one of zero phase leaves the spike where it is.
    assert (np.argmax(np.abs(samples)) == 2000) == zerophase


@pytest.mark.parametrize("length", [1, 20, 300, 3000])
@pytest.mark.parametrize("band", [(0.02, 5), (1, 10), (3, 49)])
def test_filters_have_no_transients_at_the_ends(length, band):
    """An offset is no arrival, also where a recording is shorter than the filter needs to forget."""
    constant = np.full(length, 1e6)
    for zerophase in (False, True):
        assert np.abs(band_pass(constant, RATE, band, zerophase=zerophase)).max() < 1
    # Beyond its ends a recording that has died away is silent, so those of a cut and of a longer one are the same.
    n = np.arange(4000)
    pulse = np.exp(-(((n - 2000) / 30) ** 2)) * np.cos((n - 2000) / 3)
    whole, cut = (band_pass(one, RATE, (1, 10)) for one in (pulse, pulse[1850:2150]))
    assert np.allclose(whole[1850:2150], cut, atol=1e-4)


def tone(hz, rate=RATE, seconds=40):
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def test_resampling_keeps_the_band_and_does_not_alias():
    slow = process(recording(tone(4) + tone(34)), Processing(rate_hz=40, taper_fraction=0))
    middle = slow.samples[200:-200]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) / len(middle) * 4
    frequency = np.fft.rfftfreq(len(middle), 1 / 40)
    assert slow.rate_hz == 40 and slow.original_rate_hz == 100 and len(slow.samples) == 1600
    assert spectrum[np.abs(frequency - 4) < 0.2].max() == pytest.approx(1, abs=0.05)
    assert spectrum[np.abs(frequency - 6) < 0.5].max() < 0.003  # where 34 Hz would fold to


@pytest.mark.parametrize(("from_hz", "to_hz"), [(100, 50), (100, 20), (200, 40), (40, 10)])
def test_tones_a_fifth_above_the_new_half_rate_fold_down_by_less_than_minus_50_db(from_hz, to_hz):
    for factor in (1.2, 1.3, 1.5, 1.9):
        samples = np.sin(np.pi * to_hz * factor * np.arange(60 * from_hz) / from_hz + 0.3)
        middle = resampled(samples, from_hz, to_hz)[5 * to_hz : -5 * to_hz]
        assert 20 * np.log10(np.sqrt(2 * np.mean(middle**2))) < -50


def test_resampling_moves_nothing_in_time():
    pulse = np.exp(-(((np.arange(4000) - 1500) / 20) ** 2))
    slow = process(recording(pulse), Processing(rate_hz=40))
    assert np.argmax(slow.samples) / 40 == pytest.approx(15.0, abs=1 / 40)


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(100, 40), (100, 20), (20, 100), (62.5, 40), (128, 40), (250, 40), (100, 1), (40, 31.7)]
)
def test_resampling_is_that_of_scipy_whatever_is_beside_a_row(from_hz, to_hz):
    ratio = Fraction(to_hz / from_hz).limit_denominator(1000)
    for length in (2, 30, 999, 6001):
        rows = np.cumsum(np.random.default_rng(length).normal(size=(3, length)), axis=1) * 1e3 + 1e5
        window = _low_pass(ratio.numerator, ratio.denominator)
        theirs = resample_poly(rows, ratio.numerator, ratio.denominator, axis=1, window=window, padtype="line")
        ours = resample(rows, from_hz, to_hz)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13 * np.abs(theirs).max())
        assert all(np.array_equal(resample(row, from_hz, to_hz), made) for row, made in zip(rows, ours, strict=True))
    assert resample(np.empty((2, 0)), 100.0, 20.0).shape == (2, 0)


def instrument():
    response = Response.from_paz(
        zeros=[0j, 0j], poles=[-4.44 + 4.44j, -4.44 - 4.44j], stage_gain=4e8, input_units="M/S", output_units="COUNTS"
    )
    channel = Channel("HHZ", "", 1.0, 2.0, 3.0, 0.0, response=response, start_date=UTCDateTime(0))
    station = Station("AAA", 1.0, 2.0, 3.0, channels=[channel], start_date=UTCDateTime(0))
    return Inventory([Network("XX", [station])], source="test")


@pytest.mark.parametrize("output", ["VEL", "DISP", "ACC"])
def test_response_removal_is_that_of_obspy(output):
    samples = noise(6000)
    settings = Processing(taper_fraction=0, band_hz=None, water_level_db=60)
    ours = process(recording(samples), settings, instrument()[0][0][0].response, output)
    header = {"network": "XX", "station": "AAA", "channel": "HHZ", "starttime": START, "sampling_rate": RATE}
    theirs = Trace(samples.astype(float), header).detrend("linear")
    theirs.remove_response(instrument(), output=output, water_level=60, zero_mean=False, taper=False)
    assert np.allclose(ours.samples, theirs.data, rtol=1e-9, atol=1e-9 * np.abs(theirs.data).max())
    assert np.abs(ours.samples).max() < 1e-3  # no longer counts


def test_a_channel_without_response_is_refused():
    other = recording(noise(2000))
    with pytest.raises(Refusal, match="response cannot be removed"):
        process(other, Processing(), Response())


def test_gain_divides():
    counts = process(recording(noise(2000)), Processing())
    metres = process(recording(noise(2000)), Processing(), 4e8)
    assert np.allclose(metres.samples * 4e8, counts.samples)
