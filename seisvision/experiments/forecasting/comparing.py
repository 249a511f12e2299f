"""Forecasts on the page of a comparison: a table of all runs, and the figures of each."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_measure, format_seconds
from seisvision.pages.charts import esc
from seisvision.records.folder import RunFolder
from seisvision.records.results import StoredRun
from seisvision.records.stored_values import LIST, MAPPING, NUMBER, TEXT, WHOLE, check_measures, measure_like, need

NETWORK = "network"
NO_LEAK = "none"
FIGURES = {
    "rates_map.png": "rates, and what came",
    "alarms.png": "alarms",
    "molchan.png": "Molchan",
    "reliability.png": "reliability",
}
MOST_ROWS, MOST_DRAWN = 200, 6
PNG = b"\x89PNG\r\n"
LARGEST_FIGURE_BYTES = 400_000


def check_forecast(metrics: Mapping[str, Any]) -> None:
    """Refuse the ``metrics.json`` of a forecast that a comparison cannot read.

    Raises:
        NotComparableError: says what is missing or of the wrong type.
    """
    need(metrics.get("leak"), TEXT, "leak")
    training = need(metrics.get("training"), MAPPING, "training")
    for name, kind in {"model": TEXT, "seed": WHOLE, "seconds": NUMBER, "parameters": WHOLE}.items():
        need(training.get(name), kind, f"training.{name}")
    data = need(metrics.get("data"), MAPPING, "data")
    for name in ("name", "fingerprint", "split_hash"):
        need(data.get(name), TEXT, f"data.{name}")
    for part in ("val", "test"):
        if part in metrics:
            events = need(need(metrics[part], MAPPING, part).get("events"), MAPPING, f"{part}.events")
            check_measures(measure_like(events), f"{part}.events")
    if "test" in metrics:
        found = need(metrics.get("forecasts"), MAPPING, "forecasts")
        need(found.get("base_rate"), NUMBER, "forecasts.base_rate")
        need(found.get("events"), WHOLE, "forecasts.events")
        own = need(need(found.get("forecasts"), MAPPING, "forecasts.forecasts").get(NETWORK), MAPPING, "the network")
        check_measures(measure_like(need(own.get("gain_over"), MAPPING, "gain_over")), "gain_over")
        need(own.get("reliability"), LIST, "reliability")
        if own.get("alarms"):
            alarms = need(own["alarms"], MAPPING, "alarms")
            for name, kind in {"hits": WHOLE, "missed": WHOLE, "area": NUMBER}.items():
                need(alarms.get(name), kind, f"alarms.{name}")


def gains_of(metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Gains of the network over every other forecast of the test, by their names; empty without a test."""
    found = metrics.get("forecasts")
    return {} if found is None else dict(found["forecasts"][NETWORK]["gain_over"])


def forecast_row(run: StoredRun) -> dict[str, Any]:
    """What programs want of a forecast, by column."""
    metrics = run.metrics
    row: dict[str, Any] = {
        "run": str(run.path), "model": metrics["training"]["model"], "seed": metrics["training"]["seed"],
        "data": metrics["data"]["name"], "split": metrics["data"]["split_hash"], "leak": metrics["leak"],
        "parameters": metrics["training"]["parameters"],
    }  # fmt: skip
    for name, stored in (metrics.get("test") or {}).get("events", {}).items():
        one = Measure.from_dict(dict(stored))
        row |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    return row


def forecasts_section(runs: Sequence[StoredRun]) -> str:
    """Tables of runs on the same windows, one below the other, and figures of the first runs."""
    if not runs:
        return ""
    groups: dict[tuple[str, ...], list[StoredRun]] = {}
    for run in runs[:MOST_ROWS]:
        data = run.metrics["data"]
        groups.setdefault((data["name"], data["fingerprint"], data["split_hash"]), []).append(run)
    more = f" The first {MOST_ROWS} of {len(runs)} runs are shown." if len(runs) > MOST_ROWS else ""
    note = (
        '<p class="soft">Gains are information per event in nats, with 95 % intervals that draw blocks of time again; '
        "runs of one table were judged on the same windows. A gain is one where its interval lies above 0, over each "
        f"of the references.{more}</p>"
    )
    tables = "".join(_table(key, group) for key, group in groups.items())
    return note + tables + "".join(_figures(run) for run in runs[:MOST_DRAWN])


def _table(key: tuple[str, ...], runs: Sequence[StoredRun]) -> str:
    others = list(dict.fromkeys(name for run in runs for name in gains_of(run.metrics)))
    heads = ["run", *(f"gain over {name}" for name in others), "PR AUC", "of a guess", "Brier skill", "Molchan, area"]
    heads += ["hits", "area under alarm", "leak", "seed", "training time"]
    head = "".join(f'<th scope="col" class="{"num" if i else ""}">{esc(text)}</th>' for i, text in enumerate(heads))
    body = "".join(_row(run, others) for run in runs)
    events = next((run.metrics["forecasts"]["events"] for run in runs if "forecasts" in run.metrics), None)
    told = "" if events is None else f", {events} events"
    return (
        f'<h3>{esc(key[0])}{told}</h3><div class="scroll"><table class="wide"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(run: StoredRun, others: Sequence[str]) -> str:
    metrics = run.metrics
    training, gains = metrics["training"], gains_of(metrics)
    cells = [_text(gains.get(name)) for name in others]
    events = (metrics.get("test") or {}).get("events", {})
    found = metrics.get("forecasts")
    alarms = (found["forecasts"][NETWORK].get("alarms") if found else None) or {}
    cells += [_text(events.get("pr_auc")), f"{found['base_rate']:.5f}" if found else ""]
    cells += [_text(events.get(name)) for name in ("brier_skill", "molchan_skill_area")]
    cells += [f"{alarms['hits']}/{alarms['hits'] + alarms['missed']}", f"{alarms['area']:.2%}"] if alarms else ["", ""]
    leak = "" if metrics["leak"] == NO_LEAK else metrics["leak"]
    cells += [esc(leak), esc(training["seed"]), format_seconds(float(training["seconds"]))]
    tip = esc("\n".join(run.overrides))
    text = "".join(f'<td class="num">{cell}</td>' for cell in cells)
    name = f"{esc(training['model'])} <code>{esc(run.path.name)}</code>"
    return f'<tr><th scope="row" class="name" data-tip="{tip}">{name}</th>{text}</tr>'


def _figures(run: StoredRun) -> str:
    shown = []
    for name, what in FIGURES.items():
        path = RunFolder(run.path).figures / name
        if not path.is_file() or path.stat().st_size > LARGEST_FIGURE_BYTES:
            continue
        content = path.read_bytes()
        if content.startswith(PNG):
            title = esc(f"{run.metrics['training']['model']}, {run.path.name}: {what}")
            source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
            shown.append(f'<figure class="card"><figcaption>{title}</figcaption><img alt="{title}" src="{source}">'
                         "</figure>")  # fmt: skip
    return f'<div class="cards">{"".join(shown)}</div>' if shown else ""


def _text(stored: Mapping[str, Any] | None) -> str:
    return "" if stored is None else esc(format_measure(Measure.from_dict(dict(stored))))
