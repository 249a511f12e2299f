"""Locate events from arrival times at stations, or from epicentral distances (and back azimuths).

With arrival times OBS holds picks: a CSV table of people, agencies or pickers with an event id, or QuakeML. They need
--stations and --velocity, and give depths, origin times, ellipses and, in QuakeML, residuals. P alone of a station
counts. Picks that cannot be used are listed beside LOC.csv with the reason.

With distances OBS is a CSV table, one row for every station of every event: event_id, station_latitude_deg,
station_longitude_deg, offset_km, and if known offset_sigma_km, back_azimuth_deg, azimuth_sigma_deg, common_share,
station_id, source_origin_time.

Ellipses are sized so that those of 95 % hold 93 to 97 % of the epicentres and those of 68 % hold 65 to 71 %, with five
stations and more, gaps up to 270 degrees, 30 to 4,000 km and normal errors up to an eighth of the distance. They take
errors of different stations to be independent. Errors of a network often are not: common_share (0 to 0.95) says which
share of the error variance all distances of an event have in common. Without offset_sigma_km the size of the errors is
estimated event by event, as proportional to the distance (--errors relative) or as equal (--errors equal); the wrong
choice costs up to 20 points. Where no ellipse can be stated, column reason says why.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from seisvision.location.choices import LEVELS, MODES
from seisvision.plain_text import say

log = logging.getLogger(__name__)

ERRORS = ("relative", "equal")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision locate``."""
    parser.add_argument("observations", type=Path, metavar="OBS", help="picks of events, or distances at stations")
    parser.add_argument("--out", type=Path, required=True, metavar="LOC.csv", help="table of epicentres to write")
    parser.add_argument("--quakeml", type=Path, metavar="OUT.xml", help="write the located events as QuakeML too")
    parser.add_argument("--stations", type=Path, metavar="FILE", help="of picks: table of stations or StationXML")
    parser.add_argument(
        "--velocity",
        metavar="MODEL",
        help="of picks: table with top_km, vp_km_s, vs_km_s; two numbers such as 6.0,3.5 km/s; or iasp91, ak135, ...",
    )
    parser.add_argument(
        "--depths", type=float, nargs=2, metavar="KM", help="of picks: least and greatest depth below the datum"
    )
    parser.add_argument(
        "--sigma", type=float, metavar="S", help="of picks: standard deviation of times that state none"
    )
    parser.add_argument(
        "--mode",
        choices=MODES,
        default="robust",
        help="robust (default): Student-t errors, ellipses; paper: absolute residuals, weights 1, halved grids, "
        "no ellipses",
    )
    parser.add_argument(
        "--errors",
        choices=ERRORS,
        default="relative",
        help="errors of distances without sigmas: relative (default), growing with the distance, or equal",
    )
    parser.add_argument(
        "--level", type=float, choices=LEVELS, default=0.95, help="confidence of the ellipse in QuakeML (default 0.95)"
    )


def run(args: argparse.Namespace) -> int:
    """Locate, write, and print counts and, last, the path of the table of epicentres."""
    from seisvision.errors import ConfigurationError
    from seisvision.files import check_writable_file
    from seisvision.location import catalogue, quakeml

    rejected_path = args.out.with_suffix(".rejected.csv")
    written = [path.resolve() for path in (args.out, rejected_path, args.quakeml) if path is not None]
    if len({*written, args.observations.resolve()}) <= len(written):
        raise ConfigurationError(
            "OBS.csv, --out, its .rejected.csv and --quakeml are the same file; give different names."
        )
    check_writable_file(args.out, "--out")
    if args.quakeml is not None:
        check_writable_file(args.quakeml, "--quakeml")
    if holds_picks(args.observations):
        # Reading picks and stations needs obspy.
        from seisvision.commands import locate_picks

        return locate_picks.run(args, rejected_path)
    observations = catalogue.read_observations(args.observations)
    locations = catalogue.locate_table(observations, args.mode, args.errors)
    rejected = catalogue.rejected_table(observations, locations)
    table = catalogue.locations_table(observations, locations)
    catalogue.write_table(table, args.out)
    catalogue.write_table(rejected, rejected_path)
    if args.quakeml is not None:
        quakeml.write_quakeml(args.quakeml, observations, locations, args.mode, args.level, args.errors)
    located = table["latitude_deg"].notna()
    if len(rejected):
        log.warning("%d of %d rows could not be used; see %s", len(rejected), len(observations.table), rejected_path)
    if not located.all():
        log.warning("%d of %d events could not be located; column reason says why", (~located).sum(), len(table))
    say(f"{located.sum()} of {len(table)} events located, {table['ambiguous'].sum()} of them with a second solution")
    say(args.out)
    return 0


def holds_picks(path: Path) -> bool:
    """Whether a file holds arrival times: it is no CSV table, or one without a column of distances but with phases."""
    if path.suffix.lower() not in (".csv", ".txt", ".picks"):
        return True
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline().lower()
    except OSError:
        return False
    return "offset_km" not in header and any(word in header for word in ("phase", "arrival", "pick"))
