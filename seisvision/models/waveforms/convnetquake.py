"""ConvNetQuake and its successor for all distances."""

from __future__ import annotations

import torch
from torch import nn

from seisvision.models.waveforms.conv_stack import ConvStack1d
from seisvision.models.waveforms.layers import WaveformBackbone, check_whole, check_word, split_peak

KERNEL, STRIDE = 3, 2
PEAKS = ("log", "as_is")


class ConvNetQuake(ConvStack1d):
    """Eight convolutions of 32 channels, each with half the places of the one before, and every place a feature.

    With 1001 samples of three components, F is 128, and with a linear head for noise and six places it has the
    22,951 parameters of the published network, for fifty places 28,627.

    Args:
        in_channels: P, three components in the paper.
        n_samples: T, 1001 (10 s at 100 samples per second) in the paper.
        layers: number of convolutions.
        width: their channels.

    Reference: Perol, Gharbi & Denolle (2018), Convolutional neural network for earthquake detection and location,
    Science Advances 4, e1700578. The authors normalise whole streams: ``view.level_of=stream``.
    """

    def __init__(self, in_channels: int, n_samples: int, layers: int = 8, width: int = 32) -> None:
        super().__init__(in_channels, n_samples, [width] * check_whole("layers", layers), KERNEL, STRIDE)


class ConvNetQuakeINGV(WaveformBackbone):
    """ConvNetQuake with nine convolutions that divides waveforms by their peak, and is told the peak beside them.

    It needs waveforms as they are, ``view.normalise=none``: of what was normalised before it, the peak is always 1.
    With 1001 samples of three components, F is 65, and with heads for 51 + 20 + 20 + 36 classes it has the 37,824
    parameters of the published network.

    Args:
        in_channels: P, three components in the paper.
        n_samples: T, 1001 (50 s at 20 samples per second) in the paper.
        layers: number of convolutions.
        width: their channels.
        peak: how the peak is told: ``log``, its logarithm to base 10, or ``as_is``.

    Reference: Lomax, Michelini & Jozinovic (2019), An investigation of rapid earthquake characterization using
    single-station waveforms and a convolutional neural network, Seismological Research Letters 90, 517-529.
    """

    def __init__(self, in_channels: int, n_samples: int, layers: int = 9, width: int = 32, peak: str = "log") -> None:
        super().__init__()
        # The authors give the peak as it is. In metres per second, as here, that is next to nothing beside features of
        # about 1, and nothing could be learnt from it: the logarithm is a deviation.
        self.is_log = check_word("peak", peak, PEAKS) == "log"
        self.trunk = ConvNetQuake(in_channels, n_samples, layers, width)
        self.num_features = self.trunk.num_features + 1
        self.hidden = nn.Linear(self.num_features, self.num_features)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Features (B, F) of waveforms (B, P, T) as they were recorded."""
        scaled, log_peak = split_peak(image)
        peak = log_peak if self.is_log else torch.pow(10.0, log_peak)
        return torch.relu(self.hidden(torch.cat([self.trunk(scaled), peak], 1)))
