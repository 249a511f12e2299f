"""Stored results as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.runs.folder import RunFolder, read_json
from seisvision.runs.text_table import text_table

SHOWN = ("accuracy", "balanced_accuracy", "roc_auc")


def describe_result(metrics: Mapping[str, Any]) -> str:
    """The network beside its baselines, with intervals, on the test events (else the validation events)."""
    training, data = metrics["training"], metrics["data"]
    part = "test" if "test" in metrics else "val"
    lines = []
    for output, measures in metrics.get(part, {}).items():
        n = measures["accuracy"]["n"]
        lines += [f"{output}: {n} {part} events of {data['name']} ({data['fingerprint']}), 95 % intervals", ""]
        rows = [[training["model"], *_cells(measures), ""]]
        for name, baseline in metrics.get("baselines", {}).get(output, {}).items():
            if baseline["skipped"]:
                rows.append([name, f"not shown: {baseline['skipped']}", "", "", ""])
            else:
                difference = metrics.get("differences", {}).get(part, {}).get(output, {}).get(name)
                rows.append([name, *_cells(baseline[part]), _signed(difference)])
        lines += [text_table(["", "accuracy", "balanced accuracy", "ROC AUC", "network minus baseline"], rows), ""]
    epochs = f"best epoch {training['best_epoch'] + 1} of {training['epochs']}"
    lines.append(f"{training['parameters']:,} parameters, {epochs}, {training['seconds']:.0f} s of training")
    return "\n".join(lines)


def architecture_table(folders: Sequence[RunFolder]) -> str:
    """One row a run: parameters, validation accuracy, test accuracy where it was measured, time, folder."""
    rows = []
    for folder in folders:
        metrics = read_json(folder.metrics_file)
        training = metrics["training"]
        (output,) = list(metrics["val"])[:1] or [None]
        cells = [_count_and_interval(metrics.get(part, {}).get(output)) for part in ("val", "test")]
        best = f"{training['best_epoch'] + 1}/{training['epochs']}"
        size = f"{training['parameters']:,}"
        rows.append([training["model"], size, *cells, best, f"{training['seconds']:.0f}", folder.path.name])
    header = ["model", "parameters", "validation accuracy", "test accuracy", "best epoch", "seconds", "run"]
    return text_table(header, rows)


def seed_table(folders: Sequence[RunFolder]) -> str:
    """Test accuracy by seed, with mean and standard deviation where there are several."""
    rows, values = [], []
    for folder in folders:
        measures = next(iter(read_json(folder.metrics_file)["test"].values()))
        values.append(measures["accuracy"]["value"])
        rows.append([str(folder.config()["seed"]), _count_and_interval(measures), folder.path.name])
    table = text_table(["seed", "test accuracy", "run"], rows)
    if len(values) < 2:
        return table
    mean = sum(values) / len(values)
    deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
    return f"{table}\nmean {mean:.3f}, standard deviation over {len(values)} seeds {deviation:.3f}"


def _cells(measures: Mapping[str, Any]) -> list[str]:
    return [with_interval(measures.get(name)) for name in SHOWN]


def with_interval(measure: Mapping[str, Any] | None) -> str:
    """``0.915 [0.865, 0.948]``; a dash where the measure is not defined."""
    if measure is None or measure["value"] is None:
        return "-"
    known = Measure.from_dict(dict(measure))
    return f"{known.value:.3f} [{known.low:.3f}, {known.high:.3f}]"


def _signed(measure: Mapping[str, Any] | None) -> str:
    if measure is None or measure["value"] is None:
        return ""
    return f"{measure['value']:+.3f} [{measure['low']:+.3f}, {measure['high']:+.3f}]"


def _count_and_interval(measures: Mapping[str, Any] | None) -> str:
    """``162/177 = 0.915 [0.865, 0.948]``."""
    if measures is None:
        return "-"
    accuracy = measures["accuracy"]
    return f"{round(accuracy['value'] * accuracy['n'])}/{accuracy['n']} = {with_interval(accuracy)}"
