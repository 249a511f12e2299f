"""The report on the number of clusters as one HTML file, in the look of ``seisvision compare``."""

from __future__ import annotations

import math
import time
from typing import Any

from seisvision.experiments.clustering.report.number import COLUMNS, NumberReport, paper_sentence, warnings
from seisvision.pages.charts import Curve, esc, line_chart
from seisvision.pages.frame import POLICY, resource

PANELS = {
    "Loss (paper mode)": ("cross_entropy", "kmeans_loss"),
    "Cross-entropy / ln train_k": ("cross_entropy_over_ln_k",),
    "Silhouette": ("silhouette", "own_silhouette"),
    "Calinski-Harabasz": ("calinski_harabasz",),
    "Davies-Bouldin": ("davies_bouldin",),
    "Gap statistic": ("gap",),
    "Bootstrap stability": ("stability_ari", "stability_expected", "stability_corrected"),
    "Agreement between seeds": ("seeds_ari",),
    "Groups that valleys part, in each run's own features": ("own_groups",),
}
WHY = (
    "A network trained with K pseudo-labels draws its features into K heaps, on noise as well: indices on a run's own "
    "features follow the K it was given. Heaps of other runs lie elsewhere unless the data have a gap there, so the "
    "features of all runs are put side by side and the groups that valleys of density part are counted, again and "
    "again with half of the runs and nine tenths of the events. Points that took no part in finding two groups "
    "must be rarer between them than in the middle of either."
)


def render_cluster_page(report: NumberReport) -> str:
    """The whole page; every text from data is escaped."""
    title = "Number of clusters"
    sections = [
        ("why", "Why", f"<p>{esc(WHY)}</p>{_counts(report)}"),
        ("rules", "What each rule says", _table(["rule", "K"], [list(row) for row in report.verdicts.items()])),
        ("curves", "By number of clusters", _charts(report) + _by_k(report)),
        ("consensus", "Consensus clusters", _consensus(report)),
        ("runs", "Runs", _runs(report)),
    ]
    if report.left_out:
        rows = [[str(one.path), one.reason] for one in report.left_out]
        sections.append(("left-out", f"Left out ({len(rows)})", _table(["folder", "reason"], rows)))
    nav = "".join(f'<a href="#{anchor}">{esc(text)}</a>' for anchor, text, _ in sections)
    body = "".join(
        f'<section id="{anchor}"><h2>{esc(text)}</h2>{content}</section>' for anchor, text, content in sections
    )
    written = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{resource('style.css')}</style></head><body>"
        f'<header><h1>{title}</h1><p class="lead">{esc(report.choice.sentence())}</p>'
        f"<p>{esc(paper_sentence(report))}</p>{_facts(report)}{_warnings(report)}"
        f'<nav aria-label="Sections">{nav}</nav></header><main>{body}</main>'
        f"<footer>Written {written} by seisvision clusters.</footer>"
        '<div id="tip" role="status" hidden></div><dialog id="viewer" aria-label="Picture"><form method="dialog">'
        '<span></span><button class="button">Close</button></form><img alt=""></dialog>'
        f"<script>{resource('script.js')}</script></body></html>\n"
    )


def _facts(report: NumberReport) -> str:
    facts = [
        (str(len(report.runs)), "runs"),
        (str(report.choice.n_networks), "different networks"),
        (str(len({run.seed for run in report.runs})), "seeds"),
        (f"{report.ks[0]} to {report.ks[-1]}", "numbers of clusters tried"),
        (f"{len(report.runs[0].sample_ids):,}", "samples"),
        (f"{report.choice.confidence:.0%}", report.choice.confidence_of),
    ]
    return f'<ul class="facts">{"".join(f"<li><b>{esc(n)}</b><span>{esc(text)}</span></li>" for n, text in facts)}</ul>'


def _warnings(report: NumberReport) -> str:
    items = "".join(f"<li>{esc(text)}</li>" for text in warnings(report))
    return f'<div class="warnings" role="note"><b>Before you rely on it</b><ul>{items}</ul></div>' if items else ""


def _counts(report: NumberReport) -> str:
    rows = [["no structure" if k == 1 else k, n] for k, n in report.choice.counts.items()]
    return _table(["groups found", "repeats"], rows)


def _charts(report: NumberReport) -> str:
    panels = []
    for title, keys in PANELS.items():
        curves = []
        for number, key in enumerate(keys):
            points = [(float(row["k"]), float(row[key])) for row in report.rows if math.isfinite(row[key])]
            if points:
                curves.append(Curve(COLUMNS[key], points, f"c{number}", COLUMNS[key] if len(keys) > 1 else ""))
        if curves:
            chart = line_chart(title, curves, "number of clusters K")
            panels.append(f'<figure class="card"><figcaption>{esc(title)}</figcaption>{chart}</figure>')
    return f'<div class="cards broad">{"".join(panels)}</div>'


def _by_k(report: NumberReport) -> str:
    rows = [["-" if math.isnan(value) else f"{value:.4g}" for value in row.values()] for row in report.rows]
    return _table(list(COLUMNS.values()), rows)


def _consensus(report: NumberReport) -> str:
    choice = report.choice
    if choice.k is None:
        return "<p>There are no groups to name.</p>"
    rows = []
    for number in range(choice.k):
        members = choice.labels == number
        sure = float((choice.certainty[members] >= 0.9).mean()) if members.any() else math.nan
        rows.append([number, int(members.sum()), f"{sure:.0%}"])
    head = ["cluster", "samples", "of these put here by nine tenths of the repeats"]
    return f"{_table(head, rows)}<p class='soft'>Every sample is listed in consensus.csv with its confidence.</p>"


def _runs(report: NumberReport) -> str:
    return _table(["K", "seed", "folder"], [[run.k, run.seed, str(run.path)] for run in report.runs])


def _table(head: list[str], rows: list[list[Any]]) -> str:
    top = "".join(f'<th scope="col">{esc(text)}</th>' for text in head)
    body = "".join(f"<tr>{''.join(f'<td>{esc(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
