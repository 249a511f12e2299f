"""Make a waveform set of synthetic events: surface and body waves of known sources, with noise and data faults.

With --continuous instead an archive of continuous recordings of a local network, with gaps, a clock that is wrong and
families that repeat, and its true catalogue: what a catalogue made from recordings is scored against.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import fields
from pathlib import Path

from seisvision.data.synthesis.parameters import GEOMETRIES, SOURCE_TYPES, SynthesisParameters
from seisvision.data.synthesis_local.scene import ContinuousParameters
from seisvision.earth.constants import EARTH_MODELS
from seisvision.errors import ConfigurationError
from seisvision.files import check_writable
from seisvision.plain_text import results_console, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision data synth``."""
    default = SynthesisParameters()
    # The defaults are those of the parameters, so help and configuration cannot disagree.
    parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
    options = parser.add_argument_group("what to make")
    options.add_argument("--n-events", type=int, default=default.n_events, metavar="N", help="number of events")
    options.add_argument(
        "--classes", nargs="+", default=default.classes, metavar="TYPE", help=f"source types: {', '.join(SOURCE_TYPES)}"
    )
    options.add_argument(
        "--noise-db",
        type=float,
        default=default.noise_db,
        metavar="DB",
        help="difficulty: -60 is clean, 0 a real network, 10 hard",
    )
    options.add_argument(
        "--sampling-rate-hz", type=float, default=default.sampling_rate_hz, metavar="HZ", help="samples a second"
    )
    options.add_argument(
        "--length-s", type=float, default=default.length_s, metavar="S", help="trace length with the lead"
    )
    options.add_argument(
        "--lead-s", type=float, default=default.lead_s, metavar="S", help="part of it recorded before the origin time"
    )
    _add_range(options, "--n-stations", int, default.n_stations, "stations of an event")
    _add_range(options, "--offset-range-deg", float, default.offset_range_deg, "epicentral distances in degrees")
    _add_range(options, "--magnitude", float, default.magnitude, "magnitudes of tectonic and glacial events")
    options.add_argument("--geometry", choices=GEOMETRIES, default=default.geometry, help="new stations every event?")
    options.add_argument("--earth-model", choices=EARTH_MODELS, default=default.earth_model, help="reference model")
    for name in ("heterogeneity", "fault", "coda"):
        value = getattr(default, name)
        options.add_argument(f"--{name}", type=float, default=value, metavar="SCALE", help=f"scale of {name}, 0: none")
    options.add_argument("--seed", type=int, default=default.seed, help="base seed")
    where = parser.add_argument_group("where and how")
    where.add_argument("--out", type=Path, metavar="FOLDER", help="folder of the set, instead of one under --data-dir")
    where.add_argument("--data-dir", type=Path, default=Path("data"), metavar="FOLDER", help="folder of all sets")
    continuous = parser.add_argument_group("a continuous recording")
    continuous.add_argument("--continuous", action="store_true", help="make an archive; needs --out and takes --seed")
    scene = ContinuousParameters()
    for name, kind, subject in CONTINUOUS:
        value = getattr(scene, name)
        option = f"--{name.replace('_', '-')}"
        continuous.add_argument(option, type=kind, default=value, metavar="X", help=subject)
    where.add_argument("--processes", type=int, metavar="N", help="worker processes, by default one per core")


CONTINUOUS = (
    ("hours", float, "length of the recording"),
    ("n_earthquakes", int, "events of the true catalogue"),
    ("n_repeats", int, "weak copies of earthquakes of the families"),
    ("n_families", int, "places where earthquakes repeat"),
    ("network_size", int, "stations"),
    ("repeat_snr", float, "S wave of a repeat over noise"),
    ("radius_km", float, "of the network"),
)


def _add_range(group: argparse._ArgumentGroup, name: str, kind: type, default: tuple, subject: str) -> None:
    group.add_argument(
        name, nargs=2, type=kind, default=default, metavar=("MIN", "MAX"), help=f"smallest and largest: {subject}"
    )


def run(args: argparse.Namespace) -> int:
    """Make the set unless it exists, print a summary and, last, its folder."""
    if args.continuous:
        return _make_continuous(args)
    names = [field.name for field in fields(SynthesisParameters)]
    parameters = SynthesisParameters.from_mapping({name: getattr(args, name) for name in names})
    if args.out is not None:
        check_writable(args.out.absolute().parent, "--out")
    started = time.perf_counter()
    path = _make(parameters, args)
    _print_summary(path, time.perf_counter() - started)
    say(path)
    return 0


def _make_continuous(args: argparse.Namespace) -> int:
    """Make an archive and print its folder."""
    from seisvision.data.synthesis_local.continuous import synthesise_continuous

    if args.out is None:
        raise ConfigurationError("--continuous needs a folder: give --out.")
    check_writable(args.out.absolute().parent, "--out")
    chosen = {name: getattr(args, name) for name, _, _ in CONTINUOUS}
    say(synthesise_continuous(ContinuousParameters(**chosen, seed=args.seed), args.out))
    return 0


def _make(parameters: SynthesisParameters, args: argparse.Namespace) -> Path:
    if args.out is None:
        from seisvision.data.synthesis.source import SyntheticSource

        return SyntheticSource(processes=args.processes, **parameters.as_dict()).prepare(args.data_dir)
    from seisvision.data.synthesis.synthesise import synthesise

    return synthesise(parameters, args.out, args.data_dir / "cache", args.processes)


def _print_summary(path: Path, seconds: float) -> None:
    """A small table: per source type the events, traces, magnitudes, depths and distances."""
    from rich.table import Table

    from seisvision.data.sets.waveform_set import WaveformSet

    metadata = WaveformSet(path).metadata
    table = Table("type", "events", "traces", "magnitude", "depth km", "offset km", "faulty")
    for kind, rows in metadata.groupby("source_type", sort=False):
        columns = {"source_magnitude": 1, "source_depth_km": 0, "path_ep_distance_km": 0}
        ranges = [f"{rows[name].min():.{digits}f}-{rows[name].max():.{digits}f}" for name, digits in columns.items()]
        faulty = int(rows["trace_fault"].fillna("").ne("").sum())
        table.add_row(str(kind), str(rows["source_id"].nunique()), str(len(rows)), *ranges, str(faulty))
    console = results_console()
    console.print(table)
    size_mb = sum(file.stat().st_size for file in path.iterdir()) / 1e6
    console.print(f"{size_mb:.0f} MB, ready after {seconds:.1f} s")
