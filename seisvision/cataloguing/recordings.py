"""Windows of all sensors of an archive, at one rate, with what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfiltfilt

from seisvision.archives.losses import LossBook
from seisvision.archives.reading.channel_grid import Span
from seisvision.archives.reading.listing import list_archive
from seisvision.archives.reading.pieces import SensorReader
from seisvision.archives.reading.sensor_days import SensorDay, plan_days
from seisvision.archives.reading.sensor_grid import SensorLayout
from seisvision.archives.reading.units import amplitude_units
from seisvision.data.importing.tables.station_table import StationTable
from seisvision.data.importing.tables.times import DAY_S, NS

FILTER_ORDER = 2


@dataclass(frozen=True)
class Window:
    """Samples (3, T) Z, N, E in ``unit``, 0 where they are not known (3, T), from ``start_ns`` on."""

    samples: np.ndarray
    known: np.ndarray
    start_ns: int
    unit: str


class Recordings:
    """An archive that is looked at again and again.

    Args:
        patterns: folders, files and patterns.
        stations: angles and sensitivities.
        rate_hz: of the windows.
    """

    def __init__(self, patterns: Sequence[str], stations: StationTable, rate_hz: float) -> None:
        self.rate_hz, self._table = rate_hz, stations.channels
        days, _ = plan_days(list_archive(patterns)[0])
        self._days = {(f"{day.network}.{day.station}", day.day): day for day in days}
        self._open: dict[SensorDay, tuple[SensorReader, SensorLayout, tuple[float, str]]] = {}

    @property
    def days(self) -> list[int]:
        """Days since 1970 with any recording."""
        return sorted({day for _, day in self._days})

    def window(self, station_id: str, start_ns: int, n_samples: int) -> Window | None:
        """Samples from the grid of the day in which the window begins; None where the station has no such day."""
        day = self._days.get((station_id, start_ns // (DAY_S * NS)))
        if day is None:
            day = self._days.get((station_id, (start_ns + round(n_samples / self.rate_hz * NS)) // (DAY_S * NS)))
        if day is None:
            return None
        reader, layout, (scale, unit) = self._opened(day)
        day_start_ns = day.day * DAY_S * NS
        first = round((start_ns - day_start_ns) / NS * self.rate_hz)
        span = Span(first, n_samples, self.rate_hz, day_start_ns)
        begin_ns, end_ns = span.times_ns
        grid = layout.lay_out(reader.read((begin_ns - NS, end_ns + NS)), span, (first, first + n_samples))
        late_ns = round(grid.time_late_s(n_samples // 2) * NS)
        return Window(grid.samples / scale, grid.known, begin_ns + late_ns, unit)

    def _opened(self, day: SensorDay) -> tuple[SensorReader, SensorLayout, tuple[float, str]]:
        if day not in self._open:
            for other in [one for one in self._open if abs(one.day - day.day) > 1]:
                del self._open[other]
            # What is lost was told when the archive was picked.
            book = LossBook(day.codes, day.day * DAY_S * NS, self.rate_hz)
            units = amplitude_units(self._table, day)
            self._open[day] = SensorReader(day, book), SensorLayout(day, self._table, book), units
        return self._open[day]


def band_passed(samples: np.ndarray, known: np.ndarray, rate_hz: float, band_hz: tuple[float, float]) -> np.ndarray:
    """Lines (..., T) float32 band-passed without delay; gaps stay zero, and begin and end without a step."""
    count = np.maximum(known.sum(-1, keepdims=True), 1)
    level = np.where(known, samples - (samples * known).sum(-1, keepdims=True) / count, 0.0)
    high_hz = min(band_hz[1], 0.45 * rate_hz)
    sections = butter(FILTER_ORDER, (band_hz[0], high_hz), "bandpass", fs=rate_hz, output="sos")
    return np.asarray(np.where(known, sosfiltfilt(sections, level, axis=-1), 0.0), np.float32)
