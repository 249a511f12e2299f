"""Checks of the samples: what cannot be read, gaps, dead, flat, clipped and copied recordings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from seisvision.data.audit.copies import Signatures, chosen_events, copy_findings, find_copies
from seisvision.data.audit.findings import Finding, worst_of
from seisvision.data.audit.polarity import polarity_votes
from seisvision.data.audit.table import AuditTable
from seisvision.data.importing.series.checks import CLIP_PEAKS, CLIP_RUN, looks_clipped
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError
from seisvision.keys import COMPONENTS

FLAT_S = 2.0
"""One value for longer is a gap that was filled, or a dead sensor."""
FLAT_SAMPLES = 10
LARGE_OFFSET = 3.0
"""Mean over standard deviation."""
SPIKE = 30.0
"""Largest step over the quantile 0.999 of the steps, there and back again."""


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
    for rows in chosen_events(waveform_set, max_traces):
        try:
            components = _components(table, rows)
            waveforms, mask = waveform_set.read_rows(rows, components, keep_gaps=True)
        except DataError:
            faults["unreadable"][rows] = True
            continue
        checks.n_read += len(rows)
        rates = table.numbers("trace_sampling_rate_hz")[rows]
        for row, waveform, recorded, rate_hz in zip(rows, waveforms, mask, rates, strict=True):
            waveform = waveform[recorded]
            still[row] = not _look(int(row), waveform, float(rate_hz), faults)
            peak[row] = np.log10(max(float(np.nanmax(np.abs(waveform), initial=0)), 1e-30))
            padding_s[row] = _padding(waveform) / rate_hz
            if not faults["dead"][row]:
                signatures.add(int(row), waveform)
        if components.startswith("Z"):
            checks.for_votes[rows], checks.against_votes[rows] = polarity_votes(table, rows, waveforms, mask)
    checks.attributes = {"largest amplitude": peak, "padding": padding_s}
    copies = find_copies(waveform_set, signatures, table)
    checks.findings = [*_fault_findings(table, faults, checks.n_read), *copy_findings(table, copies, checks.n_read)]
    checks.findings += _padding_finding(table, padding_s, checks.n_read)
    checks.findings += _dead_event_finding(table, still, np.isfinite(peak))
    return checks


def _components(table: AuditTable, rows: np.ndarray) -> str:
    codes, orders = table.codes("trace_component_order")
    found = {letter for code in set(codes[rows]) for letter in orders[code]}
    return "".join(letter for letter in COMPONENTS if letter in found) + "".join(sorted(found - set(COMPONENTS)))


def _look(row: int, waveform: np.ndarray, rate_hz: float, faults: dict[str, np.ndarray]) -> bool:
    """Note the faults of a trace; whether anything moves in it."""
    moves = False
    for channel in waveform:
        if not np.isfinite(channel.sum(dtype=np.float64)):
            faults["infinite"][row] |= bool(np.isinf(channel).any())
            faults["gap"][row] |= bool(np.isnan(channel).any())
            channel = np.nan_to_num(channel, nan=0.0, posinf=0.0, neginf=0.0)
        lowest, highest = float(channel.min(initial=np.inf)), float(channel.max(initial=-np.inf))
        if lowest >= highest:
            faults["dead"][row] = True
            continue
        moves = True
        if _longest_still(channel) > max(FLAT_SAMPLES, FLAT_S * rate_hz):
            faults["flat"][row] = True
        # Counting the extremes is quick, and a clipped channel has many.
        for extreme in (lowest, highest):
            if np.count_nonzero(channel == extreme) >= CLIP_RUN * CLIP_PEAKS and extreme != 0:
                faults["clipped"][row] |= looks_clipped(channel)
        deviation = float(channel.std(dtype=np.float64))
        faults["offset"][row] |= abs(float(channel.mean(dtype=np.float64))) > LARGE_OFFSET * deviation
        faults["spike"][row] |= _has_spike(channel)
    return moves


def _longest_still(channel: np.ndarray) -> int:
    """Longest run of one value, zeros at either end aside."""
    moving = np.flatnonzero(channel)
    part = channel[moving[0] : moving[-1] + 1]
    changes = np.flatnonzero(np.diff(part) != 0)
    return int(np.diff(np.concatenate([[-1], changes, [len(part) - 1]])).max())


def _has_spike(channel: np.ndarray) -> bool:
    steps = np.diff(channel)
    if len(steps) < 100:
        return False
    at = int(np.argmax(np.abs(steps)))
    usual = float(np.partition(np.abs(steps), -max(3, len(steps) // 1000))[-max(3, len(steps) // 1000)])
    back = max(abs(steps[i]) if 0 <= i < len(steps) and steps[i] * steps[at] < 0 else 0.0 for i in (at - 1, at + 1))
    return min(abs(float(steps[at])), float(back)) > SPIKE * max(usual, 1e-30)


def _padding(waveform: np.ndarray) -> int:
    """Zeros at either end that all components share."""
    moving = np.flatnonzero(np.any(waveform != 0, axis=0))
    return waveform.shape[1] if not len(moving) else waveform.shape[1] - int(moving[-1] - moving[0] + 1)


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
