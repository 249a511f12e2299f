"""Zero-phase band filters for batches of waveforms.

All bands share one forward transform, and each band comes back at the few samples that its highest
frequency needs, so that three bands of a long record cost little more than one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from seisvision.base.devices import kept
from seisvision.errors import ConfigurationError

TAPER_PERIODS = 1.5
"""Default length of the tapered mirror image at each end, in longest periods of the bands."""
TAPER_FRACTION = 0.05
"""The default taper is never shorter than this share of the window."""
EDGE_WIDTH = 0.5
"""Width of a band's cosine edges in units of ln(frequency): about 0.7 octave."""
OVERSAMPLING = 4.0
"""Samples kept of a band, in units of the two per shortest period that carry it: extremes come out within 8 %."""


def band_gain(frequency_hz: torch.Tensor, band_hz: tuple[float, float]) -> torch.Tensor:
    """Return the gain (any shape, as ``frequency_hz``) of a band with cosine edges in ln(frequency).

    The gain is 0.5 at both corners, which is also what a Butterworth filter run forward and backward
    has at its corners, and 0 at zero frequency.
    """
    low_hz, high_hz = band_hz
    log_frequency = torch.log(frequency_hz.clamp_min(1e-12))
    rise = ((log_frequency - math.log(low_hz)) / EDGE_WIDTH + 0.5).clamp(0, 1)
    fall = ((math.log(high_hz) - log_frequency) / EDGE_WIDTH + 0.5).clamp(0, 1)
    return torch.sin(rise * (math.pi / 2)).square() * torch.sin(fall * (math.pi / 2)).square()


def check_band(band_hz: tuple[float, float], sampling_rate_hz: float | None = None) -> None:
    """Raise ConfigurationError unless 0 < low < high, and high < Nyquist where the rate is known."""
    low_hz, high_hz = band_hz
    if not 0 < low_hz < high_hz:
        raise ConfigurationError(f"band_hz={tuple(band_hz)} is empty; give (low, high) in hertz with 0 < low < high")
    if sampling_rate_hz is not None and high_hz >= sampling_rate_hz / 2:
        raise ConfigurationError(
            f"band_hz={tuple(band_hz)} reaches the Nyquist frequency {sampling_rate_hz / 2:g} Hz of waveforms "
            f"sampled at {sampling_rate_hz:g} Hz; lower the band or use a waveform set with a higher sampling rate"
        )


def filter_bands(
    waveform: torch.Tensor,
    sampling_rate_hz: float,
    bands_hz: Sequence[tuple[float, float]],
    *,
    grid: int | None = None,
    taper_s: float | None = None,
) -> list[torch.Tensor]:
    """Take the mean of ``waveform`` (..., T) away and filter it into every band; see :class:`BandFilter`."""
    bands = tuple((float(low_hz), float(high_hz)) for low_hz, high_hz in bands_hz)
    filters = band_filter(waveform.shape[-1], sampling_rate_hz, bands, grid, taper_s, waveform.device)
    return filters(remove_mean(waveform)[0])


