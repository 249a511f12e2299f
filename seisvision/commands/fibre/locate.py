"""Pick and locate along a fibre as channels trigger, and say how near two seconds after the first.

SET is a waveform set of a fibre (seisvision fibre import, seisvision fibre synth). Locations are made at 101, 121, 141,
... picks; the latest within two seconds counts, or the one whose standard deviations sum up to the least (--choose
least-error). Two rows an event: every channel (raw), and channels so far apart that their errors are their own
(thinned), which alone have ellipses. A straight fibre cannot tell its sides apart: both solutions are given.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision fibre locate``."""
    parser.add_argument("set", type=Path, metavar="SET", help="waveform set of a fibre")
    parser.add_argument("--out", type=Path, required=True, metavar="LOC.csv", help="table to write; a figure beside it")
    parser.add_argument("--velocity", default="6.0,3.46", metavar="VP,VS", help="km/s, or simulated: that of the set")
    parser.add_argument("--sigma", type=float, default=0.1, metavar="S", help="standard deviation of a pick (0.1)")
    parser.add_argument("--correlation", type=float, default=3.0, metavar="KM", help="picks kept so far apart (3)")
    parser.add_argument("--on", type=float, default=6.0, metavar="RATIO", help="ratio at which a channel triggers (6)")
    parser.add_argument(
        "--choose", choices=("latest", "least-error"), default="latest", help="the location that counts"
    )


def run(args: argparse.Namespace) -> int:
    """Locate, write table and figure, and print what came of it."""
    from seisvision.data.fibre.synthesis import crust
    from seisvision.earth.travel_time_table import TravelTimes
    from seisvision.errors import ConfigurationError
    from seisvision.evaluation.fibre import FibreSettings, draw, located_set, summary, table_of
    from seisvision.files import check_writable_file
    from seisvision.location.catalogue import write_table

    check_writable_file(args.out, "--out")
    if args.velocity == "simulated":
        times = crust()
    else:
        try:
            vp_km_s, vs_km_s = (float(text) for text in args.velocity.split(","))
        except ValueError as error:
            raise ConfigurationError(f"--velocity {args.velocity}: give two numbers such as 6.0,3.46.") from error
        times = TravelTimes.constant(vp_km_s, vs_km_s)
    settings = FibreSettings.of(args.on, args.sigma, args.correlation, args.choose)
    events = list(located_set(args.set, times, settings))
    table = table_of(events)
    write_table(table, args.out)
    for line in summary(table):
        say(line)
    say(draw(events, args.out.with_suffix(".png")))
    say(args.out)
    return 0
