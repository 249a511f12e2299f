"""Picks from CSV tables of people, agencies and pickers, whose columns are known by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.data.importing.tables.leap_seconds import without_leap_seconds
from seisvision.data.importing.tables.pick import Pick, code, mode_and_status, stream_codes
from seisvision.data.importing.tables.text_tables import NAN, NUMBER, read_csv
from seisvision.data.importing.tables.times import time_ns
from seisvision.errors import DataError, did_you_mean

COLUMNS = {
    "event": ("event_id", "source_id", "event", "evid", "event_index", "event_idx"),
    "station": (
        "station", "station_code", "station_id", "sta", "trace_id", "seed_id", "waveform_id", "kstnm", "station_name",
        "id",
    ),
    "network": ("network", "station_network_code", "network_code", "net", "knetwk"),
    "location": ("location", "station_location_code", "location_code", "loc", "khole"),
    "channel": ("channel", "channel_code", "seedchan", "cha", "chan", "instrument_type"),
    "phase": ("phase", "phase_hint", "phase_type", "phase_name", "phase_label", "iphase", "type"),
    "time": (
        "pick_time", "arrival_time", "phase_time", "peak_time", "datetime.1", "to_timestamp.1", "timestamp", "time",
        "datetime",
    ),
    "date": ("pick_date", "arrival_date", "phase_date", "date"),
    "arrival": ("arrival", "pick"),
    "origin": ("origin_time", "source_origin_time", "event_time", "event_origin_time"),
    "begin": ("begin_time",),
    "index": ("phase_index",),
    "rate": ("sampling_rate", "sampling_rate_hz"),
    "probability": ("probability", "phase_score", "peak_value", "prob", "score", "confidence"),
    "uncertainty": ("uncertainty_s", "pick_error", "time_uncertainty", "pick_uncertainty", "uncertainty", "time_error"),
    "mode": ("evaluation_mode", "pick_mode", "mode", "rflag"),
    "status": ("evaluation_status", "pick_status", "status"),
    "weight": ("weight", "pick_weight", "hypo71_weight", "phase_weight", "wt"),
    "author": ("author", "picker", "agency", "agency_id", "model", "subsource"),
}  # fmt: skip
"""Meaning to the names of its column, the first that is there; case, blanks and underscores do not matter.

Names of QuakeMigrate, PhaseNet (begin_time ... phase_type), GaMMA (id, timestamp, type, prob, event_index), SeisBench
(trace_id, peak_time, peak_value, phase), PyOcto and AQMS (evid, iphase, net, sta, seedchan)."""
AQMS = {"datetime1": "datetime", "totimestamp1": "totimestamp"}
"""Columns of arrival and origin time in a query of AQMS, where both have one name; both count leap seconds."""
WIDE = {
    "time": re.compile(r"(?:trace)?([ps])(?:(?:arrival|pick|phase)(?:time)?|time)"),
    "probability": re.compile(r"(?:trace)?([ps])(?:probability|prob|score)"),
    "status": re.compile(r"(?:trace)?([ps])status"),
}
"""Meaning to the names in a table with P and S in one row, as EQTransformer writes it. Its ``p_uncertainty`` is the
spread of a probability, no time."""
NO_PICK = ("", "-1", "-1.0", "nan", "nat", "none", "null", "na", "--", "-12345", "-12345.0")
"""What tables write in place of a time."""
BEYOND_NS = 1e20
"""No time is so late."""
GENERAL = ("timestamp", "time", "datetime")
"""Names of a column of times that do not say of what."""
WEIGHTS = ("0", "1", "2", "3", "4")
"""Weights of HYPO71, the last of which means that a pick is not used. Other programs write weights from 0 to 1."""
TIME_OF_DAY = re.compile(r"\d{1,2}:\d{1,2}(:\d{1,2}([.,]\d*)?)?[Zz]?")


def table_picks(file: Path) -> list[Pick]:
    """Picks of a table, in the order of its rows; a row without a time is none.

    Raises:
        DataError: the file is no table, or has no column for station, phase or time.
    """
    table = read_csv(file)
    plain: dict[str, str] = {}
    for name in table:
        plain.setdefault(_plain(name), name)
    columns = {meaning: name for meaning in COLUMNS if (name := _column(plain, meaning)) is not None}
    wide = _wide_columns(plain) if "phase" not in columns else {}
    _prefer_arrivals(columns, table)
    if "weight" in columns and not set(table[columns["weight"]].str.strip()) <= {*WEIGHTS, ""}:
        del columns["weight"]
    _check(file, list(table), columns, wide)
    of_aqms = next((key for key in AQMS if key in plain and plain[key] == columns.get("time")), None)
    if of_aqms is not None:
        columns["origin"] = plain[AQMS[of_aqms]]
    picks = [pick for row in table.to_dict("records") for pick in _row_picks(row, columns, wide, file)]
    return picks if of_aqms is None else [_in_utc(pick) for pick in picks]


def _in_utc(pick: Pick) -> Pick:
    times = (pick.time_ns, pick.origin_ns)
    time, origin = (None if moment is None else without_leap_seconds(moment) for moment in times)
    return replace(pick, time_ns=time, origin_ns=origin)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _column(plain: Mapping[str, str], meaning: str) -> str | None:
    return next((plain[key] for name in COLUMNS[meaning] if (key := _plain(name)) in plain), None)


def _prefer_arrivals(columns: dict[str, str], table: pd.DataFrame) -> None:
    """Where ``arrival`` or ``pick`` holds times, a column ``time`` beside it is that of the origin, in place."""
    arrival = columns.pop("arrival", None)
    texts = [] if arrival is None else [text for text in table[arrival] if text.strip().lower() not in NO_PICK]
    if arrival is None or not texts or any(moment_ns(text.strip()) is None for text in texts):
        return
    time = columns.get("time")
    if time is None or _plain(time) in GENERAL:
        columns["time"] = arrival
        if time is not None:
            columns.setdefault("origin", time)


def _wide_columns(plain: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Phase to meaning to column."""
    wide: dict[str, dict[str, str]] = {}
    for key, name in plain.items():
        for meaning, pattern in WIDE.items():
            if match := pattern.fullmatch(key):
                wide.setdefault(match[1].upper(), {}).setdefault(meaning, name)
    return {phase: columns for phase, columns in wide.items() if "time" in columns}


