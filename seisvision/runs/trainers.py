"""Lightning trainers: one process or many, on whatever devices this machine has."""

from __future__ import annotations

import os
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.strategies import DDPStrategy, FSDPStrategy, SingleDeviceStrategy
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from seisvision.errors import ConfigurationError
from seisvision.processes import available_cores
from seisvision.records.folder import RunFolder
from seisvision.records.settings import SystemSettings, TrainerSettings
from seisvision.runs.callbacks import WholeCheckpoints
from seisvision.runs.freed_memory import keep_freed_memory
from seisvision.runs.loggers import HistoryLogger
from seisvision.runs.quick_hooks import Unprofiled
from seisvision.runs.ranks import THREADS_VARIABLE, Place, cluster_environment, current_place
from seisvision.runs.terminal import quiet_libraries

STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "fsdp")


def build_trainer(
    training: TrainerSettings,
    system: SystemSettings,
    folder: RunFolder,
    loggers: list[Any],
    callbacks: list[Any],
    remakes_batches: bool = False,
) -> pl.Trainer:
    """The Lightning trainer of a run, of one process or of as many as were started.

    Args:
        training: how long and how exactly to train, and on what.
        system: settings of this machine.
        folder: of the run.
        loggers: beside ``metrics.csv``.
        callbacks: in the order in which they are called.
        remakes_batches: whether the batches of every epoch are made anew.

    Raises:
        ConfigurationError: the settings do not fit each other or this machine.
    """
    place = current_place()
    set_threads(system, place)
    keep_freed_memory()
    devices = _devices(training, place)
    clip = training.gradient_clip_val
    if isinstance(devices.get("strategy"), FSDPStrategy) and clip:
        callbacks, clip = [*callbacks, ClipSharded(clip)], None
    return _trainer(
        **training.further,
        **devices,
        max_epochs=training.max_epochs,
        precision=training.precision,
        gradient_clip_val=clip,
        deterministic=training.deterministic,
        overfit_batches=training.overfit_batches,
        plugins=[cluster_environment(place), WholeCheckpoints()],
        default_root_dir=folder.path,
        logger=[HistoryLogger(folder.history_file), *loggers],
        callbacks=callbacks,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=int(remakes_batches),
        # EpochSampler deals the samples itself.
        use_distributed_sampler=False,
        log_every_n_steps=1,
    )


class ClipSharded(Callback):
    """Clips gradients that are spread over processes, each of which has a part of the norm.

    Lightning refuses to do so, because its precision does not know the module that can.

    Args:
        max_norm: of the gradient of all parameters.
    """

    def __init__(self, max_norm: float) -> None:
        self._max_norm = max_norm

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Scale the gradients down where their norm is larger."""
        assert trainer.strategy.model is not None
        trainer.strategy.model.clip_grad_norm_(self._max_norm)  # type: ignore[operator]


def build_predictor(
    training: TrainerSettings, system: SystemSettings, accelerator: str, devices: Any = 1
) -> pl.Trainer:
    """A quiet trainer that only predicts on the one device of this process, with the precision of the training.

    Args:
        training: settings of the network's training.
        system: settings of this machine.
        accelerator: kind of device.
        devices: ``trainer.devices`` of a training that went before in this process: a list names the device.
    """
    place = current_place()
    set_threads(system, place)
    keep_freed_memory()
    settings: dict[str, Any] = {"accelerator": accelerator, "devices": devices if isinstance(devices, list) else 1}
    if place.n_ranks > 1:
        device = _own_device(accelerator)
        settings = {"accelerator": device.type, "strategy": SingleDeviceStrategy(device)}
    return _trainer(
        **settings,
        precision=training.precision,
        deterministic=training.deterministic,
        plugins=[cluster_environment(Place())],
        logger=False,
        enable_checkpointing=False,
    )


def set_threads(system: SystemSettings, place: Place) -> None:
    """Let torch use the threads asked for; by default the processes of a machine share its processors."""
    n_threads, share = system.num_threads, os.environ.get(THREADS_VARIABLE)
    has_user_said = os.environ.get("OMP_NUM_THREADS") != share
    if n_threads is None and place.n_local > 1 and not has_user_said:
        n_threads = max(1, (available_cores() if share is None else int(share)) // place.n_local)
    if n_threads is not None:
        torch.set_num_threads(n_threads)


def _devices(settings: TrainerSettings, place: Place) -> dict[str, Any]:
    """Device, strategy and number of machines; the number of processes is that of those who were started."""
    accelerator, devices, strategy = settings.accelerator, settings.devices, settings.strategy
    if strategy not in STRATEGIES:
        raise ConfigurationError(f"trainer.strategy={strategy} is not known; give one of {', '.join(STRATEGIES)}.")
    if place.n_ranks == 1:
        return {"accelerator": accelerator, "devices": devices if isinstance(devices, list) else 1}
    own = devices if isinstance(devices, list) and len(devices) == place.n_local else place.n_local
    shared = {"accelerator": accelerator, "devices": own, "num_nodes": place.n_nodes}
    if strategy == "fsdp":
        return {**shared, "strategy": FSDPStrategy()}
    # All processes compute the same statistics, so that there are no buffers to send round.
    finds_unused = strategy == "ddp_find_unused_parameters_true"
    return {**shared, "strategy": DDPStrategy(find_unused_parameters=finds_unused, broadcast_buffers=False)}


def _own_device(accelerator: str) -> torch.device:
    """The device of this process among those of its machine, which Lightning has chosen in training."""
    if accelerator == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def _trainer(**settings: Any) -> pl.Trainer:
    # Where Lightning was imported after messages were set up, it would now tell of GPUs and give tips.
    quiet_libraries()
    if settings.get("profiler") is None:
        settings["profiler"] = Unprofiled()
    try:
        return pl.Trainer(enable_progress_bar=False, enable_model_summary=False, **settings)
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise ConfigurationError(f"Lightning does not accept the settings of trainer or system: {error}") from error
