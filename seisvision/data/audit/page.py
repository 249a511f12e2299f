"""The audit as one HTML page: no script, no network, dark and light, every string of the set escaped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.audit import svg
from seisvision.data.audit.audit import Audit
from seisvision.data.audit.findings import SEVERITIES
from seisvision.data.audit.table import AuditTable
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError
from seisvision.files import write_text
from seisvision.plain_text import as_html as escape

FILE_NAME = "audit.html"
N_SECTIONS = 6
MAX_SECTION_TRACES = 12
MEANINGS = {"fatal": "results would be wrong", "warning": "results may mislead", "note": "good to know"}
NUMBERS = {
    "n_events": "events",
    "n_traces": "traces",
    "n_stations": "stations",
    "time_span": "first and last origin",
    "without_class": "without a class",
    "sampling_rate_hz": "sampling rate (Hz): traces",
    "components": "components: traces",
    "networks": "networks: traces",
    "units": "units: traces",
    "length_s": "length (s)",
    "traces_per_event": "traces per event",
    "missing": "share of missing values",
    "traces_read": "traces whose samples were read",
}
"""What the statistics of an audit are called on its page."""
STYLE = Path(__file__).with_name("audit.css")


def write_page(audit: Audit, waveform_set: WaveformSet, folder: Path) -> Path:
    """Write ``audit.html`` into ``folder`` and return its path."""
    table = AuditTable(waveform_set, audit.target, audit.labels)
    body = "".join(
        [
            *_head(audit, waveform_set),
            *_findings(audit),
            *_confounds(audit),
            *_pictures(audit, table, waveform_set),
            *_numbers(audit),
        ]
    )
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Audit of {escape(waveform_set.path.name)}</title>"
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head>"
        f"<body>{body}</body></html>\n"
    )
    path = folder / FILE_NAME
    write_text(path, text)
    return path


def _head(audit: Audit, waveform_set: WaveformSet) -> Iterator[str]:
    s = audit.statistics
    yield f"<h1>Audit of {escape(waveform_set.path.name)}</h1>"
    counts = ", ".join(
        f'<b class="{name}">{sum(f.severity == name for f in audit.findings)} {name}</b>' for name in SEVERITIES
    )
    yield f"<p>{s['n_events']} events, {s['n_traces']} traces, {s['n_stations']} stations; "
    yield f"samples of {s['traces_read']} traces read. Findings: {counts}.</p>"
    description = str(waveform_set.card.get("description", ""))
    where = f"{waveform_set.path}, fingerprint {audit.fingerprint}. {description}"
    yield f"<p><small>{escape(where)}</small></p>"


def _findings(audit: Audit) -> Iterator[str]:
    meanings = ", ".join(f'<b class="{name}">{name}</b>: {MEANINGS[name]}' for name in SEVERITIES)
    yield f"<h2>Findings</h2><p><small>{meanings}.</small></p><table class=stacked>"
    yield "<tr><th>severity</th><th>what</th><th class=n>count</th><th>what to do</th></tr>"
    for finding in audit.findings:
        examples = "".join(f"<br><small>{escape(text)}</small>" for text in finding.examples)
        yield (
            f'<tr><td class="name {finding.severity}">{finding.severity}</td><td>{escape(finding.title)}{examples}</td>'
            f"<td class=n>{finding.count} of {finding.of} {escape(finding.unit)}</td>"
            f"<td>{escape(finding.remedy)}</td></tr>"
        )
    yield "</table>" if audit.findings else "</table><p>Nothing was found.</p>"


def _confounds(audit: Audit) -> Iterator[str]:
    for title, items in (
        ("What tells the class without the waveform", audit.confounds),
        ("What tells the collection", audit.set_confounds),
    ):
        if not items:
            continue
        yield f"<h2>{title}</h2><p><small>Each attribute alone, cross-validated by event. Bar: balanced accuracy with "
        yield "95 % interval; dashed: chance; majority: accuracy of always saying the largest class. A model must beat "
        yield 'these. <b class="warning">recording</b>: tells more than chance would, and has nothing to do with the '
        yield "source.</small></p><div class=wide>"
        heads = "".join(f"<th class=n>{name}</th>" for name in ("balanced", "AUC", "accuracy", "majority", "n"))
        yield f"<table><tr><th>attribute</th><th>kind</th><th></th>{heads}</tr>"
        for item in items:
            bar = svg.strip(item.balanced_accuracy, item.low95, item.high95, item.chance)
            numbers = (item.balanced_accuracy, item.auc, item.accuracy, item.majority)
            cells = "".join(f"<td class=n>{number:.3f}</td>" for number in numbers)
            kind = f'<b class="warning">{item.kind}</b>' if item.notable and item.kind == "recording" else item.kind
            yield f"<tr><td class=name>{escape(item.attribute)}</td><td>{kind}</td><td>{bar}</td>{cells}"
            yield f"<td class=n>{item.n} {escape(item.unit)}</td></tr>"
        yield "</table></div>"


def _pictures(audit: Audit, table: AuditTable, waveform_set: WaveformSet) -> Iterator[str]:
    names = table.classes[1][:8]
    yield f'<h2>Places and distributions</h2>{svg.legend(names)}<div class="grid">'
    rows = table.first_row
    sources = np.stack([table.numbers(f"source_{name}_deg")[rows] for name in ("latitude", "longitude")], axis=1)
    stations = np.unique(
        np.stack([table.numbers(f"station_{name}_deg") for name in ("latitude", "longitude")], axis=1), axis=0
    )
    yield svg.map_view("sources (dots) and stations (triangles)", sources, table.classes[0][rows], stations)
    for name, item in audit.statistics["distributions"].items():
        if item:
            yield svg.histogram(f"{name}, {item['unit']}", item["edges"], item["counts"])
    yield "</div><h2>Record sections</h2><p><small>Stations by distance, each scaled to its own largest amplitude."
    yield '</small></p><div class="grid">'
    for event in _shown_events(table):
        yield _section(table, waveform_set, event)
    yield "</div>"


def _shown_events(table: AuditTable) -> list[int]:
    """Of each class the events with most traces, in turn."""
    codes = table.classes[0][table.first_row]
    n_traces = np.bincount(table.event)
    order = np.argsort(-n_traces, kind="stable")
    by_class = [order[codes[order] == number][:N_SECTIONS] for number in np.unique(codes)]
    turns = [int(members[i]) for i in range(N_SECTIONS) for members in by_class if i < len(members)]
    return turns[:N_SECTIONS]


def _section(table: AuditTable, waveform_set: WaveformSet, event: int) -> str:
    rows = waveform_set.rows(str(table.event_ids[event]))
    offset = table.numbers("path_ep_distance_km")[rows]
    rows = rows[np.argsort(offset, kind="stable")][:: max(1, -(-len(rows) // MAX_SECTION_TRACES))]
    order = table.metadata["trace_component_order"].iloc[rows[0]]
    component = "Z" if "Z" in order else order[0]
    try:
        waveforms, _ = waveform_set.read_rows(rows, component, keep_gaps=True)
    except DataError as error:
        return f"<p>{escape(error)}</p>"
    starts, rates = (
        np.nan_to_num(table.start_s[rows] - np.nanmin(np.append(table.start_s[rows], 0))),
        table.numbers("trace_sampling_rate_hz")[rows],
    )
    number, stations = table.station
    km = table.numbers("path_ep_distance_km")[rows]
    names = [
        (str(stations[number[row]]) if number[row] >= 0 else f"row {row}") + (f" {d:.0f} km" if np.isfinite(d) else "")
        for row, d in zip(rows, km, strict=True)
    ]
    lengths = [waveform.shape[1] / rate for waveform, rate in zip(waveforms, rates, strict=True)]
    label = table.classes[0][table.first_row[event]]
    kind = table.classes[1][label] if label >= 0 else "no class"
    return svg.record_section(
        f"{table.event_ids[event]} ({kind})", names, starts.tolist(), lengths, [w[0] for w in waveforms]
    )


def _numbers(audit: Audit) -> Iterator[str]:
    yield "<h2>Numbers</h2><table class=stacked>"
    for name, value in audit.statistics.items():
        if name != "distributions":
            yield f"<tr><td class=name>{escape(NUMBERS.get(name, name))}</td><td>{escape(_plain(value))}</td></tr>"
    yield "</table>"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(item)}" for key, item in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
