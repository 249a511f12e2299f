"""A simple recurrent network on indicators of each place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seisvision import keys


class IndicatorRNN(nn.Module):
    """One recurrent layer, after Panakkat and Adeli (2009).

    Sizes and training are not published in full; with eight indicators, sixteen units and four outputs it has 484
    parameters. Theirs say when, where and how large the next event is; here the outputs are logarithms of parts of a
    rate, which is their sum. All cells have the same weights.

    Args:
        n_indicators: n.
        hidden: units.
        n_outputs: parts that the rate is the sum of.
    """

    axes: int | None = None

    def __init__(self, n_indicators: int, hidden: int = 16, n_outputs: int = 4) -> None:
        super().__init__()
        self.memory = nn.RNN(n_indicators, hidden, batch_first=True)
        self.parts = nn.Linear(hidden, n_outputs)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """One number a cell (B, C) of indicators (B, C, L, n)."""
        seen = batch[keys.INDICATORS]
        _, last = self.memory(seen.flatten(0, 1))
        parts = self.parts(last[-1])
        # The mean of the parts, so that equal ones leave the reference as it is.
        total = torch.logsumexp(parts, dim=1) - torch.tensor(float(parts.shape[1])).log()
        return total.unflatten(0, seen.shape[:2])
