"""From settings to the network of an experiment: view, backbone and task."""

from __future__ import annotations

from typing import Any

import torch

from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.settings import Settings, output_settings
from seisvision.public import AUGMENTATION, MODEL, OPTIMIZER, SCHEDULER, TASK, VIEW
from seisvision.records.configuration import instantiate, model_takes
from seisvision.records.settings import Spec
from seisvision.seeding import stream_seed
from seisvision.views.view import View


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
    torch.manual_seed(stream_seed(config.seed, "initialisation"))
    return instantiate(
        config.task,
        TASK,
        model=build_model(config.model, picture_channels(config, view)),
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


def picture_channels(config: Settings, view: View) -> int:
    """Channels of the pictures that reach the backbone, behind the fixed front end of the task."""
    return view.out_channels * (2 if config.task.get("front") == "sobel" else 1)


def build_model(settings: Spec, in_channels: int) -> Any:
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