def remove_mean(waveform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``waveform`` (..., T) without the mean of its recorded samples, and that mean (...).

    Samples that are exactly zero are where nothing was recorded (see :mod:`seisvision.keys`): they stay zero,
    so that a recording with an offset does not begin with a step.
    """
    # Ones and zeros as floats: sums of booleans are three times slower.
    recorded = torch.ne(waveform, 0, out=torch.empty_like(waveform))
    mean = waveform.sum(-1, keepdim=True) / recorded.sum(-1, keepdim=True).clamp_min_(1)
    return torch.addcmul(waveform, recorded, mean, value=-1), mean.squeeze(-1)


class BandFilter:
    """Zero-phase band filters for windows of one length and sampling rate.

    Each result spans the input's time window. Without ``grid`` it has T samples. With ``grid`` (rows of a
    picture, say) it has a multiple of ``grid`` samples, as few as still take ``OVERSAMPLING`` times the two
    samples per period that the band's upper corner needs, or about as many as the input has where that is
    less; sample j lies at j / T_band of the window. Amplitudes are kept.

    The window is continued at both ends by its own mirror image, tapered to nothing over ``taper_s`` seconds
    (1.5 longest periods, at least 5 % of the window, unless given). Against a taper inside the window, as is
    customary, this keeps the first arrivals, and it lets a third as much drift into a 35-150 s band.
    Nothing wraps from one end to the other. Waveforms should come without their mean, see :func:`remove_mean`.

    Raises ConfigurationError where a band is empty or reaches the Nyquist frequency, or the taper is longer
    than the window.
    """

    def __init__(
        self,
        samples: int,
        sampling_rate_hz: float,
        bands_hz: Sequence[tuple[float, float]],
        grid: int | None = None,
        taper_s: float | None = None,
        device: torch.device | None = None,
    ) -> None:
        for band_hz in bands_hz:
            check_band(band_hz, sampling_rate_hz)
        longest_s = 1.0 / min(low_hz for low_hz, _ in bands_hz)
        self.taper = mirror_taper(samples, sampling_rate_hz, taper_s, longest_s, device)
        self.length = transform_length(samples, grid or samples, 2 * len(self.taper))
        self.kept: list[int] = []
        self.gains: list[torch.Tensor] = []
        for band_hz in bands_hz:
            fewer = samples
            if grid is not None:
                fewer = grid * _multiple(samples, grid, band_hz[1] * samples / sampling_rate_hz)
            self.kept.append(fewer)
            self.gains.append(self._gain(band_hz, sampling_rate_hz, fewer * self.length // samples, device))

    def _gain(
        self, band_hz: tuple[float, float], sampling_rate_hz: float, short_length: int, device: torch.device | None
    ) -> torch.Tensor:
        bins = min(short_length, self.length) // 2 + 1
        frequency_hz = torch.arange(bins, device=device) * (sampling_rate_hz / self.length)
        # The Nyquist bin stands for two frequencies at one length and for one at another: leave it out.
        nyquist_hz = min(short_length / self.length, 1.0) * sampling_rate_hz / 2
        gain = band_gain(frequency_hz, band_hz) * (short_length / self.length)
        return torch.where(frequency_hz < nyquist_hz, gain, 0.0)

    @torch.no_grad()
    def __call__(self, waveform: torch.Tensor) -> list[torch.Tensor]:
        """Return ``waveform`` (..., T) in every band, each (..., T_band)."""
        spectrum = torch.fft.rfft(mirror_extended(waveform, self.taper, self.length))
        results = []
        for samples, gain in zip(self.kept, self.gains, strict=True):
            filtered = spectrum[..., : len(gain)] * gain
            results.append(torch.fft.irfft(filtered, samples * self.length // waveform.shape[-1])[..., :samples])
        return results


@kept
def band_filter(
    samples: int,
    sampling_rate_hz: float,
    bands_hz: tuple[tuple[float, float], ...],
    grid: int | None,
    taper_s: float | None,
    device: torch.device,
) -> BandFilter:
    """Return the :class:`BandFilter` of these settings, whose gains are made, and brought to the device, once."""
    return BandFilter(samples, sampling_rate_hz, bands_hz, grid, taper_s, device)


def mirror_extended(waveform: torch.Tensor, taper: torch.Tensor, length: int) -> torch.Tensor:
    """Continue ``waveform`` (..., T) to ``length`` samples: its tapered mirror image at both ends, nothing between.

    The image of the start lies at the end, where a transform that wraps round expects it. ``taper`` falls from 1.
    """
    samples, mirrored = waveform.shape[-1], len(taper)
    extended = waveform.new_empty((*waveform.shape[:-1], length))
    window = extended[..., :samples]
    window.copy_(waveform)
    behind, before = samples + mirrored, length - mirrored
    torch.mul(window[..., samples - mirrored :].flip(-1), taper, out=extended[..., samples:behind])
    extended[..., behind:before].zero_()
    torch.mul(window[..., :mirrored].flip(-1), taper.flip(0), out=extended[..., before:])
    return extended


@kept
def mirror_taper(
    samples: int, sampling_rate_hz: float, taper_s: float | None, longest_period_s: float, device: torch.device | None
) -> torch.Tensor:
    """Weights that fall from 1 to 0 along a cosine over the length of the mirror image."""
    if taper_s is None:
        wanted = max(TAPER_PERIODS * longest_period_s * sampling_rate_hz, TAPER_FRACTION * samples)
        mirrored = min(math.ceil(wanted), samples)
    else:
        mirrored = round(taper_s * sampling_rate_hz)
    if not 0 <= mirrored <= samples:
        raise ConfigurationError(
            f"taper_s={taper_s} is not allowed for windows of {samples / sampling_rate_hz:g} s; "
            f"give a length from 0 s up to the window, or null for {TAPER_PERIODS:g} longest periods"
        )
    angle = torch.arange(mirrored, device=device, dtype=torch.float32).add_(0.5).mul_(math.pi / max(mirrored, 1))
    return 0.5 + 0.5 * torch.cos(angle)


def transform_length(samples: int, grid: int, padding: int) -> int:
    """Smallest fast length that adds ``padding`` and keeps every multiple of ``grid`` samples on the window exact."""
    unit = samples // math.gcd(samples, grid)
    first = -(-padding // unit)
    lengths = [samples + k * unit for k in range(first, first + 64)]
    return next((length for length in lengths if is_fast(length)), lengths[0])


def _multiple(samples: int, grid: int, periods: float) -> int:
    """How many times ``grid`` samples a band with ``periods`` of its upper corner in the window is kept at."""
    multiple = min(math.ceil(2 * OVERSAMPLING * periods / grid), max(samples // grid, math.ceil(2 * periods / grid)))
    while not is_fast(multiple):
        multiple += 1
    return multiple


def is_fast(length: int) -> bool:
    """Tell whether a transform of this length is quick: no prime factor above 7."""
    for prime in (2, 3, 5, 7):
        while length % prime == 0:
            length //= prime
    return length == 1
