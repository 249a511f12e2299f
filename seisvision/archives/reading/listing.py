"""Which channels the files of an archive hold, and when: from names in an SDS, else from the headers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from seisvision.archives.losses import Loss
from seisvision.data.importing.formats.file_lists import list_files
from seisvision.data.importing.formats.miniseed import is_mseed, listed_mseed
from seisvision.data.importing.formats.segment import Segment
from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.sensors.channel_codes import clean_codes
from seisvision.data.importing.tables.times import DAY_S, NS

SDS_NAME = re.compile(
    r"(?P<network>[A-Z0-9]{1,8})\.(?P<station>[A-Z0-9]{1,8})\.(?P<location>[A-Z0-9]{0,8})\."
    r"(?P<channel>[A-Z0-9]{3})\.D\.(?P<year>\d{4})\.(?P<day>\d{3})"
)
"""SeisComP Data Structure: NET.STA.LOC.CHAN.TYPE.YEAR.DAY, below YEAR/NET/STA/CHAN.TYPE."""
SPILL_NS = 60 * NS
"""Files of a day begin with the record that was open at midnight, and end with such a one."""
NOT_RECORDINGS = (".csv", ".txt", ".xml", ".md", ".json", ".yaml", ".log", ".pdf", ".png", ".html")
"""Endings of files that lie beside recordings and are passed over."""


@dataclass(frozen=True, order=True)
class Extent:
    """A channel in a file: codes, file, name below the archive, start and end, and bytes of the file."""

    network: str
    station: str
    location: str
    channel: str
    path: str
    file: str
    start_ns: int
    end_ns: int
    n_bytes: int

    @property
    def sensor(self) -> tuple[str, str, str, str]:
        """Network, station, location, and band and instrument."""
        return self.network, self.station, self.location, self.channel[:-1]


def list_archive(patterns: Iterable[str]) -> tuple[list[Extent], list[Loss]]:
    """All channels of the files behind folders, file names and patterns; what cannot be read, with the reason.

    The name of a file in an SDS is believed, so that an archive of years is listed without opening its files; what
    the records say counts when they are read.

    Raises:
        DataError: a pattern matches nothing.
    """
    extents: list[Extent] = []
    losses: list[Loss] = []
    for path, name in list_files(patterns):
        if path.suffix.lower() in NOT_RECORDINGS:
            continue
        of_name = _by_name(path, name)
        if of_name is not None:
            extents.append(of_name)
            continue
        found, lost = _by_headers(path, name)
        extents += found
        losses += lost
    return sorted(extents), losses


def _by_name(path: Path, name: str) -> Extent | None:
    match = SDS_NAME.fullmatch(path.name)
    if match is None or not path.is_file() or not path.stat().st_size:
        return None
    day = date(int(match["year"]), 1, 1).toordinal() + int(match["day"]) - 1 - date(1970, 1, 1).toordinal()
    start_ns = day * DAY_S * NS
    codes = (match["network"], match["station"], match["location"], match["channel"])
    return Extent(*codes, str(path), name, start_ns, start_ns + DAY_S * NS, path.stat().st_size)


def _by_headers(path: Path, name: str) -> tuple[list[Extent], list[Loss]]:
    lost: list[Refusal] = []
    try:
        segments = _headers(path, lost)
    except Refusal as refusal:
        segments, lost = [], [refusal]
    except OSError as error:
        segments, lost = [], [Refusal("read", "unreadable", f"cannot be opened: {error.strerror or error}")]
    losses = [file_loss(name, refusal) for refusal in lost]
    spans: dict[tuple[str, str, str, str], list[Segment]] = {}
    for segment in segments:
        if segment.flaw is not None:
            losses.append(file_loss(name, segment.flaw, segment))
            continue
        plain = clean_codes(segment, {})
        spans.setdefault((plain.network, plain.station, plain.location, plain.channel), []).append(plain)
    n_bytes = path.stat().st_size if segments else 0
    extents = [
        Extent(
            *codes, str(path), name, min(one.start_ns for one in members), max(one.end_ns for one in members),
            n_bytes // len(spans),
        )
        for codes, members in spans.items()
    ]  # fmt: skip
    return extents, losses


def _headers(path: Path, lost: list[Refusal]) -> list[Segment]:
    if path.is_file() and path.stat().st_size and is_mseed(path):
        quickly = listed_mseed(path)
        if quickly is not None:
            return quickly
    return read_segments(path, None, True, None, lost)


def file_loss(name: str, refusal: Refusal, segment: Segment | None = None) -> Loss:
    """The line of a file, or of a channel in it, that cannot be read."""
    codes = ("", "", "", "")
    if segment is not None:
        codes = (segment.network, segment.station, segment.location, segment.channel)
    return Loss(*codes, name, None, None, refusal.cause, str(refusal), None)


def days_of(extent: Extent) -> range:
    """Days since 1970 that a channel of a file touches."""
    first, last = (int(np.floor_divide(time, DAY_S * NS)) for time in (extent.start_ns, extent.end_ns - 1))
    return range(first, max(first, last) + 1)
