"""Cells of degrees or kilometres over a region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seisvision.catalogues.region import Region
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.projection import Projection
from seisvision.errors import ConfigurationError

ROUNDING = 1e-7
"""Of a cell: 33.1 degrees is in binary a little less, and belongs to the cell that begins there."""
MOST_CELLS = 5_000_000


@dataclass(frozen=True)
class Grid:
    """C cells of equal step whose middles lie in the region; each owns its southern and western edge.

    Args:
        region: what the cells cover; its projection is the plane of everything in km.
        step: side of a cell, in degrees or km.
        in_km: which of the two.
        south, west: lower corner of the whole lattice.
        n_rows, n_columns: of the lattice.
        number: (n_rows * n_columns,) of each place of the lattice among the C cells, -1 where it is none.
    """

    region: Region
    step: float
    in_km: bool
    south: float
    west: float
    n_rows: int
    n_columns: int
    number: np.ndarray

    @classmethod
    def of_km(cls, region: Region, step_km: float) -> Grid:
        """Squares on the plane of the region, which the date line and poles do not disturb.

        Raises:
            ConfigurationError: the step is not above 0, gives more than five million cells, or none.
        """
        _check_step(step_km, "--cell-km")
        west, south = float(region.x_km.min()), float(region.y_km.min())
        n_columns, n_rows = (_steps(float(np.ptp(axis)), step_km) for axis in (region.x_km, region.y_km))
        return cls._within(region, step_km, True, south, west, n_rows, n_columns, "--cell-km")

    @classmethod
    def of_degrees(cls, region: Region, step_deg: float) -> Grid:
        """Cells between meridians and parallels; their areas shrink towards the poles, and are told.

        Raises:
            ConfigurationError: as for :meth:`of_km`.
        """
        _check_step(step_deg, "--cell-deg")
        pole = region.contains(np.array([90.0, -90.0]), np.zeros(2))
        south = -90.0 if pole[1] else float(region.latitude_deg.min())
        north = 90.0 if pole[0] else float(region.latitude_deg.max())
        if pole.any():
            west, width = -180.0, 360.0
        else:
            # Counted from the middle of the region, no region without a pole reaches half a turn.
            turn = (region.longitude_deg - region.projection.longitude_deg + 180) % 360 - 180
            west, width = float(region.projection.longitude_deg + turn.min()), float(np.ptp(turn))
        n_rows, n_columns = _steps(north - south, step_deg), _steps(width, step_deg)
        return cls._within(region, step_deg, False, south, west, n_rows, n_columns, "--cell-deg")

    @classmethod
    def _within(
        cls, region: Region, step: float, in_km: bool, south: float, west: float, n_rows: int, n_columns: int, name: str
    ) -> Grid:
        if n_rows * n_columns > MOST_CELLS:
            raise ConfigurationError(f"{name}={step:g} makes {n_rows * n_columns:,} cells; give larger ones")
        lattice = cls(region, step, in_km, south, west, n_rows, n_columns, np.arange(n_rows * n_columns))
        inside = region.contains_km(*lattice.centres_km())
        if not inside.any():
            raise ConfigurationError(f"{name}={step:g} makes no cell whose middle is in the region; give smaller ones")
        number = np.where(inside, np.cumsum(inside) - 1, -1)
        return cls(region, step, in_km, south, west, n_rows, n_columns, number)

    @property
    def projection(self) -> Projection:
        """The plane of the region."""
        return self.region.projection

    @property
    def n_cells(self) -> int:
        """C."""
        return int((self.number >= 0).sum())

    def cell_of(self, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
        """Number (N,) of the cell of each place, -1 outside of all."""
        if self.in_km:
            across, up = self.projection.to_km(np.asarray(latitude_deg), np.asarray(longitude_deg))
            column = np.floor((across - self.west) / self.step + ROUNDING)
        else:
            up, turn = np.asarray(latitude_deg, float), (np.asarray(longitude_deg, float) - self.west) % 360
            # What lies a hair west of the first meridian is not a whole turn east of it.
            turn = np.where(360 - turn < ROUNDING * self.step, 0.0, turn)
            column = np.floor(turn / self.step + ROUNDING)
        row = np.floor((up - self.south) / self.step + ROUNDING)
        if not self.in_km:
            # The pole itself is in the last row.
            row = np.where(up >= 90, np.minimum(row, self.n_rows - 1), row)
        inside = (row >= 0) & (row < self.n_rows) & (column >= 0) & (column < self.n_columns)
        place = np.where(inside, row * self.n_columns + column, 0).astype(int)
        return np.where(inside, self.number[place], -1)

    def corners_km(self) -> np.ndarray:
        """Corners (C, 4, 2) on the plane, anticlockwise; cells of degrees are taken for quadrangles."""
        row, column = self.rows_and_columns()
        corners = []
        for up, across in ((0, 0), (0, 1), (1, 1), (1, 0)):
            corners.append(np.stack(self._on_plane(row + up, column + across), axis=-1))
        return np.stack(corners, axis=1)

    def centres_km(self) -> tuple[np.ndarray, np.ndarray]:
        """Middles x, y (C,) on the plane."""
        row, column = self.rows_and_columns()
        return self._on_plane(row + 0.5, column + 0.5)

    def centres_deg(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes and longitudes (C,) of the middles."""
        return self.projection.to_degrees(*self.centres_km())

    def area_km2(self) -> np.ndarray:
        """True area (C,) of each cell."""
        if self.in_km:
            return np.full(self.n_cells, self.step**2)
        south = self.south + self.rows_and_columns()[0] * self.step
        north = np.minimum(south + self.step, 90.0)
        height = np.sin(np.radians(north)) - np.sin(np.radians(south))
        return EARTH_RADIUS_KM**2 * np.radians(self.step) * height

    def rows_and_columns(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column (C,) of each cell in the lattice of ``n_rows`` by ``n_columns``, for maps."""
        place = np.flatnonzero(self.number >= 0)
        return place // self.n_columns, place % self.n_columns

    def _on_plane(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        up, across = self.south + row * self.step, self.west + column * self.step
        return (across, up) if self.in_km else self.projection.to_km(np.clip(up, -90, 90), across)


def _check_step(step: float, name: str) -> None:
    if not (np.isfinite(step) and step > 0):
        raise ConfigurationError(f"{name}={step:g} is no size of a cell; give a number above 0")


def _steps(width: float, step: float) -> int:
    return max(1, int(np.ceil(width / step - ROUNDING)))
