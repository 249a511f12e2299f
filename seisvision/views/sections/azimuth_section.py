"""Sections over station azimuth, carried back to the source: which way did the force point?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import torch

from seisvision import keys
from seisvision.angles import wrapped_difference_deg
from seisvision.earth.constants import EARTH_MODELS
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.views.amplitude import known_quantile
from seisvision.views.filters import check_band
from seisvision.views.sections.back_propagation import (
    BackPropagation,
    SourceTraces,
    back_propagation,
    in_order,
    rotate_to_zrt,
)
from seisvision.views.view import View

CHANNELS: Final = ("Z", "R", "T")
MODEL_ERROR: Final = 0.1
"""Part of an event's typical amplitude by which traces differ beyond their noise: site, focusing, scattering."""
LARGEST_PEAK: Final = 5.0
"""Traces are cut at this many typical amplitudes of their event, so that a wrong gain does not fill the picture."""


class WeightedTraces(NamedTuple):
    """Traces at the source, ready to be summed; components are Z, R, T."""

    values: torch.Tensor
    """float32 (B, S, 3, H): in units of the event's typical amplitude; 0 where not used."""
    weight: torch.Tensor
    """float32 (B, S, 3): one over the variance; 0 where not used."""


class AzimuthSection(View):
    """An event's traces at the source, time against station azimuth: (B, 3, H, W), channels Z, R and T.

    Each trace is rotated with its back azimuth, cut to a band of surface waves and carried back to the source
    (:class:`~seisvision.views.sections.back_propagation.BackPropagation`). A single force then draws one time function
    in all columns, with the factor cos(azimuth - force azimuth) in Z and R and minus the sine in T. The columns go
    from azimuth 0 to 360 degrees; each shows what is best known of the motion in its direction: the mean of the
    traces about it, counted round the circle, with weights that fall with their noise outside the surface waves and
    with their distance in azimuth. Where only noisy or far traces are left the picture fades to 0.

    Args:
        height, width: rows (time, downwards) and columns (azimuth) of the picture.
        band_hz: corners of the band. Below 50 s phase velocities differ too much between paths, and between
            models of the Earth, to keep the sign of far traces.
        before_s, after_s: the time axis reaches from ``before_s`` before to ``after_s`` after the origin time.
        earth_model: one of :data:`~seisvision.earth.constants.EARTH_MODELS`, whose modes are used.
        max_compensation: attenuation is undone up to this factor.
        blend_deg: standard deviation of the Gaussian weights over azimuth.
        components: order of the components in the waveforms; must hold Z, N and E.

    Values are signed, in [-1, 1]; amplitude 1 is the picture's largest over the three channels. Background is 0.
    Traces of unknown distance, azimuth, back azimuth or window start, traces whose window does not hold the whole
    surface wave train, and flat or dead ones are not drawn. Where one of N and E was not recorded, R and T are empty.

    Raises ConfigurationError for a setting that is not allowed, and, when drawing, for a band above the Nyquist
    frequency or waveforms with other components.
    """

    uses_origin = True
    uses_epicentre = True

    def __init__(
        self,
        height: int = 64,
        width: int = 72,
        band_hz: Sequence[float] = (1 / 150, 1 / 50),
        before_s: float = 120.0,
        after_s: float = 200.0,
        earth_model: str = "ak135f_no_mud",
        max_compensation: float = 4.0,
        blend_deg: float = 15.0,
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
        if before_s < 0 or after_s <= 0 or blend_deg <= 0:
            raise ConfigurationError(
                f"before_s={before_s}, after_s={after_s} and blend_deg={blend_deg} are not allowed; "
                "before_s must not be negative, the others must be positive"
            )
        self.band_hz = (float(band_hz[0]), float(band_hz[1]))
        check_band(self.band_hz)
        self.height, self.width, self.out_channels = int(height), int(width), len(CHANNELS)
        self.before_s, self.after_s, self.earth_model = float(before_s), float(after_s), earth_model
        self.max_compensation, self.blend_deg = float(max_compensation), float(blend_deg)
        self.components = components

    def describe(self) -> dict[str, str]:
        """Name of each picture channel, in order, and what its values mean."""
        low_hz, high_hz = self.band_hz
        meaning = f"{1 / high_hz:.3g}-{1 / low_hz:.3g} s at the source, signed, in [-1, 1], norm section"
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
            return self._paint(weigh(self.at_source(batch), batch[keys.AZIMUTH_DEG]), batch[keys.AZIMUTH_DEG])

    def at_source(self, batch: dict[str, Any]) -> SourceTraces:
        """Carry the traces of ``batch`` back to the source; amplitudes in the unit of the waveforms."""
        waveform = batch[keys.WAVEFORM].float()
        order = [self.components.index(component) for component in keys.COMPONENTS]
        recorded = in_order(batch[keys.COMPONENT_MASK], order) & batch[keys.STATION_MASK][..., None]
        back_azimuth_deg = batch[keys.BACK_AZIMUTH_DEG]
        both = recorded[..., 1:].all(-1) & back_azimuth_deg.isfinite()
        ground = rotate_to_zrt(in_order(waveform, order), back_azimuth_deg.nan_to_num(nan=0.0))
        usable = torch.stack([recorded[..., 0], both, both], dim=-1)
        # Not a product: what is not recorded may hold NaN.
        ground = torch.where(usable[..., None], ground, 0.0)
        carry = self.back_propagation(waveform.shape[-1], float(batch[keys.SAMPLING_RATE_HZ]), waveform.device)
        return carry(ground, batch[keys.OFFSET_KM], batch[keys.START_S])

    def back_propagation(
        self, samples: int, sampling_rate_hz: float, device: torch.device | None = None
    ) -> BackPropagation:
        """Return what carries windows of ``samples`` back, with the settings of this view."""
        return back_propagation(
            samples,
            sampling_rate_hz,
            device,
            band_hz=self.band_hz,
            earth_model=self.earth_model,
            span_s=(-self.before_s, self.after_s),
            rows=self.height,
            max_compensation=self.max_compensation,
        )

    def _paint(self, traces: WeightedTraces, azimuth_deg: torch.Tensor) -> torch.Tensor:
        """Blend the traces into columns: (B, 3, H, W)."""
        column_deg = (torch.arange(self.width, device=azimuth_deg.device) + 0.5) * (360.0 / self.width)
        apart_deg = wrapped_difference_deg(column_deg, azimuth_deg.nan_to_num(nan=0.0)[..., None])
        blend = torch.exp(-0.5 * (apart_deg / self.blend_deg).square())[:, :, None] * traces.weight[..., None]
        picture = torch.einsum("bscw,bsch->bchw", blend, traces.values.clamp(-LARGEST_PEAK, LARGEST_PEAK))
        # Silence counts as much as a trace of signal-to-noise ratio 1: gaps and noisy traces fade.
        picture = picture / (blend.sum(1) + 1.0)[:, :, None]
        largest = picture.abs().amax((1, 2, 3), keepdim=True)
        return (picture / largest).nan_to_num(nan=0.0).contiguous()


def weigh(traces: SourceTraces, azimuth_deg: torch.Tensor) -> WeightedTraces:
    """Scale traces by the amplitude of their event and weigh them with their noise.

    Args:
        traces: at the source.
        azimuth_deg: (B, S); traces of unknown azimuth get the weight 0.
    """
    finite = traces.values.isfinite().all(-1)
    used = (traces.known & azimuth_deg.isfinite())[..., None] & finite
    values = traces.values.masked_fill(~used[..., None], 0.0)
    peak = values.abs().amax((2, 3))
    # Relative to the event's own amplitude, so that squares of small numbers do not vanish.
    typical = known_quantile(peak.masked_fill(peak == 0, torch.nan), 0.5)[..., None].nan_to_num(nan=1.0)
    values, noise = values / typical[..., None], traces.noise / typical
    used = used & (values != 0).any(-1)
    return WeightedTraces(values, torch.where(used, 1 / (noise.square() + MODEL_ERROR**2), 0.0))
