"""``corrections.csv``: one row a decision, appended and on the disk before anybody is told, never edited."""

from __future__ import annotations

import csv
import io
import logging
import os
import re
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from seisvision import spreadsheets
from seisvision.errors import ConfigurationError, DataError
from seisvision.files import locked, sync
from seisvision.plain_files import check_file

log = logging.getLogger(__name__)

KEEP, CORRECT, DISCARD, UNSURE, UNDO = "keep", "correct", "discard", "unsure", "undo"
VERDICTS = (KEEP, CORRECT, DISCARD, UNSURE, UNDO)
"""``keep``: the label is right; ``correct``: it becomes ``new``; ``discard``: nobody can tell, it is emptied;
``unsure``: looked at and left open; ``undo``: takes back the reviewer's last decision about that label."""
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
LONGEST_CELL = 2000
"""Characters of what a reviewer gives; names in data are shorter."""


@dataclass(frozen=True)
class Decision:
    """What a reviewer said of one label.

    Attributes:
        sample_id: event id, or row of the metadata table where the column is one of single traces.
        source_id: event.
        column: of the metadata table.
        old: value that was shown, as it stands in the table.
        new: value that it becomes; empty unless the verdict is ``correct``.
        verdict: one of :data:`VERDICTS`.
        reviewer: who decided.
        time: UTC.
        reason: free text.
        run_id: run whose prediction raised the question.
        probability: what that run gives the label that was shown; empty where it tells none.
        set_fingerprint: of the set that was looked at.

    Raises:
        DataError: a verdict or a combination that does not exist.
    """

    sample_id: str
    source_id: str
    column: str
    old: str
    new: str
    verdict: str
    reviewer: str
    time: str
    reason: str
    run_id: str
    probability: str
    set_fingerprint: str

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise DataError(f"verdict '{self.verdict[:40]}' is not allowed; give one of {', '.join(VERDICTS)}.")
        if (self.verdict == CORRECT) != bool(self.new):
            raise DataError(
                f"verdict={self.verdict} with new='{self.new[:40]}': a new value belongs to verdict=correct, and to no "
                "other."
            )
        if not self.sample_id or not self.column or not self.reviewer.strip():
            raise DataError("A decision names its sample, its column and its reviewer; one of them is empty.")
        if max(map(len, astuple(self))) > LONGEST_CELL:
            raise DataError(f"A decision holds more than {LONGEST_CELL} characters in one cell; shorten the reason.")

    @property
    def label(self) -> tuple[str, str]:
        """Sample and column, which name a label of a set."""
        return self.sample_id, self.column


COLUMNS = tuple(field.name for field in fields(Decision))


def now() -> str:
    """The time for a decision."""
    return time.strftime(TIME_FORMAT, time.gmtime())


def read_decisions(path: Path) -> list[Decision]:
    """All decisions of a file, in order; a last line that was not written whole was never acknowledged and is left out.

    Raises:
        DataError: there is no such file, or it is no table of decisions.
    """
    try:
        check_file(path)
        content = path.read_bytes()
        decisions, n_whole = _parsed(content)
    except FileNotFoundError as error:
        raise DataError(f"There are no corrections {path}. 'seisvision review serve' writes them.") from error
    except (OSError, UnicodeDecodeError, csv.Error, DataError) as error:
        raise DataError(f"{path} is no table of corrections: {error} Restore it; its rows are never edited.") from error
    if n_whole < len(content):
        log.warning("The last line of %s was not written whole and is left out.", path)
    return decisions


def append_decisions(path: Path, decisions: Sequence[Decision]) -> None:
    """Put decisions at the end of a file; they are on the disk when this returns.

    Processes that append at once wait for each other. What a process that died left unfinished at the end goes.

    Raises:
        ConfigurationError: the file is a folder.
        DataError: the file holds something else.
        OSError: the disk is full or cannot be written to.
    """
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder. Give the name of a file for corrections.")
    with locked(path.with_name(f".{path.name}.lock")):
        is_new = not path.exists() or path.stat().st_size == 0
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            end = os.fstat(handle).st_size
            if not is_new:
                end = _end_of_whole_lines(path, handle)
                os.ftruncate(handle, end)
            text = (_line(COLUMNS) if end == 0 else "") + "".join(_line(astuple(one)) for one in decisions)
            try:
                _write_all(handle, text.encode(), end)
            except OSError:
                # A disk that filled up in the middle of a row keeps the rows before it.
                os.ftruncate(handle, end)
                raise
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            sync(path.parent)


def _write_all(handle: int, content: bytes, at: int) -> None:
    while content:
        written = os.pwrite(handle, content, at)
        content, at = content[written:], at + written


def _end_of_whole_lines(path: Path, handle: int) -> int:
    """Bytes of a file of decisions that are whole lines.

    Raises:
        DataError: the file begins otherwise.
    """
    head = _line(COLUMNS).encode()
    begin = os.pread(handle, len(head), 0)
    if begin != head:
        if head.startswith(begin):
            return 0
        raise DataError(f"{path} holds no corrections: its first line is another. Give another file.")
    size = os.fstat(handle).st_size
    longest = 8 * LONGEST_CELL * len(COLUMNS)
    tail = os.pread(handle, longest, max(0, size - longest))
    return size - len(tail) + tail.rfind(b"\n") + 1


def _line(cells: Sequence[str]) -> str:
    """One line of the file: a line end within a name is written as two characters, so that a decision is one line."""
    text = io.StringIO(newline="")
    spreadsheets.Writer(text).writerow(_LINE_ENDS.sub(lambda found: _WRITTEN[found[0]], cell) for cell in cells)
    return text.getvalue()


_WRITTEN = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_LINE_ENDS = re.compile(r"[\\\n\r]")
_READ = {written: meant for meant, written in _WRITTEN.items()}
_AS_WRITTEN = re.compile(r"\\[\\nr]")


def _parsed(content: bytes) -> tuple[list[Decision], int]:
    """Decisions, and how many bytes of whole lines there are.

    Raises:
        DataError: a line is none.
    """
    end = content.rfind(b"\n") + 1
    rows = list(spreadsheets.Reader(io.StringIO(content[:end].decode("utf-8"), newline="")))
    if rows and tuple(rows[0]) != COLUMNS:
        raise DataError(f"its columns are not {', '.join(COLUMNS)}.")
    decisions = []
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(COLUMNS):
            raise DataError(f"row {number} has {len(row)} cells, not {len(COLUMNS)}.")
        try:
            decisions.append(Decision(*(_AS_WRITTEN.sub(lambda found: _READ[found[0]], cell) for cell in row)))
        except DataError as error:
            raise DataError(f"row {number}: {error}") from error
    return decisions, end
