"""Days of the sensor that is picked at each station: the unit of work, of resuming and of files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from seisvision.archives.losses import Loss
from seisvision.archives.reading.listing import SPILL_NS, Extent, days_of
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.sensors.channel_codes import LETTERS, check_code
from seisvision.data.importing.tables.times import DAY_S, NS

BANDS = ("HH", "BH", "EH", "SH", "CH", "DH", "GH", "FH", "DP", "GP", "EP", "HP", "SP", "HN", "EN", "BN")
"""Bands and instruments in the order in which they are picked: broad-band, short-period, geophones, accelerometers."""


@dataclass(frozen=True, order=True)
class SensorDay:
    """A sensor on a day, in UTC, and the files that hold it.

    Args:
        day: days since 1970.
        band: band and instrument, the first two letters of its channels.
        letters: last letters of its channels, in order.
        files: (path, name) of all files with a channel of it on this day or close to it.
        n_bytes: of these files, as a measure of the work.
    """

    day: int
    network: str
    station: str
    location: str
    band: str
    letters: str
    files: tuple[tuple[str, str], ...]
    n_bytes: int = 0

    @property
    def name(self) -> str:
        """Such as ``ZZ.ST01..EH.2009-01-21``."""
        return ".".join((self.network, self.station, self.location, self.band, self.date))

    @property
    def date(self) -> str:
        """Such as ``2009-01-21``."""
        return date.fromordinal(date(1970, 1, 1).toordinal() + self.day).isoformat()

    @property
    def codes(self) -> tuple[str, str, str]:
        """Network, station and location."""
        return self.network, self.station, self.location


def plan_days(
    extents: Sequence[Extent], bands: Sequence[str] = (), all_sensors: bool = False
) -> tuple[list[SensorDay], list[Loss]]:
    """The days to pick, in order, and what is left aside.

    One sensor of a station is picked on a day, so that an onset is not picked twice: the one with most of Z, N and E
    (or what may be turned to them), then the first in ``bands``, then the first location.

    Args:
        bands: such as HH and EN; only these, in this order. Empty: all, in the order of :data:`BANDS`.
        all_sensors: pick every sensor, each by itself.
    """
    sensors: dict[tuple[int, str, str], dict[tuple[str, str], list[Extent]]] = {}
    losses = []
    for extent in extents:
        reason = _unwanted(extent.channel, bands)
        if reason is not None:
            losses.append(_left(extent, "not_used", reason))
            continue
        for day in days_of(extent):
            at_station = sensors.setdefault((day, extent.network, extent.station), {})
            at_station.setdefault((extent.location, extent.channel[:-1]), []).append(extent)
    near = _by_sensor(extents)
    days = []
    order = list(bands) or list(BANDS)
    for (day, network, station), at_station in sorted(sensors.items()):
        ranked = sorted(at_station, key=lambda key: _rank(key, at_station[key], order))
        for number, key in enumerate(ranked):
            if number and not all_sensors:
                what = ".".join(("", *ranked[0])).lstrip(".")
                losses += [_on_day(extent, day, f"{what} is picked") for extent in at_station[key]]
                continue
            letters = "".join(sorted({extent.channel[-1] for extent in at_station[key]}, key=LETTERS.index))
            files = _files_near(near[(network, station, *key)], day)
            n_bytes = sum(extent.n_bytes for extent in at_station[key])
            days.append(SensorDay(day, network, station, *key, letters, files, n_bytes))
    return sorted(days), losses


def _unwanted(channel: str, bands: Collection[str]) -> str | None:
    try:
        check_code(channel)
    except Refusal as refusal:
        return str(refusal)
    if channel[-1] not in LETTERS:
        return f"channel {channel} names no component"
    return f"{channel[:-1]} is not among {', '.join(bands)}" if bands and channel[:-1] not in bands else None


def _rank(key: tuple[str, str], members: Iterable[Extent], order: Sequence[str]) -> tuple[int, int, str, str]:
    location, band = key
    n_letters = min(3, len({extent.channel[-1] for extent in members}))
    return -n_letters, order.index(band) if band in order else len(order), location, band


def _by_sensor(extents: Iterable[Extent]) -> dict[tuple[str, str, str, str], list[Extent]]:
    near: dict[tuple[str, str, str, str], list[Extent]] = {}
    for extent in extents:
        near.setdefault(extent.sensor, []).append(extent)
    return near


def _files_near(extents: Iterable[Extent], day: int) -> tuple[tuple[str, str], ...]:
    """Files that may hold samples of the day, or of the windows that reach beyond its ends."""
    begin_ns, end_ns = day * DAY_S * NS, (day + 1) * DAY_S * NS
    reach_ns = 10 * SPILL_NS
    return tuple(
        sorted(
            {
                (extent.path, extent.file)
                for extent in extents
                if extent.start_ns - reach_ns < end_ns and extent.end_ns + reach_ns > begin_ns
            }
        )
    )


def _left(extent: Extent, reason: str, detail: str) -> Loss:
    codes = (extent.network, extent.station, extent.location, extent.channel)
    seconds = (extent.end_ns - extent.start_ns) / NS
    return Loss(*codes, extent.file, extent.start_ns, extent.end_ns, reason, detail, seconds)


def _on_day(extent: Extent, day: int, detail: str) -> Loss:
    whole = _left(extent, "other_sensor", detail)
    start_ns, end_ns = max(extent.start_ns, day * DAY_S * NS), min(extent.end_ns, (day + 1) * DAY_S * NS)
    codes = (whole.network, whole.station, whole.location, whole.channels, whole.file)
    return Loss(*codes, start_ns, end_ns, whole.reason, whole.detail, (end_ns - start_ns) / NS)
