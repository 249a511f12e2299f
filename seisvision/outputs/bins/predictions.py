"""Predicted bins of a number: measured, averaged, drawn and located like numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch

from seisvision.outputs.bins.line import LineBins, regrouped
from seisvision.outputs.bins.shares import PredictionsOfBins
from seisvision.outputs.numbers.predictions import ScalarPredictions


@dataclass(frozen=True)
class BinnedPredictions(PredictionsOfBins, ScalarPredictions):
    """Numbers as :class:`ScalarPredictions` has them and K probabilities (N, 6 + K); ``about`` also holds ``edges``."""

    needs: ClassVar[tuple[str, ...]] = (*ScalarPredictions.needs, "edges")

    @classmethod
    def problem_of(cls, about: Mapping[str, Any]) -> str:
        """Edges are at least three rising numbers."""
        told = about.get("edges")
        edges: list[Any] = told if isinstance(told, list) else []
        are_numbers = len(edges) > 2 and all(type(one) in (int, float) for one in edges)
        if are_numbers and all(math.isfinite(b) and a < b for a, b in zip([-math.inf, *edges], edges, strict=False)):
            return ""
        return "edges are not three or more rising numbers"

    @classmethod
    def bins_of(cls, about: Mapping[str, Any]) -> LineBins:
        """The bins of a description."""
        return LineBins(torch.tensor(about["edges"], dtype=torch.float32), about.get("value", "median"))

    @classmethod
    def n_bins_of(cls, about: Mapping[str, Any]) -> int:
        """How many bins a description has."""
        return len(about["edges"]) - 1

    def in_terms_of(self, about: Mapping[str, Any]) -> Self:
        """The same with the bins of another description: a network on other training samples may have others."""
        if self.about["edges"] == about["edges"]:
            return self
        edges, others = (self.bins_of(one).edges for one in (self.about, about))
        probability = regrouped(torch.from_numpy(np.ascontiguousarray(self.probability)), edges, others).numpy()
        # What the value is does not depend on how it is binned.
        decoded = np.concatenate([self.decoded[:, : len(self.parts)], probability], axis=1)
        return type(self)(dict(about), self.ids, self.target, decoded, self.apart)
