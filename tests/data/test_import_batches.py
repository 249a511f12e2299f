"""Channels that are treated together come out as each by itself does, whatever else is in their batch."""

from dataclasses import replace

import numpy as np
import pytest

from seisvision.data.importing.formats.segment import Segment
from seisvision.data.importing.recipe import Processing, Quality
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.series import batches
from seisvision.data.importing.series.checks import FirstLook, check, check_all
from seisvision.data.importing.series.signals import (
    Recording,
    filter_all,
    filtered,
    join,
    join_all,
    process,
    process_all,
)
from seisvision.data.importing.tables.times import NS
from seisvision.picking.first_motion import _quantile, detect_onset, detect_onsets

START_NS = 1_577_836_800 * NS


def motion(seed, length=3000, kind=np.int32, scale=200.0):
    rng = np.random.default_rng(seed)
    samples = rng.normal(scale=scale, size=length)
    samples[length // 2 :] *= 8
    return (samples + 500).round().astype(kind) if np.dtype(kind).kind == "i" else (samples + 500).astype(kind)


def pieces(*parts, rate=100.0):
    """One channel: each part is (start in seconds, samples)."""
    return [
        Segment("XX", "AAA", "", "HHZ", START_NS + round(start_s * NS), rate, len(samples), samples)
        for start_s, samples in parts
    ]


def changed(samples, places, value):
    samples[places] = value
    return samples


def mixture():
    """Channels as they come, sound and unsound, of several rates, lengths and types."""
    whole = [motion(seed, kind=kind) for seed, kind in enumerate((np.int32, np.int32, np.float32, np.float64, "i2"))]
    channels = [pieces((0, samples)) for samples in whole]
    channels += [pieces((0, motion(seed, 2500)), rate=50.0) for seed in (10, 11)]
    channels += [
        pieces((0, motion(20)), rate=99.9999),
        pieces((0, motion(21, 30_000)), rate=100.5),  # drifts away from a simple rate
        pieces((0, motion(22, 1000)), (10.5, motion(23, 1500))),  # a gap
        pieces((0, motion(24, 1000)), (8, motion(25, 1500))),  # pieces that contradict one another
        pieces((0, motion(26, 1000)), (90, motion(27, 1500))),  # a long gap
        pieces((0, np.full(3000, 7, np.int32))),  # dead
        pieces((0, changed(motion(28), slice(1000, 1700), 41))),  # dead for a while
        pieces((0, changed(motion(29, kind=np.float32), 200, np.nan))),
        pieces((0, np.full(3000, np.nan))),
        pieces((0, changed(motion(30), slice(400, 440), 0))),  # zeros in place of a gap
        pieces((0, changed(motion(31), slice(400, 405), -12345))),
        pieces((0, changed(motion(32), 700, 2**31 - 1))),
        pieces((0, np.clip(motion(33), -900, 900))),  # clipped
        pieces((0, changed(motion(34), slice(400, 406), 511))),  # a run that is none
        pieces((0, motion(35, 500))),  # short
        pieces((0, np.zeros(0, np.int32))),
        pieces((0, motion(36, kind=np.complex128))),
        pieces((0, motion(37, kind=np.float64, scale=1e300))),  # beyond any recorder
        pieces((0, np.arange(3000) % 2 == 0)),
    ]
    return [(channel, f"file{number}") for number, channel in enumerate(channels)]


def verdict(work, *arguments):
    try:
        return work(*arguments)
    except Refusal as refusal:
        return refusal


def same(one, other):
    """Whether two verdicts are one, to the last bit of the samples."""
    if isinstance(one, Refusal) or isinstance(other, Refusal):
        return type(one) is type(other) and vars(one) == vars(other) and str(one) == str(other)
    bare = [replace(item, samples=np.zeros(0)) for item in (one, other)]
    return (
        vars(bare[0]).keys() == vars(bare[1]).keys()
        and np.array_equal(one.samples, other.samples)
        and all(np.array_equal(value, vars(bare[1])[name]) for name, value in vars(bare[0]).items())
    )


QUALITY = Quality(overlaps="flag", max_interpolated_fraction=0.2)
PROCESSINGS = {
    "resampled": Processing(rate_hz=40.0),
    "odd_rate": Processing(rate_hz=31.7),
    "causal": Processing(rate_hz=50.0, band_hz=(1.0, 24.0), zerophase=False),
    "own_rate": Processing(band_hz=(2.0, 30.0), detrend=False),
}


@pytest.mark.parametrize("most_samples", [1 << 17, 7000])
def test_joining_and_checking_together_is_joining_and_checking_each(monkeypatch, most_samples):
    monkeypatch.setattr(batches, "MOST_SAMPLES", most_samples)
    channels = mixture()
    each = [verdict(join, channel, 1.0, file, "counts") for channel, file in channels]
    together = join_all(channels, 1.0, "counts")
    assert [same(*pair) for pair in zip(each, together, strict=True)] == [True] * len(channels)
    recordings = [item for item in together if isinstance(item, Recording)]
    closely = [FirstLook(bool(np.isfinite(item.samples).all()), True, True) for item in recordings]
    each = [verdict(check, item, QUALITY, look) for item, look in zip(recordings, closely, strict=True)]
    checked = check_all(recordings, QUALITY)
    assert [same(*pair) for pair in zip(each, checked, strict=True)] == [True] * len(recordings)
    causes = {item.cause for item in (*together, *checked) if isinstance(item, Refusal)}
    assert {"gap", "flat", "short", "empty", "unreadable", "not_finite"} <= causes
    assert sum(item.clipped for item in checked if isinstance(item, Recording)) == 1


@pytest.mark.parametrize("name", PROCESSINGS)
def test_processing_together_is_processing_each(name):
    processing = PROCESSINGS[name]
    recordings = [item for item in join_all(mixture(), 1.0, "counts") if isinstance(item, Recording)]
    responses = [(None, 2.5e9, 1e-40)[number % 3] for number in range(len(recordings))]
    pairs = list(zip(recordings, responses, strict=True))
    before = [item.samples.copy() for item in recordings]
    each = [verdict(process, item, processing, response) for item, response in pairs]
    together = process_all(pairs, processing)
    assert [same(*pair) for pair in zip(each, together, strict=True)] == [True] * len(recordings)
    assert all(np.array_equal(item.samples, kept) for item, kept in zip(recordings, before, strict=True))
    assert any(isinstance(item, Refusal) for item in together) and any(isinstance(item, Recording) for item in together)
    kept = [item for item in together if isinstance(item, Recording)]
    each = [verdict(filtered, item, processing) for item in kept]
    assert [same(*pair) for pair in zip(each, filter_all(kept, processing), strict=True)] == [True] * len(kept)


def test_onsets_together_are_those_of_each():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(6, 2400))
    for row, begin in enumerate((900, 40, 2300, 1500, 1200)):
        rows[row, begin:] *= 4.0 + 10 * row
    rows[3] = 0
    each = [detect_onset(row, 40.0) for row in rows]
    assert repr(detect_onsets(rows, 40.0)) == repr(each)
    assert repr(detect_onsets(rows[:, :100], 40.0)) == repr([detect_onset(row, 40.0) for row in rows[:, :100]])
    for length in (1, 2, 3, 10, 21, 999):
        values = rng.normal(size=length)
        assert _quantile(values, 0.05) == np.quantile(values, 0.05)
        assert _quantile(values, 0.97) == np.quantile(values, 0.97)


def test_rows_that_lie_one_after_the_other_are_not_copied_and_others_keep_their_order():
    whole = np.arange(12.0).reshape(3, 4).copy()
    rows = list(whole)
    assert batches.stacked(rows) is whole
    for chosen in ([2, 0, 1], [0, 0, 0], [0, 1], [1]):
        np.testing.assert_array_equal(batches.stacked([rows[row] for row in chosen]), whole[chosen])
    np.testing.assert_array_equal(batches.stacked([row[::-1] for row in rows]), whole[:, ::-1])


@pytest.mark.parametrize("stored", [">i4", "<u4", "<f4"])
def test_rows_of_a_view_are_read_as_the_type_that_they_are_seen_as(stored: str) -> None:
    seen = np.array([[1, -2, 70000], [4, 5, -60000]], "<i4").view(stored)
    rows = batches.stacked(list(seen))
    np.testing.assert_array_equal(rows, seen)
    assert rows.dtype.kind == seen.dtype.kind
