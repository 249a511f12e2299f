"""Where a network looks: Grad-CAM of any output, and whether its maps depend on what was learnt."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.outputs.output import Output
from seisvision.tasks.supervised import SupervisedTask

SMALLEST_MAP = 4
"""Rows and columns of a feature map in which a place can still be told."""
SHORTEST_MAP = 16
"""The same of maps along time: fewer places would lie seconds apart, as P and S do."""
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)


class OutputValue(nn.Module):
    """Pictures (B, P, H, W) or lines (B, P, T) to the one value (B, 1) of an output, see ``Output.explained``.

    Args:
        task: the trained network.
        output: one of its outputs.
    """

    def __init__(self, task: SupervisedTask, output: Output) -> None:
        super().__init__()
        self.model, self.output = task.model, output

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The value of every picture."""
        model: Any = self.model
        raw = self.output(model.maps(image) if self.output.on_maps else model(image)).float()
        return self.output.explained(raw)


def find_layer(model: nn.Module, image: torch.Tensor, name: str | None = None) -> tuple[str, nn.Module]:
    """The layer whose feature map is explained, with its name inside ``model``.

    Without ``name``: the last of the outermost modules to give a map of the size that the last convolution gives, which
    is after its normalisation and activation and, in residual networks, after the sum; of convolutions whose maps have
    less than 4 x 4 places, or along time less than 16, an earlier one is taken.

    Args:
        model: the backbone.
        image: one picture (1, P, H, W), or lines (1, P, T), to try it on.
        name: as in ``model.named_modules()``, such as ``network.layer4``.

    Raises:
        ConfigurationError: there is no such layer, it gives no map (1, K, h, w) or (1, K, t) of several places, or no
            layer is a convolution.
    """
    modules = dict(model.named_modules())
    maps = _maps(model, modules, image)
    if name is not None:
        _check_named(name, modules, maps)
        return name, modules[name]
    convolutions = {own for own, _ in maps if isinstance(modules[own], CONVOLUTIONS)}
    sizes = [size for own, size in maps if own in convolutions]
    if not sizes:
        raise ConfigurationError(
            f"{type(model).__name__} has no convolution, so Grad-CAM has no map to show. "
            "Set explain=none, or name a layer with explain.layer."
        )
    wanted = next((size for size in reversed(sizes) if _tells_places(size, image)), max(sizes, key=math.prod))
    last = next(own for own, size in reversed(maps) if size == wanted and own in convolutions)
    # An earlier convolution that stands by itself is not a stage, however far out it stands.
    last_first = [own for own, size in reversed(maps) if size == wanted and own not in convolutions - {last}]
    # The first layers of a stage may still have the size of the one before it: the outermost module is a whole stage.
    found = min(last_first, key=lambda own: own.count("."))
    return found, modules[found]


def _tells_places(size: tuple[int, ...], image: torch.Tensor) -> bool:
    """Whether a map of that size is fine enough; of lines the last axis is time, in maps of two axes, too."""
    return size[-1] >= SHORTEST_MAP if image.ndim == 3 else min(size) >= SMALLEST_MAP


def _maps(model: nn.Module, modules: dict[str, nn.Module], image: torch.Tensor) -> list[tuple[str, tuple[int, ...]]]:
    """Names of the layers that give a map of more than one place, in the order of their work, with its size."""
    order: list[tuple[str, tuple[int, ...]]] = []

    def remember(own: str) -> Any:
        def hook(module: nn.Module, inputs: Any, out: Any) -> None:
            if isinstance(out, torch.Tensor) and out.ndim in (3, 4) and math.prod(out.shape[2:]) > 1:
                order.append((own, tuple(out.shape[2:])))

        return hook

    hooks = [module.register_forward_hook(remember(own)) for own, module in modules.items() if own]
    try:
        with torch.no_grad():
            model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return order


def _check_named(name: str, modules: dict[str, nn.Module], maps: list[tuple[str, tuple[int, ...]]]) -> None:
    """Refuse a layer that does not exist or has no map to show."""
    if name not in modules:
        similar = [one for one in modules if one.count(".") <= name.count(".") + 1]
        raise ConfigurationError(f"explain.layer='{name}' is not in the network. {did_you_mean(name, similar)}")
    sizes = dict(maps)
    if name not in sizes:
        depth = min((own.count(".") for own in sizes), default=0)
        would_do = [f"{own} ({' x '.join(map(str, size))})" for own, size in sizes.items() if own.count(".") == depth]
        raise ConfigurationError(
            f"explain.layer='{name}' gives no map of more than one place, in which Grad-CAM could show anything. "
            f"Layers that do: {', '.join(would_do) or 'none; set explain=none'}; or layers inside them."
        )


def grad_cam(task: SupervisedTask, output: Output, image: torch.Tensor, layer: nn.Module) -> np.ndarray:
    """Grad-CAM maps (B, h, w), or (B, t) of lines, in the size of the layer's feature map, before any rectification.

    Each is the sum of the layer's channels, weighted by the mean gradient of the explained value.

    Args:
        task: the network, in evaluation mode.
        output: which output.
        image: pictures (B, P, H, W) or lines (B, P, T).
        layer: of :func:`find_layer`.

    Needs captum. Reference: Selvaraju et al. (2017), Grad-CAM, arXiv:1610.02391.
    """
    from captum.attr import LayerGradCam

    method = LayerGradCam(OutputValue(task, output), layer)
    with torch.enable_grad():
        maps = method.attribute(image.detach().clone().requires_grad_(), target=0)
    found = maps.detach()[:, 0].float()
    if image.ndim == 3 and found.ndim == 3:
        # A network may lay its lines out in two axes, the last of which is time.
        found = found.mean(1)
    return found.cpu().numpy()


def upsample(maps: np.ndarray, *size: int) -> np.ndarray:
    """Maps (B, h, w) or (B, t) in the size of pictures (H, W) or lines (T), linearly between the centres of places."""
    tensor = torch.from_numpy(np.ascontiguousarray(maps))[:, None]
    mode = "bilinear" if len(size) == 2 else "linear"
    return nn.functional.interpolate(tensor, size, mode=mode, align_corners=False)[:, 0].numpy()


def rank_correlations(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Spearman's correlation (B,) of the maps (B, ...) of two networks; NaN where a map is the same everywhere."""
    from scipy.stats import rankdata

    found = np.full(len(maps), math.nan)
    for i, (one, other) in enumerate(zip(maps, others, strict=True)):
        a, b = (rankdata(values.ravel()) for values in (one, other))
        if a.std() > 0 and b.std() > 0:
            found[i] = np.corrcoef(a, b)[0, 1]
    return found
