"""The unit of amplitudes: of ground motion where the stations say what a count is, else counts."""

from __future__ import annotations

import math

import numpy as np

from seisvision.archives.reading.sensor_days import SensorDay
from seisvision.data.importing.formats.segment import Segment
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.channel_table import ChannelTable
from seisvision.data.importing.tables.times import DAY_S, NS
from seisvision.data.importing.tables.units import COUNTS


def amplitude_units(table: ChannelTable, sensor_day: SensorDay) -> tuple[float, str]:
    """What samples are divided by, and the unit that this gives; counts unless all channels of the sensor agree."""
    found = set()
    for letter in sensor_day.letters:
        codes = (*sensor_day.codes, sensor_day.band + letter)
        recorded = Segment(*codes, sensor_day.day * DAY_S * NS, 1.0, DAY_S, np.empty(0))
        try:
            value, unit = table.sensitivity(recorded)
        except Refusal:
            return 1.0, COUNTS
        found.add((float(f"{abs(value):.6g}"), unit))
    if len(found) != 1:
        return 1.0, COUNTS
    value, unit = found.pop()
    return (value, unit) if unit and math.isfinite(value) and value > 0 else (1.0, COUNTS)
