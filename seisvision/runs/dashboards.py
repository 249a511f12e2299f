"""What a finished run sends to its dashboards, all of it read from the run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.evaluation.directions import direction
from seisvision.records.folder import RunFolder
from seisvision.records.history import read_history
from seisvision.records.kinds import result_of
from seisvision.records.measures import is_measure
from seisvision.records.tables import read_table

ENDS = {"": "value", "_low": "low", "_high": "high", "_n": "n"}


def send_results(loggers: Sequence[Any], folder: RunFolder, metrics: Mapping[str, Any]) -> None:
    """Put final values, figures, tables and, where asked for, checkpoints on the dashboards."""
    shown = [logger for logger in loggers if hasattr(logger, "log_summary")]
    if not shown:
        return
    summary = summarise(folder, metrics)
    figures = sorted(folder.figures.glob("*.png"))
    tables = [read_table(path) for path in sorted(folder.tables.glob("*.csv"))]
    models = {"best": folder.best_checkpoint, "last": folder.last_checkpoint}
    for logger in shown:
        logger.log_summary(summary)
        logger.log_pictures(figures)
        for table in tables:
            logger.log_table(table.name, table.columns, table.rows)
        for alias, path in models.items():
            if path.exists():
                logger.log_model(path, [alias])


def summarise(folder: RunFolder, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """``final/<name>`` and ``best/<name>`` of everything logged, and all measures with interval ends and n.

    A value is the best where it is known whether more or less is better.
    """
    curves = read_history(folder.history_file)
    history = {name: [value for _, value in points] for name, points in curves.items() if points}
    names = [str(about["name"]) for about in metrics.get("outputs", [])]
    summary: dict[str, Any] = {f"final/{name}": values[-1] for name, values in history.items()}
    for name, values in history.items():
        sign = direction(name, names)
        if sign:
            summary[f"best/{name}"] = sign * max(sign * value for value in values)
    result = result_of(metrics)
    for part, measured in result.measures(metrics).items():
        for output, measures in measured.items():
            for name, found in measures.items():
                if is_measure(found):
                    summary |= {f"{part}/{output}_{name}{end}": found[key] for end, key in ENDS.items()}
    summary |= result.values(metrics)
    training = metrics.get("training", {})
    return summary | {
        f"training/{name}": training[name]
        for name in ("parameters", "seconds", "epochs", "best_epoch", "seed")
        if name in training
    }
