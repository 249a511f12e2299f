"""How many clusters are there? A report over clustering runs with different numbers of clusters and seeds."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seisvision import spreadsheets
from seisvision.errors import SeisvisionError
from seisvision.evaluation.cluster_figures import curves_figure
from seisvision.evaluation.tables import render_table
from seisvision.experiments.clustering.report.number import (
    COLUMNS,
    NumberReport,
    judge_number,
    paper_sentence,
    warnings,
)
from seisvision.experiments.clustering.report.page import render_cluster_page
from seisvision.experiments.clustering.report.runs import ClusterRun, read_cluster_runs
from seisvision.files import write_text
from seisvision.records.finding import LeftOut

log = logging.getLogger(__name__)

PAGE = "clusters.html"
CONSENSUS = ["sample_id", "source_id", "cluster", "confidence"]
"""Columns of ``consensus.csv``."""
DRAWN = (
    "cross_entropy",
    "cross_entropy_over_ln_k",
    "kmeans_loss",
    "own_silhouette",
    "seeds_ari",
    "silhouette",
    "calinski_harabasz",
    "davies_bouldin",
    "gap",
    "stability_ari",
    "stability_expected",
    "stability_corrected",
)


def write_cluster_report(asked: Sequence[str | Path], out: Path) -> Path | None:
    """Judge the number of clusters over runs and write the report.

    Files: ``clusters.html``, ``clusters.md``, ``clusters_by_k.csv``, ``consensus.csv`` (the clusters that the runs
    agree on, where there are any) and ``clusters_by_k.png``.

    Args:
        asked: run folders, folders of runs at any depth, or patterns.
        out: folder of the report.

    Returns:
        The page; None where no finished clustering run is among the folders.
    """
    runs, left_out = read_cluster_runs(asked)
    if not runs:
        return None
    return _write(runs, left_out, out)


def write_sweep_clusters(folders: Sequence[Path], out: Path) -> Path | None:
    """The report at the end of a sweep; None unless runs with different numbers of clusters are finished.

    Args:
        folders: of the points; those that do not exist are passed over.
        out: folder of the report.
    """
    runs, left_out = read_cluster_runs([folder for folder in folders if folder.exists()])
    if len({run.k for run in runs}) < 2:
        return None
    try:
        return _write(runs, left_out, out)
    except SeisvisionError as error:
        # The runs are good; only nothing can be said of the number of clusters.
        log.warning("no report on the number of clusters: %s", error)
        return None


def _write(runs: list[ClusterRun], left_out: list[LeftOut], out: Path) -> Path:
    report = judge_number(runs, left_out)
    curves = {COLUMNS[key]: [row[key] for row in report.rows] for key in DRAWN}
    curves_figure(out / "clusters_by_k.png", report.ks, curves, report.choice.k)
    write_text(out / "clusters_by_k.csv", _csv(list(COLUMNS), [list(row.values()) for row in report.rows]))
    _write_consensus(out / "consensus.csv", report)
    write_text(out / "clusters.md", cluster_markdown(report))
    write_text(out / PAGE, render_cluster_page(report))
    log.info("%s %s", report.choice.sentence(), paper_sentence(report))
    for warning in warnings(report):
        log.warning("%s", warning)
    return out / PAGE


def _write_consensus(path: Path, report: NumberReport) -> None:
    """Final cluster of every sample, with the share of the repeats that agree."""
    if report.choice.k is None:
        # An earlier report may have found some; a file of that name by somebody else is left alone.
        if path.is_file() and path.read_text(encoding="utf-8", errors="replace").startswith(",".join(CONSENSUS) + "\n"):
            path.unlink()
        return
    first, choice = report.runs[0], report.choice
    certainty = [f"{value:.3f}" for value in choice.certainty]
    rows = zip(first.sample_ids, first.source_ids, choice.labels.tolist(), certainty, strict=True)
    write_text(path, _csv(CONSENSUS, [list(row) for row in rows]))


def _csv(head: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = spreadsheets.Writer(text)
    writer.writerow(head)
    writer.writerows([["" if _is_nan(cell) else cell for cell in row] for row in rows])
    return text.getvalue()


def cluster_markdown(report: NumberReport) -> str:
    """The report as Markdown."""
    choice = report.choice
    lines = [f"# {choice.sentence()}", "", paper_sentence(report), ""]
    if found := warnings(report):
        lines += ["Before you rely on it:", "", *(f"- {text}" for text in found), ""]
    lines += [f"Confidence: {choice.confidence:.0%} {choice.confidence_of}.", ""]
    lines += [render_table(["rule", "number of clusters"], [list(row) for row in report.verdicts.items()], "markdown")]
    body = [[number_cell(value) for value in row.values()] for row in report.rows]
    lines += ["", "## By number of clusters", "", render_table(list(COLUMNS.values()), body, "markdown")]
    counts = ", ".join(f"{k}: {n}" for k, n in choice.counts.items())
    lines += ["", f"Groups found, and in how many repeats: {counts}."]
    if report.left_out:
        rows = [[str(one.path), one.reason] for one in report.left_out]
        lines += ["", "## Left out", "", render_table(["folder", "reason"], rows, "markdown")]
    return "\n".join(lines) + "\n"


def number_cell(value: Any) -> str:
    """A number in four digits, a dash where there is none."""
    return "-" if _is_nan(value) else f"{value:.4g}"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
