"""Columns of a table as plain arrays, which can lie on the disk: numbers as they are, texts each once with codes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

NUMBER_KINDS = "fiub"
PLAIN = (str, int, float, bool, type(None))
"""What a cell of a column of mixed values may be; all of it survives JSON exactly."""


class Texts(Sequence):
    """N texts in one array of bytes, decoded when asked for.

    Args:
        content: uint8, UTF-8 of all texts, one after the other.
        ends: int (N,), where each ends.
    """

    def __init__(self, content: np.ndarray, ends: np.ndarray) -> None:
        self.content, self.ends = content, ends

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """Put texts one after the other."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        ends = np.cumsum(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)))
        fits = len(ends) == 0 or ends[-1] <= np.iinfo(np.int32).max
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends.astype(np.int32 if fits else np.int64))

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.ends)

    def __getitem__(self, number: Any) -> Any:
        """Return one text, or those of a slice."""
        if isinstance(number, slice):
            return self.take(range(*number.indices(len(self))))
        number = range(len(self))[number]
        first = int(self.ends[number - 1]) if number else 0
        return self.content[first : int(self.ends[number])].tobytes().decode("utf-8", "surrogatepass")

    def take(self, numbers: Sequence[int] | np.ndarray) -> list[str]:
        """Return the texts of some numbers."""
        return [self[number] for number in numbers]

    def all(self) -> list[str]:
        """Return every text."""
        content, ends = self.content.tobytes(), self.ends.tolist()
        starts = [0, *ends][: len(ends)]
        if content.isascii():
            whole = content.decode("ascii")
            return [whole[first:end] for first, end in zip(starts, ends, strict=True)]
        return [content[first:end].decode("utf-8", "surrogatepass") for first, end in zip(starts, ends, strict=True)]


@dataclass(frozen=True)
class Column:
    """One column of N rows.

    Attributes:
        dtype: of the column in a table of pandas, as text.
        values: numbers (N,), or the number of the text in each row, -1 for none.
        texts: each text once, in the order in which they come first; ``None`` for numbers.
        mixed: the texts are JSON, of cells of several types.
    """

    dtype: str
    values: np.ndarray
    texts: Texts | None = None
    mixed: bool = False

    @classmethod
    def of(cls, column: pd.Series) -> Column | None:
        """Pack a column; ``None`` where it holds what no CSV file gives, such as lists."""
        dtype = str(column.dtype)
        if isinstance(column.dtype, np.dtype) and column.dtype.kind in NUMBER_KINDS:
            return cls(dtype, column.to_numpy())
        mixed = column.dtype == object
        if mixed and not all(type(cell) in PLAIN for cell in column.tolist()):
            return None
        # Equal numbers of several types, such as 1, 1.0 and True, would become one.
        cells = np.array([json.dumps(cell) for cell in column.tolist()], dtype=object) if mixed else column
        codes, texts = pd.factorize(cells)
        texts = np.asarray(texts, dtype=object).tolist()
        if not all(isinstance(text, str) for text in texts):
            return None
        return cls(dtype, codes.astype(np.min_scalar_type(-len(texts) - 1)), Texts.of(texts), mixed)

    def series(self, index: pd.Index) -> pd.Series:
        """The rows of some numbers as pandas has them."""
        rows = None if index.equals(pd.RangeIndex(len(self.values))) else index.to_numpy()
        values = self.values if rows is None else self.values[rows]
        if self.texts is None:
            return pd.Series(values, index=index, copy=False)
        if rows is None or len(rows) > len(self.texts):
            used, codes = self.texts.all(), values
        else:
            numbers, codes = np.unique(values, return_inverse=True)
            n_none = int(np.searchsorted(numbers, 0))
            used, codes = self.texts.take(numbers[n_none:]), codes - n_none
        cells = np.empty(len(used) + 1, dtype=object)
        cells[:-1] = [json.loads(text) for text in used] if self.mixed else used
        cells[-1] = math.nan
        return pd.Series(cells[codes], index=index, dtype=self.dtype, copy=False)


