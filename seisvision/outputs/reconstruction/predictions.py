"""How well pictures came back from the code of an auto-encoder: one error a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seisvision.errors import DataError
from seisvision.evaluation.differences import Influence, mean_influence
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.evaluation.tables import number_text
from seisvision.outputs.averaging import mean_of_votes
from seisvision.outputs.predictions import ErrorSizes, Predictions

RIGHT_BELOW = 0.5**0.5
"""A reconstruction counts as right whose error leaves less than half of the variance."""
ZEROS, MEAN = "zeros", "mean_picture"
ABOUT_ZEROS = "zero everywhere: the error is 1 by definition"
ABOUT_MEAN = "the mean of the training pictures, whatever the sample is"


@dataclass(frozen=True)
class ReconstructionPredictions(Predictions):
    """Normalised errors (N, 2) of the reconstruction and of the mean training picture.

    An error is the root mean square of the difference over that of the picture: 0 where it came back whole, 1 for a
    picture of zeros. ``target`` (N,) is the error to be reached, 0, and NaN of samples that show nothing.
    """

    guess_name = ZEROS
    guess_description = ABOUT_ZEROS

    @classmethod
    def caption(cls, about: Mapping[str, Any], target: Any) -> str:
        """The error to be reached."""
        return f"error {number_text(float(target))}"

    @classmethod
    def number_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """Error of the network and of the mean picture."""
        return ["prediction", MEAN]

    @classmethod
    def training_guess(cls, about: Mapping[str, Any], train_target: np.ndarray) -> float:
        """The error of zeros."""
        return 1.0

    @classmethod
    def feature_kinds(cls, unit: str, about: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """None: no hand-made features can be turned back into a picture."""
        return [], []

    @classmethod
    def fit_baselines(
        cls, features: Any, about: Mapping[str, Any], parts: Mapping[str, Any], everything: Any, **settings: Any
    ) -> dict[str, Any]:
        """None: see :meth:`asked_beside`."""
        return {}

    def asked_beside(self) -> dict[str, tuple[str, Self]]:
        """Zeros, and the mean picture, whose error was measured with that of the network."""
        zeros = np.where(self.labelled, 1.0, np.nan)
        return {
            ZEROS: (ABOUT_ZEROS, self._with_error(zeros)),
            MEAN: (ABOUT_MEAN, self._with_error(self.decoded[:, 1])),
        }

    def _with_error(self, error: np.ndarray) -> Self:
        decoded = np.stack([error, self.decoded[:, 1]], axis=1)
        return type(self)(self.about, self.ids, self.target, decoded)

    @classmethod
    def disagreement(cls, several: Sequence[Self]) -> tuple[np.ndarray, int | None]:
        """Range of the errors."""
        return np.ptp(np.stack([one.error for one in several]), axis=0), None

    def average(self, votes: np.ndarray) -> np.ndarray:
        """The one vote of every sample.

        Raises:
            DataError: a sample has several: the error of a mean reconstruction does not follow from their errors.
        """
        if (np.isfinite(votes[..., 0]).sum(axis=0) > 1).any():
            raise DataError(
                f"Reconstructions of output '{self.about['name']}' by several networks cannot be averaged: each is "
                "kept as one error a sample, from which that of their mean does not follow. Evaluate one run, or folds "
                "that each have a test part of their own."
            )
        return mean_of_votes(votes)

    def measures(self, level: float = 0.95, train_target: np.ndarray | None = None) -> dict[str, Measure]:
        """Mean normalised error and explained variance, both means over samples, with intervals over events."""
        known = self.answered
        bootstrap = EventBootstrap(np.asarray(self.source_ids)[known], level)
        error = self.error[known]
        return {
            "rmse_normalised": bootstrap.mean_size(error),
            "median_rmse_normalised": bootstrap.median(error),
            "explained_variance": bootstrap.mean(1 - error**2),
        }

    def columns(self) -> dict[str, list[Any]]:
        """The error to be reached, and both errors."""
        return {"target": self.target.tolist(), "prediction": self.error.tolist(), MEAN: self.decoded[:, 1].tolist()}

    @property
    def error(self) -> np.ndarray:
        """Normalised errors (N,), never negative: scores of how unusual records are."""
        return self.decoded[:, 0]

    @property
    def answered(self) -> np.ndarray:
        """bool (N,): samples that show anything and came back as numbers."""
        return self.labelled & np.isfinite(self.error)

    def error_sizes(self) -> ErrorSizes:
        """The errors; they have no unit."""
        return ErrorSizes("median_ae", self.error)

    def worst(self, n: int) -> np.ndarray:
        """Positions of the most unusual samples."""
        known = np.flatnonzero(self.answered)
        return known[np.argsort(-self.error[known], kind="stable")][:n]

    def answer_text(self, row: int) -> str:
        """The error in four digits; nothing where there is none."""
        value = float(self.error[row])
        return f"error {number_text(value)}" if np.isfinite(value) else ""

    def is_right(self, row: int) -> bool:
        """Whether more than half of the variance came back."""
        return bool(self.error[row] < RIGHT_BELOW)

    @property
    def headline(self) -> str:
        """Mean normalised error."""
        return "rmse_normalised"

    @property
    def table_columns(self) -> dict[str, str]:
        """All measures."""
        return {
            "rmse_normalised": "error over rms",
            "median_rmse_normalised": "its median",
            "explained_variance": "explained variance",
        }

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        known = self.answered
        error, events = self.error[known], np.asarray(self.source_ids)[known]
        return {
            "rmse_normalised": lambda: mean_influence(error, events),
            "explained_variance": lambda: mean_influence(1 - error**2, events),
        }

    def _check_shapes(self) -> None:
        self.check_width(2, "errors of the reconstruction and of the mean picture")
