"""Which events train, which validate, which test: drawn once, saved with a hash, checked for leaks."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from seisvision import spreadsheets
from seisvision.errors import DataError, LeakageError
from seisvision.files import write_text
from seisvision.keys import SPLITS

UNITS = ("event", "trace")
PART_OF_NAME = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
MAX_NAMED = 5


@dataclass(frozen=True)
class Split:
    """Parts of a waveform set that share no group.

    Attributes:
        parts: part name (train, val, test) to ids, in the order drawn.
        unit: what an id is, ``"event"`` (source id) or ``"trace"`` (row of the metadata table).
        by: what must not lie on two sides: ``"event"``, ``"station"``, ``"time"`` or a column.
        seed: base seed of the draw.
        group_of: id to group; an id that is missing is a group of its own.

    Raises:
        LeakageError: an id or a group lies in two parts.
        DataError: unknown unit or part name.
    """

    parts: Mapping[str, tuple[str, ...]]
    unit: str = "event"
    by: str = "event"
    seed: int | None = None
    group_of: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a split that leaks."""
        unknown = [name for name in self.parts if name not in SPLITS]
        if unknown or self.unit not in UNITS:
            raise DataError(f"split with parts {list(self.parts)} and unit '{self.unit}'; allowed: {SPLITS}, {UNITS}")
        check_leakage(self, self.group_of)

    @property
    def hash(self) -> str:
        """Short hash of unit and ids per part; the order drawn does not count."""
        content = {"unit": self.unit, "parts": {name: sorted(ids) for name, ids in self.parts.items() if ids}}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    def save(self, path: str | Path) -> None:
        """Write columns ``id,part,group`` after comment lines with hash, unit, by and seed."""
        text = io.StringIO()
        for key in ("hash", "unit", "by", "seed"):
            text.write(f"# {key}: {getattr(self, key)}\n")
        writer = spreadsheets.Writer(text)
        writer.writerow(("id", "part", "group"))
        for part, ids in self.parts.items():
            writer.writerows((name, part, self.group_of.get(name, name)) for name in ids)
        write_text(path, text.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Split:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: the file is missing, no split, or was changed since it was written.
            LeakageError: a group lies in two parts.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"split file {path} does not exist; check the path, or let a new split be drawn")
        comments, separator, table = path.read_text(encoding="utf-8").partition("id,part,group\n")
        header = dict(line[2:].split(": ", 1) for line in comments.splitlines() if ": " in line)
        rows = list(spreadsheets.DictReader(io.StringIO(separator + table)))
        if not rows or not {"hash", "unit", "by"} <= set(header):
            raise DataError(f"{path} is not a split file with the columns id, part, group and a '# hash:' line")
        parts = {name: tuple(row["id"] for row in rows if row["part"] == name) for name in {r["part"]: 0 for r in rows}}
        seed = int(header["seed"]) if header.get("seed", "None") != "None" else None
        split = cls(parts, header["unit"], header["by"], seed, {row["id"]: row["group"] for row in rows})
        if split.hash != header["hash"]:
            raise DataError(
                f"{path} was changed since it was written (hash {header['hash']}, content {split.hash}); "
                "restore it, or draw a new split and save it under another name"
            )
        return split

    @classmethod
    def from_column(cls, table: pd.DataFrame, column: str = "split", unit: str = "event") -> Split:
        """Take the split that a set brings in a column (train, val or dev, test) of its metadata table.

        Rows without a value are in no part. Events are the groups, for traces too where ``source_id`` is there.

        Raises:
            DataError: no such column, or a value that names no part.
            LeakageError: traces of one event lie in two parts.
        """
        if column not in table:
            raise DataError(f"the set has no column '{column}' to split by; draw a split instead")
        named = table[table[column].notna()]
        words = [str(value).strip().lower() for value in named[column]]
        unknown = sorted(set(words) - set(PART_OF_NAME))
        if unknown:
            raise DataError(f"column '{column}' holds {unknown[:MAX_NAMED]}; allowed: {', '.join(PART_OF_NAME)}")
        events = named["source_id"] if "source_id" in named else named.index.to_series()
        ids = [str(name) for name in (events if unit == "event" else named.index)]
        found: dict[str, dict[str, None]] = {}
        for name, value in zip(ids, words, strict=True):
            found.setdefault(PART_OF_NAME[value], {})[name] = None
        parts: dict[str, tuple[str, ...]] = {part: tuple(found[part]) for part in SPLITS if part in found}
        return cls(parts, unit, "event", None, dict(zip(ids, map(str, events), strict=True)))


def check_leakage(split: Split, groups: Mapping[str, str]) -> None:
    """Verify that no id and no group lies in two parts.

    Args:
        split: what to check.
        groups: id to group; ids that are missing are groups of their own.

    Raises:
        LeakageError: names up to five groups and their parts.
    """
    parts_of_id: dict[str, list[str]] = {}
    parts_of_group: dict[str, set[str]] = {}
    for part, ids in split.parts.items():
        for name in ids:
            parts_of_id.setdefault(name, []).append(part)
            parts_of_group.setdefault(groups.get(name, name), set()).add(part)
    twice = [f"{name} ({', '.join(parts)})" for name, parts in parts_of_id.items() if len(parts) > 1]
    if twice:
        raise LeakageError(f"{len(twice)} {split.unit} ids appear twice in the split: {'; '.join(twice[:MAX_NAMED])}")
    shared = [f"{group} ({', '.join(sorted(parts))})" for group, parts in parts_of_group.items() if len(parts) > 1]
    if shared:
        raise LeakageError(
            f"{len(shared)} groups ({split.by}) lie in more than one part: {'; '.join(shared[:MAX_NAMED])}; "
            "keep each group whole, for example by drawing the split anew with by set to that column"
        )
