"""What configuration says of outputs, labels and the cutting of samples, as the rooms below take it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from seisvision.base.units import unit_named
from seisvision.data.samples.labels import check_labels, check_values
from seisvision.data.samples.noise.windows import NOISE_CLASS, NoiseWindows
from seisvision.data.samples.window import Window
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.outputs.truth import columns_of
from seisvision.plain_types import shortened
from seisvision.records.settings import Spec, SystemSettings, TrainerSettings, section_of
from seisvision.seeding import DEFAULT_SEED
from seisvision.tasks.fine_tuning import FineTuning
from seisvision.views.view import View


@dataclass(frozen=True)
class DatasetSettings:
    """The group ``dataset``: where the set comes from, what its values mean, how samples are cut from it."""

    name: str
    source: Spec
    labels: Mapping[str, Any]
    """Column, then class and the values that mean it."""
    samples: Mapping[str, Any] | None = None
    traces: Mapping[str, Any] | None = None
    """How events and single traces are cut; see :func:`cut_settings`."""
    select: Mapping[str, Any] | None = None
    baselines: Mapping[str, Any] = field(default_factory=dict)
    derive: Mapping[str, Any] | None = None
    """Columns made from others, by name; see :mod:`seisvision.experiments.waveforms.derive`."""
    beside: Mapping[str, Any] | None = None
    """Further sets to train with, by name; see :mod:`seisvision.experiments.waveforms.sets.beside`."""
    superpose: Mapping[str, Any] | None = None
    """Arguments of :class:`~seisvision.data.serving.superposed.Superposition`."""
    corrections: str | Mapping[str, Any] | None = None
    """Decisions of reviewers about labels; see :class:`seisvision.data.corrections.source.Corrections`."""
    allow_findings: Sequence[str] | None = None
    """Codes of fatal findings of the audit that are known and accepted."""

    @property
    def cuts_noise(self) -> bool:
        """Whether windows before the onset are samples of class noise."""
        return (self.traces or {}).get("noise") is not None

    def section(self, name: str) -> Mapping[str, Any] | None:
        """``samples`` or ``traces``."""
        found = {"samples": self.samples, "traces": self.traces}
        return found.get(name)


@dataclass(frozen=True)
class SplitSettings:
    """The group ``split``: which events train, validate and test."""

    by: str
    seed: int = DEFAULT_SEED
    test_fraction: float = 0.2
    val_fraction: float = 0.3
    stratify: bool = False
    fold: int | None = None
    n_folds: int | None = None
    column: str | None = None
    refit: bool = False
    before_select: bool = False
    share: float | None = None
    share_seed: int | None = None


@dataclass(frozen=True)
class Settings:
    """All that an experiment on waveforms is told; built once from the configuration of its run."""

    seed: int
    dataset: DatasetSettings
    split: SplitSettings
    view: Spec
    model: Spec
    task: Spec
    optimizer: Spec
    scheduler: Spec | None
    augment: Spec | None
    trainer: TrainerSettings
    system: SystemSettings
    level: float = 0.95
    """Of every interval."""
    with_baselines: bool = True
    with_test: bool = True
    """Whether the test samples are looked at."""
    location: Mapping[str, Any] | None = None
    uncertainty: Mapping[str, Any] | None = None
    offset_ckpt: str | None = None
    offset_hash: str | None = None
    """The network whose distances stand in place of those from coordinates, and its content."""
    init_from: str | None = None
    init_hash: str | None = None
    """Weights that the training begins with, and their content."""
    fine_tune: FineTuning = field(default_factory=FineTuning)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """From a resolved configuration, whether it was composed just now or stored with a run."""
        evaluation = config.get("evaluation") or {}
        return section_of(
            cls,
            config,
            dataset=section_of(DatasetSettings, config["dataset"]),
            split=section_of(SplitSettings, config["split"]),
            trainer=TrainerSettings.of(config["trainer"]),
            system=SystemSettings.of(config["system"]),
            scheduler=config.get("scheduler"),
            augment=config.get("augment"),
            fine_tune=section_of(FineTuning, config.get("fine_tune") or {}),
            level=evaluation.get("level", cls.level),
            with_baselines=evaluation.get("baselines", cls.with_baselines),
            with_test=(config.get("run") or {}).get("test", cls.with_test),
        )


def output_settings(config: Settings) -> list[dict[str, Any]]:
    """What the task predicts; nothing where it finds clusters.

    Raises:
        ConfigurationError: they are no list of descriptions.
    """
    outputs = config.task.get("outputs") or []
    if not isinstance(outputs, list | tuple) or not all(isinstance(one, Mapping) for one in outputs):
        raise ConfigurationError(
            f"task.outputs={shortened(outputs)} is not allowed; give the settings of each output below its name."
        )
    return [dict(one) for one in outputs]


def class_map(config: Settings, column: str) -> dict[str, int]:
    """Values of ``column`` and the class numbers they mean, in the order of ``dataset.labels``.

    Raises:
        ConfigurationError: the labels are not well-formed, see :func:`check_labels`.
    """
    labels = config.dataset.labels.get(column) or {}
    check_labels(labels, column)
    return {str(value): number for number, values in enumerate(labels.values()) for value in values}


def sample_settings(config: Settings, view: View, components: str | None = None) -> dict[str, Any]:
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
        column: class_map(config, output["target"]) if "class_names" in output else None
        for output in output_settings(config)
        for column in columns_of(output)
    }
    # Which stations it is follows from the training part.
    samples.pop("network", None)
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


def cut_settings(config: Settings, view: View) -> dict[str, Any]:
    """``dataset.samples`` or ``dataset.traces``, whichever the view draws.

    Raises:
        ConfigurationError: the data set says nothing of single traces, or stations are drawn that do not hide their
            number.
    """
    section = cut_section(view)
    settings = config.dataset.section(section)
    if settings and settings.get("station_choice") == "random" and settings["min_stations"] != settings["max_stations"]:
        raise ConfigurationError(
            f"station_choice=random hides how many stations recorded an event, and with max_stations="
            f"{settings['max_stations']} and min_stations={settings['min_stations']} a picture would still show it. "
            "Set dataset.samples.min_stations and dataset.samples.max_stations to the same number."
        )
    if not settings:
        raise ConfigurationError(
            f"{config.view['_target_']} draws single traces, but dataset.{section} of '{config.dataset.name}' "
            "does not say how to cut them. Choose another data set, such as dataset=synthetic_traces, or a view "
            "of whole events, such as view=bands."
        )
    return dict(settings)


def data_settings(config: Settings, view: View) -> dict[str, Any]:
    """Keyword arguments of ``EventDataModule`` that do not depend on the split."""
    return {
        "samples": sample_settings(config, view),
        "unit": view.unit,
        "select": config.dataset.select,
        "min_stations": (config.dataset.samples or {})["min_stations"] if view.unit == "event" else 1,
        "cache_dir": config.system.features_dir,
    }


def check_classes(config: Settings, waveform_set: WaveformSet | None = None) -> None:
    """Refuse classes that are not well defined, or of which a set has no event.

    Raises:
        ConfigurationError: names the class, the value and the setting.
    """
    for output in output_settings(config):
        if "class_names" not in output:
            continue
        column = output["target"]
        labels = config.dataset.labels.get(column) or {}
        check_labels(labels, column)
        if len(labels) == 1:
            raise ConfigurationError(
                f"dataset.labels.{column} names one class, {next(iter(labels))}; classification needs two or more."
            )
        if waveform_set is None:
            continue
        table = waveform_set.event_table()
        table = table if column in table else waveform_set.table
        if column in table:
            values = [*table[column], *([NOISE_CLASS] if config.dataset.cuts_noise else [])]
            check_values(labels, column, values, waveform_set.path)
