"""What recordings look like about their largest sample, in few bytes: kept with a network, it tells copies of them.

Copies are found whatever name, time or place they have now, also scaled, turned over or cut elsewhere; not when they
were filtered or resampled.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from seisvision.data.audit.copies import chosen_events
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError
from seisvision.files import whole_file
from seisvision.keys import COMPONENTS
from seisvision.stored_arrays import read_arrays

log = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever a set would give other shapes; part of the name of every stored file."""
_INNER = np.arange(-12, 13)
_OUTER = np.array([16, 20, 24, 32, 40, 48, 64, 80, 96, 128])
PLACES = np.concatenate([-_OUTER[::-1], _INNER, _OUTER])
"""Samples after the largest one whose values are kept, W of them."""
INNER = np.abs(PLACES) <= _INNER[-1]
SCALE = 126
OUTSIDE = -128
"""Value of places that lie outside the recording; others are in units of the largest sample over :data:`SCALE`."""
ALIKE = 3
"""Largest difference of copies at any place: rounding, and a mean over another window."""
MOST_OUTSIDE = 10
FEWEST_CROSSINGS = 6
"""Smoother recordings all look alike about their largest sample."""
N_NEIGHBOURS = 8
MAX_TRACES = 50_000
"""Of larger sets the traces of so many events, evenly chosen, are looked at."""


@dataclass(frozen=True)
class RecordingShapes:
    """Shapes of M recordings.

    Attributes:
        source_id: (M,) event of each.
        shape: int8 (M, W).
    """

    source_id: np.ndarray
    shape: np.ndarray

    def select(self, source_ids: set[str], most_per_event: int) -> RecordingShapes:
        """Return the shapes of some events, of each no more than the first ones."""
        seen: dict[str, int] = {}
        kept = []
        for i, name in enumerate(self.source_id.tolist()):
            if name in source_ids and seen.setdefault(name, 0) < most_per_event:
                seen[name] += 1
                kept.append(i)
        return RecordingShapes(self.source_id[kept], self.shape[kept])

    def named(self, prefix: str) -> RecordingShapes:
        """Return the same shapes, the ids of the events behind a prefix."""
        return RecordingShapes(np.array([prefix + name for name in self.source_id.tolist()], dtype=str), self.shape)

    @classmethod
    def together(cls, several: Sequence[RecordingShapes]) -> RecordingShapes:
        """Return the shapes of several sets as of one."""
        return cls(*(np.concatenate([getattr(one, name) for one in several]) for name in ("source_id", "shape")))

    def copies_in(self, other: RecordingShapes) -> list[tuple[str, str]]:
        """Return pairs of events, one of these and one of the other's, that have a recording in common."""
        if not len(self.shape) or not len(other.shape):
            return []
        tree = cKDTree(self.shape[:, INNER].astype(float))
        n = min(N_NEIGHBOURS, len(self.shape))
        wanted = other.shape[:, INNER].astype(float)
        near = tree.query(wanted, k=n, p=np.inf, distance_upper_bound=ALIKE + 0.5)[1].reshape(len(wanted), n)
        place, column = np.nonzero(near < len(self.shape))
        mine, theirs = self.shape[near[place, column]], other.shape[place]
        outside = (mine == OUTSIDE) | (theirs == OUTSIDE)
        differs = np.abs(mine.astype(int) - theirs) > ALIKE
        same = ~(differs & ~outside).any(axis=1) & (outside.sum(axis=1) <= MOST_OUTSIDE)
        pairs = zip(self.source_id[near[place, column][same]], other.source_id[place[same]], strict=True)
        return sorted({(str(one), str(copy)) for one, copy in pairs})


def shape_of(samples: np.ndarray) -> np.ndarray | None:
    """Shape int8 (W,) of samples (T,); None where there is too little motion to tell it from others."""
    samples = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    samples = samples - samples.mean() if len(samples) else samples
    inner = samples[_INNER[-1] : len(samples) - _INNER[-1]]
    if not len(inner) or not np.any(inner):
        return None
    peak = int(_INNER[-1] + np.abs(inner).argmax())
    stretch = samples[max(0, peak - _OUTER[-1]) : peak + _OUTER[-1] + 1] / samples[peak]
    if np.count_nonzero(np.diff(np.signbit(stretch))) < FEWEST_CROSSINGS:
        return None
    places = peak + PLACES
    there = (places >= 0) & (places < len(samples))
    values = np.clip(samples[np.clip(places, 0, len(samples) - 1)] / samples[peak], -1, 1)
    return np.where(there, np.round(SCALE * values), OUTSIDE).astype(np.int8)


def set_shapes(waveform_set: WaveformSet, cache_dir: Path | None = None) -> RecordingShapes:
    """Shapes of the recordings of a set, read once and kept in ``cache_dir`` under the fingerprint of the set."""
    path = None if cache_dir is None else cache_dir / f"shapes-{waveform_set.fingerprint}-{VERSION}.npz"
    if path is not None and path.is_file():
        try:
            stored = read_arrays(path)
            found = RecordingShapes(stored["source_id"], stored["shape"])
            if found.shape.shape == (len(found.source_id), len(PLACES)) and found.shape.dtype == np.int8:
                return found
        except (KeyError, ValueError, OSError):
            with contextlib.suppress(OSError):
                path.unlink()
    shapes = _read_shapes(waveform_set)
    if path is not None:
        try:
            with whole_file(path) as partial:
                np.savez_compressed(partial, source_id=shapes.source_id, shape=shapes.shape)
        except OSError as error:
            log.info("The shapes of the recordings are not kept: %s", error)
    return shapes


def _read_shapes(waveform_set: WaveformSet) -> RecordingShapes:
    ids: list[str] = []
    found: list[np.ndarray] = []
    source_ids = waveform_set.table["source_id"]
    for rows in chosen_events(waveform_set, MAX_TRACES):
        try:
            waveforms, recorded = waveform_set.read_rows(rows, COMPONENTS)
        except DataError:
            continue  # said, with its name, when it is to be predicted
        for row, waveform, mask in zip(rows, waveforms, recorded, strict=True):
            shape = shape_of(waveform[mask][0]) if mask.any() else None
            if shape is not None:
                ids.append(str(source_ids.iloc[row]))
                found.append(shape)
    stacked = np.stack(found) if found else np.empty((0, len(PLACES)), dtype=np.int8)
    return RecordingShapes(np.array(ids, dtype=str), stacked)
