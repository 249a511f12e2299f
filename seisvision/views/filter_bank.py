"""Banks of Gaussian band filters that return power in pixels, each band at as few samples as it needs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch

from seisvision.base.devices import kept
from seisvision.views.filters import is_fast

REACH_SIGMAS = 3.5
"""Bands are cut off where their gain has fallen to 0.2 %."""

CPU_BLOCK_BYTES = 2**19
"""Memory of the bands that are transformed at a time on a processor: they then stay in its cache."""

MOST_ADDED = 3
"""Neighbours that are added one after the other; of more a product with ones makes the sum quicker."""


class RowsAlike(NamedTuple):
    """Neighbouring rows that are sampled equally often."""

    first_row: int
    """Row that the first gain is for."""
    bins: torch.Tensor
    """int64 (rows, bins): numbers of the frequencies of the spectrum that each row takes."""
    gain: torch.Tensor
    """complex64 (rows, bins): such that squared magnitudes are mean square amplitudes over ``per_pixel``."""
    samples: int
    """Samples of each band over the whole transform."""
    per_pixel: int
    """Samples of each band in a pixel."""

    def write_power(self, spectrum: torch.Tensor, power: torch.Tensor) -> None:
        """Write mean power of these rows in every pixel to ``power`` (traces, all rows, W).

        Args:
            spectrum: (traces, frequencies).
            power: where the rows are written.

        A processor transforms some traces at a time, which stay in its cache.
        """
        traces, (rows, n_bins), pixels = len(spectrum), self.gain.shape, power.shape[-1]
        bytes_a_trace = rows * self.samples * self.gain.element_size()
        block = max(1, CPU_BLOCK_BYTES // bytes_a_trace if spectrum.device.type == "cpu" else traces)
        bands = spectrum.new_zeros(min(block, traces), rows, self.samples)
        for start in range(0, traces, block):
            some = spectrum[start : start + block]
            here, there = bands[: len(some)], power[start : start + block, self.first_row : self.first_row + rows]
            taken = some.gather(1, self.bins.flatten().expand(len(some), -1)).unflatten(1, (rows, n_bins))
            torch.mul(taken, self.gain, out=here[..., :n_bins])
            # Into new memory: into given memory torch copies what it has transformed.
            analytic = torch.fft.ifft(here, norm="forward")
            parts = torch.view_as_real(analytic[..., : pixels * self.per_pixel]).square()
            if self.per_pixel == 1:
                torch.add(parts[..., 0], parts[..., 1], out=there)
            else:
                _add_neighbours(parts[..., 0] + parts[..., 1], self.per_pixel, there)


def _add_neighbours(values: torch.Tensor, together: int, sums: torch.Tensor) -> None:
    """Write to ``sums`` (..., W) the sums over so many neighbours of ``values`` (..., W * together)."""
    # torch's own sums over few neighbours take several times as long.
    if together <= MOST_ADDED:
        torch.add(values[..., ::together], values[..., 1::together], out=sums)
        for number in range(2, together):
            sums.add_(values[..., number::together])
    else:
        sums.copy_(values.unflatten(-1, (-1, together)) @ values.new_ones(together))


@kept
def filter_bank(
    axis: str,
    centre_hz: tuple[float, ...],
    sigma: float,
    samples: int,
    length: int,
    pixels: int,
    sampling_rate_hz: float,
    device: torch.device,
) -> list[RowsAlike]:
    """Return the bank whose rows are centred on ``centre_hz``.

    Args:
        axis: ``log``: ``sigma`` is in octaves; ``linear``: in Hz.
        centre_hz: centre of every row (H,).
        sigma: standard deviation of every row's gain.
        samples: T: samples of the window.
        length: samples of the transform; ``pixels * length`` is a multiple of ``samples``.
        pixels: W: pixels of the window.
        sampling_rate_hz: of the window.
        device: where it will be used.
    """
    centre = torch.tensor(centre_hz, dtype=torch.float64)
    step_hz = sampling_rate_hz / length
    reach = REACH_SIGMAS * sigma
    lowest_hz = centre / 2**reach if axis == "log" else centre - reach
    highest_hz = centre * 2**reach if axis == "log" else centre + reach
    # Zero and the Nyquist frequency stand for one real number each, not for a rotation.
    first = (lowest_hz / step_hz).ceil().long().clamp_min(1)
    last = (highest_hz / step_hz).floor().long().clamp_max((length - 1) // 2)
    count = (last - first + 1).clamp_min(1)
    pixel_samples = pixels * length // samples
    per_pixel = [_next_fast(-(-bins // pixel_samples)) for bins in count.tolist()]
    bank = []
    for row, rows in _runs(per_pixel):
        part = slice(row, row + rows)
        n_bins = int(count[part].max())
        # A row that would reach beyond the spectrum begins earlier, with gains of 0.
        begin = first[part].clamp_max(length // 2 + 1 - n_bins)
        bins = begin[:, None] + torch.arange(n_bins)
        inside = (bins >= first[part, None]) & (bins <= last[part, None])
        gain = _gain(axis, bins * step_hz, centre[part, None], sigma) * inside
        short = per_pixel[row] * pixel_samples
        # Half a sample later: the samples of a pixel then lie evenly about its middle. Where a band lies on the
        # frequency axis does not show in its magnitude, so its bins need not be put in their places.
        later = torch.polar(gain, math.pi / short * (bins - begin[:, None]).double())
        gain = (later * (math.sqrt(2 / per_pixel[row]) / length)).to(torch.complex64)
        bank.append(RowsAlike(row, bins.to(device), gain.to(device), short, per_pixel[row]))
    return bank


def _gain(axis: str, frequency_hz: torch.Tensor, centre_hz: torch.Tensor, sigma: float) -> torch.Tensor:
    distance = torch.log2(frequency_hz / centre_hz) if axis == "log" else frequency_hz - centre_hz
    return torch.exp(-0.5 * (distance / sigma).square())


def _runs(values: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, length) of every run of equal neighbours."""
    first = 0
    for position in range(1, len(values) + 1):
        if position == len(values) or values[position] != values[first]:
            yield first, position - first
            first = position


def _next_fast(number: int) -> int:
    while not is_fast(number):
        number += 1
    return number
