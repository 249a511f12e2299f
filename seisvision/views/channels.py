"""Picture channels: which component and band each shows, and how strong every trace is in it, pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import torch

from seisvision.views.amplitude import PixelTraces, centre_pixels, measure
from seisvision.views.filters import BandFilter, check_band, remove_mean
from seisvision.views.rasterise import pixel_extremes
from seisvision.views.settings import one_of

CPU_BLOCK_TRACES = 64
"""Traces filtered and binned at a time on a processor: their temporaries then stay in its cache."""


@dataclass(frozen=True)
class Channel:
    """One picture channel: a component, in a frequency band (None: as recorded), in a style (None: the view's)."""

    component: str = "Z"
    band_hz: tuple[float, float] | None = None
    style: str | None = None

    @property
    def name(self) -> str:
        """Component and band as people say them: periods below 0.2 Hz, frequencies above."""
        if self.band_hz is None:
            return self.component
        low_hz, high_hz = self.band_hz
        if high_hz <= 0.2:
            return f"{self.component} {1 / high_hz:.3g}-{1 / low_hz:.3g} s"
        return f"{self.component} {low_hz:.3g}-{high_hz:.3g} Hz"


def make_channel(
    channel: Channel | Mapping[str, Any], components: str, styles: Sequence[str], default_style: str
) -> Channel:
    """Return ``channel`` with its style filled in, or raise ConfigurationError for a setting that is not allowed."""
    if not isinstance(channel, Channel):
        for name in channel:
            one_of("channel setting", name, [field.name for field in fields(Channel)])
        channel = Channel(**channel)
    one_of("component", channel.component, tuple(components))
    band_hz = None if channel.band_hz is None else (float(channel.band_hz[0]), float(channel.band_hz[1]))
    if band_hz is not None:
        check_band(band_hz)
    return replace(channel, band_hz=band_hz, style=one_of("style", channel.style or default_style, styles))


class Measuring(NamedTuple):
    """How traces are brought to pixels."""

    components: str
    """Order of the components in the waveforms."""
    pixels: int
    """R: time pixels."""
    taper_s: float | None
    """Mirror image at the ends while filtering, see :class:`~seisvision.views.filters.BandFilter`."""
    demean: bool
    """Whether traces that are not filtered lose their mean."""
    clip_quantile: float
    """Quantile of a trace's pixel amplitudes that is its level."""


def measure_channels(
    waveform: torch.Tensor,
    sampling_rate_hz: float,
    channels: Sequence[Channel],
    mask: torch.Tensor,
    settings: Measuring,
) -> list[PixelTraces]:
    """Filter, bin and measure every channel of ``waveform`` (B, S, C, T) where ``mask`` (B, S) allows it.

    Bands of one component share one transform.
    """
    measured: dict[Channel, PixelTraces] = {}
    for component in dict.fromkeys(channel.component for channel in channels):
        own = [channel for channel in channels if channel.component == component]
        ground = waveform[:, :, settings.components.index(component)]
        extremes, mean = _extremes(ground.flatten(0, 1), sampling_rate_hz, own, settings)
        extremes, mean = extremes.view(-1, 2, *mask.shape, settings.pixels), mean.view(mask.shape)
        for channel, (lowest, highest) in zip(own, extremes, strict=True):
            middle = centre_pixels(lowest, highest) if channel.band_hz is None and settings.demean else mean
            measured[channel] = measure(lowest, highest, middle, mask, settings.clip_quantile)
    return [measured[channel] for channel in channels]


def _extremes(
    ground: torch.Tensor, sampling_rate_hz: float, channels: list[Channel], settings: Measuring
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixel extremes (channels, 2, traces, R) of one component (traces, T); and means, if it is filtered."""
    bands = [channel.band_hz for channel in channels if channel.band_hz is not None]
    pixels = settings.pixels
    if bands:
        band_filter = BandFilter(ground.shape[-1], sampling_rate_hz, bands, pixels, settings.taper_s, ground.device)
    extremes = ground.new_empty(len(channels), 2, len(ground), pixels)
    mean = ground.new_zeros(len(ground))
    block = CPU_BLOCK_TRACES if ground.device.type == "cpu" else max(len(ground), 1)
    for start in range(0, len(ground), block):
        part = slice(start, start + block)
        series = [ground[part]] * len(channels)
        if bands:
            centred, mean[part] = remove_mean(ground[part])
            filtered = iter(band_filter(centred))
            series = [ground[part] if channel.band_hz is None else next(filtered) for channel in channels]
        for index, values in enumerate(series):
            extremes[index, 0, part], extremes[index, 1, part] = pixel_extremes(values, pixels)
    return extremes, mean
