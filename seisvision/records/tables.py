"""Small tables of a run folder: written as CSV for people and programs, read back for dashboards.

Text is written in quotes and numbers are not, so that an event called 000123 comes back as that and not as 123.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seisvision import spreadsheets
from seisvision.files import write_text
from seisvision.plain_files import read_text

PICTURE = "picture"
"""Column with paths of PNGs, relative to the table, which dashboards show as pictures."""
OLD_TEXT_COLUMNS = frozenset({"event", "sample", "why", "class", "true class", "quantity", "measure", PICTURE})
"""Columns of text in tables of versions that wrote it without quotes."""


@dataclass(frozen=True)
class Table:
    """A table as it lies in a run folder."""

    name: str
    columns: list[str]
    rows: list[list[Any]]
    """Numbers where such were written, text otherwise, ``None`` for nothing; a ``Path`` in the column of pictures."""


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a CSV with text in quotes, numbers in six digits and nothing where there is none."""
    text = io.StringIO()
    writer = spreadsheets.Writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, text.getvalue())
    return path


def read_table(path: Path) -> Table:
    """Read a table back."""
    columns, *rows = _read_cells(path)
    picture = columns.index(PICTURE) if PICTURE in columns else -1
    read = [[path.parent / cell if place == picture and cell else _value(cell) for place, cell in enumerate(row)]
            for row in rows]  # fmt: skip
    return Table(path.stem, columns, read)


def _read_cells(path: Path) -> list[list[Any]]:
    """Cells as text, or as numbers where they are not in quotes."""
    content = read_text(path)
    try:
        return list(spreadsheets.Reader(io.StringIO(content, newline=""), quoting=csv.QUOTE_NONNUMERIC))
    except ValueError:
        # Earlier versions wrote text without quotes; what each column holds is then known by its name only.
        columns, *rows = spreadsheets.Reader(io.StringIO(content, newline=""))
        return [columns, *([_unquoted(name, cell) for name, cell in zip(columns, row, strict=False)] for row in rows)]


def _unquoted(column: str, cell: str) -> Any:
    if column in OLD_TEXT_COLUMNS:
        return cell
    try:
        return float(cell)
    except ValueError:
        return cell


def _cell(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else float(f"{value:.6g}")
    return value


def _value(cell: Any) -> Any:
    if isinstance(cell, float):
        # Dashboards write JSON, which has no infinity.
        return cell if math.isfinite(cell) else str(cell)
    return cell or None
