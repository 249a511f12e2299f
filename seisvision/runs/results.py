"""Stored results as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import (
    ResultRow,
    RunRow,
    architecture_table,
    format_fraction,
    format_measure,
    format_seconds,
    results_table,
)
from seisvision.runs.folder import RunFolder, read_json


def describe_result(metrics: Mapping[str, Any]) -> str:
    """The network beside its baselines, with intervals, on the test events (else the validation events)."""
    training, data = metrics["training"], metrics["data"]
    part = "test" if "test" in metrics else "val"
    blocks = []
    for output, measures in metrics.get(part, {}).items():
        rows = [ResultRow(training["model"], _measures(measures))]
        skipped: list[str] = []
        differences = metrics.get("differences", {}).get(part, {}).get(output, {})
        for name, baseline in metrics.get("baselines", {}).get(output, {}).items():
            note = "not shown, see below" if baseline["skipped"] else _difference(differences.get(name))
            rows.append(ResultRow(name, _measures(baseline.get(part) or {}), note))
            skipped += [f"{name} is not shown: {baseline['skipped']}"] if baseline["skipped"] else []
        where = f"{output} on the {part} events of {data['name']} ({data['fingerprint']})"
        blocks.append("\n".join([where, "", results_table(rows), *skipped]))
    epochs = f"best epoch {training['best_epoch'] + 1} of {training['epochs']}"
    trained = f"{training['parameters']:,} parameters, {epochs}, {format_seconds(training['seconds'])} of training"
    return "\n\n".join([*blocks, trained])


def sweep_table(folders: Sequence[RunFolder]) -> str:
    """One row a run: parameters, validation accuracy, test accuracy where it was measured, time, folder."""
    rows = []
    for folder in folders:
        metrics = read_json(folder.metrics_file)
        training = metrics["training"]
        val, test = (_accuracy(metrics.get(part)) for part in ("val", "test"))
        name = f"{training['model']} (seed {training['seed']})"
        rows.append(
            RunRow(name, training["parameters"], val or Measure(float("nan")), test, training["seconds"], folder.path)
        )
    return architecture_table(rows)


def seed_table(folders: Sequence[RunFolder]) -> str:
    """Test accuracy by seed, with mean and standard deviation where there are several."""
    lines, values = [], []
    for folder in folders:
        metrics = read_json(folder.metrics_file)
        accuracy = _accuracy(metrics["test"])
        values.append(accuracy.value if accuracy else float("nan"))
        lines.append(f"seed {metrics['training']['seed']}: test accuracy {format_fraction(accuracy)}  {folder.path}")
    if len(values) > 1:
        mean = sum(values) / len(values)
        deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
        lines.append(f"mean {mean:.1%}, standard deviation over {len(values)} seeds {deviation:.1%}")
    return "\n".join(lines)


def with_interval(measure: Mapping[str, Any]) -> str:
    """A stored proportion as ``162/177 = 91.5 % [86.5, 94.8]``."""
    return format_fraction(Measure.from_dict(dict(measure)))


def _measures(stored: Mapping[str, Any]) -> dict[str, Measure]:
    return {name: Measure.from_dict(value) for name, value in stored.items() if isinstance(value, dict)}


def _accuracy(part: Mapping[str, Any] | None) -> Measure | None:
    """Accuracy of the first output of a part."""
    return Measure.from_dict(next(iter(part.values()))["accuracy"]) if part else None


def _difference(stored: Mapping[str, Any] | None) -> str:
    """How far the network is above a baseline on the same events."""
    if stored is None:
        return ""
    difference = format_measure(Measure.from_dict(dict(stored)), percent=True)
    return f"network minus this: {difference}, p {stored['mcnemar_p']:.2g}"
