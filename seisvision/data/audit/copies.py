"""Recordings that are in a set twice, found by their samples: also scaled, turned over, rounded or cut elsewhere.

Every trace is reduced to what lies about its largest sample, in units of that sample. Traces alike there are read again
and laid over each other.
"""

from __future__ import annotations

import json
import logging
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from seisvision.data.audit.findings import MAX_EXAMPLES, Finding
from seisvision.data.audit.table import AuditTable
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError
from seisvision.files import parse_json, write_text
from seisvision.keys import COMPONENTS
from seisvision.plain_files import LARGEST_JSON_BYTES, read_text

log = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever the same set would give other pairs; part of the name of every stored file."""
HALF_LENGTH = 12
"""Samples before and after the largest that are compared."""
ALIKE = 0.02
"""Largest difference there, in units of the largest sample; rounding to 50 counts does as much."""
RESIDUAL = 0.02
"""Root mean square of what is left when one is scaled to the other, in units of its own: a correlation of 0.9998."""
MIN_OVERLAP = 0.5
SAME_SPAN = 0.98
"""Windows of one station that share less of their time than this are told from the table, as shared recordings."""
N_NEIGHBOURS = 4
MAX_PAIRS = 2000
MAX_TRACES = 200_000
"""Of larger sets the traces of so many events, evenly chosen, are looked at."""
AT_ONCE = 50_000
"""Shapes that are compared at a time; comparing them takes ten times their memory."""
TOLD_S = 5.0


class Signatures:
    """What traces look like about their largest sample; N of them, 108 bytes each."""

    def __init__(self) -> None:
        self._rows, self._peaks = array("i"), array("i")
        self._shapes: list[np.ndarray] = []

    @property
    def shapes(self) -> np.ndarray:
        """Samples about the largest, in units of it (N, 2 H + 1)."""
        if len(self._shapes) != 1:
            self._shapes = [np.concatenate([np.empty((0, 2 * HALF_LENGTH + 1), np.float32), *self._shapes])]
        return self._shapes[0]

    @property
    def rows(self) -> np.ndarray:
        """Of the metadata table (N,)."""
        return np.array(self._rows, dtype=np.int32)

    @property
    def peaks(self) -> np.ndarray:
        """Position of the largest sample (N,)."""
        return np.array(self._peaks, dtype=np.int32)

    def add(self, row: int, waveform: np.ndarray) -> None:
        """Take the first recorded component of a trace (C, T); what is still or too short is passed over."""
        self.add_block(np.array([row]), waveform[:1])

    def add_block(self, rows: np.ndarray, channels: np.ndarray) -> None:
        """Take one component (N, T) of several traces of one length; what is still or too short is passed over."""
        channels = channels.astype(np.float32)
        if not np.isfinite(channels.sum(dtype=np.float64)):
            channels = np.nan_to_num(channels, nan=0.0, posinf=0.0, neginf=0.0)
        channels -= channels.mean(axis=1, keepdims=True)
        inner = channels[:, HALF_LENGTH : channels.shape[1] - HALF_LENGTH]
        if not inner.size:
            return
        peaks = HALF_LENGTH + np.abs(inner).argmax(axis=1)
        moving = np.flatnonzero(channels[np.arange(len(channels)), peaks])
        peaks = peaks[moving]
        self._rows.extend(rows[moving].tolist())
        self._peaks.extend(peaks.tolist())
        about = peaks[:, None] + np.arange(-HALF_LENGTH, HALF_LENGTH + 1)
        shapes = np.take_along_axis(channels[moving], about, axis=1)
        self._shapes.append(shapes / shapes[:, HALF_LENGTH, None])

    def candidates(self) -> np.ndarray:
        """Pairs (P, 2) of positions in ``rows`` that look alike, each trace with its nearest ones only."""
        if len(self._rows) < 2:
            return np.empty((0, 2), dtype=int)
        shapes = self.shapes
        unique, first = _different(shapes)
        # Equal ones first, of which there may be thousands.
        equal = np.flatnonzero(first != np.arange(len(first)))
        pairs = [np.stack([first[equal], equal], axis=1)]
        pairs += [np.stack([unique[one], unique[other]], axis=1) for one, other in _neighbours(shapes, unique)]
        return np.sort(np.concatenate(pairs), axis=1)


def _different(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (U,) of different shapes (N, L), in the order of their samples, and (N,) the first one equal to each.

    Equal ones have the same first sample, so stretches in its order can be looked at one after the other.
    """
    order = np.argsort(shapes[:, 0], kind="stable")
    ordered = shapes[order, 0]
    unique, first = [], np.empty(len(shapes), dtype=np.int64)
    begin = 0
    while begin < len(order):
        end = int(np.searchsorted(ordered, ordered[min(begin + AT_ONCE, len(order)) - 1], side="right"))
        # In the order of the set, so that the first of equal ones is the one that comes first there.
        members = np.sort(order[begin:end])
        _, place, number = np.unique(shapes[members], axis=0, return_index=True, return_inverse=True)
        unique.append(members[place])
        first[members] = members[place][number.ravel()]
        begin = end
    return np.concatenate(unique), first


