"""What was refused and why: nothing that was read goes missing without a line in ``rejected.csv``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from seisvision import spreadsheets
from seisvision.files import whole_file

FILE_NAME = "rejected.csv"


@dataclass(frozen=True)
class Rejection:
    """One refused file (no trace id), recording, event (stage ``event`` and no trace id) or pick (stage ``pick``).

    Args:
        source: name of the source in the recipe.
        file: file name below the folder of the source.
        trace_id: NET.STA.LOC.CHA of the recording or pick.
        event_id: id of the event in the set.
        stage: read, association, selection, merge, quality, station, processing, window, event or pick.
        cause: one word to count by.
        reason: sentence for people.
        value: the number that was too large or too small, where there is one.
    """

    source: str
    file: str
    trace_id: str
    event_id: str
    stage: str
    cause: str
    reason: str
    value: float | None = None

    @property
    def kind(self) -> str:
        """``recording``, ``event``, ``file`` or ``pick``."""
        if self.stage == "pick":
            return "pick"
        if self.trace_id:
            return "recording"
        return "event" if self.stage == "event" else "file"


class Refusal(Exception):  # noqa: N818 - not an error of the program, but a verdict on one recording
    """Raised by a step that refuses a recording or an event."""

    def __init__(self, stage: str, cause: str, reason: str, value: float | None = None) -> None:
        super().__init__(reason)
        self.stage, self.cause, self.reason, self.value = stage, cause, reason, value


class Named(Protocol):
    """Anything with a trace id and a file."""

    @property
    def trace_id(self) -> str:
        """NET.STA.LOC.CHA."""

    @property
    def file(self) -> str:
        """Name of its file below the folder of the source."""


class RejectionLog:
    """Collects the rejections of one event (or, with an empty id, of the association)."""

    def __init__(self, source: str, event_id: str = "") -> None:
        self.source = source
        self.event_id = event_id
        self.items: list[Rejection] = []

    def add(self, refusal: Refusal, *, file: str = "", trace_id: str = "", event_id: str | None = None) -> None:
        """List a file, a recording (with a trace id) or an event (stage ``event`` without trace id)."""
        event_id = self.event_id if event_id is None else event_id
        verdict = (refusal.stage, refusal.cause, refusal.reason, refusal.value)
        self.items.append(Rejection(self.source, file, trace_id, event_id, *verdict))

    def add_recordings(self, recordings: Iterable[Named], refusal: Refusal) -> None:
        """List every recording under one reason."""
        for recording in recordings:
            self.add(refusal, file=recording.file, trace_id=recording.trace_id)


def write_rejections(path: Path, rejections: Iterable[Rejection]) -> None:
    """Write the list to the CSV file ``path``."""
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = spreadsheets.DictWriter(file, [item.name for item in fields(Rejection)], lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(vars(rejection) for rejection in rejections)


def count_causes(rejections: Iterable[Rejection]) -> list[tuple[str, str, str, int]]:
    """Rows (kind, stage, cause, number), most frequent first within a kind."""
    counts = Counter((rejection.kind, rejection.stage, rejection.cause) for rejection in rejections)
    order = sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0]))
    return [(*key, number) for key, number in order]
