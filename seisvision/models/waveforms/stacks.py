"""Published networks and a baseline that are nothing but a stack of convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from seisvision.models.waveforms.conv_stack import ConvStack1d


class ShandongCNN(ConvStack1d):
    """Ten convolutions and a fully connected layer that tell earthquakes, mine collapses and explosions apart.

    F is 128; with a linear head of three classes it has 435,251 parameters, whatever T is.

    Args:
        in_channels: P, three components.
        n_samples: T, 5000 in the paper; at least 512.
        batch_norm: after every convolution.

    Reference: Zhang, Gao, Fan and others (2025). The paper gives ten convolutions, two fully connected layers and the
    activation, but neither kernels nor widths: those are of this project, and figures need not be the same.
    """

    def __init__(self, in_channels: int, n_samples: int, batch_norm: bool = False) -> None:
        super().__init__(
            in_channels,
            n_samples,
            widths=(16, 16, 32, 32, 64, 64, 128, 128, 256, 256),
            kernels=(7, 7, 5, 5, 5, 3, 3, 3, 3, 3),
            strides=1,
            pools=(2, 2, 2, 2, 2, 2, 2, 2, 2, 1),
            activation="leaky_relu",
            batch_norm=batch_norm,
            parts=1,
            hidden=(128,),
        )


class GuCNN(ConvStack1d):
    """Four convolutions and one dropout layer before the output, for Monte Carlo dropout.

    F is 1024; with 36 channels and a linear head of three numbers it has 66,723 parameters, whatever T is.

    Args:
        in_channels: P, 12 stations x 3 components in the paper.
        n_samples: T.
        dropout: share of the features that is dropped.

    Reference: Gu, Marzouk & Toksoez (2019), Bayesian deep learning and uncertainty quantification applied to induced
    seismicity locations in the Groningen gas field. The paper gives the place of the dropout but no sizes: those are of
    this project.
    """

    def __init__(self, in_channels: int, n_samples: int, dropout: float = 0.2) -> None:
        super().__init__(
            in_channels, n_samples, widths=(32, 64, 64, 128), kernels=(7, 5, 5, 3), parts=8, dropout=dropout
        )


class CNN1d(ConvStack1d):
    """A plain baseline: convolutions of growing width, each followed by pooling of pairs.

    Text-book networks of this kind flatten their maps; here they are averaged, so that its size does not grow with T.

    Args:
        in_channels: P.
        n_samples: T.
        widths: channels of each layer.
    """

    def __init__(self, in_channels: int, n_samples: int, widths: Sequence[int] = (64, 128, 256)) -> None:
        super().__init__(in_channels, n_samples, widths, kernels=3, strides=1, pools=2, parts=1)
