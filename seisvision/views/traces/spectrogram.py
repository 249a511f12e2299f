"""Spectrograms of single traces: time to the right, frequency upward, one picture channel per component."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from seisvision import keys
from seisvision.errors import ConfigurationError
from seisvision.views.amplitude import ROUNDING, low_quantile
from seisvision.views.filter_bank import bank_length, filter_bank
from seisvision.views.filters import mirror_extended, mirror_taper, remove_mean
from seisvision.views.pixel_powers import write_powers
from seisvision.views.rasterise import pixel_largest
from seisvision.views.settings import one_of, ordered_range, positive
from seisvision.views.view import View

CPU_BLOCK_BYTES = 2**19
"""Memory of the pictures that a processor shades at a time: they then stay in its cache."""
AXES = ("log", "linear")
SCALES = ("relative", "absolute")
TAPER_SIGMAS = 2.0
"""Default length of the tapered mirror image at each end, in standard deviations of the longest band's response."""
NOISE_PIXELS = 4
"""Noise is measured on means of so many pixels, because the power of noise in one pixel fluctuates wildly."""
NOISE_FLOOR = 1e-10
"""The noise power of a row is at least this share of the trace's largest power: -100 dB, above rounding."""
POWER_FLOOR = 1e-30
"""Powers of an absolute picture are kept above this share of the largest, so that decibels are finite."""


