"""The metadata tables of a set: read, completed, and where each row finds its samples."""

from __future__ import annotations

import csv
import logging
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.data.sets import table_cache
from seisvision.data.sets.set_files import REMEDY, Chunk
from seisvision.data.sets.stored.axes import component_letters
from seisvision.data.sets.stored.columns import Column, Texts, TraceTable
from seisvision.data.sets.stored.texts import NOTHING, is_text, one_spelling, tell_texts_among_numbers, tidy_texts
from seisvision.errors import DataError
from seisvision.keys import COMPONENTS
from seisvision.spreadsheets import check_columns

log = logging.getLogger(__name__)

RATE_TOLERANCE = 0.01
"""How far two statements on one sampling rate may differ, as a share: steps are often rounded."""


@dataclass(frozen=True)
class Metadata:
    """The metadata rows of a set (N), where their samples lie, and which are of one event.

    Attributes:
        table: one row per trace in file order.
        key: of the files that it was read from, see :func:`~seisvision.data.sets.table_cache.files_key`.
        is_mapped: the arrays below and the table lie in the binary copy, and not in memory.
        chunk: number of the chunk of each row (N,).
        dataset: number of the HDF5 dataset of each row (N,), in ``datasets``.
        datasets: chunk number and name of each dataset.
        index: row in the dataset (N,), -1 for the whole dataset.
        limits: entries of its next two dimensions (2, N), -1 for all.
        order: number of the component order of each row (N,), in ``orders``.
        orders: letters of the components.
        source_ids: ids of the E events, in the order in which they come first.
        rows: numbers of the rows (N,), event after event.
        first: int (E + 1,), where in ``rows`` each event begins.
    """

    table: TraceTable
    key: str
    is_mapped: bool
    chunk: np.ndarray
    dataset: np.ndarray
    datasets: Sequence[tuple[int, str]]
    index: np.ndarray
    limits: np.ndarray
    order: np.ndarray
    orders: Sequence[str]
    source_ids: Sequence[str]
    rows: np.ndarray
    first: np.ndarray


ARRAYS = ("chunk", "dataset", "index", "limits", "rows", "first")
"""Of :class:`Metadata`, kept in the binary copy as they are."""


class Datasets(Sequence):
    """Chunk number and name of D datasets, of which there may be as many as traces.

    Args:
        chunk: int (D,).
        names: D names.
    """

    def __init__(self, chunk: np.ndarray, names: Texts) -> None:
        self.chunk, self.names = chunk, names

    def __len__(self) -> int:
        """Return the number of datasets."""
        return len(self.chunk)

    def __getitem__(self, number: Any) -> Any:
        """Return chunk number and name of one."""
        return int(self.chunk[number]), self.names[int(number)]


def read_metadata(chunks: list[Chunk]) -> Metadata:
    """Read the metadata rows of all chunks in file order.

    Ids, codes and times stay text, so that network ``NA`` or location ``00`` survive; words for "none" are missing.
    ``source_id``, ``trace_sampling_rate_hz`` and ``trace_component_order`` (in capital letters) are always there and
    complete afterwards. A row without ``source_id`` becomes an event of its own, named by its trace (preceded by the
    chunk in chunked sets). Large tables are mapped from a binary copy, which is made where there is none, see
    :mod:`seisvision.data.sets.table_cache`; where its folder cannot be written they are kept packed in memory.

    Raises:
        DataError: a table is damaged, has no ``trace_name``, gives no sampling rate, or contradicts itself.
    """
    folder, key = _folder_and_key(chunks)
    found = _mapped(folder, key)
    if found is not None:
        return found
    tables = _read_tables(chunks)
    n_rows = [len(table) for table in tables]
    metadata = _indexed(pd.concat(tables, ignore_index=True), key, n_rows, chunks)
    del tables
    if len(metadata.table) < table_cache.MIN_ROWS:
        return metadata
    columns = _packed(metadata.table)
    if columns is None:
        return metadata
    arrays = {name: getattr(metadata, name) for name in ARRAYS}
    names = Texts.of([name for _, name in metadata.datasets])
    arrays |= {"dataset_chunk": np.array([number for number, _ in metadata.datasets], dtype=np.int32)}
    arrays |= {"dataset_content": names.content, "dataset_ends": names.ends}
    del metadata
    if table_cache.store_table(folder, key, columns, arrays):
        found = _mapped(folder, key)
    return found or _from_columns(columns, arrays, key, is_mapped=False)


