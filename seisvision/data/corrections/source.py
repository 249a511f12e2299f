"""A source of data with corrections: made once, beside the other sets, under the fingerprint that they give it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

from seisvision.data.corrections.corrected import Replayed, StoredValues, replay, write_corrected
from seisvision.data.corrections.standing import REFUSE, Rule
from seisvision.data.corrections.table import Decision, read_decisions
from seisvision.data.sets.set_files import read_card
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError
from seisvision.files import check_writable, clear_lock, locked

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where a waveform set comes from."""

    def prepare(self, data_dir: str | Path) -> Path:
        """The folder of the set."""

    def fingerprint(self, data_dir: str | Path) -> str:
        """What the set is known by."""


@dataclass(frozen=True)
class Corrections:
    """The setting ``dataset.corrections``.

    Args:
        file: ``corrections.csv``. A relative path is looked up in the data folder first, then in the working folder.
        rule: what becomes of labels on which reviewers disagree, see :class:`Rule`.
        arbiter: reviewer whose decision stands over those of others.
        fingerprint: of the set that the file made when a run was asked for. The file only grows, so that a beginning of
            it still makes that set; default, what the whole file makes.
        dealt_from: fingerprint of the set as it was then, from which splits are dealt.
    """

    file: str
    rule: str = REFUSE
    arbiter: str | None = None
    fingerprint: str | None = None
    dealt_from: str | None = None

    @classmethod
    def of(cls, said: Any) -> Corrections:
        """From configuration: a path, or a mapping.

        Raises:
            ConfigurationError: it is neither.
        """
        if isinstance(said, str):
            return cls(said)
        names = {field.name for field in fields(cls)}
        if isinstance(said, Mapping) and isinstance(said.get("file"), str) and set(said) <= names:
            given = {key: value for key, value in said.items() if value is not None}
            if all(isinstance(value, str) for value in given.values()):
                return cls(**given)
        raise ConfigurationError(
            "dataset.corrections must be a file, or {file: corrections.csv, rule: majority, arbiter: name}; rule and "
            "arbiter may be left out."
        )

    def path(self, data_dir: Path) -> Path:
        """Where the file lies."""
        given = Path(self.file).expanduser()
        inside = data_dir / given
        return inside if inside.is_file() else given.absolute()


class CorrectedSource:
    """The set of another source, with the corrections of a file.

    Args:
        source: of the set as it was.
        corrections: the setting ``dataset.corrections``.

    Raises:
        ConfigurationError: the setting is not allowed.
    """

    def __init__(self, source: Source, corrections: Any) -> None:
        self.source = source
        self.corrections = Corrections.of(corrections)
        self.rule = Rule(self.corrections.rule, self.corrections.arbiter)

    def event_columns(self, data_dir: str | Path) -> list[str] | None:
        """Columns that the events of the set have; corrections add none."""
        told = getattr(self.source, "event_columns", None)
        return None if told is None else told(data_dir)

    def fingerprint(self, data_dir: str | Path) -> str:
        """Fingerprint of the set with its corrections; that of the set itself where they change nothing.

        Raises:
            DataError: the set or the file cannot be had, or they do not go together.
        """
        data_dir = Path(data_dir).expanduser()
        before = WaveformSet(self.source.prepare(data_dir))
        if self._made_already(before, data_dir) is not None:
            return str(self.corrections.fingerprint)
        return self._replayed(before, data_dir).fingerprint

    def prepare(self, data_dir: str | Path) -> Path:
        """Return the folder of the set with its corrections; makes it when it is not there.

        Raises:
            DataError: as :meth:`fingerprint`, or no beginning of the file makes the set that is asked for.
        """
        data_dir = Path(data_dir).expanduser()
        before = WaveformSet(self.source.prepare(data_dir))
        made = self._made_already(before, data_dir)
        if made is not None:
            clear_lock(made.with_name(f".{made.name}.lock"))
            return made
        replayed = self._replayed(before, data_dir)
        if not replayed.changes:
            return before.path
        folder = data_dir / f"corrected-{replayed.fingerprint}"
        lock = folder.with_name(f".{folder.name}.lock")
        if (folder / "card.json").is_file():
            clear_lock(lock)
            return folder
        check_writable(folder.parent, "system.data_dir")
        with locked(lock):
            if not (folder / "card.json").is_file():
                about = {"file": self.corrections.file, "rule": self.rule.rule, "labels": len(replayed.changes)}
                log.info("Writing %s with %d corrected labels, once", folder, len(replayed.changes))
                write_corrected(before, replayed, folder, about, link=True)
        return folder

    def kept(self, data_dir: str | Path) -> dict[str, Any]:
        """The setting as a run keeps it, which means the set of now, whatever is decided later and wherever from.

        Raises:
            DataError: as :meth:`fingerprint`.
        """
        data_dir = Path(data_dir).expanduser()
        file, fingerprint = self.corrections.file, self.fingerprint(data_dir)
        if not (data_dir / Path(file).expanduser()).is_file():
            # The folder of work is another one when the run is evaluated; that of the data goes with the data.
            file = str(self.corrections.path(data_dir))
        dealt_from = WaveformSet(self.uncorrected(data_dir)).fingerprint
        return asdict(replace(self.corrections, file=file, fingerprint=fingerprint, dealt_from=dealt_from))

    def uncorrected(self, data_dir: str | Path) -> Path:
        """The folder of the set as it was, from which splits are drawn: corrections move no sample to another part."""
        return self.source.prepare(data_dir)

    def _made_already(self, before: WaveformSet, data_dir: Path) -> Path | None:
        """The folder of the set that a run keeps, where it lies there; None where none is kept or it must be made."""
        wanted = self.corrections.fingerprint
        if wanted is None:
            return None
        if wanted == before.fingerprint:
            return before.path
        folder = data_dir / f"corrected-{wanted}"
        card = read_card(folder) if (folder / "card.json").is_file() else {}
        is_it = card.get("fingerprint") == wanted and card.get("corrections", {}).get("of_set") == before.fingerprint
        return folder if is_it else None

    def _replayed(self, before: WaveformSet, data_dir: Path) -> Replayed:
        path = self.corrections.path(data_dir)
        decisions, values = read_decisions(path), StoredValues(before)
        wanted = self.corrections.fingerprint
        last = (_tried if wanted else replay)(before, decisions, self.rule, values)
        if last is not None and wanted in (None, last.fingerprint):
            return last
        for n in range(len(decisions) - 1, -1, -1):
            earlier = _tried(before, decisions[:n], self.rule, values)
            if earlier is not None and earlier.fingerprint == wanted:
                return earlier
        raise DataError(
            f"No beginning of {path} makes the set {wanted} of this run from {before.path}. Restore the set and its "
            "corrections as they were."
        )


def _tried(before: WaveformSet, decisions: Sequence[Decision], rule: Rule, values: StoredValues) -> Replayed | None:
    """What a beginning of the file makes; None where reviewers disagreed there, or a round was not whole."""
    try:
        return replay(before, decisions, rule, values)
    except DataError:
        return None
