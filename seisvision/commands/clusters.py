"""Find out how many clusters there are from clustering runs with different numbers of clusters and seeds.

RUN is a run folder, a folder of runs (such as a sweep over task.k) or a pattern. Writes clusters.html, clusters.md,
clusters_by_k.csv, clusters_by_k.png and, where there is structure, consensus.csv. Folders that are not used are listed
with the reason.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seisvision.own_files import add_overwrite, check_own
from seisvision.plain_text import say

MARKS = {
    "clusters.html": "by seisvision clusters.",
    "clusters.md": "## By number of clusters",
    "clusters_by_k.csv": "k,runs,",
    "consensus.csv": "sample_id,source_id,cluster,confidence",
}
"""What the files of this command hold, by which it knows its own."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision clusters``."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders, folders of runs, or patterns")
    parser.add_argument("--out", type=Path, default=Path("clusters"), metavar="FOLDER", help="where the report goes")
    add_overwrite(parser)


def run(args: argparse.Namespace) -> int:
    """Write the report; print the recommendation and, last, the path of the page."""
    from seisvision.errors import ConfigurationError, DataError
    from seisvision.experiments.clustering.report.report import write_cluster_report
    from seisvision.experiments.clustering.report.runs import read_cluster_runs
    from seisvision.files import check_writable
    from seisvision.leftovers import clear_files

    if args.out.exists() and not args.out.is_dir():
        raise ConfigurationError(f"--out '{args.out}' is a file; give the name of a folder.")
    check_writable(args.out, "--out")
    check_own({args.out / name: mark for name, mark in MARKS.items()}, "--out", args.overwrite)
    clear_files(args.out)
    page = write_cluster_report(args.runs, args.out)
    if page is None:
        _, left_out = read_cluster_runs(args.runs)
        reasons = "; ".join(f"{one.path}: {one.reason}" for one in left_out[:3]) or "there is no run folder"
        raise DataError(f"None of the folders holds a finished clustering run ({reasons}). Train with task=cluster.")
    say((args.out / "clusters.md").read_text(encoding="utf-8"))
    say(page)
    return 0
