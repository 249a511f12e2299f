"""A source of data with corrections: made once, beside the other sets, under the fingerprint that they give it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Protocol

from seisvision.data.corrections.corrected import Replayed, replay, write_corrected
from seisvision.data.corrections.standing import REFUSE, Rule
from seisvision.data.corrections.table import read_decisions
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
    """

    file: str
    rule: str = REFUSE
    arbiter: str | None = None
    fingerprint: str | None = None

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

    def of_set(self, fingerprint: str) -> dict[str, Any]:
        """The setting as a run keeps it, which means that set whatever is decided later."""
        return asdict(replace(self, fingerprint=fingerprint))

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

    def fingerprint(self, data_dir: str | Path) -> str:
        """Fingerprint of the set with its corrections; that of the set itself where they change nothing.

        Raises:
            DataError: the set or the file cannot be had, or they do not go together.
        """
        return self._replayed(WaveformSet(self.source.prepare(data_dir)), Path(data_dir)).fingerprint

    def prepare(self, data_dir: str | Path) -> Path:
        """Return the folder of the set with its corrections; makes it when it is not there.

        Raises:
            DataError: as :meth:`fingerprint`, or no beginning of the file makes the set that is asked for.
        """
        data_dir = Path(data_dir).expanduser()
        before = WaveformSet(self.source.prepare(data_dir))
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

    def uncorrected(self, data_dir: str | Path) -> Path:
        """The folder of the set as it was, from which splits are drawn: corrections move no sample to another part."""
        return self.source.prepare(data_dir)

    def _replayed(self, before: WaveformSet, data_dir: Path) -> Replayed:
        path = self.corrections.path(data_dir.expanduser())
        decisions = read_decisions(path)
        wanted = self.corrections.fingerprint
        last = _tried(before, decisions, self.rule) if wanted else replay(before, decisions, self.rule)
        if last is not None and wanted in (None, last.fingerprint):
            return last
        for n in range(len(decisions) - 1, -1, -1):
            earlier = _tried(before, decisions[:n], self.rule)
            if earlier is not None and earlier.fingerprint == wanted:
                return earlier
        raise DataError(
            f"No beginning of {path} makes the set {wanted} of this run from {before.path}. Restore the set and its "
            "corrections as they were."
        )


def _tried(before: WaveformSet, decisions: Sequence[Any], rule: Rule) -> Replayed | None:
    """What a beginning of the file makes; None where reviewers disagreed there, or a round was not whole."""
    try:
        return replay(before, decisions, rule)
    except DataError:
        return None
