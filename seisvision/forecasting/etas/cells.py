"""What power laws about many events put into many cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from torch import Tensor

from seisvision.catalogues.grid import Grid
from seisvision.forecasting.etas.kernels import polygon_share

NEAR = 3.0
"""Sides of a cell within which its share is exact; farther on, density and curvature at its middle do (to 1 %)."""
PAIRS_AT_ONCE = 30_000
VALUES_AT_ONCE = 2_000_000


class Cells:
    """Corners, middles and areas of C cells on a plane.

    Args:
        corners_km: (C, P, 2), anticlockwise.
        x_km: (C,) middles.
        y_km: (C,).
        area_km2: (C,).
    """

    def __init__(self, corners_km: np.ndarray, x_km: np.ndarray, y_km: np.ndarray, area_km2: np.ndarray) -> None:
        self.corners_km, self.x_km, self.y_km, self.area_km2 = corners_km, x_km, y_km, area_km2

    @classmethod
    def of_grid(cls, grid: Grid) -> Cells:
        """Those of a grid."""
        return cls(grid.corners_km(), *grid.centres_km(), grid.area_km2())

    def __len__(self) -> int:
        """Return C."""
        return len(self.x_km)

    def sums(
        self, weight: np.ndarray, x_km: np.ndarray, y_km: np.ndarray, spread_km2: np.ndarray, q_less_1: float
    ) -> np.ndarray:
        """Weighted sums (W, C) over N events of the share of each that falls into each cell.

        Cost N C once, however many rows of weights there are.

        Args:
            weight: (W, N).
            x_km: (N,).
            y_km: (N,).
            spread_km2: (N,) D of the power law.
            q_less_1: its power less one.
        """
        result = np.zeros((len(weight), len(self)))
        weights = torch.from_numpy(np.ascontiguousarray(weight, float))
        for cells, shares in self._shares(x_km, y_km, spread_km2, q_less_1):
            result[:, cells] = (weights @ shares).numpy()
        return result

    def within(self, x_km: np.ndarray, y_km: np.ndarray, spread_km2: np.ndarray, q_less_1: float) -> np.ndarray:
        """Share (N,) of each event that falls into any of the cells."""
        total = np.zeros(len(x_km))
        for _, shares in self._shares(x_km, y_km, spread_km2, q_less_1):
            total += shares.sum(dim=1).numpy()
        return np.minimum(total, 1)

    def _shares(
        self, x_km: np.ndarray, y_km: np.ndarray, spread_km2: np.ndarray, q_less_1: float
    ) -> Iterator[tuple[slice, Tensor]]:
        """Shares (N, c) of consecutive cells."""
        if not len(x_km):
            return
        near = self._near(x_km, y_km, spread_km2, q_less_1)
        x, y, spread = (torch.from_numpy(np.ascontiguousarray(one, float)) for one in (x_km, y_km, spread_km2))
        step = max(1, VALUES_AT_ONCE // len(x_km))
        for low in range(0, len(self), step):
            cells = slice(low, min(low + step, len(self)))
            shares = self._far(cells, x, y, spread, q_less_1)
            exact = near[:, cells].tocoo()
            shares[torch.from_numpy(exact.row).long(), torch.from_numpy(exact.col).long()] = torch.from_numpy(
                exact.data
            )
            yield cells, shares

    def _far(self, cells: slice, x: Tensor, y: Tensor, spread: Tensor, q_less_1: float) -> Tensor:
        """Shares (N, c) by density and curvature at the middle of each cell."""
        middle_x, middle_y, area = (
            torch.from_numpy(one[cells].copy()) for one in (self.x_km, self.y_km, self.area_km2)
        )
        squared = (x[:, None] - middle_x) ** 2 + (y[:, None] - middle_y) ** 2
        u, q = squared + spread[:, None], q_less_1 + 1
        density = torch.exp(-q * torch.log(u)) * (q_less_1 / torch.pi * spread**q_less_1)[:, None]
        bent = 1 + area / 6 * q * (q * squared - spread[:, None]) / u**2
        return density * bent * area

    def _near(self, x_km: np.ndarray, y_km: np.ndarray, spread_km2: np.ndarray, q_less_1: float) -> csr_matrix:
        """Shares (N, C) of the cells close to each event, and nothing elsewhere."""
        tree = cKDTree(np.stack([self.x_km, self.y_km], axis=1))
        reach = NEAR * np.sqrt(self.area_km2.max())
        found = tree.query_ball_point(np.stack([x_km, y_km], axis=1), reach)
        count = np.array([len(one) for one in found])
        cell = np.concatenate([np.asarray(one, int) for one in found]) if count.sum() else np.empty(0, int)
        event = np.repeat(np.arange(len(x_km)), count)
        places = (torch.from_numpy(one) for one in (x_km[event], y_km[event], spread_km2[event]))
        x, y, spread = places
        power, corners = torch.tensor(q_less_1, dtype=torch.float64), torch.from_numpy(self.corners_km[cell])
        share = [polygon_share(x[part], y[part], spread[part], power, corners[part]) for part in _parts(len(cell))]
        values = torch.cat(share).numpy() if share else np.empty(0)
        # An event on the very corner of a cell may get a share a hair below nothing.
        return csr_matrix((np.maximum(values, 1e-300), (event, cell)), shape=(len(x_km), len(self)))


def _parts(n: int) -> Iterator[slice]:
    for low in range(0, n, PAIRS_AT_ONCE):
        yield slice(low, low + PAIRS_AT_ONCE)
