"""Compare two tables of picks: recall, precision, F1 and residuals by phase, duplicates, stations.

PICKS and --against are tables of seisvision pick, PhaseNet, EQTransformer, SeisBench, GaMMA, PyOcto, QuakeMigrate and
the like, or QuakeML and whatever else ObsPy reads. A pattern in quotes, such as 'x/*_picks.csv', stands for many files.
Intervals of 95 % are drawn over the events of the reference where it names them, else over days, else over hours.
A pick that the reference lacks counts as false: --within 10 judges only what lies close to a pick of the reference.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision score``."""
    parser.add_argument("picks", metavar="PICKS", help="table or QuakeML of picks that is judged")
    parser.add_argument("--against", required=True, metavar="PICKS", help="catalogue or picks that it is judged by")
    parser.add_argument(
        "--tolerance", type=float, nargs="+", default=(0.1, 0.2, 0.5), metavar="S", help="(0.1 0.2 0.5)"
    )
    parser.add_argument("--within", type=float, metavar="S", help="judge only picks so close to one of the reference")
    parser.add_argument("--stations", action="store_true", help="show every station, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it as JSON; -: print that alone")


def run(args: argparse.Namespace) -> int:
    """Print the scores."""
    from seisvision.archives.scoring import residual_text, score_picks, summary_rows
    from seisvision.errors import ConfigurationError
    from seisvision.evaluation.tables import format_measure, render_table
    from seisvision.files import check_writable_file
    from seisvision.records.folder import write_json
    from seisvision.runs.terminal import show

    if min(args.tolerance) <= 0 or (args.within is not None and args.within <= 0):
        raise ConfigurationError("--tolerance and --within must be more than 0 seconds.")
    printed = args.json == Path("-")
    if args.json is not None and not printed:
        check_writable_file(args.json, "--json")
    score = score_picks(read_all(args.picks), read_all(args.against), sorted(args.tolerance), args.within)
    if printed:
        show(json.dumps(score.to_dict(), indent=2))
        return 0
    head, rows = summary_rows(score)
    say(
        render_table(
            head, [[*row[:2], *(format_measure(one, percent=True) for one in row[2:])] for row in rows], "text"
        )
    )
    for phase, one in score.phases.items():
        say(f"{phase}: {one.n} picks against {one.n_reference}; residuals {residual_text(one.residual)}")
        if one.other_phase:
            say(f"{phase}: at {one.other_phase} of those that are missing the other phase was picked")
    said = (f"said twice {score.duplicates[0]}", f"in the reference {score.duplicates[1]}")
    say(f"left out: {', '.join(said)}; not judged, for the reference says nothing there: {score.elsewhere}")
    say(f"intervals over {score.groups[1]} {score.groups[0]}")
    if args.stations:
        head = ["station", "phase", "n", "n_reference", "matched", "median_s"]
        table = [["" if row[key] is None else str(row[key]) for key in head] for row in score.stations]
        say(render_table(head, table, "text"))
    if args.json is not None:
        write_json(args.json, score.to_dict())
        say(args.json)
    return 0


def read_all(pattern: str) -> list:
    """Picks of a file, or of all files that match a pattern; each of several is an event where it names none.

    Raises:
        DataError: nothing matches, or a file cannot be read.
    """
    from seisvision.data.importing.formats.file_lists import list_files
    from seisvision.data.importing.tables.picks import read_picks

    paths = [pattern] if Path(pattern).is_file() else [str(path) for path, _ in list_files([pattern])]
    if len(paths) == 1:
        return read_picks(paths[0])
    picks = []
    for path in paths:
        found = read_picks(path)
        picks += [pick.of(Path(path).stem) if pick.event_id is None else pick for pick in found]
    return picks
