"""Both networks of Mousavi and Beroza side by side, so that one run says all that places an event from one station."""

from __future__ import annotations

import torch

from seisvision.errors import ConfigurationError
from seisvision.models.waveforms.back_azimuth_net import BackAzimuthNet
from seisvision.models.waveforms.layers import WaveformBackbone
from seisvision.models.waveforms.tcn import TCN

COMPONENTS = 3


class SingleStationNet(WaveformBackbone):
    """The temporal convolutions of the whole window, and the network of back azimuths of the part around P.

    F is that of the two together, 120. They share no weights; the paper trains them apart, and each head there reads
    its own. Here every head reads both.

    Args:
        in_channels: P; three components, the vertical first, and where ``view.ps_box`` is set the box behind them,
            which only the temporal convolutions see.
        n_samples: T of the whole window.
        p_sample: where P stands in it; ``dataset.traces.window`` with reference onset, a start of -p_sample / rate and
            no jitter brings it there.
        before_p, after_p: samples around P that the network of back azimuths sees, 50 and 100 in the paper.
        p_length: samples behind P whose polarisation is taken.
        channels, kernel, levels, dropout: see :class:`~seisvision.models.waveforms.tcn.TCN`.
        hidden_dropout: see :class:`~seisvision.models.waveforms.back_azimuth_net.BackAzimuthNet`.

    Raises:
        ConfigurationError: fewer than three channels, or the part around P does not lie in the window.

    Reference: Mousavi & Beroza (2020), arXiv:1912.01144.
    """

    def __init__(
        self,
        in_channels: int,
        n_samples: int,
        p_sample: int = 100,
        before_p: int = 50,
        after_p: int = 100,
        p_length: int = 20,
        channels: int = 20,
        kernel: int = 6,
        levels: int = 11,
        dropout: float = 0.1,
        hidden_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if in_channels < COMPONENTS:
            raise ConfigurationError(
                f"SingleStationNet takes the polarisation of three components and would get {in_channels} channels. "
                "Set view.components=ZNE."
            )
        if not 0 <= p_sample - before_p < p_sample + after_p <= n_samples:
            raise ConfigurationError(
                f"model.p_sample={p_sample} with {before_p} samples before and {after_p} behind it does not lie in "
                f"waveforms of view.n_samples={n_samples}."
            )
        self.around_p = slice(p_sample - before_p, p_sample + after_p)
        self.whole = TCN(in_channels, channels, kernel, levels, dropout)
        self.direction = BackAzimuthNet(
            COMPONENTS, before_p + after_p, before_p, p_length, dropout=dropout, hidden_dropout=hidden_dropout
        )
        self.num_features = self.whole.num_features + self.direction.num_features

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of waveforms (B, P, T)."""
        around_p = image[:, :COMPONENTS, self.around_p]
        return torch.cat([self.whole(image), self.direction(around_p)], 1)
