"""Where in a recording anything moves: what holds one value throughout, such as zeros, shows a network nothing.

Read once for each state of a set and kept beside the other things that are found in recordings.
"""

from __future__ import annotations

import logging
import time
import weakref
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seisvision.data.audit.copies import chosen_events
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError
from seisvision.files import whole_file
from seisvision.keys import COMPONENTS
from seisvision.stored_arrays import open_arrays

log = logging.getLogger(__name__)

VERSION = 1
MAX_TRACES = 200_000
"""Of larger sets the traces of so many events, evenly chosen, are looked at; the others count as moving."""
TOLD_S = 5.0
FOREVER = np.iinfo(np.int64).max // 4
STILL = "no sample of the window differs from the others"
"""How the reason begins for which a sample without motion is left out."""
_known: weakref.WeakKeyDictionary[WaveformSet, Motion] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Motion:
    """First and last sample of N traces between which values differ, by component.

    Attributes:
        components: the K components looked at.
        first: (N, K) sample before the first change; beyond all samples where nothing changes.
        last: (N, K) sample after the last change; before all samples where nothing changes.
    """

    components: str
    first: np.ndarray
    last: np.ndarray

    def moves(self, rows: np.ndarray, components: str, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Whether any component wanted changes between two samples of traces, bool (S,).

        Args:
            rows: (S,) metadata rows.
            components: components wanted; one that was not looked at counts as moving.
            begin: (S,) first sample of the stretch, as stored; may lie before the recording.
            end: (S,) sample after its last one.
        """
        if any(component not in self.components for component in components):
            return np.ones(len(rows), dtype=bool)
        columns = [self.components.index(component) for component in components]
        first, last = self.first[rows][:, columns], self.last[rows][:, columns]
        return ((first < end[:, None] - 1) & (last > begin[:, None])).any(axis=1)


def set_motion(waveform_set: WaveformSet, cache_dir: Path | None = None) -> Motion:
    """Motion of the recordings of a set, read once and kept in ``cache_dir`` under the fingerprint of the set."""
    if waveform_set in _known:
        return _known[waveform_set]
    path = None if cache_dir is None else Path(cache_dir) / f"motion-{waveform_set.fingerprint}-{VERSION}.npz"
    motion = _stored(path, len(waveform_set.table)) or _read_motion(waveform_set)
    if path is not None and not path.is_file():
        try:
            with whole_file(path) as partial:
                np.savez_compressed(
                    partial, components=np.array(motion.components), first=motion.first, last=motion.last
                )
        except OSError as error:
            log.info("Where the recordings move is not kept: %s", error)
    _known[waveform_set] = motion
    return motion


def _stored(path: Path | None, n_traces: int) -> Motion | None:
    if path is None or not path.is_file():
        return None
    try:
        with open_arrays(path) as stored:
            motion = Motion(str(stored["components"]), stored["first"], stored["last"])
        shape = (n_traces, len(motion.components))
        if motion.first.shape != shape or motion.last.shape != shape:
            raise ValueError(f"shape {motion.first.shape}, not {shape}")
        return motion
    except (KeyError, ValueError, OSError) as error:
        log.info("%s is damaged (%s) and made again", path, error)
        path.unlink(missing_ok=True)
        return None


def _read_motion(waveform_set: WaveformSet) -> Motion:
    components = "".join(letter for letter in COMPONENTS if any(letter in o for o in waveform_set.component_orders))
    shape = (len(waveform_set.table), len(components))
    # What is not looked at, or cannot be read and is told elsewhere, counts as moving.
    first, last = np.full(shape, -FOREVER, dtype=np.int64), np.full(shape, FOREVER, dtype=np.int64)
    begun = time.monotonic()
    for rows in chosen_events(waveform_set, MAX_TRACES) if components else ():
        try:
            waveforms, recorded = waveform_set.read_rows(rows, components, keep_gaps=True)
        except DataError:
            continue
        for row, waveform, mask in zip(rows, waveforms, recorded, strict=True):
            for k, channel in enumerate(waveform):
                first[row, k], last[row, k] = _moving(channel) if mask[k] else (FOREVER, -FOREVER)
    seconds = time.monotonic() - begun
    if seconds > TOLD_S:
        log.info("Looked for recordings without motion in %.0f s; kept for the next run", seconds)
    return Motion(components, first, last)


def _moving(channel: np.ndarray) -> tuple[int, int]:
    """Samples between which the finite values (T,) of a channel differ."""
    finite = np.flatnonzero(np.isfinite(channel))
    changes = np.flatnonzero(np.diff(channel[finite]) != 0)
    return (int(finite[changes[0]]), int(finite[changes[-1] + 1])) if len(changes) else (FOREVER, -FOREVER)
