"""A synthetic set as a source of data: named before it exists, made when it is first needed."""

from __future__ import annotations

import logging
import multiprocessing
from pathlib import Path
from typing import Any, Protocol

from seisvision.data.sources.folder import table_columns
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.errors import DataError
from seisvision.files import check_writable, clear_lock, locked

log = logging.getLogger(__name__)


class GeneratorParameters(Protocol):
    """Settings of a generator."""

    def fingerprint(self) -> str:
        """Short hash of the settings, which is that of what they make."""


class GeneratedSource:
    """A waveform set that a generator makes, kept in the data folder under the fingerprint of its parameters."""

    parameters: GeneratorParameters
    event_columns_made: tuple[str, ...] = ()
    """Columns that the events of such a set have."""

    def fingerprint(self, data_dir: str | Path) -> str:
        """Short hash of the content; the set need not exist, but if it does, edits of it count."""
        folder = self.folder(data_dir)
        if not _is_complete(folder):
            return self.parameters.fingerprint()
        from seisvision.data.sets.set_files import set_fingerprint

        return set_fingerprint(folder)

    def folder(self, data_dir: str | Path) -> Path:
        """Where the set is or will be."""
        return Path(data_dir).expanduser() / f"synthetic-{self.parameters.fingerprint()}"

    def event_columns(self, data_dir: str | Path) -> list[str]:
        """Columns that the events of the set have, or will have."""
        return table_columns(self.folder(data_dir)) or list(self.event_columns_made)

    def prepare(self, data_dir: str | Path) -> Path:
        """Return the folder of the set; makes the set when it is not there.

        Processes that ask at once, on one machine, get one set: the first makes it, the others wait.

        Raises:
            DataError: The set cannot be made.
        """
        folder = self.folder(data_dir)
        # In the folder of the set's neighbours, because the set itself appears by renaming.
        lock = folder.with_name(f".{folder.name}.lock")
        if _is_complete(folder):
            clear_lock(lock)
            return folder
        _refuse_within_start()
        check_writable(folder.parent, "system.data_dir")
        with locked(lock):
            # Another process may have made it while this one waited.
            if not _is_complete(folder):
                self.make(folder)
        return folder

    def make(self, folder: Path) -> None:
        """Write the set to ``folder``, which appears complete or not at all."""
        raise NotImplementedError


EVENT_COLUMNS = (
    "source_id", "source_type", "source_origin_time", "source_latitude_deg", "source_longitude_deg", "source_depth_km",
    "source_magnitude", "source_cell",
)  # fmt: skip
"""Of every synthetic set."""


class SyntheticSource(GeneratedSource):
    """A synthetic waveform set of teleseismic scale.

    Args:
        processes: Worker processes that make it; by default one per core. Does not change the content.
        **parameters: Fields of :class:`SynthesisParameters`.

    Raises:
        ConfigurationError: A parameter is unknown or not allowed.
    """

    event_columns_made = (*EVENT_COLUMNS, "source_force_azimuth_deg")

    def __init__(self, *, processes: int | None = None, **parameters: Any) -> None:
        self.parameters: SynthesisParameters = SynthesisParameters.from_mapping(parameters)
        self.processes = processes

    def make(self, folder: Path) -> None:
        """Write the set to ``folder``."""
        from seisvision.data.synthesis.synthesise import synthesise

        log.info("Making the synthetic waveform set %s (%d events), once", folder, self.parameters.n_events)
        synthesise(self.parameters, folder, folder.parent / "cache", self.processes)


def _is_complete(folder: Path) -> bool:
    # Sets are renamed into place when whole, so one file stands for all.
    return (folder / "card.json").is_file()


def _refuse_within_start() -> None:
    """A worker that runs the calling script again while it starts would wait for the lock of its own parent."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise DataError(
            "The script that makes this synthetic set has no 'if __name__ == \"__main__\":' guard, so every worker "
            "process runs it from the start. Put the guard around what it does, or give processes=1."
        )
