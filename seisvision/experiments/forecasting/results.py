"""Stored results of forecasts, as tables for people and beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_measure, format_seconds, render_table
from seisvision.experiments.forecasting.comparing import (
    NETWORK,
    NO_LEAK,
    check_forecast,
    forecast_row,
    forecasts_section,
    gains_of,
)
from seisvision.forecasting.results import printed
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.results import Result, StoredRun


class ForecastResult(Result):
    """What is read of runs that forecast."""

    predicts = False
    heading = "Forecasts"

    def text(self, metrics: Mapping[str, Any]) -> str:
        """The network beside all references, and its gain over each."""
        return describe_forecast(metrics)

    def table(self, names: Sequence[str], folders: Sequence[RunFolder]) -> str:
        """One row a run: its gains, PR AUC and, where one is shown, its leak."""
        return forecast_table(names, [read_json(folder.metrics_file) for folder in folders])

    def check(self, metrics: Mapping[str, Any]) -> None:
        """Refuse a ``metrics.json`` without what is read of it."""
        check_forecast(metrics)

    def section(self, runs: Sequence[StoredRun]) -> str:
        """One row a run, and the figures of each."""
        return forecasts_section(runs)

    def row(self, run: StoredRun) -> dict[str, Any]:
        """What programs want of a run, by column."""
        return forecast_row(run)


def describe_forecast(metrics: Mapping[str, Any]) -> str:
    """Tables of a run, with its leak said first where there is one."""
    training, data = metrics["training"], metrics["data"]
    blocks = []
    if metrics["leak"] != NO_LEAK:
        blocks.append(f"LEAK: {metrics['leak']}. What this run measures shows what a leak is worth, and nothing else.")
    about = metrics["network"]
    part = metrics["part_of_correction"]
    corrected = f", with {part:.0%} of its correction (chosen on the validation)" if about["shrinks"] else ""
    blocks.append(
        f"{training['model']} beside {about['anchor']}, {training['parameters']:,} parameters{corrected}; "
        f"{data['name']} ({data['fingerprint']}), parts {data['apart_days']:g} days apart"
    )
    found = metrics.get("forecasts")
    if found is None:
        rows = [[name, _text(one)] for name, one in metrics["val"]["events"].items() if isinstance(one, Mapping)]
        blocks.append(render_table(["validation", ""], rows, "text"))
    else:
        task = found["task"]
        blocks.append(
            f"{found['events']} events of magnitude {task['magnitude']:g} and more in {task['windows']} windows of "
            f"{task['window_days']:g} days and {task['cells']} cells of {task['cell']}; PR AUC of a guess "
            f"{found['base_rate']:.5f}"
        )
        blocks.append(printed(found))
        rows = [[name, _text(one), _number(one["least_seen"]), _number(one["t_test"]["p_value"])]
                for name, one in gains_of(metrics).items()]  # fmt: skip
        head = ["gain of the network over", "nats per event", "could be seen", "p of the T test"]
        blocks.append(render_table(head, rows, "text"))
        if metrics["leak"] != NO_LEAK:
            blocks.append(_led_with(metrics))
    blocks.append(f"{training['epochs']} epochs, {format_seconds(training['seconds'])} of training")
    return "\n\n".join(blocks)


def _led_with(metrics: Mapping[str, Any]) -> str:
    """ROC AUC, as papers lead with it, beside what it hides."""
    rows = [
        [name, f"{value:.3f}", _text(metrics["forecasts"]["forecasts"][name]["pr_auc"])]
        for name, value in metrics["roc_auc"].items()
    ]
    return render_table(["forecast", "ROC AUC, which flatters", "PR AUC"], rows, "text")


def forecast_table(names: Sequence[str], stored: Sequence[Mapping[str, Any]]) -> str:
    """One row a run; ROC AUC is told where a leak is among the runs."""
    is_shown = any(metrics["leak"] != NO_LEAK for metrics in stored)
    head = ["", *(["leak"] if is_shown else []), "loss of validation", "gain over poisson", "gain over etas", "PR AUC"]
    head += ["of a guess", *(["ROC AUC"] if is_shown else [])]
    rows = []
    for name, metrics in zip(names, stored, strict=True):
        part = "test" if "test" in metrics else "val"
        measured = metrics[part]["events"]
        best = metrics["training"].get("best_value")
        row = [name, *([metrics["leak"]] if is_shown else []), "" if best is None else f"{best:.4f}"]
        row += [_text(measured.get(f"gain_over_{other}")) for other in ("poisson", "etas")]
        base = metrics["forecasts"]["base_rate"] if part == "test" else measured.get("base_rate", float("nan"))
        row += [_text(measured.get("pr_auc")), f"{base:.5f}"]
        row += [f"{metrics['roc_auc'][NETWORK]:.3f}"] if is_shown and "roc_auc" in metrics else [""] * is_shown
        rows.append(row)
    return render_table(head, rows, "text")


def _text(measure: Mapping[str, Any] | None) -> str:
    return "" if measure is None else format_measure(Measure.from_dict(dict(measure)))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
