"""Stored results as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.base.units import EVENT, UNITS
from seisvision.errors import DataError
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import (
    ResultRow,
    RunRow,
    architecture_table,
    format_measure,
    format_named,
    format_seconds,
    is_share,
    results_table,
)
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.measures import stored_measures
from seisvision.records.prediction_table import read_predictions
from seisvision.records.results import Result
from seisvision.records.winner import CHOSEN, is_selection, winner

LEVEL = 0.95
LOCATORS = {
    "network": "network",
    "s_minus_p": "S minus P",
    "physics": "polarisation and S minus P",
    "network_where_physics_answers": "network, where these answer",
}
"""Where distances come from, as stored and as shown."""
ONE_NETWORK = "Differences are of this one trained network: another seed is not in their intervals, nor p adjusted."
LOCATION_COLUMNS = {
    "median_error_km": "median error km",
    "p90_error_km": "90th percentile km",
    "within_100km": "within 100 km",
    "coverage_68": "in 68 % region",
    "coverage_95": "in 95 % region",
    "unlocated": "not located",
}


class SupervisedResult(Result):
    """What is read of runs whose networks have outputs."""

    def text(self, metrics: Mapping[str, Any]) -> str:
        """The network beside its baselines, with intervals, on the test samples (else the validation samples)."""
        training, data = metrics["training"], metrics["data"]
        part = "test" if "test" in metrics else "val"
        chosen = f": the epoch was {CHOSEN}" if part == "val" else ""
        blocks = []
        for output in metrics.get(part, {}):
            unit = UNITS.get(data["unit"])
            plural = f"{data['unit']}s" if unit is None else unit.plural
            what = plural if unit is EVENT else f"{plural} of {data['events'][part]} events"
            where = f"{output} on the {part} {what} of {data['name']} ({data['fingerprint']}){chosen}"
            blocks.append(f"{where}\n\n{beside_baselines(training['model'], metrics, part, output)}")
        epochs = f"best epoch {training['best_epoch'] + 1} of {training['epochs']}"
        trained = f"{training['parameters']:,} parameters, {epochs}, {format_seconds(training['seconds'])} of training"
        if "location" in metrics:
            blocks.append(describe_locations(metrics["location"]))
        return "\n\n".join([*blocks, trained])

    def table(self, names: Sequence[str], folders: Sequence[RunFolder]) -> str:
        """One row a run: what sets it apart, the headline measure on val and, where measured, test; time, folder.

        Below it, what the best is worth, and how far each run is from the first on the same samples, where they have
        the same. Where runs differ in more than seed and fold, one of them will be chosen, so test measures are not
        shown.
        """
        selects = is_selection(folders)
        rows: dict[str, list[RunRow]] = {}
        hidden = False
        for folder, title in zip(folders, names, strict=True):
            metrics = read_json(folder.metrics_file)
            training = metrics["training"]
            (name, val), (tested, test) = (_headline(metrics.get(part)) for part in ("val", "test"))
            if selects and val is not None and test is not None:
                hidden, test = True, None
            name = name or tested
            row = RunRow(
                title, training["parameters"], val or Measure(float("nan")), test, training["seconds"], folder.path
            )
            rows.setdefault(name, []).append(row)
        tables = [architecture_table(some, measure=name) for name, some in rows.items()]
        parts = ("val", "test") if hidden else ("test", "val")
        return "\n\n".join(
            [*tables, "\n".join(_choice(folders, selects, hidden)), *_differences(folders, names, parts)]
        )

    def measures(self, metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Those of the outputs, and of the epicentres that were found with them."""
        located = metrics.get("location") or {}
        placed = {
            name: one["measures"] for name, one in located.items() if isinstance(one, Mapping) and "measures" in one
        }
        return super().measures(metrics) | ({"location": placed} if placed else {})


def beside_baselines(model: str, metrics: Mapping[str, Any], part: str, output: str) -> str:
    """Table of a network and its baselines, the strongest one first, and the difference to that one in words."""
    measures = metrics[part][output]
    stored = metrics.get("baselines", {}).get(output, {})
    differences = metrics.get("differences", {}).get(part, {}).get(output, {})
    strongest = metrics.get("strongest_baseline", {}).get(output, {})
    rows, skipped = [ResultRow(model, stored_measures(measures))], []
    for name in strongest_first(stored, strongest):
        baseline = stored[name]
        note = "not shown, see below" if baseline["skipped"] else _difference(differences.get(name))
        rows.append(ResultRow(name, stored_measures(baseline.get(part) or {}), note))
        skipped += [f"{name} is not shown: {baseline['skipped']}"] if baseline["skipped"] else []
    table = results_table(rows, columns=measures["table_columns"])
    said = [ONE_NETWORK] if differences else []
    return "\n".join([table, *said, *skipped, *_margin(model, stored, differences, strongest)])


