"""What a comparison of forecasts leaves in its folder."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seisvision import spreadsheets
from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_measure, render_table
from seisvision.files import whole_file, write_text
from seisvision.forecasting.etas.fitting import EtasFit
from seisvision.forecasting.etas.parameters import NAMES
from seisvision.forecasting.task import ForecastTask

JSON_NAME, CSV_NAME, RATES_NAME, REFUSED_NAME = "references.json", "references.csv", "rates.npz", "refused.csv"
MARKS = {JSON_NAME: '"forecasts"', CSV_NAME: "forecast,measure", REFUSED_NAME: "event_id,cause"}
"""What the files hold, by which the command knows its own."""


def described_etas(fit: EtasFit) -> dict[str, Any]:
    """Parameters with 95 % intervals, and what the fit rests on."""
    return {
        "parameters": {name: _with_interval(fit, name) for name in NAMES},
        "branching_ratio_1000_days": fit.parameters.mean_productivity,
        "b": fit.parameters.b,
        "reference_magnitude": fit.parameters.reference_magnitude,
        "largest_magnitude": fit.parameters.largest_magnitude,
        "log_likelihood": fit.log_likelihood,
        "targets": fit.n_targets,
        "sources": fit.n_sources,
        "pairs": fit.n_pairs,
        "decrement": fit.decrement,
        "at_bound": list(fit.at_bound),
        "seconds": fit.seconds,
    }  # fmt: skip


def _with_interval(fit: EtasFit, name: str) -> dict[str, float]:
    low, high = fit.interval(name)
    return {"value": getattr(fit.parameters, name), "low95": low, "high95": high}


def write_results(folder: Path, found: Mapping[str, Any], catalogue: EventCatalogue) -> Path:
    """Write measures as JSON and as a table, and the events that could not be used; returns the JSON."""
    with whole_file(folder / CSV_NAME) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = spreadsheets.Writer(file)
        writer.writerow(["forecast", "measure", "value", "low95", "high95"])
        writer.writerows(rows_of(found))
    with whole_file(folder / REFUSED_NAME) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = spreadsheets.Writer(file)
        writer.writerow(["event_id", "cause", "reason"])
        for one in catalogue.refused:
            writer.writerow([one.event_id, one.cause, one.reason])
    write_text(folder / JSON_NAME, json.dumps(without_nan(found), indent=1, allow_nan=False) + "\n")
    return folder / JSON_NAME


def rows_of(found: Mapping[str, Any]) -> list[list[Any]]:
    """Forecast, measure, value and ends of its interval of everything that is measured."""
    return [[name, *row] for name, measures in found["forecasts"].items() for row in _rows(measures)]


def write_rates(folder: Path, task: ForecastTask, rates: Mapping[str, np.ndarray]) -> Path:
    """Write rates (W, C) by name beside counts, windows and cells, as plain arrays."""
    latitude, longitude = task.grid.centres_deg()
    arrays = {
        "counts": task.test_counts, "issue_days": task.test_windows.issue_days,
        "begin_days": task.test_windows.begin_days, "end_days": task.test_windows.end_days,
        "cell_latitude_deg": latitude, "cell_longitude_deg": longitude, "cell_area_km2": task.grid.area_km2(),
    }  # fmt: skip
    with whole_file(folder / RATES_NAME) as partial:
        np.savez_compressed(partial, **arrays, **{f"rates_{name}": one for name, one in rates.items()})  # type: ignore[arg-type]
    return folder / RATES_NAME


HEAD = ["forecast", "expected", "gain over poisson", "ETAS gains over it", "could be seen", "PR AUC", "Brier skill",
        "Molchan area", "hits/events", "area", "N", "CL", "S"]  # fmt: skip


def printed(found: Mapping[str, Any]) -> str:
    """One table for people."""
    return render_table(HEAD, table(found), "text")


def table(found: Mapping[str, Any]) -> list[list[str]]:
    """Rows for people, one a forecast, the columns of :data:`HEAD`."""
    rows = []
    for name, one in found["forecasts"].items():
        over = one["gain_over"].get("poisson")
        etas = found["forecasts"].get("etas", {}).get("gain_over", {}).get(name)
        alarms = one.get("alarms")
        number = one["csep"].get("number_drawn", one["csep"]["number"])
        rows.append(
            [
                name,
                f"{one['expected_events']:.1f}",
                _text(over),
                _text(etas),
                "" if etas is None else _number(etas["least_seen"]),
                format_measure(Measure.from_dict(one["pr_auc"])),
                _text(one["brier_skill"]) if name != "poisson" else "",
                _text(one["molchan_skill_area"]),
                "" if alarms is None else f"{alarms['hits']}/{alarms['hits'] + alarms['missed']}",
                "" if alarms is None else f"{alarms['area']:.2%}",
                *(
                    _number(value)
                    for value in (number["p_value"], one["csep"]["conditional_likelihood"], one["csep"]["space"])
                ),
            ]
        )
    return rows


def _number(value: float | None) -> str:
    """Stored results have null where nothing is known."""
    return "" if value is None or not math.isfinite(value) else f"{value:.3f}"


def _text(measure: Mapping[str, Any] | None) -> str:
    return "" if measure is None else format_measure(Measure.from_dict(dict(measure)))


def _rows(measures: Mapping[str, Any], before: str = "") -> list[list[Any]]:
    rows: list[list[Any]] = []
    for name, one in measures.items():
        if isinstance(one, dict) and "value" in one and "n" in one:
            rows.append([f"{before}{name}", *(one.get(key) for key in ("value", "low", "high"))])
        if isinstance(one, dict):
            inner = {key: value for key, value in one.items() if key not in ("value", "low", "high", "n", "kind")}
            rows += _rows(inner, f"{before}{name}.")
        elif isinstance(one, int | float):
            rows.append([f"{before}{name}", one, None, None])
    return rows


def without_nan(content: Any) -> Any:
    """JSON has no NaN: what is not known is null."""
    if isinstance(content, Mapping):
        return {key: without_nan(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [without_nan(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
