"""The components of one station on one rate and one time grid, as a row of the set says they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.series.signals import Recording, resampled
from seisvision.data.importing.series.time_grid import SAME_SAMPLE, later, near, simplest
from seisvision.data.importing.tables.times import NS
from seisvision.keys import COMPONENTS


def to_one_grid(recordings: dict[str, Recording], log: RejectionLog) -> dict[str, Recording]:
    """Bring all components to the rate of most of them, and to the time grid of the first (Z where there is one).

    Where as many have one rate as another, the slower one counts, at which nothing has to be invented. Components
    between whose samples the grid falls are interpolated; whole samples of different starts are left as they are.
    What cannot be brought there is listed and left out.
    """
    if not recordings:
        return {}
    rate_hz = _common_rate(recordings)
    kept: dict[str, Recording] = {}
    for letter, recording in recordings.items():
        try:
            kept[letter] = _at_rate(recording, rate_hz)
        except Refusal as refusal:
            log.add_recordings([recording], refusal)
    grid_ns = kept[min(kept, key=_rank)].start_ns
    return {letter: _on_grid(recording, grid_ns) for letter, recording in kept.items()}


def _common_rate(recordings: dict[str, Recording]) -> float:
    counts = Counter(recording.rate_hz for recording in recordings.values())
    most = [rate for rate, number in counts.items() if number == max(counts.values())]
    return simplest(rate for rate in most if near(rate, min(most)))


def _at_rate(recording: Recording, rate_hz: float) -> Recording:
    if recording.rate_hz == rate_hz:
        return recording
    return replace(recording, samples=resampled(recording.samples, recording.rate_hz, rate_hz), rate_hz=rate_hz)


def _rank(letter: str) -> int:
    return COMPONENTS.index(letter) if letter in COMPONENTS else len(COMPONENTS)


def _on_grid(recording: Recording, grid_ns: int) -> Recording:
    if recording.start_ns == grid_ns:
        return recording
    offset = (recording.start_ns - grid_ns) * recording.rate_hz / NS
    nearest = round(offset)
    if abs(offset - nearest) <= SAME_SAMPLE:
        return replace(recording, start_ns=grid_ns + round(nearest / recording.rate_hz * NS))
    first = int(np.ceil(offset))
    samples = later(recording.samples, first - offset)
    return replace(recording, start_ns=grid_ns + round(first / recording.rate_hz * NS), samples=samples)
