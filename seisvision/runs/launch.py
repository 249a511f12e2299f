"""Starts the processes of a run on several devices, and ends them with it."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision import errors
from seisvision.data.epoch_sampler import local_batch_size
from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.runs.configuration import instantiate
from seisvision.runs.folder import RunFolder
from seisvision.runs.ranks import PARENT_VARIABLE
from seisvision.runs.trust.faces import SOURCE

log = logging.getLogger(__name__)

GRACE_S = 10
"""How long workers may take to end when they are asked to."""


class WorkerError(SeisvisionError):
    """A process of a run ended before its work was done."""


def n_processes(config: Mapping[str, Any]) -> int:
    """How many processes a run takes on this machine: one for each device of ``trainer.devices``.

    Raises:
        ConfigurationError: the settings of trainer do not allow it.
    """
    settings = config["trainer"]
    devices, accelerator = settings.get("devices", 1), settings.get("accelerator", "auto")
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
    if settings.get("num_nodes", 1) > 1:
        raise ConfigurationError(
            f"trainer.num_nodes={settings['num_nodes']} needs processes on other machines, which this command cannot "
            "start. Use launcher=slurm, or start it with srun or torchrun on every machine."
        )
    check_shared(config, n_devices)
    return n_devices


def check_shared(config: Mapping[str, Any], n_ranks: int) -> None:
    """Refuse what several processes cannot do together.

    Raises:
        ConfigurationError: names the setting.
    """
    settings = config["trainer"]
    if n_ranks == 1:
        return
    local_batch_size(settings["batch_size"], n_ranks)
    if settings["overfit_batches"]:
        raise ConfigurationError("trainer.overfit_batches needs one process. Set trainer.devices=1.")
    if settings.get("strategy") != "fsdp":
        return
    if settings["accelerator"] == "cpu" or not _n_gpus():
        raise ConfigurationError("trainer=fsdp needs GPUs, of which there are none here. Choose trainer=ddp.")
    # The process that only starts the others does without Lightning.
    from seisvision.runs.build import finds_clusters

    if finds_clusters(config):
        raise ConfigurationError(
            "trainer=fsdp spreads the weights over processes, but a task that finds clusters needs them whole between "
            "its epochs. Choose trainer=ddp."
        )


def prepare_data(config: Mapping[str, Any]) -> None:
    """Make the waveform set, once, before several processes open it."""
    instantiate(config["dataset"]["source"], SOURCE).prepare(Path(config["system"]["data_dir"]))


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
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    folder.forget_errors()
    _set_environment()
    settings = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=n_workers,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        # Torch would take over all signals for good; ours stop the workers as well.
        signals_to_handle="SIGQUIT",
        shutdown_timeout=GRACE_S,
        # No folder of torch's: workers write into the run's, and nobody would clear it away after a kill -9.
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
    )
    before = signal.getsignal(signal.SIGQUIT)
    work = elastic_launch(settings, sys.executable)
    try:
        work("-m", "seisvision.runs.work", str(folder.path), "--worker")
    except ChildFailedError as error:
        raise _explain(folder, error.failures, n_workers) from None
    finally:
        signal.signal(signal.SIGQUIT, before)
        os.environ.pop(PARENT_VARIABLE, None)


def _set_environment() -> None:
    """What workers inherit: who started them, where this package is, and that they are on one machine."""
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    package = str(Path(errors.__file__).resolve().parents[1])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([package, *filter(None, paths)]))
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")


def _explain(folder: RunFolder, failures: Mapping[int, Any], n_workers: int) -> SeisvisionError:
    """The error that was first: a worker that was killed drags the others with it."""
    for rank, failure in sorted(failures.items()):
        if failure.exitcode < 0 and -failure.exitcode not in (signal.SIGTERM, signal.SIGINT):
            name = signal.Signals(-failure.exitcode).name
            return WorkerError(
                f"Process {rank} of {n_workers} was killed by signal {-failure.exitcode} ({name}), as systems do where "
                "memory runs out. The same command resumes after the last epoch."
            )
    told = first_error(folder)
    if told is not None:
        return told
    codes = ", ".join(f"process {rank} with code {failure.exitcode}" for rank, failure in sorted(failures.items()))
    return WorkerError(f"Workers ended without a word: {codes}. See {folder.log_file} and {folder.workers}.")


def first_error(folder: RunFolder, before: float = float("inf")) -> SeisvisionError | None:
    """The error that a worker met first, if any was met before a time in seconds since 1970."""
    told = [json.loads(path.read_text(encoding="utf-8")) for path in folder.workers.glob("error-*.json")]
    told = sorted((one for one in told if one["time"] < before), key=lambda one: one["time"])
    if not told:
        return None
    first = told[0]
    kind = getattr(errors, first["type"], None)
    if first["exit_code"] is not None:
        if not (isinstance(kind, type) and issubclass(kind, SeisvisionError)):
            kind = SeisvisionError
        return kind(first["message"])
    where = folder.worker_log(first["rank"]) if first["rank"] else folder.log_file
    return WorkerError(f"Process {first['rank']} failed: {first['type']}: {first['message']}. Its log: {where}.")
