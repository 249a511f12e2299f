"""Rates by cell that time does not change, or slowly."""

from __future__ import annotations

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.counting import Windows
from seisvision.forecasting.etas.background import SmoothedBackground
from seisvision.forecasting.etas.cells import Cells
from seisvision.forecasting.task import ForecastTask

KEPT_BACK = 0.2
"""Last part of the fit, on which settings are chosen that the rest was fitted with."""
EVEN_EVENTS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Imagined events, spread evenly over the area, that a map may be mixed with."""
NEIGHBOURS = (2, 3, 5, 8, 13, 21)
YEAR_DAYS = 365.25


def log_scores(shares: np.ndarray, counts: np.ndarray) -> float:
    """Logarithm of the chance of where events fell (C,), given how many there were."""
    seen = counts > 0
    return float((counts[seen] * np.log(shares[seen])).sum())


def _split(task: ForecastTask) -> tuple[EventCatalogue, np.ndarray]:
    """Events of the first part of the fit, and counts (C,) of those awaited in the part kept back."""
    middle = task.fit[1] - KEPT_BACK * (task.fit[1] - task.fit[0])
    late = task.awaited.between(middle, task.fit[1])
    cell = task.grid.cell_of(late.latitude_deg, late.longitude_deg)
    return task.fit_events().between(task.fit[0], middle), np.bincount(cell[cell >= 0], minlength=task.grid.n_cells)


class PoissonMap:
    """The mean rate of each cell in the fit, mixed with some even events; how many, the last fifth of the fit says."""

    name = "poisson"

    def fit(self, task: ForecastTask) -> None:
        """Count."""
        area = task.grid.area_km2()
        self._even = area / area.sum()
        self._grid = task.grid
        early, late = _split(task)
        self.even_events = max(EVEN_EVENTS, key=lambda n: log_scores(self.shares(early, n), late))
        self.share = self.shares(task.fit_events(), self.even_events)
        self.per_day = task.awaited_per_day()

    def shares(self, events: EventCatalogue, even_events: float) -> np.ndarray:
        """Of all events in each cell (C,)."""
        cell = self._grid.cell_of(events.latitude_deg, events.longitude_deg)
        counts = np.bincount(cell[cell >= 0], minlength=self._grid.n_cells)
        return (counts + even_events * self._even) / (counts.sum() + even_events)

    def rates(self, windows: Windows) -> np.ndarray:
        """The same for every window, (W, C)."""
        return np.tile(self.per_day * windows.length_days * self.share, (len(windows), 1))


class LastYear:
    """What the year before each issue counted, mixed with the map of the whole fit."""

    name = "last_year"

    def fit(self, task: ForecastTask) -> None:
        """Fit the map, and choose how many of its events a year is mixed with, by the windows of the last fifth."""
        self._task, self._map = task, PoissonMap()
        self._map.fit(task)
        late = task.fit_windows.issue_days >= task.fit[1] - KEPT_BACK * (task.fit[1] - task.fit[0])
        windows, counts = task.fit_windows.select(late), task.fit_counts[late]

        def score(n: float) -> float:
            self.mixed_events = n
            rates = self.rates(windows)
            return float((counts * np.log(rates) - rates).sum())

        self.mixed_events = max(EVEN_EVENTS, key=score)

    def rates(self, windows: Windows) -> np.ndarray:
        """Rates (W, C) from the observed part of the 365.25 days before each issue."""
        task = self._task
        begin = np.maximum(windows.issue_days - YEAR_DAYS, task.catalogue.begin_day)
        days = windows.issue_days - begin - task.catalogue.gaps.missing_days(begin, windows.issue_days)
        cell = task.grid.cell_of(task.awaited.latitude_deg, task.awaited.longitude_deg)
        time = task.awaited.time_days[cell >= 0]
        cell = cell[cell >= 0]
        first, last = np.searchsorted(time, begin), np.searchsorted(time, windows.issue_days)
        counts = np.stack(
            [np.bincount(cell[low:high], minlength=task.grid.n_cells) for low, high in zip(first, last, strict=True)]
        )
        mixed = counts + self.mixed_events * self._map.share
        # The mixed events bring the days in which the map has as many, so that their rate is that of the map.
        mixed_days = self.mixed_events / self._map.per_day
        return np.asarray(windows.length_days * mixed / (days + mixed_days)[:, None])


class Smoothed:
    """Adaptively smoothed seismicity (Helmstetter et al. 2007); how sharp, the last fifth of the fit says."""

    name = "smoothed"

    def fit(self, task: ForecastTask) -> None:
        """Smooth the complete events of the fit."""
        cells, region = Cells.of_grid(task.grid), task.grid.region
        early, late = _split(task)

        def shares(events: EventCatalogue, neighbours: int) -> np.ndarray:
            x, y = task.grid.projection.to_km(events.latitude_deg, events.longitude_deg)
            found = SmoothedBackground(region, x, y, neighbours=neighbours).shares(cells)
            return np.asarray(found / found.sum())

        enough = len(early) > max(NEIGHBOURS) + 1
        self.neighbours = max(NEIGHBOURS, key=lambda k: log_scores(shares(early, k), late)) if enough else NEIGHBOURS[0]
        self.share = shares(task.fit_events(), self.neighbours)
        self.per_day = task.awaited_per_day()

    def rates(self, windows: Windows) -> np.ndarray:
        """The same for every window, (W, C)."""
        return np.tile(self.per_day * windows.length_days * self.share, (len(windows), 1))
