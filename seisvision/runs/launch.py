"""Starts the processes of a run on several devices, and ends them with it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seisvision import errors
from seisvision.base.share import local_batch_size
from seisvision.errors import NO_ROOM, ConfigurationError, DiskFullError, SeisvisionError
from seisvision.files import full_disk, parse_json
from seisvision.leftovers import temporary_folder
from seisvision.records.data_source import source_of
from seisvision.records.folder import RunFolder
from seisvision.records.kinds import experiment_class, kind_of_config
from seisvision.records.settings import TrainerSettings
from seisvision.runs.ranks import MEETING_VARIABLE, PARENT_VARIABLE
from seisvision.runs.terminal import INTERRUPTED

POLL_S = 0.1
GRACE_S = 10
"""How long workers may take to end when they are asked to."""


class WorkerError(SeisvisionError):
    """A process of a run ended before its work was done."""


def n_processes(config: Mapping[str, Any]) -> int:
    """How many processes a run takes on this machine: one for each device of ``trainer.devices``.

    Raises:
        ConfigurationError: the settings of trainer do not allow it.
    """
    settings = TrainerSettings.of(config["trainer"])
    devices, accelerator = settings.devices, settings.accelerator
    n_gpus = 0 if accelerator == "cpu" else _n_gpus()
    if isinstance(devices, list):
        n_devices = len(devices)
    elif devices in ("auto", -1):
        n_devices = max(1, n_gpus)
    elif isinstance(devices, int) and not isinstance(devices, bool) and devices >= 1:
        n_devices = devices
    else:
        raise ConfigurationError(f"trainer.devices={devices} is not allowed; give a number, a list of GPUs or auto.")
    if n_devices > 1 and accelerator in ("gpu", "cuda") and n_devices > n_gpus:
        raise ConfigurationError(
            f"trainer.devices={devices} asks for {n_devices} GPUs and this machine has {n_gpus}. "
            "Give fewer, or trainer.accelerator=cpu."
        )
    if settings.num_nodes > 1:
        raise ConfigurationError(
            f"trainer.num_nodes={settings.num_nodes} needs processes on other machines, which this command cannot "
            "start. Use launcher=slurm, or start it with srun or torchrun on every machine."
        )
    check_shared(settings, kind_of_config(config), n_devices)
    return n_devices


def check_shared(settings: TrainerSettings, kind: str, n_ranks: int) -> None:
    """Refuse what several processes cannot do together.

    Args:
        settings: of the training.
        kind: of the experiment.
        n_ranks: number of processes.

    Raises:
        ConfigurationError: names the setting.
    """
    if n_ranks == 1:
        return
    local_batch_size(settings.batch_size, n_ranks)
    if settings.overfit_batches:
        raise ConfigurationError("trainer.overfit_batches needs one process. Set trainer.devices=1.")
    if settings.strategy != "fsdp":
        return
    if settings.accelerator == "cpu" or not _n_gpus():
        raise ConfigurationError("trainer=fsdp needs GPUs, of which there are none here. Choose trainer=ddp.")
    if experiment_class(kind).needs_whole_weights:
        raise ConfigurationError(
            f"trainer=fsdp spreads the weights over processes, but an experiment of kind {kind} needs them whole "
            "between its epochs. Choose trainer=ddp."
        )


def prepare_data(config: Mapping[str, Any]) -> None:
    """Make the data, once, before several processes open them."""
    for described in (config["dataset"], *(config["dataset"].get("beside") or {}).values()):
        source = source_of(described["source"], described.get("corrections"))
        source.prepare(Path(config["system"]["data_dir"]))


def _n_gpus() -> int:
    import torch

    return torch.cuda.device_count()


def launch_workers(folder: RunFolder, n_workers: int) -> None:
    """Let ``n_workers`` processes do the run of a folder, and wait for them.

    When one of them ends early the others are stopped; when this process ends, however, they end with it.

    Raises:
        SeisvisionError: a worker failed; the message is its own.
        KeyboardInterrupt: all workers were stopped. A second Ctrl-C does not wait for them.
    """
    folder.forget_errors()
    with _meeting_file() as meeting:
        workers: list[subprocess.Popen[bytes]] = []
        try:
            # Linux ends workers with the thread that started them, and that is this one, which waits for them.
            # Added one by one, so that those that run are stopped where the next cannot be started.
            workers += (_start(folder, rank, n_workers, meeting) for rank in range(n_workers))
            failures = _first_failures(workers)
        finally:
            _stop(workers)
    if failures:
        raise _explain(folder, failures, n_workers)


@contextlib.contextmanager
def _meeting_file() -> Iterator[Path]:
    """Name of a file in which the workers tell how they are reached, in a folder that only this user can enter.

    Torch's own launcher has a server instead, which listens to the whole network, asks nobody who they are, and
    unpickles what it is sent.
    """
    with temporary_folder() as private:
        yield private / "meeting"


def _start(folder: RunFolder, rank: int, n_workers: int, meeting: Path) -> subprocess.Popen[bytes]:
    """Start a worker, out of the terminal's reach: Ctrl-C is passed on to it."""
    package = str(Path(errors.__file__).resolve().parents[1])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # What torchrun would set; Lightning and torch find their place by it.
    variables = {
        PARENT_VARIABLE: str(os.getpid()),
        MEETING_VARIABLE: str(meeting),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(n_workers),
        "LOCAL_WORLD_SIZE": str(n_workers),
        # Workers import the very package that this process has, also where it is not installed.
        "PYTHONPATH": os.pathsep.join(dict.fromkeys([package, *filter(None, paths)])),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "seisvision.runs.work", str(folder.path), "--worker"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, **variables},
    )


