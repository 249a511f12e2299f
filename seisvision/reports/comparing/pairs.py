"""Whether one configuration is better than another, on the samples that the runs of both answered."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from seisvision.errors import DataError, SeisvisionError
from seisvision.evaluation.differences import Difference, Influence, compare_folds, compare_runs
from seisvision.evaluation.intervals import Measure
from seisvision.outputs.predictions import Predictions
from seisvision.records.prediction_table import read_predictions
from seisvision.reports.comparing.collect import LEVEL, ComparedRun
from seisvision.reports.comparing.groups import Group, badness

MOST_RUNS = 20
"""Runs of a configuration with the same samples that are tested together."""

UNKNOWN = Measure(math.nan)


@dataclass(frozen=True)
class Pair:
    """Measure of group ``a`` minus that of group ``b`` on the same samples."""

    a: int
    b: int
    difference: Measure = UNKNOWN
    """The intervals of all pairs of a table hold together."""
    p_value: float = math.nan
    p_adjusted: float = math.nan
    """Times the number of pairs (Bonferroni): below one minus the level where the interval excludes zero."""
    n_events: int = 0
    n_samples: int = 0
    """That all runs answered."""
    n_runs: tuple[int, int] = (0, 0)
    n_folds: int = 1
    is_of_models: bool = False
    """False where a side has one run: then nothing is said of other trainings."""
    reason: str = ""
    """Why there is no test."""
    less_is_better: bool = False
    level: float = LEVEL
    """Of the intervals of a table together."""
    found: Difference | None = None
    """What the interval is made of."""

    @property
    def is_different(self) -> bool:
        """Whether chance alone is an unlikely cause, with regard to the number of pairs."""
        return self.difference.low > 0 or self.difference.high < 0

    @property
    def verdict(self) -> str:
        """The outcome in words, the first group being called a."""
        return self.verdict_of("a")

    def verdict_of(self, first: str) -> str:
        """The outcome in words, with the name of the first group."""
        if self.reason:
            return f"not comparable: {self.reason}"
        if math.isnan(self.p_value):
            return "too few samples are answered by both"
        is_better = (self.difference.value > 0) != self.less_is_better
        if not self.is_of_models:
            if not self.is_different:
                return f"no difference between these networks that {self.n_events} events could show"
            how = "ahead" if is_better else "behind"
            return f"the network of {first} is {how} on {self.n_events} events; of another training nothing is said"
        on = f"{self.n_events} events and {self.repeats}"
        if not self.is_different:
            return f"no difference that {on} could show"
        return f"{first} is {'better' if is_better else 'worse'} beyond chance on {on}"

    @property
    def repeats(self) -> str:
        """How often both were trained, in words."""
        runs = f"{self.n_runs[0]} + {self.n_runs[1]} training runs"
        return f"{self.n_folds} folds ({runs})" if self.n_folds > 1 else runs


class Said:
    """Predictions of runs, read once.

    Args:
        output: plain description of the output.
        part: ``test`` or ``val``.
    """

    def __init__(self, output: Mapping[str, Any], part: str) -> None:
        self.output, self.part = output, part
        self._read: dict[Any, Predictions | SeisvisionError] = {}
        self._influences: dict[Any, tuple[Influence, np.ndarray]] = {}

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

    def influences(self, runs: Sequence[ComparedRun], measure: str) -> tuple[list[Influence], int]:
        """A measure of each run on the samples that all answered, and how many these are.

        Raises:
            SeisvisionError: predictions cannot be read, or disagree on the true values.
        """
        several = [self.of(run) for run in runs]
        ids = tuple(_shared(several, [one.answered for one in several]))
        if not ids:
            raise DataError("no sample is answered by both")
        found = [self._influence(run, measure, ids) for run in runs]
        if any(not np.allclose(target, found[0][1], rtol=1e-5, equal_nan=True) for _, target in found):
            raise DataError("the runs were given different true values")
        return [influence for influence, _ in found], len(ids)

    def _influence(self, run: ComparedRun, measure: str, ids: tuple[str, ...]) -> tuple[Influence, np.ndarray]:
        """Influence and true values on some samples; most pairs of a table ask for the same ones."""
        key = (run.path, measure, ids)
        if key not in self._influences:
            chosen = self.of(run).select(ids)
            self._influences[key] = chosen.influence(measure), chosen.target
        return self._influences[key]


def compare_pairs(groups: Sequence[Group], said: Said, measure: str | None = None) -> list[Pair]:
    """Test all pairs of groups; intervals and p-values are adjusted for their number (Bonferroni).

    Args:
        groups: to compare.
        said: what their runs predicted.
        measure: that is compared; the headline where it is not given.
    """
    return adjust([compare_pair(a, b, groups, said, measure) for a, b in combinations(range(len(groups)), 2)])


def compare_pair(a: int, b: int, groups: Sequence[Group], said: Said, measure: str | None = None) -> Pair:
    """Test two groups on all their runs with the same samples, without regard to other pairs."""
    try:
        blocks = matching_runs(groups[a], groups[b])
        if not blocks:
            return Pair(a, b, reason="no run of both has the same data and split")
        name = measure or said.of(blocks[0][0][0]).headline
        sides, n_samples = _influences(blocks, said, name)
    except SeisvisionError as error:
        return Pair(a, b, reason=str(error))
    if len(blocks) > 1:
        found = compare_folds(*sides, held_out_ratio(blocks))
    else:
        found = compare_runs(*(side[0] for side in sides))
    n_events = len({event for block in sides[0] for event in block[0].events.tolist()})
    p_value = found.p_value if n_events > 1 else math.nan
    counts = [sum(map(len, side)) for side in sides]
    pair = Pair(a, b, Measure(found.value, n=n_samples), p_value, math.nan, n_events, n_samples, (counts[0], counts[1]),
                len(blocks), found.is_of_models, less_is_better=badness(name, 1.0) > 0, found=found,
                level=groups[a].level)  # fmt: skip
    return adjust([pair])[0]


def _influences(
    blocks: Sequence[tuple[list[ComparedRun], list[ComparedRun]]], said: Said, measure: str
) -> tuple[tuple[list[list[Influence]], list[list[Influence]]], int]:
    """Influences of the runs of both sides, block by block, and the samples of a block on average."""
    sides: tuple[list[list[Influence]], list[list[Influence]]] = ([], [])
    n_samples = 0
    for mine, theirs in blocks:
        found, n = said.influences([*mine, *theirs], measure)
        sides[0].append(found[: len(mine)])
        sides[1].append(found[len(mine) :])
        n_samples += n
    return sides, n_samples // len(blocks)


def matching_runs(a: Group, b: Group) -> list[tuple[list[ComparedRun], list[ComparedRun]]]:
    """Runs of both groups that learnt from and were tested on the same samples: one block a fold, its seeds inside."""
    sides: tuple[dict[Any, list[ComparedRun]], dict[Any, list[ComparedRun]]] = (defaultdict(list), defaultdict(list))
    for side, group in zip(sides, (a, b), strict=True):
        for run in group.runs:
            side[run.fingerprint, run.split_hash].append(run)
    return [(runs[:MOST_RUNS], sides[1][key][:MOST_RUNS]) for key, runs in sides[0].items() if key in sides[1]]


def held_out_ratio(blocks: Sequence[tuple[list[ComparedRun], list[ComparedRun]]]) -> float:
    """Events that a fold holds out for each that it learns from; without folds, validation and test events together."""
    run = blocks[0][0][0]
    events = run.metrics["data"]["events"]
    held_out = sum(events.get(part, 0) for part in (("val",) if run.fold is not None else ("val", "test")))
    if not events.get("train") or not held_out:
        return 1.0 / (len(blocks) - 1)
    return float(held_out / events["train"])


def adjust(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs with intervals that hold together and p-values that say the same."""
    n = sum(math.isfinite(pair.p_value) for pair in pairs)
    return [_adjusted(pair, n) if math.isfinite(pair.p_value) else pair for pair in pairs]


def _adjusted(pair: Pair, n_pairs: int) -> Pair:
    assert pair.found is not None
    low, high = pair.found.interval(1 - (1 - pair.level) / n_pairs)
    difference = replace(pair.difference, low=low, high=high)
    return replace(pair, difference=difference, p_adjusted=min(1.0, n_pairs * pair.p_value))


def common_samples(several: Sequence[Predictions]) -> list[str]:
    """Labelled samples that all predicted, in the order of the first."""
    return _shared(several, [one.labelled for one in several])


def _shared(several: Sequence[Predictions], known: Sequence[np.ndarray]) -> list[str]:
    """Ids of the samples that all know, in the order of the first; none where some are events and others traces."""
    if len({one.ids.unit for one in several}) > 1:
        return []
    ids = [set(np.asarray(one.sample_ids)[some].tolist()) for one, some in zip(several, known, strict=True)]
    return [sample_id for sample_id in several[0].sample_ids if all(sample_id in some for some in ids)]
