"""Writes waveform sets in the open SeisBench data format.

A set is a folder with ``metadata.csv`` (one row per trace), ``waveforms.hdf5`` and ``card.json``. Large sets may be
written in chunks (``metadata0.csv``, ``waveforms0.hdf5``, ..., listed in the file ``chunks``).
Format: Woollam et al. (2022), SeisBench, doi:10.1785/0220210324.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import pandas as pd

from seisvision.data.sets.set_files import describe_files
from seisvision.data.sets.stored.checksums import trace_checksums, write_checksums
from seisvision.data.sets.stored.patient_file import PatientFile
from seisvision.data.sets.stored.placing import whole_set
from seisvision.errors import DataError
from seisvision.files import told_when_full
from seisvision.keys import COMPONENTS
from seisvision.spreadsheets import end_of_lines

REQUIRED_COLUMNS = ("source_id", "trace_sampling_rate_hz")
DATA_FORMAT_KEYS = ("measurement", "unit", "instrument_response")
STATED_KEYS = ("name", "description", "source", "licence", "citation", "unit", "processing")
"""What every card says, and be it that it is not stated."""
NOT_STATED = "not stated"
AS_TEXT = json.JSONEncoder(sort_keys=True, default=str).encode
"""Of a row, for the fingerprint; ``json.dumps`` makes an encoder each time."""


class WaveformSetWriter:
    """Context manager that writes the waveform set ``path``, which appears complete or not at all.

    Everything goes to a hidden folder beside ``path``, renamed on success and removed when the block raises
    (:mod:`seisvision.data.sets.stored.placing`); what else belongs to the set is written to :attr:`partial`.
    Traces of one event that share components and sampling rate lie in one HDF5 dataset (S, C, T), zero padded to the
    longest (``trace_name`` tells the true length) and stored so that one component of the event is one block.

    Args:
        path: folder of the new set.
        card: what people should know of the set (name, licence, citation, parameters, ...); becomes ``card.json``.
            Counts and the state of the files are added, and a ``fingerprint`` of the content unless the card brings
            its own. Keys
            ``measurement``, ``unit`` and ``instrument_response`` also go to the HDF5 ``data_format`` group.
        component_order: components of the waveforms given to :meth:`add_event`, one letter each.
        overwrite: replace an existing set of that path once the new one is complete; refused where its folder holds
            anything that this program did not write.
        compression: ``None`` (fastest reading), ``"lzf"`` or ``"gzip"``, both with byte shuffling. Reading one trace
            of a compressed event unpacks that component of the whole event.
        events_per_chunk: write a chunked set with that many events per file.

    Raises:
        DataError: ``path`` exists and ``overwrite`` is false, or a setting is not allowed.
        DiskFullError: the disk has no room for the set; nothing is left of it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        card: Mapping[str, Any],
        component_order: str = COMPONENTS,
        overwrite: bool = False,
        compression: str | None = None,
        events_per_chunk: int | None = None,
    ) -> None:
        self.path = Path(path)
        self.card = dict(card)
        self.component_order = component_order
        self.overwrite = overwrite
        self.compression = compression
        self.events_per_chunk = events_per_chunk
        self.n_events = 0
        self.n_traces = 0
        self.n_samples = 0
        self._seen: set[str] = set()
        self._chunks: list[str] = []
        self._rows: list[dict[str, Any]] = []
        self._checksums: list[int] = []
        self._file: h5py.File | None = None
        self._data: h5py.Group | None = None
        self._stream: PatientFile | None = None
        self._folder: Path | None = None
        self._stack = ExitStack()
        self._digest = hashlib.sha256()
        self._check_settings()

    def _check_settings(self) -> None:
        if self.compression not in (None, "lzf", "gzip"):
            raise DataError(f"compression={self.compression!r} is not allowed; use None, 'lzf' or 'gzip'")
        if self.events_per_chunk is not None and self.events_per_chunk < 1:
            raise DataError(f"events_per_chunk={self.events_per_chunk} must be at least 1, or None for one file")
        order = self.component_order
        if not order or len(set(order)) != len(order):
            raise DataError(f"component_order={order!r} must be different letters such as 'ZNE'")

    def __enter__(self) -> WaveformSetWriter:
        with ExitStack() as stack:
            stack.enter_context(told_when_full(self.path))
            self._folder = stack.enter_context(whole_set(self.path, overwrite=self.overwrite))
            stack.enter_context(self._closed_file())
            self._stack = stack.pop_all()
        return self

    @contextmanager
    def _closed_file(self) -> Iterator[None]:
        """Finish the set where the block ends well, and leave no file open in any case."""
        try:
            yield
            assert self._folder is not None
            self._finish(self._folder)
        finally:
            self._close_file()
            self._folder = None

    def _close_file(self) -> None:
        """Close the HDF5 file, if one is open.

        Raises:
            OSError: the disk has not taken all of it.
        """
        if self._file is None or self._stream is None:
            return
        self._file.close()
        self._stream.close()
        stream, self._file, self._data, self._stream = self._stream, None, None, None
        stream.check()

    @property
    def partial(self) -> Path:
        """Folder that becomes the set; files written there appear with it.

        Raises:
            DataError: outside the ``with`` block there is none.
        """
        if self._folder is None:
            raise DataError("WaveformSetWriter writes inside a 'with' block only")
        return self._folder

    def add_event(self, metadata: Sequence[Mapping[str, Any]], waveforms: np.ndarray | Sequence[np.ndarray]) -> None:
        """Append one event.

        Args:
            metadata: one mapping per trace, columns named ``scope_quantity_unit``. All hold the same ``source_id``
                and a ``trace_sampling_rate_hz``; ``trace_component_order`` names the components really recorded
                (default: all). ``trace_name`` is made here.
            waveforms: (S, C, T), or per trace (C, T_i). C follows ``component_order``, or only the recorded ones.

        Raises:
            DataError: sizes that do not fit, a missing column, an event added twice, NaN or infinite samples.
        """
        source_id = self._check_event(metadata, waveforms)
        traces = [self._prepare_trace(row, waveform) for row, waveform in zip(metadata, waveforms, strict=True)]
        if self._file is None:
            self._file = self._open_chunk()
        buckets: dict[tuple[str, float], list[int]] = {}
        for i, (row, _) in enumerate(traces):
            buckets.setdefault((row["trace_component_order"], row["trace_sampling_rate_hz"]), []).append(i)
        for members in buckets.values():
            self._write_bucket([traces[i] for i in members])
        assert self._stream is not None
        self._stream.check()
        for row, _ in traces:
            # Without the bucket number, so that chunking does not change the fingerprint.
            content = row | {"trace_name": row["trace_name"].partition("$")[2]}
            self._digest.update(AS_TEXT(content).encode())
        self._rows += [row for row, _ in traces]
        self._seen.add(source_id)
        self.n_events += 1
        self.n_traces += len(traces)
        if self.events_per_chunk is not None and self.n_events % self.events_per_chunk == 0:
            self._close_chunk()

    def _check_event(self, metadata: Sequence[Mapping[str, Any]], waveforms: Sequence[np.ndarray] | np.ndarray) -> str:
        if self._folder is None:
            raise DataError("WaveformSetWriter writes inside a 'with' block only")
        if len(metadata) == 0 or len(metadata) != len(waveforms):
            raise DataError(f"an event needs one metadata row per trace; got {len(metadata)} and {len(waveforms)}")
        missing = [name for name in REQUIRED_COLUMNS if any(name not in row for row in metadata)]
        if missing:
            raise DataError(f"metadata of {_describe(metadata[0])} lacks {', '.join(missing)}")
        ids = {str(row["source_id"]) for row in metadata}
        if len(ids) > 1:
            raise DataError(f"add_event takes one event, but the rows name {len(ids)}: {', '.join(sorted(ids)[:5])}")
        source_id = ids.pop()
        if source_id in self._seen:
            raise DataError(f"event '{source_id}' was added before; add all traces of an event at once")
        return source_id

    def _prepare_trace(self, row: Mapping[str, Any], waveform: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
        """Return the row with its recorded components and the float32 waveform (C, T) of just these."""
        rate_hz = float(row["trace_sampling_rate_hz"])
        if not (np.isfinite(rate_hz) and rate_hz > 0):
            raise DataError(f"trace_sampling_rate_hz of {_describe(row)} is {rate_hz}; it must be positive")
        recorded = str(row.get("trace_component_order", self.component_order))
        if not recorded or recorded != "".join(c for c in self.component_order if c in recorded):
            raise DataError(
                f"trace_component_order={recorded!r} of {_describe(row)} must be some of {self.component_order!r}, "
                "in that order"
            )
        samples = np.asarray(waveform, dtype=np.float32)
        if samples.ndim != 2 or samples.shape[0] not in (len(self.component_order), len(recorded)):
            raise DataError(
                f"waveform of {_describe(row)} has shape {samples.shape}; expected ({len(self.component_order)}, T)"
            )
        if samples.shape[0] != len(recorded):
            samples = samples[[self.component_order.index(c) for c in recorded]]
        if samples.shape[1] == 0:
            raise DataError(f"waveform of {_describe(row)} is empty; leave the trace out")
        if not np.isfinite(samples).all():
            n_bad = int((~np.isfinite(samples)).sum())
            raise DataError(
                f"waveform of {_describe(row)} holds {n_bad} NaN or infinite samples (as float32); "
                "fill gaps with zeros or leave the trace out"
            )
        kept = {key: value for key, value in row.items() if key != "trace_name"}
        kept |= {"source_id": str(row["source_id"]), "trace_sampling_rate_hz": rate_hz}
        return kept | {"trace_component_order": recorded}, samples

    def _write_bucket(self, traces: list[tuple[dict[str, Any], np.ndarray]]) -> None:
        assert self._data is not None
        name = f"bucket{len(self._data)}"
        n_components, n_longest = traces[0][1].shape[0], max(samples.shape[1] for _, samples in traces)
        block = np.zeros((len(traces), n_components, n_longest), dtype=np.float32)
        for i, (row, samples) in enumerate(traces):
            block[i, :, : samples.shape[1]] = samples
            row["trace_name"] = f"{name}${i},:{samples.shape[0]},:{samples.shape[1]}"
            self.n_samples += samples.size
        options = {"compression": self.compression, "shuffle": True} if self.compression else {}
        if self.compression == "gzip":
            # Higher levels take much longer and save a twentieth of a seismogram.
            options["compression_opts"] = 1
        self._data.create_dataset(name, data=block, chunks=(len(traces), 1, n_longest), **options)
        self._checksums += trace_checksums(block)
        self._digest.update(block.data)

    def _open_chunk(self) -> h5py.File:
        assert self._folder is not None
        chunk = "" if self.events_per_chunk is None else str(len(self._chunks))
        self._chunks.append(chunk)
        self._stream = PatientFile(self._folder / f"waveforms{chunk}.hdf5")
        file = h5py.File(self._stream, "w")
        self._data = file.create_group("data")
        file.create_group("data_format")
        return file

    def _close_chunk(self) -> None:
        """Finish the open HDF5 file and write the metadata rows that belong to it."""
        if self._file is None or self._folder is None:
            return
        rates = {row["trace_sampling_rate_hz"] for row in self._rows}
        orders = {row["trace_component_order"] for row in self._rows}
        order = orders.pop() if len(orders) == 1 else self.component_order
        described: dict[str, Any] = {"dimension_order": "CW", "component_order": order}
        described |= {key: str(self.card[key]) for key in DATA_FORMAT_KEYS if key in self.card}
        if len(rates) == 1:
            described["sampling_rate"] = rates.pop()
        for key, value in described.items():
            self._file["data_format"].create_dataset(key, data=value)
        write_checksums(self._file, self._checksums)
        self._close_file()
        self._checksums = []
        table, path = pd.DataFrame(self._rows), self._folder / f"metadata{self._chunks[-1]}.csv"
        table.to_csv(path, index=False, lineterminator=end_of_lines(table))
        self._rows = []

    def _write_card(self, folder: Path) -> None:
        counts = {"n_events": self.n_events, "n_traces": self.n_traces, "n_samples": self.n_samples}
        card = dict.fromkeys(STATED_KEYS, NOT_STATED) | self.card
        card |= {"component_order": self.component_order, "counts": counts, "files": describe_files(folder, own=True)}
        card.setdefault("fingerprint", self._digest.hexdigest()[:16])
        text = json.dumps(card, indent=2, sort_keys=True, default=str, ensure_ascii=False)
        (folder / "card.json").write_text(text + "\n", encoding="utf-8")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _finish(self, folder: Path) -> None:
        if self.n_events == 0:
            raise DataError(f"no event was added, so {self.path} was not written; check what was read or selected")
        self._close_chunk()
        if self.events_per_chunk is not None:
            (folder / "chunks").write_text("\n".join(self._chunks) + "\n", encoding="utf-8")
        self._write_card(folder)


def _describe(row: Mapping[str, Any]) -> str:
    """Short name of a trace for messages: event and station."""
    station = ".".join(str(row[key]) for key in ("station_network_code", "station_code") if key in row)
    return f"event '{row.get('source_id', '?')}' station '{station or '?'}'"
