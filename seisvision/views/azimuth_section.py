"""Sections over station azimuth, carried back to the source: which way did the force point?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch

from seisvision import keys
from seisvision.data.synthesis.parameters import EARTH_MODELS
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.views.back_propagation import BackPropagation, SourceTraces, rotate_to_zrt
from seisvision.views.filters import check_band
from seisvision.views.rasterise import nearest_trace
from seisvision.views.view import View

CHANNELS: Final = ("Z", "R", "T")
QUIETEST: Final = 0.25
"""No trace counts as quieter than this share of its event's median noise."""


class AzimuthSection(View):
    """An event's traces at the source, time against station azimuth: (B, 3, H, W), channels Z, R and T.

    Each trace is rotated with its back azimuth, cut to a band of surface waves and carried back to the source
    (:class:`~seisvision.views.back_propagation.BackPropagation`). A single force then draws one time function in
    all columns, with the factor cos(azimuth - force azimuth) in Z and R and minus the sine in T. The columns go
    from azimuth 0 to 360 degrees; each shows its nearest trace, counted round the circle.

    Args:
        height, width: rows (time, downwards) and columns (azimuth) of the picture.
        band_hz: corners of the band. Below 50 s phase velocities differ too much between paths, and between
            models of the Earth, to keep the sign of far traces.
        before_s, after_s: the time axis reaches from ``before_s`` before to ``after_s`` after the origin time.
        earth_model: one of :data:`~seisvision.data.synthesis.parameters.EARTH_MODELS`, whose modes are used.
        max_compensation: attenuation is undone up to this factor.
        weighting: pale the traces whose noise, measured outside the surface waves, is high for their event.
        max_gap_deg: how far a trace colours its surroundings; 0: its own column only; None: up to the next trace.
        components: order of the components in the waveforms; must hold Z, N and E.

    Values are signed, in [-1, 1]; amplitude 1 is the trace's largest over the three channels. Background is 0.
    Traces of unknown distance, azimuth, back azimuth or window start, traces whose window does not hold the whole
    surface wave train, and flat or dead ones are not drawn. Where one of N and E was not recorded, R and T are empty.

    Raises ConfigurationError for a setting that is not allowed, and, when drawing, for a band above the Nyquist
    frequency or waveforms with other components.
    """

    uses_origin = True

    def __init__(
        self,
        height: int = 128,
        width: int = 72,
        band_hz: Sequence[float] = (1 / 150, 1 / 50),
        before_s: float = 120.0,
        after_s: float = 200.0,
        earth_model: str = "ak135f_no_mud",
        max_compensation: float = 4.0,
        weighting: bool = True,
        max_gap_deg: float | None = None,
        components: str = keys.COMPONENTS,
    ) -> None:
        super().__init__()
        if earth_model not in EARTH_MODELS:
            raise ConfigurationError(
                f"earth_model='{earth_model}' is not known. {did_you_mean(earth_model, list(EARTH_MODELS))}"
            )
        if sorted(components) != sorted(keys.COMPONENTS):
            raise ConfigurationError(f"components='{components}' is not allowed; the view needs Z, N and E")
        for name, value in {"height": height, "width": width, "max_compensation": max_compensation}.items():
            if not value >= 1:
                raise ConfigurationError(f"{name}={value} is not allowed; give at least 1")
        if before_s < 0 or after_s <= 0 or (max_gap_deg is not None and max_gap_deg < 0):
            raise ConfigurationError(
                f"before_s={before_s}, after_s={after_s} and max_gap_deg={max_gap_deg} must not be negative"
            )
        self.band_hz = (float(band_hz[0]), float(band_hz[1]))
        check_band(self.band_hz)
        self.height, self.width, self.out_channels = int(height), int(width), len(CHANNELS)
        self.before_s, self.after_s, self.earth_model = float(before_s), float(after_s), earth_model
        self.max_compensation, self.weighting, self.max_gap_deg = float(max_compensation), weighting, max_gap_deg
        self.components = components

    def describe(self) -> dict[str, str]:
        """Name of each picture channel, in order, and what its values mean."""
        low_hz, high_hz = self.band_hz
        meaning = f"{1 / high_hz:.3g}-{1 / low_hz:.3g} s at the source, signed, in [-1, 1], norm trace"
        return dict.fromkeys(CHANNELS, meaning)

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return pictures (B, 3, H, W) as uint8 (B, H, W, 3) for people: Z red, R green, T blue on mid-grey."""
        return (image.movedim(1, -1) * 127 + 128).round().clamp(0, 255).to(torch.uint8)

    @torch.no_grad()
    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Draw the events of ``batch``: float32 (B, 3, H, W)."""
        waveform = batch[keys.WAVEFORM]
        self.check_components(waveform)
        with torch.autocast(waveform.device.type, enabled=False):
            traces = self.at_source(batch)
            azimuth_deg = batch[keys.AZIMUTH_DEG]
            peak = traces.values.abs().amax((2, 3))
            drawn = traces.known & azimuth_deg.isfinite() & (peak > 0) & peak.isfinite()
            factor = torch.where(drawn, self._weight(traces, drawn) / peak, 0.0)
            values = (traces.values * factor[..., None, None]).nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
            return self._paint(values, azimuth_deg.masked_fill(~drawn, torch.nan))

    def at_source(self, batch: dict[str, Any]) -> SourceTraces:
        """Carry the traces of ``batch`` back to the source; amplitudes in the unit of the waveforms."""
        waveform = batch[keys.WAVEFORM].float()
        order = [self.components.index(component) for component in keys.COMPONENTS]
        recorded = batch[keys.COMPONENT_MASK][:, :, order] & batch[keys.STATION_MASK][..., None]
        back_azimuth_deg = batch[keys.BACK_AZIMUTH_DEG]
        both = recorded[..., 1:].all(-1) & back_azimuth_deg.isfinite()
        ground = rotate_to_zrt(waveform[:, :, order], back_azimuth_deg.nan_to_num(nan=0.0))
        usable = torch.stack([recorded[..., 0], both, both], dim=-1)
        # Not a product: what is not recorded may hold NaN.
        ground = torch.where(usable[..., None], ground, 0.0)
        carry = self.back_propagation(waveform.shape[-1], float(batch[keys.SAMPLING_RATE_HZ]), waveform.device)
        return carry(ground, batch[keys.OFFSET_KM], batch[keys.START_S])

    def back_propagation(
        self, samples: int, sampling_rate_hz: float, device: torch.device | None = None
    ) -> BackPropagation:
        """Return what carries windows of ``samples`` back, with the settings of this view."""
        return BackPropagation(
            samples,
            sampling_rate_hz,
            band_hz=self.band_hz,
            earth_model=self.earth_model,
            span_s=(-self.before_s, self.after_s),
            rows=self.height,
            max_compensation=self.max_compensation,
            device=device,
        )

    def _weight(self, traces: SourceTraces, drawn: torch.Tensor) -> torch.Tensor:
        """How strongly each trace is painted, (B, S), 1 for the quietest of an event."""
        if not self.weighting:
            return torch.ones_like(traces.noise[..., 0])
        weight = noise_weight(traces.noise, drawn)
        return (weight / weight.amax(-1, keepdim=True)).nan_to_num(nan=0.0).sqrt()

    def _paint(self, values: torch.Tensor, azimuth_deg: torch.Tensor) -> torch.Tensor:
        """Colour the columns: (B, 3, H, W) from ``values`` (B, S, 3, H); NaN azimuths are not drawn."""
        stations = azimuth_deg.shape[1]
        position_px = azimuth_deg.remainder(360.0) * (self.width / 360.0)
        # Each trace stands a turn before and a turn after as well, so the nearest may lie beyond north.
        position_px = torch.cat([position_px - self.width, position_px, position_px + self.width], dim=1)
        gap_px = None if self.max_gap_deg is None else position_px.new_full((1, 1), self.max_gap_deg * self.width / 360)
        index, near = nearest_trace(position_px, self.width, gap_px)
        index = index.remainder(stations)[:, None, None].expand(-1, *values.shape[2:], -1)
        picture = values.permute(0, 2, 3, 1).contiguous().gather(3, index)
        return picture if near is None else picture * near[:, None, None]


def noise_weight(noise: torch.Tensor, usable: torch.Tensor) -> torch.Tensor:
    """Weight of each trace for its noise, (B, S): one over it, and less still above the median of the event.

    Args:
        noise: (B, S, C) root mean square of each component; the largest counts.
        usable: bool (B, S); others get the weight 0.
    """
    largest = noise.amax(-1).masked_fill(~usable, torch.nan)
    relative = largest / largest.nanquantile(0.5, dim=-1, keepdim=True)
    # Silence says that noise could not be measured, not that there is none.
    relative = relative.nan_to_num(nan=1.0).clamp_min(QUIETEST)
    return usable / (relative * (1 + relative.square()))
