"""All stations of a network together, read from an archive of single sensors."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import numpy as np

from seisvision.archives.losses import LossBook
from seisvision.archives.reading.channel_grid import Span
from seisvision.archives.reading.listing import list_archive
from seisvision.archives.reading.pieces import SensorReader
from seisvision.archives.reading.resampling import context_s, is_same_rate
from seisvision.archives.reading.sensor_days import SensorDay, plan_days
from seisvision.archives.reading.sensor_grid import SensorLayout
from seisvision.archives.reading.units import amplitude_units
from seisvision.data.importing.tables.channel_table import ChannelTable
from seisvision.data.importing.tables.times import DAY_S, NS
from seisvision.errors import DataError

log = logging.getLogger(__name__)


class NetworkArchive:
    """The recordings of S stations on one time grid, gaps and stations that are not there as masks.

    Args:
        patterns: folders, files or patterns, as ``seisvision pick --waveforms`` takes them.
        names: of the stations, network and code, such as ``OK.BCOK``.
        rate_hz: of the grid, whole numbers a day.
        table: angles and sensitivities of channels; empty where none are known.

    Attributes:
        begin_ns, end_ns: of the earliest and the latest sample of these stations, as the headers say.
        delay_s: so much later than a sample it is known, where recordings are brought to the rate of the grid; known
            once something was read.

    Raises:
        DataError: there are no recordings of any of these stations.
    """

    def __init__(self, patterns: Iterable[str], names: Sequence[str], rate_hz: float, table: ChannelTable) -> None:
        extents, losses = list_archive(patterns)
        self.names, self.rate_hz, self.delay_s = tuple(names), float(rate_hz), 0.0
        self._table = table
        wanted = set(self.names)
        own = [one for one in extents if f"{one.network}.{one.station}" in wanted]
        days, left = plan_days(own)
        if not days:
            others = sorted({f"{one.network}.{one.station}" for one in extents})
            found = f"it has {', '.join(others[:5])}" if others else "nothing in it is a recording"
            raise DataError(
                f"The archive holds none of the {len(names)} stations that the network knows "
                f"({', '.join(self.names[:5])}, ...): {found}. Give the archive of the network it was trained on."
            )
        self.begin_ns, self.end_ns = min(one.start_ns for one in own), max(one.end_ns for one in own)
        self._days = {(one.day, f"{one.network}.{one.station}"): one for one in days}
        self._readers: dict[SensorDay, tuple[SensorReader, SensorLayout, float]] = {}
        for loss in [*losses, *left]:
            log.warning("%s %s is not used: %s (%s)", loss.file, loss.channels, loss.reason, loss.detail)
        there = {station for _, station in self._days}
        absent = [name for name in self.names if name not in there]
        others = sorted({f"{one.network}.{one.station}" for one in extents} - wanted)
        log.info("stations %d of %d are in the archive", len(there), len(self.names))
        if absent:
            log.info("absent   %s", ", ".join(absent))
        if others:
            log.warning("%d stations are not known to the network and left out, such as %s", len(others), others[0])

    def read(self, begin_ns: int, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Z, N and E (S, 3, T) from the sample of the grid at ``begin_ns`` on, and which samples are known (bool).

        Samples are divided by the sensitivity where the table has one for the sensor.
        """
        samples = np.zeros((len(self.names), 3, n_samples), dtype=np.float32)
        known = np.zeros(samples.shape, dtype=bool)
        a_day = round(DAY_S * self.rate_hz)
        first = round(begin_ns / NS * self.rate_hz)
        for day in range(first // a_day, (first + n_samples - 1) // a_day + 1):
            begin, end = max(first, day * a_day), min(first + n_samples, (day + 1) * a_day)
            span = Span(begin - day * a_day, end - begin, self.rate_hz, day * DAY_S * NS)
            for row, name in enumerate(self.names):
                if (sensor_day := self._days.get((day, name))) is not None:
                    part = slice(begin - first, end - first)
                    samples[row, :, part], known[row, :, part] = self._read(sensor_day, span)
        return samples, known

    def _read(self, sensor_day: SensorDay, span: Span) -> tuple[np.ndarray, np.ndarray]:
        if sensor_day not in self._readers:
            book = LossBook(sensor_day.codes, span.day_start_ns, self.rate_hz)
            layout = SensorLayout(sensor_day, self._table, book)
            self._readers[sensor_day] = (
                SensorReader(sensor_day, book),
                layout,
                amplitude_units(self._table, sensor_day)[0],
            )
        reader, layout, sensitivity = self._readers[sensor_day]
        begin_ns, end_ns = span.times_ns
        grid = layout.lay_out(reader.read((begin_ns - NS, end_ns + NS)), span, (span.first, span.first + span.length))
        for rate_hz in {rate for rates in grid.rates_hz.values() for rate in rates}:
            if not is_same_rate(rate_hz, self.rate_hz):
                self.delay_s = max(self.delay_s, context_s(rate_hz, self.rate_hz))
        return grid.samples / sensitivity, grid.known
