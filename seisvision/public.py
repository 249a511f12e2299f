"""Public names: how configuration and Python call a class, wherever in the package it is defined.

A name stays when the code behind it moves. Stored runs and checkpoints hold these names, and the ids of runs are made
from them, so nothing in these tables is ever renamed: a class that moves changes the right-hand side of its line in
``NAMES``.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

VIEW, AUGMENTATION, MODEL, TASK, OUTPUT = "view", "augmentation", "model", "task", "output"
OPTIMIZER, SCHEDULER, SOURCE, LOGGER = "optimizer", "scheduler", "source of data", "logger"
DERIVED = "derived column"

ALLOWED_TARGETS_VARIABLE = "SEISVISION_ALLOWED_TARGETS"
"""Environment variable with the names of your own packages, separated by commas."""


def _names_of_outputs() -> dict[str, str]:
    """Every folder of ``seisvision/outputs`` is a kind of output and says what its class is called."""
    places = [str(Path(__file__).parent / "outputs")]
    rooms = [f"seisvision.outputs.{one.name}" for one in pkgutil.iter_modules(places) if one.ispkg]
    return {f"seisvision.outputs.{importlib.import_module(room).OUTPUT}": f"{room}.output" for room in sorted(rooms)}


NAMES: dict[str, dict[str, str]] = {
    VIEW: {
        "seisvision.views.RecordSection": "seisvision.views.sections.record_section",
        "seisvision.views.RecordSectionObspy": "seisvision.views.reference.record_section_obspy",
        "seisvision.views.AzimuthSection": "seisvision.views.sections.azimuth_section",
        "seisvision.views.StackedSpectrogram": "seisvision.views.sections.stacked_spectrogram",
        "seisvision.views.TraceView": "seisvision.views.traces.trace",
        "seisvision.views.TraceObspy": "seisvision.views.reference.trace_obspy",
        "seisvision.views.SpectrogramView": "seisvision.views.traces.spectrogram",
        "seisvision.views.SpectrogramObspy": "seisvision.views.reference.trace_obspy",
        "seisvision.views.WaveformView": "seisvision.views.waveforms.waveform",
        "seisvision.views.StationMatrix": "seisvision.views.waveforms.station_matrix",
        "seisvision.views.StationTriggers": "seisvision.views.waveforms.station_triggers",
    },
    AUGMENTATION: {
        "seisvision.views.Augment": "seisvision.views.augment",
        "seisvision.views.PickAugment": "seisvision.views.waveforms.pick_augment",
    },
    MODEL: {
        "seisvision.models.TimmBackbone": "seisvision.models.timm_backbone",
        "seisvision.models.AlexNet": "seisvision.models.alexnet",
        "seisvision.models.AlexNetBN": "seisvision.models.alexnet_bn",
        "seisvision.models.ConvStack1d": "seisvision.models.waveforms.conv_stack",
        "seisvision.models.ConvNetQuake": "seisvision.models.waveforms.convnetquake",
        "seisvision.models.ConvNetQuakeINGV": "seisvision.models.waveforms.convnetquake",
        "seisvision.models.TCN": "seisvision.models.waveforms.tcn",
        "seisvision.models.BackAzimuthNet": "seisvision.models.waveforms.back_azimuth_net",
        "seisvision.models.SingleStationNet": "seisvision.models.waveforms.single_station",
        "seisvision.models.ShandongCNN": "seisvision.models.waveforms.stacks",
        "seisvision.models.GuCNN": "seisvision.models.waveforms.stacks",
        "seisvision.models.KriegerowskiCNN": "seisvision.models.waveforms.kriegerowski",
        "seisvision.models.CNN1d": "seisvision.models.waveforms.stacks",
        "seisvision.models.LSTM": "seisvision.models.waveforms.lstm",
        "seisvision.models.JanbakhshNet": "seisvision.models.waveforms.janbakhsh",
        "seisvision.models.ResNet1d": "seisvision.models.waveforms.resnet1d",
        "seisvision.models.UNet1d": "seisvision.models.waveforms.unet1d",
        "seisvision.models.SeisBenchModel": "seisvision.models.waveforms.seisbench_model",
        "seisvision.models.PickNet": "seisvision.models.waveforms.pick_net",
        "seisvision.models.FCNLocator": "seisvision.models.networks.fcn_locator",
        "seisvision.models.EarlyWarningFCN": "seisvision.models.networks.early_warning",
        "seisvision.models.StationTransformer": "seisvision.models.networks.station_transformer",
        "seisvision.models.PreSEIS": "seisvision.models.networks.preseis",
        "seisvision.models.ConvLSTM": "seisvision.models.forecasting.conv_lstm",
        "seisvision.models.EtasCorrection": "seisvision.models.forecasting.etas_correction",
        "seisvision.models.IndicatorRNN": "seisvision.models.forecasting.indicator_rnn",
        "seisvision.models.SafeNet": "seisvision.models.forecasting.safenet",
    },
    TASK: {
        "seisvision.tasks.SupervisedTask": "seisvision.tasks.supervised",
        "seisvision.tasks.DeepClusterTask": "seisvision.tasks.deep_cluster",
        "seisvision.tasks.RateTask": "seisvision.tasks.rates",
    },
    OUTPUT: _names_of_outputs(),
    OPTIMIZER: {},
    SCHEDULER: {
        "seisvision.tasks.warmup_cosine": "seisvision.tasks.schedules",
        "seisvision.tasks.constant": "seisvision.tasks.schedules",
    },
    SOURCE: {
        "seisvision.data.FolderSource": "seisvision.data.sources.folder",
        "seisvision.data.CombinedSource": "seisvision.data.sources.combined",
        "seisvision.data.DiTingSource": "seisvision.data.sources.diting",
        "seisvision.data.FetchSource": "seisvision.data.fetching.source",
        "seisvision.data.SeisBenchSource": "seisvision.data.sources.seisbench",
        "seisvision.data.SyntheticSource": "seisvision.data.synthesis.source",
        "seisvision.data.LocalSyntheticSource": "seisvision.data.synthesis_local.source",
        "seisvision.forecasting.CatalogueSource": "seisvision.forecasting.sources",
        "seisvision.forecasting.EtasWorldSource": "seisvision.forecasting.sources",
        "seisvision.forecasting.PrecursorWorldSource": "seisvision.forecasting.sources",
    },
    DERIVED: {
        "seisvision.data.Bins": "seisvision.data.derived.bins",
        "seisvision.data.KMeansPlaces": "seisvision.data.derived.places",
        "seisvision.data.SMinusPDistance": "seisvision.data.derived.s_minus_p",
        "seisvision.data.TravelTime": "seisvision.data.derived.travel_time",
    },
    LOGGER: {
        "seisvision.runs.loggers.WandbLogger": "seisvision.runs.loggers.wandb_logger",
        "seisvision.runs.loggers.TensorBoardLogger": "seisvision.runs.loggers.tensorboard_logger",
        "seisvision.runs.loggers.TrackioLogger": "seisvision.runs.loggers.trackio_logger",
    },
}
"""Kind, then public name and the module that defines it. Splits, samplers and launchers are chosen by plain words
(``split.by``, ``launcher.kind``), never by a path."""

FIRST_NAMES = {
    "seisvision.views.RecordSection": "seisvision.views.record_section.RecordSection",
    "seisvision.views.RecordSectionObspy": "seisvision.views.record_section_obspy.RecordSectionObspy",
    "seisvision.views.AzimuthSection": "seisvision.views.azimuth_section.AzimuthSection",
    "seisvision.views.StackedSpectrogram": "seisvision.views.stacked_spectrogram.StackedSpectrogram",
    "seisvision.views.TraceView": "seisvision.views.trace.TraceView",
    "seisvision.views.TraceObspy": "seisvision.views.trace_obspy.TraceObspy",
    "seisvision.views.SpectrogramView": "seisvision.views.spectrogram.SpectrogramView",
    "seisvision.views.SpectrogramObspy": "seisvision.views.trace_obspy.SpectrogramObspy",
    "seisvision.views.Augment": "seisvision.views.augment.Augment",
    "seisvision.models.TimmBackbone": "seisvision.models.timm_backbone.TimmBackbone",
    "seisvision.models.AlexNet": "seisvision.models.alexnet.AlexNet",
    "seisvision.models.AlexNetBN": "seisvision.models.alexnet_bn.AlexNetBN",
    "seisvision.tasks.SupervisedTask": "seisvision.tasks.supervised.SupervisedTask",
    "seisvision.tasks.DeepClusterTask": "seisvision.tasks.deep_cluster.DeepClusterTask",
    "seisvision.outputs.ClassOutput": "seisvision.tasks.class_output.ClassOutput",
    "seisvision.outputs.ScalarOutput": "seisvision.tasks.scalar_output.ScalarOutput",
    "seisvision.outputs.AngleOutput": "seisvision.tasks.angle_output.AngleOutput",
    "seisvision.tasks.warmup_cosine": "seisvision.tasks.schedules.warmup_cosine",
    "seisvision.tasks.constant": "seisvision.tasks.schedules.constant",
    "seisvision.data.FolderSource": "seisvision.data.sources.FolderSource",
    "seisvision.data.CombinedSource": "seisvision.data.combined.CombinedSource",
    "seisvision.data.SeisBenchSource": "seisvision.data.seisbench_source.SeisBenchSource",
    "seisvision.data.SyntheticSource": "seisvision.data.synthesis.source.SyntheticSource",
    "seisvision.data.LocalSyntheticSource": "seisvision.data.synthesis_local.source.LocalSyntheticSource",
}
"""What classes were called before they had a public name. Ids of runs are made from these for ever, and stored runs may
hold them. A class that came later has no line here: it is called by its public name from the beginning."""

OTHER_NAMES = {
    "seisvision.data.fetching.source.FetchSource": "seisvision.data.FetchSource",
    "seisvision.tasks.outputs.ClassOutput": "seisvision.outputs.ClassOutput",
    "seisvision.runs.loggers.wandb_logger.WandbLogger": "seisvision.runs.loggers.WandbLogger",
    "seisvision.runs.loggers.tensorboard_logger.TensorBoardLogger": "seisvision.runs.loggers.TensorBoardLogger",
    "seisvision.runs.loggers.trackio_logger.TrackioLogger": "seisvision.runs.loggers.TrackioLogger",
}
"""Further names that stored runs may hold."""

_KNOWN = {first: name for name, first in FIRST_NAMES.items()} | OTHER_NAMES


def public_name(target: str) -> str:
    """The public name of what an earlier version called otherwise; anything else as it is."""
    return _KNOWN.get(target, target)


def name_in_ids(target: str) -> str:
    """What the id of a run is made from, whichever of its names configuration uses."""
    name = public_name(target)
    return FIRST_NAMES.get(name, name)


def kind_of(target: Any) -> str | None:
    """The kind of what a name stands for; None of anything that has no public name."""
    name = public_name(target) if isinstance(target, str) else ""
    return next((kind for kind, named in NAMES.items() if name in named), None)


def find_public(target: str) -> Any:
    """Import what a public name, or an earlier one, stands for.

    Raises:
        KeyError: nothing has that name.
    """
    name = public_name(target)
    module = next((named[name] for named in NAMES.values() if name in named), None)
    if module is None:
        raise KeyError(target)
    return getattr(importlib.import_module(module), name.rpartition(".")[2])


def own_packages() -> tuple[str, ...]:
    """Prefixes of packages of one's own that this machine allows, without the dot at their end."""
    named = os.environ.get(ALLOWED_TARGETS_VARIABLE, "").split(",")
    return tuple(name.strip().rstrip(".") for name in named if name.strip().rstrip("."))


def is_own(target: str) -> bool:
    """Whether a dotted path lies in a package that this machine allows."""
    return any(target == name or target.startswith(f"{name}.") for name in own_packages())


def find_in(package: str, name: str) -> Any:
    """What a package calls by a public name.

    Raises:
        AttributeError: it has none such.
    """
    if not any(f"{package}.{name}" in named for named in NAMES.values()):
        raise AttributeError(f"module '{package}' has no attribute '{name}'")
    return find_public(f"{package}.{name}")


def names_of(package: str) -> tuple[list[str], Callable[[str], Any]]:
    """``__all__`` and ``__getattr__`` of a package with public names; what is not asked for is not imported.

    Args:
        package: its name.
    """
    short = sorted(name.rpartition(".")[2] for named in NAMES.values() for name in named if _is_in(package, name))
    return short, lambda name: find_in(package, name)


def _is_in(package: str, name: str) -> bool:
    return name.rpartition(".")[0] == package