def _first_failures(workers: Sequence[subprocess.Popen[bytes]]) -> dict[int, int]:
    """Exit codes by rank of those that failed first; empty once all have ended well.

    Raises:
        KeyboardInterrupt: they were asked to stop, not by this process.
    """
    while True:
        codes = [worker.poll() for worker in workers]
        failures = {rank: code for rank, code in enumerate(codes) if code}
        if failures and all(code == INTERRUPTED for code in failures.values()):
            raise KeyboardInterrupt
        if failures or None not in codes:
            return failures
        time.sleep(POLL_S)


def _stop(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask those that are left to end, and after some time end them with what they started."""
    living = [worker for worker in workers if worker.poll() is None]
    for worker in living:
        worker.terminate()
    deadline = time.monotonic() + GRACE_S
    for worker in living:
        with contextlib.suppress(subprocess.TimeoutExpired):
            worker.wait(max(0.0, deadline - time.monotonic()))
    for worker in living:
        if worker.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                # It leads a session of its own, so this ends what it has started too, such as processes that read.
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


def _explain(folder: RunFolder, failures: Mapping[int, int], n_workers: int) -> SeisvisionError:
    """The error that was first: a worker that was killed drags the others with it."""
    for rank, code in sorted(failures.items()):
        # Those two may be ours, or the user's: no cause.
        if code < 0 and -code not in (signal.SIGTERM, signal.SIGINT):
            name = signal.Signals(-code).name
            return WorkerError(
                f"Process {rank} of {n_workers} was killed by signal {-code} ({name}), as systems do where "
                "memory runs out. The same command resumes after the last epoch."
            )
    told = first_error(folder)
    if told is not None:
        return told
    if NO_ROOM in failures.values():
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder.path))
        return DiskFullError(f"{full_disk(full)} The same command resumes after the last stored epoch.")
    codes = ", ".join(f"process {rank} with code {code}" for rank, code in sorted(failures.items()))
    return WorkerError(f"Workers ended without a word: {codes}. See {folder.log_file} and {folder.workers}.")


def first_error(folder: RunFolder, before: float = float("inf")) -> SeisvisionError | None:
    """The error that a worker met first, if any was met before a time in seconds since 1970."""
    told = [parse_json(path.read_text(encoding="utf-8")) for path in folder.workers.glob("error-*.json")]
    told = sorted((one for one in told if one["time"] < before), key=lambda one: one["time"])
    if not told:
        return None
    first = told[0]
    kind = getattr(errors, first["type"], None)
    # An error for people is raised here as it was there; of a fault, the traceback is in the worker's log.
    if first["exit_code"] is not None:
        if not (isinstance(kind, type) and issubclass(kind, SeisvisionError)):
            kind = SeisvisionError
        return kind(first["message"])
    where = folder.worker_log(first["rank"]) if first["rank"] else folder.log_file
    return WorkerError(f"Process {first['rank']} failed: {first['type']}: {first['message']}. Its log: {where}.")
