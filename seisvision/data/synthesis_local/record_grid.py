"""Frequencies of single records."""

from __future__ import annotations

from scipy import fft

from seisvision.data.synthesis.spectral import SpectralGrid


class RecordGrid(SpectralGrid):
    """Frequencies of a record with half its length to spare, so that tails do not wrap round into it."""

    def __init__(self, sampling_rate_hz: float, n_samples: int) -> None:
        super().__init__(sampling_rate_hz, n_samples)
        self.n_fft = fft.next_fast_len(int(1.5 * n_samples), real=True)
