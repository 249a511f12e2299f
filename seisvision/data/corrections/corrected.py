"""A waveform set with its corrections: the same waveforms, another table, a fingerprint of its own."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision import spreadsheets
from seisvision.data.corrections.standing import Label, Outcome, Rule, outcome
from seisvision.data.corrections.table import Decision
from seisvision.data.samples.columns import AZIMUTH_COLUMNS
from seisvision.data.samples.paths import places_known
from seisvision.data.sets.set_files import Chunk, describe_files, find_chunks, read_card
from seisvision.data.sets.stored.hashes import content_hashes, remember
from seisvision.data.sets.stored.placing import whole_set
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError, did_you_mean

log = logging.getLogger(__name__)

VERSION = "corrections-1"
PLACES = ("station_latitude_deg", "station_longitude_deg")
"""Emptied with a column of the path, which would be computed from them again."""


@dataclass(frozen=True)
class Replayed:
    """What decisions make of a set.

    Attributes:
        fingerprint: of the set with its corrections; that of the set itself where nothing changes.
        changes: label to its value, or None where it is emptied.
        outcomes: of each round of review, in their order.
    """

    fingerprint: str
    changes: dict[Label, str | None]
    outcomes: tuple[Outcome, ...]


def replay(
    waveform_set: WaveformSet,
    decisions: Sequence[Decision],
    rule: Rule | None = None,
    values: StoredValues | None = None,
) -> Replayed:
    """Apply decisions in the rounds in which they were taken.

    A decision names the set that was looked at: this one, or what the decisions before it had made of it. The first are
    about the values that stand there, those of a later round about what the rounds before have left.

    Args:
        waveform_set: as it was before any decision.
        decisions: of one file or several, in order.
        rule: what becomes of labels on which reviewers disagree.
        values: of the set, where they have been read already.

    Raises:
        DataError: a decision is about another set, sample, column or value, or reviewers disagree.
    """
    rule = rule or Rule()
    values = values or StoredValues(waveform_set)
    rounds: dict[str, list[Decision]] = {waveform_set.fingerprint: []}
    for one in decisions:
        if one.set_fingerprint not in rounds:
            reached = _state(waveform_set.fingerprint, rounds, rule)[0]
            if one.set_fingerprint != reached:
                raise DataError(
                    f"The decision of {one.reviewer} about {one.column} of {one.sample_id} is of the set "
                    f"{one.set_fingerprint}; this one is {waveform_set.fingerprint}, and {reached} with the decisions "
                    "before it. Give the set that was reviewed, and its corrections as a whole."
                )
            rounds[one.set_fingerprint] = []
        rounds[one.set_fingerprint].append(one)
    _check_values(values, waveform_set.fingerprint, rounds, rule)
    fingerprint, changes, outcomes = _state(waveform_set.fingerprint, rounds, rule)
    changes = {label: new for label, new in changes.items() if new != values.now(label)}
    _check_changeable(values, changes)
    return Replayed(fingerprint if changes else waveform_set.fingerprint, changes, tuple(outcomes))


def _state(
    fingerprint: str, rounds: Mapping[str, Sequence[Decision]], rule: Rule
) -> tuple[str, dict[Label, str | None], list[Outcome]]:
    """Fingerprint and values after all rounds; a later round speaks over an earlier one."""
    changes: dict[Label, str | None] = {}
    outcomes = []
    for decisions in rounds.values():
        outcomes.append(outcome(decisions, rule))
        changes |= outcomes[-1].changes
    return _fingerprint(fingerprint, changes), changes, outcomes


def _fingerprint(of_set: str, changes: Mapping[Label, str | None]) -> str:
    if not changes:
        return of_set
    content = [VERSION, of_set, sorted([*label, new] for label, new in changes.items())]
    return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()[:16]


def _check_values(values: StoredValues, fingerprint: str, rounds: Mapping[str, Sequence[Decision]], rule: Rule) -> None:
    """Refuse decisions about a value that did not stand there.

    Raises:
        DataError: names sample, column and both values.
    """
    done: dict[str, Sequence[Decision]] = {}
    for name, decisions in rounds.items():
        before = _state(fingerprint, done, rule)[1] if done else {}
        for one in decisions:
            if one.column not in values.columns:
                # Such a label can be kept or left open; what would change it is refused with the changes.
                continue
            there = before.get(one.label, values.now(one.label, one.source_id)) or ""
            if one.old != there:
                raise DataError(
                    f"The decision of {one.reviewer} is about {one.column}='{one.old}' of {one.sample_id}, where "
                    f"'{there}' stands. Give the set that was reviewed."
                )
        done[name] = decisions


def _check_changeable(values: StoredValues, changes: Mapping[Label, str | None]) -> None:
    """Refuse values that would be overruled.

    Raises:
        DataError: names the label and why.
    """
    for label, new in changes.items():
        why = "" if new is None else values.why_fixed(label)
        if why:
            raise DataError(
                f"{label[1]}='{new}' of {label[0]} changes nothing: {why} Take that decision back and discard the "
                "label, or correct the coordinates."
            )


class StoredValues:
    """What stands in the table of a set, as its files hold it.

    Args:
        waveform_set: the set.

    Attributes:
        columns: names of its columns.
    """

    def __init__(self, waveform_set: WaveformSet) -> None:
        self.waveform_set = waveform_set
        self.tables = [read_cells(chunk) for chunk in find_chunks(waveform_set.path)]
        self.columns = [str(name) for name in self.tables[0]]
        self._cells: dict[str, list[str]] = {}

    def rows(self, label: Label, source_id: str | None = None) -> list[int]:
        """Rows of the table that a label stands in: all traces of an event, or one.

        Args:
            label: sample and column; ``source_*`` columns are of events, all others of single traces.
            source_id: event that the trace is said to be of.

        Raises:
            DataError: there is no such sample or column.
        """
        sample_id, column = label
        if column not in self.columns:
            raise DataError(
                f"{self.waveform_set.path} has no column '{column}', so it cannot be corrected. "
                f"{did_you_mean(column, self.columns)}"
            )
        if is_of_event(column):
            return self.waveform_set.rows(sample_id).tolist()
        events = self.waveform_set.table["source_id"]
        row = int(sample_id) if sample_id.isdecimal() else -1
        if not 0 <= row < len(events) or source_id not in (None, str(events.iloc[row])):
            raise DataError(
                f"'{sample_id}' of event '{source_id}' is no trace of {self.waveform_set.path}. Give the set that was "
                "reviewed."
            )
        return [row]

    def why_fixed(self, label: Label) -> str:
        """Why a label cannot be given another value, for people; empty where it can."""
        if label[1] not in self.columns:
            return f"'{label[1]}' is no column of the set, so there is nothing to correct or empty."
        if label[1] in AZIMUTH_COLUMNS and self._places_known[self.rows(label)].any():
            return (
                f"{label[1]} of trace {label[0]} is computed from the coordinates of source and station, which would "
                "overrule another value."
            )
        return ""

    @cached_property
    def _places_known(self) -> np.ndarray:
        """Whether azimuths of a row follow from its coordinates, bool (N,)."""
        return places_known(self.waveform_set.table)

    def now(self, label: Label, source_id: str | None = None) -> str:
        """The value of a label as text, that of the first trace that has one."""
        rows = self.rows(label, source_id)
        cells = self._column(label[1])
        return next((cells[row] for row in rows if cells[row]), "")

    def _column(self, name: str) -> list[str]:
        if name not in self._cells:
            self._cells[name] = [str(cell) for table in self.tables for cell in table[name]]
        return self._cells[name]


def is_of_event(column: str) -> bool:
    """Whether a column says something of the event, so that all its traces have one value."""
    return column.startswith("source_")


def read_cells(chunk: Chunk) -> pd.DataFrame:
    """The table of a chunk as text, cell by cell as it stands there."""
    return pd.read_csv(chunk.metadata_path, dtype=str, keep_default_na=False, na_filter=False)


def write_corrected(
    waveform_set: WaveformSet, replayed: Replayed, path: Path, about: Mapping[str, Any], *, link: bool = False
) -> Path:
    """Write a set with its corrections, whole or not at all.

    Args:
        waveform_set: as it was.
        replayed: of :func:`replay`.
        path: folder of the new set.
        about: what its card says of the corrections.
        link: let both sets share their waveforms on the disk where it can do that, in place of a copy.

    Raises:
        DataError: the place is taken, or a column is not in the table.
        OSError: the disk is full or cannot be written to.
    """
    chunks = find_chunks(waveform_set.path)
    values = StoredValues(waveform_set)
    first = 0
    with whole_set(path) as partial:
        for chunk, table in zip(chunks, values.tables, strict=True):
            _change(table, first, values, replayed.changes)
            first += len(table)
            end = spreadsheets.end_of_lines(table)
            table.to_csv(partial / chunk.metadata_path.name, index=False, lineterminator=end)
        _take_waveforms(chunks, partial, link)
        if (waveform_set.path / "chunks").is_file():
            shutil.copy2(waveform_set.path / "chunks", partial / "chunks")
        card = read_card(waveform_set.path) | {
            "fingerprint": replayed.fingerprint,
            "corrections": {"of_set": waveform_set.fingerprint, **about},
            "files": describe_files(partial, own=True),
        }
        text = json.dumps(card, indent=2, sort_keys=True, default=str, ensure_ascii=False)
        (partial / "card.json").write_text(text + "\n", encoding="utf-8")
    return path


def _change(table: pd.DataFrame, first: int, values: StoredValues, changes: Mapping[Label, str | None]) -> None:
    """Put changes into the table of one chunk, whose first row is row ``first`` of the set."""
    for label, new in changes.items():
        rows = [row - first for row in values.rows(label) if first <= row < first + len(table)]
        emptied = [name for name in PLACES if name in table] if new is None and label[1].startswith("path_") else []
        for column in (label[1], *emptied):
            table.iloc[rows, table.columns.get_loc(column)] = new or ""


def _take_waveforms(chunks: Sequence[Chunk], partial: Path, link: bool) -> None:
    paths = [chunk.waveforms_path for chunk in chunks]
    hashes = content_hashes(paths)
    for path in paths:
        try:
            if not link:
                raise OSError
            os.link(path, partial / path.name)
        except OSError:
            shutil.copy2(path, partial / path.name)
    # A link changes the time of the inode, and both would be read again.
    remember(partial, hashes)
    remember(paths[0].parent, hashes)