def reopen_metadata(chunks: list[Chunk], key: str) -> Metadata:
    """Map again, in another process, what was mapped under ``key``.

    Raises:
        DataError: the set has been changed or replaced since.
    """
    folder = chunks[0].metadata_path.parent
    found = _mapped(folder, key)
    # Somebody may have removed the copy, which is then made again.
    if found is None and folder.is_dir() and _folder_and_key(chunks)[1] == key:
        found = read_metadata(chunks)
    if found is None:
        raise DataError(f"{folder} was changed or replaced while it was in use; start the command again")
    return found


def _folder_and_key(chunks: list[Chunk]) -> tuple[Path, str]:
    paths = [path for chunk in chunks for path in (chunk.metadata_path, chunk.waveforms_path)]
    about = ((chunk.name, chunk.component_order, chunk.sampling_rate_hz) for chunk in chunks)
    return chunks[0].metadata_path.parent, table_cache.files_key(paths, *about)


def _mapped(folder: Path, key: str) -> Metadata | None:
    copy = table_cache.load_table(folder, key)
    return None if copy is None else _from_columns(*copy, key, is_mapped=True)


def _packed(table: TraceTable) -> dict[str, Column] | None:
    columns = {}
    for name in table.columns:
        column = Column.of(table[name])
        if column is None:
            log.debug("Column %s holds what cannot be packed, so the table stays as it is", name)
            return None
        columns[name] = column
    return columns


def _from_columns(
    columns: dict[str, Column], arrays: Mapping[str, np.ndarray], key: str, *, is_mapped: bool
) -> Metadata:
    order, source_id = columns["trace_component_order"], columns["source_id"]
    return Metadata(
        table=TraceTable(columns),
        key=key,
        is_mapped=is_mapped,
        datasets=Datasets(arrays["dataset_chunk"], Texts(arrays["dataset_content"], arrays["dataset_ends"])),
        order=order.values,
        orders=order.texts or (),
        source_ids=source_id.texts or (),
        **{name: arrays[name] for name in ARRAYS},
    )


def _addresses(trace_names: pd.Series) -> tuple[np.ndarray, Sequence[str], np.ndarray]:
    """Number of the dataset of each trace (N,), names of the datasets, and row and limits of each trace (3, N)."""
    parts = [name.partition("$") for name in trace_names.tolist()]
    dataset, names = pd.factorize(np.array([part[0] for part in parts], dtype=object))
    place, _ = pd.factorize(np.array([part[1] + part[2] for part in parts], dtype=object))
    # Rows and lengths repeat from dataset to dataset, so few of them are different.
    rows: np.ndarray = np.unique(place, return_index=True)[1]
    addresses = [parse_trace_name(name) for name in trace_names.iloc[rows]]
    numbers = np.array([(address.index, address.n_first, address.n_second) for address in addresses]).reshape(-1, 3)
    return dataset, names, numbers[place].T


def _read_tables(chunks: list[Chunk]) -> list[pd.DataFrame]:
    tables = [_read_table(chunk.metadata_path) for chunk in chunks]
    for table, chunk in zip(tables, chunks, strict=True):
        _complete(table, chunk)
    return tables


