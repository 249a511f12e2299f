"""The fitted ETAS as a reference."""

from __future__ import annotations

import numpy as np

from seisvision.catalogues.counting import Windows
from seisvision.forecasting.etas.data import EtasData
from seisvision.forecasting.etas.fitting import EtasFit, fit_etas
from seisvision.forecasting.etas.likelihood import log_likelihood
from seisvision.forecasting.etas.pairs import AllPairs
from seisvision.forecasting.etas.rates import expected_counts, simulated_numbers
from seisvision.forecasting.task import ForecastTask

LARGEST_ABOVE_SEEN = 1.0
"""The largest magnitude to come exceeds the largest of the catalogue before the test by this."""


class Etas:
    """Space-time ETAS with a smoothed background, fitted to the complete events of region and fit."""

    name = "etas"

    def __init__(self, background: str = "smoothed") -> None:
        self._background = background

    def fit(self, task: ForecastTask) -> None:
        """Fit by maximum likelihood."""
        self._task = task
        before = task.complete.between(task.catalogue.begin_day, task.fit[1])
        largest = float(before.magnitude.max()) + LARGEST_ABOVE_SEEN
        data = EtasData.of(task.catalogue, task.grid.region, task.fit, task.completeness, largest_magnitude=largest)
        self.result: EtasFit = fit_etas(data, self._background)

    def tell_from(self, task: ForecastTask) -> None:
        """Say rates from the events of another task from now on, with the parameters of the fit.

        Folds are fitted without the days of their validation, but what is said of these rests on all events before.
        """
        self._task = task

    def rates(self, windows: Windows) -> np.ndarray:
        """Rates (W, C)."""
        fit, task = self.result, self._task
        return expected_counts(fit.parameters, fit.background, task.complete, windows, task.grid, task.magnitude)

    def numbers(self, windows: Windows, draws: np.random.Generator, n_simulations: int = 1000) -> np.ndarray:
        """Numbers of events in all cells drawn for each window (W, R)."""
        fit, task = self.result, self._task
        return simulated_numbers(
            fit.parameters, fit.background, task.complete, windows, task.grid, task.magnitude, draws, n_simulations
        )

    def log_likelihood(self, span: tuple[float, float]) -> tuple[float, float, int]:
        """Logarithms of the likelihood of times and places in a span, when each next event is told from all before.

        Returns:
            That of ETAS, that of its background alone at the rate of the fit (a Poisson process of smoothed places),
            and the number of events.
        """
        fit, task = self.result, self._task
        largest = fit.parameters.largest_magnitude
        data = EtasData.of(task.catalogue, task.grid.region, span, task.completeness, fit.parameters.b, largest)
        density = fit.background.density(data.x_km[data.target], data.y_km[data.target])
        value = log_likelihood(fit.parameters.to_vector(), data, density, AllPairs(data))[0]
        learnt = EtasData.of(task.catalogue, task.grid.region, task.fit, task.completeness, fit.parameters.b, largest)
        per_day = len(learnt.target) / learnt.observed_days
        even = float((np.log(per_day * density) + data.log_weight).sum()) - per_day * data.observed_days
        return value, even, len(data.target)
