"""Finds run folders and points of sweeps below what was asked for; what has no run keeps its reason."""

from __future__ import annotations

import csv
import glob
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from seisvision.errors import CheckpointError, ConfigurationError, SeisvisionError
from seisvision.records.checkpoint import find_checkpoint
from seisvision.records.folder import FAILED, PENDING, RunFolder
from seisvision.records.sweeps.folder import SweepFolder

log = logging.getLogger(__name__)

MARKS = ("status.json", "metrics.json")
"""A folder with one of these is a run folder, and nothing below it is."""
UNFIT = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, csv.Error)
"""What reading stumbles over where a file is damaged."""
SWEEP_FILE = "sweep.json"


@dataclass(frozen=True)
class LeftOut:
    """A folder that is listed but not compared."""

    path: Path
    reason: str
    state: str = ""


def find_run_folders(asked: Sequence[str]) -> list[Path]:
    """Run folders at or below the given folders or patterns, each once, sorted.

    Raises:
        ConfigurationError: a folder does not exist or a pattern matches nothing.
        SeisvisionError: there is nothing but a sweep whose points cannot be read.
    """
    found = find_runs(asked)
    folders = [one for one in found if isinstance(one, Path)]
    damaged = next((one for one in found if isinstance(one, LeftOut) and one.path.name == SWEEP_FILE), None)
    if damaged is not None and not folders:
        raise SeisvisionError(f"{damaged.path}: {damaged.reason}")
    return folders


def find_runs(asked: Sequence[str]) -> list[Path | LeftOut]:
    """Run folders, sorted, then points of sweeps that have none, with the reason."""
    folders: dict[Path, Path] = {}
    without: dict[tuple[Path, str], LeftOut] = {}
    for name in asked:
        for one in (one for match in matches(name) for one in _below(Path(match))):
            if isinstance(one, LeftOut):
                # Two sweeps may have the same point, whose run is then the same.
                without.setdefault((one.path, "" if one.state == PENDING else one.reason), one)
            else:
                folders[one.resolve()] = min(one, folders.get(one.resolve(), one))
    return [*sorted(folders.values()), *without.values()]


def matches(name: str) -> list[str]:
    """What a name or a pattern stands for.

    Raises:
        ConfigurationError: there is nothing of that name.
    """
    found = [name] if Path(name).exists() else glob.glob(name, recursive=True)  # noqa: PTH207 (absolute patterns)
    if not found:
        raise ConfigurationError(f"'{name}' does not exist. Give run folders, folders of runs, or a pattern.")
    return found


def _below(top: Path) -> Iterator[Path | LeftOut]:
    if (top / SWEEP_FILE).is_file():
        yield from _points(SweepFolder(top))
        return
    for path, folders, files in os.walk(top):
        if SWEEP_FILE in files:
            # Its runs lie elsewhere, and below what was asked for they are found by themselves.
            yield from (one for one in _points(SweepFolder(Path(path))) if isinstance(one, LeftOut))
        if any(mark in files for mark in MARKS) or {"config.yaml", "overrides.yaml"} <= set(files):
            folders.clear()
            yield Path(path)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for link in (Path(path) / name for name in folders):
            if link.is_symlink() and any((link / mark).is_file() for mark in MARKS):
                yield LeftOut(link, f"a link to {link.resolve()}: name that folder itself to have it compared")


def _points(sweep: SweepFolder) -> Iterator[Path | LeftOut]:
    """The runs of a sweep, and the points that have none."""
    try:
        points = [(point, sweep.run_folder(point)) for point in sweep.points()]
    except (SeisvisionError, *UNFIT) as error:
        yield LeftOut(sweep.file, f"broken: the points of the sweep cannot be read ({error})")
        return
    for point, folder in points:
        about = f"point {point.number} of the sweep ({' '.join(map(str, point.overrides)) or 'no overrides'})"
        if folder is None:
            yield LeftOut(sweep.path, f"{about} has no run: {point.error or 'no reason was stored'}", FAILED)
        elif folder.path.exists():
            yield folder.path
        else:
            yield LeftOut(folder.path, f"{about} was not started yet", PENDING)


def checkpoints_of(asked: str | Sequence[str]) -> list[Path]:
    """Checkpoint files that ``ckpt`` names: files, run folders, sweeps, folders of runs or patterns, or a list of them.

    Of a sweep the finished runs are taken; the others are told.

    Raises:
        CheckpointError: there is none.
        ConfigurationError: a folder does not exist or a pattern matches nothing.
    """
    names = [str(name) for name in asked] if isinstance(asked, list | tuple) else [str(asked)] * (asked is not None)
    if not names:
        raise CheckpointError("ckpt names no checkpoint. Give a .ckpt file, run folders, a sweep folder or a pattern.")
    paths: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_file() or RunFolder(path).best_checkpoint.is_file() or not _has_runs(name):
            paths.append(find_checkpoint(path))
        else:
            paths += _finished(find_run_folders([name]), name)
    return list({path.resolve(): path for path in paths}.values())


def _has_runs(name: str) -> bool:
    """Whether a name stands for run folders, and not for one checkpoint."""
    path = Path(name)
    return bool(find_run_folders([name])) if path.is_dir() or any(sign in name for sign in "*?[") else False


def _finished(folders: Sequence[Path], name: str) -> list[Path]:
    runs = [RunFolder(path) for path in folders]
    finished = [run for run in runs if run.is_finished() and run.best_checkpoint.is_file()]
    for run in runs:
        if run not in finished and run.config_file.exists() and run.status_file.exists():
            log.warning("Left out: run %s is %s.", run.path, run.status()["state"])
    if not finished:
        raise CheckpointError(f"{name} holds no finished run. Finish its runs first; the same command resumes them.")
    return [run.best_checkpoint for run in finished]
