"""What the columns of a table mean, by the names that catalogues and station lists give them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seisvision.data.importing.tables.text_tables import TextTable
from seisvision.errors import DataError

UNIT_WORDS = {
    "km": "km", "kilometer": "km", "kilometers": "km", "kilometre": "km", "kilometres": "km",
    "m": "m", "meter": "m", "meters": "m", "metre": "m", "metres": "m",
    "deg": "deg", "degree": "deg", "degrees": "deg", "decimal": "deg",
    "n": "deg", "e": "deg", "w": "west", "utc": "utc", "gmt": "utc", "z": "utc", "ut": "utc",
    "ft": "ft", "feet": "ft", "foot": "ft",
    "jst": "jst", "kst": "jst",
}  # fmt: skip
DEGREES = {"": 1.0, "deg": 1.0}
NOT_MEANT = frozenset({
    "arrival", "auth", "author", "count", "created", "creation", "day", "download", "end", "err", "error", "errors",
    "file", "fix", "fixed", "fixity", "gap", "horizontal", "id", "insert", "max", "min", "modif", "modification",
    "modified", "network", "nst", "pick", "quality", "residual", "rms", "sigma", "source", "src", "start", "station",
    "std", "stderr", "trace", "type", "unc", "uncertainty", "update", "updated",
})  # fmt: skip
"""Words that tell of a quantity that goes with what a column is named after, but is not it."""
SCOPES = ("source", "station", "event", "receiver")
"""First words that say of what a quantity is."""
CLOSE = 0.8
REPEATING = "DEPFIX"
"""A column of the ISC's list, which repeats those of magnitudes; of these the first counts."""


@dataclass(frozen=True)
class Meaning:
    """What a column can mean.

    Args:
        key: name of it, for a column of the set the name of that column.
        names: spellings in lower case without anything between the words and without units; the ones that come first
            stand for no other meaning and are not disputed by those that come later.
        weak: spellings that count only where no other column has the meaning.
        units: unit in the name of a column to its factor; the empty unit is none.
        near: words of which one in a name that is not understood shows that the column was meant.
        unless: meanings that take the place of this one.
    """

    key: str
    names: tuple[str, ...]
    weak: tuple[str, ...] = ()
    units: Mapping[str, float] = field(default_factory=lambda: {"": 1.0})
    near: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column whose meaning is known: its name and number in the table, the factor to the unit of the set."""

    name: str
    index: int
    factor: float = 1.0
    unit: str = ""


def understand(table: TextTable, meanings: tuple[Meaning, ...], file: Path) -> dict[str, Column]:
    """Find the columns that have a meaning.

    Raises:
        DataError: two columns that differ could both be meant, or one is close to a meaning that no other has.
    """
    split = [split_name(name) for name in table.columns]
    found: dict[str, Column] = {}
    for meaning in meanings:
        column = _own(table, meaning) or _alias(table, meaning, meaning.names, split, file)
        if column is None:
            column = _alias(table, meaning, meaning.weak, split, file)
        if column is not None:
            found[meaning.key] = column
    _refuse_near_misses(table, meanings, found, file)
    return found


def split_name(name: str) -> tuple[str, str]:
    """Lower case name without anything between its words, and the unit it ends in, as in ``Depth/km``."""
    words, unit = _words(name), ""
    while len(words) > 1 and words[-1] in UNIT_WORDS:
        unit = unit if unit not in ("", "deg") else UNIT_WORDS[words[-1]]
        words = words[:-1]
    return "".join(words), unit


def _words(name: str) -> list[str]:
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", plain)
    return re.findall(r"[a-z]+|\d+", spaced.lower()) or [name.lower()]


def _own(table: TextTable, meaning: Meaning) -> Column | None:
    """The column that is named as in the set, which needs no guess."""
    if meaning.key in table.columns:
        return Column(meaning.key, table.columns.index(meaning.key))
    return None


def _alias(
    table: TextTable, meaning: Meaning, names: tuple[str, ...], split: list[tuple[str, str]], file: Path
) -> Column | None:
    matches = [
        Column(table.columns[i], i, meaning.units[unit], unit)
        for i, (name, unit) in enumerate(split)
        if name in names and unit in meaning.units
    ]
    if meaning.near and matches and REPEATING not in table.columns:
        first = matches[0]
        matches += [
            Column(f"{first.name} (column {i + 1})", i, first.factor, first.unit)
            for i in table.repeated
            if table.columns[i].rpartition(".")[0] == first.name
        ]
    different = [column for column in matches[1:] if not _agree(table, matches[0], column)]
    if different:
        one, other = matches[0].name, different[0].name
        raise DataError(
            f"{file} has two columns that could be {meaning.key}, '{one}' and '{other}', and they differ; "
            f"name the one that is meant '{meaning.key}'"
        )
    return matches[0] if matches else None


def _agree(table: TextTable, one: Column, other: Column) -> bool:
    return one.factor == other.factor and table.column(one.index) == table.column(other.index)


def _refuse_near_misses(table: TextTable, meanings: tuple[Meaning, ...], found: dict[str, Column], file: Path) -> None:
    taken = {column.index for column in found.values()}
    for meaning in meanings:
        if not found.keys().isdisjoint((meaning.key, *meaning.unless)):
            continue
        for i, name in enumerate(table.columns):
            if i not in taken and _is_near(name, meaning.near):
                other = ("km", "kilometres") if meaning.key.endswith("_m") else ("m", "metres")
                unit = f" (or {meaning.names[1]}_{other[0]} where it is in {other[1]})" if "m" in meaning.units else ""
                raise DataError(
                    f"{file} has a column '{name}', which looks like {meaning.key} but is not known; name it "
                    f"'{meaning.key}'{unit}, or give it a name that is not like it"
                )


def _is_near(name: str, near: tuple[str, ...]) -> bool:
    words = _words(name)
    words = words[1:] if words[0] in SCOPES else words
    if NOT_MEANT.intersection(words):
        return False
    candidates = [*words, "".join(words)]
    return any(difflib.get_close_matches(word, near, 1, CLOSE) for word in candidates if len(word) > 2)
