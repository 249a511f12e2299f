"""Whether the files of a run hold what a comparison reads, so that one damaged run cannot stop the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.evaluation.intervals import Measure
from seisvision.outputs.kinds import predictions_class
from seisvision.plain_types import shortened
from seisvision.runs.results import LOCATION_COLUMNS, LOCATORS

NEEDED = {
    "training": ("model", "parameters", "seed", "seconds", "monitor"),
    "data": ("name", "fingerprint", "split_hash", "unit", "events"),
}
"""What ``metrics.json`` must hold, by section."""
TEXT, NUMBER, MAPPING, LIST, WHOLE = "text", "a number", "a mapping", "a list", "a whole number"
TYPES: dict[str, Any] = {TEXT: str, NUMBER: int | float, MAPPING: Mapping, LIST: list, WHOLE: int}
OF_OUTPUTS = {
    "class_names": LIST,
    "transform": TEXT,
    "tolerance_relative": NUMBER,
    "tolerance_absolute": NUMBER,
    "period_deg": NUMBER,
    "tolerance_deg": NUMBER,
}
"""Types of what outputs say about themselves."""
ABSENT = object()


class NotComparableError(SeisvisionError):
    """A run folder cannot be compared; the message says why."""


def check_metrics(metrics: Any) -> None:
    """Refuse the ``metrics.json`` of a training run that a comparison cannot read.

    Raises:
        NotComparableError: says what is missing or of the wrong type.
    """
    _need(metrics, MAPPING, "the content")
    _check_version(metrics)
    training = metrics["training"]
    for name, kind in {"model": TEXT, "parameters": WHOLE, "seed": WHOLE, "seconds": NUMBER, "monitor": LIST}.items():
        _need(training[name], kind, f"training.{name}")
    _each(training["monitor"], TEXT, "training.monitor", of=LIST)
    if not training["monitor"]:
        raise NotComparableError("broken: metrics.json: training.monitor is empty")
    for name in ("epochs", "flops"):
        _if_given(training.get(name), NUMBER, f"training.{name}")
    _check_data(metrics["data"])
    for number, about in enumerate(metrics["outputs"]):
        _check_output(about, f"outputs.{number}")
    for part in ("val", "test"):
        _each(metrics.get(part, {}), MAPPING, part)
        for output, measured in metrics.get(part, {}).items():
            _check_measured(measured, f"{part}.{output}")
    _check_baselines(metrics.get("baselines", {}))
    for output, choice in _each(metrics.get("strongest_baseline", {}), MAPPING, "strongest_baseline").items():
        for key in ("name", "chosen_on"):
            _need(choice.get(key), TEXT, f"strongest_baseline.{output}.{key}")
    _check_location(metrics.get("location"))
    if not any(metrics.get(part) for part in ("val", "test")):
        raise NotComparableError("no validation or test sample was measured")


def check_clustering(metrics: Mapping[str, Any]) -> None:
    """Refuse the ``metrics.json`` of a clustering run that a comparison cannot read.

    Raises:
        NotComparableError: says what is missing or of the wrong type.
    """
    found, training = metrics["clustering"], _need(metrics.get("training"), MAPPING, "training")
    _need(found.get("n_clusters"), WHOLE, "clustering.n_clusters")
    _each(found.get("sizes"), WHOLE, "clustering.sizes", of=LIST)
    _each(found.get("nmi_history") or [], NUMBER, "clustering.nmi_history", of=LIST)
    _if_given(found.get("kmeans_loss"), NUMBER, "clustering.kmeans_loss")
    _each(found.get("agreement") or {}, MAPPING, "clustering.agreement")
    for column, measures in (found.get("agreement") or {}).items():
        _check_measures(_mappings(measures), f"clustering.agreement.{column}")
    for name, kind in {"model": TEXT, "seed": WHOLE, "seconds": NUMBER}.items():
        _need(training.get(name), kind, f"training.{name}")
    _need(_need(metrics.get("data"), MAPPING, "data").get("name"), TEXT, "data.name")


def check_config(config: Any) -> None:
    """Refuse a ``config.yaml`` that does not say what the run was.

    Raises:
        NotComparableError: says what is of the wrong type.
    """
    _need(config, MAPPING, "the content", "config.yaml")
    for section in ("dataset", "trainer", "run", "split", "evaluation"):
        _if_given(config.get(section), MAPPING, section, "config.yaml")
    _if_given((config.get("split") or {}).get("fold"), WHOLE, "split.fold", "config.yaml")
    level = (config.get("evaluation") or {}).get("level", 0.95)
    if not 0 < _need(level, NUMBER, "evaluation.level", "config.yaml") < 1:
        raise NotComparableError(f"broken: config.yaml: evaluation.level is {level}, not between 0 and 1")


def check_environment(environment: Any) -> None:
    """Refuse an ``environment.json`` that does not say where the run was made.

    Raises:
        NotComparableError: says what is of the wrong type.
    """
    _need(environment, MAPPING, "the content", "environment.json")
    _if_given(environment.get("git"), MAPPING, "git", "environment.json")


def _check_version(metrics: Mapping[str, Any]) -> None:
    """Refuse what earlier versions did not store."""
    for section in NEEDED:
        _if_given(metrics.get(section), MAPPING, section)
    missing = [f"{section}.{name}" for section, names in NEEDED.items() for name in names
               if name not in (metrics.get(section) or {})]  # fmt: skip
    missing += [] if metrics.get("outputs") else ["outputs"]
    if missing:
        raise NotComparableError(
            f"written by another version: metrics.json has no {missing[0]}; run it again with this version"
        )
    _each(metrics["outputs"], MAPPING, "outputs", of=LIST)


def _check_data(data: Mapping[str, Any]) -> None:
    for name in ("name", "fingerprint", "split_hash", "unit"):
        _need(data[name], TEXT, f"data.{name}")
    _each(data["events"], NUMBER, "data.events")
    _each(data.get("samples") or {}, NUMBER, "data.samples")


def _check_output(about: Mapping[str, Any], name: str) -> None:
    _need(about.get("name"), TEXT, f"{name}.name")
    word = _need(about.get("kind"), TEXT, f"{name}.kind")
    try:
        kind = predictions_class(word)
    except ConfigurationError as error:
        raise NotComparableError(f"{name}.kind is '{shortened(word)}', which this version does not know") from error
    if about.get("columns") is not None:
        _each(about["columns"], TEXT, f"{name}.columns", of=LIST)
    for key in kind.needs:
        if key in OF_OUTPUTS:
            _need(about.get(key), OF_OUTPUTS[key], f"{name}.{key}")
    problem = kind.problem_of(about)
    if problem:
        raise NotComparableError(f"broken: metrics.json: {name}.{problem}")


def _check_measured(measured: Mapping[str, Any], name: str) -> None:
    headline = measured.get("headline")
    if not isinstance(headline, str) or headline not in measured:
        raise NotComparableError(f"written by another version: {name} names no headline measure")
    if not isinstance(measured.get("table_columns"), Mapping):
        raise NotComparableError(f"written by another version: {name} has no table_columns")
    _each(measured["table_columns"], TEXT, f"{name}.table_columns")
    columns = {headline, *measured["table_columns"]}
    _check_measures(_mappings(measured, columns), name)
    rows = _each(measured.get("confusion") or [], LIST, f"{name}.confusion", of=LIST)
    for row in rows:
        _each(row, WHOLE, f"{name}.confusion", of=LIST)
        if len(row) != len(rows):
            raise NotComparableError(f"broken: metrics.json: {name}.confusion is not square")


def _check_baselines(baselines: Any) -> None:
    for output, by_name in _each(baselines, MAPPING, "baselines").items():
        for name, baseline in _each(by_name, MAPPING, f"baselines.{output}").items():
            for part in ("val", "test"):
                measures = baseline.get(part) or {}
                _need(measures, MAPPING, f"baselines.{output}.{name}.{part}")
                _check_measures(_mappings(measures), f"baselines.{output}.{name}.{part}")


def _check_location(location: Any) -> None:
    if location is None:
        return
    _need(location, MAPPING, "location")
    for locator in LOCATORS:
        found = _need(location.get(locator) or {}, MAPPING, f"location.{locator}")
        measures = _need(found.get("measures", {}), MAPPING, f"location.{locator}.measures")
        _check_measures(_mappings(measures, LOCATION_COLUMNS), f"location.{locator}.measures")
        for by in ("by_stations", "by_gap"):
            name = f"location.{locator}.{by}"
            for row in _each(found.get(by) or [], MAPPING, name, of=LIST):
                for key in ("low", "n", "median_error_km", "p90_error_km"):
                    _need(row.get(key), NUMBER, f"{name}: {key}")
                _if_given(row.get("high", ABSENT), NUMBER, f"{name}: high")


def _mappings(stored: Mapping[str, Any], always: Collection[str] = ()) -> dict[str, Any]:
    """What may be a measure among stored values: mappings that hold a value, and those that are shown."""
    return {key: one for key, one in stored.items() if key in always or (isinstance(one, Mapping) and "value" in one)}


def _check_measures(measures: Mapping[str, Any], name: str) -> None:
    for key, value in measures.items():
        if value is None:
            continue
        try:
            Measure.from_dict(dict(_need(value, MAPPING, f"{name}.{key}")))
        except (TypeError, ValueError) as error:
            raise NotComparableError(f"broken: metrics.json: {name}.{key} is no measure ({error})") from None


def _each(several: Any, kind: str, name: str, *, of: str = MAPPING) -> Any:
    """A mapping or list whose values are all of a kind."""
    _need(several, of, name)
    for one in several.values() if isinstance(several, Mapping) else several:
        _need(one, kind, f"a value of {name}")
    return several


def _if_given(value: Any, kind: str, name: str, file: str = "metrics.json") -> None:
    if value is not None:
        _need(value, kind, name, file)


def _need(value: Any, kind: str, name: str, file: str = "metrics.json") -> Any:
    if not isinstance(value, TYPES[kind]) or isinstance(value, bool):
        said = "missing or null" if value is ABSENT or value is None else f"{repr(value)[:60]}, not {kind}"
        raise NotComparableError(f"broken: {file}: {name} is {said}")
    return value
