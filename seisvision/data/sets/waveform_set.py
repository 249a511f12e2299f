"""Reads waveform sets in the SeisBench data format, event by event."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from seisvision.data.sets.set_files import REMEDY, file_state, find_chunks, read_card, set_fingerprint
from seisvision.data.sets.stored.columns import Texts, TraceTable
from seisvision.data.sets.stored.layout import check_shape, check_widths, tell_others, with_dimension_orders
from seisvision.data.sets.stored.own_items import check_length, own_item
from seisvision.data.sets.stored.tables import Metadata, read_metadata, reopen_metadata
from seisvision.errors import DataError
from seisvision.keys import COMPONENTS

MAX_OPEN_FILES = 32
MAX_GAP_ROWS = 4
MAX_KEPT_DATASETS = 128
"""Datasets that stay open, each of which holds up to 1 MB of the samples that were read last."""
MAX_LOOKED_AT = 2000
UNREADABLE = (KeyError, AttributeError, OSError, RuntimeError, TypeError, ValueError)
"""What h5py raises where a file does not hold what was asked for."""
OF_THE_TABLE = (
    "_dataset_of_row", "_datasets", "_index", "_n_components", "_n_samples", "_order_of_row", "_orders",
    "_sampling_rate_hz", "_source_ids", "_rows", "_first_row",
)  # fmt: skip
"""Attributes of a set that come from its table."""


@dataclass(frozen=True)
class EventWaveforms:
    """One event, traces in file order, as stored (own lengths and rates).

    Attributes:
        source_id: id of the event.
        waveforms: per trace float32 (C, T_i); zeros where a component was not recorded or a gap (NaN) was stored.
        component_mask: bool (S, C), True where the component was recorded.
        sampling_rate_hz: float (S,).
        rows: int (S,), row numbers in the set's table.
        waveform_set: where it was read.
    """

    source_id: str
    waveforms: list[np.ndarray]
    component_mask: np.ndarray
    sampling_rate_hz: np.ndarray
    rows: np.ndarray
    waveform_set: WaveformSet = field(repr=False)

    @cached_property
    def metadata(self) -> pd.DataFrame:
        """The S rows of the set's table; picked when asked for, because that takes longer than reading samples."""
        return self.waveform_set.table.rows(self.rows)


