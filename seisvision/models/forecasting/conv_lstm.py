"""Recurrent convolutions on maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seisvision import keys


class ConvLSTM(nn.Module):
    """Two convolutions and a convolutional LSTM that reads maps step by step.

    Sizes are those of Kail, Burnaev and Zaytsev (2022): 58,320 weights for one plane. Their two classes are kept; what
    is given is the difference of the two. Batch norms have no weights, and there are no biases.

    Args:
        n_planes: P.
        embedded: channels that the LSTM reads.
        hidden: channels that it keeps.
    """

    axes: int | None = None

    def __init__(self, n_planes: int, embedded: int = 16, hidden: int = 32) -> None:
        super().__init__()
        self.embed = nn.Sequential(*_layer(n_planes, embedded), *_layer(embedded, embedded))
        self.gates = nn.Conv2d(embedded + hidden, 4 * hidden, 3, padding=1, bias=False)
        self.classes = nn.Conv2d(hidden, 2, 3, padding=1, bias=False)
        self.hidden = hidden

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Log odds (B, Y, X) of maps (B, L, P, Y, X)."""
        maps = batch[keys.MAPS]
        n_samples, n_steps = maps.shape[:2]
        embedded = self.embed(maps.flatten(0, 1)).unflatten(0, (n_samples, n_steps))
        state = embedded.new_zeros(n_samples, self.hidden, *embedded.shape[-2:])
        cell = torch.zeros_like(state)
        for step in range(n_steps):
            gates = self.gates(torch.cat([embedded[:, step], state], dim=1))
            enter, forget, leave, new = gates.chunk(4, dim=1)
            cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(new)
            state = torch.sigmoid(leave) * torch.tanh(cell)
        classes = self.classes(state)
        return classes[:, 1] - classes[:, 0]


def _layer(n_in: int, n_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(n_out, affine=False),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=1, padding=1),
    ]
