"""What configuration says of outputs, labels and the cutting of samples, as the rooms below take it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.base.units import unit_named
from seisvision.data.samples.labels import check_labels, check_values
from seisvision.data.samples.noise.windows import NOISE_CLASS, NoiseWindows
from seisvision.data.samples.window import Window
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.plain_types import shortened
from seisvision.views.view import View

Config = Mapping[str, Any]


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
    if samples.get("noise") is not None:
        samples["noise"] = NoiseWindows(**samples["noise"])
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
            cuts_noise = (config["dataset"].get("traces") or {}).get("noise") is not None
            values = [*table[column], *([NOISE_CLASS] if cuts_noise else [])]
            check_values(labels, column, values, waveform_set.path)
