"""``seisvision data import``: recordings, catalogues and station tables to one waveform set."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seisvision.errors import ConfigurationError
from seisvision.files import check_writable
from seisvision.plain_text import say
from seisvision.seeding import DEFAULT_SEED

if TYPE_CHECKING:
    from seisvision.data.importing.event_builder import EventResult
    from seisvision.data.importing.recipe import Recipe

SHOWN_REJECTIONS = 15
DESCRIPTION = """Import miniSEED, SAC, SEG-Y, ASDF (or what else obspy reads) with events from QuakeML or a table and
stations from StationXML or a table. Tables are understood by the column names of USGS, FDSN text, SeisBench and
others, may be packed (.csv.gz), and need no renaming; the summary says what each column was taken for.

Several sources, each with its own files and class names, are named in a recipe (see conf/import):
  seisvision data import conf/import/pnw_exotic.yaml --root ../recordings \\
      --out data/pnw_exotic
One source needs no recipe:
  seisvision data import --waveforms DIR --events events.xml \\
      --stations stations.xml --out data/mine
Whatever is not taken is listed with its reason in rejected.csv in the new folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.description = DESCRIPTION
    parser.add_argument("recipe", nargs="?", help="YAML file with sources and settings")
    parser.add_argument("--out", metavar="DIR", help="folder of the new waveform set")
    parser.add_argument("--root", metavar="DIR", help="what ${root} stands for in the recipe")
    parser.add_argument(
        "--set", dest="changes", metavar="KEY=VALUE", action="append", default=[],
        help="change a setting, such as window.length_s=90, association.before_s=40 (of all sources) or "
        "sources.NAME.unit=m/s; may be repeated",
    )  # fmt: skip
    one = parser.add_argument_group("one source, without a recipe")
    one.add_argument("--waveforms", metavar="PATH", action="append", help="folder, file or pattern; may be repeated")
    one.add_argument(
        "--events", metavar="FILE", help="QuakeML, a table or ASDF, sac (from headers) or files (no catalogue)"
    )
    one.add_argument("--stations", metavar="FILE", help="StationXML, a table or ASDF, or sac (from headers)")
    one.add_argument("--picks", metavar="FILE", help="CSV or QuakeML (one per event: ...{event_id}...), events or sac")
    one.add_argument(
        "--associate", metavar="HOW", help="how files find events: name (default), folder, time, sds or sac"
    )
    one.add_argument("--pattern", metavar="REGEX", help="the event id is the first group, in the file or folder name")
    one.add_argument("--source-type", metavar="CLASS", help="class of all events, instead of the catalogue's")
    one.add_argument("--unit", help="unit of the recordings (default counts)")
    one.add_argument("--response", metavar="HOW", help="none (default), gain or remove, from StationXML")
    one.add_argument("--format", metavar="NAME", help="format of the files, such as SEGY or SU, if not recognised")
    one.add_argument("--traces", metavar="FILE", help="CSV of station codes by trace number, for SEG-Y and SU")
    one.add_argument(
        "--undated-s",
        type=float,
        metavar="S",
        help="seconds after the origin at which SEG-Y traces without a date begin",
    )
    one.add_argument(
        "--channel-codes", metavar="NAME=CODE,...", help="codes of channels named otherwise, as in UD=HHZ,NS=HHN,EW=HHE"
    )
    one.add_argument(
        "--orientation", metavar="HOW", help="angles of stations or headers (default), or letters at their word"
    )
    parser.add_argument("--dry-run", action="store_true", help="go through everything and tell, but write nothing")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing set")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core, for work enough)")
    parser.add_argument(
        "--shard", metavar="I/N", help="import only part I of N into DIR.shards; 'seisvision data merge' joins them"
    )
    parser.add_argument("--events-per-chunk", type=int, metavar="N", help="write files of N events each")
    parser.add_argument("--seed", type=int, help=f"base seed of the random shifts (default {DEFAULT_SEED})")


