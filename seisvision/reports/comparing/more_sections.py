"""Sections of the report beyond the leaderboard: epicentres, where errors come from, which settings matter."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.errors import SeisvisionError
from seisvision.evaluation.tables import UNDEFINED, format_measure
from seisvision.experiments.supervised.results import LOCATION_COLUMNS, LOCATORS
from seisvision.judging.figures_sources import QUANTITIES
from seisvision.outputs.predictions import SHARE_WRONG
from seisvision.pages.charts import Bin, bar_chart, colour, esc, interval_chart
from seisvision.records.tables import read_table
from seisvision.reports.comparing.groups import Comparison, Group, Summary, level_text
from seisvision.reports.comparing.importance import importance
from seisvision.reports.comparing.sections import sweep_axes, tag
from seisvision.reports.comparing.tables import spread_text

FEWEST_TO_SCROLL = 15
LOW_EXPLAINED = 0.2
"""Below this share of explained variance, an order of settings means little."""
UNRELIABLE = "The settings explain little of what differs between the configurations, so this order means little."


def location_section(comparison: Comparison) -> str:
    """Errors of epicentres and coverage of their ellipses; empty where no run located events."""
    rows: list[tuple[str, str]] = []
    for number, group in enumerate(comparison.groups):
        for locator, text in LOCATORS.items():
            found = {key: location_summary(group, locator, key) for key in LOCATION_COLUMNS}
            if not any(found.values()) or (locator != "network" and _seen(rows, locator)):
                continue
            name = f"{tag(group, number)}{esc(group.name)}" if locator == "network" else esc(text)
            style = "" if locator == "network" else ' class="baseline"'
            cells = "".join(_location_cell(one, key) for key, one in found.items())
            rows.append((locator, f'<tr{style}><th scope="row" class="name">{name}</th>{cells}</tr>'))
    if not rows:
        return ""
    head = "".join(f'<th scope="col" class="num">{esc(text)}</th>' for text in LOCATION_COLUMNS.values())
    body = "".join(row for wanted in LOCATORS for locator, row in rows if locator == wanted)
    style = "tall" if len(rows) >= FEWEST_TO_SCROLL else "scroll"
    return (
        f'<p class="soft">Epicentres from predicted distances, with {comparison.level_text} intervals; an ellipse '
        "is honest where it holds the share of true epicentres that it states. S minus P: the same locator on "
        "automatic picks.</p>"
        f'<div class="{style}"><table class="wide" id="locations"><thead><tr><th scope="col">configuration</th>{head}'
        f"</tr></thead><tbody>{body}</tbody></table></div>{_location_curves(comparison)}"
    )


def location_summary(group: Group, locator: str, name: str) -> Summary | None:
    """A measure of the epicentres over the runs of a group; None where none has it."""
    located = [run.metrics.get("location") or {} for run in group.runs]
    stored = [(one.get(locator) or {}).get("measures", {}).get(name) for one in located]
    part = next((str(one["part"]) for one in located if "part" in one), "test")
    return group.over_runs(stored, part, 0.0, math.inf if name.endswith("_km") else 1.0)


def _seen(rows: Sequence[tuple[str, str]], locator: str) -> bool:
    """Picks do not depend on the network, so one row says all."""
    return any(one == locator for one, _ in rows)


def _location_cell(found: Summary | None, key: str) -> str:
    if found is None:
        return f'<td class="num">{UNDEFINED}</td>'
    text = format_measure(found.measure, percent=not key.endswith("_km"))
    value, _, interval = text.partition(" [")
    sd = f", sd {spread_text(found, key)}" if math.isfinite(found.sd) and key.endswith("_km") else ""
    below = f'<span class="sub">[{esc(interval)}{sd}</span>' if interval else ""
    return f'<td class="num"><b>{esc(value)}</b>{below}</td>'


def _location_curves(comparison: Comparison) -> str:
    """Median error by stations and by gap of the first run of the best groups."""
    cards = []
    for by, label in (("by_stations", "stations"), ("by_gap", "azimuthal gap (deg)")):
        curves = []
        for number, group in enumerate(comparison.groups[:8]):
            binned = ((group.first.metrics.get("location") or {}).get("network") or {}).get(by) or []
            bins = [Bin(_middle(row), row["median_error_km"], math.nan, math.nan, _range_text(row)) for row in binned]
            if len(bins) > 1:
                curves.append((group.label, colour(number), bins))
        if curves:
            chart = interval_chart(f"median epicentre error by {label}", curves, label, "median error (km)")
            cards.append(f'<figure class="card"><figcaption>by {esc(label)}</figcaption>{chart}</figure>')
    return f'<div class="cards broad">{"".join(cards)}</div>' if cards else ""


def _middle(row: Mapping[str, Any]) -> float:
    return float(row["low"]) if row["high"] is None else (float(row["low"]) + float(row["high"])) / 2


def _range_text(row: Mapping[str, Any]) -> str:
    to = "and more" if row["high"] is None else f"to {row['high']:g}"
    return f"{row['low']:g} {to}: {row['n']} events, 90th percentile {row['p90_error_km']:.4g} km"


def error_sources_section(groups: Sequence[Group], output: str, part: str) -> str:
    """Error against offset, magnitude, depth, stations and gap, several configurations in one chart each."""
    curves: dict[str, list[tuple[str, str, list[Bin]]]] = {}
    measure = ""
    for number, group in enumerate(groups):
        for row in _error_bins(group, output, part):
            measure = str(row["measure"])
            own = curves.setdefault(str(row["quantity"]), [])
            if not own or own[-1][0] != group.label:
                own.append((group.label, colour(number), []))
            own[-1][2].append(_bin(row, group.name))
    curves = {name: some for name, some in curves.items() if any(len(bins) > 1 for _, _, bins in some)}
    if not curves:
        return ""
    percent = measure == SHARE_WRONG
    unit = measure.removeprefix("median_ae").strip("_")
    label = "share wrong" if percent else f"median error ({unit})" if unit else "median error"
    cards = "".join(
        f'<figure class="card"><figcaption>{esc(label)} by {esc(QUANTITIES.get(name, name))}</figcaption>'
        + interval_chart(f"{label} by {name}", some, QUANTITIES.get(name, name), "", percent=percent)
        + "</figure>"
        for name, some in curves.items()
    )
    return (
        f'<p class="soft">The first run of every configuration, in bins of about equal numbers; bars are '
        f"{level_text(groups[0].level)} intervals over events. Bins whose intervals overlap widely say nothing of a "
        f'trend.</p><div class="cards broad">{cards}</div>'
    )


def _error_bins(group: Group, output: str, part: str) -> list[dict[str, Any]]:
    """Rows of the table of error sources; none where it is missing or damaged, as in runs of older versions."""
    path = group.first.folder.tables / f"{output}_{part}_error_against.csv"
    try:
        table = read_table(path)
    except (OSError, ValueError, SeisvisionError):
        return []
    rows = [dict(zip(table.columns, row, strict=False)) for row in table.rows]
    wanted = ("middle", "value", "quantity", "measure", "n")
    return [row for row in rows if all(row.get(name) is not None for name in wanted)
            and isinstance(row["value"], float) and isinstance(row["middle"], float)]  # fmt: skip


def _bin(row: Mapping[str, Any], name: str) -> Bin:
    low, high = (row[end] if isinstance(row.get(end), float) else math.nan for end in ("value_low", "value_high"))
    about = f"{name}\n{row['low']} to {row['high']}, {row['n']} samples of {row['n_events']} events"
    return Bin(float(row["middle"]), float(row["value"]), low, high, about)


def importance_section(comparison: Comparison) -> str:
    """Bars of how much each setting of a sweep matters; empty where there is too little to learn it from."""
    keys = sweep_axes(comparison)
    output = comparison.outputs[0]["name"]
    headline = comparison.headline(output)
    part = comparison.ordered_by
    found = [group.summary(part, output, headline) for group in comparison.groups]
    values = [one.mean if one else math.nan for one in found]
    result = importance({key: [group.differing[key] for group in comparison.groups] for key in keys}, values)
    if result is None:
        return ""
    name = comparison.columns(output).get(headline, headline)
    chart = bar_chart("Importance of settings", list(result.shares.items()))
    warning = f" <b>{UNRELIABLE}</b>" if result.explained < LOW_EXPLAINED else ""
    return (
        f'<p class="soft">How much worse a random forest predicts the {esc(part)} {esc(name)} of a configuration when '
        "a setting is shuffled between configurations. The settings explain "
        f"{max(0.0, result.explained):.0%} of the variance of configurations that the forest did not see, and the bars "
        f"divide it among them.{warning} "
        f'Settings that only change together are one.</p><div class="card">{chart}</div>'
    )
