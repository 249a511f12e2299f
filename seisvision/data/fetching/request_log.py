"""One line per request in ``requests.csv``, whatever becomes of the request or of this program."""

from __future__ import annotations

import errno
import io
import json
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seisvision import spreadsheets
from seisvision.data.fetching.transport import Answer, Request
from seisvision.files import parse_json, told_when_full, whole_file

FILE_NAME = "requests.csv"
COLUMNS = (
    "request_id", "time", "server", "service", "request", "status", "seconds", "bytes", "attempt", "outcome", "reason",
)  # fmt: skip
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Started:
    """A request under way."""

    request_id: str
    row: dict[str, Any]
    marker: Path


class RequestLog:
    """Appends to ``requests.csv`` of the download folder.

    A request leaves a marker file while it is under way. Markers found at the start are of a program that was killed;
    their requests are written down as ``interrupted``, so that no request that a server saw is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._markers = folder / "under_way"
        self._markers.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._next = 0
        self._mend()

    def _mend(self) -> None:
        """End a torn last line, and write down what was under way when the last program ended."""
        text = self.path.read_bytes() if self.path.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        # Of the first line, too, nothing may be there: an empty file is all that a full disk takes.
        if whole != text or not whole:
            self._replace(whole or _header())
        written = {row["request_id"] for row in self.rows()}
        for marker in sorted(self._markers.glob("*.json")):
            if marker.stem not in written:
                self._append(_read_row(marker) | {"outcome": INTERRUPTED, "reason": "this program ended meanwhile"})
            marker.unlink()

    def _replace(self, content: bytes) -> None:
        with told_when_full(self.path), whole_file(self.path) as partial:
            partial.write_bytes(content)

    def begin(self, request: Request, attempt: int) -> Started:
        """Note that a request is about to be sent."""
        with self._lock:
            self._next += 1
            request_id = f"{time.time_ns():x}-{self._next}"
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"
        about = {"server": request.server, "service": request.service, "request": str(request)}
        row = {"request_id": request_id, "time": stamp} | about | {"attempt": attempt}
        marker = self._markers / f"{request_id}.json"
        try:
            with told_when_full(self.path):
                marker.write_text(json.dumps(row), encoding="utf-8")
        except BaseException:
            # It is not sent, so nothing is to be told of it.
            marker.unlink(missing_ok=True)
            raise
        return Started(request_id, row, marker)

    def end(self, started: Started, answer: Answer, outcome: str, reason: str) -> None:
        """Write the line of a request."""
        status = "" if answer.status is None else answer.status
        result = {"status": status, "seconds": answer.seconds, "bytes": answer.n_bytes}
        self._append(started.row | result | {"outcome": outcome, "reason": reason})
        started.marker.unlink(missing_ok=True)

    def _append(self, row: dict[str, Any]) -> None:
        text = io.StringIO()
        spreadsheets.DictWriter(text, COLUMNS).writerow(row)
        line = text.getvalue().encode()
        with told_when_full(self.path), self._lock, self.path.open("ab", buffering=0) as file:
            before = file.tell()
            # One write per line, so that a kill leaves whole lines. A disk that fills up takes a part without an error.
            if file.write(line) != len(line):
                file.truncate(before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def rows(self) -> list[dict[str, str]]:
        """All lines, oldest first."""
        with self.path.open(newline="", encoding="utf-8") as file:
            return list(spreadsheets.DictReader(file))

    def summary(self) -> dict[str, Any]:
        """Counts for the card: requests by outcome and service, bytes, first and last time."""
        rows = self.rows()
        return {
            "total": len(rows),
            "by_outcome": dict(sorted(Counter(row["outcome"] for row in rows).items())),
            "by_service": dict(sorted(Counter(row["service"] for row in rows).items())),
            "bytes": sum(int(row["bytes"] or 0) for row in rows),
            "first": min((row["time"] for row in rows), default=""),
            "last": max((row["time"] for row in rows), default=""),
        }


def _header() -> bytes:
    text = io.StringIO()
    spreadsheets.DictWriter(text, COLUMNS).writeheader()
    return text.getvalue().encode()


def _read_row(marker: Path) -> dict[str, Any]:
    try:
        return parse_json(marker.read_text(encoding="utf-8"))
    except ValueError:
        # Killed while the marker was written: the request was not sent yet, but something should be told.
        return {"request_id": marker.stem}
