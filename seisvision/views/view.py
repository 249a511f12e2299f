"""What every picture maker promises."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from seisvision import keys
from seisvision.errors import ConfigurationError


class View(nn.Module):
    """Batch of samples in, network-ready picture out; no learned weights.

    ``forward`` takes the batch dictionary of :mod:`seisvision.keys` on any device and returns a float32
    tensor (B, *image_shape): (B, P, H, W), or (B, P, T) of views that feed one-dimensional networks, which
    have an ``image_shape`` of their own in place of ``height`` and ``width``. A sample's picture depends
    neither on padding nor on the other samples of the batch, nor on station names, absolute times or the
    order of traces in a file.
    """

    unit: str = "event"
    """What a sample is: ``event`` (several stations) or ``trace`` (one station, S is 1)."""
    uses_origin: bool = False
    """Whether it draws from the origin time; outputs that must be found without it refuse such a view. Sections that
    place traces by offset draw from the epicentre alone."""
    uses_epicentre: bool = False
    """Whether a trace whose distance or direction is not known is drawn nowhere."""
    sees_truncation: bool = False
    """Whether nothing that comes after ``SEEN_S`` of a batch has a say in a picture; others show the future, so that
    they are not asked early."""
    fixed_stations: bool = False
    """Whether every station needs a place of its own in the picture, so that samples must have slots for them."""
    uses_station_places: bool = False
    """Whether it draws from where stations stand (``STATION_KM``), which not every set knows."""
    noise_range_db: tuple[float, float] | None = None
    """Decibels above noise that 0 and 1 of the picture stand for; None where its values mean something else."""
    out_channels: int
    """P: number of picture channels."""
    height: int
    """H: rows of the picture."""
    width: int
    """W: columns of the picture."""
    components: str
    """Components of the waveforms it draws from, in their order, such as ``Z`` or ``ZNE``."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of the picture of one sample, channels first."""
        return self.out_channels, self.height, self.width

    def forward(self, batch: dict[str, Any]) -> torch.Tensor:
        """Draw every sample of ``batch``."""
        raise NotImplementedError

    @property
    def needs_fit(self) -> bool:
        """Whether :meth:`fit` must be called before anything is drawn."""
        return False

    def fit(self, batches: Iterable[dict[str, Any]]) -> None:
        """Take what drawing must know of the data from batches of training samples; kept in checkpoints."""

    def sample_s(self, batch: dict[str, Any]) -> float:
        """Seconds between two samples of lines (B, P, T), which begin with the window; of views that give lines."""
        window_s = batch[keys.WAVEFORM].shape[-1] / float(batch[keys.SAMPLING_RATE_HZ])
        return window_s / self.image_shape[-1]

    def check_components(self, waveform: torch.Tensor) -> None:
        """Refuse waveforms (B, S, C, T) that do not have the components the view draws from.

        Raises:
            ConfigurationError: their number differs.
        """
        if waveform.shape[2] != len(self.components):
            raise ConfigurationError(
                f"the waveforms have {waveform.shape[2]} components, the view expects components='{self.components}'; "
                "give the view the same components as the data"
            )

    def check_single_traces(self, waveform: torch.Tensor) -> None:
        """Refuse waveforms (B, S, C, T) of more than one station per sample.

        Raises:
            ConfigurationError: S is not 1.
        """
        if waveform.shape[1] != 1:
            raise ConfigurationError(
                f"{type(self).__name__} draws single traces, but the samples have {waveform.shape[1]} stations; "
                "use samples of unit 'trace', or a view of events such as RecordSection"
            )

    def to_uint8(self, image: torch.Tensor) -> torch.Tensor:
        """Return what :meth:`forward` gave as pictures for people: uint8 (B, H, W, 3), of any height and width."""
        raise NotImplementedError

    def describe(self) -> dict[str, str]:
        """Name of each picture channel, in order, and what its values mean."""
        raise NotImplementedError
