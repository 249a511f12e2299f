"""What the pictures that ObsPy draws have in common."""

from __future__ import annotations

from typing import Any

import torch

from seisvision import keys
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.views.filters import check_band, filter_bands, remove_mean
from seisvision.views.settings import positive
from seisvision.views.view import View


class ObspyView(View):
    """One component drawn by ObsPy, black on white, for reference.

    Args:
        height, width: size of the picture in pixels.
        component: which component is drawn, one of ``components``, the order in the waveforms.
        band_hz: (low, high) of a filter, see :mod:`seisvision.views.filters`; None, as in the paper: none.
        decorations: whether ObsPy's labels stay, which leak.
        components: order of the components in the waveforms.

    Raises:
        ConfigurationError: a setting is not allowed.
    """

    out_channels = 3

    def __init__(
        self,
        height: int,
        width: int,
        component: str,
        band_hz: tuple[float, float] | None,
        decorations: bool,
        components: str,
    ) -> None:
        super().__init__()
        if len(component) != 1 or component not in components:
            hint = did_you_mean(component, list(components))
            raise ConfigurationError(f"component='{component}' is not among the waveforms' components. {hint}")
        if band_hz is not None:
            check_band(band_hz)
        self.height, self.width = positive("height", height), positive("width", width)
        self.component, self.components, self.band_hz, self.decorations = component, components, band_hz, decorations

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return ``image`` (B, 3, H, W) for people: uint8 (B, H, W, 3), black ink on white paper."""
        return (255 - image * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def recorded_and_drawn(self, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """The component as it was recorded and as it is drawn, without mean or filtered: (B, S, T) on the processor."""
        waveform = batch[keys.WAVEFORM]
        self.check_components(waveform)
        recorded = waveform[:, :, self.components.index(self.component)].float().cpu()
        if self.band_hz is None:
            return recorded, remove_mean(recorded)[0]
        return recorded, filter_bands(recorded, float(batch[keys.SAMPLING_RATE_HZ]), [self.band_hz])[0]
