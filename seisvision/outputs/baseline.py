"""What a baseline is, and which of several is the one to beat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.outputs.predictions import Predictions

LESS_IS_BETTER = ("median_ae", "mae", "rmse")
"""Beginnings of the names of headline measures that are errors."""
FEWEST_ANSWERED = 0.5
"""A baseline that answers a smaller share of the samples is shown, but is not the one to beat."""


@dataclass(frozen=True)
class Baseline:
    """A baseline on the split of the network, or the reason why there is none."""

    name: str
    description: str
    feature_names: list[str] = field(default_factory=list)
    metrics: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)
    """Measures by part of the split (all but the training part) and metric."""
    predictions: Mapping[str, Predictions] = field(default_factory=dict)
    """Predictions by part of the split, for paired comparisons with a network."""
    skipped: str | None = None
    """Why the baseline is not shown; None where it is."""

    def to_dict(self) -> dict[str, Any]:
        """Description and measures as plain values for JSON."""
        measures = {
            part: {name: measure.to_dict() for name, measure in metrics.items()}
            for part, metrics in self.metrics.items()
        }
        return {"description": self.description, "features": self.feature_names, "skipped": self.skipped, **measures}


def strongest_baseline(baselines: Mapping[str, Baseline], part: str) -> str | None:
    """Name of the baseline with the best headline measure on a part; of equals the first; None where there is none."""
    scores = {name: _score(baseline, part) for name, baseline in baselines.items()}
    known = [name for name, score in scores.items() if math.isfinite(score)]
    return max(known, key=scores.__getitem__) if known else None


def _score(baseline: Baseline, part: str) -> float:
    """The headline measure, more being better; minus infinity for what is no candidate."""
    if part not in baseline.predictions:
        return -math.inf
    name, metrics = baseline.predictions[part].headline, baseline.metrics[part]
    answered = metrics["answered"].value if "answered" in metrics else 1.0
    if name not in metrics or answered < FEWEST_ANSWERED:
        return -math.inf
    value = metrics[name].value
    return -value if name.startswith(LESS_IS_BETTER) else value
