"""Predicted classes: measures, comparison, table and figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.evaluation.classification import (
    SMALLEST_PROBABILITY,
    classification_metrics,
    confusion_matrix,
    reliability_bins,
)
from seisvision.evaluation.differences import Influence, area_influence, average, balanced_influence, mean_influence
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.sample_predictions import SamplePredictions, figure_path


@dataclass(frozen=True)
class ClassPredictions(SamplePredictions):
    """Class probabilities (N, K); targets are class numbers, -1 without label; ``about`` holds ``class_names``."""

    needs = ("class_names",)

    @property
    def class_names(self) -> list[str]:
        """K names."""
        return list(self.about["class_names"])

    @property
    def probability(self) -> np.ndarray:
        """float (N, K)."""
        return self.decoded

    @property
    def labelled(self) -> np.ndarray:
        """bool (N,): samples with a class."""
        return self.target >= 0

    @property
    def correct(self) -> np.ndarray:
        """bool (N,): True where the likeliest class is the true one."""
        return self.decoded.argmax(1) == self.target

    @property
    def headline(self) -> str:
        """Name of the measure that tables show first."""
        return "accuracy"

    @property
    def table_columns(self) -> dict[str, str]:
        """Measures of a results table and their headings."""
        return {
            "accuracy": "accuracy",
            "balanced_accuracy": "balanced accuracy",
            "roc_auc": "ROC AUC",
            "cross_entropy": "cross-entropy",
        }

    def measures(self, level: float = 0.95, train_target: np.ndarray | None = None) -> dict[str, Measure]:
        """See `classification_metrics`; ``majority_baseline_accuracy`` with ``train_target``."""
        repeat = len(set(self.source_ids)) < len(self.source_ids)
        return classification_metrics(
            self.target,
            self.decoded,
            self.class_names,
            level,
            train_target=train_target,
            groups=self.source_ids if repeat else None,
        )

    def details(self) -> dict[str, Any]:
        """``confusion`` (row = true class), ``reliability`` and what a table shows."""
        bins = reliability_bins(self.target, self.decoded)
        return {
            **self.table_details(),
            "confusion": confusion_matrix(self.target, self.decoded.argmax(1), len(self.class_names)),
            "reliability": {name: getattr(bins, name).tolist() for name in ("confidence", "accuracy", "count")},
        }

    def columns(self) -> dict[str, list[Any]]:
        """``target`` and ``prediction`` (class names, empty without label) and ``probability_<class>``."""
        names = self.class_names
        columns: dict[str, list[Any]] = {
            "target": [names[int(number)] if number >= 0 else "" for number in self.target],
            "prediction": [names[number] for number in self.decoded.argmax(1)],
        }
        return columns | {f"probability_{name}": self.decoded[:, k].tolist() for k, name in enumerate(names)}

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        known = self.take(np.flatnonzero(self.labelled))
        target, probability, events = known.target.astype(int), known.decoded, known.source_ids
        classes = [1] if len(self.class_names) == 2 else range(len(self.class_names))
        return {
            "accuracy": lambda: mean_influence(known.correct.astype(float), events, is_share=True),
            "balanced_accuracy": lambda: balanced_influence(known.correct, target, events),
            "roc_auc": lambda: average([area_influence(target == k, probability[:, k], events) for k in classes]),
            "cross_entropy": lambda: mean_influence(_cross_entropy(target, probability), events),
        }

    def worst(self, n: int) -> np.ndarray:
        """Positions of wrong samples, the one with the greatest probability first."""
        wrong = np.flatnonzero(self.labelled & ~self.correct)
        return wrong[np.argsort(-self.decoded[wrong].max(1), kind="stable")][:n]

    def draw(self, stem: Path, offset_km: np.ndarray | None = None) -> None:
        """Write the confusion matrix and the reliability diagram; ``offset_km`` is not used."""
        from seisvision.evaluation.figures import confusion_figure, reliability_figure

        confusion_figure(figure_path(stem, "confusion"), self.details()["confusion"], self.class_names)
        reliability_figure(figure_path(stem, "reliability"), self.target, self.decoded)

    def _check_shapes(self) -> None:
        self.check_width(len(self.about["class_names"]), "one probability a class")


def _cross_entropy(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Of every sample (N,), in nats."""
    return -np.log(np.maximum(probability[np.arange(len(target)), target], SMALLEST_PROBABILITY))
