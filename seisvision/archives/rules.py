"""Days of sensors picked by a rule that learns nothing, in place of a network."""

from __future__ import annotations

import hashlib

import numpy as np

from seisvision.archives.around import Around
from seisvision.archives.day_picking import DayResult
from seisvision.archives.losses import LossBook
from seisvision.archives.peaks import amplitude
from seisvision.archives.pick_table import ArchivePick
from seisvision.archives.reading.channel_grid import Span
from seisvision.archives.reading.pieces import SensorReader
from seisvision.archives.reading.sensor_days import SensorDay
from seisvision.archives.reading.sensor_grid import SensorGrid, SensorLayout
from seisvision.archives.reading.units import amplitude_units
from seisvision.archives.settings import PickSettings
from seisvision.data.importing.tables.channel_table import ChannelTable
from seisvision.data.importing.tables.times import DAY_S, NS
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.picking import pal

RULES = ("pal",)
RATE_HZ = 100.0
"""Of the recordings where none is asked for."""
MARGIN_S = 30.0
HALF = 0.5
"""Probability at the trigger of a rule: clarity c becomes c / (c + 1)."""
PHASES = ("P", "S")


def rule_fingerprint(rule: str) -> str:
    """Name of a rule with what it depends on: a table that was begun with one is not gone on with by another.

    Raises:
        ConfigurationError: there is no such rule.
    """
    if rule not in RULES:
        raise ConfigurationError(f"--rule {rule} is unknown. {did_you_mean(rule, list(RULES))}")
    about = (pal.BAND_HZ, pal.DETECT_S, pal.P_S, pal.S_S, pal.TRIGGER, pal.S_TRIGGER, pal.APART_S)
    return f"{rule} {hashlib.sha256(repr(about).encode()).hexdigest()[:8]}"


class RulePicker:
    """Picks days of sensors by the rule of PAL; see :class:`~seisvision.archives.day_picking.DayPicker`."""

    def __init__(self, settings: PickSettings, table: ChannelTable | None = None, around: Around | None = None) -> None:
        self._settings, self._around = settings, around
        self._table = ChannelTable() if table is None else table
        self.rate_hz = float(settings.rate_hz or RATE_HZ)
        self._heard_hz = self.rate_hz / settings.stretch
        odds = {phase: settings.thresholds.get(phase, HALF) for phase in PHASES}
        factor = {phase: value / max(1e-9, 1 - value) for phase, value in odds.items()}
        self._trigger, self._s_trigger = pal.TRIGGER * factor["P"], pal.S_TRIGGER * factor["S"]

    def pick(self, sensor_day: SensorDay) -> DayResult:
        """Pick one day; what its files say of other days is left to those."""
        day_start_ns = sensor_day.day * DAY_S * NS
        book = LossBook(sensor_day.codes, day_start_ns, self.rate_hz)
        reader, layout = SensorReader(sensor_day, book), SensorLayout(sensor_day, self._table, book)
        units = amplitude_units(self._table, sensor_day)
        picks: list[ArchivePick] = []
        n_known, margin = 0, round(MARGIN_S * self.rate_hz)
        n_samples, size = round(DAY_S * self.rate_hz), round(self._settings.piece_s * self.rate_hz)
        for begin in range(0, n_samples, size):
            owned = (begin, min(begin + size, n_samples))
            if not self._wanted(day_start_ns, owned):
                continue
            span = Span(begin - margin, owned[1] - begin + 2 * margin, self.rate_hz, day_start_ns)
            begin_ns, end_ns = span.times_ns
            grid = layout.lay_out(reader.read((begin_ns - NS, end_ns + NS)), span, owned)
            inside = slice(margin, margin + owned[1] - begin)
            n_known += int(np.count_nonzero(grid.known[:, inside].any(axis=0)))
            picks += self._picks(grid, inside, sensor_day, units)
        return DayResult(sorted(picks), book.losses(), n_known / self.rate_hz)

    def _wanted(self, day_start_ns: int, owned: tuple[int, int]) -> bool:
        if self._around is None:
            return True
        return bool(self._around.samples(day_start_ns, self.rate_hz, owned[0], owned[1] - owned[0]).any())

    def _picks(
        self, grid: SensorGrid, inside: slice, sensor_day: SensorDay, units: tuple[float, str]
    ) -> list[ArchivePick]:
        found = []
        for pick in pal.pal_picks(grid.samples, grid.known, self._heard_hz, self._trigger, self._s_trigger):
            if not inside.start <= pick.sample < inside.stop:
                continue
            at = grid.span.first + pick.sample
            odds = pick.clarity * (
                self._trigger / pal.TRIGGER if pick.phase == "P" else self._s_trigger / pal.S_TRIGGER
            )
            scaled, unit = units
            letters = dict.fromkeys(
                "".join(made for made, known in zip(grid.channels, grid.known[:, pick.sample], strict=True) if known)
            )
            time_s = at / self.rate_hz + grid.time_late_s(pick.sample)
            found.append(
                ArchivePick(
                    grid.span.day_start_ns + round(time_s * NS),
                    *sensor_day.codes,
                    " ".join(sensor_day.band + letter for letter in letters),
                    pick.phase,
                    odds / (1 + odds),
                    amplitude(grid.samples, grid.known, pick.sample, self.rate_hz) / scaled,
                    unit,
                    np.nan,
                    1,
                )
            )
        if self._around is None or not found:
            return found
        first, length = grid.span.first, grid.span.length
        wanted = self._around.samples(grid.span.day_start_ns, self.rate_hz, first, length)
        late = [round((pick.time_ns - grid.span.day_start_ns) / NS * self.rate_hz) - first for pick in found]
        return [pick for pick, at in zip(found, late, strict=True) if wanted[min(max(at, 0), length - 1)]]