def _neighbours(shapes: np.ndarray, unique: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of places in ``unique`` (P,), (P,) whose shapes differ nowhere by more than :data:`ALIKE`.

    They do not differ by more in their first sample either, so only a stretch in its order is searched at once.
    """
    n = min(N_NEIGHBOURS, len(unique))
    ordered = shapes[unique, 0]
    for begin in range(0, len(unique), AT_ONCE):
        end = min(begin + AT_ONCE, len(unique))
        low = int(np.searchsorted(ordered, ordered[begin] - ALIKE, side="left"))
        high = int(np.searchsorted(ordered, ordered[end - 1] + ALIKE, side="right"))
        tree = cKDTree(shapes[unique[low:high]])
        asked = shapes[unique[begin:end]]
        near = tree.query(asked, k=min(n, high - low), p=np.inf, distance_upper_bound=ALIKE)[1].reshape(end - begin, -1)
        one, place = np.nonzero(near < high - low)
        one, other = one + begin, near[one, place] + low
        yield one[one < other], other[one < other]


def find_copies(waveform_set: WaveformSet, signatures: Signatures, table: AuditTable) -> list[tuple[int, int]]:
    """Return the pairs of rows that are copies of each other, in order; laid over each other to be sure.

    Windows of one station cut from the same seconds, but elsewhere, are no copies: the table tells of these.
    """
    found = []
    rows, peaks = signatures.rows, signatures.peaks
    for a, b in signatures.candidates()[:MAX_PAIRS]:
        one, other = int(rows[a]), int(rows[b])
        shift = int(peaks[b]) - int(peaks[a])
        if _is_copy(_samples(waveform_set, one), _samples(waveform_set, other), shift) and not _is_told(
            table, one, other, shift
        ):
            found.append((min(one, other), max(one, other)))
    return sorted(found)


def _samples(waveform_set: WaveformSet, row: int) -> np.ndarray:
    waveforms, recorded = waveform_set.read_rows(np.array([row]), COMPONENTS)
    samples = waveforms[0][recorded[0]][0].astype(np.float64)
    return samples - samples.mean()


def _is_copy(one: np.ndarray, other: np.ndarray, shift: int) -> bool:
    first, last = max(0, -shift), min(len(one), len(other) - shift)
    if last - first < MIN_OVERLAP * min(len(one), len(other)):
        return False
    one, other = one[first:last], other[first + shift : last + shift]
    one, other = one - one.mean(), other - other.mean()
    energy = float(one @ one)
    left = other - one * (float(one @ other) / energy) if energy > 0 else other
    return bool(left @ left <= RESIDUAL**2 * (other @ other))


def _is_told(table: AuditTable, one: int, other: int, shift: int) -> bool:
    """Whether station and times of the table explain why the two share part of their samples."""
    station, start_s, rate_hz = table.station[0], table.start_s, table.numbers("trace_sampling_rate_hz")[one]
    if station[one] < 0 or station[one] != station[other] or not shift:
        return False
    later_s = start_s[other] - start_s[one]
    shared = 1 - abs(shift) / rate_hz / min(table.length_s[one], table.length_s[other])
    return bool(abs(later_s + shift / rate_hz) < 1 / rate_hz and shared < SAME_SPAN)


def set_copies(waveform_set: WaveformSet, table: AuditTable, cache_dir: Path | None) -> list[tuple[int, int]]:
    """Return the copies in a whole set, read once and kept in ``cache_dir`` under the fingerprint of the set.

    Of more than 200,000 traces, those of evenly chosen events are read.
    """
    path = None if cache_dir is None else cache_dir / f"copies-{waveform_set.fingerprint}-{VERSION}.json"
    if path is not None and path.is_file():
        try:
            return [(int(one), int(other)) for one, other in parse_json(read_text(path, LARGEST_JSON_BYTES))["pairs"]]
        except (KeyError, TypeError, ValueError):
            log.info("%s is damaged and made again", path)
    begun = time.monotonic()
    signatures = Signatures()
    for rows in chosen_events(waveform_set, MAX_TRACES):
        try:
            waveforms, recorded = waveform_set.read_rows(rows, COMPONENTS)
        except DataError:
            continue  # said, with its name, when it is to be learnt from
        for row, waveform, mask in zip(rows, waveforms, recorded, strict=True):
            if mask.any():
                signatures.add(int(row), waveform[mask])
        waveform_set.let_go()
    pairs = find_copies(waveform_set, signatures, table)
    seconds = time.monotonic() - begun
    if seconds > TOLD_S:
        log.info("Looked for copies among %d traces in %.0f s; kept for the next run", len(signatures.rows), seconds)
    if path is not None:
        try:
            write_text(path, json.dumps({"pairs": pairs, "n_read": len(signatures.rows), "seconds": round(seconds, 2)}))
        except OSError as error:
            log.info("What was found about copies is not kept: %s", error)
    return pairs


def chosen_events(waveform_set: WaveformSet, max_traces: int | None) -> Iterator[np.ndarray]:
    """Rows of events evenly spread over the set, about ``max_traces`` in all; None for all."""
    n_traces = len(waveform_set.table)
    share = 1.0 if max_traces is None else min(1.0, max_traces / n_traces)
    n_events = max(1, round(share * len(waveform_set)))
    for number in np.unique(np.linspace(0, len(waveform_set) - 1, n_events).astype(int)):
        yield waveform_set.rows(waveform_set.source_ids[number])


def copy_findings(table: AuditTable, pairs: list[tuple[int, int]], n_read: int) -> Iterator[Finding]:
    """Findings on copies under another event, and within one."""
    apart = [pair for pair in pairs if table.event[pair[0]] != table.event[pair[1]]]
    within = [pair for pair in pairs if table.event[pair[0]] == table.event[pair[1]]]
    between, inside = "recordings copied into another event", "recordings copied within their event"
    for chosen, code, severity, title, remedy in (
        (apart, "copy_between_events", "fatal", between, "Leave one of each out: else it is trained on and tested."),
        (within, "copy_within_event", "warning", inside, "Leave one of each out; two equal stations are one."),
    ):
        if chosen:
            examples = tuple(f"{table.name(a)} and {table.name(b)}" for a, b in chosen[:MAX_EXAMPLES])
            yield Finding(code, severity, title, len(chosen), n_read, "traces", remedy, examples)
