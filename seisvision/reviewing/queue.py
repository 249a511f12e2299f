"""A queue of labels to be looked at: a folder that needs neither the set nor the networks any more.

``queue.json`` says what it is about, ``items.jsonl`` holds a line for each label, ``drawings.jsonl`` the recordings and
pictures that are shown with them, read one at a time.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seisvision.data.corrections.standing import Label
from seisvision.data.corrections.table import TIME_FORMAT
from seisvision.errors import DataError
from seisvision.files import parse_json, whole_file, write_text
from seisvision.plain_files import check_file, read_text

FORMAT = "seisvision-review-1"
ABOUT, ITEMS, DRAWINGS = "queue.json", "items.jsonl", "drawings.jsonl"
NEEDED = ("sample_id", "source_id", "column", "old", "label", "run_id", "hidden", "drawn")
LARGEST_DRAWING = 5_000_000
"""Bytes of what is shown with one label."""
HIDDEN = "hidden"
"""Key of what the networks say, which a blind reviewer sees after the decision."""


@dataclass(frozen=True)
class Queue:
    """A queue as it was read.

    Args:
        path: its folder.
        about: content of ``queue.json``.
        items: what is known of each label, in the order in which they are shown.
    """

    path: Path
    about: dict[str, Any]
    items: list[dict[str, Any]]

    @property
    def content_hash(self) -> str:
        """Sixteen hexadecimal digits that say which labels these are, in which order, with which values."""
        labels = [[one[key] for key in ("sample_id", "column", "old", "run_id")] for one in self.items]
        told = json.dumps([self.about.get("set_fingerprint"), labels])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @classmethod
    def read(cls, path: Path) -> Queue:
        """Open a queue; drawings stay on the disk.

        Raises:
            DataError: it is none, or damaged.
        """
        try:
            about = parse_json(read_text(path / ABOUT))
            check_file(path / ITEMS)
            with (path / ITEMS).open(encoding="utf-8") as lines:
                items = [json.loads(line) for line in lines]
            check_file(path / DRAWINGS)
        except FileNotFoundError as error:
            raise DataError(
                f"{path} is no queue: {error.filename} is missing. Make one with 'seisvision review make'."
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path} is damaged ({str(error)[:200]}). Make the queue again.") from error
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise DataError(f"{path / ABOUT} is of another version. Make the queue again.")
        odd = next((n for n, one in enumerate(items) if not isinstance(one, dict) or set(NEEDED) - set(one)), None)
        if odd is not None or about.get("n_items") != len(items):
            raise DataError(f"{path / ITEMS} is damaged at line {(odd or len(items)) + 1}. Make the queue again.")
        return cls(path, about, items)

    def drawing(self, number: int) -> dict[str, Any]:
        """What is shown with an item.

        Raises:
            DataError: the file is damaged.
        """
        try:
            begin, length = map(int, self.items[number]["drawn"])
            if begin < 0 or not 0 < length <= LARGEST_DRAWING:
                raise ValueError("its place in the file is none")
            with (self.path / DRAWINGS).open("rb") as file:
                file.seek(begin)
                found = parse_json(file.read(length))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(f"{self.path / DRAWINGS} is damaged ({str(error)[:100]}). Make the queue again.") from error
        return found if isinstance(found, dict) else {}


def check_place(path: Path) -> None:
    """Refuse a folder that holds a queue, before any work is done for another.

    Raises:
        DataError: names the folder.
    """
    if (path / ABOUT).exists():
        raise DataError(
            f"{path} holds a queue already, whose decisions may be under way. Give another folder with --out."
        )


def write_queue(path: Path, about: Mapping[str, Any], items: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> Queue:
    """Write a queue; ``queue.json`` comes last, so that a folder with one is whole.

    Args:
        path: folder; made where it is not there.
        about: what ``queue.json`` says beside the format and the time.
        items: each label and what is shown with it, one at a time.

    Raises:
        DataError: the folder holds a queue already.
    """
    check_place(path)
    path.mkdir(parents=True, exist_ok=True)
    lines, at = [], 0
    with whole_file(path / DRAWINGS) as partial, partial.open("wb") as file:
        for item, drawing in items:
            text = (json.dumps(drawing, allow_nan=False) + "\n").encode()
            file.write(text)
            lines.append(json.dumps({**item, "drawn": [at, len(text)]}, allow_nan=False))
            at += len(text)
    write_text(path / ITEMS, "".join(f"{line}\n" for line in lines))
    made = time.strftime(TIME_FORMAT, time.gmtime())
    content = {"format": FORMAT, "made": made, "n_items": len(lines), **about}
    write_text(path / ABOUT, json.dumps(content, indent=2, allow_nan=False) + "\n")
    return Queue.read(path)


def subset(queue: Queue, path: Path, labels: Collection[Label]) -> Queue:
    """Write a queue of some labels of another, such as those on which reviewers disagree.

    Raises:
        DataError: none of them is in the queue, or the folder holds one already.
    """
    chosen = [n for n, one in enumerate(queue.items) if (one["sample_id"], one["column"]) in labels]
    if not chosen:
        raise DataError(f"None of these labels is in {queue.path}. Give the queue that was reviewed.")
    about = {key: value for key, value in queue.about.items() if key not in ("format", "made", "n_items")}
    return write_queue(path, about, ((queue.items[n], queue.drawing(n)) for n in chosen))
