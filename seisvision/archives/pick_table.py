"""Tables of picks: their columns, and how values are written."""

from __future__ import annotations

import math
from dataclasses import dataclass

from seisvision.data.importing.tables.times import format_ns

COLUMNS = (
    "network", "station", "location", "channels", "phase", "time", "probability", "amplitude", "amplitude_unit",
    "window_residual_s", "windows",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class ArchivePick:
    """A pick, in the order of :data:`COLUMNS` but that the time comes first.

    Args:
        channels: that hold samples at the pick, with blanks between them.
        probability: height of the stacked curve.
        amplitude: see ``peaks.amplitude``; NaN where it is not known.
        amplitude_unit: m, m/s or m/s**2 where the stations say the sensitivity, else counts.
        window_residual_s: by how much the last window that sees it puts it later than the first; NaN where only one
            does, or one sees nothing.
        windows: number that see it.
    """

    time_ns: int
    network: str
    station: str
    location: str
    channels: str
    phase: str
    probability: float
    amplitude: float
    amplitude_unit: str
    window_residual_s: float
    windows: int

    def row(self) -> list[str]:
        """Cells in the order of :data:`COLUMNS`; times are UTC, to the microsecond."""
        return [
            self.network,
            self.station,
            self.location,
            self.channels,
            self.phase,
            format_ns(self.time_ns),
            f"{self.probability:.4f}",
            _number(self.amplitude, ".6g"),
            self.amplitude_unit,
            _number(self.window_residual_s, ".3f"),
            str(self.windows),
        ]


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else f"{value + 0.0:{form}}"
