"""CSV files in which names from data stay names, also where a spreadsheet opens them.

A cell that begins with ``=``, ``+``, ``-``, ``@`` or a control character is a formula there, and may run programs. Such
text is written behind an apostrophe (OWASP, "CSV injection"), which these readers take off again; numbers stay as
they are. The tables of waveform sets are not written so: they belong to a format that other programs read.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seisvision.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# A sign alone says nothing to a spreadsheet. Signs of full width are taken for the others where such are written.
FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠].+", re.DOTALL)  # noqa: RUF001
BEHIND_APOSTROPHE = re.compile("'+[=+\\-@\t\r\n＝＋－＠].+", re.DOTALL)  # noqa: RUF001


MOST_COLUMNS = 5000
"""More than any table has; pandas takes the square of their number where names repeat."""
LONGEST_HEADER = 1_000_000


def check_columns(path: Path, encoding: str = "utf-8-sig") -> None:
    """Refuse a table with more columns than any has, before pandas reads it.

    Raises:
        DataError: names the file.
        OSError: it cannot be read.
    """
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        begin = file.read(LONGEST_HEADER)
    try:
        n_columns = len(next(csv.reader(io.StringIO(begin, newline="")), []))
    except csv.Error as error:
        raise DataError(f"{path} is not a readable table (its header: {error}); make it again") from error
    if n_columns > MOST_COLUMNS:
        raise DataError(f"{path} has more than {MOST_COLUMNS:,} columns, as no table has; make it again")


def to_cell(value: Any) -> Any:
    """What is written for a value: text that would be a formula behind an apostrophe, anything else as it is."""
    if not isinstance(value, str) or FORMULA.fullmatch(value) is None or _is_number(value):
        return value
    return f"'{value}"


def from_cell(cell: Any) -> Any:
    """The value that :func:`to_cell` was given."""
    return cell[1:] if isinstance(cell, str) and BEHIND_APOSTROPHE.fullmatch(cell) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isprintable()


class Writer:
    """``csv.writer`` with lines that end as everywhere here."""

    def __init__(self, file: Any, *, lineterminator: str = "\n", **settings: Any) -> None:
        self._file, self._end = file, lineterminator
        self._line = io.StringIO(newline="")
        # Where lines end otherwise, csv leaves a carriage return without quotes, and readers take it for an end.
        self._writer = csv.writer(self._line, **settings, lineterminator="\r\n")

    def writerow(self, row: Iterable[Any]) -> Any:
        """Write one line."""
        self._line.seek(0)
        self._line.truncate()
        self._writer.writerow([to_cell(value) for value in row])
        return self._file.write(self._line.getvalue().removesuffix("\r\n") + self._end)

    def writerows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Write many lines."""
        for row in rows:
            self.writerow(row)


class DictWriter(csv.DictWriter):
    """``csv.DictWriter`` on a :class:`Writer`."""

    def __init__(self, file: Any, fieldnames: Sequence[str], *, restval: str = "", **settings: Any) -> None:
        super().__init__(file, fieldnames, restval=restval)
        self.writer: Any = Writer(file, **settings)


class Reader:
    """``csv.reader`` of what a :class:`Writer` wrote."""

    def __init__(self, lines: Iterable[str], **settings: Any) -> None:
        self._reader = csv.reader(lines, **settings)

    def __iter__(self) -> Iterator[list[Any]]:
        return self

    def __next__(self) -> list[Any]:
        return [from_cell(cell) for cell in next(self._reader)]

    @property
    def line_num(self) -> int:
        """Lines read so far."""
        return self._reader.line_num


class DictReader(csv.DictReader):
    """``csv.DictReader`` on a :class:`Reader`."""

    def __init__(self, lines: Iterable[str], **settings: Any) -> None:
        lines = list(lines)
        super().__init__(lines, **settings)
        self.reader: Any = Reader(lines)


def end_of_lines(table: pd.DataFrame) -> str:
    """What ends the lines of a table for ``to_csv`` such that all cells come back, also with a carriage return."""
    texts = (table.iloc[:, place] for place, kind in enumerate(table.dtypes) if kind.kind not in "biufcmM")
    names = any("\r" in str(name) for name in table.columns)
    return "\r\n" if names or any("\r" in "".join(map(str, column.tolist())) for column in texts) else "\n"


def frame_to_cells(table: pd.DataFrame) -> pd.DataFrame:
    """A table for ``to_csv``."""
    return _each_cell(table, to_cell)


def frame_from_cells(table: pd.DataFrame) -> pd.DataFrame:
    """The table that :func:`frame_to_cells` was given, as ``read_csv`` returns it."""
    texts = (column.tolist() for _, column in table.items() if column.dtype.kind not in "biuf")
    cells = itertools.chain(table.columns, itertools.chain.from_iterable(texts))
    # Most tables have no such cell, and changing none takes pandas longer than reading them.
    is_any_behind = any(isinstance(cell, str) and cell.startswith("'") for cell in cells)
    return _each_cell(table, from_cell) if is_any_behind else table


def _each_cell(table: pd.DataFrame, change: Any) -> pd.DataFrame:
    import pandas as pd

    changed = table.rename(columns=change)
    for place, kind in enumerate(changed.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            changed.isetitem(place, changed.iloc[:, place].map(change))
    return changed
