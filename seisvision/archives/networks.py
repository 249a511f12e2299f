"""What gives curves: the faces of a network that an archive is picked with, and which one it is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import torch


class CurveNetwork(Protocol):
    """Raw windows in, probabilities out (``tasks/pick_network.py: PickNetwork`` is one)."""

    @property
    def components(self) -> str:
        """Order of the components of the windows, of Z, N and E."""

    @property
    def sampling_rate_hz(self) -> float:
        """Of the windows."""

    @property
    def n_samples(self) -> int:
        """T: length of the windows."""

    @property
    def phases(self) -> Sequence[str]:
        """What is picked."""

    @property
    def curve_names(self) -> Sequence[str]:
        """What all curves are of: the phases, and perhaps noise and whether there is an event."""

    def curves(self, windows: torch.Tensor) -> torch.Tensor:
        """Probabilities (B, R, T) of windows (B, C, T) as they were recorded, zero where nothing was."""


def fingerprint(network: CurveNetwork) -> str:
    """Hash of what a network is: a table that was begun with one is not gone on with by another."""
    digest = hashlib.sha256()
    about = (network.components, network.sampling_rate_hz, network.n_samples, *network.curve_names)
    digest.update(repr(about).encode())
    state = network.state_dict() if isinstance(network, torch.nn.Module) else {}
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(state[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
