"""From settings to the network of an experiment: view, backbone and task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.settings import Settings, output_settings
from seisvision.public import AUGMENTATION, MODEL, OPTIMIZER, SCHEDULER, TASK, VIEW
from seisvision.records.configuration import instantiate, model_takes
from seisvision.records.settings import Spec
from seisvision.records.trust.faces import find_face
from seisvision.seeding import stream_seed
from seisvision.views.view import View
from seisvision.views.waveforms.station_matrix import StationMatrix


def build_view(settings: Spec) -> View:
    """The view that draws pictures."""
    return instantiate(settings, VIEW)


def build_task(config: Settings, view: View) -> Any:
    """The :class:`SupervisedTask` or :class:`DeepClusterTask`, freshly initialised from the run's seed.

    Raises:
        ConfigurationError: ``task.monitor`` names no output of the task.
    """
    outputs = output_settings(config)
    if outputs:
        _check_monitor(config.task["monitor"][0], [output["name"] for output in outputs])
    check_axes(config, view)
    torch.manual_seed(stream_seed(config.seed, "initialisation"))
    return instantiate(
        config.task,
        TASK,
        model=build_model(config.model, **network_input(config, view)),
        view=view,
        optimizer=instantiate(config.optimizer, OPTIMIZER),
        scheduler=instantiate(config.scheduler, SCHEDULER),
        augment=instantiate(config.augment, AUGMENTATION, seed=config.seed),
        seed=config.seed,
    )


def _check_monitor(monitor: str, names: list[str]) -> None:
    if monitor != "val/loss" and not monitor.startswith(tuple(f"val/{name}_" for name in names)):
        raise ConfigurationError(
            f"task.monitor names '{monitor}', which belongs to none of the outputs {', '.join(names)}. Give val/loss "
            f"or val/{names[0]}_...; where task, protocol and experiment disagree, choose one of them."
        )


def network_input(config: Settings, view: View) -> dict[str, int]:
    """What is told to a backbone of the pictures that reach it.

    ``in_channels``, behind the fixed front end of the task, of pictures with one axis ``n_samples``, and of those of
    many stations also ``n_stations``.
    """
    told = {"in_channels": view.image_shape[0] * (2 if config.task.get("front") == "sobel" else 1)}
    if len(view.image_shape) == 2 or isinstance(view, StationMatrix):
        told["n_samples"] = view.image_shape[-1]
    if isinstance(view, StationMatrix) and not view.flat:
        told["n_stations"] = view.n_stations
    return told


def check_axes(config: Settings, view: View) -> None:
    """Refuse a network of waveforms behind a view that draws pictures, and the other way round.

    Raises:
        ConfigurationError: names both and what goes with the network.
    """
    target = config.model.get("_target_")
    axes, drawn = getattr(find_face(MODEL, target, "model._target_"), "axes", None), len(view.image_shape) - 1
    if axes in (None, drawn):
        return
    values = f"{' x '.join(map(str, view.image_shape))} values"
    if axes == 1:
        raise ConfigurationError(
            f"model._target_={target} reads waveforms, but {type(view).__name__} draws pictures of {values}. Set "
            "view=waveform, with data that are cut as single traces, such as dataset=synthetic_local."
        )
    raise ConfigurationError(
        f"model._target_={target} reads pictures, but {type(view).__name__} gives waveforms of {values}. Set a network "
        "of waveforms, such as model=resnet1d, or a view that draws, such as view=spectrogram."
    )


def taken_by_model(settings: Spec, told: Mapping[str, int]) -> dict[str, int]:
    """Of what is told to a backbone, what its class has arguments for."""
    target = settings.get("_target_")
    # A class that takes any settings would refuse one that it has not heard of.
    return {name: value for name, value in told.items() if model_takes(target, name, name != "in_channels")}


def build_model(settings: Spec, in_channels: int, n_samples: int | None = None, n_stations: int | None = None) -> Any:
    """The backbone for pictures of ``in_channels`` channels, ``n_samples`` samples and ``n_stations`` stations.

    One that takes no such argument is built without it, and so are pictures that do not have such a size.

    Raises:
        ConfigurationError: it cannot be built, or does not say how many features it gives.
    """
    sizes = {"n_samples": n_samples, "n_stations": n_stations}
    told = {"in_channels": in_channels} | {name: size for name, size in sizes.items() if size is not None}
    model = instantiate(settings, MODEL, **taken_by_model(settings, told))
    if not isinstance(getattr(model, "num_features", None), int):
        raise ConfigurationError(
            f"model._target_={settings['_target_']} does not say how many features it gives. Set num_features in the "
            "class: an integer F, where it turns pictures (B, P, H, W) into features (B, F)."
        )
    return model
