"""Whether the files of a run hold what a comparison reads, so that one damaged run cannot stop the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seisvision.errors import ConfigurationError
from seisvision.experiments.supervised.results import LOCATION_COLUMNS, LOCATORS
from seisvision.outputs.kinds import predictions_class
from seisvision.plain_types import shortened
from seisvision.records.stored_values import (
    ABSENT,
    LIST,
    MAPPING,
    NUMBER,
    TEXT,
    WHOLE,
    NotComparableError,
    check_measures,
    each_is,
    if_given,
    measure_like,
    need,
)

NEEDED = {
    "training": ("model", "parameters", "seed", "seconds", "monitor"),
    "data": ("name", "fingerprint", "split_hash", "unit", "events"),
}
"""What ``metrics.json`` must hold, by section."""
OF_OUTPUTS = {
    "class_names": LIST,
    "transform": TEXT,
    "tolerance_relative": NUMBER,
    "tolerance_absolute": NUMBER,
    "period_deg": NUMBER,
    "tolerance_deg": NUMBER,
}
"""Types of what outputs say about themselves."""


def check_metrics(metrics: Any) -> None:
    """Refuse the ``metrics.json`` of a training run that a comparison cannot read.

    Raises:
        NotComparableError: says what is missing or of the wrong type.
    """
    need(metrics, MAPPING, "the content")
    _check_version(metrics)
    training = metrics["training"]
    for name, kind in {"model": TEXT, "parameters": WHOLE, "seed": WHOLE, "seconds": NUMBER, "monitor": LIST}.items():
        need(training[name], kind, f"training.{name}")
    each_is(training["monitor"], TEXT, "training.monitor", of=LIST)
    if not training["monitor"]:
        raise NotComparableError("broken: metrics.json: training.monitor is empty")
    for name in ("epochs", "flops"):
        if_given(training.get(name), NUMBER, f"training.{name}")
    _check_data(metrics["data"])
    for number, about in enumerate(metrics["outputs"]):
        _check_output(about, f"outputs.{number}")
    for part in ("val", "test"):
        each_is(metrics.get(part, {}), MAPPING, part)
        for output, measured in metrics.get(part, {}).items():
            _check_measured(measured, f"{part}.{output}")
    _check_baselines(metrics.get("baselines", {}))
    for output, choice in each_is(metrics.get("strongest_baseline", {}), MAPPING, "strongest_baseline").items():
        for key in ("name", "chosen_on"):
            need(choice.get(key), TEXT, f"strongest_baseline.{output}.{key}")
    _check_location(metrics.get("location"))
    if not any(metrics.get(part) for part in ("val", "test")):
        raise NotComparableError("no validation or test sample was measured")


def check_config(config: Any) -> None:
    """Refuse a ``config.yaml`` that does not say what the run was.

    Raises:
        NotComparableError: says what is of the wrong type.
    """
    need(config, MAPPING, "the content", "config.yaml")
    for section in ("dataset", "trainer", "run", "split", "evaluation"):
        if_given(config.get(section), MAPPING, section, "config.yaml")
    if_given((config.get("split") or {}).get("fold"), WHOLE, "split.fold", "config.yaml")
    level = (config.get("evaluation") or {}).get("level", 0.95)
    if not 0 < need(level, NUMBER, "evaluation.level", "config.yaml") < 1:
        raise NotComparableError(f"broken: config.yaml: evaluation.level is {level}, not between 0 and 1")


def check_environment(environment: Any) -> None:
    """Refuse an ``environment.json`` that does not say where the run was made.

    Raises:
        NotComparableError: says what is of the wrong type.
    """
    need(environment, MAPPING, "the content", "environment.json")
    if_given(environment.get("git"), MAPPING, "git", "environment.json")


def _check_version(metrics: Mapping[str, Any]) -> None:
    """Refuse what earlier versions did not store."""
    for section in NEEDED:
        if_given(metrics.get(section), MAPPING, section)
    missing = [f"{section}.{name}" for section, names in NEEDED.items() for name in names
               if name not in (metrics.get(section) or {})]  # fmt: skip
    missing += [] if metrics.get("outputs") else ["outputs"]
    if missing:
        raise NotComparableError(
            f"written by another version: metrics.json has no {missing[0]}; run it again with this version"
        )
    each_is(metrics["outputs"], MAPPING, "outputs", of=LIST)


def _check_data(data: Mapping[str, Any]) -> None:
    for name in ("name", "fingerprint", "split_hash", "unit"):
        need(data[name], TEXT, f"data.{name}")
    each_is(data["events"], NUMBER, "data.events")
    each_is(data.get("samples") or {}, NUMBER, "data.samples")


def _check_output(about: Mapping[str, Any], name: str) -> None:
    need(about.get("name"), TEXT, f"{name}.name")
    word = need(about.get("kind"), TEXT, f"{name}.kind")
    try:
        kind = predictions_class(word)
    except ConfigurationError as error:
        raise NotComparableError(f"{name}.kind is '{shortened(word)}', which this version does not know") from error
    if about.get("columns") is not None:
        each_is(about["columns"], TEXT, f"{name}.columns", of=LIST)
    for key in kind.needs:
        if key in OF_OUTPUTS:
            need(about.get(key), OF_OUTPUTS[key], f"{name}.{key}")
    problem = kind.problem_of(about)
    if problem:
        raise NotComparableError(f"broken: metrics.json: {name}.{problem}")


def _check_measured(measured: Mapping[str, Any], name: str) -> None:
    headline = measured.get("headline")
    if not isinstance(headline, str) or headline not in measured:
        raise NotComparableError(f"written by another version: {name} names no headline measure")
    if not isinstance(measured.get("table_columns"), Mapping):
        raise NotComparableError(f"written by another version: {name} has no table_columns")
    each_is(measured["table_columns"], TEXT, f"{name}.table_columns")
    columns = {headline, *measured["table_columns"]}
    check_measures(measure_like(measured, columns), name)
    rows = each_is(measured.get("confusion") or [], LIST, f"{name}.confusion", of=LIST)
    for row in rows:
        each_is(row, WHOLE, f"{name}.confusion", of=LIST)
        if len(row) != len(rows):
            raise NotComparableError(f"broken: metrics.json: {name}.confusion is not square")


def _check_baselines(baselines: Any) -> None:
    for output, by_name in each_is(baselines, MAPPING, "baselines").items():
        for name, baseline in each_is(by_name, MAPPING, f"baselines.{output}").items():
            for part in ("val", "test"):
                measures = baseline.get(part) or {}
                need(measures, MAPPING, f"baselines.{output}.{name}.{part}")
                check_measures(measure_like(measures), f"baselines.{output}.{name}.{part}")


def _check_location(location: Any) -> None:
    if location is None:
        return
    need(location, MAPPING, "location")
    for locator in LOCATORS:
        found = need(location.get(locator) or {}, MAPPING, f"location.{locator}")
        measures = need(found.get("measures", {}), MAPPING, f"location.{locator}.measures")
        check_measures(measure_like(measures, LOCATION_COLUMNS), f"location.{locator}.measures")
        for by in ("by_stations", "by_gap"):
            name = f"location.{locator}.{by}"
            for row in each_is(found.get(by) or [], MAPPING, name, of=LIST):
                for key in ("low", "n", "median_error_km", "p90_error_km"):
                    need(row.get(key), NUMBER, f"{name}: {key}")
                if_given(row.get("high", ABSENT), NUMBER, f"{name}: high")
