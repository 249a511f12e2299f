"""Normalised cross-correlation of many templates with long recordings, stacked over channels, on any device.

Overlap-save convolution: recordings are cut into chunks of about eight template lengths, whose spectra are multiplied
with those of the templates. Sums of squares run in double precision, for a day holds millions of samples beside which
a strong event leaves nothing of single precision. Gibbons and Ringdal (2006, doi:10.1111/j.1365-246X.2006.02865.x)
stack over the channels of a network after their moveout.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK_LENGTHS = 8
CHUNKS_ON_CPU, CHUNKS_ON_GPU = 24, 256
"""At a time: what fits the cache, and what fills a GPU."""
LEAST_SHARE = 1e-11
"""Variance of a window, as a share of that of the whole recording, below which it correlates with nothing: what is left
of double precision. The noise beside a strong earthquake is far above it."""


@dataclass(frozen=True)
class Templates:
    """K templates of C channels each.

    Args:
        samples: (K, C, L) float32, any offset and scale.
        delay: (K, C) int64, samples by which the window of a channel begins after the reference time of the template.
        used: (K, C) bool; channels that a template lacks have no say.
    """

    samples: Tensor
    delay: Tensor
    used: Tensor

    def __len__(self) -> int:
        return len(self.samples)

    def rows(self, some: slice) -> Templates:
        """Some of the templates."""
        return Templates(self.samples[some], self.delay[some], self.used[some])

    def to(self, device: torch.device | str) -> Templates:
        """On a device."""
        return Templates(self.samples.to(device), self.delay.to(device), self.used.to(device))

    def normalised(self) -> Templates:
        """Without offset and of norm one, so that a product with a window of norm one is a correlation."""
        level = self.samples - self.samples.mean(-1, keepdim=True)
        norm = torch.linalg.vector_norm(level, dim=-1, keepdim=True)
        is_alive = norm[..., 0] > 0
        return Templates(level / norm.clamp_min(1e-30), self.delay, self.used & is_alive)


def network_correlation(
    samples: Tensor, known: Tensor | None, templates: Templates, at_once: int | None = None
) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
    """Correlations stacked over the channels, some templates at a time.

    Args:
        samples: (C, T) float32 recordings, filtered as the templates are, of the same rate.
        known: (C, T) bool, False in gaps; None where there are none.
        templates: K templates of these channels.
        at_once: templates at a time; None: so many that stacks need a third of the memory of the recordings.

    Yields:
        Which templates; the sum (k, R) of the correlations of all channels with the window that begins at each
        reference time; and the number (k, R) of channels that have a say, None where all of every template do. R is
        T - L + 1; reference times from which a channel's window leaves the recording lack that channel.
    """
    n_channels, n_samples = samples.shape
    length = templates.samples.shape[-1]
    n_places = n_samples - length + 1
    if n_places < 1:
        return
    at_once = at_once or max(1, n_channels // 3)
    n_fft = fft_length(length)
    for first in range(0, len(templates), at_once):
        some = slice(first, min(first + at_once, len(templates)))
        part = templates.rows(some).to(samples.device).normalised()
        early, late = max(0, int(part.delay.max())), max(0, -int(part.delay.min()))
        # Room on both sides, so that no channel has to be cut to size when it is shifted.
        room = torch.zeros(len(part), early + n_places + n_fft + late, device=samples.device)
        counts = None
        if known is not None and not bool(known.all()):
            counts = torch.zeros(len(part), n_places, dtype=torch.uint8, device=samples.device)
        for channel in range(n_channels):
            if bool(part.used[:, channel].any()):
                usable = None if known is None else whole_windows(known[channel], length)
                _add_channel(samples[channel], usable, part, channel, room, early, n_fft)
                if counts is not None:
                    _count_channel(usable, part, channel, counts)
        yield some, room[:, early : early + n_places], counts


def _add_channel(
    line: Tensor, usable: Tensor | None, templates: Templates, channel: int, room: Tensor, early: int, n_fft: int
) -> None:
    """Add the correlations of one channel, shifted by its moveout, some chunks at a time."""
    length = templates.samples.shape[-1]
    valid, n_places = n_fft - length + 1, len(line) - length + 1
    rows = templates.used[:, channel].nonzero()[:, 0].tolist()
    wanted = torch.fft.rfft(templates.samples[:, channel], n_fft).conj().resolve_conj()
    delays = templates.delay[:, channel].tolist()
    mean, least = level(line, length)
    on_cpu = line.device.type == "cpu"
    step = valid * (CHUNKS_ON_CPU if on_cpu else CHUNKS_ON_GPU)
    group = 1 if on_cpu else len(rows)
    product = line.new_empty(0, dtype=torch.complex64)
    found = line.new_empty(0)
    for first in range(0, n_places, step):
        piece = line[first : first + step + length - 1]
        scale = inverse_norm(piece, length, mean, least)
        if usable is not None:
            scale = torch.where(usable[first : first + len(scale)], scale, 0.0)
        spectra = chunk_spectra(piece, length, n_fft)
        n_chunks = len(spectra)
        scale = torch.nn.functional.pad(scale, (0, n_chunks * valid - len(scale))).view(n_chunks, valid)
        for begin in range(0, len(rows), group):
            numbers = rows[begin : begin + group]
            shape = (len(numbers), *spectra.shape)
            if product.shape != shape:
                # Memory is asked for once: fresh pages cost more than the arithmetic.
                product = spectra.new_empty(shape)
                found = line.new_empty(len(numbers), n_chunks, n_fft)
            torch.mul(spectra, wanted[numbers, None], out=product)
            torch.fft.irfft(product, n_fft, out=found)
            for row, values in zip(numbers, found, strict=True):
                # What wraps round within a chunk lies behind its valid part.
                at = early + first - delays[row]
                room[row, at : at + n_chunks * valid].view(n_chunks, valid).addcmul_(values[:, :valid], scale)


def _count_channel(usable: Tensor | None, templates: Templates, channel: int, counts: Tensor) -> None:
    n_places = counts.shape[1]
    for row in templates.used[:, channel].nonzero()[:, 0].tolist():
        delay = int(templates.delay[row, channel])
        low, high = max(0, -delay), min(n_places, n_places - delay)
        if high > low:
            counts[row, low:high] += 1 if usable is None else usable[low + delay : high + delay]


def fft_length(length: int) -> int:
    """Power of two of about eight template lengths."""
    return 1 << round(math.log2(CHUNK_LENGTHS * length))


def chunk_spectra(piece: Tensor, length: int, n_fft: int) -> Tensor:
    """Spectra (N, F) of chunks of ``n_fft`` samples of a recording (T,), which overlap by L - 1."""
    valid = n_fft - length + 1
    n_chunks = -(-(len(piece) - length + 1) // valid)
    padded = torch.nn.functional.pad(piece, (0, n_chunks * valid + length - 1 - len(piece)))
    return torch.fft.rfft(padded.unfold(0, n_fft, valid))


def level(line: Tensor, length: int) -> tuple[float, float]:
    """Mean of a recording, and the sum of squares of a window below which nothing moves."""
    mean = float(line.mean(dtype=torch.float64))
    return mean, LEAST_SHARE * length * max(0.0, float(torch.dot(line, line)) / len(line) - mean**2)


def inverse_norm(piece: Tensor, length: int, mean: float, least: float) -> Tensor:
    """One over the norm (T - L + 1,) of every window without its own mean; 0 where nothing moves."""
    exact = piece.double() - mean
    sums = windowed_sums(exact, length)
    squares = windowed_sums(exact.square(), length).sub_(sums.square_(), alpha=1 / length)
    variance = squares.float()
    return torch.where(variance > max(least, 1e-30), variance.clamp_min_(1e-30).rsqrt_(), 0.0)


def windowed_sums(values: Tensor, length: int) -> Tensor:
    """Sums (T - L + 1,) of every window."""
    total = torch.nn.functional.pad(values.cumsum(0), (1, 0))
    return total[length:] - total[:-length]


def whole_windows(known: Tensor, length: int) -> Tensor:
    """Bool (T - L + 1,): nothing is missing in the window."""
    return windowed_sums(known.int(), length) == length
