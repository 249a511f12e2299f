"""Picks as QuakeML 1.2, written line by line so that a table of any length fits into memory.

The schema knows picks only within events: those of a day stand in one event without origin, of type "not reported".
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from seisvision import spreadsheets
from seisvision.files import whole_file
from seisvision.location.quakeml import resource_id
from seisvision.plain_text import STEERING

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<q:quakeml xmlns="http://quakeml.org/xmlns/bed/1.2" xmlns:q="http://quakeml.org/xmlns/quakeml/1.2">\n'
)


def write_picks_quakeml(table: Path, path: Path) -> int:
    """Write the picks of a table of :mod:`seisvision.archives.pick_table` as QuakeML, in order of their days.

    Returns:
        Number of picks.
    """
    n_picks = 0
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.write(HEAD + f" <eventParameters publicID={quoteattr(resource_id('picks', path.stem))}>\n")
        with table.open(newline="", encoding="utf-8") as lines:
            for day, rows in itertools.groupby(_rows(lines), lambda row: row["time"][:10]):
                # Picks just before midnight may belong to a day of another sensor that comes later.
                identifier = resource_id("picks", day, str(n_picks))
                file.write(f"  <event publicID={quoteattr(identifier)}>\n   <type>not reported</type>\n")
                for row in rows:
                    file.write(_pick(row, resource_id("pick", str(n_picks))))
                    n_picks += 1
                file.write("  </event>\n")
        file.write(" </eventParameters>\n</q:quakeml>\n")
    return n_picks


def _rows(lines: object) -> Iterator[dict[str, str]]:
    return iter(spreadsheets.DictReader(lines))  # type: ignore[arg-type]


def _pick(row: Mapping[str, str], identifier: str) -> str:
    # Codes in headers of recordings may hold anything, and XML cannot say everything.
    row = {name: STEERING.sub(" ", text) for name, text in row.items()}
    codes = {
        "networkCode": row["network"],
        "stationCode": row["station"],
        "locationCode": row["location"],
        "channelCode": row["channels"].split(" ")[0],
    }
    stream = " ".join(f"{name}={quoteattr(code)}" for name, code in codes.items() if code or name != "locationCode")
    said = f"probability {row['probability']}; amplitude {row['amplitude']} {row['amplitude_unit']}"
    return (
        f"   <pick publicID={quoteattr(identifier)}>\n"
        f"    <time><value>{escape(row['time'])}</value></time>\n"
        f"    <waveformID {stream}/>\n"
        f"    <phaseHint>{escape(row['phase'])}</phaseHint>\n"
        "    <evaluationMode>automatic</evaluationMode>\n"
        f"    <comment><text>{escape(said)}</text></comment>\n"
        "   </pick>\n"
    )
