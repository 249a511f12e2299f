"""What every backbone promises."""

from __future__ import annotations

import torch
from torch import nn


class Backbone(nn.Module):
    """A network without its last layer: picture (B, P, H, W), or (B, P, T) in one dimension, to features (B, F)."""

    num_features: int
    """F: length of the feature vector."""
    axes: int | None = None
    """1 where it reads lines, 2 where it reads pictures with rows and columns; None where it says nothing of it."""
    fixed_stations = False
    """Whether it learns which row of a picture of stations is which of them, so that they need a place each."""

    def unrectified(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) before the last ReLU, where the network ends in one: what DeepCluster clusters."""
        return self(image)


class MapBackbone(Backbone):
    """A backbone that also says where: maps (B, F, T) of lines, one place a sample, or (B, F, Y, X) of pictures.

    Its features are the mean of the maps over all places, unless it says otherwise.
    """

    curves: tuple[str, ...] | None = None
    """Where the maps are curves by themselves, such as ``("P", "S", "noise")``, what each is of; they are then logits,
    and outputs on maps take them as they are. None: maps of which a head makes curves."""

    def maps(self, image: torch.Tensor) -> torch.Tensor:
        """Maps (B, F, T) of lines (B, P, T)."""
        raise NotImplementedError

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F)."""
        return self.maps(image).flatten(2).mean(-1)


@torch.no_grad()
def norm_of_one_value(network: nn.Module, picture: torch.Tensor) -> str | None:
    """Name of a batch norm that sees one value a channel of one picture, so that it has nothing to normalise.

    Args:
        network: what pictures go through; its weights and statistics stay.
        picture: of one sample, (1, P, H, W) or (1, P, T).

    Returns:
        The name within ``network``, ``None`` where all have several values.
    """
    found: list[str] = []
    handles = []
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            # Bound now: the loop's name is another one when the picture comes through.
            def look(_: nn.Module, inputs: tuple[torch.Tensor, ...], name: str = name) -> None:
                if inputs[0].numel() == inputs[0].shape[1]:
                    found.append(name)

            handles.append(module.register_forward_pre_hook(look))
    was_training = network.training
    try:
        network.eval()(picture)
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return found[0] if found else None
