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


class RowsAlike(NamedTuple):
    """Neighbouring rows that are sampled equally often."""

    first_row: int
    """Row that the first gain is for."""
    first_bin: tuple[int, ...]
    """Number of the first frequency of the spectrum that each row takes."""
    gain: torch.Tensor
    """complex64 (rows, bins): such that squared magnitudes are mean square amplitudes."""
    bins: torch.Tensor
    """int64 (rows, bins): their numbers; those beyond the spectrum, whose gain is 0, are its last."""
    samples: int
    """Samples of each band over the whole transform."""
    per_pixel: int
    """Samples of each band in a pixel."""
    pixels: int
    """W: pixels of the window."""

    def power(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Mean power of every row in every pixel (traces, rows, W) from ``spectrum`` (traces, frequencies)."""
        bins = spectrum.new_zeros(len(spectrum), len(self.gain), self.samples)
        if spectrum.device.type == "cpu":
            self.filter_by_rows(spectrum, bins)
        else:
            self.filter_at_once(spectrum, bins)
        analytic = torch.fft.ifft(bins)[..., : self.per_pixel * self.pixels]
        squared = torch.view_as_real(analytic).square().flatten(-2)
        # A product with ones, because sums over few neighbours are slow.
        ones = squared.new_full((2 * self.per_pixel,), 1 / self.per_pixel)
        return squared.unflatten(-1, (self.pixels, -1)) @ ones

    def filter_by_rows(self, spectrum: torch.Tensor, bins: torch.Tensor) -> None:
        """Write the filtered rows into ``bins``; on a processor, gathering at once takes longer than all transforms."""
        for number, first in enumerate(self.first_bin):
            taken = spectrum[:, first : first + self.gain.shape[-1]]
            last = taken.shape[-1]
            torch.mul(taken, self.gain[number, :last], out=bins[:, number, :last])

    def filter_at_once(self, spectrum: torch.Tensor, bins: torch.Tensor) -> None:
        """The same in two kernels: a GPU is faster than a processor can ask it for row after row."""
        taken = spectrum.index_select(1, self.bins.flatten()).unflatten(1, self.bins.shape)
        torch.mul(taken, self.gain, out=bins[..., : self.gain.shape[-1]])


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
        bins = first[part, None] + torch.arange(int(count[part].max()))
        gain = _gain(axis, bins * step_hz, centre[part, None], sigma) * (bins <= last[part, None])
        short = per_pixel[row] * pixel_samples
        # Half a sample later: the samples of a pixel then lie evenly about its middle. Where a band lies on the
        # frequency axis does not show in its magnitude, so its bins need not be put in their places.
        later = torch.polar(gain, math.pi / short * (bins - first[part, None]).double())
        gain = (later * (math.sqrt(2) * short / length)).to(torch.complex64)
        at = bins.clamp_max(length // 2).to(device)
        alike = RowsAlike(row, tuple(first[part].tolist()), gain.to(device), at, short, per_pixel[row], pixels)
        bank.append(alike)
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
