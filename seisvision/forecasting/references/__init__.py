"""What any forecast must beat; each learns from the fit and says rates from what is known at each issue.

============ ===================================================================================
``maps``     the mean rate by cell, last year's, and smoothed seismicity with kernels that adapt
``omori``    smoothed seismicity, and what is left of recent events as Omori has it
``etas``     the fitted epidemic-type aftershock sequence
============ ===================================================================================
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from seisvision.catalogues.counting import Windows
from seisvision.forecasting.task import ForecastTask


class Reference(Protocol):
    """A forecast without a network."""

    name: str

    def fit(self, task: ForecastTask) -> None:
        """Learn from the events before the end of the fit."""
        ...

    def rates(self, windows: Windows) -> np.ndarray:
        """Events awaited by window and cell, float64 (W, C), all above 0, from events before each issue only."""
        ...


def references(background: str = "smoothed") -> list[Reference]:
    """All of them, the weakest first; ``background`` is that of ETAS."""
    from seisvision.forecasting.references.etas import Etas
    from seisvision.forecasting.references.maps import LastYear, PoissonMap, Smoothed
    from seisvision.forecasting.references.omori import OmoriSmoothed

    return [PoissonMap(), LastYear(), Smoothed(), OmoriSmoothed(), Etas(background)]
