"""What a network or a baseline said about samples, one class for every kind of output behind one protocol.

``about`` is the plain description of an output (kind, name, unit, class names, tolerances); the classes say what each
reads from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.evaluation.class_predictions import ClassPredictions
from seisvision.evaluation.differences import Influence
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.regression_predictions import AnglePredictions, ScalarPredictions

__all__ = [
    "PREDICTIONS",
    "AnglePredictions",
    "ClassPredictions",
    "Predictions",
    "ScalarPredictions",
    "predictions_class",
]


class Predictions(Protocol):
    """What runs, tables and figures know of predictions of any kind."""

    @property
    def about(self) -> dict[str, Any]:
        """Plain description of the output."""

    @property
    def ids(self) -> SampleIds:
        """Which N samples they are about."""

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """N ids, each once: event ids or trace rows."""

    @property
    def source_ids(self) -> tuple[str, ...]:
        """N event ids, which repeat where samples are traces."""

    @property
    def target(self) -> np.ndarray:
        """True values (N,)."""

    @property
    def decoded(self) -> np.ndarray:
        """What was said (N, ...), in physical units."""

    @classmethod
    def from_decoded(cls, about: Mapping[str, Any], ids: SampleIds, target: np.ndarray, decoded: np.ndarray) -> Self:
        """Predictions of N samples from what an output decodes."""

    @property
    def n_labelled(self) -> int:
        """Samples with a target."""

    @property
    def headline(self) -> str:
        """Name of the measure that tables show first."""

    @property
    def table_columns(self) -> dict[str, str]:
        """Measures of a results table and their headings, the headline first."""

    def measures(self, level: float = 0.95, train_target: np.ndarray | None = None) -> dict[str, Measure]:
        """All measures with intervals over events; ``train_target`` adds those of guessing (``baseline_...``)."""

    def details(self) -> dict[str, Any]:
        """Curves, matrices and bins as plain values for JSON; NaN is None."""

    def columns(self) -> dict[str, list[Any]]:
        """Columns of a table with one row a sample; unknown numbers are NaN, unknown names empty."""

    @property
    def answered(self) -> np.ndarray:
        """bool (N,): samples with a target and an answer."""

    def influence(self, measure: str) -> Influence:
        """A measure of the answered samples and what each event adds to its error."""

    def difference(self, other: Any, level: float = 0.95) -> dict[str, Any]:
        """Headline of these predictions minus that of ``other`` on the same samples, paired."""

    def select(self, sample_ids: Sequence[str]) -> Self:
        """The predictions of some samples, in the order asked for."""

    @classmethod
    def concatenate(cls, several: Sequence[Self]) -> Self:
        """Predictions of several parts as one."""

    def worst(self, n: int) -> np.ndarray:
        """Positions of the n samples that are most wrong, the worst first."""

    def draw(self, stem: Path, offset_km: np.ndarray | None = None) -> None:
        """Write figures ``<stem>_<what>.png``."""


PREDICTIONS: dict[str, Any] = {"class": ClassPredictions, "scalar": ScalarPredictions, "angle": AnglePredictions}
"""Classes of predictions by the kind of output."""


def predictions_class(kind: str) -> Any:
    """The class of predictions of a kind of output.

    Raises:
        ConfigurationError: the kind is unknown.
    """
    if kind not in PREDICTIONS:
        raise ConfigurationError(f"Unknown kind of output '{kind}'. {did_you_mean(kind, list(PREDICTIONS))}")
    return PREDICTIONS[kind]
