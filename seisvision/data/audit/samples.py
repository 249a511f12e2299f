"""Checks of the samples: what cannot be read, gaps, dead, flat, clipped and copied recordings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from seisvision.data.audit.copies import Signatures, chosen_events, copy_findings, find_copies
from seisvision.data.audit.faults import FLAT_S, look_at
from seisvision.data.audit.findings import Finding, worst_of
from seisvision.data.audit.polarity import polarity_votes
from seisvision.data.audit.table import AuditTable
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError
from seisvision.keys import COMPONENTS

TRACES_AT_ONCE, SAMPLES_AT_ONCE = 256, 400_000
"""Events are read together up to these numbers; more at once takes memory and no less time."""


@dataclass
class SampleChecks:
    """What the samples say; N traces of the set, NaN or false where a trace was not read.

    Args:
        findings: of all checks.
        attributes: numbers of the recordings (N,) that might tell the class.
        n_read: traces read.
        for_votes, against_votes: neighbours (N,) that move with, or opposite to, the trace.
    """

    findings: list[Finding] = field(default_factory=list)
    attributes: dict[str, np.ndarray] = field(default_factory=dict)
    n_read: int = 0
    for_votes: np.ndarray = field(default_factory=lambda: np.empty(0))
    against_votes: np.ndarray = field(default_factory=lambda: np.empty(0))


FAULTS = {
    "infinite": ("samples_infinite", "infinite samples", 0.0),
    "gap": ("samples_missing", "gaps stored as NaN", 0.5),
    "dead": ("channel_dead", "channels that hold one value", 0.5),
    "flat": ("channel_flat", f"channels that stand still for {FLAT_S:g} s or more", 1.0),
    "clipped": ("channel_clipped", "channels that look clipped", 0.5),
    "offset": ("channel_offset", "channels with a large offset", 1.0),
    "spike": ("channel_spike", "channels with single-sample spikes", 0.5),
    "unreadable": ("unreadable", "traces that cannot be read", 0.0),
}
"""Code, title and the share above which it is fatal."""
REMEDIES = {
    "infinite": "Correct or leave out; they are read as zeros.",
    "gap": "They are read as zeros, which look like steps: interpolate short gaps, leave out the rest.",
    "dead": "Leave these channels out (seisvision data import does).",
    "flat": "A gap filled with one value, or a sensor that failed for a while.",
    "clipped": "Their amplitudes and spectra are false: leave them out (quality.clipped=reject).",
    "offset": "Remove the mean before filtering or drawing.",
    "spike": "Glitches of the recorder; a picture scaled by the maximum shows nothing else.",
    "unreadable": "The file is damaged: make, import or download the set again.",
}


def check_samples(waveform_set: WaveformSet, table: AuditTable, max_traces: int | None) -> SampleChecks:
    """Read events evenly spread over the set, about ``max_traces`` traces, and check every recorded component."""
    checks = SampleChecks()
    checks.for_votes, checks.against_votes = np.zeros(table.n_traces), np.zeros(table.n_traces)
    faults = {name: np.zeros(table.n_traces, dtype=bool) for name in FAULTS}
    still = np.zeros(table.n_traces, dtype=bool)
    peak, padding_s = np.full(table.n_traces, np.nan), np.full(table.n_traces, np.nan)
    signatures = Signatures()
    for components, events, waveforms, mask in _read(waveform_set, table, max_traces, faults["unreadable"]):
        rows = np.concatenate(events)
        checks.n_read += len(rows)
        rates = table.numbers("trace_sampling_rate_hz")[rows]
        for places, block in _alike(waveforms, mask):
            chosen, look = rows[places], look_at(block, rates[places])
            for name, found in look.faults.items():
                faults[name][chosen] = found
            still[chosen], padding_s[chosen] = look.still, look.n_padding / rates[places]
            peak[chosen] = np.log10(np.maximum(look.peak.astype(np.float64), 1e-30))
            signatures.add_block(chosen[~look.faults["dead"]], block[~look.faults["dead"], 0])
        first = 0
        for event in events if components.startswith("Z") else []:
            of_event = slice(first, first + len(event))
            votes = polarity_votes(table, event, waveforms[of_event], mask[of_event])
            checks.for_votes[event], checks.against_votes[event] = votes
            first += len(event)
        # Nothing is read twice.
        waveform_set.let_go()
    checks.attributes = {"largest amplitude": peak, "padding": padding_s}
    copies = find_copies(waveform_set, signatures, table)
    checks.findings = [*_fault_findings(table, faults, checks.n_read), *copy_findings(table, copies, checks.n_read)]
    checks.findings += _padding_finding(table, padding_s, checks.n_read)
    checks.findings += _dead_event_finding(table, still, np.isfinite(peak))
    return checks


Read = tuple[str, list[np.ndarray], list[np.ndarray], np.ndarray]


def _read(
    waveform_set: WaveformSet, table: AuditTable, max_traces: int | None, unreadable: np.ndarray
) -> Iterator[Read]:
    """Yield components, rows of several events, and the waveforms and mask of all these rows, in order."""
    batch: list[np.ndarray] = []
    components, n_traces, n_samples = "", 0, 0
    for rows in chosen_events(waveform_set, max_traces):
        wanted, lengths = _components(table, rows), waveform_set.n_samples[rows]
        # Where trace_name does not tell the length, the event is read by itself.
        n_more = len(rows) * int(lengths.max()) if lengths.min() >= 0 else SAMPLES_AT_ONCE
        full = n_traces + len(rows) > TRACES_AT_ONCE or n_samples + n_more > SAMPLES_AT_ONCE
        if batch and (wanted != components or full):
            yield from _read_batch(waveform_set, components, batch, unreadable)
            batch, n_traces, n_samples = [], 0, 0
        batch.append(rows)
        components, n_traces, n_samples = wanted, n_traces + len(rows), n_samples + n_more
    yield from _read_batch(waveform_set, components, batch, unreadable)


def _read_batch(
    waveform_set: WaveformSet, components: str, events: list[np.ndarray], unreadable: np.ndarray
) -> Iterator[Read]:
    try:
        yield components, events, *waveform_set.read_rows(np.concatenate(events), components, keep_gaps=True)
    except DataError:
        if len(events) == 1:
            unreadable[events[0]] = True
            return
        for event in events:
            yield from _read_batch(waveform_set, components, [event], unreadable)


def _alike(waveforms: list[np.ndarray], mask: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places and waveforms (N, C, T) of those traces that have one length and the same components."""
    kinds: dict[tuple[int, bytes], list[int]] = {}
    for place, (waveform, recorded) in enumerate(zip(waveforms, mask, strict=True)):
        kinds.setdefault((waveform.shape[1], recorded.tobytes()), []).append(place)
    for places in kinds.values():
        yield np.array(places), np.stack([waveforms[place] for place in places])[:, mask[places[0]]]


