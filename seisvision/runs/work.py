"""Do the run that a folder describes: ``python -m seisvision.runs.work FOLDER``.

Reads ``config.yaml`` in the folder and nothing else: whoever starts it (``train.py``, a sweep, a cluster) writes
that file first. With several devices it starts one worker for each from the same file; started by ``torchrun`` or
``srun`` it is such a worker. Exit codes: 0 finished, 1 failed, 2 bad configuration, 70 a fault
of seisvision, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from seisvision.errors import NO_ROOM, UNFORESEEN, ConfigurationError, PrunedError, SeisvisionError, did_you_mean
from seisvision.files import full_disk
from seisvision.leftovers import clear_below
from seisvision.plain_text import shown
from seisvision.records.folder import FAILED, RUNNING, RunFolder
from seisvision.records.folder import INTERRUPTED as INTERRUPTED_STATE
from seisvision.records.integrity.manifest import write_manifest
from seisvision.runs.ranks import PARENT_VARIABLE, Place, current_place, join_group, tell
from seisvision.runs.terminal import (
    INTERRUPTED,
    copied_to,
    guarded,
    interrupts,
    last_words,
    quick_imports,
    set_up_logging,
    stop_on_signals,
)

log = logging.getLogger(__name__)

JOBS = {
    "archive_share": ("seisvision.archives.shares", "do_share"),
    "catalogue_share": ("seisvision.cataloguing.shares", "do_share"),
}
"""What a folder may ask for instead of a training, by the word ``job`` in its configuration: module and function."""
FOLDER = "the first process to name the run folder"
"""What the processes wait for that srun or torchrun started."""
LOOK_EVERY_S = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the run of the folder given on the command line, and return its exit code."""
    parser = argparse.ArgumentParser("python -m seisvision.runs.work", description=__doc__)
    parser.add_argument("folder", type=Path, help="run folder with a config.yaml")
    parser.add_argument("--worker", action="store_true", help="be one of the workers of a process that has the lock")
    asked = parser.parse_args(arguments)
    folder = RunFolder(asked.folder)
    if PARENT_VARIABLE in os.environ:
        from seisvision.runs.guard import end_with_parent

        end_with_parent()
    return _be_worker(folder) if asked.worker else guarded(lambda: work_on(folder))


def _be_worker(folder: RunFolder) -> int:
    """Work in silence, save for the first worker's messages: the process that waits tells how it ended."""
    from seisvision.runs.guard import leave_in_time

    leave_in_time()
    set_up_logging()
    stop_on_signals()
    place = current_place()
    try:
        with copied_to(folder.log_file) if place.rank == 0 else contextlib.nullcontext():
            _work_as_rank(folder, place)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return NO_ROOM if full_disk(error) is not None else getattr(error, "exit_code", UNFORESEEN)
    return 0


def work_on(folder: RunFolder) -> None:
    """Do the run that ``config.yaml`` in ``folder`` describes, unless it is finished.

    Raises:
        SeisvisionError: there is no configuration, another process works on the run, or it failed.
        KeyboardInterrupt: it was interrupted; the same call resumes.
    """
    if not folder.config_file.exists():
        raise ConfigurationError(f"{folder.path} holds no config.yaml. Give a run folder that train.py made.")
    if current_place().n_ranks > 1:
        work_together(lambda: folder, lambda found: None)
        return
    with folder.locked():
        if folder.is_finished():
            log.info("Run %s is finished.", folder.run_id)
            return
        with copied_to(folder.log_file):
            do_run(folder)


def do_run(folder: RunFolder) -> None:
    """Do the run of a folder that this process has locked, and keep its status true, whatever happens."""
    folder.mark_running()
    clear_below(folder.path)
    last_words.append(folder.mark_interrupted)
    try:
        _work(folder)
    except (KeyboardInterrupt, SystemExit):
        # Lightning turns Ctrl-C into an exit of its own.
        error = _error_of_others(folder, before=interrupts[0] if interrupts else 0.0)
        if error is not None:
            folder.mark_failed(f"{type(error).__name__}: {error}")
            raise error from None
        folder.mark_interrupted()
        raise KeyboardInterrupt from None
    except Exception as error:
        first = _error_of_others(folder) or error
        if isinstance(first, PrunedError):
            folder.mark_pruned(str(first))
            log.info("Pruned: %s.", first)
            return
        folder.mark_failed(f"{type(first).__name__}: {first}")
        raise first from None if first is not error else error.__cause__
    finally:
        last_words.remove(folder.mark_interrupted)
    write_manifest(folder)
    folder.mark_finished()