class WaveformSet:
    """A folder in the SeisBench data format: metadata of every trace, waveforms on demand.

    Nothing but the metadata is held in memory, and of large sets not even these: they are mapped from a binary copy.
    HDF5 files are opened per process on first use, so a set may be pickled, or read by several workers however these
    were started; a mapped table is mapped again there. A set that is replaced on the disk stays what it was for who
    has it open; who would have to open its files again is told.

    Args:
        path: folder with ``metadata.csv`` and ``waveforms.hdf5``, or the chunked form.

    Raises:
        DataError: the set is missing, damaged or lacks columns.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._chunks = find_chunks(self.path)
        self._stored = [file_state(chunk.waveforms_path) for chunk in self._chunks]
        read = read_metadata(self._chunks)
        self._chunks = with_dimension_orders(self._chunks, read)
        self._added: dict[str, np.ndarray] = {}
        self._take(read)
        check_widths(self.path, read, self._n_components)
        tell_others(self.path, self.component_orders)

    def _take(self, read: Metadata) -> None:
        """Keep what was read, or mapped again in another process."""
        self._key, self._is_mapped = read.key, read.is_mapped
        self._table: TraceTable | None = read.table.with_columns(self._added)
        self._metadata: pd.DataFrame | None = None
        self._dataset_of_row, self._datasets, self._index = read.dataset, read.datasets, read.index
        flipped = np.array([chunk.dimension_order == "WC" for chunk in self._chunks])
        if flipped.any() and not flipped.all():
            self._n_components, self._n_samples = np.where(flipped[read.chunk], read.limits[::-1], read.limits)
        else:
            self._n_components, self._n_samples = read.limits[::-1] if flipped.all() else read.limits
        self._order_of_row, self._orders = read.order, list(read.orders)
        self._sampling_rate_hz = read.table["trace_sampling_rate_hz"].to_numpy(dtype=float)
        self._source_ids, self._rows, self._first_row = read.source_ids, read.rows, read.first
        self._files: dict[int, h5py.File] = {}
        self._own: dict[int, h5py.Dataset] = {}
        self._process_id = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        """Leave open files and the table behind, and of a mapped table all: it is mapped again in the other process."""
        state = self.__dict__ | {"_files": {}, "_own": {}, "_metadata": None, "_table": None}
        left = ("source_ids", "_number_of", *(OF_THE_TABLE if self._is_mapped else ()))
        return {name: value for name, value in state.items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what another process sent.

        Raises:
            DataError: the table was mapped, and the set has been changed since.
        """
        self.__dict__.update(state)
        if self._is_mapped:
            self._take(reopen_metadata(self._chunks, self._key))

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self._source_ids)

    @cached_property
    def source_ids(self) -> list[str]:
        """Ids of the events, in file order."""
        return self._source_ids.all() if isinstance(self._source_ids, Texts) else list(self._source_ids)

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {source_id: i for i, source_id in enumerate(self.source_ids)}

    @property
    def table(self) -> TraceTable:
        """One row per trace in file order (chunks joined); columns and rows become tables of pandas when asked for."""
        if self._table is None:
            self._table = reopen_metadata(self._chunks, self._key).table.with_columns(self._added)
        return self._table

    @property
    def metadata(self) -> pd.DataFrame:
        """The whole :attr:`table` as one of pandas, which then stays in memory; read it, do not change it."""
        if self._metadata is None:
            self._metadata = self.table.frame()
        return self._metadata

    def with_columns(self, columns: Mapping[str, np.ndarray]) -> WaveformSet:
        """The same set with further columns, one value (N,) a trace, in its table; the files stay as they are.

        A column of the same name is replaced. Fingerprint, waveforms and ids are those of this set.
        """
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__ | {"_files": {}, "_own": {}}
        other._added = {**self._added, **columns}
        other._table, other._metadata = self.table.with_columns(columns), None
        return other

    @property
    def n_samples(self) -> np.ndarray:
        """Samples of each trace (N,), -1 where ``trace_name`` does not tell."""
        return self._n_samples

    @cached_property
    def card(self) -> dict[str, Any]:
        """Content of ``card.json``, ``{}`` where there is none."""
        return read_card(self.path)

    @cached_property
    def fingerprint(self) -> str:
        """Short hash that tells this set from others and from earlier states of itself."""
        return set_fingerprint(self.path)

    @cached_property
    def component_orders(self) -> dict[str, int]:
        """Components recorded, as letters in the order stored, to the number of traces; most frequent first."""
        counts = np.bincount(self._order_of_row, minlength=len(self._orders))
        return {self._orders[i]: int(counts[i]) for i in np.argsort(-counts, kind="stable")}

    def check_shapes(self) -> None:
        """Compare the stored shapes with what the table says: of datasets evenly spread over the set, or all of a few.

        Raises:
            DataError: they differ, or samples are missing; the message names the file and the trace.
        """
        longest = np.lexsort((self._n_samples, self._index, self._dataset_of_row))
        at_end = longest[np.flatnonzero(np.diff(self._dataset_of_row[longest], append=-1))]
        spread = at_end[:: max(1, len(at_end) // MAX_LOOKED_AT)]
        for row in np.unique([*np.unique(self._order_of_row, return_index=True)[1], *spread]):
            try:
                self._dataset(np.array([row]))
            except UNREADABLE as error:
                raise self._unreadable(int(row), str(error)) from error

    def rows(self, source_id: str) -> np.ndarray:
        """Return the metadata row numbers (S,) of an event, in file order.

        Raises:
            DataError: there is no such event.
        """
        number = self._number_of.get(source_id)
        if number is None:
            some = ", ".join(self.source_ids[:3])
            raise DataError(
                f"event '{source_id}' is not in {self.path}, which holds {len(self)} events ({some}, ...); "
                "check the id, or whether the split belongs to another set"
            )
        return self._rows[self._first_row[number] : self._first_row[number + 1]]

    def recorded_samples(self, rows: np.ndarray) -> np.ndarray:
        """Return how many samples the traces of metadata rows (N,) hold, int (N,)."""
        datasets, positions = np.unique(self._dataset_of_row[rows], return_inverse=True)
        limits = self._n_samples[rows]
        if (limits >= 0).all():
            return limits
        return np.where(limits < 0, np.array([self._stored_samples(number) for number in datasets])[positions], limits)

    def _stored_samples(self, dataset: int) -> int:
        """Length of one dataset in samples."""
        chunk_number, _ = self._datasets[dataset]
        axis = -2 if self._chunks[chunk_number].dimension_order == "WC" else -1
        try:
            return int(self._own_dataset(dataset).shape[axis])
        except (*UNREADABLE, IndexError) as error:
            raise self._unreadable(int((self._dataset_of_row == dataset).argmax()), str(error)) from error

    def places(self) -> Iterator[tuple[str, str, int]]:
        """Yield where each trace is stored: file, dataset, and row of it (-1: the trace is the dataset)."""
        for dataset, index in zip(self._dataset_of_row.tolist(), self._index.tolist(), strict=True):
            chunk, name = self._datasets[dataset]
            yield self._chunks[chunk].waveforms_path.name, name, index

    def event_table(self) -> pd.DataFrame:
        """Return one row per event, index ``source_id``: the ``source_*`` columns, ``n_traces`` and ``split``.

        Values are the first that any trace of the event gives; ``split`` is there if the set has such a column.
        """
        columns = [name for name in self.table if name.startswith("source_") or name == "split"]
        grouped = self.table.rows(slice(None), columns).groupby("source_id", sort=False)
        table = grouped.first()
        table.insert(len(table.columns), "n_traces", grouped.size().to_numpy())
        return table

    def read_event(self, source_id: str, components: str = COMPONENTS) -> EventWaveforms:
        """Read all traces of an event; one HDF5 read where these lie together.

        Raises:
            DataError: no such event, or its samples cannot be read.
        """
        rows = self.rows(source_id)
        waveforms, mask = self.read_rows(rows, components)
        return EventWaveforms(source_id, waveforms, mask, self._sampling_rate_hz[rows], rows, self)

    def read_trace(self, row: int, components: str = COMPONENTS) -> tuple[np.ndarray, np.ndarray]:
        """Return waveform float32 (C, T) and component mask bool (C,) of metadata row ``row``."""
        waveforms, mask = self.read_rows(np.array([row]), components)
        return waveforms[0], mask[0]

    def read_rows(
        self, rows: np.ndarray, components: str = COMPONENTS, keep_gaps: bool = False
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Return waveforms, per row float32 (C, T_i), and component mask bool (S, C) of metadata rows (S,).

        The waveforms may share memory with each other. Components that were not recorded are zeros, and so are NaN
        and infinite samples unless ``keep_gaps``.

        Raises:
            DataError: the samples cannot be read; the message names the file and the trace.
        """
        waveforms = [np.empty(0)] * len(rows)
        mask = np.zeros((len(rows), len(components)), dtype=bool)
        for together in self._joint_reads(rows):
            members = rows[together]
            block, recorded = self._read_block(members, components, keep_gaps)
            first = int(self._index[members[0]])
            for position, row in zip(together, members, strict=True):
                n = int(self._n_samples[row])
                waveform = block[int(self._index[row]) - first]
                waveforms[position] = waveform if n < 0 else waveform[:, :n]
            mask[together] = recorded
        return waveforms, mask

    def _joint_reads(self, rows: np.ndarray) -> list[np.ndarray]:
        """Group positions in ``rows`` that one read returns: same dataset and components, neighbouring places."""
        dataset, order, index = self._dataset_of_row[rows], self._order_of_row[rows], self._index[rows]
        width = self._n_components[rows]
        sequence = np.lexsort((index, width, order, dataset))
        dataset, order, index, width = dataset[sequence], order[sequence], index[sequence], width[sequence]
        breaks = (np.diff(dataset) != 0) | (np.diff(order) != 0) | (np.diff(width) != 0)
        breaks |= np.diff(index) > MAX_GAP_ROWS
        if not breaks.any():
            return [sequence]
        return np.split(sequence, np.flatnonzero(breaks) + 1)

    def _read_block(self, rows: np.ndarray, components: str, keep_gaps: bool) -> tuple[np.ndarray, list[bool]]:
        """Read the stretch of one dataset that holds ``rows``: float32 (stretch, C, T), and which C are recorded."""
        row = rows[0]
        order = self._orders[self._order_of_row[row]]
        channels = [order.find(component) for component in components]
        try:
            raw = self._read_slab(rows, channels)
        except UNREADABLE as error:
            raise self._unreadable(int(row), str(error)) from error
        block = np.ascontiguousarray(raw, dtype=np.float32)
        # One sum finds NaN and infinity many times faster than testing each sample.
        if not keep_gaps and not np.isfinite(block.sum(dtype=np.float32)):
            np.nan_to_num(block, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        recorded = [channel >= 0 for channel in channels]
        lowest = min((channel for channel in channels if channel >= 0), default=0)
        if channels == list(range(lowest, lowest + block.shape[1])):
            return block, recorded
        full = np.zeros((block.shape[0], len(components), block.shape[2]), dtype=np.float32)
        for i, channel in enumerate(channels):
            if channel >= 0:
                full[:, i] = block[:, channel - lowest]
        return full, recorded

    def _read_slab(self, rows: np.ndarray, channels: list[int]) -> np.ndarray:
        """Read (stretch, channels from the lowest to the highest wanted, T) as stored, in one call."""
        dataset, flipped = self._dataset(rows)
        present = [channel for channel in channels if channel >= 0]
        wanted = slice(min(present), max(present) + 1) if present else slice(0, 1)
        limits = self._n_samples[rows]
        samples = slice(0, None if (limits < 0).any() else int(limits.max()))
        inner = (samples, wanted) if flipped else (wanted, samples)
        first, last = int(self._index[rows[0]]), int(self._index[rows[-1]])
        raw = dataset[inner][None] if first < 0 else dataset[(slice(first, last + 1), *inner)]
        return raw.swapaxes(1, 2) if flipped else raw

    def _dataset(self, rows: np.ndarray) -> tuple[h5py.Dataset, bool]:
        """Return the dataset of neighbouring rows, its shape compared, and whether samples are its first dimension."""
        number = int(self._dataset_of_row[rows[0]])
        chunk_number, dataset = self._datasets[number][0], self._own_dataset(number)
        flipped = self._chunks[chunk_number].dimension_order == "WC"
        first, last = int(self._index[rows[0]]), int(self._index[rows[-1]])
        if first >= 0 and last >= dataset.shape[0]:
            raise KeyError(f"row {last} of a dataset with {dataset.shape[0]} rows")
        shape = dataset.shape if first < 0 else dataset.shape[1:]
        order, limits = self._orders[self._order_of_row[rows[0]]], self._n_samples[rows]
        check_length(int(limits.max() if (limits >= 0).all() else max(shape, default=0)))
        check_shape(shape[::-1] if flipped else shape, dataset.dtype, order, self._n_components[rows[0]], limits)
        return dataset, flipped

    def _own_dataset(self, number: int) -> h5py.Dataset:
        """Return a dataset that its file itself holds, whole; looked at once in each process."""
        chunk_number, name = self._datasets[number]
        file = self._file(chunk_number)
        if not self._own.get(number):
            item = own_item(file["data"], name)
            if not isinstance(item, h5py.Dataset):
                raise ValueError(f"'{name}' is a group, no dataset")
            if not item.shape:
                raise ValueError(f"'{name}' is a single value or nothing, no samples")
            if len(self._own) >= MAX_KEPT_DATASETS:
                self._own.clear()
            self._own[number] = item
        return self._own[number]

    def let_go(self) -> None:
        """Close the datasets that are kept open, and with them the samples that were read last."""
        self._own.clear()

    def _file(self, chunk_number: int) -> h5py.File:
        """Return the open file of a chunk; handles inherited from a parent process are never used."""
        if self._process_id != os.getpid():
            self._files, self._own, self._process_id = {}, {}, os.getpid()
        if chunk_number not in self._files:
            path = self._chunks[chunk_number].waveforms_path
            if file_state(path) != self._stored[chunk_number]:
                raise DataError(f"{path} was replaced while {self.path} was in use; start the command again")
            if len(self._files) >= MAX_OPEN_FILES:
                self._files.pop(next(iter(self._files))).close()
            self._files[chunk_number] = h5py.File(path, "r")
        return self._files[chunk_number]

    def _unreadable(self, row: int, reason: str) -> DataError:
        path = self._chunks[self._datasets[self._dataset_of_row[row]][0]].waveforms_path
        name = self.table.iloc[row]["trace_name"]
        return DataError(
            f"trace '{name}' cannot be read from {path} ({reason}); correct what the set says, or {REMEDY}"
        )