def _check(file: Path, names: list[str], columns: Mapping[str, str], wide: Mapping[str, Any]) -> None:
    if "station" not in columns and {"itp", "its"} & set(names):
        raise DataError(
            f"{file} counts picks in samples of files (itp, its); write them with station_id and phase_time"
        )
    if "time" not in columns and "index" in columns and "rate" not in columns and not wide:
        raise DataError(
            f"{file} counts picks in samples ('{columns['index']}'); add a column phase_time, or sampling_rate_hz"
        )
    timed = "time" in columns or {"begin", "index", "rate"} <= set(columns)
    missing = [name for name, there in (("phase", "phase" in columns), ("pick_time", timed)) if not there and not wide]
    missing = (["station"] if "station" not in columns else []) + missing
    if missing:
        raise DataError(f"{file} has no column '{missing[0]}'. {did_you_mean(missing[0], names)}")


def _row_picks(
    row: Mapping[str, str], columns: Mapping[str, str], wide: Mapping[str, Mapping[str, str]], file: Path
) -> Iterator[Pick]:
    cells = {meaning: row[name].strip() for meaning, name in columns.items()}
    if not wide:
        yield from _pick(cells, file)
    for phase, names in wide.items():
        yield from _pick(
            cells | {"phase": phase} | {meaning: row[name].strip() for meaning, name in names.items()}, file
        )


def _pick(cells: Mapping[str, str], file: Path) -> Iterator[Pick]:
    text = cells.get("time", "") if "time" in cells else _counted(cells)
    if text.lower() in NO_PICK:
        return
    if cells.get("date") and TIME_OF_DAY.fullmatch(text):
        text = f"{cells['date']} {text}"
    network, station, location, channel = stream_codes(cells["station"])
    mode, status = mode_and_status(cells.get("mode", "") + " " + cells.get("status", ""))
    moment = moment_ns(text)
    yield Pick(
        station,
        cells["phase"],
        moment,
        text if moment is None else "",
        network or code(cells.get("network")),
        location or code(cells.get("location")),
        channel or code(cells.get("channel")),
        cells.get("event"),
        moment_ns(cells.get("origin", "")),
        mode,
        status,
        code(cells.get("author")),
        _positive(cells.get("probability", "")),
        _positive(cells.get("uncertainty", "")),
        file=file.name,
        weight=int(cells["weight"]) if cells.get("weight") else None,
    )


def _counted(cells: Mapping[str, str]) -> str:
    """Time of a pick that is counted in samples; what cannot be counted stays as it is written."""
    begin_ns, index, rate_hz = moment_ns(cells["begin"]), _positive(cells["index"]), _positive(cells["rate"])
    if begin_ns is None or not index >= 0 or not rate_hz > 0:
        return f"{cells['begin']} + {cells['index']} samples"
    return str(np.datetime64(begin_ns + round(index / rate_hz * 1e9), "ns"))


def moment_ns(text: str) -> int | None:
    """Nanoseconds since 1970 of a time, or of a number that counts from 1970; None where it is neither."""
    is_number = NUMBER.fullmatch(text) is not None
    if is_number and not 0 <= float(text) < BEYOND_NS:
        return None
    try:
        # Tables of numbers write 1.5832983675E9.
        return time_ns(f"{Decimal(text):f}" if is_number else text)
    except ValueError:
        return None


def _positive(text: str) -> float:
    """The number in a cell; NaN for none, for what is no number and for the -1 that stands for none."""
    try:
        number = float(text)
    except ValueError:
        return NAN
    return number if number >= 0 else NAN
