"""Stations whose motion is upside down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from seisvision.data.audit.findings import Finding
from seisvision.data.audit.table import AuditTable
from seisvision.earth.constants import KM_PER_DEG

if TYPE_CHECKING:
    from seisvision.data.audit.samples import SampleChecks

N_NEIGHBOURS = 4
MAX_STATIONS = 40
SECTION = 4096
"""Samples about the strongest motion that are compared."""
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
    spectra = np.array([_spectrum(np.nan_to_num(waveforms[i][0])) for i in usable])
    east, north = longitude[usable] * np.cos(np.radians(latitude[usable])), latitude[usable]
    apart = np.hypot(east[:, None] - east, north[:, None] - north)
    offset_deg = table.numbers("path_ep_distance_km")[rows][usable] / KM_PER_DEG
    for i, own in enumerate(usable):
        for j in np.argsort(apart[i])[1 : N_NEIGHBOURS + 1]:
            # Farther apart, the radiation of the source and the path differ.
            if apart[i, j] > NEAR * offset_deg[i]:
                continue
            correlation = np.fft.irfft(spectra[i] * spectra[j].conj())
            up, down = float(correlation.max()), float(-correlation.min())
            if max(up, down) >= MIN_CORRELATION and max(up, down) > MIN_CONTRAST * min(up, down):
                votes[int(down > up), own] += 1
    return votes[0], votes[1]


def _spectrum(samples: np.ndarray) -> np.ndarray:
    """Spectrum of the section about the strongest motion, of unit energy and zero mean."""
    middle = int(np.argmax(np.abs(samples - samples.mean())))
    first = max(0, min(middle - SECTION // 4, len(samples) - SECTION))
    part = samples[first : first + SECTION].astype(np.float64)
    part -= part.mean()
    return np.fft.rfft(part / max(float(np.linalg.norm(part)), 1e-30), 2 * SECTION)


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
