"""The pieces of one channel on the time grid of the network, and what of them is not known.

Samples of the grid are counted from the start of the day; the grid of one day goes on in that of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from seisvision.archives.reading.resampling import HALF_LENGTH, can_be_resampled, is_same_rate, resample_at
from seisvision.data.importing.formats.segment import Segment
from seisvision.data.importing.series.gaps import gap_mask, runs_of
from seisvision.data.importing.tables.times import NS

Note = Callable[[str, list[tuple[int, int]], str], None]
"""Called with a reason, spans of samples counted from the start of the day, and what there is to say."""
FLAT_S = 4.0
"""One value for so long is no motion: recorders of 24 bits see noise at every sample."""
DISPUTED_S = 1.0
"""How far around samples that contradict each other neither piece is believed."""
SAME_VALUE = 1e-5
SAME_RESAMPLED = 1e-2
"""Of the spread of a piece: resampled values are less sure near the ends of a piece."""
COMPARED = 4
"""Samples that two pieces must share before a shift by one sample is tried."""


@dataclass(frozen=True)
class Span:
    """Samples of the grid of a day.

    Args:
        first: counted from the start of the day, below zero before it.
        length: number of them.
        rate_hz: of the network.
        day_start_ns: time of sample 0.
    """

    first: int
    length: int
    rate_hz: float
    day_start_ns: int

    @property
    def times_ns(self) -> tuple[int, int]:
        """Of the first sample, and the one after the last."""
        begin, end = (
            self.day_start_ns + round(at / self.rate_hz * NS) for at in (self.first, self.first + self.length)
        )
        return begin, end


@dataclass
class ChannelGrid:
    """A channel on a span of the grid.

    Args:
        samples: (T,) float64, as recorded; 0 where nothing is known.
        known: (T,) bool.
        late_s: (first, one after the last, seconds) by which true times lie after those of the grid: samples of the
            rate of the network stay as they were recorded, between two samples of the grid.
        rates_hz: in the headers.
    """

    samples: np.ndarray
    known: np.ndarray
    late_s: list[tuple[int, int, float]] = field(default_factory=list)
    rates_hz: set[float] = field(default_factory=set)


def lay_on_grid(segments: Sequence[Segment], span: Span, note: Note) -> ChannelGrid:
    """Put the pieces of one channel, in the order of their times, on the grid.

    Where pieces overlap and agree, also one sample off, they are one; where they do not, neither is believed.
    """
    grid = ChannelGrid(np.zeros(span.length), np.zeros(span.length, dtype=bool))
    causes = {reason: np.zeros(0, dtype=bool) for reason in ("filler", "dead_channel", "overlap_differs", "slow_rate")}

    def mark(reason: str, begin: int, flags: np.ndarray) -> None:
        inside = slice(max(0, -begin), max(0, min(len(flags), span.length - begin)))
        if flags[inside].any():
            if not len(causes[reason]):
                causes[reason] = np.zeros(span.length, dtype=bool)
            causes[reason][max(0, begin) : max(0, begin) + len(flags[inside])] |= flags[inside]

    for rate_hz, members in _by_rate(segments).items():
        grid.rates_hz.add(rate_hz)
        masks = _bad_samples(members, rate_hz)
        for segment, bad in zip(members, masks, strict=True):
            _place(segment, bad, span, grid, mark)
    if len(causes["overlap_differs"]):
        grid.known &= ~causes["overlap_differs"]
        grid.samples[~grid.known] = 0.0
    if grid.known.all():
        return grid
    missing = ~grid.known
    for reason, flags in causes.items():
        if len(flags):
            flags &= missing
            missing &= ~flags
            note(reason, _spans(flags, span), "")
    note("gap", _spans(missing, span), "")
    return grid


def _by_rate(segments: Sequence[Segment]) -> dict[float, list[Segment]]:
    """The higher rate first: where pieces of two rates overlap, it has more to tell."""
    found: dict[float, list[Segment]] = {}
    for segment in segments:
        found.setdefault(segment.rate_hz, []).append(segment)
    return dict(sorted(found.items(), reverse=True))


def _bad_samples(segments: Sequence[Segment], rate_hz: float) -> list[dict[str, np.ndarray]]:
    """Samples of each piece that are none; sought in all together, for one packet does not tell what is usual."""
    joined = segments[0].samples if len(segments) == 1 else np.concatenate([one.samples for one in segments])
    filler, _ = gap_mask(joined, rate_hz)
    flat = _flat(joined, max(2, round(FLAT_S * rate_hz)))
    found, begin = [], 0
    for segment in segments:
        part = slice(begin, begin + len(segment.samples))
        flags = {"filler": filler, "dead_channel": flat}
        found.append({reason: all_of[part] for reason, all_of in flags.items() if all_of is not None})
        begin = part.stop
    return found


def _flat(samples: np.ndarray, shortest: int) -> np.ndarray | None:
    """Samples in runs of one value of at least ``shortest``; None where there is no such run."""
    half = shortest // 2
    if len(samples) < shortest:
        return None
    # A run that long holds a whole stretch of half its length, counted from the first sample.
    alike = np.flatnonzero(samples[half::half] == samples[:-half:half]) * half
    if not any((samples[at : at + half] == samples[at]).all() for at in alike.tolist()):
        return None
    changes = np.flatnonzero(samples[1:] != samples[:-1])
    edges = np.concatenate([[-1], changes, [len(samples) - 1]])
    lengths = np.diff(edges)
    long = np.flatnonzero(lengths >= shortest)
    if not len(long):
        return None
    flags = np.zeros(len(samples), dtype=bool)
    for run in long.tolist():
        flags[edges[run] + 1 : edges[run + 1] + 1] = True
    return flags


def _place(
    segment: Segment,
    bad: dict[str, np.ndarray],
    span: Span,
    grid: ChannelGrid,
    mark: Callable[[str, int, np.ndarray], None],
) -> None:
    ratio = span.rate_hz / segment.rate_hz
    position = (segment.start_ns - span.day_start_ns) * span.rate_hz / NS - span.first
    if not can_be_resampled(segment.rate_hz, span.rate_hz):
        mark("slow_rate", round(position), np.ones(round(segment.n_samples * ratio), dtype=bool))
        return
    values = segment.samples
    wrong = np.any(list(bad.values()), axis=0) if bad else np.zeros(0, dtype=bool)
    if is_same_rate(segment.rate_hz, span.rate_hz):
        at, late_s, trusted = round(position), (position - round(position)) / span.rate_hz, 0
    else:
        values = values.astype(np.float64)
        if len(wrong) and wrong.any() and not wrong.all():
            there = np.arange(len(values))
            values[wrong] = np.interp(there[wrong], there[~wrong], values[~wrong])
        at, values = resample_at(values, position, ratio)
        nearest = np.clip(np.rint((at + np.arange(len(values)) - position) / ratio).astype(np.int64), 0, None)
        bad = {reason: flags[np.minimum(nearest, len(flags) - 1)] for reason, flags in bad.items()}
        wrong = np.any(list(bad.values()), axis=0) if bad else wrong
        late_s, trusted = 0.0, round(HALF_LENGTH * max(1.0, ratio))
    for reason, flags in bad.items():
        mark(reason, at, flags)
    cut = slice(max(0, -at), max(0, min(len(values), span.length - at)))
    values, begin = values[cut], max(0, at)
    sound = np.ones(len(values), dtype=bool) if not len(wrong) else ~wrong[cut]
    if not sound.any():
        return
    place = slice(begin, begin + len(values))
    is_new = not grid.known[place].any()
    if not is_new:
        begin, disputed = _compare(grid, begin, values, sound, trusted)
        if disputed is not None:
            mark("overlap_differs", begin, _around(disputed, round(DISPUTED_S * span.rate_hz)) & grid.known[place])
        place = slice(begin, begin + len(values))
    if is_new and sound.all():
        grid.samples[place] = values
        grid.known[place] = True
    else:
        new = sound & ~grid.known[place]
        grid.samples[place][new] = values[new]
        grid.known[place] |= new
    grid.late_s.append((place.start, place.stop, late_s))


def _compare(
    grid: ChannelGrid, begin: int, values: np.ndarray, sound: np.ndarray, trusted: int
) -> tuple[int, np.ndarray | None]:
    """Where the values agree with those there: as told, or one sample off; else where (T,) they contradict them."""
    disputed = None
    for shift in (0, -1, 1):
        place = slice(begin + shift, begin + shift + len(values))
        if place.start < 0 or place.stop > len(grid.known):
            continue
        both = grid.known[place] & sound
        if trusted:
            both = ndimage.binary_erosion(both, iterations=trusted)
        shared = int(both.sum())
        if shift and shared < COMPARED:
            continue
        spread = float(np.ptp(values[both])) if trusted and shared else 0.0
        close = np.isclose(grid.samples[place], values, rtol=SAME_VALUE, atol=SAME_RESAMPLED * spread)
        differs = both & ~close
        if shared <= 1 or not differs.any():
            return place.start, None
        if not shift:
            disputed = differs
    return begin, disputed


def _around(flags: np.ndarray, reach: int) -> np.ndarray:
    """True up to ``reach`` samples from any True."""
    return ndimage.maximum_filter1d(flags, 2 * reach + 1, mode="constant", cval=0)


def _spans(flags: np.ndarray, span: Span) -> list[tuple[int, int]]:
    return [(span.first + begin, span.first + end) for begin, end in runs_of(flags)]
