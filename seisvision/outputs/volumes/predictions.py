"""Volumes are decoded to places, of which nothing else is said."""

from __future__ import annotations

from dataclasses import dataclass

from seisvision.outputs.places.predictions import PlacePredictions


@dataclass(frozen=True)
class VolumePredictions(PlacePredictions):
    """Places whose confidence is the peak of the volume."""
