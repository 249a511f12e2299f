"""Predicted classes: measures, comparison, table and figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from seisvision.base.units import EVENT
from seisvision.evaluation.conformal import ConformalAnswers
from seisvision.evaluation.differences import Influence, area_influence, average, balanced_influence, mean_influence
from seisvision.evaluation.intervals import Measure
from seisvision.outputs.averaging import ENTROPIES, entropies_of_votes, mean_of_votes
from seisvision.outputs.classes import NO_CLASS
from seisvision.outputs.classes.measures import (
    SMALLEST_PROBABILITY,
    classification_metrics,
    confusion_matrix,
    reliability_bins,
)
from seisvision.outputs.classes.tables import COLUMNS, STRATA_COLUMNS, class_table, strata_table
from seisvision.outputs.classes.votes import VOTES, EventVotes
from seisvision.outputs.plain import figure_path
from seisvision.outputs.predictions import SHARE_WRONG, ErrorSizes, Predictions, Table


@dataclass(frozen=True)
class ClassPredictions(Predictions):
    """Class probabilities (N, K); targets are class numbers, -1 without label; ``about`` holds ``class_names``."""

    apart_names = ENTROPIES
    needs = ("class_names",)
    guess_name = "majority"
    guess_description = "always the commonest class of the training events"
    error_chart = "confusion"

    @classmethod
    def problem_of(cls, about: Mapping[str, Any]) -> str:
        """A class is needed."""
        return "" if about["class_names"] else "class_names is empty"

    @classmethod
    def unknown(cls, n: int) -> np.ndarray:
        """Class numbers (n,) of samples without label."""
        return np.full(n, NO_CLASS)

    @classmethod
    def grouped(cls, about: Mapping[str, Any], target: np.ndarray) -> list[np.ndarray]:
        """A group for each class, in the order of their numbers."""
        return [np.flatnonzero(target == number) for number in range(len(about["class_names"]))]

    @classmethod
    def caption(cls, about: Mapping[str, Any], target: Any) -> str:
        """The name of the class."""
        return str(about["class_names"][int(target)])

    @classmethod
    def number_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """``probability_<class>``."""
        return [f"probability_{name}" for name in about["class_names"]]

    @classmethod
    def needed_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """All of them: a class that was not asked for makes another network."""
        return ["target", "prediction", *cls.number_columns(about)]

    @classmethod
    def read_targets(cls, about: Mapping[str, Any], cells: Sequence[str]) -> np.ndarray:
        """Class numbers (N,) from names.

        Raises:
            ValueError: a name is none of the classes.
        """
        names = [str(name) for name in about["class_names"]]
        number_of = {"": NO_CLASS} | {name: number for number, name in enumerate(names)}
        unknown = sorted({str(cell) for cell in cells} - number_of.keys())
        if unknown:
            raise ValueError(f"it names the class '{unknown[0]}', which is none of {', '.join(names)}")
        return np.array([number_of[cell] for cell in cells], dtype=int)

    @classmethod
    def training_guess(cls, about: Mapping[str, Any], train_target: np.ndarray) -> list[float]:
        """Frequencies of the classes."""
        counts = np.bincount(train_target[train_target >= 0], minlength=len(about["class_names"]))
        return (counts / max(1, counts.sum())).tolist()

    @classmethod
    def feature_kinds(cls, unit: str, about: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Of events the expert's features, of single traces a spectral ratio."""
        if unit == EVENT.name:
            return ["geometry", "band_power", "physics"], ["attributes"]
        return ["spectral_ratio"], ["two_feature", "trace_attributes"]

    @classmethod
    def fit_baselines(
        cls, features: Any, about: Mapping[str, Any], parts: Mapping[str, Any], everything: Any, **settings: Any
    ) -> dict[str, Any]:
        """See :func:`~seisvision.outputs.classes.baselines.fit_baselines`."""
        from seisvision.outputs.classes.baselines import fit_baselines

        labels = {
            sample_id: int(number)
            for part in parts.values()
            for sample_id, number in zip(part.ids.ids, part.targets[about["target"]], strict=True)
        }
        return fit_baselines(
            features.alone,
            labels,
            {name: part.ids for name, part in parts.items()},
            about["class_names"],
            everything=everything,
            stations=features.stations,
            **settings,
        )

    @classmethod
    def disagreement(cls, several: Sequence[Self]) -> tuple[np.ndarray, int | None]:
        """Spread of the probabilities where not all say the same class."""
        decoded = np.stack([one.decoded for one in several])
        said = decoded.argmax(2)
        differs = (said != said[0]).any(0)
        return np.where(differs, np.nan_to_num(decoded).std(0).sum(1) + 1e-9, 0.0), int(differs.sum())

    def average(self, votes: np.ndarray) -> np.ndarray:
        """Mean probability (N, K) of votes (M, N, K)."""
        return mean_of_votes(votes)

    def tell_apart(self, votes: np.ndarray) -> dict[str, np.ndarray]:
        """See :func:`~seisvision.outputs.averaging.entropies_of_votes`."""
        return entropies_of_votes(votes)

    def nonconformity(self) -> np.ndarray:
        """One minus the probability of the true class (N,) (Sadinle, Lei & Wasserman 2019); NaN without label."""
        said = self.decoded[np.arange(len(self.target)), np.maximum(self.target, 0).astype(int)]
        return np.where(self.labelled, 1 - said, np.nan)

    def conformal(self, threshold: float) -> ConformalAnswers:
        """Sets of the classes that are likely enough; their size is the number of classes, which may be none."""
        return ConformalAnswers(self.nonconformity() <= threshold, (1 - self.decoded <= threshold).sum(1), "classes")

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
        columns = {
            "accuracy": "accuracy",
            "balanced_accuracy": "balanced accuracy",
            "roc_auc": "ROC AUC",
            "cross_entropy": "cross-entropy",
        }
        return columns | (VOTES if self.can_vote else {})

    @property
    def votes(self) -> EventVotes:
        """What the samples of each event say together."""
        return EventVotes.of(self.source_ids, self.target, self.decoded)

    @property
    def can_vote(self) -> bool:
        """Whether several samples are of one event."""
        return len(set(self.source_ids)) < len(self.source_ids)

    def measures(self, level: float = 0.95, train_target: np.ndarray | None = None) -> dict[str, Measure]:
        """See `classification_metrics`, and the votes of events where these have several samples;
        ``majority_baseline_accuracy`` with ``train_target``."""
        measures = classification_metrics(
            self.target,
            self.decoded,
            self.class_names,
            level,
            train_target=train_target,
            groups=self.source_ids if self.can_vote else None,
        )
        return measures | (self.votes.measures(level) if self.can_vote else {})

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
            **(known.votes.influences() if self.can_vote else {}),
        }

    def result_tables(
        self, measures: Mapping[str, Measure], details: Mapping[str, Any], level: float
    ) -> dict[str, Table]:
        """Confusion, classes and reliability."""
        bins = details["reliability"]
        confusion = [[name, *counts] for name, counts in zip(self.class_names, details["confusion"], strict=True)]
        return {
            "confusion": (["true class", *(f"called {name}" for name in self.class_names)], confusion),
            "classes": (COLUMNS, class_table(self, measures, level)),
            "reliability": (list(bins), zip(*bins.values(), strict=True)),
        }

    def tables_within(self, facts: Mapping[str, np.ndarray], level: float) -> dict[str, Table]:
        """Measures within strata of the number of stations, which alone may tell one class from another."""
        if "n_stations" not in facts:
            return {}
        rows = strata_table(self, "n_stations", facts["n_stations"], level=level)
        return {"within_stations": (STRATA_COLUMNS, rows)}

    def error_sizes(self) -> ErrorSizes:
        """1 where the class is wrong, else 0."""
        return ErrorSizes(SHARE_WRONG, np.where(self.labelled, (~self.correct).astype(float), np.nan))

    def answer_text(self, row: int) -> str:
        """The likeliest class and its probability."""
        number = int(self.decoded[row].argmax())
        return f"{self.class_names[number]} {self.decoded[row, number]:.0%}"

    def is_right(self, row: int) -> bool:
        """Whether the likeliest class is the true one."""
        return bool(self.correct[row])

    def worst(self, n: int) -> np.ndarray:
        """Positions of wrong samples, the one with the greatest probability first."""
        wrong = np.flatnonzero(self.labelled & ~self.correct)
        return wrong[np.argsort(-self.decoded[wrong].max(1), kind="stable")][:n]

    def draw(self, stem: Path, offset_km: np.ndarray | None = None) -> None:
        """Write the confusion matrix and the reliability diagram; ``offset_km`` is not used."""
        from seisvision.outputs.classes.figures import confusion_figure, reliability_figure

        confusion_figure(figure_path(stem, "confusion"), self.details()["confusion"], self.class_names)
        reliability_figure(figure_path(stem, "reliability"), self.target, self.decoded)

    def _check_shapes(self) -> None:
        self.check_width(len(self.about["class_names"]), "one probability a class")


def _cross_entropy(target: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Of every sample (N,), in nats."""
    return -np.log(np.maximum(probability[np.arange(len(target)), target], SMALLEST_PROBABILITY))