class TraceTable:
    """The metadata table of a set, of which columns and rows become tables of pandas when they are asked for.

    It is asked as a table of pandas is: ``table[column]``, ``table[mask]``, ``table.iloc[rows]``, ``table.index``,
    ``column in table``, ``len(table)``; nothing can be changed in it. What else a table of pandas can do is asked of
    the whole one, which is made for it.

    Args:
        stored: the columns (N rows each), packed or as a table of pandas.
    """

    def __init__(self, stored: pd.DataFrame | Mapping[str, Column]) -> None:
        self._stored = stored
        self._added: dict[str, pd.Series] = {}
        first = stored if isinstance(stored, pd.DataFrame) else next(iter(stored.values())).values
        self.index = pd.RangeIndex(len(first))
        """Numbers of the rows."""

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return list(dict.fromkeys([*map(str, self._stored), *self._added]))

    def __iter__(self) -> Any:
        """Go through the names of the columns."""
        return iter(self.columns)

    def __contains__(self, column: object) -> bool:
        """Tell whether there is such a column."""
        return column in self._added or column in self._stored

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.index)

    def __getitem__(self, asked: Any) -> Any:
        """Return one column by its name, a table of the columns of a list, or of the rows of a mask (N,).

        Raises:
            KeyError: there is no such column.
        """
        if isinstance(asked, str):
            return self._column(asked, self.index)
        if isinstance(asked, list) and all(isinstance(name, str) for name in asked):
            return self.rows(slice(None), asked)
        return self.rows(np.asarray(asked, dtype=bool))

    def __getattr__(self, name: str) -> Any:
        """Ask the whole table of pandas for what this one cannot do."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.frame(), name)

    def _column(self, name: str, index: pd.Index) -> pd.Series:
        if name in self._added:
            column = self._added[name]
        elif isinstance(self._stored, pd.DataFrame):
            column = self._stored[name]
        else:
            return self._stored[name].series(index).rename(name)
        return column if index is self.index else column.iloc[index]

    @property
    def iloc(self) -> _Rows:
        """Rows by their numbers: one as a series, several as a table."""
        return _Rows(self)

    def rows(self, rows: Any, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return rows, named by numbers (K,), a mask (N,) or a slice, of all columns or of some.

        Raises:
            IndexError: there is no such row.
            KeyError: there is no such column.
        """
        if isinstance(self._stored, pd.DataFrame) and not self._added:
            return (self._stored if columns is None else self._stored[list(columns)]).iloc[rows]
        if isinstance(self._stored, pd.DataFrame) and columns is None:
            at = rows if isinstance(rows, slice) else self._numbers(np.asarray(rows))
            added = {name: column.array[at] for name, column in self._added.items()}
            return self._stored.iloc[at].assign(**added)
        index = self.index[rows] if isinstance(rows, slice) else pd.Index(self._numbers(np.asarray(rows)))
        names = self.columns if columns is None else columns
        return pd.DataFrame({name: self._column(name, index) for name in names}, index=index)

    def _numbers(self, rows: np.ndarray) -> np.ndarray:
        if rows.dtype == bool:
            return np.flatnonzero(rows)
        rows = rows.astype(np.intp)
        if len(rows) and not -len(self) <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a table of {len(self)}")
        return np.where(rows < 0, rows + len(self), rows)

    def frame(self) -> pd.DataFrame:
        """The whole table of pandas."""
        if isinstance(self._stored, pd.DataFrame):
            return self._stored.assign(**self._added) if self._added else self._stored
        return pd.DataFrame({name: self[name] for name in self.columns}, copy=False)

    def with_columns(self, columns: Mapping[str, Any]) -> TraceTable:
        """The same table with further columns (N,), which go before those of the same name."""
        other = TraceTable(self._stored)
        other._added = self._added | {
            name: pd.Series(values, index=self.index, name=name) for name, values in columns.items()
        }
        return other


@dataclass(frozen=True)
class _Rows:
    table: TraceTable

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, int | np.integer):
            return self.table.rows([int(rows)]).iloc[0]
        return self.table.rows(rows)
