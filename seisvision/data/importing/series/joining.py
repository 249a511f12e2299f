"""The pieces of one channel laid out on one time grid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from seisvision.data.importing.formats.waveform_files import Segment
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.series.gaps import check_gap, gap_mask
from seisvision.data.importing.series.time_grid import HALF_SAMPLE, at_positions, clean_rate, drift, near, simplest
from seisvision.data.importing.tables.times import NS

TEAR = 1.0
"""Packets whose times miss one another by no more samples follow one another: their clock is not read any better."""
TOLD = 5
"""Packets that are needed to tell a drift of the clock from a step."""
STEADIEST = 1e-3
"""No clock of a recorder runs slower by this share: where packets are on the grid all the same, samples are lost."""
ON_GRID = 0.02
"""In samples."""
COMPARED = 4
"""Samples that two pieces must share before a shift by one sample is tried."""


@dataclass(frozen=True)
class Piece:
    """Samples (T,) float64, NaN in gaps, and their rate; ``start`` counts samples of the channel after its first."""

    start: float
    rate_hz: float
    samples: np.ndarray


@dataclass(frozen=True)
class Layout:
    """One channel on one grid.

    Args:
        samples: (T,) float64, NaN in gaps; the first and the last are none.
        original_rate_hz: rate in the headers.
        fillers: values in the file that were taken for gaps.
        overlap_differs: pieces that overlap hold different samples.
    """

    start_ns: int
    rate_hz: float
    original_rate_hz: float
    samples: np.ndarray
    fillers: list[float]
    overlap_differs: bool


def seconds_by_rate(segments: list[Segment]) -> dict[float, float]:
    """How long each rate in the headers was recorded."""
    seconds: dict[float, float] = {}
    for segment in segments:
        seconds[segment.rate_hz] = seconds.get(segment.rate_hz, 0.0) + segment.n_samples / segment.rate_hz
    return seconds


def main_rate(segments: list[Segment]) -> float:
    """Rate in the headers of most of the recording; the simplest of those that hold as much."""
    seconds = seconds_by_rate(segments)
    most_s = max(seconds.values())
    return simplest(rate for rate, length_s in seconds.items() if length_s > 0.99 * most_s)


def lay_out(segments: list[Segment], max_gap_s: float) -> Layout:
    """Put pieces of one channel, in any order, where their times say; where they overlap, the later one counts.

    Rates that differ by less than a hundredth are brought to the simple one near the main one: by their name alone
    where no sample moves by more than half a sample for it, else by interpolation.

    Raises:
        Refusal: no samples, nothing but gaps, or a gap longer than ``max_gap_s``.
    """
    ordered = sorted(segments, key=lambda segment: (segment.start_ns, segment.n_samples))
    ordered = [segment for segment in ordered if segment.n_samples]
    if not ordered:
        raise Refusal("quality", "empty", "holds no samples")
    for segment in ordered:
        if segment.samples.dtype.kind not in "iufb" or segment.samples.ndim != 1:
            kind = f"{segment.samples.dtype} of shape {segment.samples.shape}"
            raise Refusal("read", "unreadable", f"holds {kind}, no series of real numbers")
    told_hz = main_rate(ordered)
    rate_hz = clean_rate(told_hz)
    pieces, fillers = _pieces(ordered, rate_hz)
    parts = [_on_grid(piece, rate_hz) for piece in _chains(pieces, rate_hz)]
    _check_gaps(parts, rate_hz, max_gap_s, fillers)
    samples, differs = _overlay(parts)
    first, last = _ends(samples)
    start_ns = ordered[0].start_ns + round((min(start for start, _ in parts) + first) / rate_hz * NS)
    moved = drift(max(segment.n_samples for segment in ordered), told_hz, rate_hz) > HALF_SAMPLE
    return Layout(start_ns, rate_hz, told_hz if moved else rate_hz, samples[first:last], fillers, differs)


def _ends(samples: np.ndarray) -> tuple[int, int]:
    """Index of the first sample that is none of a gap, and the one after the last."""
    if not np.isnan(samples[[0, -1]]).any():
        return 0, len(samples)
    known = np.flatnonzero(~np.isnan(samples))
    if not len(known):
        raise Refusal("quality", "not_finite", "holds nothing but gaps (NaN, infinite or filled samples)", len(samples))
    return int(known[0]), int(known[-1]) + 1


def _pieces(ordered: list[Segment], rate_hz: float) -> tuple[list[Piece], list[float]]:
    """Gaps are sought over the whole channel: one packet does not tell what is usual."""
    joined = ordered[0].samples if len(ordered) == 1 else np.concatenate([segment.samples for segment in ordered])
    mask, fillers = gap_mask(joined, rate_hz)
    joined = joined.astype(np.float64)
    if mask is not None:
        joined[mask] = np.nan
    pieces, begin = [], 0
    for segment in ordered:
        start = (segment.start_ns - ordered[0].start_ns) * rate_hz / NS
        pieces.append(Piece(start, segment.rate_hz, joined[begin : begin + segment.n_samples]))
        begin += segment.n_samples
    return pieces, fillers


def _chains(pieces: list[Piece], rate_hz: float) -> list[Piece]:
    """Join the packets that follow one another but for the jitter or the drift of their clock."""
    chains: list[list[Piece]] = [[pieces[0]]]
    for before, piece in pairwise(pieces):
        end = before.start + len(before.samples) * rate_hz / before.rate_hz
        follows = abs(piece.start - end) <= TEAR and piece.rate_hz == before.rate_hz
        if follows:
            chains[-1].append(piece)
        else:
            chains.append([piece])
    return [link for chain in chains for link in (_linked(chain, rate_hz) if len(chain) >= TOLD else chain)]


def _linked(chain: list[Piece], rate_hz: float) -> list[Piece]:
    """One piece where a steady clock explains the times of the packets to half a sample, else the packets."""
    told_hz = chain[0].rate_hz
    counts = np.concatenate([[0], np.cumsum([len(piece.samples) for piece in chain])])
    starts = np.array([piece.start for piece in chain])
    late = starts - counts[:-1] * rate_hz / told_hz
    slope, begin = np.polyfit(counts[:-1], late, 1)
    if abs(slope) * counts[-1] <= HALF_SAMPLE:
        slope, begin = 0.0, float(np.median(late))
    true_hz = rate_hz / (rate_hz / told_hz + slope)
    if np.abs(late - begin - slope * counts[:-1]).max() > TEAR or not near(true_hz, rate_hz):
        return chain
    if slope > STEADIEST and _lost_samples(late):
        return chain
    return [Piece(float(begin), true_hz, np.concatenate([piece.samples for piece in chain]))]


def _lost_samples(late: np.ndarray) -> bool:
    """Whether packets come late by whole samples of the grid, and never early: then samples are missing in between."""
    steps = np.diff(late)
    return bool((steps > -ON_GRID).all() and np.abs(late - late[0] - np.rint(late - late[0])).max() <= ON_GRID)


def _on_grid(piece: Piece, rate_hz: float) -> tuple[int, np.ndarray]:
    """First index on the grid of the channel, and samples; stretched where the rate would misplace them."""
    start, samples = round(piece.start), piece.samples
    if drift(len(samples), piece.rate_hz, rate_hz) <= HALF_SAMPLE or not near(piece.rate_hz, rate_hz):
        return start, samples
    step = piece.rate_hz / rate_hz
    start = int(np.ceil(piece.start))
    positions = (start - piece.start) * step + np.arange(int((len(samples) - 1) / step) + 1) * step
    positions = positions[positions <= len(samples) - 1]
    missing = np.isnan(samples)
    if missing.all() or not len(positions):
        return start, samples[:0]
    at = np.arange(len(samples))
    whole = np.interp(at, at[~missing], samples[~missing]) if missing.any() else samples
    stretched = at_positions(whole, positions)
    stretched[missing[np.rint(positions).astype(np.int64)]] = np.nan
    return start, stretched


def _check_gaps(parts: list[tuple[int, np.ndarray]], rate_hz: float, max_gap_s: float, fillers: list[float]) -> None:
    """Before the series is laid out, because a wrong year would ask for terabytes."""
    parts = sorted(parts, key=lambda part: part[0])
    end, longest = parts[0][0], 0
    for start, samples in parts:
        longest = max(longest, start - end)
        end = max(end, start + len(samples))
    check_gap(longest / rate_hz, max_gap_s, fillers)


def _overlay(parts: list[tuple[int, np.ndarray]]) -> tuple[np.ndarray, bool]:
    """Lay the parts over one another; tell whether two hold different samples of one time."""
    if len(parts) == 1:
        return parts[0][1], False
    origin = min(start for start, _ in parts)
    laid = np.full(max(start + len(samples) for start, samples in parts) - origin + 1, np.nan)
    differs = False
    for start, samples in parts:
        at, differing = _best_shift(laid, start - origin, samples)
        differs |= differing
        known = ~np.isnan(samples)
        laid[at : at + len(samples)][known] = samples[known]
    return laid, differs


def _best_shift(laid: np.ndarray, at: int, samples: np.ndarray) -> tuple[int, bool]:
    """Where the samples agree with those there: as told, or one sample off; and whether they agree nowhere."""
    for shift in (0, -1, 1):
        begin = at + shift
        if begin < 0 or begin + len(samples) > len(laid):
            continue
        there = laid[begin : begin + len(samples)]
        both = ~(np.isnan(there) | np.isnan(samples))
        shared = int(both.sum())
        if shift and shared < COMPARED:
            continue
        if shared <= 1 or np.allclose(there[both], samples[both], rtol=1e-5, atol=0):
            return begin, False
    return at, True
