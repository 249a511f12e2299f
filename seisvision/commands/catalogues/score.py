"""Compare a catalogue with another: recall, precision, duplicates, completeness, and how far the places are apart.

Two events are one where their origin times are 2 s and their epicentres 10 km apart at most. Writes score.json and
score.html (map, depth section, time line, magnitudes) into the folder of the catalogue.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision catalogue score``."""
    parser.add_argument("catalogue", type=Path, metavar="DIR", help="folder of a catalogue, or a table or QuakeML")
    parser.add_argument("--against", type=Path, required=True, metavar="CATALOGUE", help="table or QuakeML")
    parser.add_argument("--within-s", type=float, default=2.0, metavar="S", help="of origin times (2)")
    parser.add_argument("--within-km", type=float, default=10.0, metavar="KM", help="of epicentres (10)")
    parser.add_argument(
        "--required", nargs="+", default=[], metavar="CONDITION",
        help="events of the reference that must be found, such as clear_stations>=6 kind=event; others may be found",
    )  # fmt: skip
    parser.add_argument(
        "--judged", nargs="+", default=[], metavar="CONDITION", help="events of the catalogue that are judged"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where score.json and score.html go")


def run(args: argparse.Namespace) -> int:
    """Compare, print the measures and, last, the path of the page."""
    from seisvision.cataloguing.score_page import page
    from seisvision.cataloguing.scoring import read_catalogue, score_catalogue
    from seisvision.files import check_writable, write_text
    from seisvision.records.folder import write_json

    path = args.catalogue / "catalogue.csv" if args.catalogue.is_dir() else args.catalogue
    out = args.out or path.parent
    check_writable(out, "--out")
    judged, reference = read_catalogue(path, args.judged), read_catalogue(args.against, args.required)
    score = score_catalogue(judged, reference, args.within_s, args.within_km)
    for name, (value, low, high, n) in score.shares.items():
        say(f"{name}: {value:.3f} [{low:.3f}, {high:.3f}] of {n}")
    say(f"false: {len(score.false)}, twice: {len(score.duplicates)}, missed: {len(score.missed)}")
    for name in score.apart:
        values = score.apart[name].dropna()
        if len(values):
            say(f"{name}: median {values.median():+.3f}, of the absolute values {values.abs().median():.3f}")
    write_json(out / "score.json", score.to_dict())
    write_text(out / "score.html", page(f"{path.parent.name or path.name}", judged, reference, score))
    say(out / "score.html")
    return 0