def _components(table: AuditTable, rows: np.ndarray) -> str:
    codes, orders = table.codes("trace_component_order")
    found = {letter for code in set(codes[rows]) for letter in orders[code]}
    return "".join(letter for letter in COMPONENTS if letter in found) + "".join(sorted(found - set(COMPONENTS)))


def _fault_findings(table: AuditTable, faults: dict[str, np.ndarray], n_read: int) -> Iterator[Finding]:
    for name, (code, title, fatal_share) in FAULTS.items():
        severity = worst_of(int(faults[name].sum()), max(n_read, 1), fatal_share)
        yield from table.trace_finding(code, severity, title, faults[name], REMEDIES[name], max(n_read, 1))


def _padding_finding(table: AuditTable, padding_s: np.ndarray, n_read: int) -> list[Finding]:
    padded = padding_s > np.maximum(0.5, 0.02 * table.length_s)
    remedy = "Zeros at an end tell where the recording began, so often the distance: take samples.window.complete=true."
    return table.trace_finding("padding", "note", "recordings padded with zeros", padded, remedy, n_read)


def _dead_event_finding(table: AuditTable, still: np.ndarray, is_read: np.ndarray) -> list[Finding]:
    """Events of which traces were read and none moves: among dead channels, of which five are named, they drown."""
    read = table.any_of_event(is_read)
    dead = read & ~table.any_of_event(~still)
    severity = worst_of(int(dead.sum()), int(read.sum()), FAULTS["dead"][2])
    title = "events in which nothing moves: all their channels hold one value"
    remedy = "Leave them out, as training does, and look what became of their recordings."
    return table.event_finding("event_dead", severity, title, dead, remedy, int(read.sum()))
