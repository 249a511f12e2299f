"""Ask networks, and triggers with a locator, what they say of events while these arrive.

RUN is a trained network that locates from many stations (view=station_matrix). Each is shown what had come in 0.5 to 30
seconds after the first P. OUT/early_warning.csv holds errors and coverage of place and magnitude, alerts and false
alerts per day of noise, OUT/first_alerts.csv when each was right first, OUT/early_warning.png draws them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision early-warning``."""
    add_what_is_asked(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder of the tables and the figure")
    parser.add_argument("--seconds", type=float, nargs="+", metavar="S", help="since the first P (0.5 to 30)")
    parser.add_argument("--noise-hours", type=float, metavar="H", help="of simulated noise, for false alerts")


def add_what_is_asked(parser: argparse.ArgumentParser) -> None:
    """Runs, the part, the velocities and where the set lies."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a finished training run")
    parser.add_argument("--part", choices=("train", "val", "test"), default="test", help="whose events (default test)")
    parser.add_argument("--velocity", metavar="MODEL", help="of the locator: 6.0,3.5 or ak135; default: the set's own")
    parser.add_argument("--data-dir", type=Path, help="where the waveform set lies (default: as when it was trained)")


def run(args: argparse.Namespace) -> int:
    """Ask, write, and print both tables and, last, the folder."""
    from seisvision.errors import ConfigurationError
    from seisvision.evaluation.tables import render_table
    from seisvision.evaluation.warning.measures import SECONDS, draw_by_time, table_by_time
    from seisvision.experiments.waveforms.early_warning import recordings
    from seisvision.files import check_writable
    from seisvision.location.catalogue import write_table

    seconds = sorted(args.seconds or SECONDS)
    if seconds[0] < 0:
        raise ConfigurationError(f"--seconds {seconds[0]:g} lies before the first P; give seconds from 0.")
    args.out.mkdir(parents=True, exist_ok=True)
    check_writable(args.out, "--out")
    asked = recordings(args.runs, args.part, args.velocity, args.data_dir, args.noise_hours)
    by_time, first_alerts = table_by_time(asked.estimators, asked.truth, seconds, asked.noise)
    tables = {"early_warning": by_time, "first_alerts": first_alerts}
    for name, table in tables.items():
        write_table(table.round(4), args.out / f"{name}.csv")
        rows = [["" if cell == "nan" else cell for cell in map(_text, row)] for row in table.itertuples(index=False)]
        say(render_table(list(table.columns), rows, "text"))
    say(draw_by_time(by_time, args.out / "early_warning.png"))
    say(args.out)
    return 0


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
