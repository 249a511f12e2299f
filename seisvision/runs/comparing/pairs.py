"""Whether one group is better than another, on the samples that both predicted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from seisvision.errors import SeisvisionError
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.predictions import Predictions, predictions_class
from seisvision.evaluation.resampling import N_RESAMPLES, enough_resamples, smallest_p
from seisvision.runs.comparing.collect import ComparedRun
from seisvision.runs.comparing.groups import Group, badness
from seisvision.runs.prediction_table import read_predictions

MOST_REPEATS = 5
"""Seeds and folds of a pair that are tested together."""
ALPHA = 0.05


UNKNOWN = Measure(math.nan)


@dataclass(frozen=True)
class Pair:
    """Headline of group ``a`` minus that of group ``b``, paired by sample, seed and fold."""

    a: int
    b: int
    difference: Measure = UNKNOWN
    p_value: float = math.nan
    p_adjusted: float = math.nan
    """Of Holm's step-down procedure over all pairs of the table."""
    test: str = ""
    n_events: int = 0
    n_samples: int = 0
    """That both predicted in one repetition."""
    n_repeats: int = 0
    reason: str = ""
    """Why there is no test."""
    less_is_better: bool = False
    is_resolved: bool = True
    """False where even the smallest p-value that the test can give, adjusted for the number of pairs, says nothing."""

    @property
    def is_different(self) -> bool:
        """Whether chance alone is an unlikely cause, with regard to the number of pairs."""
        return self.p_adjusted < ALPHA

    @property
    def verdict(self) -> str:
        """The outcome in words, the first group being called a."""
        return self.verdict_of("a")

    def verdict_of(self, first: str) -> str:
        """The outcome in words, with the name of the first group."""
        if self.reason:
            return f"not comparable: {self.reason}"
        if not math.isfinite(self.p_value):
            return "no sample is answered by both"
        if self.is_different:
            how = "better" if (self.difference.value > 0) != self.less_is_better else "worse"
            return f"{first} is {how} beyond chance on {self.n_events} events"
        if not self.is_resolved:
            return "not resolvable: too many pairs for the resamples that fit in memory; compare fewer at once"
        return f"no difference that {self.n_events} events could show"


class Said:
    """Predictions of runs, read once.

    Args:
        output: plain description of the output.
        part: ``test`` or ``val``.
    """

    def __init__(self, output: Mapping[str, Any], part: str) -> None:
        self.output, self.part = output, part
        self._read: dict[Any, Predictions | SeisvisionError] = {}

    def of(self, run: ComparedRun) -> Predictions:
        """Predictions of a run.

        Raises:
            SeisvisionError: they cannot be read.
        """
        if run.path not in self._read:
            try:
                about = next(one for one in run.outputs if one["name"] == self.output["name"])
                self._read[run.path] = read_predictions(run.folder.predictions(self.part), about)
            except SeisvisionError as error:
                self._read[run.path] = error
            except (OSError, ValueError, KeyError) as error:
                # The file may be missing, cut off or of another version; the rest of the page does not need it.
                self._read[run.path] = SeisvisionError(f"{run.folder.predictions(self.part)} cannot be read ({error})")
        found = self._read[run.path]
        if isinstance(found, SeisvisionError):
            raise found
        return found

    @cached_property
    def kind(self) -> Any:
        """Class of the predictions."""
        return predictions_class(str(self.output["kind"]))


def compare_pairs(groups: Sequence[Group], said: Said) -> list[Pair]:
    """Test all pairs of groups; p-values are adjusted for their number (Holm 1979, Scand. J. Stat. 6, 65-70)."""
    numbers = list(combinations(range(len(groups)), 2))
    return adjust([compare_pair(a, b, groups, said, len(numbers)) for a, b in numbers])


