"""The work of a run of any kind: train, pick the best epoch, let the experiment judge it, store everything."""

from __future__ import annotations

import logging
from typing import Any

import torch

import seisvision
from seisvision.public import LOGGER
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.configuration import instantiate
from seisvision.records.environment import git_state
from seisvision.records.folder import RunFolder
from seisvision.records.integrity.attempts import Attempt, begin_attempt, describe_code
from seisvision.records.integrity.own_folder import stored_epochs
from seisvision.records.kinds import experiment_class, kind_of_config
from seisvision.records.settings import SystemSettings, TrainerSettings
from seisvision.runs.callbacks import KeepCheckpoints, ReportProgress
from seisvision.runs.dashboards import send_results
from seisvision.runs.epoch_clock import epoch_clock
from seisvision.runs.experiment import Experiment
from seisvision.runs.launch import check_shared
from seisvision.runs.pruning import StopHopeless
from seisvision.runs.ranks import current_place, first_rank_first
from seisvision.runs.speed import check_speed, compiled
from seisvision.runs.terminal import quiet_libraries
from seisvision.runs.trainers import build_trainer

log = logging.getLogger(__name__)


def train_and_evaluate(folder: RunFolder) -> None:
    """Do the run that ``config.yaml`` in ``folder`` describes, from ``last.ckpt`` where there is one.

    Where several processes work together all of them call this, and the first one writes.
    """
    quiet_libraries()
    config = folder.config()
    stored = stored_epochs(folder)
    experiment: Experiment = experiment_class(kind_of_config(config))(config, folder)
    # The others find the data made, and do not make them at the same time.
    with first_rank_first("the first process to make and check the data"):
        experiment.load()
    experiment.build()
    experiment.ready()
    if config.get("explain"):
        experiment.check_explain(config["explain"])
    is_first, attempts = current_place().rank == 0, []
    if is_first:
        attempts = begin_attempt(folder, config, stored.epochs, stored.git)
        experiment.introduce()
    loggers = build_loggers(config, folder) if is_first else []
    succeeded = False
    try:
        keeper = _fit(experiment, loggers, stored.epochs)
        # What is reported is the network that is kept, not the one of the last epoch.
        _take_best(experiment)
        said = experiment.ask()
        if is_first:
            metrics = experiment.judge(
                said, {"experiment_kind": experiment.kind, **_describe(experiment, keeper, attempts)}
            )
            if config.get("explain"):
                experiment.explain(config["explain"], measured_part(metrics))
            send_results(loggers, folder, metrics)
            experiment.send([logger for logger in loggers if hasattr(logger, "log_table")])
        succeeded = True
    finally:
        for logger in loggers:
            if hasattr(logger, "close"):
                logger.close(succeeded)


def measured_part(metrics: dict[str, Any]) -> str:
    """The part that results are told of: test where it was measured, else validation, else training."""
    return next((part for part in ("test", "val") if part in metrics), "train")


def build_loggers(config: dict[str, Any], folder: RunFolder) -> list[Any]:
    """The loggers asked for, beside ``metrics.csv`` which is always written."""
    about = {"folder": folder.path, "run_id": folder.run_id, "group": config["name"], "config": dict(config)}
    return [instantiate(settings, LOGGER, **about) for settings in config["logger"].values()]


def _fit(experiment: Experiment, loggers: list[Any], done: int) -> KeepCheckpoints:
    """Train to the end, after ``done`` stored epochs."""
    config, folder, task = experiment.config, experiment.folder, experiment.task
    task.about = {
        "version": seisvision.__version__,
        "config": config,
        "run_id": folder.run_id,
        "git": git_state(),
        **experiment.content(),
    }
    training, system = TrainerSettings.of(config["trainer"]), SystemSettings.of(config["system"])
    check_speed(system)
    check_shared(training, experiment.kind, current_place().n_ranks)
    patience = training.early_stopping_patience
    keeper = KeepCheckpoints(folder.best_checkpoint, folder.last_checkpoint, task.monitor_mode, patience)
    stopper = StopHopeless(folder.limits_file)
    show_bar = {"auto": None, "bar": True, "lines": False}[system.progress]
    callbacks = [keeper, stopper, ReportProgress(show_bar)]
    trainer = build_trainer(training, system, folder, loggers, callbacks, experiment.remakes_batches)
    if done:
        log.info("resume   after epoch %d", done)
    trainer.loggers[0].forget_from(done)  # type: ignore[attr-defined]
    if _are_weights_spread(config):
        # Resuming, torch deals out the states of the optimiser in this order, whatever that of the weights is.
        task.to(memory_format=torch.contiguous_format)
    resume_from = folder.last_checkpoint if done else None
    task.fused = system.fused_optimizer
    with compiled(task, system.compile):
        trainer.fit(task, datamodule=experiment.batches(done), ckpt_path=resume_from, weights_only=True)
    stopper.check()
    epoch_clock.check()
    return keeper


def _take_best(experiment: Experiment) -> None:
    """Give the task the weights of the best epoch.

    Where several processes had a part of every weight, the task that was trained cannot take up whole ones any more,
    and a new one does.
    """
    if _are_weights_spread(experiment.config):
        experiment.build()
    weights = load_checkpoint(experiment.folder.best_checkpoint)["state_dict"]
    experiment.task.load_state_dict(weights)


def _are_weights_spread(config: dict[str, Any]) -> bool:
    """Whether each of several processes has a part of every weight."""
    return config["trainer"].get("strategy") == "fsdp" and current_place().n_ranks > 1


def _describe(experiment: Experiment, keeper: KeepCheckpoints, attempts: list[Attempt]) -> dict[str, Any]:
    """What ``metrics.json`` says of code, training and data."""
    task, summary = experiment.task, keeper.summary()
    return {
        "experiment_kind": experiment.kind,
        "code": describe_code(attempts, summary["epochs"]),
        "training": {
            "model": experiment.model_name,
            "parameters": sum(parameter.numel() for parameter in task.parameters()),
            "seed": experiment.config["seed"],
            "monitor": [task.monitor, task.monitor_mode],
            "flops": experiment.flops(),
            **summary,
        },
        **experiment.about(),
    }
