"""From a resolved configuration to the objects of an experiment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from seisvision.base.units import unit_named
from seisvision.data.datamodule import EventDataModule
from seisvision.data.labels import check_labels, check_values
from seisvision.data.same_event import EventFacts, told_twice
from seisvision.data.scratch import stage_to_scratch
from seisvision.data.splits import Split, make_split
from seisvision.data.usability import refuse_nothing, usable_table
from seisvision.data.waveform_set import WaveformSet
from seisvision.data.window import Window
from seisvision.errors import ConfigurationError
from seisvision.location.command import LEVELS, MODES
from seisvision.plain_types import shortened
from seisvision.public import AUGMENTATION, LOGGER, MODEL, OPTIMIZER, SCHEDULER, SOURCE, TASK, VIEW
from seisvision.runs.bands import check_bands
from seisvision.runs.configuration import instantiate, model_takes
from seisvision.runs.data_checks import check_data
from seisvision.runs.folder import RunFolder
from seisvision.seeding import stream_seed
from seisvision.views.view import View

log = logging.getLogger(__name__)

Config = Mapping[str, Any]

TRACE_SPLITS = ("trace", "station")
"""Values of ``split.by`` that deal traces, not events."""


def output_settings(config: Config) -> list[dict[str, Any]]:
    """What the task predicts; nothing where it finds clusters.

    Raises:
        ConfigurationError: they are no list of descriptions.
    """
    outputs = config["task"].get("outputs") or []
    if not isinstance(outputs, list | tuple) or not all(isinstance(one, Mapping) for one in outputs):
        raise ConfigurationError(
            f"task.outputs={shortened(outputs)} is not allowed; give the settings of each output below its name."
        )
    return [dict(one) for one in outputs]


def build_view(config: Config) -> View:
    """The view that draws pictures."""
    return instantiate(config["view"], VIEW)


def class_map(config: Config, column: str) -> dict[str, int]:
    """Values of ``column`` and the class numbers they mean, in the order of ``dataset.labels``.

    Raises:
        ConfigurationError: the labels are not well-formed, see :func:`check_labels`.
    """
    labels = config["dataset"]["labels"].get(column) or {}
    check_labels(labels, column)
    return {str(value): number for number, values in enumerate(labels.values()) for value in values}


def sample_settings(config: Config, view: View, components: str | None = None) -> dict[str, Any]:
    """Keyword arguments of ``EventSamples`` or ``TraceSamples``, whichever the view draws.

    Args:
        config: resolved configuration.
        view: says what a sample is.
        components: default those of the view.

    Raises:
        ConfigurationError: the data set says nothing of single traces.
    """
    samples = cut_settings(config, view)
    samples.pop("min_stations", None)
    targets = {
        output["target"]: class_map(config, output["target"]) if "class_names" in output else None
        for output in output_settings(config)
    }
    return {
        **samples,
        "window": Window(**samples["window"]),
        "components": components or view.components,
        "targets": targets,
    }


def cut_section(view: View) -> str:
    """Where ``dataset`` says how the samples of a view are cut: ``samples`` or ``traces``."""
    return unit_named(view.unit).section


def cut_settings(config: Config, view: View) -> dict[str, Any]:
    """``dataset.samples`` or ``dataset.traces``, whichever the view draws.

    Raises:
        ConfigurationError: the data set says nothing of single traces, or stations are drawn that do not hide their
            number.
    """
    section = cut_section(view)
    settings = config["dataset"].get(section)
    if settings and settings.get("station_choice") == "random" and settings["min_stations"] != settings["max_stations"]:
        raise ConfigurationError(
            f"station_choice=random hides how many stations recorded an event, and with max_stations="
            f"{settings['max_stations']} and min_stations={settings['min_stations']} a picture would still show it. "
            "Set dataset.samples.min_stations and dataset.samples.max_stations to the same number."
        )
    if not settings:
        raise ConfigurationError(
            f"{config['view']['_target_']} draws single traces, but dataset.{section} of '{config['dataset']['name']}' "
            "does not say how to cut them. Choose another data set, such as dataset=synthetic_traces, or a view "
            "of whole events, such as view=bands."
        )
    return dict(settings)


def data_settings(config: Config, view: View) -> dict[str, Any]:
    """Keyword arguments of ``EventDataModule`` that do not depend on the split."""
    return {
        "samples": sample_settings(config, view),
        "unit": view.unit,
        "select": config["dataset"].get("select"),
        "min_stations": config["dataset"]["samples"]["min_stations"] if view.unit == "event" else 1,
        "cache_dir": Path(config["system"]["data_dir"]) / "features",
    }


def set_settings(config: Config, view: View, waveform_set: WaveformSet) -> dict[str, Any]:
    """The same for the samples of a set, with predicted distances where ``offset_ckpt`` names a network.

    Raises:
        CheckpointError: the network is not there, cannot be used, or is not the one the run began with.
        ConfigurationError: it does not predict distances in km from single traces.
    """
    settings = data_settings(config, view)
    if config.get("offset_ckpt"):
        from seisvision.runs.offsets import offsets_of

        settings["samples"]["offsets"] = offsets_of(config, waveform_set)
    return settings


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


def check_classes(config: Config, waveform_set: WaveformSet | None = None) -> None:
    """Refuse classes that are not well defined, or of which a set has no event.

    Raises:
        ConfigurationError: names the class, the value and the setting.
    """
    for output in output_settings(config):
        if "class_names" not in output:
            continue
        column = output["target"]
        labels = config["dataset"]["labels"].get(column) or {}
        check_labels(labels, column)
        if len(labels) == 1:
            raise ConfigurationError(
                f"dataset.labels.{column} names one class, {next(iter(labels))}; classification needs two or more."
            )
        if waveform_set is None:
            continue
        table = waveform_set.event_table()
        table = table if column in table else waveform_set.metadata
        if column in table:
            check_values(labels, column, table[column], waveform_set.path)


def check_split(config: Config, view: View) -> None:
    """Refuse to deal single traces where samples are whole events, before a set is made.

    Raises:
        ConfigurationError: names the setting.
    """
    if config["split"]["by"] in TRACE_SPLITS and not unit_named(view.unit).numbers_rows:
        plural = unit_named(view.unit).plural
        raise ConfigurationError(
            f"split.by={config['split']['by']} deals single traces, but {config['view']['_target_']} draws {plural}. "
            "Choose split=careful, or a view of single traces such as view=spectrogram."
        )


def check_location(config: Config, view: View) -> None:
    """Refuse a location that could not be made of what will be predicted, before anything is trained.

    Raises:
        ConfigurationError: no output in km of single traces has that name, or mode or level are not allowed.
    """
    settings = config["location"]
    if settings is None:
        return
    if config["split"]["by"] in TRACE_SPLITS:
        raise ConfigurationError(
            f"location needs an event's traces in one part, but split.by={config['split']['by']} deals them apart. "
            "Choose split=careful, or location=none."
        )
    distances = [output["name"] for output in output_settings(config) if output.get("unit") == "km"]
    if view.unit != "trace" or settings["output"] not in distances:
        raise ConfigurationError(
            f"location.output={settings['output']} must be a distance in km from single traces; of these there are: "
            f"{', '.join(distances) if view.unit == 'trace' and distances else 'none'}. Choose task=offset with a view "
            "of single traces, or location=none."
        )
    if settings["mode"] not in MODES or settings["level"] not in LEVELS:
        raise ConfigurationError(
            f"location.mode={settings['mode']} must be one of {', '.join(MODES)} and location.level="
            f"{settings['level']} one of {', '.join(map(str, LEVELS))}."
        )


def fits_in_memory(system: Config, waveform_set: WaveformSet, settings: dict[str, Any]) -> bool:
    """Whether all windows of a set, as float32, take no more than ``system.memory_gb``."""
    samples = settings["samples"]
    rate_hz = samples["sampling_rate_hz"] or float(waveform_set.metadata["trace_sampling_rate_hz"].max())
    values = len(waveform_set.metadata) * len(samples["components"]) * samples["window"].length_s * rate_hz
    return 4 * values <= 1e9 * system["memory_gb"]


def check_origin(config: Config, view: View) -> None:
    """Refuse pictures that would give away what an output is asked to find without the origin time.

    Raises:
        ConfigurationError: the view draws from the origin time, or windows are aligned to it or may show where the
            recording begins or ends.
    """
    for output in output_settings(config):
        if not output.get("hides_origin"):
            continue
        if view.uses_origin:
            raise ConfigurationError(
                f"Output '{output['name']}' must be found without the origin time, but {config['view']['_target_']} "
                "draws from it. Choose another view, such as view=spectrogram."
            )
        window = cut_settings(config, view)["window"]
        if window["reference"] not in ("onset", "random") or not window.get("complete"):
            raise ConfigurationError(
                f"Output '{output['name']}' must be found without the origin time, but the window has "
                f"reference={window['reference']} and complete={window.get('complete', False)}, so that the time since "
                "the origin can be read off the picture. Choose single traces (view=spectrogram "
                "dataset=synthetic_traces), or set reference to onset or random, and complete=true."
            )


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


def build_loggers(config: Config, folder: RunFolder) -> list[Any]:
    """The loggers asked for, beside ``metrics.csv`` which is always written."""
    return [
        instantiate(
            settings, LOGGER, folder=folder.path, run_id=folder.run_id, group=config["name"], config=dict(config)
        )
        for settings in config["logger"].values()
    ]
