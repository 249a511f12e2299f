"""Look a waveform set over: faults, statistics, and what tells the class without a look at the waveform."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from seisvision.errors import DataError
from seisvision.own_files import add_overwrite, check_own
from seisvision.plain_text import results_console, say, shown

if TYPE_CHECKING:
    from seisvision.data.audit.audit import Audit

log = logging.getLogger(__name__)

SHOWN_CONFOUNDS = 14
MARKS = {"audit.json": '"set_confounds"', "audit.html": "<title>Audit of "}
"""What the files of this command hold, by which it knows its own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("set", metavar="SET", help="folder of the waveform set, or its name in the data folder")
    parser.add_argument("--out", metavar="DIR", help="folder of audit.json and audit.html (default: SET/audit)")
    parser.add_argument("--target", metavar="COLUMN", default="source_type", help="column of the class (source_type)")
    parser.add_argument("--classes", metavar="VALUE", nargs="+", help="look at these classes only (default: all)")
    parser.add_argument(
        "--max-traces", type=int, metavar="N", default=20000, help="read about N traces (20000), 0: all of them"
    )
    parser.add_argument(
        "--thorough", action="store_true", help="read everything and compare it with what was noted when it was written"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 when there is a fatal finding")
    parser.add_argument("--json", action="store_true", help="print audit.json instead of tables, for scripts")
    parser.add_argument("--data-dir", default="data", metavar="DIR", help="folder of all sets (data)")
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Audit, print a summary and, last, the path of the page."""
    from seisvision.data.sources.folder import FolderSource

    # A set that is not there is told before pandas is imported.
    path = FolderSource(args.set).prepare(args.data_dir)
    from seisvision.data.audit.audit import audit_set, write_audit
    from seisvision.data.audit.page import write_page
    from seisvision.data.sets.waveform_set import WaveformSet
    from seisvision.files import check_writable
    from seisvision.plain_files import check_plain_name
    from seisvision.runs.terminal import show

    try:
        waveform_set = WaveformSet(path)
    except DataError as error:
        raise DataError(f"{error}{_changed_files(path) if args.thorough else ''}") from error
    labels = None if args.classes is None else {name: [name] for name in args.classes}
    folder = Path(args.out) if args.out else waveform_set.path / "audit"
    if not args.out:
        check_plain_name(folder)
    check_writable(folder, "--out")
    check_own({folder / name: mark for name, mark in MARKS.items()}, "--out", args.overwrite)
    n_traces = None if args.thorough else args.max_traces or None
    audit = audit_set(waveform_set, args.target, labels, n_traces, thorough=args.thorough)
    stored = write_audit(audit, folder)
    page = write_page(audit, waveform_set, folder)
    if args.json:
        log.info("The same as a page: %s", page)
        show(stored.read_text(encoding="utf-8").rstrip())
    else:
        print_summary(audit)
        say(page)
    return 1 if args.strict and audit.fatal else 0


def _changed_files(path: Path) -> str:
    """What of a set that cannot be opened is not as it was written."""
    from seisvision.data.audit.content import check_content

    changed = [example for finding in check_content(path)[0] for example in finding.examples]
    return f". Not as they were written: {', '.join(changed)}" if changed else ""


def print_summary(audit: Audit) -> None:
    """Tables of findings and confounds on standard output."""
    from rich.table import Table

    console = results_console()
    figures = audit.statistics
    console.print(
        f"{figures['n_events']} events, {figures['n_traces']} traces, {figures['n_stations']} stations; "
        f"samples of {figures['traces_read']} traces read in {audit.seconds:.1f} s"
    )
    colours = {"fatal": "red", "warning": "yellow", "note": "blue"}
    for item in audit.findings:
        if item.code.startswith("confound_"):
            continue
        head = f"[{colours[item.severity]}]{item.severity:<8}[/]"
        console.print(f"{head}{_plain(item.title)}: {item.count} of {item.of} {item.unit}", soft_wrap=True)
        console.print(f"        {_plain(item.remedy)}", soft_wrap=True)
        if item.examples:
            console.print(f"        such as {_plain(item.examples[0])}", soft_wrap=True)
    if audit.confounds:
        table = Table("tells the class alone", "kind", "balanced", "95 %", "AUC", "accuracy", "majority")
        for confound in audit.confounds[:SHOWN_CONFOUNDS]:
            numbers = (confound.auc, confound.accuracy, confound.majority)
            mark = " *" if confound.notable else ""
            table.add_row(
                _plain(confound.attribute) + mark,
                confound.kind,
                f"{confound.balanced_accuracy:.3f}",
                f"{confound.low95:.2f}-{confound.high95:.2f}",
                *(f"{number:.3f}" for number in numbers),
            )
        console.print(table)
        if any(item.code.startswith("confound_") for item in audit.findings):
            console.print("* tells more than chance would; a model must beat it", soft_wrap=True)
    counts = [sum(item.severity == name for item in audit.findings) for name in colours]
    console.print(f"{counts[0]} fatal, {counts[1]} warnings, {counts[2]} notes")


def _plain(text: str) -> str:
    """Text of a set as it stands there: neither markup of rich nor anything that steers a terminal."""
    from rich.markup import escape

    return escape(shown(text))
