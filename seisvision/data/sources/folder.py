"""Where waveform sets come from. Cheap to import: nothing heavy is loaded before it is needed."""

from __future__ import annotations

import contextlib
import csv
from dataclasses import dataclass
from pathlib import Path

from seisvision.errors import DataError


@dataclass(frozen=True)
class FolderSource:
    """A waveform set that exists already.

    Args:
        path: its folder. A relative path is looked up in the data folder first, then in the working folder.
    """

    path: str

    def prepare(self, data_dir: str | Path) -> Path:
        """Return the folder of the set.

        Raises:
            DataError: it does not exist; the message lists the sets that do and the commands that make one.
        """
        given = Path(self.path).expanduser()
        from seisvision.data.sets.stored.placing import put_back

        for folder in (Path(data_dir).expanduser() / given, given.absolute()):
            if folder.is_dir() or put_back(folder):
                return folder
        found = ", ".join(list_sets(data_dir)) or "none"
        raise DataError(
            f"waveform set '{self.path}' was found neither in {Path(data_dir).absolute()} nor in {Path.cwd()}. "
            f"Sets in the data folder: {found}. "
            "Make one with 'seisvision data synth' or 'seisvision data import'."
        )

    def fingerprint(self, data_dir: str | Path) -> str:
        """Return the short hash that identifies the content of the set.

        Raises:
            DataError: the set is missing or damaged.
        """
        from seisvision.data.sets.set_files import set_fingerprint

        return set_fingerprint(self.prepare(data_dir))

    def event_columns(self, data_dir: str | Path) -> list[str] | None:
        """Columns that the events of the set have, from the heads of its tables alone; None where they tell none.

        Raises:
            DataError: the set is missing.
        """
        return table_columns(self.prepare(data_dir)) or None


def table_columns(folder: Path) -> list[str]:
    """Columns that the tables of a set name, each once."""
    found: dict[str, None] = {}
    for path in sorted(folder.glob("metadata*.csv")):
        with contextlib.suppress(OSError, csv.Error), path.open(encoding="utf-8-sig", errors="replace") as file:
            found |= dict.fromkeys(next(csv.reader(file), []))
    return list(found)


def list_sets(data_dir: str | Path) -> list[str]:
    """Return the names of the waveform sets in ``data_dir``, sorted; unfinished (hidden) folders are left out."""
    folder = Path(data_dir).expanduser()
    if not folder.is_dir():
        return []
    tables = folder.glob("[!.]*/metadata*.csv")
    return sorted({table.parent.name for table in tables})
