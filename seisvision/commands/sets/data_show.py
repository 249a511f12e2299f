"""Draw one event of a waveform set: its recordings in seconds and kilometres, with picks.

SET is a folder of the data folder, or any folder in the SeisBench format; EVENT the id of an event, or its number in
the file, from 0. The picture is a PNG; what the set says of the source is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.plain_text import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision data show``."""
    parser.add_argument("set", metavar="SET", help="name of a set in the data folder, or a folder")
    parser.add_argument("event", metavar="EVENT", help="id of an event, or its number from 0")
    parser.add_argument("--out", type=Path, metavar="PICTURE.png", help="picture to write (default EVENT.png here)")
    parser.add_argument("--component", metavar="LETTER", help="Z, N, E, ... (default: the first of these there is)")
    parser.add_argument("--band", type=float, nargs=2, metavar=("LOW", "HIGH"), help="band-pass in Hz (default: none)")
    parser.add_argument("--data-dir", default="data", metavar="DIR", help="folder of all sets (data)")


def run(args: argparse.Namespace) -> int:
    """Draw, print what is known of the event and, last, the path of the picture."""
    from seisvision.errors import ConfigurationError
    from seisvision.files import check_writable_file, safe_name

    out = args.out or Path(f"{safe_name(args.event)}.png")
    if out.suffix.lower() != ".png":
        raise ConfigurationError(f"--out {out} is not allowed; give a name that ends with .png.")
    check_writable_file(out, "--out")
    from seisvision.api.sets import open_set
    from seisvision.base.figure_files import save_figure

    opened = open_set(args.set, args.data_dir)
    number = int(args.event) if args.event.isdigit() and args.event not in opened else None
    if number is not None and number >= len(opened):
        raise ConfigurationError(f"EVENT {number} is not allowed: the set has events 0 to {len(opened) - 1}.")
    event = opened[args.event if number is None else number]
    save_figure(event.plot(component=args.component, band_hz=None if args.band is None else tuple(args.band)), out)
    say(f"event {event.id}")
    for name, value in event.facts().items():
        say(f"  {name:<20}{value}")
    say(out)
    return 0
