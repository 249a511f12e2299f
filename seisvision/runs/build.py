"""From a resolved configuration to the objects of an experiment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from seisvision.data.datamodule import EventDataModule, unusable_events
from seisvision.data.samples import Window
from seisvision.data.splits import Split, make_split
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.runs.configuration import instantiate
from seisvision.runs.folder import RunFolder
from seisvision.runs.loggers import HistoryLogger
from seisvision.seeding import stream_seed
from seisvision.tasks.supervised import SupervisedTask
from seisvision.views.view import View

log = logging.getLogger(__name__)

Config = Mapping[str, Any]


def build_view(config: Config) -> View:
    """The view that draws pictures."""
    return instantiate(config["view"])


def class_map(config: Config, column: str) -> dict[str, int]:
    """Values of ``column`` and the class numbers they mean, in the order of ``dataset.labels``."""
    labels = config["dataset"]["labels"].get(column) or {}
    return {str(value): number for number, values in enumerate(labels.values()) for value in values}


def sample_settings(config: Config, components: str) -> dict[str, Any]:
    """Keyword arguments of ``EventSamples`` that the configuration asks for."""
    samples = dict(config["dataset"]["samples"])
    samples.pop("min_stations")
    targets = {output["target"]: class_map(config, output["target"]) for output in config["task"]["outputs"]}
    return {**samples, "window": Window(**samples["window"]), "components": components, "targets": targets}


def draw_split(config: Config, waveform_set: WaveformSet, samples: dict[str, Any]) -> Split:
    """The split that the configuration describes; the same for every process and every run that asks for it.

    Only events that can be served are dealt, so that the parts have the sizes asked for.
    """
    settings = config["split"]
    if settings["column"] is not None:
        return Split.from_column(waveform_set.metadata, settings["column"])
    min_stations = config["dataset"]["samples"]["min_stations"]
    unusable = unusable_events(waveform_set, waveform_set.source_ids, samples, min_stations)
    return make_split(
        waveform_set.event_table().drop(index=list(unusable)),
        test_fraction=settings["test_fraction"],
        val_fraction=settings["val_fraction"],
        by=settings["by"],
        stratify_by=config["task"]["outputs"][0]["target"] if settings["stratify"] else None,
        seed=settings["seed"],
        fold=settings["fold"],
        n_folds=settings["n_folds"],
    )


def build_data(config: Config, view: View) -> EventDataModule:
    """The data module of the experiment, its waveform set made first where that is needed."""
    path = instantiate(config["dataset"]["source"]).prepare(Path(config["system"]["data_dir"]))
    waveform_set = WaveformSet(path)
    samples = sample_settings(config, view.components)
    return EventDataModule(
        waveform_set,
        draw_split(config, waveform_set, samples),
        samples=samples,
        class_names={output["target"]: output["class_names"] for output in config["task"]["outputs"]},
        batch_size=config["trainer"]["batch_size"],
        num_workers=config["system"]["num_workers"],
        min_stations=config["dataset"]["samples"]["min_stations"],
        seed=config["seed"],
        refit=config["split"]["refit"],
    )


def build_task(config: Config, view: View) -> SupervisedTask:
    """The network with its outputs, freshly initialised from the run's seed."""
    torch.manual_seed(stream_seed(config["seed"], "initialisation"))
    return instantiate(
        config["task"],
        model=instantiate(config["model"], in_channels=view.out_channels),
        view=view,
        optimizer=instantiate(config["optimizer"]),
        scheduler=instantiate(config["scheduler"]),
        augment=instantiate(config["augment"], seed=config["seed"]),
        seed=config["seed"],
    )


def build_trainer(config: Config, folder: RunFolder, loggers: list[Any], callbacks: list[Any]) -> pl.Trainer:
    """The Lightning trainer of a run."""
    settings = dict(config["trainer"])
    for ours in ("batch_size", "early_stopping_patience"):
        settings.pop(ours)
    return _trainer(
        config["system"],
        **settings,
        default_root_dir=folder.path,
        logger=[HistoryLogger(folder.history_file), *loggers],
        callbacks=callbacks,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=1,
    )


def build_predictor(config: Config, system: Config) -> pl.Trainer:
    """A quiet trainer that only predicts, with the precision the network was trained with."""
    precision, deterministic = config["trainer"]["precision"], config["trainer"]["deterministic"]
    return _trainer(system, precision=precision, deterministic=deterministic, logger=False, enable_checkpointing=False)


def _trainer(system: Config, **settings: Any) -> pl.Trainer:
    if system["devices"] != 1:
        raise ConfigurationError(
            f"system.devices={system['devices']} is not supported yet: runs use one device. Set system.devices=1."
        )
    if system["num_threads"] is not None:
        torch.set_num_threads(system["num_threads"])
    try:
        return pl.Trainer(
            accelerator=system["accelerator"],
            devices=system["devices"],
            enable_progress_bar=False,
            enable_model_summary=False,
            **settings,
        )
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise ConfigurationError(f"Lightning does not accept the settings of trainer or system: {error}") from error


def build_loggers(config: Config, folder: RunFolder) -> list[Any]:
    """The loggers asked for, beside ``metrics.csv`` which is always written."""
    return [
        instantiate(settings, folder=folder.path, run_id=folder.run_id, group=config["name"], config=dict(config))
        for settings in config["logger"].values()
    ]
