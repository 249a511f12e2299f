"""Clustering runs on the page of a comparison: they predict nothing, so they have a table of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import UNDEFINED, format_measure, format_seconds
from seisvision.pages.charts import esc, histogram_chart
from seisvision.records.measures import stored_measures
from seisvision.records.results import StoredRun
from seisvision.records.stored_values import (
    LIST,
    MAPPING,
    NUMBER,
    TEXT,
    WHOLE,
    check_measures,
    each_is,
    if_given,
    measure_like,
    need,
)

COLUMNS = {
    "ari": "ARI",
    "ami": "AMI",
    "nmi": "NMI",
    "nmi_by_chance": "NMI by chance",
    "purity": "purity",
    "purity_by_chance": "purity by chance",
}
"""Measures of agreement with known classes, and what tables call them."""
MOST_ROWS = 200


def check_clustering(metrics: Mapping[str, Any]) -> None:
    """Refuse the ``metrics.json`` of a clustering run that a comparison cannot read.

    Raises:
        NotComparableError: says what is missing or of the wrong type.
    """
    found, training = metrics["clustering"], need(metrics.get("training"), MAPPING, "training")
    need(found.get("n_clusters"), WHOLE, "clustering.n_clusters")
    each_is(found.get("sizes"), WHOLE, "clustering.sizes", of=LIST)
    each_is(found.get("nmi_history") or [], NUMBER, "clustering.nmi_history", of=LIST)
    if_given(found.get("kmeans_loss"), NUMBER, "clustering.kmeans_loss")
    each_is(found.get("agreement") or {}, MAPPING, "clustering.agreement")
    for column, measures in (found.get("agreement") or {}).items():
        check_measures(measure_like(measures), f"clustering.agreement.{column}")
    for name, kind in {"model": TEXT, "seed": WHOLE, "seconds": NUMBER}.items():
        need(training.get(name), kind, f"training.{name}")
    need(need(metrics.get("data"), MAPPING, "data").get("name"), TEXT, "data.name")


def found_in(run: StoredRun) -> dict[str, Any]:
    """Clusters, sizes, losses, agreement with known classes."""
    return run.metrics["clustering"]


def _agreement(run: StoredRun, column: str) -> dict[str, Measure]:
    """Measures of the agreement with the classes of a column, with intervals."""
    return stored_measures((found_in(run).get("agreement") or {}).get(column) or {})


def cluster_row(run: StoredRun) -> dict[str, Any]:
    """What programs want of a clustering run, by column."""
    row: dict[str, Any] = {
        "run": str(run.path),
        "model": run.metrics["training"]["model"],
        "seed": run.metrics["training"]["seed"],
        "clusters": found_in(run)["n_clusters"],
        "samples": sum(found_in(run)["sizes"]),
        "smallest": min(found_in(run)["sizes"], default=0),
        "kmeans_loss": found_in(run).get("kmeans_loss", ""),
    }
    for column in found_in(run).get("agreement") or {}:
        for name, one in _agreement(run, column).items():
            row |= {f"{column}_{name}": one.value, f"{column}_{name}_low": one.low, f"{column}_{name}_high": one.high}
    return row


def clusterings_section(runs: Sequence[StoredRun]) -> str:
    """One row a run: clusters, sizes, stability, agreement with known classes; empty without such runs."""
    if not runs:
        return ""
    columns = list(dict.fromkeys(column for run in runs for column in found_in(run).get("agreement") or {}))
    names = list(dict.fromkeys(name for run in runs for column in columns for name in _agreement(run, column)
                               if name in COLUMNS))  # fmt: skip
    heads = ["run", "clusters", "smallest", "sizes", "NMI to the epoch before"]
    heads += [f"{COLUMNS[name]} with {column}" for column in columns for name in names]
    heads += ["seed", "training time"]
    head = "".join(f'<th scope="col" class="{"num" if i else ""}">{esc(text)}</th>' for i, text in enumerate(heads))
    body = "".join(_row(run, columns, names) for run in runs[:MOST_ROWS])
    more = f" The first {MOST_ROWS} of {len(runs)} runs are shown." if len(runs) > MOST_ROWS else ""
    return (
        '<p class="soft">Clusters are found without classes; agreement is measured afterwards. Runs of other data or '
        f'another number of clusters are not the same task.{more}</p><div class="scroll"><table class="wide">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(run: StoredRun, columns: Sequence[str], names: Sequence[str]) -> str:
    found, training = found_in(run), run.metrics["training"]
    history = found.get("nmi_history") or []
    stable = f"{history[-1]:.3f}" if history else UNDEFINED
    cells = [esc(found["n_clusters"]), str(min(found["sizes"], default=0)), _sizes(found["sizes"]), stable]
    cells += [format_measure(_agreement(run, column).get(name)) for column in columns for name in names]
    cells += [esc(training["seed"]), format_seconds(float(training["seconds"]))]
    tip = esc("\n".join(run.overrides))
    name = esc(f"{training['model']}, {run.metrics['data']['name']}")
    text = "".join(f'<td class="num">{cell}</td>' for cell in cells)
    return f'<tr><th scope="row" class="name" data-tip="{tip}">{name} <code>{esc(run.path.name)}</code></th>{text}</tr>'


def _sizes(sizes: Sequence[int]) -> str:
    """The sizes of all clusters, largest first, as small bars."""
    total = sum(sizes) or 1
    ordered = sorted(sizes, reverse=True)
    chart = histogram_chart(
        "sizes of the clusters",
        [float(i) for i in range(len(ordered) + 1)],
        [size / total for size in ordered],
        max(ordered, default=1) / total,
        "cx",
        "",
    )
    return f'<div class="sizes" data-tip="{esc(", ".join(map(str, ordered)))}">{chart}</div>'
