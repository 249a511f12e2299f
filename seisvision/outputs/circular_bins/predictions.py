"""Predicted sectors of a direction: measured, averaged and drawn like angles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from seisvision.outputs.angles.predictions import AnglePredictions
from seisvision.outputs.bins.shares import PredictionsOfBins
from seisvision.outputs.circular_bins.circle import CircleBins

MOST_BINS = 3600


@dataclass(frozen=True)
class BinnedAnglePredictions(PredictionsOfBins, AnglePredictions):
    """Angles as :class:`AnglePredictions` has them and K probabilities (N, 2 + K); ``about`` also holds ``n_bins``."""

    needs: ClassVar[tuple[str, ...]] = (*AnglePredictions.needs, "n_bins")

    @classmethod
    def problem_of(cls, about: Mapping[str, Any]) -> str:
        """There are at least two bins."""
        n_bins = about.get("n_bins")
        if type(n_bins) is int and 2 <= n_bins <= MOST_BINS:
            return ""
        return f"n_bins is not a whole number from 2 to {MOST_BINS}"

    @classmethod
    def bins_of(cls, about: Mapping[str, Any]) -> CircleBins:
        """The bins of a description."""
        given = {name: about[name] for name in ("centred", "legacy", "value") if name in about}
        return CircleBins(about["n_bins"], float(about["period_deg"]), **given)

    @classmethod
    def n_bins_of(cls, about: Mapping[str, Any]) -> int:
        """How many bins a description has."""
        return int(about["n_bins"])

    def in_terms_of(self, about: Mapping[str, Any]) -> Self:
        """The same: sectors of one description lie where those of another of as many do."""
        return self
