"""Channels that came as one sound piece, as nearly all do, are looked through together: there is nothing to join.

What a closer look could find anything in goes to :func:`~seisvision.data.importing.series.signals.join` by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seisvision.data.importing.formats.waveform_files import Segment
from seisvision.data.importing.series.batches import in_batches, stacked
from seisvision.data.importing.series.gaps import needs_closer_look
from seisvision.data.importing.series.time_grid import HALF_SAMPLE, clean_rate, drift


def plain_samples(channels: Sequence[Sequence[Segment]]) -> list[np.ndarray | None]:
    """Samples (T,) float64 of each channel that is one piece on its grid without gaps; None for the others."""
    places = [place for place, pieces in enumerate(channels) if _is_one_piece(pieces)]
    found: list[np.ndarray | None] = [None] * len(channels)
    pieces = [channels[place][0].samples for place in places]
    for place, samples in zip(places, in_batches(pieces, lambda item: (len(item), item.dtype), _sound), strict=True):
        found[place] = samples
    return found


def _is_one_piece(pieces: Sequence[Segment]) -> bool:
    if len(pieces) != 1 or not pieces[0].n_samples:
        return False
    piece = pieces[0]
    is_series = piece.samples.ndim == 1 and piece.samples.dtype.kind in "iuf" and len(piece.samples) == piece.n_samples
    return is_series and drift(piece.n_samples, piece.rate_hz, clean_rate(piece.rate_hz)) <= HALF_SAMPLE


def _sound(pieces: list[np.ndarray]) -> list[np.ndarray | None]:
    rows = stacked(pieces)
    doubtful = needs_closer_look(rows)
    samples = rows.astype(np.float64)
    return [None if doubt else row for doubt, row in zip(doubtful.tolist(), samples, strict=True)]
