"""What the pictures that ObsPy draws have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import torch

from seisvision import keys
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.views.filters import check_band, filter_bands, remove_mean
from seisvision.views.settings import positive
from seisvision.views.view import View

MOST_KEPT_BYTES = 1_000_000_000
"""Pictures are kept up to here; without augmentation the same are wanted in every epoch."""


class ObspyView(View):
    """One component drawn by ObsPy, black on white, for reference.

    What was drawn once is kept: a set of 885 events costs two minutes, and not two minutes an epoch.

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
        self._kept: dict[bytes, torch.Tensor] = {}
        self._n_bytes = 0

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

    def drawn_once(self, what: list[torch.Tensor], draw: Callable[[], torch.Tensor]) -> torch.Tensor:
        """The picture (3, H, W) of ``what``, from memory where exactly the same was drawn before."""
        key = hashlib.blake2b(b"".join(tensor.contiguous().numpy().tobytes() for tensor in what)).digest()
        if key not in self._kept:
            picture = draw()
            # Grey pictures have three equal channels, of which one is enough.
            is_grey = bool((picture == picture[:1]).all())
            kept = picture[:1].clone() if is_grey else picture
            if self._n_bytes + kept.nbytes > MOST_KEPT_BYTES:
                return picture
            self._kept[key] = kept
            self._n_bytes += kept.nbytes
        return self._kept[key].expand(3, -1, -1)
