"""The habits: each changes a made tree as some recorder, program or person would."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from habit_tables import CATALOGUES, PICK_TABLES, STATION_TABLES
from true_ground import LENGTH_S, ORIGIN, Sensor, Tree, compress, with_sensors

Habit = Callable[[Tree, np.random.Generator], None]


def rates_almost_equal(tree: Tree, rng: np.random.Generator) -> None:
    """Pieces of a channel whose headers differ in the sixth digit."""
    half = LENGTH_S / 2
    rates = (50.0, 50.0 * (1 + float(rng.choice([-1e-6, 1e-6, 3e-7]))))
    with_sensors(tree.stations[0], segments=((0.0, half), (half, LENGTH_S)), header_rates_hz=rates)


def slower_horizontals(tree: Tree, rng: np.random.Generator) -> None:
    """Horizontals at half the rate of the vertical."""
    for sensor in tree.stations[0].sensors[1:]:
        sensor.rate_hz = 25.0
    tree.may_refuse = True


def turned(tree: Tree, rng: np.random.Generator) -> None:
    """Horizontals that point elsewhere, whatever they are called."""
    azimuth = float(rng.uniform(0, 360))
    letters = "NE" if rng.random() < 0.5 else "12"
    for site in tree.stations:
        for sensor, letter, more in zip(
            site.sensors[1:], letters, (0.0, float(rng.choice([90.0, -90.0]))), strict=True
        ):
            sensor.code, sensor.azimuth_deg = sensor.code[:-1] + letter, (azimuth + more) % 360
    _needs_directions(tree)


def upside_down(tree: Tree, rng: np.random.Generator) -> None:
    """A vertical that counts downwards."""
    tree.stations[0].sensors[0].dip_deg = 90.0
    _needs_directions(tree)


def tilted(tree: Tree, rng: np.random.Generator) -> None:
    """A borehole sensor: three orthogonal directions of no particular kind."""
    matrix = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    letters = ("ZNE", "123", "Z12")[int(rng.integers(3))]
    _point(tree.stations[0].sensors, matrix, letters)
    _needs_directions(tree)


def galperin(tree: Tree, rng: np.random.Generator) -> None:
    """The three oblique masses of a symmetric triaxial sensor."""
    dip = -np.degrees(np.arcsin(1 / np.sqrt(3)))
    for sensor, letter, azimuth in zip(tree.stations[0].sensors, "UVW", (270.0, 30.0, 150.0), strict=True):
        sensor.code, sensor.azimuth_deg, sensor.dip_deg = sensor.code[:-1] + letter, azimuth, float(dip)
    _needs_directions(tree)
    tree.may_refuse = True


def vertical_called_three(tree: Tree, rng: np.random.Generator) -> None:
    """1, 2 horizontal and 3 vertical, or the other way round."""
    for sensor, letter in zip(tree.stations[0].sensors, ("312", "123")[int(rng.integers(2))], strict=True):
        sensor.code = sensor.code[:-1] + letter
    _needs_directions(tree)


def _point(sensors: list[Sensor], matrix: np.ndarray, letters: str) -> None:
    """Let sensors point along the rows (up, north, east) of a matrix."""
    for sensor, (up, north, east), letter in zip(sensors, matrix, letters, strict=True):
        sensor.code = sensor.code[:-1] + letter
        sensor.dip_deg = -float(np.degrees(np.arcsin(np.clip(up, -1, 1))))
        sensor.azimuth_deg = float(np.degrees(np.arctan2(east, north)) % 360)


def _needs_directions(tree: Tree) -> None:
    if tree.format == "MSEED":
        tree.station_table = "xml"
    tree.source |= {"stations": None}


def sentinels(tree: Tree, rng: np.random.Generator) -> None:
    """A short gap written as a number."""
    value = float(rng.choice([-2147483648.0, 1e30, -12345.0, -9999.0, np.nan]))
    tree.may_refuse = True

    def fill(_: Path, stream: Any) -> Any:
        trace = stream[int(rng.integers(len(stream)))]
        begin = int(rng.integers(len(trace) // 3, len(trace) // 2))
        if trace.data.dtype.kind != "i" or abs(value) <= 2**31:
            trace.data[begin : begin + 12] = value
        return stream

    tree.changes.append(fill)


def gaps(tree: Tree, rng: np.random.Generator) -> None:
    """Telemetry that loses pieces, few or many."""
    lost_s, every_s = float(rng.choice([0.1, 0.5, 0.9])), float(rng.choice([1.9, 5.0, 30.0]))
    starts = np.arange(0, LENGTH_S, every_s)
    segments = tuple((float(begin), float(min(LENGTH_S, begin + every_s - lost_s))) for begin in starts)
    with_sensors(tree.stations[1], segments=segments)
    tree.may_refuse = True


def overlaps(tree: Tree, rng: np.random.Generator) -> None:
    """The same samples twice."""
    segments = ((0.0, 50.0), (40.0, LENGTH_S))
    differ = rng.random() < 0.5
    with_sensors(tree.stations[0], segments=segments)
    tree.may_refuse = True

    def spoil(_: Path, stream: Any) -> Any:
        for trace in stream:
            is_second = tree.stations[0].sensors[0].segments == segments
            if differ and is_second and trace.stats.station == tree.stations[0].code and trace.stats.starttime > ORIGIN:
                trace.data[:200] = 50000 * np.sign(trace.data[:200] + 0.5)
        return stream

    tree.changes.append(spoil)


def out_of_order(tree: Tree, rng: np.random.Generator) -> None:
    """Pieces written in any order."""
    cuts = np.concatenate([[0.0], np.sort(np.round(rng.uniform(1, LENGTH_S - 1, 6), 1)), [LENGTH_S]])
    pieces = tuple((float(a), float(b)) for a, b in pairwise(cuts) if b > a)
    with_sensors(tree.stations[0], segments=pieces)

    def shuffle(_: Path, stream: Any) -> Any:
        stream.traces = [stream.traces[i] for i in rng.permutation(len(stream.traces))]
        return stream

    tree.changes.append(shuffle)


def blank_blocks(tree: Tree, rng: np.random.Generator) -> None:
    """Blocks of zeros between good records, as a loss of power leaves them."""
    tree.format, tree.may_refuse = "MSEED", True

    def insert(folder: Path) -> None:
        for path in (folder / "wav").iterdir():
            content = path.read_bytes()
            at = 512 * int(rng.integers(1, len(content) // 512))
            path.write_bytes(content[:at] + bytes(512 * int(rng.integers(1, 4))) + content[at:])

    tree.after.append(insert)


def small_letters(tree: Tree, rng: np.random.Generator) -> None:
    """Channel codes in small letters."""
    for sensor in tree.stations[0].sensors:
        sensor.code = sensor.code.lower()


def locations(tree: Tree, rng: np.random.Generator) -> None:
    """Location codes."""
    tree.stations[0].location = str(rng.choice(["00", "10", ""]))


def gains(tree: Tree, rng: np.random.Generator) -> None:
    """Counts to ground motion, with stations in other units and of other polarity."""
    if tree.format != "MSEED":
        return
    tree.station_table, tree.response = "xml", "gain"
    unit, factor = (("M/S", 1.0), ("NM/S", 1e-9), ("m/s", 1.0), ("CM/S", 1e-2), ("MM/S", 1e-3))[int(rng.integers(5))]
    gain = float(rng.choice([1.0, -1.0])) * float(rng.choice([10.0, 3e6]))
    with_sensors(tree.stations[0], gain=gain * factor, unit=unit)

    # The recording is counts of the true gain; what is said of it is per unit.
    def scale(_: Path, stream: Any) -> Any:
        for trace in stream:
            if trace.stats.station == tree.stations[0].code:
                trace.data = trace.data / factor
        return stream

    tree.changes.append(scale)
    if gain < 0:
        tree.may_refuse = True


def no_gain(tree: Tree, rng: np.random.Generator) -> None:
    """A sensitivity of zero divides nothing."""
    if tree.format != "MSEED":
        return
    tree.station_table, tree.response = "xml", "gain"
    tree.may_refuse = True

    def zero(folder: Path) -> None:
        for path in folder.glob("stations.xml"):
            text = path.read_text()
            path.write_text(text.replace("<Value>1.0</Value>", "<Value>0.0</Value>", 3))

    tree.after.append(zero)


def as_integers(tree: Tree, rng: np.random.Generator) -> None:
    """Counts."""

    def whole(_: Path, stream: Any) -> Any:
        for trace in stream:
            trace.data = np.nan_to_num(np.clip(trace.data, -2147483648, 2147483647)).round().astype(np.int32)
        return stream

    if tree.response == "none":
        tree.changes.append(whole)


def sac_files(tree: Tree, rng: np.random.Generator) -> None:
    """One SAC file a channel, with places and directions in the headers."""
    if not tree.after and tree.response == "none":
        tree.format = "SAC"
        tree.source |= {"association": {"by": "name", "pattern": r"^(.*)\.\d+\.sac$"}}
        tree.source |= {"stations": "sac"}


def decomposed_names(tree: Tree, rng: np.random.Generator) -> None:
    """An id with an accent, composed in the catalogue and decomposed in the file name."""
    if tree.format != "MSEED":
        return
    tree.event["id"] = "évént 1"
    tree.file_name = unicodedata.normalize("NFD", "évént 1") + ".mseed"


def around_the_world(tree: Tree, rng: np.random.Generator) -> None:
    """Longitudes of the other convention."""
    tree.event["longitude_written"] = tree.event["longitude"] % 360


def table_styles(tree: Tree, rng: np.random.Generator) -> None:
    """Catalogues and station tables of other programs."""
    tree.catalogue = str(rng.choice(sorted(CATALOGUES)))
    tree.may_refuse |= tree.catalogue == "day_first"
    if tree.response == "none" and "stations" not in tree.source:
        tree.station_table = str(rng.choice(sorted(STATION_TABLES)))


def compressed_tables(tree: Tree, rng: np.random.Generator) -> None:
    """events.csv.gz."""
    if CATALOGUES[tree.catalogue].endswith(".csv"):
        tree.after.append(lambda folder: compress(folder / CATALOGUES[tree.catalogue]))
        tree.source["compressed"] = True


def pick_tables(tree: Tree, rng: np.random.Generator) -> None:
    """Picks as pickers write them, one of a station of another network and one of another phase among them."""
    tree.picks = str(rng.choice(sorted(PICK_TABLES)))


HABITS: tuple[Habit, ...] = (
    pick_tables, rates_almost_equal, slower_horizontals, turned, upside_down, tilted, galperin, vertical_called_three,
    sentinels, gaps, overlaps, out_of_order, blank_blocks, small_letters, locations, gains, no_gain, as_integers,
    sac_files, decomposed_names, around_the_world, table_styles, compressed_tables,
)  # fmt: skip
DIRECTIONS = (turned, upside_down, tilted, galperin, vertical_called_three)
"""Habits of which a sensor can have one."""
