"""The files of a waveform set in the SeisBench data format: chunks, metadata tables, trace addresses, card."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from seisvision.data.table_cache import files_key, load_table, store_table
from seisvision.errors import DataError
from seisvision.keys import COMPONENTS

log = logging.getLogger(__name__)

TEXT_SUFFIXES = ("_id", "_code", "_name", "_type", "_cell", "_time", "_order", "_unit", "_channel", "_category")
TEXT_COLUMNS = frozenset({"split", "trace_chunk"})
NO_VALUE = ("", "NaN", "nan", "None", "null", "NA", "N/A", "<NA>", "-")
REMEDY = "make, import or download the set again"


@dataclass(frozen=True)
class Chunk:
    """One pair of metadata and waveform files, with what its ``data_format`` group says."""

    name: str
    metadata_path: Path
    waveforms_path: Path
    dimension_order: str
    component_order: str
    sampling_rate_hz: float


def find_chunks(folder: Path) -> list[Chunk]:
    """Return the chunks of the set in ``folder``, in the order of its ``chunks`` file or of their names.

    Raises:
        DataError: the folder, a file or its HDF5 content is missing or damaged.
    """
    if not folder.is_dir():
        raise DataError(f"waveform set {folder} does not exist; check the path, or {REMEDY}")
    return [_open_chunk(folder, name) for name in _chunk_names(folder)]


def _chunk_names(folder: Path) -> list[str]:
    listed = folder / "chunks"
    names = listed.read_text(encoding="utf-8").split() if listed.is_file() else []
    if names:
        return names
    found = [path.name.removeprefix("metadata").removesuffix(".csv") for path in folder.glob("metadata*.csv")]
    if "" in found:
        return [""]
    if not found:
        raise DataError(f"{folder} is not a waveform set: it has no metadata.csv; check the path, or {REMEDY}")
    return sorted(found, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])


def _open_chunk(folder: Path, name: str) -> Chunk:
    metadata_path, waveforms_path = folder / f"metadata{name}.csv", folder / f"waveforms{name}.hdf5"
    for path in (metadata_path, waveforms_path):
        if not path.is_file():
            raise DataError(f"{path} is missing from its waveform set; {REMEDY}")
    try:
        with h5py.File(waveforms_path, "r") as file:
            if not isinstance(file.get("data"), h5py.Group):
                raise DataError(f"{waveforms_path} has no group 'data', so it is no SeisBench file; {REMEDY}")
            described = {key: _plain(item[()]) for key, item in file.get("data_format", {}).items()}
        rate_hz = float(described.get("sampling_rate") or np.nan)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{waveforms_path} cannot be read, perhaps it is truncated ({error}); {REMEDY}") from error
    dimensions = str(described.get("dimension_order", "CW")).replace("N", "")
    if dimensions not in ("CW", "WC"):
        raise DataError(f"dimension_order={dimensions!r} of {waveforms_path} is not supported; allowed: CW, WC")
    order = "".join(described.get("component_order") or COMPONENTS)
    return Chunk(name, metadata_path, waveforms_path, dimensions, order, rate_hz)


def _plain(value: Any) -> Any:
    """Turn what HDF5 returns (bytes, arrays of bytes) into str or number."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return "".join(str(_plain(item)) for item in value.ravel())
    return value


@dataclass(frozen=True)
class Metadata:
    """The metadata rows of a set (N) and where their samples lie.

    Attributes:
        table: one row per trace in file order.
        chunk: number of the chunk of each row (N,).
        dataset: number of the HDF5 dataset of each row (N,), in ``datasets``.
        datasets: chunk number and name of each dataset.
        index: row in the dataset (N,), -1 for the whole dataset.
        limits: entries of its next two dimensions (N, 2), -1 for all.
    """

    table: pd.DataFrame
    chunk: np.ndarray
    dataset: np.ndarray
    datasets: list[tuple[int, str]]
    index: np.ndarray
    limits: np.ndarray