class SpectrogramView(View):
    """How strong every frequency is at every time: (B, P, H, W) in [0, 1], one picture channel per component.

    Every row is one Gaussian band filter, and its pixels are the band's mean power over their time span in
    decibels. On a linear frequency axis this is the short-time Fourier transform with a Gaussian window of
    1 / (2 pi sigma_hz) seconds; on a logarithmic axis windows shorten with frequency (the S transform and
    continuous wavelets do alike), which shows both body waves near 1 Hz and the dispersion of surface waves.

    Args:
        height, width: size of the picture in pixels; the height is the number of frequencies.
        frequency_range_hz: (low, high) of the frequency axis: lower and upper edge of the picture.
        axis: ``log`` or ``linear`` frequency.
        sigma_octaves: standard deviation of the Gaussian bands on a ``log`` axis.
        sigma_hz: standard deviation of the Gaussian bands on a ``linear`` axis.
        scale: ``relative``: decibels above each row's own noise, the ``noise_quantile`` over time, so that
            neither absolute amplitude nor the colour of the noise is seen; ``absolute``: decibels of the
            band's mean square amplitude, relative to 1 (unit of the waveforms)^2.
        range_db: (low, high): decibels that become 0 and 1; the rest is clipped.
        noise_quantile: quantile of a row's power over time, in means of four pixels, that stands for its noise.
        taper_s: length of the tapered mirror image that continues the window at each end; None: 1.5 longest periods.
        components: components drawn, which are those of the waveforms, in their order.

    Flat, empty, NaN and dead components draw nothing, and neither do pixels in which nothing was recorded.

    Raises ConfigurationError for a setting that is not allowed, and, when drawing, for frequencies above the
    Nyquist frequency, waveforms with other components or of more than one station.
    """

    unit = "trace"

    def __init__(
        self,
        height: int = 64,
        width: int = 192,
        frequency_range_hz: tuple[float, float] = (1 / 150, 0.95),
        axis: str = "log",
        sigma_octaves: float = 0.25,
        sigma_hz: float = 0.02,
        scale: str = "relative",
        range_db: tuple[float, float] = (3.0, 30.0),
        noise_quantile: float = 0.2,
        taper_s: float | None = None,
        components: str = "Z",
    ) -> None:
        super().__init__()
        self.height, self.width = positive("height", height), positive("width", width)
        self.axis = one_of("axis", axis, AXES)
        self.scale = one_of("scale", scale, SCALES)
        self.sigma_octaves, self.sigma_hz = positive("sigma_octaves", sigma_octaves), positive("sigma_hz", sigma_hz)
        self.noise_quantile = positive("noise_quantile", noise_quantile, maximum=1.0)
        self.frequency_range_hz = ordered_range("frequency_range_hz", frequency_range_hz)
        if self.frequency_range_hz[0] < 0 or (axis == "log" and self.frequency_range_hz[0] == 0):
            raise ConfigurationError(
                f"frequency_range_hz={tuple(frequency_range_hz)} is not allowed on a {axis} axis; "
                "frequencies must not be negative, and a log axis cannot begin at 0"
            )
        self.range_db = ordered_range("range_db", range_db)
        self.noise_range_db = self.range_db if scale == "relative" else None
        self.taper_s, self.components = taper_s, components
        self._centre_hz = tuple(self.row_frequency_hz.tolist())
        self.out_channels = len(components)

    @property
    def row_frequency_hz(self) -> torch.Tensor:
        """Centre frequency of every row, from top to bottom: float64 (H,)."""
        share = (torch.arange(self.height, dtype=torch.float64).flip(0) + 0.5) / self.height
        low_hz, high_hz = self.frequency_range_hz
        if self.axis == "log":
            return low_hz * (high_hz / low_hz) ** share
        return low_hz + (high_hz - low_hz) * share

    def describe(self) -> dict[str, str]:
        """Name of each picture channel, in order, and what its values mean."""
        low_hz, high_hz = self.frequency_range_hz
        unit = "above the row's noise" if self.scale == "relative" else "of mean square amplitude"
        meaning = f"power in [0, 1] for {self.range_db[0]:g} to {self.range_db[1]:g} dB {unit}"
        return {f"{component} {low_hz:.3g}-{high_hz:.3g} Hz ({self.axis})": meaning for component in self.components}

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return ``image`` (B, P, H, W) for people: uint8 (B, H, W, 3), one component dark on white, else colours."""
        values = (image[:, :3] * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
        if values.shape[-1] == 1:
            return (255 - values).expand(-1, -1, -1, 3)
        missing = values.new_zeros(*values.shape[:3], 3 - values.shape[-1])
        return torch.cat([values, missing], -1)

    @torch.no_grad()
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Draw the traces of ``batch``: float32 (B, P, H, W)."""
        waveform = batch[keys.WAVEFORM]
        self.check_components(waveform)
        self.check_single_traces(waveform)
        with torch.autocast(waveform.device.type, enabled=False):
            ground, mask = waveform[:, 0].float(), batch[keys.STATION_MASK]
            return self._draw(ground, mask, float(batch[keys.SAMPLING_RATE_HZ]))

    def _draw(self, ground: torch.Tensor, mask: torch.Tensor, sampling_rate_hz: float) -> torch.Tensor:
        """Draw ``ground`` (B, C, T) where ``mask`` (B, 1) allows it."""
        centred, mean = remove_mean(ground)
        motion = ground.amax(-1) - ground.amin(-1)
        live = mask & motion.isfinite() & (motion > ROUNDING * mean.abs())
        # Powers of quiet ground would leave the range of float32; a power of two costs no digit.
        unit = torch.exp2(motion.masked_fill(~live, 1.0).log2().floor())
        power = self._power(centred.nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0) / unit[..., None], sampling_rate_hz)
        if not _recorded_throughout(ground, self.width):
            power *= _recorded(ground, self.width)[:, :, None]
        self._shade(power, unit[..., None, None])
        if power.device.type == "cpu" and live.all():
            return power
        return power.masked_fill_(~live[..., None, None], 0.0)

    def _shade(self, power: torch.Tensor, unit: torch.Tensor) -> None:
        """Turn powers (B, C, H, W), told in the square of ``unit`` (B, C, 1, 1), into shades."""
        if self.scale == "relative":
            peak = power.amax((-1, -2), keepdim=True)
            noise = torch.maximum(low_quantile(_steady(power), self.noise_quantile), peak * NOISE_FLOOR)
            above = noise.masked_fill_(noise == 0, torch.inf).log10_()
        else:
            power.clamp_min_(POWER_FLOOR)
            above = -2 * unit.log10()
        low_db, high_db = self.range_db
        # The rest of the way from powers to shades is one multiplication and one sum.
        span = (high_db - low_db) / 10
        darkest = above.add_(low_db / 10).div_(-span)
        block = max(1, len(power))
        if power.device.type == "cpu":
            # A few pictures at a time, which stay in the cache of a processor.
            block = max(1, CPU_BLOCK_BYTES // (power[0].numel() * power.element_size()))
        for some, dark in zip(power.split(block), darkest.split(block), strict=True):
            torch.add(dark, some.log10_(), alpha=1 / span, out=some).clamp_(0, 1)

    def _power(self, series: torch.Tensor, sampling_rate_hz: float) -> torch.Tensor:
        """Mean power of every band in every pixel: (B, C, H, W) from ``series`` (B, C, T)."""
        samples, nyquist_hz = series.shape[-1], sampling_rate_hz / 2
        if self.frequency_range_hz[1] > nyquist_hz:
            raise ConfigurationError(
                f"frequency_range_hz={self.frequency_range_hz} reaches beyond the Nyquist frequency {nyquist_hz:g} Hz "
                f"of waveforms sampled at {sampling_rate_hz:g} Hz; lower it or use a set with a higher sampling rate"
            )
        centre_hz, sigma = self._centre_hz, self.sigma_hz
        longest_s = 1 / (2 * math.pi * sigma)
        if self.axis == "log":
            sigma = self.sigma_octaves
            longest_s = 1 / (2 * math.pi * sigma * math.log(2) * min(centre_hz))
        taper_s = min(TAPER_SIGMAS * longest_s, samples / sampling_rate_hz) if self.taper_s is None else self.taper_s
        taper = mirror_taper(samples, sampling_rate_hz, taper_s, longest_s, series.device)
        length = bank_length(samples, self.width, 2 * len(taper))
        bank = filter_bank(self.axis, centre_hz, sigma, samples, length, self.width, sampling_rate_hz, series.device)
        spectrum = torch.fft.rfft(mirror_extended(series.flatten(0, 1), taper, length))
        power = series.new_empty(len(spectrum), self.height, self.width)
        write_powers(bank, spectrum, power)
        return power.view(*series.shape[:-1], self.height, self.width)


def _steady(power: torch.Tensor) -> torch.Tensor:
    """Means (..., W') of a few pixels of (..., W); those that are left over at the end do not count."""
    pixels = power.shape[-1]
    together = min(NOISE_PIXELS, pixels)
    whole = power[..., : pixels - pixels % together].unflatten(-1, (-1, together))
    # A product, as averages and sums over few neighbours take several times as long.
    return whole @ power.new_full((together,), 1 / together)


def _recorded(ground: torch.Tensor, pixels: int) -> torch.Tensor:
    """Return 1 where a pixel holds a recording and 0 where it holds zeros only: (..., W) from ``ground`` (..., T)."""
    return pixel_largest(ground.ne(0).to(ground.dtype).contiguous(), pixels)


def _recorded_throughout(ground: torch.Tensor, pixels: int) -> bool:
    """Whether a processor sees at a glance that no pixel of ``ground`` (..., T) holds zeros only.

    Of eight neighbours one is not zero, as if their flags were one number, so that fifteen zeros do not follow each
    other. An accelerator is not asked, for that means to wait.
    """
    samples = ground.shape[-1]
    if ground.device.type != "cpu" or samples % 8 or samples // pixels < 15:
        return False
    return bool(ground.ne(0).contiguous().numpy().view(np.uint64).all())
