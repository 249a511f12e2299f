"""Events in the order of their cells, so that what a cell saw before any day is found at once."""

from __future__ import annotations

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.grid import Grid


class Histories:
    """The events of each of C cells, and of all cells together as a last, (C + 1)th, history.

    Times are observed days since the begin of the catalogue: gaps do not count, so that nothing takes them for quiet.

    Args:
        catalogue: complete events; those in no cell are left out.
        grid: C cells.

    Attributes:
        first: (C + 2,) where the events of each history begin, and the end of the last.
        time_days: (N,) observed days, ascending within each history.
        magnitude: (N,).
        n: number of histories, C + 1.
    """

    def __init__(self, catalogue: EventCatalogue, grid: Grid) -> None:
        self._begin, self._gaps = catalogue.begin_day, catalogue.gaps
        cell = grid.cell_of(catalogue.latitude_deg, catalogue.longitude_deg)
        inside = np.flatnonzero(cell >= 0)
        self.n = grid.n_cells + 1
        # Events come in the order of time, and a stable sort by cell keeps it.
        order = np.concatenate([inside[np.argsort(cell[inside], kind="stable")], inside])
        owner = np.concatenate([np.sort(cell[inside], kind="stable"), np.full(len(inside), grid.n_cells)])
        self.first = np.searchsorted(owner, np.arange(self.n + 1))
        self.time_days = self.observed(catalogue.time_days[order])
        self.magnitude = catalogue.magnitude[order]
        self._width = self.observed(np.array([catalogue.end_day]))[0] + 1.0
        self._key = owner * self._width + self.time_days

    def observed(self, day: np.ndarray) -> np.ndarray:
        """Observed days from the begin of the catalogue to each day (since 1970), of any shape."""
        missing = self._gaps.missing_days(np.full(np.shape(day), self._begin), np.maximum(day, self._begin))
        return np.maximum(np.asarray(day, float) - self._begin, 0) - missing

    def before(self, observed_days: np.ndarray) -> np.ndarray:
        """Place (L, C + 1) behind the last event before each of L observed days, in each history."""
        day = np.clip(observed_days, 0.0, self._width)
        return np.searchsorted(self._key, np.arange(self.n) * self._width + day[:, None])
