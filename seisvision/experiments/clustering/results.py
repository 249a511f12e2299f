"""Stored results of clustering runs, as tables for people and beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import ResultRow, format_measure, format_seconds, render_table, results_table
from seisvision.experiments.clustering.comparing import COLUMNS, check_clustering, cluster_row, clusterings_section
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.results import Result, StoredRun


class ClusteringResult(Result):
    """What is read of runs that found clusters."""

    predicts = False
    heading = "Clustering runs"

    def text(self, metrics: Mapping[str, Any]) -> str:
        """Number and sizes of the clusters, and their agreement with known classes beside that of simpler ways."""
        return describe_clusters(metrics)

    def table(self, names: Sequence[str], folders: Sequence[RunFolder]) -> str:
        """One row a run: its number of clusters, loss, and agreement with the classes of the first known column."""
        return clustering_sweep_table(names, folders)

    def measures(self, metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Agreement with known classes, by column."""
        return {"clustering": metrics["clustering"].get("agreement") or {}}

    def values(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """Number of clusters and their loss."""
        found = metrics["clustering"]
        return {f"clustering/{name}": found[name] for name in ("n_clusters", "kmeans_loss") if name in found}

    def check(self, metrics: Mapping[str, Any]) -> None:
        """Refuse a ``metrics.json`` without clusters that could be told."""
        check_clustering(metrics)

    def section(self, runs: Sequence[StoredRun]) -> str:
        """One row a run: clusters, sizes, stability, agreement with known classes."""
        return clusterings_section(runs)

    def row(self, run: StoredRun) -> dict[str, Any]:
        """What programs want of a run, by column."""
        return cluster_row(run)

    def write_sweep_report(self, folders: Sequence[Path], place: Path) -> None:
        """How many clusters there are, where runs with different numbers of them are finished."""
        from seisvision.experiments.clustering.report.report import write_sweep_clusters

        write_sweep_clusters(folders, place / "clusters")


def describe_clusters(metrics: Mapping[str, Any]) -> str:
    """Number and sizes of the clusters, and their agreement with known classes beside that of simpler ways."""
    training, data, found = metrics["training"], metrics["data"], metrics["clustering"]
    sizes = ", ".join(map(str, found["sizes"]))
    nmi = f", NMI of the last two clusterings {found['nmi_history'][-1]:.2f}" if found["nmi_history"] else ""
    lines = [
        f"{found['n_clusters']} clusters of {found['n_samples']} {data['unit']}s of {data['name']} "
        f"({data['fingerprint']}), of sizes {sizes}{nmi}"
    ]
    blocks = ["\n".join(lines)]
    for column, measures in found["agreement"].items():
        rows = [ResultRow(training["model"], _measures(measures))]
        skipped = []
        for name, baseline in metrics.get("baselines", {}).items():
            if baseline["skipped"]:
                skipped.append(f"{name} is not shown: {baseline['skipped']}")
                continue
            note = f"ARI of the network minus this: {_difference(metrics['differences'][column][name])}"
            rows.append(ResultRow(name, _measures(baseline["agreement"][column]), note))
        head = f"agreement with {column}, which the training did not know"
        blocks.append("\n".join([head, "", results_table(rows, columns=COLUMNS), *skipped]))
    trained = f"{training['parameters']:,} parameters, {training['epochs']} epochs"
    return "\n\n".join([*blocks, f"{trained}, {format_seconds(training['seconds'])} of training"])


def clustering_sweep_table(names: Sequence[str], folders: Sequence[RunFolder]) -> str:
    """One row a run: its number of clusters, loss, and agreement with the classes of the first known column."""
    stored = [read_json(folder.metrics_file) for folder in folders]
    columns = list(dict.fromkeys(column for metrics in stored for column in metrics["clustering"]["agreement"]))
    head = ["", "clusters", "smallest", "k-means loss", "NMI to the epoch before", *(f"ARI {name}" for name in columns)]
    body = []
    for name, metrics, folder in zip(names, stored, folders, strict=True):
        found = metrics["clustering"]
        last = found["nmi_history"][-1] if found["nmi_history"] else float("nan")
        ari = [format_measure(_measures(found["agreement"].get(column, {})).get("ari")) for column in columns]
        values = [str(found["n_clusters"]), str(min(found["sizes"])), f"{found['kmeans_loss']:.4f}", f"{last:.3f}"]
        body.append([name, *values, *ari, str(folder.path)])
    return render_table([*head, "folder"], body, "text")


def _measures(stored: Mapping[str, Any]) -> dict[str, Measure]:
    return {name: Measure.from_dict(dict(stored[name])) for name in COLUMNS if name in stored}


def _difference(stored: Mapping[str, Any]) -> str:
    if stored["p_value"] is None:
        return "no class is known"
    return f"{format_measure(Measure.from_dict(dict(stored)))}, p {stored['p_value']:.2g}"