def run(args: argparse.Namespace) -> int:
    """Import, print what became of everything and, last, the path of the set."""
    if args.out is None and not args.dry_run:
        raise ConfigurationError("name the folder of the new set with --out DIR, or add --dry-run to write nothing")
    if args.out is not None and not args.dry_run:
        # Sets are made beside their place and renamed.
        check_writable(Path(args.out).absolute().parent, "--out")
    from seisvision.data.importing.importer import NothingLeftError, run_import
    from seisvision.data.importing.summary import summary

    recipe = _recipe(args)
    if args.shard is not None:
        return _run_shard(args, recipe)
    out = None if args.dry_run else args.out
    settings = {"workers": args.workers, "overwrite": args.overwrite, "events_per_chunk": args.events_per_chunk}
    try:
        report = run_import(recipe, out, progress=_show_progress, **settings)
    except NothingLeftError as nothing:
        say(summary(nothing.report))
        raise
    say(summary(report))
    if args.dry_run:
        for rejection in report.rejections[:SHOWN_REJECTIONS]:
            name = rejection.trace_id or rejection.file
            say(f"  {rejection.source} {rejection.event_id} {name}: {rejection.reason}")
        say(f"dry run: nothing was written; {len(report.rejections)} lines would be in rejected.csv")
    else:
        say(args.out)
    return 0


def _run_shard(args: argparse.Namespace, recipe: Recipe) -> int:
    from seisvision.data.importing.shards import import_shard, parse_shard
    from seisvision.data.importing.summary import summary

    if args.out is None or args.dry_run or args.events_per_chunk is not None:
        raise ConfigurationError("--shard needs --out, and goes with neither --dry-run nor --events-per-chunk")
    settings = {"workers": args.workers, "overwrite": args.overwrite}
    folder, report = import_shard(recipe, args.out, *parse_shard(args.shard), progress=_show_progress, **settings)
    say("this shard is finished already" if report is None else summary(report))
    say(folder)
    return 0


def _recipe(args: argparse.Namespace) -> Recipe:
    from seisvision.data.importing.recipe import SOURCE_KEYS, build_recipe, load_recipe

    flags = (
        "waveforms", "events", "stations", "picks", "associate", "pattern", "source_type", "unit", "response", "format",
        "traces", "undated_s", "orientation", "channel_codes",
    )  # fmt: skip
    given = {name: getattr(args, name) for name in flags if getattr(args, name) is not None}
    changes = args.changes + ([] if args.seed is None else [f"seed={args.seed}"])
    if args.recipe is not None:
        if given:
            names = ", ".join("--" + name.replace("_", "-") for name in given)
            raise ConfigurationError(f"{names} cannot go with a recipe; write it into the recipe, or use --set")
        return load_recipe(args.recipe, args.root, changes)
    if "waveforms" not in given or "events" not in given:
        raise ConfigurationError(
            "give a recipe, or --waveforms and --events (sac for those of SAC headers, files without a catalogue); "
            "'seisvision data import --help' shows both"
        )
    from omegaconf import OmegaConf

    from seisvision.data.importing.settings_file import change_settings

    association = {key: given.pop(flag) for key, flag in (("by", "associate"), ("pattern", "pattern")) if flag in given}
    if "channel_codes" in given:
        given["channel_codes"] = _pairs("--channel-codes", given["channel_codes"])
    name = Path(args.out or "import").name
    plain = {"name": name, "sources": [{"name": name, "association": association} | given]}
    changed: Any = OmegaConf.to_container(change_settings(OmegaConf.create(plain), changes, SOURCE_KEYS))
    return build_recipe(changed)


def _pairs(option: str, text: str) -> dict[str, str]:
    """The pairs of ``A=B,C=D``."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(name and sign for name, sign, _ in pairs):
        raise ConfigurationError(f"{option}={text} must be pairs such as UD=HHZ,NS=HHN,EW=HHE")
    return {name: value for name, _, value in pairs}


def _show_progress(results: Iterable[EventResult], total: int) -> Iterator[EventResult]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(results, description="importing events", total=total, console=console, transient=True)
