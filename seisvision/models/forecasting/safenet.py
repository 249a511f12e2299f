"""Indicators and maps of every cell, read year by year and weighed against those of all others."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from seisvision import keys

POOLS = ("mean", "flatten")


class SafeNet(nn.Module):
    """Cells as tokens: fully connected layers on indicators, bottlenecks on maps, an LSTM in time, attention in space.

    After Hu et al. (2025). With 282 indicators, 85 cells, five planes and maps of 50 by 50 there are about 151 thousand
    parameters (184 with ``pool=flatten``); what the paper calls a ResNet-50 is seven bottlenecks of 64 and 128
    channels. Ours says one number a cell instead of four classes of magnitude.

    Args:
        n_indicators: n.
        n_cells: C.
        n_planes: P of the maps.
        lattice: rows and columns of the maps.
        places: (C,) where the cells lie on the lattice.
        patch: side of the map about each cell, in cells of the maps; ``None`` looks at no maps.
        pool: what ends the bottlenecks: ``mean`` over the picture, or ``flatten`` after means of two by two.
        width: of a token.
        dropout: in the attention.
    """

    axes: int | None = None
    places: Tensor

    def __init__(
        self,
        n_indicators: int,
        n_cells: int,
        n_planes: int,
        lattice: tuple[int, int],
        places: tuple[int, ...],
        patch: int | None = None,
        pool: str = "mean",
        width: int = 32,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise ValueError(f"pool={pool} is not known; give one of {', '.join(POOLS)}")
        self.patch, self.lattice = patch, lattice
        self.register_buffer("places", torch.tensor(places), persistent=False)
        layers: list[nn.Module] = []
        for n_in in (n_indicators, width, width, width):
            layers += [nn.Linear(n_in, width), nn.LeakyReLU()]
        self.indicators = nn.Sequential(*layers)
        self.maps = None if patch is None else _bottlenecks(n_planes, patch, pool, width)
        joined = width * (1 if patch is None else 2)
        self.cell_norm, self.region_norm = nn.LayerNorm(joined), nn.LayerNorm(width)
        self.cell_memory = nn.LSTM(joined, width, batch_first=True)
        self.region_memory = nn.LSTM(width, width, batch_first=True)
        self.position = nn.Parameter(0.02 * torch.randn(1, n_cells + 1, width))
        self.attention = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout, batch_first=True)
        self.say = nn.Linear(width, 1)
        # It begins with what the reference says.
        nn.init.zeros_(self.say.weight)
        nn.init.zeros_(self.say.bias)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """One number a cell (B, C) of indicators (B, C, L, n) and (B, L, n) of the region, and maps (B, L, P, Y, X)."""
        seen = batch[keys.INDICATORS]
        tokens = self.indicators(seen)
        if self.maps is not None:
            tokens = torch.cat([tokens, self._looked(batch[keys.MAPS], seen.shape[2])], dim=-1)
        cells = self.cell_memory(self.cell_norm(tokens.flatten(0, 1)))[0][:, -1].unflatten(0, seen.shape[:2])
        region = self.region_memory(self.region_norm(self.indicators(batch[keys.REGION_INDICATORS])))[0][:, -1:]
        together = self.attention(torch.cat([region, cells], dim=1) + self.position)
        return self.say(together[:, 1:])[..., 0]

    def _looked(self, maps: Tensor, n_steps: int) -> Tensor:
        """Features (B, C, L, width) of the map about each cell; the last steps where there are more."""
        assert self.patch is not None and self.maps is not None
        n_samples, n_planes = maps.shape[0], maps.shape[2]
        flat = maps[:, -n_steps:].flatten(0, 1)
        low, high = self.patch // 2, self.patch - 1 - self.patch // 2
        padded = functional.pad(flat, (low, high, low, high))
        windows = padded.unfold(2, self.patch, 1).unfold(3, self.patch, 1).flatten(2, 3)
        about = windows[:, :, self.places].transpose(1, 2).reshape(-1, n_planes, self.patch, self.patch)
        found = self.maps(about)
        return found.view(n_samples, -1, len(self.places), found.shape[-1]).transpose(1, 2)


def _bottlenecks(n_planes: int, patch: int, pool: str, width: int) -> nn.Sequential:
    """Stem, three bottlenecks of 64 channels, four of 128, and a linear layer."""
    body = nn.Sequential(
        nn.Conv2d(n_planes, 32, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        Bottleneck(32, 16, 64, 1),
        *(Bottleneck(64, 16, 64, 1) for _ in range(2)),
        Bottleneck(64, 32, 128, 2),
        *(Bottleneck(128, 32, 128, 1) for _ in range(3)),
    )
    side = patch
    for _ in range(3):
        side = (side + 1) // 2
    n_left = 1 if pool == "mean" else max(1, side // 2)
    last: list[nn.Module] = [nn.AdaptiveAvgPool2d(n_left), nn.Flatten(), nn.Linear(128 * n_left**2, width)]
    return nn.Sequential(body, *last)


class Bottleneck(nn.Module):
    """Narrow, look, widen, and add what came in (He et al. 2016, arXiv:1512.03385).

    Args:
        n_in: channels that come in.
        narrow: channels of the 3 by 3 convolution.
        n_out: channels that go out.
        stride: of that convolution.
    """

    def __init__(self, n_in: int, narrow: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            nn.Conv2d(n_in, narrow, 1, bias=False),
            nn.BatchNorm2d(narrow),
            nn.ReLU(),
            nn.Conv2d(narrow, narrow, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(narrow),
            nn.ReLU(),
            nn.Conv2d(narrow, n_out, 1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        is_same = n_in == n_out and stride == 1
        self.past = (
            nn.Identity()
            if is_same
            else nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out))
        )

    def forward(self, picture: Tensor) -> Tensor:
        """Pictures (B, F, H, W) to (B, F', H', W')."""
        return torch.relu(self.path(picture) + self.past(picture))
