"""Small tables of a run folder: written as CSV for people and programs, read back for dashboards."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seisvision.files import write_text

PICTURE = "picture"
"""Column with paths of PNGs, relative to the table, which dashboards show as pictures."""


@dataclass(frozen=True)
class Table:
    """A table as it lies in a run folder."""

    name: str
    columns: list[str]
    rows: list[list[Any]]
    """Numbers where a cell is one, text otherwise; a ``Path`` in the column of pictures."""


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a CSV with numbers in six digits and nothing where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, text.getvalue())
    return path


def read_table(path: Path) -> Table:
    """Read a table back."""
    with path.open(newline="", encoding="utf-8") as handle:
        columns, *rows = csv.reader(handle)
    picture = columns.index(PICTURE) if PICTURE in columns else -1
    read = [[path.parent / cell if place == picture and cell else _value(cell) for place, cell in enumerate(row)]
            for row in rows]  # fmt: skip
    return Table(path.stem, columns, read)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value


def _value(cell: str) -> Any:
    try:
        value = float(cell)
    except ValueError:
        return cell or None
    return value if math.isfinite(value) else cell
