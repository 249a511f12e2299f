"""Numbers of events as maps: by cell, magnitude class and step of time before an issue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.grid import Grid
from seisvision.errors import ConfigurationError


class CountMaps:
    """Maps of log(1 + number of events), the oldest step first.

    Args:
        catalogue: complete events.
        grid: cells on a lattice of Y rows and X columns; places of it that are no cell stay empty.
        magnitudes: lower edges of P classes, ascending; what lies below the first is not counted.
        n_steps: L.
        step_days: length of one.

    Raises:
        ConfigurationError: edges fall, or there is no step.
    """

    def __init__(
        self, catalogue: EventCatalogue, grid: Grid, magnitudes: Sequence[float], n_steps: int, step_days: float
    ) -> None:
        edges = np.asarray(magnitudes, float)
        if not len(edges) or (np.diff(edges) <= 0).any() or n_steps < 1 or not step_days > 0:
            raise ConfigurationError(
                f"maps of magnitudes {list(magnitudes)} in {n_steps} steps of {step_days:g} days are none; give rising "
                "magnitudes, one step or more, and days above 0"
            )
        cell = grid.cell_of(catalogue.latitude_deg, catalogue.longitude_deg)
        kind = np.searchsorted(edges, catalogue.magnitude + 1e-4, side="right") - 1
        kept = (cell >= 0) & (kind >= 0)
        place = np.flatnonzero(grid.number >= 0)
        self._time, self._kind, self._place = catalogue.time_days[kept], kind[kept], place[cell[kept]]
        self.n_planes, self.n_steps, self.step_days = len(edges), n_steps, float(step_days)
        self.shape = (grid.n_rows, grid.n_columns)

    @property
    def reach_days(self) -> float:
        """How far back the maps look."""
        return self.n_steps * self.step_days

    def at(self, issue_days: np.ndarray) -> np.ndarray:
        """Maps float32 (B, L, P, Y, X) before each of B issues."""
        size = self.shape[0] * self.shape[1]
        counts = np.zeros((len(issue_days), self.n_steps, self.n_planes, size), dtype=np.float32)
        for one, issue in enumerate(issue_days):
            low, high = np.searchsorted(self._time, [issue - self.reach_days, issue])
            back = np.floor((issue - self._time[low:high]) / self.step_days).astype(int)
            step = self.n_steps - 1 - np.clip(back, 0, self.n_steps - 1)
            np.add.at(counts[one], (step, self._kind[low:high], self._place[low:high]), 1)
        return np.log1p(counts).reshape(*counts.shape[:3], *self.shape)
