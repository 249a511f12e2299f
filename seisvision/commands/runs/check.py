"""Look finished runs over: whether their files are what they were when the runs ended.

RUN is a run folder, a folder of runs (such as a sweep) or a pattern. Reads manifest.json of each run, hashes what it
lists, and reads the checkpoints. Exit code 1 where anything was changed or is missing.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seisvision.records.folder import RunFolder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision runs check``."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders, folders of runs, or patterns")


def run(args: argparse.Namespace) -> int:
    """Print one line a run, and what is wrong below it."""
    from seisvision.errors import DataError
    from seisvision.plain_text import say
    from seisvision.records.finding import find_run_folders
    from seisvision.records.folder import RunFolder

    folders = [RunFolder(path) for path in find_run_folders(args.runs)]
    if not folders:
        raise DataError(f"There is no run in {', '.join(args.runs)}. Give run folders or folders of runs.")
    n_wrong = 0
    for folder in folders:
        wrong, said = _look_over(folder)
        n_wrong += bool(wrong)
        say(f"{folder.path}: {said}")
        for line in wrong:
            say(f"  {line}")
    say(f"{len(folders)} runs, {n_wrong} of them changed or damaged")
    return 1 if n_wrong else 0


def _look_over(folder: RunFolder) -> tuple[list[str], str]:
    """What is wrong with a run, and its state in words."""
    from seisvision.errors import CheckpointError, SeisvisionError
    from seisvision.records.checkpoint import load_checkpoint
    from seisvision.records.integrity.manifest import altered_files, read_manifest

    wrong = []
    try:
        state = str(folder.status()["state"])
        n_files = len(read_manifest(folder))
    except SeisvisionError as error:
        return [str(error)], "damaged"
    wrong += altered_files(folder)
    for path in (folder.best_checkpoint, folder.last_checkpoint):
        if path.exists():
            try:
                load_checkpoint(path)
            except CheckpointError as error:
                wrong.append(str(error))
    if state == "finished" and not n_files:
        return wrong, "finished, without manifest.json (an earlier version): only its checkpoints were looked over"
    listed = f", {n_files} files looked over" if n_files else ""
    return wrong, f"{state}{listed}{'' if wrong else ', nothing changed'}"
