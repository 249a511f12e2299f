"""Which process of a job this is, and how the processes of a job find each other.

A job of several processes is started by this package (:mod:`seisvision.runs.launch`), by ``torchrun`` or by ``srun``;
all three tell each process its number (rank) through the environment.
"""

from __future__ import annotations

import atexit
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.processes import LOOPBACK, stay_on_machine

PARENT_VARIABLE = "SEISVISION_PARENT"
"""Environment variable in which a worker finds the number of the process that started it."""
MEETING_VARIABLE = "SEISVISION_MEETING"
"""Environment variable in which the workers of this package find the file in which they tell where each listens."""
THREADS_VARIABLE = "SEISVISION_THREADS"
"""Environment variable that says that ``OMP_NUM_THREADS`` is the share of a run, and not what the user asked for."""
WAIT_MINUTES = 60
"""How long processes wait for each other, such as for the first to make a waveform set."""


@dataclass(frozen=True)
class Place:
    """What place a process has in its job.

    Args:
        rank: number of the process, the first of which writes files.
        n_ranks: number of processes.
        local_rank, n_local: the same on this machine.
        starter: who started the processes: ``nobody`` (there is one), ``seisvision``, ``torchrun`` or ``srun``.
    """

    rank: int = 0
    n_ranks: int = 1
    local_rank: int = 0
    n_local: int = 1
    starter: str = "nobody"

    @property
    def n_nodes(self) -> int:
        """Number of machines."""
        return max(1, self.n_ranks // self.n_local)


def current_place() -> Place:
    """What the environment says of this process."""
    values = os.environ
    if (MEETING_VARIABLE in values or "TORCHELASTIC_RUN_ID" in values) and int(values.get("WORLD_SIZE", 1)) > 1:
        starter = "seisvision" if MEETING_VARIABLE in values else "torchrun"
        rank, n_ranks = int(values["RANK"]), int(values["WORLD_SIZE"])
        return Place(rank, n_ranks, int(values["LOCAL_RANK"]), int(values["LOCAL_WORLD_SIZE"]), starter)
    # Set by srun only: in the batch script itself, as in a shell of an allocation, there is one process.
    n_ranks = int(values.get("SLURM_STEP_NUM_TASKS", 1))
    if n_ranks == 1:
        return Place()
    n_nodes = int(values.get("SLURM_STEP_NUM_NODES", 1))
    if n_ranks % n_nodes:
        raise ConfigurationError(
            f"srun started {n_ranks} tasks on {n_nodes} nodes; give every node equally many (--ntasks-per-node)."
        )
    return Place(int(values["SLURM_PROCID"]), n_ranks, int(values["SLURM_LOCALID"]), n_ranks // n_nodes, "srun")


def cluster_environment(place: Place) -> Any:
    """Lightning's environment of whoever started this process.

    Raises:
        ConfigurationError: Lightning does not take the tasks as ``srun`` was told to start them.
    """
    from pytorch_lightning.plugins import environments

    if place.starter == "srun":
        # Requeueing is the launcher's: Lightning's own would write a checkpoint in the middle of an epoch.
        try:
            return environments.SLURMEnvironment(auto_requeue=False)
        except RuntimeError as error:
            raise ConfigurationError(str(error)) from error
    if place.n_ranks > 1:
        return environments.TorchElasticEnvironment()
    return environments.LightningEnvironment()


def join_group(place: Place) -> None:
    """Meet the other processes of the job; does nothing where there is one, or where they have met.

    Raises:
        SeisvisionError: not all processes came.
    """
    import torch
    from torch import distributed

    if place.n_ranks == 1 or distributed.is_initialized():
        return
    timeout = timedelta(minutes=WAIT_MINUTES)
    if place.n_nodes == 1:
        stay_on_machine()
    # Small things are told through processors, so that no GPU has to be waited for.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        distributed.init_process_group(
            backend, store=_store(place, timeout), rank=place.rank, world_size=place.n_ranks, timeout=timeout
        )
    except (RuntimeError, OSError) as error:
        raise SeisvisionError(
            f"Process {place.rank} of {place.n_ranks} did not meet the others within {WAIT_MINUTES} minutes ({error}). "
            f"See that {place.starter} starts all of them and that they reach {os.environ.get('MASTER_ADDR')}."
        ) from error
    atexit.register(distributed.destroy_process_group)


def _store(place: Place, timeout: timedelta) -> Any:
    """Where the processes tell each other how to be reached; ``None`` for the one that the environment names.

    What stands there is believed, so on one machine nobody else is let in: it is a file in a folder of the user's own,
    or, where ``srun`` started the processes, a server that listens to this machine only.
    """
    from torch import distributed

    if place.starter == "seisvision":
        store = distributed.FileStore(os.environ[MEETING_VARIABLE], place.n_ranks)
        store.set_timeout(timeout)
        return store
    if place.starter != "srun":
        return None
    environment = cluster_environment(place)
    os.environ["MASTER_PORT"] = str(environment.main_port)
    os.environ["MASTER_ADDR"] = LOOPBACK if place.n_nodes == 1 else environment.main_address
    if place.n_nodes > 1:
        return None
    # Torch's server would listen everywhere, were it not given a socket.
    address = (LOOPBACK, environment.main_port)
    listening = socket.create_server(address).detach() if place.rank == 0 else None
    return distributed.TCPStore(
        *address, place.n_ranks, is_master=place.rank == 0, timeout=timeout, master_listen_fd=listening
    )


def tell(content: Any, what: str) -> Any:
    """What the first process gives, in all processes, which must all call it.

    Args:
        content: in the first process; others give anything.
        what: what the others wait for, for people.

    Raises:
        SeisvisionError: the first process did not come in time.
    """
    from torch import distributed

    box = [content]
    with _waiting_for(what):
        distributed.broadcast_object_list(box, src=0)
    return box[0]


@contextmanager
def first_rank_first(what: str) -> Iterator[None]:
    """Let the first process do what the others will find done.

    Args:
        what: what the others wait for, for people.

    Raises:
        SeisvisionError: the first process did not come in time.
    """
    from seisvision.base.share import rank_and_size, wait_for_all

    rank, n_ranks = rank_and_size()
    if rank > 0:
        with _waiting_for(what):
            wait_for_all()
    yield
    if rank == 0 and n_ranks > 1:
        with _waiting_for("the others"):
            wait_for_all()


@contextmanager
def _waiting_for(what: str) -> Iterator[None]:
    """Say what was waited for where nobody came."""
    try:
        yield
    except RuntimeError as error:
        if "timed out" not in str(error).lower():
            raise
        place = current_place()
        raise SeisvisionError(
            f"Process {place.rank} of {place.n_ranks} waited {WAIT_MINUTES} minutes for {what}, in vain. Where it is a "
            "waveform set that takes so long, make it beforehand, in one process; then repeat the command."
        ) from error
