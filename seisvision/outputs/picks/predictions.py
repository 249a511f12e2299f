"""Picks beside true arrivals."""

from __future__ import annotations

from dataclasses import dataclass

from seisvision.outputs.predictions import Predictions


@dataclass(frozen=True)
class PickPredictions(Predictions):
    """Picks of N windows."""
