"""Banks of Gaussian band filters that return power in pixels, each band at as few samples as it needs."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch

from seisvision.base.devices import kept
from seisvision.views.filters import is_fast

REACH_SIGMAS = 3.5
"""Bands are cut off where their gain has fallen to 0.2 %."""
CPU_ROWS = 32
"""Most rows that a processor transforms together, so that many traces of them stay in its cache."""
PRIME_COSTS = {2: 1, 3: 2, 5: 3, 7: 5}
"""What each prime factor of a length adds to the time that a transform takes for each sample, as measured."""


class RowsAlike(NamedTuple):
    """Neighbouring rows that are sampled equally often."""

    first_row: int
    """Row that the first gain is for."""
    begins: tuple[int, ...]
    """Number of the first frequency of the spectrum that each row takes."""
    bins: torch.Tensor
    """int64 (rows, bins): numbers of all of them, neighbours."""
    gain: torch.Tensor
    """complex64 (rows, bins): such that squared magnitudes are mean square amplitudes over ``per_pixel``."""
    samples: int
    """Samples of each band over the whole transform."""
    per_pixel: int
    """Samples of each band in a pixel."""


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
    for row, rows in _runs(per_pixel, CPU_ROWS if device.type == "cpu" else len(per_pixel)):
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
        begins = tuple(begin.tolist())
        bank.append(RowsAlike(row, begins, bins.to(device), gain.to(device), short, per_pixel[row]))
    return bank


@functools.lru_cache(maxsize=64)
def bank_length(samples: int, pixels: int, padding: int) -> int:
    """Length of the transform that adds ``padding`` to a window of ``samples`` and takes the least time.

    Bands are transformed back at multiples of ``pixels * length / samples`` samples, a whole number. More samples may
    take less time: those of odd lengths and of lengths with large primes take up to twice as long.
    """
    unit = samples // math.gcd(samples, pixels)
    first = -(-(samples + padding) // unit)
    lengths = [unit * number for number in range(first, first + 64)]
    quick = [length for length in lengths if is_fast(length) and length % 2 == 0]
    return min(quick, key=_cost, default=lengths[0])


def _cost(length: int) -> int:
    """Time that a transform of a fast length takes, in some unit."""
    rest, a_sample = length, 0
    for prime, cost in PRIME_COSTS.items():
        while rest % prime == 0:
            rest, a_sample = rest // prime, a_sample + cost
    return length * a_sample


def _gain(axis: str, frequency_hz: torch.Tensor, centre_hz: torch.Tensor, sigma: float) -> torch.Tensor:
    distance = torch.log2(frequency_hz / centre_hz) if axis == "log" else frequency_hz - centre_hz
    return torch.exp(-0.5 * (distance / sigma).square())


def _runs(values: list[int], longest: int) -> Iterator[tuple[int, int]]:
    """Yield (first, length) of every run of equal neighbours, in parts that are not longer than ``longest``."""
    first = 0
    for position in range(1, len(values) + 1):
        if position == len(values) or values[position] != values[first] or position - first == longest:
            yield first, position - first
            first = position


def _next_fast(number: int) -> int:
    while not is_fast(number):
        number += 1
    return number
