"""Tables of comma separated values, read as text."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from seisvision.errors import DataError

NAN = float("nan")
CSV_SUFFIXES = (".csv", ".txt")


def existing(path: str, what: str) -> Path:
    """Return the path of a file that is there.

    Raises:
        DataError: it is not; ``what`` says of what kind it should be.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"{what} file '{path}' not found; check the path, or ${{root}} and --root in a recipe")
    return file


def refuse_entities(file: Path) -> None:
    """Entities may name other files, or grow without end; neither QuakeML nor StationXML has any.

    Raises:
        DataError: the file declares some.
    """
    if b"<!ENTITY" in file.read_bytes():
        raise DataError(f"{file} declares XML entities, which are not read; write their values in their places")


def read_csv(file: Path) -> pd.DataFrame:
    """All columns as text: network NA and event 007 must stay what they are."""
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (ValueError, OSError) as error:
        raise DataError(f"{file} is no table of comma separated values: {error}") from error
    if not isinstance(table.index, pd.RangeIndex):
        raise DataError(
            f"{file} has rows with more cells than its header names columns; put texts with commas in quotes"
        )
    return table.rename(columns=str.strip)


def number(text: str, where: str) -> float:
    """Return the number a cell holds, NaN for an empty one.

    Raises:
        DataError: it holds something else; ``where`` names the cell.
    """
    try:
        return float(text) if text.strip() else NAN
    except ValueError as error:
        raise DataError(f"{where} is '{text}', which is not a number; correct it or leave it empty") from error