def read_metadata(chunks: list[Chunk]) -> Metadata:
    """Read the metadata rows of all chunks in file order.

    Ids, codes and times stay text, so that network ``NA`` or location ``00`` survive. ``source_id``,
    ``trace_sampling_rate_hz`` and ``trace_component_order`` are always there and complete afterwards. A row without
    ``source_id`` becomes an event of its own, named by its trace (preceded by the chunk in chunked sets). Large tables
    are read from a binary copy where there is one, see :mod:`seisvision.data.table_cache`.

    Raises:
        DataError: a table is damaged, has no ``trace_name``, or gives no sampling rate.
    """
    folder = chunks[0].metadata_path.parent
    paths = [path for chunk in chunks for path in (chunk.metadata_path, chunk.waveforms_path)]
    key = files_key(paths, *((chunk.name, chunk.component_order, chunk.sampling_rate_hz) for chunk in chunks))
    copy = load_table(folder, key)
    if copy is not None:
        table, arrays = copy
        names = bytes(arrays["dataset_names"]).decode().split("\n")
        datasets = list(zip(arrays["dataset_chunks"].tolist(), names, strict=True))
        return Metadata(table, arrays["chunk"], arrays["dataset"], datasets, arrays["index"], arrays["limits"])
    metadata = _read_tables(chunks)
    arrays = {name: getattr(metadata, name) for name in ("chunk", "dataset", "index", "limits")}
    arrays["dataset_chunks"] = np.array([number for number, _ in metadata.datasets])
    arrays["dataset_names"] = np.frombuffer("\n".join(name for _, name in metadata.datasets).encode(), np.uint8)
    store_table(folder, key, metadata.table, arrays)
    return metadata


