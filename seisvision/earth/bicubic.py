"""Smooth interpolation of tables on a regular grid: one polynomial of 16 numbers a cell, on any device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_HERMITE = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [-3, 3, -2, -1], [2, -2, 1, 1]], float)
"""Values at 0 and 1 and slopes at 0 and 1 to the coefficients of a cubic."""


def coefficients(table: np.ndarray) -> np.ndarray:
    """Coefficients (..., Y - 1, X - 1, 16) of the cells of a table (..., Y, X), of y^i x^j at place 4 i + j.

    Values and first derivatives are continuous; the slopes at the nodes are central differences (Catmull & Rom 1974).
    """
    slope_y, slope_x = np.gradient(table, axis=-2), np.gradient(table, axis=-1)
    twist = np.gradient(slope_x, axis=-2)

    def corners(values: np.ndarray) -> np.ndarray:
        """(..., Y - 1, X - 1, 2, 2), first of y, then of x."""
        low, high = values[..., :-1, :], values[..., 1:, :]
        rows = [np.stack([side[..., :-1], side[..., 1:]], -1) for side in (low, high)]
        return np.stack(rows, -2)

    upper = np.concatenate([corners(table), corners(slope_x)], -1)
    lower = np.concatenate([corners(slope_y), corners(twist)], -1)
    given = np.concatenate([upper, lower], -2)
    return (_HERMITE @ given @ _HERMITE.T).reshape(*given.shape[:-2], 16)


def evaluate(cells: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value and its derivatives by y and by x, in units of the grid.

    Args:
        cells: (..., 16) coefficients of the cells that hold the points.
        y: (...) place within the cell, 0 to 1.
        x: (...).
    """
    # Coefficient by coefficient in one piece of memory, which is worth the copy.
    c = cells.reshape(-1, 16).t().contiguous().reshape(4, 4, *y.shape)
    row = torch.addcmul(c[:, 0], x, torch.addcmul(c[:, 1], x, torch.addcmul(c[:, 2], x, c[:, 3])))
    row_by_x = torch.addcmul(c[:, 1], x, torch.addcmul(2 * c[:, 2], x, c[:, 3], value=3))
    value, by_y, by_x = row[3], torch.zeros_like(y), row_by_x[3]
    for i in (2, 1, 0):
        by_y = torch.addcmul(value, y, by_y)
        value = torch.addcmul(row[i], y, value)
        by_x = torch.addcmul(row_by_x[i], y, by_x)
    return value, by_y, by_x
