"""Clustering runs: they predict nothing, so they have a table of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import UNDEFINED, format_measure, format_seconds
from seisvision.runs.comparing.charts import esc, histogram_chart
from seisvision.runs.results import stored_measures

AGREEMENT = {
    "ari": "ARI",
    "ami": "AMI",
    "nmi": "NMI",
    "nmi_by_chance": "NMI by chance",
    "purity": "purity",
    "purity_by_chance": "purity by chance",
}
MOST_ROWS = 200


@dataclass(frozen=True)
class ClusterRun:
    """A finished clustering run as its ``metrics.json`` describes it."""

    path: Path
    metrics: dict[str, Any]
    overrides: list[str]

    @property
    def found(self) -> dict[str, Any]:
        """Clusters, sizes, losses, agreement with known classes."""
        return self.metrics["clustering"]

    def agreement(self, column: str) -> dict[str, Measure]:
        """Measures of the agreement with the classes of a column, with intervals."""
        return stored_measures((self.found.get("agreement") or {}).get(column) or {})


def cluster_row(run: ClusterRun) -> dict[str, Any]:
    """What programs want of a clustering run, by column."""
    row: dict[str, Any] = {
        "run": str(run.path),
        "model": run.metrics["training"]["model"],
        "seed": run.metrics["training"]["seed"],
        "clusters": run.found["n_clusters"],
        "samples": sum(run.found["sizes"]),
        "smallest": min(run.found["sizes"], default=0),
        "kmeans_loss": run.found.get("kmeans_loss", ""),
    }
    for column in run.found.get("agreement") or {}:
        for name, one in run.agreement(column).items():
            row |= {f"{column}_{name}": one.value, f"{column}_{name}_low": one.low, f"{column}_{name}_high": one.high}
    return row


def clusterings_section(runs: Sequence[ClusterRun]) -> str:
    """One row a run: clusters, sizes, stability, agreement with known classes; empty without such runs."""
    if not runs:
        return ""
    columns = list(dict.fromkeys(column for run in runs for column in run.found.get("agreement") or {}))
    names = list(dict.fromkeys(name for run in runs for column in columns for name in run.agreement(column)
                               if name in AGREEMENT))  # fmt: skip
    heads = ["run", "clusters", "smallest", "sizes", "NMI to the epoch before"]
    heads += [f"{AGREEMENT[name]} with {column}" for column in columns for name in names]
    heads += ["seed", "training time"]
    head = "".join(f'<th scope="col" class="{"num" if i else ""}">{esc(text)}</th>' for i, text in enumerate(heads))
    body = "".join(_row(run, columns, names) for run in runs[:MOST_ROWS])
    more = f" The first {MOST_ROWS} of {len(runs)} runs are shown." if len(runs) > MOST_ROWS else ""
    return (
        '<p class="soft">Clusters are found without classes; agreement is measured afterwards. Runs of other data or '
        f'another number of clusters are not the same task.{more}</p><div class="scroll"><table class="wide">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(run: ClusterRun, columns: Sequence[str], names: Sequence[str]) -> str:
    found, training = run.found, run.metrics["training"]
    history = found.get("nmi_history") or []
    stable = f"{history[-1]:.3f}" if history else UNDEFINED
    cells = [esc(found["n_clusters"]), str(min(found["sizes"], default=0)), _sizes(found["sizes"]), stable]
    cells += [format_measure(run.agreement(column).get(name)) for column in columns for name in names]
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


def is_clustering(metrics: Mapping[str, Any]) -> bool:
    """Whether stored metrics are of a clustering run."""
    return isinstance(metrics, Mapping) and isinstance(metrics.get("clustering"), Mapping)
