"""Predicted places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seisvision.evaluation.differences import Influence, mean_influence
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.outputs.averaging import mean_of_votes
from seisvision.outputs.baseline import Baseline
from seisvision.outputs.predictions import ErrorSizes, Predictions
from seisvision.outputs.truth import columns_of, truth_of

NEAR = 50.0


@dataclass(frozen=True)
class PlacePredictions(Predictions):
    """Places (N, D); one known coordinate makes a label, all of them an answer that can be judged."""

    needs = ("columns",)
    guess_name = "middle"

    @classmethod
    def caption(cls, about: Mapping[str, Any], target: Any) -> str:
        return " ".join(f"{value:.0f}" for value in target)

    @classmethod
    def number_columns(cls, about: Mapping[str, Any]) -> list[str]:
        return ["prediction", *(f"prediction_{column}" for column in columns_of(about)[1:])]

    @classmethod
    def training_guess(cls, about: Mapping[str, Any], train_target: np.ndarray) -> list[float]:
        return np.nanmean(train_target, axis=0).tolist()

    @classmethod
    def feature_kinds(cls, unit: str, about: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        return [], []

    @classmethod
    def fit_baselines(
        cls, features: Any, about: Mapping[str, Any], parts: Mapping[str, Any], everything: Any, **settings: Any
    ) -> dict[str, Any]:
        guess = cls.training_guess(about, truth_of(about, parts["train"].targets))
        said = {
            name: cls.from_decoded(about, part.ids, truth_of(about, part.targets), np.tile(guess, (len(part.ids), 1)))
            for name, part in parts.items()
            if name != "train"
        }
        return {"middle": Baseline("middle", "", [], {part: one.measures() for part, one in said.items()}, said)}

    @classmethod
    def disagreement(cls, several: Sequence[Self]) -> tuple[np.ndarray, int | None]:
        return np.ptp(np.stack([one.decoded for one in several]), axis=0).max(axis=1), None

    def average(self, votes: np.ndarray) -> np.ndarray:
        return mean_of_votes(votes)

    def measures(self, level: float = 0.95, train_target: np.ndarray | None = None) -> dict[str, Measure]:
        known = self.answered
        return {"mae_km": EventBootstrap(np.asarray(self.source_ids)[known], level).mean_size(self.distance[known])}

    def columns(self) -> dict[str, list[Any]]:
        told = dict(zip(self.target_columns(self.about), self.target.T.tolist(), strict=True))
        return told | dict(zip(self.number_columns(self.about), self.decoded.T.tolist(), strict=True))

    @property
    def distance(self) -> np.ndarray:
        return np.linalg.norm(self.decoded - self.target, axis=1)

    def error_sizes(self) -> ErrorSizes:
        return ErrorSizes("median_ae_km", self.distance)

    def worst(self, n: int) -> np.ndarray:
        known = np.flatnonzero(self.answered)
        return known[np.argsort(-self.distance[known])][:n]

    def answer_text(self, row: int) -> str:
        return self.caption(self.about, self.decoded[row])

    def is_right(self, row: int) -> bool:
        return bool(self.distance[row] < NEAR)

    @property
    def headline(self) -> str:
        return "mae_km"

    @property
    def table_columns(self) -> dict[str, str]:
        return {"mae_km": "mean distance (km)"}

    @property
    def answered(self) -> np.ndarray:
        return np.isfinite(self.target).all(axis=1)

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        return {"mae_km": lambda: mean_influence(self.distance[self.answered], np.asarray(self.source_ids))}

    def _check_shapes(self) -> None:
        self.check_width(len(columns_of(self.about)), "one number a coordinate")