def compare_pair(a: int, b: int, groups: Sequence[Group], said: Said, n_pairs: int = 1) -> Pair:
    """Test two groups on runs of the same seed and fold, else on their first runs with the same samples.

    ``n_pairs`` is how many pairs are tested: the p-value must be small enough to survive the adjustment for them.
    """
    matched = matching_runs(groups[a], groups[b])
    if not matched:
        return Pair(a, b, reason="no run of both has the same data and split")
    try:
        first, second = _stacked(matched, said)
        found, is_resolved = _difference(first, second, groups[a].level, n_pairs)
    except SeisvisionError as error:
        return Pair(a, b, reason=str(error))
    p_value = math.nan if found["p_value"] is None else float(found["p_value"])
    n_events, n_samples = len(set(first.source_ids)), len(first.source_ids) // len(matched)
    return Pair(
        a,
        b,
        Measure.from_dict(found),
        p_value,
        math.nan,
        found["test"],
        n_events,
        n_samples,
        len(matched),
        less_is_better=badness(first.headline, 1.0) > 0,
        is_resolved=is_resolved,
    )


def _difference(first: Predictions, second: Predictions, level: float, n_pairs: int) -> tuple[dict[str, Any], bool]:
    """The difference, and whether its p-value could be small enough for so many pairs.

    More resamples than usual are drawn only where they could change the outcome.
    """
    found = first.difference(second, level)
    p_value, n_resamples = found["p_value"], N_RESAMPLES
    if p_value is None or p_value >= ALPHA or not found["test"].startswith("bootstrap"):
        return found, True
    enough = enough_resamples(n_pairs, len(set(first.source_ids)), ALPHA)
    if enough > n_resamples:
        found, n_resamples = first.difference(second, level, n_resamples=enough), enough
    least = smallest_p(n_resamples)
    return found, least * n_pairs < ALPHA or found["p_value"] > 2 * least


def matching_runs(a: Group, b: Group) -> list[tuple[ComparedRun, ComparedRun]]:
    """Pairs of runs with the same samples, and where possible the same seed and fold."""
    pairs = [(one, other) for one in a.runs for other in b.runs
             if (one.fingerprint, one.split_hash) == (other.fingerprint, other.split_hash)]  # fmt: skip
    same = [(one, other) for one, other in pairs if (one.seed, one.fold) == (other.seed, other.fold)]
    return same[:MOST_REPEATS] or pairs[:1]


def adjust(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs with p-values adjusted by Holm's procedure."""
    known = sorted((i for i, pair in enumerate(pairs) if math.isfinite(pair.p_value)), key=lambda i: pairs[i].p_value)
    adjusted, largest = list(pairs), 0.0
    for rank, i in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * pairs[i].p_value))
        adjusted[i] = replace(pairs[i], p_adjusted=largest)
    return adjusted


def common_samples(several: Sequence[Predictions]) -> list[str]:
    """Labelled samples that all predicted, in the order of the first."""
    ids = [set(np.asarray(one.sample_ids)[one.labelled].tolist()) for one in several]  # type: ignore[attr-defined]
    return [sample_id for sample_id in several[0].sample_ids if all(sample_id in some for some in ids)]


def _stacked(matched: Sequence[tuple[ComparedRun, ComparedRun]], said: Said) -> tuple[Predictions, Predictions]:
    """Predictions of both sides on common samples, repetition under repetition; events stay what they are."""
    sides: tuple[list[Predictions], list[Predictions]] = ([], [])
    for runs in matched:
        both = [said.of(run) for run in runs]
        ids = common_samples(both)
        for side, one in zip(sides, both, strict=True):
            side.append(one.select(ids))
    return _stack(sides[0], said.kind), _stack(sides[1], said.kind)


def _stack(several: Sequence[Predictions], kind: Any) -> Predictions:
    if len(several) == 1:
        return several[0]
    return kind.from_decoded(
        several[0].about,
        [f"{number}/{sample_id}" for number, one in enumerate(several) for sample_id in one.sample_ids],
        [source_id for one in several for source_id in one.source_ids],
        np.concatenate([one.target for one in several]),
        np.concatenate([one.decoded for one in several]),
    )
