"""A compact network that corrects what ETAS expects."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seisvision import keys


class EtasCorrection(nn.Module):
    """Convolutions over recent counts and what references expect give a factor by cell, which begins at 1.

    The last layer begins at 0, so an untrained network says what ETAS says, and the factor stays between 1/limit and
    limit. The first layer looks at neighbouring cells, since events of one place do not keep to one cell.

    Args:
        n_planes: P of the maps.
        n_steps: L of the maps.
        n_rates: R of the references.
        lattice: rows and columns of the maps.
        places: (C,) where the cells lie on the lattice, row by row.
        width: channels.
        limit: largest factor.
    """

    axes: int | None = None
    places: Tensor

    def __init__(
        self,
        n_planes: int,
        n_steps: int,
        n_rates: int,
        lattice: tuple[int, int],
        places: tuple[int, ...],
        width: int = 16,
        limit: float = 30.0,
    ) -> None:
        super().__init__()
        self.lattice = lattice
        self.register_buffer("places", torch.tensor(places), persistent=False)
        self.log_limit = float(torch.tensor(limit).log())
        n_seen = n_planes * n_steps + n_rates
        self.look = nn.Conv2d(n_seen, width, 3, padding=1)
        self.mix = nn.Conv2d(width, width, 1)
        self.say = nn.Conv2d(width, 1, 1)
        nn.init.zeros_(self.say.weight)
        nn.init.zeros_(self.say.bias)  # type: ignore[arg-type]

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Logarithm of the factor (B, Y, X)."""
        maps, rates = batch[keys.MAPS], batch[keys.LOG_RATES]
        # About the mean of a typical window, so that the rates are numbers of the size of one.
        expected = rates.new_zeros(*rates.shape[:2], self.lattice[0] * self.lattice[1])
        expected[..., self.places] = (rates + 6) / 3
        expected = expected.unflatten(-1, self.lattice)
        seen = torch.cat([maps.flatten(1, 2), expected], dim=1)
        found = torch.relu(self.mix(torch.relu(self.look(seen))))
        return self.log_limit * torch.tanh(self.say(found)[:, 0] / self.log_limit)