def _indexed(table: pd.DataFrame, key: str, n_rows: list[int], chunks: list[Chunk]) -> Metadata:
    if table.empty:
        raise DataError(f"{chunks[0].metadata_path} holds no trace; {REMEDY}")
    table["source_id"] = one_spelling(table["source_id"])
    chunk_of_row = np.repeat(np.arange(len(chunks)), n_rows)
    names, texts, places = _addresses(table["trace_name"])
    dataset, pairs = pd.factorize(chunk_of_row * len(texts) + names)
    order, orders = pd.factorize(table["trace_component_order"])
    event, source_ids = pd.factorize(table["source_id"])
    rows = np.argsort(event, kind="stable")
    return Metadata(
        table=TraceTable(table),
        key=key,
        is_mapped=False,
        chunk=narrow(chunk_of_row),
        dataset=narrow(dataset),
        datasets=[(int(pair // len(texts)), str(texts[pair % len(texts)])) for pair in pairs],
        index=narrow(places[0]),
        limits=narrow(places[1:]),
        order=narrow(order),
        orders=[str(text) for text in orders],
        source_ids=[str(source_id) for source_id in source_ids],
        rows=narrow(rows),
        first=np.searchsorted(event[rows], np.arange(len(source_ids) + 1)),
    )


def narrow(numbers: np.ndarray) -> np.ndarray:
    """The same integers in half the memory, where that can hold them: there may be a million rows."""
    fits = int(np.abs(numbers).max(initial=0)) <= np.iinfo(np.int32).max
    return numbers.astype(np.int32 if fits else np.int64)


def _read_table(path: Path) -> pd.DataFrame:
    try:
        encoding = _encoding(path)
        header = _header(path, encoding)
        text = [column for column in header if is_text(column)]
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(text, str),
            na_values={column: [""] if column in text else sorted(NOTHING) for column in header},
            keep_default_na=False,
            low_memory=False,
            encoding=encoding,
        )
    except (ValueError, csv.Error, pd.errors.ParserError) as error:
        raise DataError(f"{path} is not a readable table ({error}); {REMEDY}") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError(f"{path} has rows with more cells than its header names columns; {REMEDY}")
    if "trace_name" not in table or table["trace_name"].isna().any():
        shown = ", ".join(f"'{column}'" for column in header[:5])
        raise DataError(
            f"{path} needs a trace_name in every row, to find the samples (columns, with commas between: {shown}); "
            f"{REMEDY}"
        )
    table = table.drop(columns=[column for column in table if str(column).startswith("Unnamed:")])
    table = _without_repeated_columns(table, header, path)
    tidy_texts(table, path)
    tell_texts_among_numbers(table, path)
    n_repeated = int(table["trace_name"].duplicated().sum())
    if n_repeated:
        log.warning("%s: %d rows name the samples of an earlier row (trace_name)", path, n_repeated)
    return table


def _encoding(path: Path) -> str:
    """UTF-8, with or without a mark of byte order, or else Windows-1252, which holds Latin-1."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        with path.open("rb") as raw:
            if b"\0" in raw.read(4096):
                raise
        log.warning("%s is not UTF-8; it is read as Windows-1252, look at its names", path)
        return "cp1252"
    return "utf-8-sig"


def _header(path: Path, encoding: str) -> list[str]:
    check_columns(path, encoding)
    with path.open(encoding=encoding, newline="") as file:
        return next(csv.reader(file), [])


def _without_repeated_columns(table: pd.DataFrame, header: list[str], path: Path) -> pd.DataFrame:
    """Drop columns that say again what one of that name says.

    Raises:
        DataError: two columns of one name differ.
    """
    for name in {name for name, number in Counter(header).items() if name and number > 1}:
        again = [f"{name}.{number}" for number in range(1, header.count(name))]
        again = [column for column in again if column in table and column not in header]
        if not all(table[column].astype(str).equals(table[name].astype(str)) for column in again):
            raise DataError(f"{path} has {header.count(name)} columns '{name}' that differ; keep the right one")
        table = table.drop(columns=again)
    return table


def _complete(table: pd.DataFrame, chunk: Chunk) -> None:
    """Fill in place what the format lets a set leave out."""
    ids = table["source_id"] if "source_id" in table else pd.Series(index=table.index, dtype=str)
    prefix = f"{chunk.name}/" if chunk.name else ""
    own_ids = [prefix + _own_id(name) for name in table["trace_name"][ids.isna()]]
    table["source_id"] = ids.fillna(pd.Series(own_ids, index=table.index[ids.isna()], dtype=str))
    table["trace_component_order"] = _component_orders(table, chunk)
    table["trace_sampling_rate_hz"] = _sampling_rates(table, chunk)


def _own_id(trace_name: str) -> str:
    """Id of an event of one trace: its name without the limits, commas of the dataset's own name kept."""
    dataset, dollar, place = trace_name.partition("$")
    return dataset + dollar + place.partition(",")[0]


def _component_orders(table: pd.DataFrame, chunk: Chunk) -> pd.Series:
    orders = table["trace_component_order"] if "trace_component_order" in table else pd.Series(index=table.index)
    orders = orders.astype(object)
    if orders.isna().any() and not chunk.component_order:
        log.warning(
            "%s: %d traces say nothing of their components; taken as %s, as SeisBench does. If they are not, add a "
            "column trace_component_order",
            chunk.metadata_path, int(orders.isna().sum()), COMPONENTS,
        )  # fmt: skip
    codes, texts = pd.factorize(orders.fillna(chunk.component_order or COMPONENTS).astype(str))
    try:
        letters = np.array([component_letters(text) for text in texts], dtype=object)
    except DataError as error:
        raise DataError(f"{chunk.metadata_path}: {error}") from error
    return pd.Series(letters[codes], index=table.index, dtype=str)


def _sampling_rates(table: pd.DataFrame, chunk: Chunk) -> np.ndarray:
    rates = _numbers(table, "trace_sampling_rate_hz", chunk)
    with np.errstate(divide="ignore"):
        of_steps = 1 / _numbers(table, "trace_dt_s", chunk)
    differ = np.abs(of_steps / rates - 1) > RATE_TOLERANCE
    if differ.any():
        first = int(differ.argmax())
        raise DataError(
            f"{chunk.metadata_path}: trace_sampling_rate_hz and trace_dt_s contradict each other in "
            f"{int(differ.sum())} traces, first '{table['trace_name'].iloc[first]}' ({rates[first]:g} Hz, "
            f"{1 / of_steps[first]:g} s); remove the wrong column"
        )
    rates = np.where(np.isnan(rates), of_steps, rates)
    others = np.abs(rates / chunk.sampling_rate_hz - 1) > RATE_TOLERANCE
    if others.any():
        log.warning(
            "%s: %d of %d traces have rates of their own, which go before the %g Hz of the data_format group",
            chunk.metadata_path, int(others.sum()), len(table), chunk.sampling_rate_hz,
        )  # fmt: skip
    rates = np.where(np.isnan(rates), chunk.sampling_rate_hz, rates)
    bad = ~(np.isfinite(rates) & (rates > 0))
    if bad.any():
        raise DataError(
            f"{chunk.metadata_path}: {int(bad.sum())} traces have no positive sampling rate, first "
            f"'{table['trace_name'].iloc[int(bad.argmax())]}'; add a column trace_sampling_rate_hz or trace_dt_s, "
            "or sampling_rate to the data_format group of the HDF5 file"
        )
    return rates


def _numbers(table: pd.DataFrame, column: str, chunk: Chunk) -> np.ndarray:
    if column not in table:
        return np.full(len(table), np.nan)
    numbers = pd.to_numeric(table[column], errors="coerce")
    strange = table[column].notna() & numbers.isna()
    if strange.any():
        raise DataError(f"{chunk.metadata_path}: {column}='{table[column][strange].iloc[0]}' is not a number")
    return numbers.to_numpy(dtype=float)


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
