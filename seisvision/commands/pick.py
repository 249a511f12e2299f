"""Pick arrivals in an archive of continuous recordings, of any length, with a trained network or a rule.

ARCHIVE is any folder, file or pattern: miniSEED in whatever order, an SDS, or what else ObsPy reads. Every day of every
station is picked by itself and kept beside the table (PICKS.csv.work), so that the same command goes on after any
interruption, and picks only what is new when the archive has grown. PICKS.losses.csv lists what was not picked and
why: gaps, files that cannot be read, dead channels, missing components, pieces that contradict each other.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

import yaml

from seisvision.plain_text import say

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision pick``."""
    parser.add_argument("--ckpt", type=Path, metavar="RUN", help="run, checkpoint, PhaseNet weights, or pick-small")
    parser.add_argument("--rule", metavar="NAME", help="pick by a rule instead, without a network: pal")
    parser.add_argument("--waveforms", nargs="+", required=True, metavar="ARCHIVE", help="folders, files, patterns")
    parser.add_argument("--out", type=Path, required=True, metavar="PICKS.csv", help="table of picks to write")
    parser.add_argument("--quakeml", type=Path, metavar="PICKS.xml", help="write the picks as QuakeML, too")
    parser.add_argument("--stations", metavar="FILE", help="StationXML or CSV: angles of channels 1 and 2, units")
    parser.add_argument("--around", type=Path, metavar="TIMES.csv", help="pick only around the times of this table")
    parser.add_argument(
        "--around-s", type=float, nargs=2, default=(30.0, 120.0), metavar=("BEFORE", "AFTER"), help="how far (30 120)"
    )
    parser.add_argument(
        "--threshold", nargs="+", default=[], metavar="P=0.3", help="least probability, of all phases or by phase (0.3)"
    )
    parser.add_argument("--overlap", type=float, default=0.5, help="part of a window that the next one sees (0.5)")
    parser.add_argument("--blind", type=float, metavar="S", help="seconds at ends of windows that do not count")
    parser.add_argument("--stack", default="mean", help="mean (default) or max of the windows that see a sample")
    parser.add_argument("--separation", type=float, default=0.5, metavar="S", help="between picks of a phase (0.5)")
    parser.add_argument("--shortest", type=float, default=2.0, metavar="S", help="pieces that are picked (2)")
    parser.add_argument("--windows", default="grid", help="grid (default), or blocks: as SeisBench lays and fills them")
    parser.add_argument("--piece", type=float, default=7200.0, metavar="S", help="read and computed at a time (7200)")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="windows at a time (32)")
    parser.add_argument(
        "--rate", type=float, metavar="HZ", help="give recordings to the network at this rate instead of its own"
    )
    parser.add_argument(
        "--stretch", type=float, default=1.0, metavar="N", help="events are N times as short as those rules know (1)"
    )
    parser.add_argument("--bands", nargs="+", default=[], metavar="HH", help="pick only these, the first one there is")
    parser.add_argument("--all-sensors", action="store_true", help="pick every sensor of a station, not the best one")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes of this machine (1)")
    parser.add_argument("--launcher", choices=("slurm",), help="pick in jobs of a cluster instead")
    parser.add_argument(
        "--launcher-set", nargs="+", default=[], metavar="KEY=VALUE", help="its settings, as of launcher=slurm"
    )
    parser.add_argument("--shares", type=int, metavar="N", help="jobs (64), or shares that the workers take in turn")


def run(args: argparse.Namespace) -> int:
    """Pick, print what the tables hold and, last, the path of the table of picks."""
    from seisvision.errors import ConfigurationError
    from seisvision.files import check_writable_file

    for option, path in (("--out", args.out), ("--quakeml", args.quakeml)):
        if path is not None:
            check_writable_file(path, option)
    if args.out.suffix != ".csv":
        raise ConfigurationError(f"--out {args.out} is not allowed; give a name that ends with .csv.")
    from seisvision.archives.around import read_around
    from seisvision.archives.pick_table import COLUMNS
    from seisvision.archives.picking import PickJob, pick_archive
    from seisvision.archives.quakeml import write_picks_quakeml
    from seisvision.archives.settings import PickSettings
    from seisvision.archives.work_folder import losses_path
    from seisvision.own_files import check_own

    check_own({args.out: ",".join(COLUMNS[:4])}, "--out", False)
    settings = PickSettings(
        thresholds(args.threshold),
        args.overlap,
        args.blind,
        args.stack,
        args.separation,
        args.shortest,
        args.windows,
        args.piece,
        args.batch_size,
        args.rate,
        tuple(args.bands),
        args.all_sensors,
        args.stretch,
    )
    around = None if args.around is None else read_around(args.around, *args.around_s)
    launcher, n_shares = launching(args)
    job = PickJob(
        args.ckpt, tuple(args.waveforms), args.out, settings, args.stations, around, args.device, launcher, n_shares,
        args.rule,
    )  # fmt: skip
    summary = pick_archive(job)
    if summary is None:
        return 0
    if args.quakeml is not None:
        write_picks_quakeml(args.out, args.quakeml)
    tell(summary)
    say(losses_path(args.out))
    say(args.out)
    return 0


def thresholds(words: list[str]) -> dict[str, float]:
    """Probability by phase; a number alone holds for P and S.

    Raises:
        ConfigurationError: a word is neither.
    """
    from seisvision.errors import ConfigurationError

    found: dict[str, float] = {}
    for word in words:
        phase, _, value = word.rpartition("=")
        try:
            found |= {name: float(value) for name in ([phase] if phase else ["P", "S"])}
        except ValueError:
            raise ConfigurationError(f"--threshold {word} is not allowed; give 0.3, or P=0.3 S=0.5.") from None
    return found


def launching(args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Settings of the launcher, as in ``conf/launcher``, and the number of shares.

    Raises:
        ConfigurationError: a setting is none, or a number is not allowed.
    """
    from seisvision.errors import ConfigurationError

    if args.workers < 1 or (args.shares is not None and args.shares < 1):
        raise ConfigurationError("--workers and --shares must be at least 1.")
    if args.launcher is None:
        if args.launcher_set:
            raise ConfigurationError("--launcher-set says how a launcher works; add --launcher slurm.")
        many = args.workers > 1
        local = {"kind": "local_parallel", "n_jobs": args.workers} if many else {"kind": "local"}
        return local, args.shares or args.workers
    settings: dict[str, Any] = {"kind": args.launcher}
    for word in args.launcher_set:
        key, is_set, value = word.partition("=")
        if not is_set:
            raise ConfigurationError(f"--launcher-set {word} is not allowed; give KEY=VALUE, such as time_min=120.")
        try:
            settings[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigurationError(f"--launcher-set {word} cannot be read: {error}") from error
    return settings, args.shares or 64


def tell(summary: dict[str, Any]) -> None:
    """What the tables hold."""
    say(f"{summary['picks']} picks in {summary['picked_s'] / 3600:.1f} h of {summary['days']} days of sensors")
    lost = sorted(summary["lost_s"].items(), key=lambda item: -item[1])
    for reason, seconds in lost:
        say(f"  not picked: {seconds / 3600:8.2f} h  {reason}")
