"""Tables of separated values, read as text whatever program wrote them."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import logging
import lzma
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from seisvision.data.importing.formats.packed import largest
from seisvision.errors import DataError

log = logging.getLogger(__name__)

NAN = float("nan")
COMPRESSED: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
CSV_SUFFIXES = tuple(suffix + packed for suffix in (".csv", ".txt", ".tsv", ".dat") for packed in ("", *COMPRESSED))
"""Endings of tables."""
SEPARATORS = ("|", ";", "\t", ",")
BLANKS = " "
"""In place of a separator: columns stand apart by blanks."""
COMMENTS = ("#", "%", "!")
RULE = re.compile(r"[-=+|\s]+")
"""A line that underlines the header."""
SEPARATOR_LINE = re.compile(r'"?sep=."?\s*', re.IGNORECASE)
"""What spreadsheets put before a header."""
LONGEST_END = 60
"""Characters of a last line that are shown."""
NO_VALUE = ("", "nan", "none", "null", "nat", "na", "n/a", "-", "--")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


@dataclass
class TextTable:
    """Rows of text.

    Args:
        columns: names as they are written; the second of one name is called ``NAME.1``.
        rows: the cells of each row, as many as there are columns.
        lines: the line of the file in which each row ends.
        separator: one of ``SEPARATORS``, or ``BLANKS``.
        misfits: line and what is wrong with it, for rows that have not as many cells as the header names columns.
        repeated: numbers of the columns whose name, as it is written, another has before them.
        n_comments: lines after the header that begin with ``#`` and were left out.
    """

    columns: list[str]
    rows: list[list[str]]
    lines: list[int]
    separator: str = ","
    misfits: list[tuple[int, str, list[str]]] = field(default_factory=list)
    repeated: frozenset[int] = frozenset()
    n_comments: int = 0
    end: str = ""
    """What is to be said of the end of the file: the last line does not end, so it may be the first half of one."""

    def column(self, index: int) -> list[str]:
        """All cells of a column."""
        return [row[index] for row in self.rows]


def existing(path: str, what: str) -> Path:
    """Return the path of a file that is there.

    Raises:
        DataError: it is not; ``what`` says of what kind it should be.
    """
    file = Path(path)
    if not file.is_file():
        raise DataError(f"{what} file '{path}' not found; check the path, or ${{root}} and --root in a recipe")
    return file


def is_table_name(file: Path) -> bool:
    """Whether the name ends like that of a table, such as ``.csv`` or ``.csv.gz``."""
    return file.name.lower().endswith(CSV_SUFFIXES)


def is_table(file: Path, others: tuple[str, ...], knows: Callable[[TextTable], bool]) -> bool:
    """Whether a file is a table, by its name, or else by its header.

    ObsPy takes some tables for another format, such as the text of FDSN services.

    Args:
        others: endings of what is no table.
        knows: whether the header names what is sought.
    """
    name = file.name.lower().removesuffix(file.suffix.lower() if file.suffix.lower() in COMPRESSED else "")
    if name.endswith((".csv", ".tsv")):
        return True
    if name.endswith(others):
        return False
    try:
        return knows(read_table(file))
    except DataError:
        return False


def read_bytes(file: Path) -> bytes:
    """Content of a file, unpacked where its name says that it is packed.

    Raises:
        DataError: the file cannot be read or unpacked.
    """
    try:
        opener = COMPRESSED.get(file.suffix.lower())
        if opener is None:
            return file.read_bytes()
        limit = largest(file)
        with opener(file) as stream:
            # What a file says of its size may be a lie, so it is counted.
            content: bytes = stream.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"it grows beyond {limit >> 20} MiB; unpack it by hand if that is right")
        return content
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def refuse_entities(file: Path) -> None:
    """Entities may name other files, or grow without end; neither QuakeML nor StationXML has any.

    Raises:
        DataError: the file declares some.
    """
    if b"<!ENTITY" in read_bytes(file):
        raise DataError(f"{file} declares XML entities, which are not read; write their values in their places")


def read_table(file: Path) -> TextTable:
    """Read a table: separated by commas, semicolons, tabs, bars or blanks, in UTF-8, UTF-16 or Latin-1.

    Lines before the header that begin with ``#`` are comments, unless the last of them is the header, as in the text
    of FDSN services.

    Raises:
        DataError: the file cannot be read, or has no header.
    """
    lines = re.split(r"\r\n|\r|\n", _text(file))
    at = _header_line(lines)
    if at is None:
        raise DataError(f"{file} is no table: it has no header that names columns")
    header = lines[at].lstrip("".join(COMMENTS)).strip()
    separator = _separator(header)
    if separator == BLANKS:
        # The one name with a blank in it that catalogues with blanks between columns have.
        header = re.sub(r"(?i)\bevent id\b", "EventID", header)
    columns = _cells(header, separator)
    while columns and not columns[-1]:
        columns.pop()
    if not columns:
        raise DataError(f"{file} is no table: its header names no column")
    values = [name for name in columns if NUMBER.fullmatch(name)]
    if values:
        raise DataError(
            f"{file} has no header: its first line holds the number {values[0]}; add a line of column names"
        )
    repeated = frozenset(i for i, name in enumerate(columns) if name in columns[:i])
    table = TextTable(_unique(columns), [], [], separator, repeated=repeated)
    for line, cells in _records(lines[at + 1 :], separator):
        _add(table, line + at + 1, cells, columns)
    if lines[-1].strip():
        _look_at_end(table, lines[-1], len(lines))
    return table


def _look_at_end(table: TextTable, text: str, line: int) -> None:
    """Refuse a last line that ends within quotes; of one that only lacks its end, nobody knows whether it is whole."""
    table.end = f"line {line}, the last, does not end, so the file may be cut short there: {text[-LONGEST_END:]!r}"
    is_quoted = table.separator not in (BLANKS, "|") and text.count('"') % 2 == 1
    if is_quoted and table.lines and table.lines[-1] == line:
        table.lines.pop()
        table.misfits.append((line, "ends within quotes; is the file cut short?", table.rows.pop()))


def _text(file: Path) -> str:
    content = read_bytes(file)
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    if b"\x00" in content:
        raise DataError(f"{file} is no table of text: it holds bytes that are no letters")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _header_line(lines: list[str]) -> int | None:
    """The first line that is no comment, or the comment above it where that names the columns."""
    comments: list[int] = []
    for i, line in enumerate(lines):
        if not line.strip() or SEPARATOR_LINE.fullmatch(line):
            continue
        if line.startswith(COMMENTS):
            comments.append(i)
            continue
        for above in reversed(comments):
            if _names_columns_of(lines[above].lstrip("".join(COMMENTS)).strip(), line):
                return above
        return i
    return comments[-1] if comments else None


def _names_columns_of(comment: str, line: str) -> bool:
    separator = _separator(comment)
    names, cells = _cells(comment, separator), _cells(line, separator)
    numbers = sum(NUMBER.fullmatch(cell) is not None for cell in cells)
    named = sum(bool(name) and NUMBER.fullmatch(name) is None for name in names)
    return len(names) >= 3 and abs(len(names) - len(cells)) <= 1 and numbers >= 1 and named == len(names)


def _separator(header: str) -> str:
    counts = {separator: header.count(separator) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: counts[separator])
    return best if counts[best] else BLANKS


def _cells(line: str, separator: str) -> list[str]:
    if separator == BLANKS:
        return line.split()
    if separator == "|":
        return [cell.strip() for cell in line.split("|")]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        unique.append(f"{name}.{seen[name]}" if seen.get(name) else name)
        seen[name] = seen.get(name, 0) + 1
    return unique


def _records(lines: list[str], separator: str) -> list[tuple[int, list[str]]]:
    """Line number and cells of each row."""
    if separator in (BLANKS, "|") or not any('"' in line for line in lines):
        return [(i + 1, _cells(line, separator)) for i, line in enumerate(lines) if line.strip()]
    text = io.StringIO("\n".join(lines), newline="")
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        records = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except csv.Error:
        records = [(0, ["\n"])]
    # A stray quote swallows what follows: then a line is a row, and that one row is the worse for it.
    if any("\n" in cell for _, cells in records for cell in cells):
        return [(i + 1, _cells(line, separator)) for i, line in enumerate(lines) if line.strip()]
    return records


def _add(table: TextTable, line: int, cells: list[str], header: list[str]) -> None:
    width = len(header)
    if not any(cells):
        return
    if cells and cells[0].startswith("#"):
        if cells[0].lstrip("# ") != header[0]:
            table.n_comments += 1
        return
    if RULE.fullmatch("".join(cells)) and len("".join(cells)) > 2 * width:
        return
    while len(cells) > width and not cells[-1]:
        cells.pop()
    if len(cells) != width:
        hint = "put texts with the separator in quotes" if len(cells) > width else "is the line cut short?"
        table.misfits.append((line, f"has {len(cells)} cells, but the header names {width} columns; {hint}", cells))
        return
    table.rows.append(cells)
    table.lines.append(line)


def read_csv(file: Path) -> pd.DataFrame:
    """All columns as text: network NA and event 007 must stay what they are.

    Rows that are too short are filled with empty cells.

    Raises:
        DataError: the file is no table, a row has more cells than the header names columns, or the file ends within a
            row.
    """
    table = read_table(file)
    if table.end:
        broken = [reason for line, reason, _ in table.misfits if line == max([*table.lines, line])]
        if broken:
            raise DataError(f"{file}: {table.end}; it {broken[-1]} Get the file whole, or take that line out")
        log.warning("%s: %s", file, table.end)
    rows, width = dict(zip(table.lines, table.rows, strict=True)), len(table.columns)
    for line, reason, cells in table.misfits:
        if len(cells) > width:
            raise DataError(f"{file} line {line} {reason}")
        rows[line] = cells + [""] * (width - len(cells))
    return pd.DataFrame([rows[line] for line in sorted(rows)], columns=table.columns, dtype=str)


def number(text: str, where: str) -> float:
    """Return the number a cell holds, NaN for an empty one.

    Raises:
        DataError: it holds something else; ``where`` names the cell.
    """
    try:
        return plain_number(text)
    except ValueError as error:
        raise DataError(f"{where} is {error}; correct it or leave it empty") from error


def plain_number(text: str, decimal_comma: bool = False) -> float:
    """Number of a cell, NaN for an empty one or a word for nothing.

    Raises:
        ValueError: it is no finite number.
    """
    plain = text.strip()
    if plain.lower() in NO_VALUE:
        return NAN
    if decimal_comma and DECIMAL_COMMA.fullmatch(plain):
        plain = plain.replace(",", ".")
    if not NUMBER.fullmatch(plain):
        raise ValueError(f"'{text}', which is not a number")
    return float(plain)


def has_decimal_commas(table: TextTable, places: list[int], others: list[int]) -> bool:
    """Whether a table writes 10,5 for ten and a half: never beside a decimal point, nor where commas separate.

    8,000 alone could be eight thousand; in a column of ``places`` (latitudes or longitudes) it could not.
    """
    cells = [(i in places, cell) for i in (*places, *others) for cell in table.column(i) if "," in cell or "." in cell]
    if table.separator == "," or any("." in cell for _, cell in cells):
        return False
    return any(is_place or len(cell.partition(",")[2]) != 3 for is_place, cell in cells)