def _work(folder: RunFolder) -> None:
    """Train in this process, or in one process for each device; or do the job that the configuration names."""
    free_memory()
    job = folder.config().get("job")
    if job is not None:
        _do_job(str(job), folder)
        return
    if current_place().n_ranks == 1:
        with quick_imports():
            from seisvision.runs.launch import launch_workers, n_processes, prepare_data
        config = folder.config()
        n_workers = n_processes(config)
        if n_workers > 1:
            prepare_data(config)
            launch_workers(folder, n_workers)
            return
    with quick_imports():
        from seisvision.runs.training import train_and_evaluate
    train_and_evaluate(folder)


def _do_job(job: str, folder: RunFolder) -> None:
    if job not in JOBS:
        raise ConfigurationError(f"{folder.config_file}: job={job} is unknown. {did_you_mean(job, list(JOBS))}")
    module, name = JOBS[job]
    with quick_imports():
        do = getattr(importlib.import_module(module), name)
    do(folder)


def free_memory() -> None:
    """Let go of what an earlier run of this process has left, on GPUs too, for others may be at work there."""
    # Its trainer, network and optimiser hold each other, hundreds of megabytes at a time.
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def work_together(find: Callable[[], RunFolder], prepare: Callable[[RunFolder], None]) -> RunFolder:
    """Do a run in processes that ``torchrun`` or ``srun`` started, all of which call this.

    The first process finds the folder, locks it and keeps its status; the others hear of it.

    Args:
        find: gives the folder; called in the first process only.
        prepare: writes what was asked for into the folder, where the run is not finished.

    Raises:
        SeisvisionError: the run failed, in any of the processes.
        KeyboardInterrupt: it was interrupted.
    """
    place = current_place()
    join_group(place)
    if place.rank > 0:
        return _follow(place)
    with contextlib.ExitStack() as held:
        try:
            folder = find()
            held.enter_context(folder.locked())
            is_finished = folder.is_finished()
            if not is_finished:
                prepare(folder)
                folder.forget_errors()
        except Exception as error:
            tell({"error": str(error), "exit_code": getattr(error, "exit_code", 1)}, FOLDER)
            raise
        attempt = folder.status()["attempts"] + 1
        tell({"path": str(folder.path), "is_finished": is_finished, "attempt": attempt}, FOLDER)
        if is_finished:
            log.info("Run %s is finished.", folder.run_id)
        else:
            with copied_to(folder.log_file):
                do_run(folder)
    return folder


def _follow(place: Place) -> RunFolder:
    """Be one of the other processes."""
    try:
        heard = tell(None, FOLDER)
    except SeisvisionError:
        # The first process, which otherwise tells everything, does not know of it.
        logging.getLogger("seisvision").setLevel(logging.ERROR)
        raise
    if "error" in heard:
        error = SeisvisionError(heard["error"])
        error.exit_code = heard["exit_code"]
        raise error
    folder = RunFolder(Path(heard["path"]))
    if heard["is_finished"]:
        _write_to(folder.worker_log(place.rank))
    else:
        _work_as_rank(folder, place)
        _wait_for_result(folder, heard["attempt"])
    return folder


def _wait_for_result(folder: RunFolder, attempt: int) -> None:
    """Wait, for as long as it takes, until the first process has evaluated the run; its own end stops this one.

    In a collective this process would lose its patience after some time, and so end the job.
    """
    # On another machine a file may be seen late, with what an earlier attempt left.
    while (status := folder.status())["state"] == RUNNING or status["attempts"] < attempt:
        time.sleep(LOOK_EVERY_S)
    if status["state"] == INTERRUPTED_STATE:
        raise KeyboardInterrupt
    if status["state"] == FAILED:
        raise SeisvisionError(status["error"])


def _work_as_rank(folder: RunFolder, place: Place) -> None:
    """Do the part of a run that falls to this process, and leave word of an error."""
    if place.rank > 0:
        _write_to(folder.worker_log(place.rank))
    try:
        with quick_imports():
            from seisvision.runs.training import train_and_evaluate
        join_group(place)
        train_and_evaluate(folder)
    except (KeyboardInterrupt, SystemExit):
        raise KeyboardInterrupt from None
    except Exception as error:
        folder.tell_error(place.rank, error)
        if place.rank > 0 or os.environ.get("SEISVISION_TRACEBACK") == "1":
            print(shown(traceback.format_exc()), file=sys.stderr)
        raise


def _write_to(path: Path) -> None:
    """Send everything that this process says to a file, libraries in C included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("seisvision").setLevel(logging.INFO)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(handle, stream.fileno())
    os.close(handle)


def _error_of_others(folder: RunFolder, before: float = float("inf")) -> SeisvisionError | None:
    """What stopped this process, where another one that ``torchrun`` or ``srun`` started met an error first."""
    if current_place().n_ranks == 1:
        return None
    from seisvision.runs.launch import first_error

    return first_error(folder, before)


if __name__ == "__main__":
    sys.exit(main())
