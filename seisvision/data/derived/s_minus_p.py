"""How far a source was: S less P, and two velocities."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seisvision.data.derived.column import Fitted, MeasuredColumn
from seisvision.data.samples.arrivals import table_arrivals_s
from seisvision.errors import ConfigurationError


class SMinusPDistance(MeasuredColumn):
    """Hypocentral distance in km of a uniform crust, from P and S of the metadata table.

    It is for sets of picks without places. With the velocities given it is 8.2 km for each second between P and S. Not
    known where an arrival is not, or where S does not follow P.

    Args:
        p_velocity_km_s: velocity of P.
        vp_vs: ratio of the velocities of P and S.

    Raises:
        ConfigurationError: velocities that no crust has.
    """

    of_event = False
    columns = ()

    def __init__(self, p_velocity_km_s: float = 6.0, vp_vs: float = 1.73) -> None:
        if not p_velocity_km_s > 0 or not vp_vs > 1:
            raise ConfigurationError(
                f"p_velocity_km_s={p_velocity_km_s} and vp_vs={vp_vs} give no distance. The velocity must be positive "
                "and the ratio larger than 1."
            )
        self.km_per_s = p_velocity_km_s / (vp_vs - 1.0)

    def apply(self, table: pd.DataFrame, fitted: Fitted) -> np.ndarray:
        """Distances (N,) in km."""
        p_s, s_s = table_arrivals_s(table).T
        return np.where(s_s > p_s, (s_s - p_s) * self.km_per_s, np.nan)
