"""Files of other programs: hypoDD reads phases and differential times, GaMMA picks; what they find is read back.

Formats as in the manual of hypoDD (Waldhauser 2001, USGS Open-File Report 01-113) and the readme of GaMMA.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from seisvision.cataloguing.association.protocol import Network
from seisvision.cataloguing.relocation.double_difference import CC, CT, Links
from seisvision.cataloguing.windows import Events
from seisvision.data.importing.tables.times import NS, format_ns, time_ns
from seisvision.errors import DataError
from seisvision.files import write_text
from seisvision.location.catalogue import write_table

RELOC_COLUMNS = 24
GAMMA = ("id", "timestamp", "type", "prob", "amp")


def write_hypodd(folder: Path, network: Network, events: Events, links: Links) -> None:
    """``phase.dat``, ``station.dat``, ``dt.ct`` and ``dt.cc``; events count from 1, in their order."""
    codes = [name.partition(".")[2] for name in network.station_id]
    places = zip(codes, network.latitude_deg, network.longitude_deg, network.elevation_km, strict=True)
    lines = [f"{code} {lat:.6f} {lon:.6f} {round(1000 * up)}" for code, lat, lon, up in places]
    write_text(folder / "station.dat", "\n".join(lines) + "\n")
    lines = []
    for row in range(len(events)):
        text = format_ns(int(events.origin_ns[row]))
        date, clock = text[:10].replace("-", " "), f"{text[11:13]} {text[14:16]} {text[17:23]}"
        place = f"{events.latitude_deg[row]:.6f} {events.longitude_deg[row]:.6f} {events.depth_km[row]:.3f}"
        lines.append(f"# {date} {clock} {place} 0.0 0.0 0.0 0.0 {row + 1}")
        for station, phase in np.argwhere(events.is_picked[row]).tolist():
            travel_s = (int(events.arrival_ns[row, station, phase]) - int(events.origin_ns[row])) / NS
            lines.append(f"{codes[station]} {travel_s:.4f} 1.0 {'PS'[phase]}")
    write_text(folder / "phase.dat", "\n".join(lines) + "\n")
    _write_differences(folder / "dt.ct", links, CT, codes, events)
    _write_differences(folder / "dt.cc", links, CC, codes, events)
    write_text(folder / "events.txt", "".join(f"{row + 1} {name}\n" for row, name in enumerate(events.event_id)))


def _write_differences(path: Path, links: Links, kind: int, codes: list[str], events: Events) -> None:
    lines: list[str] = []
    before = (-1, -1)
    for at in np.flatnonzero(links.kind == kind).tolist():
        pair = (int(links.first[at]), int(links.second[at]))
        station, phase = int(links.station[at]), int(links.phase[at])
        if pair != before:
            # Origin times are those of phase.dat: no correction.
            lines.append(f"# {pair[0] + 1} {pair[1] + 1}" + ("" if kind == CT else " 0.0"))
            before = pair
        if kind == CT:
            times = [(int(events.arrival_ns[row, station, phase]) - int(events.origin_ns[row])) / NS for row in pair]
            lines.append(f"{codes[station]} {times[0]:.4f} {times[1]:.4f} {links.weight[at]:.4f} {'PS'[phase]}")
        else:
            lines.append(f"{codes[station]} {links.difference_s[at]:.6f} {links.weight[at]:.4f} {'PS'[phase]}")
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_differences(path: Path) -> pd.DataFrame:
    """``dt.ct`` or ``dt.cc`` as rows ``first, second, station, phase, difference_s, weight``.

    Raises:
        DataError: a line is none of such a file.
    """
    rows, pair = [], (0, 0)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        cells = line.split()
        try:
            if cells[0] == "#":
                pair = (int(cells[1]), int(cells[2]))
            elif len(cells) == 5:
                rows.append((*pair, cells[0], cells[4], float(cells[1]) - float(cells[2]), float(cells[3])))
            else:
                rows.append((*pair, cells[0], cells[3], float(cells[1]), float(cells[2])))
        except (IndexError, ValueError) as error:
            raise DataError(f"{path}, line {number}: '{line[:60]}' is no line of differential times.") from error
    return pd.DataFrame(rows, columns=["first", "second", "station", "phase", "difference_s", "weight"])


def read_hypodd(path: Path, names: Mapping[int, str]) -> pd.DataFrame:
    """Events of ``hypoDD.reloc`` as ``event_id, time, latitude_deg, longitude_deg, depth_km, magnitude``.

    Args:
        path: the file that hypoDD has written.
        names: ids of the events by their numbers, as in ``events.txt``.

    Raises:
        DataError: a line has other columns.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        cells = line.split()
        try:
            if len(cells) != RELOC_COLUMNS:
                raise ValueError(f"{len(cells)} columns")
            year, month, day, hour, minute = (int(cell) for cell in cells[10:15])
            zero_ns = time_ns(f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:00Z")
            rows.append(
                {
                    "event_id": names.get(int(cells[0]), cells[0]),
                    "time": format_ns(zero_ns + round(float(cells[15]) * NS)),
                    "latitude_deg": float(cells[1]),
                    "longitude_deg": float(cells[2]),
                    "depth_km": float(cells[3]),
                    "magnitude": float(cells[16]),
                }
            )
        except ValueError as error:
            raise DataError(f"{path}, line {number}: no line of hypoDD.reloc ({error}).") from error
    return pd.DataFrame(rows)


def write_gamma(path: Path, picks: pd.DataFrame) -> None:
    """Picks (columns of ``picks.csv``) as GaMMA reads them: ``id, timestamp, type, prob, amp``."""
    table = pd.DataFrame(
        {
            "id": picks["network"].fillna("") + "." + picks["station"],
            "timestamp": picks["time"].str.rstrip("Z"),
            "type": picks["phase"].str.lower(),
            "prob": picks["probability"],
            "amp": picks.get("amplitude", np.nan),
        }
    )
    write_table(table[list(GAMMA)], path)


def read_gamma(events: Path, picks: Path) -> pd.DataFrame:
    """Picks with the events that GaMMA gave them, as ``associated.csv`` has them.

    Args:
        events: its catalogue, with ``event_index`` and ``time``.
        picks: its picks, with ``id, timestamp, type, prob, event_index``; those of event -1 belong to none.

    Raises:
        DataError: a column is missing.
    """
    found, table = pd.read_csv(events), pd.read_csv(picks)
    for frame, path, needed in ((found, events, ("event_index",)), (table, picks, (*GAMMA[:4], "event_index"))):
        missing = [name for name in needed if name not in frame]
        if missing:
            raise DataError(f"{path} has no column {missing[0]}; give what GaMMA has written.")
    table = table[table["event_index"].isin(found["event_index"])]
    code = table["id"].str.split(".", expand=True)
    return pd.DataFrame(
        {
            "event_id": "g" + table["event_index"].astype(str),
            "network": code[0],
            "station": code[1],
            "phase": table["type"].str.upper(),
            "time": table["timestamp"] + "Z",
            "probability": table["prob"],
        }
    ).reset_index(drop=True)
