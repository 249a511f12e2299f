"""Pictures of single samples for the page, from what runs store of some of theirs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seisvision.errors import SeisvisionError
from seisvision.records.folder import RunFolder
from seisvision.records.tables import PICTURE, read_table
from seisvision.records.thumbnails import read_thumbnails
from seisvision.reports.comparing.groups import Group

ALL_BYTES = 1_000_000
"""Of the pictures of one section, as text."""
MOST_BYTES = 60_000
"""Of one picture."""
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class SamplePicture:
    """A sample as one group saw it."""

    number: int
    """Of the group."""
    group: Group
    source: str
    """A ``data:`` address."""


class SamplePictures:
    """Pictures of samples, each from the first group that has one, until they are too many bytes.

    Args:
        groups: with their numbers; the first run of each is looked at.
        output: whose table of samples names pictures, in runs without thumbnails.
        part: ``test`` or ``val``.
    """

    def __init__(self, groups: Sequence[tuple[int, Group]], output: str, part: str) -> None:
        self._found = [(number, group, _sources(group.first.folder, output, part)) for number, group in groups]
        self._left = ALL_BYTES

    def of(self, sample_id: str) -> SamplePicture | None:
        """The picture of a sample; None where no group has one or the page has enough."""
        for number, group, sources in self._found:
            source = sources.get(sample_id)
            if isinstance(source, Path):
                source = _embedded(source)
            if source is not None and len(source) <= min(self._left, MOST_BYTES):
                self._left -= len(source)
                return SamplePicture(number, group, source)
        return None


def _sources(folder: RunFolder, output: str, part: str) -> dict[str, str | Path]:
    """Addresses of thumbnails, and files of those samples that the table of samples shows."""
    found: dict[str, str | Path] = {}
    try:
        table = read_table(folder.tables / f"{output}_{part}_samples.csv")
        rows = [dict(zip(table.columns, row, strict=False)) for row in table.rows]
    except (OSError, ValueError, SeisvisionError):
        rows = []
    for row in rows:
        if isinstance(row.get(PICTURE), Path) and isinstance(row.get("sample"), str):
            # A table may name any file of the machine; pictures of samples lie in one folder.
            found[row["sample"]] = folder.figures / "samples" / row[PICTURE].name
    thumbnails = read_thumbnails(folder.thumbnails(part))
    return found | {name: f"data:image/jpeg;base64,{text}" for name, text in thumbnails.items()}


def _embedded(path: Path) -> str | None:
    try:
        content = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
    except OSError:
        return None
    return f"data:image/png;base64,{base64.b64encode(content).decode()}" if content.startswith(PNG) else None
