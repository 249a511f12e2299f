"""The work of a run: train, pick the best epoch, evaluate it beside its baselines, store everything."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.flop_counter import FlopCounterMode

import seisvision
from seisvision.base.units import unit_named
from seisvision.data.samples.labels import tell_rare_classes
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.errors import ConfigurationError
from seisvision.models.backbone import norm_of_one_value
from seisvision.outputs.predictions import Predictions
from seisvision.runs.baselines.foreign import training_guesses
from seisvision.runs.baselines.own import compare_with_baselines
from seisvision.runs.build import build_data, build_loggers, build_task, build_view, finds_clusters, fit_outputs
from seisvision.runs.callbacks import KeepCheckpoints, ReportProgress
from seisvision.runs.checkpoint import load_checkpoint
from seisvision.runs.cluster_view import draw_clusters, send_cluster_tables
from seisvision.runs.clustering import Extracted, extract, judge_clusters
from seisvision.runs.configuration import model_name
from seisvision.runs.dashboards import send_results
from seisvision.runs.environment import git_state
from seisvision.runs.epoch_clock import epoch_clock
from seisvision.runs.explaining import check_explain, explain_run
from seisvision.runs.figures import draw_training
from seisvision.runs.folder import RunFolder, write_json
from seisvision.runs.integrity.attempts import Attempt, begin_attempt, describe_code
from seisvision.runs.integrity.own_folder import stored_epochs
from seisvision.runs.known_events import KnownEvents
from seisvision.runs.location import locate_parts
from seisvision.runs.prediction import measure, predict
from seisvision.runs.prediction_table import write_predictions
from seisvision.runs.pruning import StopHopeless
from seisvision.runs.ranks import first_rank_first
from seisvision.runs.reporting import write_excluded, write_report
from seisvision.runs.terminal import quiet_libraries
from seisvision.runs.trainers import build_predictor, build_trainer
from seisvision.tasks.deep_cluster import DeepClusterTask
from seisvision.tasks.exact import rank_and_size
from seisvision.tasks.supervised import SupervisedTask
from seisvision.views.view import View

log = logging.getLogger(__name__)

Task = SupervisedTask | DeepClusterTask


def train_and_evaluate(folder: RunFolder) -> None:
    """Do the run that ``config.yaml`` in ``folder`` describes, from ``last.ckpt`` where there is one.

    Where several processes work together all of them call this, and the first one writes.
    """
    quiet_libraries()
    config = folder.config()
    stored = stored_epochs(folder)
    view = build_view(config)
    # The others find it made, and do not make it at the same time.
    with first_rank_first("the first process to make and check the waveform set"):
        data = build_data(config, view)
    task = _new_task(config, data, view)
    if isinstance(task, DeepClusterTask):
        task.attach(data)
    if view.needs_fit:
        view.fit(data.loader("train"))
    if config.get("explain"):
        check_explain(config["explain"], task)
    is_first, attempts = rank_and_size()[0] == 0, []
    if is_first:
        attempts = begin_attempt(folder, config, stored.epochs, stored.git)
        data.split.save(folder.split_file)
        write_excluded(folder.path / "excluded.csv", data.excluded)
        _introduce(config, folder, data, task)
    refuse_single_pictures(data, task)

    loggers = build_loggers(config, folder) if is_first else []
    succeeded = False
    try:
        keeper = _fit(config, folder, data, task, loggers, stored.epochs)
        # What is reported is the network that is kept, not the one of the last epoch.
        task = _best_of(config, folder, data, task)
        said: Any = _extract(config, data, task) if isinstance(task, DeepClusterTask) else _predict(config, data, task)
        if is_first:
            judge: Any = _judge if finds_clusters(config) else _evaluate
            about = _describe_run(config, data, task, keeper, attempts)
            metrics = judge(config, folder, data, task, about, said)
            if config.get("explain"):
                part = next((part for part in ("test", "val") if part in metrics), "train")
                explain_run(folder, config, data, task, config["explain"], part)
            send_results(loggers, folder, metrics)
            send_cluster_tables(loggers, folder)
        succeeded = True
    finally:
        for logger in loggers:
            if hasattr(logger, "close"):
                logger.close(succeeded)


def _new_task(config: dict[str, Any], data: EventDataModule, view: View) -> Any:
    """The untrained task, which knows the scales of what it is to predict."""
    task = build_task(config, view)
    fit_outputs(task, data)
    return task


def refuse_single_pictures(data: EventDataModule, task: Task) -> None:
    """Refuse to train on one picture at a time where a batch norm could make nothing of it.

    Raises:
        ConfigurationError: names the layer and what gives larger batches.
    """
    n_samples, size = len(data.parts["train"]), data.batch_size
    if min(n_samples, size) > 1:
        return
    picture = torch.zeros(1, *task.view.image_shape, device=task.device)
    layer = norm_of_one_value(task.model, task.front(picture) if isinstance(task, DeepClusterTask) else picture)
    if layer is None:
        return
    why = f"trainer.batch_size={size}" if size == 1 else f"the training part holds {n_samples} {task.view.unit}"
    cure = "Set trainer.batch_size to 2 or more" if size == 1 else "Use more data or another split"
    raise ConfigurationError(
        f"{why}, so every batch is a single picture, and the batch norm '{layer}' sees one value a channel of it: "
        f"nothing could be learnt. {cure}, or larger pictures than {picture.shape[1:]} (see the settings of view)."
    )


def _best_of(config: dict[str, Any], folder: RunFolder, data: EventDataModule, task: Task) -> Any:
    """The task with the weights of the best epoch.

    Where several processes had a part of every weight, the task that was trained cannot take up whole ones any more,
    and a new one does.
    """
    if _are_weights_spread(config):
        task = _new_task(config, data, task.view)
    task.load_state_dict(load_checkpoint(folder.best_checkpoint)["state_dict"])
    return task


def _are_weights_spread(config: dict[str, Any]) -> bool:
    """Whether each of several processes has a part of every weight."""
    return config["trainer"].get("strategy") == "fsdp" and rank_and_size()[1] > 1


def _predictor(config: dict[str, Any]) -> pl.Trainer:
    """A trainer that predicts where this process has trained."""
    trained = config["trainer"]
    return build_predictor(config, trained.get("accelerator", "auto"), config["system"], trained.get("devices", 1))


def _introduce(config: dict[str, Any], folder: RunFolder, data: EventDataModule, task: Task) -> None:
    """Say in a few lines what runs, and on what."""
    unit, plural = task.view.unit, unit_named(task.view.unit).plural
    sizes = ", ".join(f"{len(samples)} {part}" for part, samples in data.parts.items())
    parameters = sum(parameter.numel() for parameter in task.parameters())
    split = config["split"]
    log.info("run      %s (%s)", folder.run_id, config["name"])
    log.info(
        "data     %s: %s %s, split by %s, hash %s", data.waveform_set.path, sizes, plural, split["by"], data.split.hash
    )
    for target, counts in data.counts["train"].items():
        log.info("classes  %s in training: %s", target, ", ".join(f"{n} {name}" for name, n in counts.items()))
    tell_rare_classes(data.counts, unit)
    picture = " x ".join(map(str, task.view.image_shape))
    log.info("network  %s, %s parameters, pictures %s", model_name(config), f"{parameters:,}", picture)


def _fit(
    config: dict[str, Any], folder: RunFolder, data: EventDataModule, task: Task, loggers: list[Any], done: int
) -> KeepCheckpoints:
    task.about = checkpoint_content(config, folder, data, task)
    patience = config["trainer"]["early_stopping_patience"]
    keeper = KeepCheckpoints(folder.best_checkpoint, folder.last_checkpoint, task.monitor_mode, patience)
    stopper = StopHopeless(folder.limits_file)
    show_bar = {"auto": None, "bar": True, "lines": False}[config["system"]["progress"]]
    trainer = build_trainer(config, folder, loggers, [keeper, stopper, ReportProgress(show_bar)])
    resume_from = folder.last_checkpoint if done else None
    if resume_from is not None:
        log.info("resume   after epoch %d", done)
    data.first_epoch = done
    trainer.loggers[0].forget_from(done)  # type: ignore[attr-defined]
    if _are_weights_spread(config):
        # Resuming, torch deals out the states of the optimiser in this order, whatever that of the weights is.
        task.to(memory_format=torch.contiguous_format)
    # A task that finds clusters makes the order of every epoch itself.
    source = None if isinstance(task, DeepClusterTask) else data
    trainer.fit(task, datamodule=source, ckpt_path=resume_from, weights_only=True)
    stopper.check()
    epoch_clock.check()
    return keeper


def checkpoint_content(config: dict[str, Any], folder: RunFolder, data: EventDataModule, task: Task) -> dict[str, Any]:
    """What makes a checkpoint usable by itself: plain containers only."""
    return {
        "version": seisvision.__version__,
        "config": config,
        "outputs": [output.describe() for output in task.outputs],
        "view": task.view.describe(),
        "run_id": folder.run_id,
        "data_fingerprint": data.waveform_set.fingerprint,
        "split": {part: list(ids) for part, ids in data.split.parts.items()},
        "split_unit": data.split.unit,
        "split_hash": data.split.hash,
        "guesses": training_guesses([output.describe() for output in task.outputs], data.parts["train"].targets),
        "git": git_state(),
        "known_events": known_events(config, folder, data),
    }


def known_events(config: dict[str, Any], folder: RunFolder, data: EventDataModule) -> dict[str, Any]:
    """What tells the events learnt from and validated with from others; the run folder lists them too."""
    known = KnownEvents.of_training(data, Path(config["system"]["data_dir"]) / "features")
    if rank_and_size()[0] == 0:
        known.write(folder.path / "known_events.csv")
    return known.to_tensors()


def _predict(config: dict[str, Any], data: EventDataModule, task: SupervisedTask) -> dict[str, dict[str, Predictions]]:
    """What the best epoch says about the validation and test events."""
    trainer = _predictor(config)
    parts = [part for part in ("val", "test") if part in data.parts and (part == "val" or config["run"]["test"])]
    return {part: predict(trainer, task, data.loader(part)) for part in parts}


def _evaluate(
    config: dict[str, Any],
    folder: RunFolder,
    data: EventDataModule,
    task: SupervisedTask,
    about: dict[str, Any],
    predictions: dict[str, dict[str, Predictions]],
) -> dict[str, Any]:
    """Measure the predictions and write ``metrics.json``."""
    outputs = {output.name: output for output in task.outputs}
    train_targets: dict[str, np.ndarray] = dict(data.parts["train"].targets)
    level = config["evaluation"]["level"]
    metrics = dict(about)
    for part, said in predictions.items():
        metrics[part] = measure(said, outputs, level, train_targets)
    if config["evaluation"]["baselines"]:
        metrics.update(compare_with_baselines(config, data, task, predictions, folder.path))
    if config["location"] is not None:
        metrics["location"] = locate_parts(folder.path, config, data, predictions)
    for part, said in predictions.items():
        write_predictions(folder.predictions(part), said, data.waveform_set.metadata)
    write_json(folder.metrics_file, metrics)
    write_report(folder, data, task, predictions, metrics, level)
    return metrics


def count_flops(task: Task) -> int:
    """Floating-point operations of the backbone for one sample; a multiplication and an addition count as two."""
    image = torch.zeros(1, *task.view.image_shape, device=task.device)
    was_training = task.training
    task.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        task.model(task.front(image) if isinstance(task, DeepClusterTask) else image)
    task.train(was_training)
    return int(counter.get_total_flops())


def _describe_run(
    config: dict[str, Any], data: EventDataModule, task: Task, keeper: KeepCheckpoints, attempts: list[Attempt]
) -> dict[str, Any]:
    """What ``metrics.json`` says of training, code and data."""
    summary = keeper.summary()
    return {
        "code": describe_code(attempts, summary["epochs"]),
        "training": {
            "model": model_name(config),
            "parameters": sum(parameter.numel() for parameter in task.parameters()),
            "seed": config["seed"],
            "monitor": [task.monitor, task.monitor_mode],
            "flops": count_flops(task),
            **summary,
        },
        "outputs": [output.describe() for output in task.outputs],
        "data": {
            "name": config["dataset"]["name"],
            "fingerprint": data.waveform_set.fingerprint,
            "split_hash": data.split.hash,
            "unit": task.view.unit,
            "samples": {part: len(samples) for part, samples in data.parts.items()},
            "events": {part: samples.ids.n_events for part, samples in data.parts.items()},
            "excluded": len(data.excluded),
        },
    }


def _extract(config: dict[str, Any], data: EventDataModule, task: DeepClusterTask) -> Extracted:
    """Features that the trained network makes of everything."""
    return extract(_predictor(config), task, data.loader("train"))


def _judge(
    config: dict[str, Any],
    folder: RunFolder,
    data: EventDataModule,
    task: DeepClusterTask,
    about: dict[str, Any],
    found: Extracted,
) -> dict[str, Any]:
    """Make and judge the final clusters and write ``metrics.json``."""
    # From here on this process works alone.
    data.trainer = None
    metrics = {**about, **judge_clusters(config, folder, data, task, found)}
    draw_training(folder, data, task)
    metrics["clustering"] |= draw_clusters(folder, data.parts["train"], task.view, config["seed"])
    write_json(folder.metrics_file, metrics)
    return metrics
