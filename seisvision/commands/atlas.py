"""Do every experiment of the Seismic Atlas, as published and as it should be done, and report on all of them.

Interrupted, the same command goes on where it was; done, it costs nothing. An experiment that fails is reported and
does not stop the others. The last line of standard output is the report.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
from pathlib import Path

log = logging.getLogger(__name__)

DEFAULT_PRESET = "reduced"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision atlas``."""
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE", help="settings of every run, such as logger=csv")
    parser.add_argument(
        "--preset",
        default=DEFAULT_PRESET,
        metavar="NAME",
        help="list of experiments in conf/atlas: reduced (default) or full",
    )
    parser.add_argument("--report-only", action="store_true", help="write the report from stored runs; train nothing")
    parser.add_argument("--only", action="append", metavar="STAGE", help="do this stage only (may be repeated)")
    parser.add_argument(
        "--conf", type=Path, default=Path("conf"), metavar="FOLDER", help="configurations (default conf)"
    )


def run(args: argparse.Namespace) -> int:
    """Do the stages, write the report, print its path; 1 where a stage failed."""
    from seisvision.atlas.presets import configurations, load_preset
    from seisvision.atlas.report import write_report
    from seisvision.atlas.stages import Record, composed, run_stages
    from seisvision.errors import ConfigurationError, did_you_mean
    from seisvision.files import check_writable
    from seisvision.records.folder import FAILED
    from seisvision.records.words.quoting import quoted_paths
    from seisvision.runs.terminal import show

    args.overrides = quoted_paths(args.overrides)
    with configurations(args.conf):
        preset = load_preset(args.preset, args.conf)
        names = [stage.name for stage in preset.stages]
        for name in args.only or ():
            if name not in names:
                raise ConfigurationError(f"--only {name}. {did_you_mean(name, names)}")
        runs_dir = Path(composed(args.overrides)["system"]["runs_dir"])
        folder = results_folder(runs_dir, preset.name)
        check_writable(folder, "system.runs_dir")
        record = Record(runs_dir / "atlas" / f"stages-{preset.name}.json")
        try:
            if not args.report_only:
                run_stages(preset, args.overrides, record, folder, only=args.only)
        except BaseException:
            # Of what was done before an interruption; told is what stopped it, not that a full disk takes no report.
            with contextlib.suppress(Exception):
                write_report(preset, record.done, folder, runs_dir)
            raise
        report = write_report(preset, record.done, folder, runs_dir)
    failed = [name for name in names if name in record.done and record.done[name].state == FAILED]
    if failed:
        log.error("%d of %d experiments failed: %s", len(failed), len(names), ", ".join(failed))
    show(str(report))
    return 1 if failed else 0


def results_folder(runs_dir: Path, preset: str) -> Path:
    """Where the report of a preset and what it is made of lie; no preset writes over the results of another."""
    atlas = runs_dir / "atlas"
    return atlas if preset == DEFAULT_PRESET else atlas / preset
