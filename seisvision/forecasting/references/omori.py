"""Smoothed seismicity and, added to it, what recent events leave, decaying as Omori has it."""

from __future__ import annotations

import numpy as np

from seisvision.catalogues.counting import Windows
from seisvision.forecasting.etas.cells import Cells
from seisvision.forecasting.etas.parameters import LOG10, EtasParameters
from seisvision.forecasting.etas.simulation import time_share
from seisvision.forecasting.references.maps import Smoothed
from seisvision.forecasting.task import ForecastTask

POWERS = (0.9, 1.1, 1.3)
C_DAYS = 0.05
GROWTH = 0.8
"""Decades of aftershocks a unit of magnitude."""
REACH_KM = 1.0
"""Of the least magnitude; it grows with the length of the rupture, half a decade a unit."""
ROUNDS = 200
WINDOWS_AT_ONCE = 512


class OmoriSmoothed:
    """Part of the smoothed map, and decaying kernels about each event; the parts and the power of decay are fitted.

    No sequence of sequences, no fitted productivity: what is left of ETAS where nothing is estimated by event.
    """

    name = "omori_smoothed"

    def fit(self, task: ForecastTask) -> None:
        """Fit the two parts for each power of decay by expectation and maximisation, and take the best power."""
        self._task, self._map, self._cells = task, Smoothed(), Cells.of_grid(task.grid)
        self._map.fit(task)
        counts, even = task.fit_counts, self._map.rates(task.fit_windows)
        best = -np.inf
        for power in POWERS:
            decayed = self._decayed(task.fit_windows, power)
            parts = _parts(counts, even, decayed)
            rates = parts[0] * even + parts[1] * decayed
            score = float((counts * np.log(rates) - rates).sum())
            if score > best:
                best, self.power, self.parts = score, power, parts

    def rates(self, windows: Windows) -> np.ndarray:
        """Rates (W, C)."""
        return self.parts[0] * self._map.rates(windows) + self.parts[1] * self._decayed(windows, self.power)

    def _decayed(self, windows: Windows, power: float) -> np.ndarray:
        """Kernels (W, C) of all complete events before each issue, without their common factor."""
        known = self._task.complete
        base = self._task.completeness.base
        kernel = EtasParameters(1.0, 1.0, GROWTH * LOG10, C_DAYS, power, REACH_KM**2, 1.5, LOG10, base)
        x, y = self._task.grid.projection.to_km(known.latitude_deg, known.longitude_deg)
        near = np.isfinite(x + y)
        x, y, time, size = x[near], y[near], known.time_days[near], known.magnitude[near]
        number, spread = kernel.triggered(size), kernel.spread_km2(size)
        result = np.empty((len(windows), len(self._cells)))
        for low in range(0, len(windows), WINDOWS_AT_ONCE):
            part = slice(low, low + WINDOWS_AT_ONCE)
            before = slice(0, int(np.searchsorted(time, windows.issue_days[part][-1])))
            ends = (time_share(edge[part, None] - time[before], kernel)
                    for edge in (windows.begin_days, windows.end_days))  # fmt: skip
            first, last = ends
            weight = np.where(time[before] < windows.issue_days[part, None], last - first, 0) * number[before]
            result[part] = self._cells.sums(weight, x[before], y[before], spread[before], kernel.q - 1)
        return result


def _parts(counts: np.ndarray, even: np.ndarray, decayed: np.ndarray) -> tuple[float, float]:
    """Factors of two rates (W, C) that make the counts most likely."""
    seen = counts > 0
    n, one, other = counts[seen], even[seen], decayed[seen]
    totals = float(even.sum()), float(max(decayed.sum(), 1e-300))
    first, second = 0.5 * n.sum() / totals[0], 0.5 * n.sum() / totals[1]
    for _ in range(ROUNDS):
        chance = first * one / (first * one + second * other)
        first, second = float((n * chance).sum()) / totals[0], float((n * (1 - chance)).sum()) / totals[1]
        # Something of the map always stays: no place is impossible.
        first = max(first, 1e-3)
    return first, second
