"""Picks beside true arrivals: what is said of them, and what a table keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.evaluation.differences import Influence
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import number_text
from seisvision.outputs.picks.curves import ABSENT_S
from seisvision.outputs.picks.joining import joined
from seisvision.outputs.picks.matching import NEAREST_S
from seisvision.outputs.picks.measures import Judged
from seisvision.outputs.plain import plain_numbers
from seisvision.outputs.predictions import ErrorSizes, Predictions, Table
from seisvision.picking.by_rule import RULES

NONE = "none"
"""Stands in a table where a window is known to hold no arrival."""
RULE_VALUES = ("s", "clarity")
HEADLINE_S = NEAREST_S[0]


@dataclass(frozen=True)
class PickPredictions(Predictions):
    """Picks of N windows: of each phase K times and K probabilities, of an event one, and what rules say.

    ``decoded`` is (N, phases x 2 K + 1 + rules x phases x 2): times in seconds after the start of the window and
    probabilities, the most probable first; the probability of an event, which is that of the best pick where nothing
    else tells it; of each rule and phase time and clarity. ``target`` is (N, phases x E), see
    :class:`~seisvision.outputs.picks.output.PickOutput`.
    """

    needs: ClassVar[tuple[str, ...]] = ("phases", "max_picks", "max_events", "threshold", "window_s")
    guess_name = "nothing"
    guess_description = "no arrival anywhere"

    @classmethod
    def from_decoded(
        cls,
        about: Mapping[str, Any],
        ids: SampleIds,
        target: np.ndarray,
        decoded: np.ndarray,
        apart: Mapping[str, np.ndarray] | None = None,
    ) -> Self:
        """As of other kinds; what is not told of events and rules is filled in."""
        target, decoded = np.asarray(target, float).reshape(len(ids), -1), np.asarray(decoded, float)
        width, n_picks = len(cls.number_columns(about)), _n_pick_values(about)
        if not about.get("detection") and decoded.shape[1] in (n_picks, width - 1):
            k, phases = about["max_picks"], len(about["phases"])
            best = np.nan_to_num(decoded[:, :n_picks].reshape(len(decoded), phases, 2, k)[:, :, 1, 0]).max(1)
            decoded = np.concatenate([decoded[:, :n_picks], best[:, None], decoded[:, n_picks:]], 1)
        missing = np.full((len(decoded), max(0, width - decoded.shape[1])), np.nan)
        return cls(dict(about), ids, target, np.concatenate([decoded, missing], 1), dict(apart or {}))

    @classmethod
    def caption(cls, about: Mapping[str, Any], target: Any) -> str:
        """True times for people, such as ``P 3.2 S 5.61``."""
        return _times_text(about["phases"], np.reshape(target, (len(about["phases"]), -1)))

    @classmethod
    def number_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """Times and probabilities of every phase, probability of an event, and what rules say."""
        picks = [
            f"{phase}_{what}_{number + 1}"
            for phase in about["phases"]
            for what in ("s", "probability")
            for number in range(about["max_picks"])
        ]
        rules = [f"{rule}_{phase}_{what}" for rule in RULES for phase in about["phases"] for what in RULE_VALUES]
        return [*picks, "event_probability", *rules]

    @classmethod
    def needed_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """True times, and the best pick of every phase."""
        return [*cls.target_columns(about), *(f"{phase}_s_1" for phase in about["phases"]), "event_probability"]

    @classmethod
    def target_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """True times, phase by phase."""
        return [f"target_{phase}_{n + 1}" for phase in about["phases"] for n in range(about["max_events"])]

    @classmethod
    def read_targets(cls, about: Mapping[str, Any], cells: Sequence[str]) -> np.ndarray:
        """Times (N,); empty cells are unknown, and ``none`` says that there is none."""
        return np.array([ABSENT_S if cell == NONE else float(cell) if cell else math.nan for cell in cells])

    @classmethod
    def training_guess(cls, about: Mapping[str, Any], train_target: np.ndarray) -> None:
        """Nothing."""
        return

    @classmethod
    def feature_kinds(cls, unit: str, about: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """None: rules pick in the windows themselves, see :meth:`asked_beside`."""
        return [], []

    @classmethod
    def fit_baselines(
        cls, features: Any, about: Mapping[str, Any], parts: Mapping[str, Any], everything: Any, **settings: Any
    ) -> dict[str, Any]:
        """None: see :meth:`asked_beside`."""
        return {}

    def asked_beside(self) -> dict[str, tuple[str, Self]]:
        """The rules of :mod:`seisvision.picking.by_rule`, which saw the same windows."""
        told = self.by_rule
        return {rule: (RULES[rule], self._of_rule(told[:, number])) for number, rule in enumerate(RULES)}

    @property
    def by_rule(self) -> np.ndarray:
        """(N, rules, phases, 2) times and clarity."""
        told = self.decoded[:, _n_pick_values(self.about) + 1 :]
        return told.reshape(len(told), len(RULES), len(self.phases), len(RULE_VALUES))

    def _of_rule(self, told: np.ndarray) -> Self:
        """Predictions (N, phases, 2) of one rule, its clarity as a probability that counts from where it triggers."""
        decoded = np.full_like(self.decoded, np.nan)
        threshold = float(self.about["threshold"])
        clarity = np.nan_to_num(told[:, :, 1])
        probability = clarity / (clarity + (1 - threshold) / threshold)
        k = self.about["max_picks"]
        for number in range(len(self.phases)):
            decoded[:, 2 * k * number] = told[:, number, 0]
            decoded[:, 2 * k * number + k] = np.where(np.isfinite(told[:, number, 0]), probability[:, number], np.nan)
        decoded[:, _n_pick_values(self.about)] = probability.max(1)
        return type(self)(self.about, self.ids, self.target, decoded)

    @classmethod
    def disagreement(cls, several: Sequence[Self]) -> tuple[np.ndarray, int | None]:
        """Largest difference of the best picks in seconds; in how many windows not all pick the same phases."""
        times = np.stack([np.where(one.counts, one.picked_s, np.nan)[:, :, 0] for one in several])
        picked = np.isfinite(times)
        high = np.where(picked, times, -np.inf).max(0)
        spread = np.where(picked.any(0), high - np.where(picked, times, np.inf).min(0), 0.0)
        return np.nan_to_num(spread).max(1), int((picked != picked[0]).any((0, 2)).sum())

    def average(self, votes: np.ndarray) -> np.ndarray:
        """Picks of several networks joined, see :func:`~seisvision.outputs.picks.joining.joined`."""
        n_picks, k = _n_pick_values(self.about), int(self.about["max_picks"])
        shape = (*votes.shape[:2], len(self.phases), 2, k)
        voted = np.isfinite(votes[..., n_picks])
        picks = joined(votes[..., :n_picks].reshape(shape), voted, float(self.about.get("apart_s", 0.5)))
        with np.errstate(invalid="ignore"):
            rest = np.where(voted[..., None], votes[..., n_picks:], np.nan)
            count = np.isfinite(rest).sum(0)
            mean = np.where(count > 0, np.nansum(rest, axis=0) / np.maximum(count, 1), np.nan)
        return np.concatenate([picks.reshape(votes.shape[1], n_picks), mean], 1)

    def measures(self, level: float = 0.95, train_target: np.ndarray | None = None) -> dict[str, Measure]:
        """See :meth:`~seisvision.outputs.picks.measures.Judged.measures`."""
        known = np.flatnonzero(self.labelled)
        return self.take(known).judged.measures(level) if len(known) else {}

    @cached_property
    def judged(self) -> Judged:
        """What the measures are of."""
        return Judged(
            self.phases, self.true_s, self.picked_s, self.probability, self.event_probability,
            np.asarray(self.source_ids), float(self.about["window_s"]), float(self.about["threshold"]),
        )  # fmt: skip

    def details(self) -> dict[str, Any]:
        """Measures against the threshold, reliability, confusion of phases, and what a table shows."""
        judged = self.judged
        curves = [judged.against_threshold(number, HEADLINE_S) for number in range(len(self.phases))]
        return {
            **self.table_details(),
            "against_threshold": {
                phase: {name: plain_numbers(values) for name, values in curve.items()}
                for phase, curve in zip(self.phases, curves, strict=True)
            },
            "reliability": {phase: judged.reliability(number)[0] for number, phase in enumerate(self.phases)},
            "confusion": judged.confusion(),
        }

    def columns(self) -> dict[str, list[Any]]:
        """True times, picks and what rules say; columns of further picks only where there are any."""
        true = dict(zip(self.target_columns(self.about), self.target.T, strict=True))
        said = dict(zip(self.number_columns(self.about), self.decoded.T, strict=True))
        needed = set(self.needed_columns(self.about))
        told: dict[str, list[Any]] = {
            name: [NONE if value == ABSENT_S else value for value in values.tolist()] for name, values in true.items()
        }
        return told | {
            name: values.tolist() for name, values in said.items() if name in needed or np.isfinite(values).any()
        }

    def result_tables(
        self, measures: Mapping[str, Measure], details: Mapping[str, Any], level: float
    ) -> dict[str, Table]:
        """Precision, recall and F1 against the threshold."""
        names = ("threshold", "precision", "recall", "f1")
        rows = [
            [phase, *values]
            for phase, curve in details["against_threshold"].items()
            for values in zip(*(curve[name] for name in names), strict=True)
        ]
        return {"against_threshold": (["phase", *names], rows)}

    def error_sizes(self) -> ErrorSizes:
        """Distance of the best pick of the worse phase, as far as arrivals are inside; of no pick, the window."""
        return ErrorSizes("median_ae_s", self.error_s)

    @cached_property
    def error_s(self) -> np.ndarray:
        """(N,) seconds between arrival and nearest pick, of the worst; NaN where the window holds none."""
        inside = self._inside
        picked_s = np.where(self.counts, self.picked_s, np.inf)
        nearest = np.abs(picked_s[:, :, None] - np.where(inside, self.true_s, 0.0)[..., None])
        nearest = np.minimum(nearest.min(-1), float(self.about["window_s"]))
        worst = np.where(inside, nearest, -1.0).max((1, 2))
        return np.where(worst >= 0, worst, np.nan)

    def worst(self, n: int) -> np.ndarray:
        """Windows with the largest errors."""
        known = np.flatnonzero(np.isfinite(self.error_s))
        return known[np.argsort(-self.error_s[known], kind="stable")][:n]

    def surprising(self, n: int) -> np.ndarray:
        """Windows that hold nothing, and in which an event was said to be the most probable."""
        empty = np.flatnonzero(
            (self.judged.holds_event == 0) & (self.event_probability >= float(self.about["threshold"]))
        )
        return empty[np.argsort(-self.event_probability[empty], kind="stable")][:n]

    def draw(self, stem: Path, offset_km: np.ndarray | None = None) -> None:
        """Residuals, measures against the threshold, and how honest probabilities are."""
        from seisvision.outputs.picks.figures import draw_picks

        known = np.flatnonzero(self.labelled)
        if len(known):
            draw_picks(self.take(known).judged, stem)

    def answer_text(self, row: int) -> str:
        """Best picks, such as ``P 3.2 S 5.61``."""
        return _times_text(self.phases, np.where(self.counts, self.picked_s, np.nan)[row])

    def is_right(self, row: int) -> bool:
        """Whether all arrivals were found, and nothing was picked in a window without any."""
        if np.isfinite(self.error_s[row]):
            return bool(self.error_s[row] <= HEADLINE_S)
        return not self.counts[row].any()

    @property
    def headline(self) -> str:
        """Mean F1 of the phases."""
        return f"f1_{HEADLINE_S:g}s"

    @property
    def table_columns(self) -> dict[str, str]:
        """Measures of a results table and their headings."""
        found = {self.headline: f"F1 within {HEADLINE_S:g} s"}
        for phase in self.phases:
            found[f"{phase}_precision_{HEADLINE_S:g}s"] = f"{phase} precision"
            found[f"{phase}_recall_{HEADLINE_S:g}s"] = f"{phase} recall"
            found[f"{phase}_recall_{NEAREST_S[1]:g}s"] = f"{phase} recall within {NEAREST_S[1]:g} s"
            found[f"{phase}_residual_median_s"] = f"{phase} median residual (s)"
            found[f"{phase}_residual_mad_s"] = f"{phase} median deviation (s)"
        return found

    @property
    def phases(self) -> tuple[str, ...]:
        """Names."""
        return tuple(self.about["phases"])

    @property
    def true_s(self) -> np.ndarray:
        """(N, phases, E)."""
        return self.target.reshape(len(self.target), len(self.phases), -1)

    @property
    def _picks(self) -> np.ndarray:
        shape = (len(self.decoded), len(self.phases), 2, int(self.about["max_picks"]))
        return self.decoded[:, : _n_pick_values(self.about)].reshape(shape)

    @property
    def picked_s(self) -> np.ndarray:
        """(N, phases, K) times, NaN where there are fewer."""
        return self._picks[:, :, 0]

    @property
    def probability(self) -> np.ndarray:
        """(N, phases, K) of the picks."""
        return self._picks[:, :, 1]

    @property
    def counts(self) -> np.ndarray:
        """bool (N, phases, K): picks above the threshold."""
        return self.probability >= float(self.about["threshold"])

    @property
    def event_probability(self) -> np.ndarray:
        """(N,)."""
        return self.decoded[:, _n_pick_values(self.about)]

    @property
    def _inside(self) -> np.ndarray:
        return (self.true_s >= 0) & (self.true_s < float(self.about["window_s"]))

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        return self.judged.influences()

    def _check_shapes(self) -> None:
        self.check_width(len(self.number_columns(self.about)), "times and probabilities of picks, event, rules")


def _n_pick_values(about: Mapping[str, Any]) -> int:
    return len(about["phases"]) * 2 * int(about["max_picks"])


def _times_text(phases: Sequence[str], times_s: np.ndarray) -> str:
    told = [
        f"{phase} {number_text(float(one))}"
        for phase, several in zip(phases, times_s, strict=True)
        for one in several
        if np.isfinite(one) and one >= 0
    ]
    return " ".join(told) or NONE
