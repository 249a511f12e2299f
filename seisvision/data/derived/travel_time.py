"""How long a wave was on its way: arrival less origin time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from seisvision.data.derived.column import Fitted, MeasuredColumn
from seisvision.data.samples.arrivals import PHASES, table_arrivals_s
from seisvision.data.samples.event_index import times_s
from seisvision.errors import ConfigurationError, did_you_mean


class TravelTime(MeasuredColumn):
    """Seconds from the origin time to an arrival of the metadata table, as Mousavi and Beroza (2020) learn them.

    Not known where the table lacks arrival, origin time or start of the trace, or says that the wave arrived before
    the event.

    Args:
        phase: ``P`` or ``S``.

    Raises:
        ConfigurationError: another phase.
    """

    of_event = False
    columns = ("source_origin_time", "trace_start_time")

    def __init__(self, phase: str) -> None:
        if phase not in PHASES:
            raise ConfigurationError(f"phase='{phase}' has no travel time here. {did_you_mean(phase, list(PHASES))}")
        self.phase = phase

    def apply(self, table: pd.DataFrame, fitted: Fitted) -> np.ndarray:
        """Travel times (N,) in s."""
        arrival_s = table_arrivals_s(table)[:, PHASES.index(self.phase)]
        travel_s = arrival_s + times_s(table, "trace_start_time") - times_s(table, "source_origin_time")
        return np.where(travel_s >= 0, travel_s, np.nan)
