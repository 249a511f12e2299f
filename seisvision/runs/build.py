"""From a resolved configuration to the objects of an experiment."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from seisvision.data.samples.usability import refuse_nothing, usable_table
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.same_event import EventFacts, told_twice
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sources.scratch import stage_to_scratch
from seisvision.data.splitting.splits import Split, make_split
from seisvision.errors import ConfigurationError
from seisvision.outputs.truth import truth_of
from seisvision.public import AUGMENTATION, LOGGER, MODEL, OPTIMIZER, SCHEDULER, SOURCE, TASK, VIEW
from seisvision.runs.bands import check_bands
from seisvision.runs.configuration import instantiate, model_takes
from seisvision.runs.data_checks import check_data
from seisvision.runs.folder import RunFolder
from seisvision.runs.settings.checks import TRACE_SPLITS, check_location, check_origin, check_split
from seisvision.runs.settings.data import Config, check_classes, cut_section, output_settings, set_settings
from seisvision.seeding import stream_seed
from seisvision.views.view import View

log = logging.getLogger(__name__)


def build_view(config: Config) -> View:
    """The view that draws pictures."""
    return instantiate(config["view"], VIEW)


def draw_split(config: Config, waveform_set: WaveformSet, settings: dict[str, Any]) -> Split:
    """The split that the configuration describes; the same for every process and every run that asks for it.

    Only what can be served is dealt, so that the parts have the sizes asked for. Events are dealt whole, single traces
    with them, unless the split is by trace or by station.

    Args:
        config: resolved configuration.
        waveform_set: the set.
        settings: of :func:`set_settings`.
    """
    asked = config["split"]
    unit = "trace" if asked["by"] in TRACE_SPLITS else "event"
    if asked["column"] is not None:
        return _with_warning(Split.from_column(waveform_set.metadata, asked["column"], unit), waveform_set)
    if asked.get("before_select"):
        # The parts of the whole set; events that are not selected, or lack this target, are then left out of them.
        settings = {**settings, "select": None, "samples": {**settings["samples"], "targets": {}}}
    table = usable_table(waveform_set, unit, **settings)
    if table.empty:
        refuse_nothing(waveform_set, **settings)
    if asked["test_fraction"] == asked["val_fraction"] == 0 and asked["n_folds"] is None:
        return Split({"train": tuple(str(name) for name in table.index)}, unit)
    first = next(iter(output_settings(config)), {})
    return make_split(
        table,
        test_fraction=asked["test_fraction"],
        val_fraction=asked["val_fraction"],
        by=asked["by"],
        stratify_by=first["target"] if asked["stratify"] and "class_names" in first else None,
        seed=asked["seed"],
        fold=asked["fold"],
        n_folds=asked["n_folds"],
        unit=unit,
        told=told_twice(EventFacts.of(waveform_set)),
    )


def _with_warning(split: Split, waveform_set: WaveformSet) -> Split:
    """The split that a set brings, which is kept as it is; events that it tells twice, on both sides, are told."""
    if split.unit == "trace":
        return split
    told = told_twice(EventFacts.of(waveform_set))
    part_of = {name: part for part, ids in split.parts.items() for name in ids}
    parts_of: dict[str, set[str]] = {}
    for name, group in told.group_of.items():
        parts_of.setdefault(group, set()).add(part_of.get(name, ""))
    apart = [group for group, parts in parts_of.items() if len(parts - {""}) > 1]
    if apart:
        log.warning(
            "split.column: %d events lie in several parts under other ids, such as %s. They are learnt from and "
            "tested; draw a split of your own to keep them on one side.",
            len(apart),
            apart[0],
        )
    return split


def build_data(config: Config, view: View) -> EventDataModule:
    """The data module of the experiment, its waveform set made, brought near and checked first.

    Raises:
        DataError: the set cannot be had, or its metadata show that results would be wrong.
    """
    check_split(config, view)
    check_origin(config, view)
    check_location(config, view)
    check_classes(config)
    path = instantiate(config["dataset"]["source"], SOURCE).prepare(Path(config["system"]["data_dir"]))
    if config["system"].get("scratch"):
        path = stage_to_scratch(path, config["system"]["scratch"])
    waveform_set = WaveformSet(path)
    check_bands(config, cut_section(view), waveform_set)
    check_classes(config, waveform_set)
    check_data(config, waveform_set)
    settings = set_settings(config, view, waveform_set)
    outputs = output_settings(config)
    return EventDataModule(
        waveform_set,
        draw_split(config, waveform_set, settings),
        **settings,
        class_names={output["target"]: output["class_names"] for output in outputs if "class_names" in output},
        batch_size=config["trainer"]["batch_size"],
        num_workers=config["system"]["num_workers"],
        in_memory=fits_in_memory(config["system"], waveform_set, settings),
        seed=config["seed"],
        refit=config["split"]["refit"],
    )


def fits_in_memory(system: Config, waveform_set: WaveformSet, settings: dict[str, Any]) -> bool:
    """Whether all windows of a set, as float32, take no more than ``system.memory_gb``."""
    samples = settings["samples"]
    rate_hz = samples["sampling_rate_hz"] or float(waveform_set.metadata["trace_sampling_rate_hz"].max())
    values = len(waveform_set.metadata) * len(samples["components"]) * samples["window"].length_s * rate_hz
    return 4 * values <= 1e9 * system["memory_gb"]


def finds_clusters(config: Config) -> bool:
    """Whether the task learns from clusters of its own, without labels."""
    return str(config["task"]["_target_"]).endswith(".DeepClusterTask")


def build_task(config: Config, view: View) -> Any:
    """The :class:`SupervisedTask` or :class:`DeepClusterTask`, freshly initialised from the run's seed.

    Raises:
        ConfigurationError: ``task.monitor`` names no output of the task.
    """
    if not finds_clusters(config):
        _check_monitor(config)
    torch.manual_seed(stream_seed(config["seed"], "initialisation"))
    return instantiate(
        config["task"],
        TASK,
        model=build_model(config["model"], picture_channels(config, view)),
        view=view,
        optimizer=instantiate(config["optimizer"], OPTIMIZER),
        scheduler=instantiate(config["scheduler"], SCHEDULER),
        augment=instantiate(config["augment"], AUGMENTATION, seed=config["seed"]),
        seed=config["seed"],
    )


def picture_channels(config: Config, view: View) -> int:
    """Channels of the pictures that reach the backbone, behind the fixed front end of the task."""
    return view.out_channels * (2 if config["task"].get("front") == "sobel" else 1)


def build_model(settings: Config, in_channels: int) -> Any:
    """The backbone for pictures of ``in_channels`` channels; one that takes no number of channels is built as it is.

    Raises:
        ConfigurationError: it cannot be built, or does not say how many features it gives.
    """
    given = {"in_channels": in_channels} if model_takes(settings.get("_target_"), "in_channels") else {}
    model = instantiate(settings, MODEL, **given)
    if not isinstance(getattr(model, "num_features", None), int):
        raise ConfigurationError(
            f"model._target_={settings['_target_']} does not say how many features it gives. Set num_features in the "
            "class: an integer F, where it turns pictures (B, P, H, W) into features (B, F)."
        )
    return model


def _check_monitor(config: Config) -> None:
    monitor, names = config["task"]["monitor"][0], [output["name"] for output in output_settings(config)]
    if monitor != "val/loss" and not monitor.startswith(tuple(f"val/{name}_" for name in names)):
        raise ConfigurationError(
            f"task.monitor names '{monitor}', which belongs to none of the outputs {', '.join(names)}. Give val/loss "
            f"or val/{names[0]}_...; where task, protocol and experiment disagree, choose one of them."
        )


def fit_outputs(task: Any, data: EventDataModule) -> None:
    """Tell the outputs of a task what training needs to know of the true values of the training samples."""
    for output in task.outputs:
        truth = truth_of({"columns": output.columns}, data.parts["train"].targets)
        output.fit_statistics(torch.from_numpy(truth))


def build_loggers(config: Config, folder: RunFolder) -> list[Any]:
    """The loggers asked for, beside ``metrics.csv`` which is always written."""
    return [
        instantiate(
            settings, LOGGER, folder=folder.path, run_id=folder.run_id, group=config["name"], config=dict(config)
        )
        for settings in config["logger"].values()
    ]
