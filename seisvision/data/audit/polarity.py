"""Stations whose motion is upside down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import scipy.fft

from seisvision.data.audit.findings import Finding
from seisvision.data.audit.table import AuditTable
from seisvision.earth.constants import KM_PER_DEG

if TYPE_CHECKING:
    from seisvision.data.audit.samples import SampleChecks

N_NEIGHBOURS = 4
MAX_STATIONS = 40
SECTION = 4096
"""Samples about the strongest motion that are compared."""
PAIRS_AT_ONCE = 16
NEAR = 0.2
"""Stations are compared that lie closer to each other than this part of their distance from the source."""
MIN_CORRELATION = 0.6
MIN_CONTRAST = 1.2
"""A narrow-band signal correlates nearly as well half a cycle off, which says nothing."""


def polarity_votes(
    table: AuditTable, rows: np.ndarray, waveforms: list[np.ndarray], mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many of the nearest stations move with, and opposite to, each trace of an event (S,), on the vertical."""
    votes = np.zeros((2, len(rows)))
    latitude, longitude = (table.numbers(f"station_{name}_deg")[rows] for name in ("latitude", "longitude"))
    rates = table.numbers("trace_sampling_rate_hz")[rows]
    usable = np.flatnonzero(mask[:, 0] & np.isfinite(latitude + longitude) & (rates == np.median(rates)))
    if not 3 <= len(usable) <= MAX_STATIONS:
        return votes[0], votes[1]
    sections = [_section(waveforms[i][0]) for i in usable]
    east, north = longitude[usable] * np.cos(np.radians(latitude[usable])), latitude[usable]
    apart = np.hypot(east[:, None] - east, north[:, None] - north)
    offset_deg = table.numbers("path_ep_distance_km")[rows][usable] / KM_PER_DEG
    one = np.repeat(np.arange(len(usable)), min(N_NEIGHBOURS, len(usable) - 1))
    other = np.argsort(apart, axis=1)[:, 1 : N_NEIGHBOURS + 1].ravel()
    # Farther apart, the radiation of the source and the path differ.
    near = ~(apart[one, other] > NEAR * offset_deg[one])
    one, other = one[near], other[near]
    if len(one):
        up, down = _correlations(sections, one, other)
        most, least = np.maximum(up, down), np.minimum(up, down)
        tells = (most >= MIN_CORRELATION) & (most > MIN_CONTRAST * least)
        np.add.at(votes, ((down > up)[tells].astype(int), usable[one[tells]]), 1)
    return votes[0], votes[1]


def _correlations(sections: list[np.ndarray], one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Largest correlation at any lag, as they are and turned over (2, P), of P pairs of sections."""
    # Two that are neighbours of each other are compared once.
    pairs, number = np.unique(np.sort(np.stack([one, other]), axis=0), axis=1, return_inverse=True)
    n_lags = scipy.fft.next_fast_len(2 * max(map(len, sections)), real=True)
    spectra = np.stack([scipy.fft.rfft(section, n_lags) for section in sections])
    found = np.empty((2, pairs.shape[1]))
    for first in range(0, pairs.shape[1], PAIRS_AT_ONCE):
        a, b = pairs[:, first : first + PAIRS_AT_ONCE]
        correlation = scipy.fft.irfft(spectra[a] * spectra[b].conj(), n_lags, axis=1, overwrite_x=True)
        found[:, first : first + PAIRS_AT_ONCE] = correlation.max(axis=1), -correlation.min(axis=1)
    return found[:, number.ravel()]


def _section(samples: np.ndarray) -> np.ndarray:
    """Samples about the strongest motion, of unit energy and zero mean."""
    samples = np.nan_to_num(samples)
    middle = int(np.argmax(np.abs(samples - samples.mean())))
    first = max(0, min(middle - SECTION // 4, len(samples) - SECTION))
    part = samples[first : first + SECTION].astype(np.float64)
    part -= part.mean()
    return part / max(float(np.linalg.norm(part)), 1e-30)


def reversed_stations(table: AuditTable, checks: SampleChecks) -> Iterator[Finding]:
    """Finding on traces that move opposite to at least two, and most, of their neighbours."""
    against, agreeing = checks.against_votes, checks.for_votes
    judged = int((against + agreeing >= 2).sum())
    bad = (against >= 2) & (against >= 3 * agreeing)
    number, names = table.station
    counts = np.bincount(number[bad & (number >= 0)], minlength=len(names))
    often = "".join(f" {names[i]} ({counts[i]})" for i in np.argsort(-counts)[:5] if counts[i] > 1)
    remedy = (
        "Suspects: compare first motions; a source may do this, a station that does it often is wired the wrong way"
    )
    remedy += f":{often}." if often else "."
    yield from table.trace_finding(
        "polarity", "warning", "traces upside down beside their neighbours", bad, remedy, judged
    )
