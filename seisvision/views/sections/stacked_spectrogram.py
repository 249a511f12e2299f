"""One spectrogram of a whole event: the stations' spectrograms, shifted by what the distance explains, and stacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from seisvision import keys
from seisvision.base.channel_words import STACKED_COMPONENTS, STACKED_SETTINGS
from seisvision.earth.constants import EARTH_MODELS
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.views.sections.alignment import check_align, predicted_s
from seisvision.views.sections.back_propagation import in_order, rotate_to_zrt
from seisvision.views.settings import one_of, positive
from seisvision.views.traces.spectrogram import SpectrogramView
from seisvision.views.view import View

ONSET = "onset"


class StackedSpectrogram(View):
    """How strong every frequency is at every time, in the median over an event's stations: (B, P, H, W) in [0, 1].

    A record section shows the network as much as the event: how many stations, where, how noisy. Here each trace's
    spectrogram (:class:`~seisvision.views.traces.spectrogram.SpectrogramView`, decibels above each row's own noise) is
    first shifted by whole columns, so that a phase lies in the same column at all stations, and each pixel is then the
    median over the stations that recorded it. What is left is the source: short-period P or none, surface waves and
    their periods, Love waves (T) beside Rayleigh waves (Z).

    Args:
        height: number of frequencies.
        width: number of columns.
        step_s: seconds of a column.
        channels: one mapping a picture channel: ``component`` (``Z``, ``R``, away from the source, or ``T``),
            ``align`` (``P``, the predicted first arrival; a velocity in km/s; ``onset``, the trace's own onset; None,
            the start of the window) and ``start_s``, where the channel begins, after the time that is aligned.
        frequency_range_hz: lower and upper edge of the picture; the axis is logarithmic.
        sigma_octaves: standard deviation of each row's Gaussian band.
        range_db: decibels above the row's noise that become 0 and 1; the rest is clipped.
        earth_model: what predicts P.
        components: order of the components in the waveforms; must hold Z, N and E.

    Traces whose distance (or onset, or window start) is not known are left out of the channels that need it; where N or
    E was not recorded, R and T are. A pixel that no station recorded is 0.

    Raises ConfigurationError for a setting that is not allowed, and, when drawing, for frequencies above the Nyquist
    frequency or waveforms with other components.
    """

    def __init__(
        self,
        height: int = 32,
        width: int = 64,
        step_s: float = 12.0,
        channels: Sequence[Mapping[str, Any]] = (
            {"component": "Z", "align": "P", "start_s": -60.0},
            {"component": "Z", "align": 3.6, "start_s": -380.0},
            {"component": "T", "align": 4.2, "start_s": -380.0},
        ),
        frequency_range_hz: tuple[float, float] = (1 / 150, 0.95),
        sigma_octaves: float = 0.25,
        range_db: tuple[float, float] = (0.0, 25.0),
        earth_model: str = "ak135f_no_mud",
        components: str = keys.COMPONENTS,
    ) -> None:
        super().__init__()
        if sorted(components) != sorted(keys.COMPONENTS):
            raise ConfigurationError(f"components='{components}' is not allowed; the view needs Z, N and E")
        if earth_model not in EARTH_MODELS:
            raise ConfigurationError(
                f"earth_model='{earth_model}' is not known. {did_you_mean(earth_model, list(EARTH_MODELS))}"
            )
        self.height, self.width = positive("height", height), positive("width", width)
        self.step_s, self.earth_model, self.components = positive("step_s", step_s), earth_model, components
        self._channels = [_checked(number, channel) for number, channel in enumerate(channels)]
        if not self._channels:
            raise ConfigurationError("channels=[] is not allowed; give at least one picture channel")
        self.out_channels = len(self._channels)
        self.uses_origin = any(align not in (None, ONSET) for _, align, _ in self._channels)
        self.uses_epicentre = self.uses_origin
        self.noise_range_db = (float(range_db[0]), float(range_db[1]))
        self._settings: dict[str, Any] = {
            "height": self.height,
            "frequency_range_hz": frequency_range_hz,
            "sigma_octaves": sigma_octaves,
            "range_db": range_db,
        }
        self._spectrograms: dict[int, SpectrogramView] = {}
        self._spectrogram(self.width)

    def describe(self) -> dict[str, str]:
        """Name of each picture channel, in order, and what its values mean."""
        low_db, high_db = self._settings["range_db"]
        meaning = f"median power over stations in [0, 1] for {low_db:g} to {high_db:g} dB above the row's noise"
        return {
            f"{component} about {_name(align)} {start_s:+g} to {start_s + self.width * self.step_s:+g} s": meaning
            for component, align, start_s in self._channels
        }

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return pictures (B, P, H, W) as uint8 (B, H, W, 3) for people: the first three channels as colours."""
        return self._spectrogram(self.width).to_uint8(image)

    @torch.no_grad()
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Draw the events of ``batch``: float32 (B, P, H, W)."""
        self.check_components(batch[keys.WAVEFORM])
        with torch.autocast(batch[keys.WAVEFORM].device.type, enabled=False):
            drawn = {component: self._draw(batch, component) for component in {name for name, _, _ in self._channels}}
            return torch.stack(
                [self._stack(batch, *drawn[component], align, start_s) for component, align, start_s in self._channels],
                dim=1,
            )

    def _draw(self, batch: dict[str, Any], component: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Spectrograms (B, S, H, columns) of one component of all stations, and which of them hold anything (B, S)."""
        waveform, rate_hz = batch[keys.WAVEFORM].float(), float(batch[keys.SAMPLING_RATE_HZ])
        events, stations, _, samples = waveform.shape
        order = [self.components.index(name) for name in keys.COMPONENTS]
        recorded = in_order(batch[keys.COMPONENT_MASK], order) & batch[keys.STATION_MASK][..., None]
        if component == "Z":
            ground, usable = waveform[:, :, order[0]], recorded[..., 0]
        else:
            back_azimuth_deg = batch[keys.BACK_AZIMUTH_DEG]
            usable = recorded[..., 1:].all(-1) & back_azimuth_deg.isfinite()
            turned = rotate_to_zrt(in_order(waveform, order), back_azimuth_deg.nan_to_num(nan=0.0))
            ground = turned[:, :, STACKED_COMPONENTS.index(component)]
        columns = max(1, int(samples / rate_hz / self.step_s))
        ground = ground[..., : round(columns * self.step_s * rate_hz)]
        # An accelerator draws also what is masked: it would have to be waited for to know how much is not.
        drawn = ground[usable] if ground.device.type == "cpu" else ground.flatten(0, 1)
        mask = drawn.new_ones(len(drawn), dtype=torch.bool) if ground.device.type == "cpu" else usable.flatten()
        single = {
            keys.WAVEFORM: drawn[:, None, None],
            keys.STATION_MASK: mask[:, None],
            keys.SAMPLING_RATE_HZ: rate_hz,
        }
        seen = self._spectrogram(columns)(single)[:, 0]
        if ground.device.type == "cpu":
            pictures = ground.new_zeros(events, stations, self.height, columns)
            pictures[usable] = seen
        else:
            pictures = seen.unflatten(0, (events, stations))
        return pictures, (pictures > 0).flatten(2).any(-1)

    def _stack(
        self, batch: dict[str, Any], pictures: torch.Tensor, live: torch.Tensor, align: Any, start_s: float
    ) -> torch.Tensor:
        """Shift pictures (B, S, H, columns) of the stations that are ``live`` and take their median: (B, H, W)."""
        aligned_s = self._aligned_s(batch, align) + start_s
        first = (aligned_s.nan_to_num(nan=0.0) / self.step_s).round().long()
        column = first[..., None] + torch.arange(self.width, device=first.device)
        seen = (column >= 0) & (column < pictures.shape[-1]) & (live & aligned_s.isfinite())[..., None]
        column = column.clamp(0, pictures.shape[-1] - 1)[:, :, None].expand(-1, -1, self.height, -1)
        # Unseen pixels sort last; the lower median of n values is then the one at place (n - 1) // 2.
        values = pictures.gather(-1, column).masked_fill(~seen[:, :, None], torch.inf).sort(1).values
        middle = (seen.sum(1, keepdim=True) - 1).div(2, rounding_mode="floor").clamp_min(0)
        median = values.gather(1, middle[:, :, None].expand(-1, -1, self.height, -1))[:, 0]
        return median.masked_fill(~seen.any(1)[:, None], 0.0)

    def _aligned_s(self, batch: dict[str, Any], align: Any) -> torch.Tensor:
        """When, after the start of the window, what is aligned comes: (B, S); NaN where that is not known."""
        if align is None:
            return torch.zeros_like(batch[keys.OFFSET_KM])
        if align == ONSET:
            return batch[keys.ONSET_S]
        return predicted_s(align, batch[keys.OFFSET_KM], self.earth_model) - batch[keys.START_S]

    def _spectrogram(self, columns: int) -> SpectrogramView:
        """What draws single traces in so many columns."""
        if columns not in self._spectrograms:
            self._spectrograms[columns] = SpectrogramView(width=columns, components="Z", **self._settings)
        return self._spectrograms[columns]


def _checked(number: int, channel: Mapping[str, Any]) -> tuple[str, Any, float]:
    """Component, alignment and beginning of a channel, or ConfigurationError."""
    unknown = sorted(set(channel) - set(STACKED_SETTINGS))
    if unknown:
        raise ConfigurationError(
            f"channels[{number}] has no setting '{unknown[0]}'. {did_you_mean(unknown[0], list(STACKED_SETTINGS))}"
        )
    component = one_of(f"channels[{number}].component", str(channel.get("component")), STACKED_COMPONENTS)
    align = channel.get("align")
    if align != ONSET:
        align = check_align(f"channels[{number}].align", align)
    return component, align, float(channel.get("start_s", 0.0))


def _name(align: Any) -> str:
    if align is None:
        return "the window's start"
    return align if isinstance(align, str) else f"{align:g} km/s"