def strongest_first(baselines: Mapping[str, Any], strongest: Mapping[str, Any]) -> list[str]:
    """Names of stored baselines, the one to beat first."""
    return sorted(baselines, key=lambda name: name != strongest.get("name"))


def _margin(
    model: str, stored: Mapping[str, Any], differences: Mapping[str, Any], strongest: Mapping[str, Any]
) -> list[str]:
    """The difference of a network to the strongest baseline, where one was chosen."""
    name = str(strongest.get("name"))
    if name not in differences:
        return []
    said = f"{model} minus the strongest baseline, {name}: {_difference_text(differences[name])}"
    return [said, f"({stored[name]['description']}; the strongest on {strongest['chosen_on']})"]


def describe_locations(located: Mapping[str, Any]) -> str:
    """Epicentres by network and by picks, with intervals."""
    rows = [
        ResultRow(text, stored_measures(located[name]["measures"]))
        for name, text in LOCATORS.items()
        if name in located
    ]
    lines = [f"epicentres of the {located['part']} events", "", results_table(rows, columns=LOCATION_COLUMNS)]
    if "s_minus_p_curve" in located:
        lines.append(f"S minus P: {located['s_minus_p_curve']}")
    return "\n".join(lines)


def _choice(folders: Sequence[RunFolder], selects: bool, hidden: bool) -> list[str]:
    """What the validation measures of a table were chosen on, and what was left out for it."""
    among = f", and the best of {len(folders)} runs" if selects else ""
    lines = [f"val: {CHOSEN} (the epoch of each run{among}), so it looks better than on others"]
    if selects and (best := winner(folders)):
        lines.append(best.to_text())
    if hidden:
        lines.append("test: not shown while there is something to choose; seisvision compare --show-test shows it")
    return lines


def _differences(folders: Sequence[RunFolder], names: Sequence[str], parts: Sequence[str]) -> list[str]:
    """Paired differences of the first output to the first run, on the first of the parts that all have."""
    stored = [read_json(folder.metrics_file) for folder in folders]
    parts = [part for part in parts if all(part in metrics for metrics in stored)]
    comparable = {(m["data"]["fingerprint"], m["data"]["split_hash"], m["outputs"][0]["name"]) for m in stored}
    if len(folders) < 2 or len(comparable) > 1 or not parts:
        return []
    part, about = parts[0], stored[0]["outputs"][0]
    said = [read_predictions(folder.predictions(part), about) for folder in folders]
    level = 1 - (1 - LEVEL) / (len(said) - 1)
    lines = [
        f"{part}: {said[0].headline} minus that of {names[0]}, on the same samples; of these trained networks, another "
        f"seed is not in the intervals, which hold together ({100 * LEVEL:g} %)"
    ]
    for name, one in zip(names[1:], said[1:], strict=True):
        try:
            difference = one.difference(said[0], level)
        except DataError as error:
            lines.append(f"  {name}: not comparable: {error}")
        else:
            lines.append(f"  {name}: {_difference_text(difference)}")
    return ["\n".join(lines)]


def seed_table(folders: Sequence[RunFolder]) -> str:
    """Headline measure on test by seed, with mean and standard deviation where there are several."""
    lines, values = [], []
    for folder in folders:
        metrics = read_json(folder.metrics_file)
        name, measure = _headline(metrics["test"])
        values.append(measure.value if measure else float("nan"))
        lines.append(f"seed {metrics['training']['seed']}: test {name} {format_named(name, measure)}  {folder.path}")
    if len(values) > 1:
        mean = sum(values) / len(values)
        deviation = (sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5
        mean_text, deviation_text = (_without_counts(name, Measure(value)) for value in (mean, deviation))
        lines.append(f"mean {mean_text}, standard deviation over {len(values)} seeds {deviation_text}")
    return "\n".join(lines)


def _headline(part: Mapping[str, Any] | None) -> tuple[str, Measure | None]:
    """Name and value of the headline measure of the first output of a part."""
    if not part:
        return "", None
    output = next(iter(part.values()))
    return output["headline"], Measure.from_dict(output[output["headline"]])


def _difference(stored: Mapping[str, Any] | None) -> str:
    """How far the network is above or below a baseline on the same samples."""
    if stored is None:
        return ""
    return f"this network minus this: {_difference_text(stored)}"


def _difference_text(stored: Mapping[str, Any]) -> str:
    """A stored difference with its p-value, where any sample was answered by both."""
    if stored["p_value"] is None:
        return "no sample is answered by both"
    return f"{_without_counts(stored['of'], Measure.from_dict(dict(stored)))}, p {stored['p_value']:.2g}"


def _without_counts(name: str, measure: Measure) -> str:
    """A measure, or a difference of two, as a percentage or a number: there is no k of n to tell."""
    return format_measure(measure, percent=is_share(name))