def _read_tables(chunks: list[Chunk]) -> Metadata:
    tables = [_read_table(chunk) for chunk in chunks]
    for table, chunk in zip(tables, chunks, strict=True):
        _complete(table, chunk)
    metadata = pd.concat(tables, ignore_index=True)
    if metadata.empty:
        raise DataError(f"{chunks[0].metadata_path} holds no trace; {REMEDY}")
    chunk_of_row = np.repeat(np.arange(len(chunks)), [len(table) for table in tables])
    addresses = [parse_trace_name(name) for name in metadata["trace_name"]]
    names, texts = pd.factorize(np.array([address.dataset for address in addresses], dtype=object))
    dataset, pairs = pd.factorize(chunk_of_row * len(texts) + names)
    datasets = [(int(pair // len(texts)), str(texts[pair % len(texts)])) for pair in pairs]
    index = np.array([address.index for address in addresses])
    limits = np.array([(address.n_first, address.n_second) for address in addresses])
    return Metadata(metadata, chunk_of_row, dataset, datasets, index, limits)


def _read_table(chunk: Chunk) -> pd.DataFrame:
    path = chunk.metadata_path
    try:
        columns = list(pd.read_csv(path, nrows=0, encoding="utf-8").columns)
        text = [column for column in columns if column in TEXT_COLUMNS or column.endswith(TEXT_SUFFIXES)]
        missing_values = {column: [""] if column in text else list(NO_VALUE) for column in columns}
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(text, str),
            na_values=missing_values,
            keep_default_na=False,
            low_memory=False,
            encoding="utf-8",
        )
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path} is not a readable table ({error}); {REMEDY}") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError(f"{path} has rows with more cells than its header names columns; {REMEDY}")
    if "trace_name" not in table or table["trace_name"].isna().any():
        raise DataError(f"{path} needs a trace_name in every row, to find the samples; {REMEDY}")
    return table.drop(columns=[column for column in table if str(column).startswith("Unnamed:")])


def _complete(table: pd.DataFrame, chunk: Chunk) -> None:
    """Fill in place what the format lets a set leave out."""
    prefix = f"{chunk.name}/" if chunk.name else ""
    own_id = prefix + table["trace_name"].str.split(",", n=1).str[0]
    table["source_id"] = table["source_id"].fillna(own_id) if "source_id" in table else own_id
    order = table["trace_component_order"] if "trace_component_order" in table else pd.Series(index=table.index)
    table["trace_component_order"] = order.astype(object).fillna(chunk.component_order).astype(str)
    table["trace_sampling_rate_hz"] = _sampling_rates(table, chunk)


def _sampling_rates(table: pd.DataFrame, chunk: Chunk) -> np.ndarray:
    rates = np.full(len(table), np.nan)
    if "trace_sampling_rate_hz" in table:
        rates = pd.to_numeric(table["trace_sampling_rate_hz"], errors="coerce").to_numpy(dtype=float)
    if "trace_dt_s" in table:
        steps_s = pd.to_numeric(table["trace_dt_s"], errors="coerce").to_numpy(dtype=float)
        rates = np.where(np.isnan(rates), 1 / steps_s, rates)
    rates = np.where(np.isnan(rates), chunk.sampling_rate_hz, rates)
    bad = ~(np.isfinite(rates) & (rates > 0))
    if bad.any():
        raise DataError(
            f"{chunk.metadata_path}: {int(bad.sum())} traces have no positive sampling rate, first "
            f"'{table['trace_name'].iloc[int(bad.argmax())]}'; add a column trace_sampling_rate_hz or trace_dt_s, "
            "or sampling_rate to the data_format group of the HDF5 file"
        )
    return rates


@dataclass(frozen=True)
class TraceAddress:
    """Place of one trace: dataset under ``data``, row (-1: the whole dataset) and limits of the others (-1: none)."""

    dataset: str
    index: int
    n_first: int
    n_second: int


def parse_trace_name(name: str) -> TraceAddress:
    """Parse ``bucket0$5,:3,:6000``: row 5 of ``bucket0``, the first 3 and 6000 entries of the next dimensions.

    Raises:
        DataError: the part after ``$`` is not of this form.
    """
    dataset, dollar, location = name.partition("$")
    if not dollar:
        return TraceAddress(name, -1, -1, -1)
    match = re.fullmatch(r"\s*(\d+)\s*(?:,\s*0?:(\d*)\s*)?(?:,\s*0?:(\d*)\s*)?", location)
    if match is None:
        raise DataError(f"trace_name '{name}' is not of the form 'bucket$row,:components,:samples'; {REMEDY}")
    return TraceAddress(dataset, int(match[1]), int(match[2] or -1), int(match[3] or -1))


def read_card(folder: Path) -> dict[str, Any]:
    """Return the content of ``card.json``, or ``{}`` where there is none.

    Raises:
        DataError: the file is not a JSON object.
    """
    path = folder / "card.json"
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}); correct or remove it") from error
    if not isinstance(card, dict):
        raise DataError(f"{path} must hold a JSON object; correct or remove it")
    return card


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what a card keeps of the files of a set: sizes, and a hash of each metadata table.

    Raises:
        DataError: a file is missing or damaged.
    """
    described: dict[str, dict[str, Any]] = {}
    for chunk in find_chunks(folder):
        described[chunk.metadata_path.name] = {
            "bytes": chunk.metadata_path.stat().st_size,
            "sha256": _file_hash(chunk.metadata_path),
        }
        described[chunk.waveforms_path.name] = {"bytes": chunk.waveforms_path.stat().st_size}
    return described


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def set_fingerprint(folder: Path) -> str:
    """Fingerprint of a set: that of its card, else a hash of the metadata bytes and the waveform file sizes.

    Where the files are no longer those that the card describes, the set has been edited: that is logged as a warning,
    and the fingerprint is a new one.
    """
    card = read_card(folder)
    # It becomes part of file names.
    if not re.fullmatch(r"[0-9A-Za-z][\w-]*", str(card.get("fingerprint") or "none")):
        raise DataError(
            f"the fingerprint in {folder / 'card.json'} must be letters and digits; remove it from the card"
        )
    given, described = card.get("fingerprint"), card.get("files")
    if given and not isinstance(described, dict):
        return str(given)
    digest = hashlib.sha256()
    if not isinstance(described, dict):
        for chunk in find_chunks(folder):
            digest.update(chunk.metadata_path.read_bytes())
            digest.update(str(chunk.waveforms_path.stat().st_size).encode())
        return digest.hexdigest()[:16]
    found = describe_files(folder)
    if given and found == described:
        return str(given)
    changed = sorted(name for name in {*found, *described} if found.get(name) != described.get(name))
    log.warning(
        "%s was changed after it was written (%s), so its fingerprint is no longer %s: runs on it are new runs",
        folder, ", ".join(changed), given,
    )  # fmt: skip
    digest.update(json.dumps([given, found], sort_keys=True).encode())
    return digest.hexdigest()[:16]
