"""Where events come from by themselves: a density a km² that sums to one over the region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from scipy.spatial import cKDTree

from seisvision.catalogues.region import Region
from seisvision.forecasting.etas.cells import Cells
from seisvision.forecasting.etas.kernels import polygon_share

POWER_LESS_1 = 0.5
"""The kernel falls as the third power of distance (Helmstetter, Kagan and Jackson 2007, doi:10.1785/gssrl.78.1.78)."""
LEAST_KM = 0.5
EVEN_SHARE = 0.01
"""Of the density is even over the region, so that no place is impossible."""
AT_ONCE = 1_000_000


class Background(Protocol):
    """A density over a region."""

    def density(self, x_km: np.ndarray, y_km: np.ndarray) -> np.ndarray:
        """A km² (N,)."""
        ...

    def draw(self, n: int, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Places x, y (n,) inside the region."""
        ...

    def shares(self, cells: Cells) -> np.ndarray:
        """Of the whole in each of C cells (C,)."""
        ...


@dataclass(frozen=True)
class EvenBackground:
    """The same everywhere in the region."""

    region: Region

    def density(self, x_km: np.ndarray, y_km: np.ndarray) -> np.ndarray:
        """A km² (N,)."""
        return np.full(len(x_km), 1 / self.region.area_km2)

    def draw(self, n: int, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Places x, y (n,) inside the region."""
        return inside_only(self.region, n, lambda many: _in_frame(self.region, many, draws))

    def shares(self, cells: Cells) -> np.ndarray:
        """Area of each of C cells over that of the region."""
        return cells.area_km2 / self.region.area_km2


class SmoothedBackground:
    """Weighted events, each smeared out as far as its k-th neighbour, and one part in a hundred evenly.

    Args:
        region: N events outside of it weigh too, with what of them falls inside.
        x_km: (N,).
        y_km: (N,).
        weight: (N,), such as the probability that each came by itself.
        neighbours: k; smaller is sharper.
    """

    def __init__(
        self, region: Region, x_km: np.ndarray, y_km: np.ndarray, weight: np.ndarray | None = None, neighbours: int = 5
    ) -> None:
        self.region, self.x_km, self.y_km = region, x_km, y_km
        self.weight = np.ones(len(x_km)) if weight is None else weight
        self.spread_km2 = adaptive_reach(x_km, y_km, neighbours) ** 2
        corners = torch.from_numpy(np.stack([region.x_km, region.y_km], axis=-1))
        x, y, spread = (torch.from_numpy(one) for one in (x_km, y_km, self.spread_km2))
        power = torch.tensor(POWER_LESS_1, dtype=torch.float64)
        self._share = polygon_share(x, y, spread, power, corners).numpy()
        self._inside = float((self.weight * self._share).sum())

    def density(self, x_km: np.ndarray, y_km: np.ndarray) -> np.ndarray:
        """A km² (N,)."""
        return self._mixed(self._sums(x_km, y_km) / self._inside)

    def density_at_own(self) -> np.ndarray:
        """At each of its events (N,), as if that one were not there: nobody is forecast by himself."""
        own = self.weight / (np.pi * self.spread_km2) * POWER_LESS_1
        rest = np.maximum(self._inside - self.weight * self._share, 1e-300)
        return self._mixed(np.maximum(self._sums(self.x_km, self.y_km) - own, 0) / rest)

    def draw(self, n: int, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Places x, y (n,) inside the region."""
        chance = self.weight / self.weight.sum()

        def candidates(many: int) -> tuple[np.ndarray, np.ndarray]:
            event = draws.choice(len(chance), many, p=chance)
            radius = np.sqrt(self.spread_km2[event] * (draws.uniform(size=many) ** (-1 / POWER_LESS_1) - 1))
            turn = draws.uniform(0, 2 * np.pi, many)
            return self.x_km[event] + radius * np.cos(turn), self.y_km[event] + radius * np.sin(turn)

        n_even = draws.binomial(n, EVEN_SHARE)
        places = [inside_only(self.region, n - n_even, candidates), EvenBackground(self.region).draw(n_even, draws)]
        return np.concatenate([one[0] for one in places]), np.concatenate([one[1] for one in places])

    def shares(self, cells: Cells) -> np.ndarray:
        """Of the whole in each of C cells (C,)."""
        share = cells.sums(self.weight[None], self.x_km, self.y_km, self.spread_km2, POWER_LESS_1)[0] / self._inside
        return (1 - EVEN_SHARE) * share + EVEN_SHARE * EvenBackground(self.region).shares(cells)

    def _mixed(self, smooth: np.ndarray) -> np.ndarray:
        return (1 - EVEN_SHARE) * smooth + EVEN_SHARE / self.region.area_km2

    def _sums(self, x_km: np.ndarray, y_km: np.ndarray) -> np.ndarray:
        """Weighted sum of the kernels at places (M,), a km²."""
        factor = self.weight * POWER_LESS_1 / np.pi * self.spread_km2**POWER_LESS_1
        sums = np.empty(len(x_km))
        step = max(1, AT_ONCE // max(len(self.x_km), 1))
        for low in range(0, len(x_km), step):
            rows = slice(low, low + step)
            squared = (x_km[rows, None] - self.x_km) ** 2 + (y_km[rows, None] - self.y_km) ** 2 + self.spread_km2
            sums[rows] = (1 / (squared * np.sqrt(squared))) @ factor
        return sums


def adaptive_reach(x_km: np.ndarray, y_km: np.ndarray, neighbours: int) -> np.ndarray:
    """Distance (N,) to the k-th nearest other event, at least 0.5 km; few events reach to the farthest."""
    places = np.stack([x_km, y_km], axis=1)
    count = min(neighbours, len(places) - 1)
    if count < 1:
        return np.full(len(places), 10.0)
    return np.maximum(cKDTree(places).query(places, [count + 1])[0][:, 0], LEAST_KM)


def _in_frame(region: Region, n: int, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return (
        draws.uniform(region.x_km.min(), region.x_km.max(), n),
        draws.uniform(region.y_km.min(), region.y_km.max(), n),
    )


def inside_only(region: Region, n: int, candidates: object) -> tuple[np.ndarray, np.ndarray]:
    """The first n of candidate places that lie in the region."""
    x, y = np.empty(0), np.empty(0)
    while len(x) < n:
        more_x, more_y = candidates(2 * (n - len(x)) + 16)  # type: ignore[operator]
        inside = region.contains_km(more_x, more_y)
        x, y = np.concatenate([x, more_x[inside]]), np.concatenate([y, more_y[inside]])
    return x[:n], y[:n]
