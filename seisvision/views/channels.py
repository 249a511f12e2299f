"""Picture channels: which component and band each shows, and how strong every trace is in it, pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch

from seisvision.base.channel_words import CHANNEL_SETTINGS
from seisvision.views.amplitude import PixelTraces, centre_pixels, measure
from seisvision.views.filters import band_filter, check_band, remove_mean
from seisvision.views.rasterise import pixel_amplitudes, pixel_extremes
from seisvision.views.sections.alignment import check_align, cut
from seisvision.views.settings import one_of, optional_range

CPU_BLOCK_TRACES = 64
"""Traces filtered and binned at a time on a processor: their temporaries then stay in its cache."""


@dataclass(frozen=True)
class Channel:
    """One picture channel: a component, in a frequency band (None: as recorded), in a style (None: the view's).

    ``align`` and ``time_range_s`` are for record sections, see
    :class:`~seisvision.views.sections.record_section.RecordSection`; None: the view's.
    """

    component: str = "Z"
    band_hz: tuple[float, float] | None = None
    style: str | None = None
    align: str | float | None = None
    time_range_s: tuple[float, float] | None = None

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
            one_of("channel setting", name, CHANNEL_SETTINGS)
        channel = Channel(**channel)
    one_of("component", channel.component, tuple(components))
    band_hz = None if channel.band_hz is None else (float(channel.band_hz[0]), float(channel.band_hz[1]))
    if band_hz is not None:
        check_band(band_hz)
    return replace(
        channel,
        band_hz=band_hz,
        style=one_of("style", channel.style or default_style, styles),
        align=check_align("align", channel.align),
        time_range_s=optional_range("time_range_s", channel.time_range_s),
    )


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
    clip_quantile: float | None
    """Quantile of a trace's pixel amplitudes that is its level. None: nothing is normalised by it, and no sign shows,
    so that the extremes of bands are minus and plus the amplitude."""


def measure_channels(
    waveform: torch.Tensor,
    sampling_rate_hz: float,
    channels: Sequence[Channel],
    masks: Sequence[torch.Tensor],
    settings: Measuring,
    starts_s: Sequence[torch.Tensor | None] | None = None,
) -> list[PixelTraces]:
    """Filter, bin and measure every channel of ``waveform`` (B, S, C, T) where its mask (B, S) allows it.

    Bands of one component share one transform. A channel with a start (B, S), in seconds after the window's, shows
    the ``time_range_s[1] - time_range_s[0]`` seconds from there; the others show the window.
    """
    starts_s = starts_s or [None] * len(channels)
    measured: list[PixelTraces | None] = [None] * len(channels)
    for component in dict.fromkeys(channel.component for channel in channels):
        numbers = [number for number, channel in enumerate(channels) if channel.component == component]
        ground = waveform[:, :, settings.components.index(component)].flatten(0, 1)
        firsts = [_first_sample(starts_s[number], sampling_rate_hz) for number in numbers]
        own = [channels[number] for number in numbers]
        wanted = torch.stack([masks[number] for number in numbers]).any(0).flatten()
        extremes, mean, motions = _extremes(ground, sampling_rate_hz, own, firsts, settings, wanted)
        extremes, mean = extremes.view(-1, 2, *waveform.shape[:2], settings.pixels), mean.view(waveform.shape[:2])
        motions = motions.view(-1, *waveform.shape[:2])
        for number, (lowest, highest), told in zip(numbers, extremes, motions, strict=True):
            centred = channels[number].band_hz is None and settings.demean
            middle = centre_pixels(lowest, highest) if centred else mean
            motion = told if _shows_no_sign(channels[number], settings) else None
            measured[number] = measure(lowest, highest, middle, masks[number], settings.clip_quantile, motion)
    return [traces for traces in measured if traces is not None]


def _shows_no_sign(channel: Channel, settings: Measuring) -> bool:
    """Whether amplitudes are all that is asked for; what is not filtered is brought to its middle by its extremes."""
    return settings.clip_quantile is None and channel.band_hz is not None


def _first_sample(start_s: torch.Tensor | None, sampling_rate_hz: float) -> torch.Tensor | None:
    return None if start_s is None else (start_s.nan_to_num(nan=0.0).flatten() * sampling_rate_hz).round().long()


def _extremes(
    ground: torch.Tensor,
    sampling_rate_hz: float,
    channels: list[Channel],
    firsts: list[torch.Tensor | None],
    settings: Measuring,
    wanted: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return pixel extremes (channels, 2, traces, R) of one component (traces, T); means, if it is filtered; and how
    far traces move (channels, traces), of channels that show no sign.

    They may be zeros of traces that are not ``wanted`` (traces,): padding, and stations that are left out.
    """
    bands = tuple(channel.band_hz for channel in channels if channel.band_hz is not None)
    pixels = settings.pixels
    if bands:
        # What is cut out needs the samples in their places; for pixels of the whole window fewer will do.
        grid = pixels if all(first is None for first in firsts) else None
        filters = band_filter(ground.shape[-1], sampling_rate_hz, bands, grid, settings.taper_s, ground.device)
    extremes = ground.new_zeros(len(channels), 2, len(ground), pixels)
    mean, motions = ground.new_zeros(len(ground)), ground.new_zeros(len(channels), len(ground))
    for part in _parts(wanted):
        some = ground[part]
        series = [some] * len(channels)
        if bands:
            centred, mean[part] = remove_mean(some)
            filtered = iter(filters(centred))
            series = [some if channel.band_hz is None else next(filtered) for channel in channels]
        for index, (values, first, channel) in enumerate(zip(series, firsts, channels, strict=True)):
            if first is not None and channel.time_range_s is not None:
                early_s, late_s = channel.time_range_s
                values = cut(values, first[part], max(1, round((late_s - early_s) * sampling_rate_hz)))
            if _shows_no_sign(channel, settings):
                amplitude, motions[index, part] = pixel_amplitudes(values, pixels)
                extremes[index, 0, part], extremes[index, 1, part] = amplitude.neg(), amplitude
            else:
                extremes[index, 0, part], extremes[index, 1, part] = pixel_extremes(values, pixels)
    return extremes, mean, motions


def _parts(wanted: torch.Tensor) -> Sequence[slice | torch.Tensor]:
    """What is measured at a time: some wanted traces on a processor; everything on a GPU, which is not waited for."""
    if wanted.device.type != "cpu":
        return [slice(None)]
    if bool(wanted.all()):
        return [slice(start, start + CPU_BLOCK_TRACES) for start in range(0, len(wanted), CPU_BLOCK_TRACES)]
    return [part for part in wanted.nonzero()[:, 0].split(CPU_BLOCK_TRACES) if len(part)]
