"""Pictures that are drawn once and kept, for views that take longer to draw than a network to learn from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.base.share import Share, rank_and_size
from seisvision.seeding import stream_seed
from seisvision.tasks.exact import rows_in_order, share_of
from seisvision.views.view import View

DTYPE = torch.float16
"""Enough for pictures in [0, 1]: steps of a thousandth."""
PICTURES_AT_ONCE = 64
"""Pictures of a process that are on its device at a time while they are gathered from all."""


class KeptPictures:
    """Several pictures of every sample, each of differently augmented waveforms, on the processor.

    Args:
        drawn: (V, N, P, H, W), V drawings of N samples in the order of the data.
        seed: base seed of the choice among drawings.
    """

    def __init__(self, drawn: torch.Tensor, seed: int) -> None:
        self._drawn, self._seed = drawn, seed

    def pick(self, numbers: list[int], epoch: int, step: int, share: Share | None) -> torch.Tensor:
        """Pictures float16 (B, P, H, W) of samples ``numbers``, each one of its drawings, drawn by lot."""
        generator = torch.Generator().manual_seed(stream_seed(self._seed, "drawing", epoch, step))
        n_samples = len(numbers) if share is None else share.n_samples
        lot = torch.randint(len(self._drawn), (n_samples,), generator=generator)
        lot = lot if share is None else share.of(lot)
        return self._drawn[lot, torch.tensor(numbers)]


def draw(
    view: View,
    loader: DataLoader,
    to_device: Callable[[dict[str, Any]], dict[str, Any]],
    augment: nn.Module | None = None,
    drawing: int = 0,
) -> torch.Tensor:
    """Pictures (n, P, H, W) of the samples of this process, in the order of the loader.

    Args:
        view: draws.
        loader: unshuffled.
        to_device: brings a batch to where it is drawn.
        augment: changes the waveforms; the number of the drawing stands for the epoch.
        drawing: number of the drawing.
    """
    drawn = []
    for step, batch in enumerate(loader):
        batch, share = to_device(batch), share_of(batch)
        if augment is not None:
            batch = augment(batch, drawing, step, share)
        picture = view(batch).to("cpu", DTYPE)
        drawn.append(picture[batch[keys.COUNTS].cpu()] if keys.COUNTS in batch else picture)
    return torch.cat(drawn)


def pictures_in_order(mine: torch.Tensor, n_total: int, device: torch.device) -> torch.Tensor:
    """Pictures (N, P, H, W) of all processes on the processor, in the order of the data, from those of this one.

    They are gathered by way of a device, a few at a time: all of them would not fit on it.
    """
    _, n_ranks = rank_and_size()
    if n_ranks == 1:
        return mine
    padded = mine.new_zeros(-(-n_total // n_ranks), *mine.shape[1:])
    padded[: len(mine)] = mine
    parts = padded.split(PICTURES_AT_ONCE)
    together = torch.cat([rows_in_order(part.to(device), len(part) * n_ranks).cpu() for part in parts])
    return together[:n_total]
