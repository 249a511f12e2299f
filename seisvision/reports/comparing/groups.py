"""Runs that differ only in seed and fold as one group, with mean, spread and interval of every measure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from seisvision.evaluation.directions import LESS_IS_BETTER
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import is_share
from seisvision.records.integrity.attempts import tell_code
from seisvision.records.results import StoredRun
from seisvision.reports.comparing.collect import LEVEL, ComparedRun, LeftOut
from seisvision.reports.comparing.names import MISSING, name_groups
from seisvision.reports.comparing.sample_sets import Evaluated, evaluated_samples
from seisvision.reports.comparing.tolerances import with_one_tolerance

NEVER_NEGATIVE = ("median_ae", "mae", "rmse", "cross_entropy", "ece", "brier")
NEAR_ZERO_IS_BETTER = ("bias",)


@dataclass(frozen=True)
class Summary:
    """One measure of a group."""

    mean: float
    sd: float
    """Over runs; NaN for a single run."""
    low: float
    high: float
    n_runs: int
    n_samples: int

    @property
    def measure(self) -> Measure:
        """Mean and interval."""
        return Measure(self.mean, self.low, self.high, self.n_samples)


@dataclass(eq=False)
class Group:
    """Runs of one configuration, by seed and fold."""

    runs: list[ComparedRun]
    label: str = ""
    """``A`` for the best, then ``B``; numbers after ``Z``."""
    name: str = ""
    differing: dict[str, Any] = field(default_factory=dict)
    """Values of the settings that not all groups share."""
    _evaluated: dict[str, Evaluated] = field(default_factory=dict, repr=False)

    @property
    def first(self) -> ComparedRun:
        """The run that stands for the group in pictures."""
        return self.runs[0]

    @property
    def level(self) -> float:
        """Confidence level of the intervals."""
        return self.first.level

    @property
    def parameters(self) -> int:
        """Of the network."""
        return int(self.first.training["parameters"])

    @property
    def seconds(self) -> float:
        """Mean training time."""
        return sum(float(run.training["seconds"]) for run in self.runs) / len(self.runs)

    @property
    def flops(self) -> float:
        """Floating-point operations for one picture; NaN where a run of an earlier version did not count them."""
        return float(self.first.training.get("flops") or math.nan)

    @property
    def samples_per_s(self) -> float:
        """Mean over the runs."""
        return sum(run.samples_per_s for run in self.runs) / len(self.runs)

    def summary(self, part: str, output: str, name: str) -> Summary | None:
        """A measure over the runs that have it; None where none has."""
        measured = [run.metrics.get(part, {}).get(output, {}).get(name) for run in self.runs]
        return self.over_runs(measured, part, *limits(name))

    def over_runs(
        self, stored: Sequence[Mapping[str, Any] | None], part: str, lowest: float, highest: float
    ) -> Summary | None:
        """One measure of every run, as stored, in one; None where no run has it."""
        known = {
            i: Measure.from_dict(dict(one)) for i, one in enumerate(stored) if one and one.get("value") is not None
        }
        if not known:
            return None
        if part not in self._evaluated:
            self._evaluated[part] = evaluated_samples(self.runs, part)
        samples = self._evaluated[part].of(list(known), [one.n for one in known.values()])
        return summarise(list(known.values()), *samples, lowest, highest, self.level)


@dataclass
class Comparison:
    """All that tables and pages show."""

    groups: list[Group]
    """The best on validation (else on the shown part) first."""
    part: str
    """``test`` or ``val``: where the measures shown come from."""
    ordered_by: str
    left_out: list[LeftOut]
    warnings: list[str]
    differing: list[str]
    """Settings that not all groups share."""
    others: list[StoredRun] = field(default_factory=list)
    """Runs of kinds that predict nothing, which are listed and not compared."""
    hides_test: bool = False
    """Whether test numbers were left out, because one of the runs is to be chosen."""

    @cached_property
    def runs(self) -> list[ComparedRun]:
        """All compared runs, group by group."""
        return [run for group in self.groups for run in group.runs]

    @cached_property
    def outputs(self) -> list[dict[str, Any]]:
        """Plain descriptions of what is predicted."""
        return self.groups[0].first.outputs if self.groups else []

    def others_by_kind(self) -> list[list[StoredRun]]:
        """Runs that predict nothing, each kind by itself."""
        kinds = list(dict.fromkeys(run.result for run in self.others))
        return [[run for run in self.others if run.result is kind] for kind in kinds]

    @property
    def level_text(self) -> str:
        """Confidence level of the intervals, such as ``95 %``."""
        return level_text(self.groups[0].level)

    def headline(self, output: str) -> str:
        """Name of the measure that is shown first."""
        return next(_headlines(self.runs, self.part, output), "")

    def columns(self, output: str) -> dict[str, str]:
        """Measures of the leaderboard and their headings, the headline first."""
        measured = (run.metrics.get(self.part, {}).get(output) for run in self.runs)
        return next((dict(one["table_columns"]) for one in measured if one and "table_columns" in one), {})


def compare(
    runs: Sequence[ComparedRun], left_out: Sequence[LeftOut] = (), others: Sequence[StoredRun] = ()
) -> Comparison:
    """Group, order and name runs of one task, and say what speaks against comparing them."""
    if not runs:
        return Comparison([], "test", "test", list(left_out), [], [], list(others))
    runs, repeats = without_repeats(runs)
    runs, intolerant, warnings = with_one_tolerance(runs)
    left_out = sorted([*left_out, *repeats, *intolerant], key=lambda one: one.path)
    by_settings: dict[bytes, list[ComparedRun]] = defaultdict(list)
    for run in runs:
        by_settings[run.configuration].append(run)
    groups = [Group(sorted(some, key=lambda run: (run.seed, run.fold or 0))) for some in by_settings.values()]
    part = "test" if _have(runs, "test") >= _have(runs, "val") else "val"
    ordered_by = "val" if _have(runs, "val") == len(runs) else part
    groups.sort(key=lambda group: _rank(group, ordered_by))
    differing = _differing(groups)
    name_groups(groups)
    warnings += find_warnings(runs, groups, part)
    return Comparison(groups, part, ordered_by, list(left_out), warnings, differing, list(others))


def level_text(level: float) -> str:
    """A confidence level as text, such as ``95 %``."""
    return f"{100 * level:g} %"


def limits(name: str) -> tuple[float, float]:
    """Smallest and largest possible value of a measure."""
    if is_share(name):
        return 0.0, 1.0
    return (0.0 if name.startswith(NEVER_NEGATIVE) else -math.inf), math.inf


def summarise(
    measures: Sequence[Measure],
    n_sets: float = 1.0,
    n_samples: int | None = None,
    lowest: float = -math.inf,
    highest: float = math.inf,
    level: float = LEVEL,
) -> Summary:
    """Mean of the same measure of several runs, with an interval that covers events and repetitions.

    Half its width is the root of the sum of squares of two: the mean half width of the runs' own intervals, which are
    over events, divided by the root of ``n_sets``, and the half width of Student's t for the mean over runs.

    Args:
        measures: one a run.
        n_sets: how many sets of other events they were measured on: 1 for seeds, and for the test events of
            cross-validation, which all folds share; the number of folds for its validation events.
        n_samples: samples in all these sets; the most that a run has where that is not given.
        lowest: least possible value.
        highest: greatest possible value.
        level: confidence level of the runs' own intervals, and of the result.
    """
    from scipy.special import stdtrit

    n = len(measures)
    mean = sum(one.value for one in measures) / n
    sd = math.sqrt(sum((one.value - mean) ** 2 for one in measures) / (n - 1)) if n > 1 else math.nan
    over_runs = float(stdtrit(n - 1, 0.5 + level / 2)) * sd / math.sqrt(n) if n > 1 else 0.0
    below, above = (
        sum(widths) / n / math.sqrt(n_sets)
        for widths in ([one.value - one.low for one in measures], [one.high - one.value for one in measures])
    )
    low, high = mean - math.hypot(below, over_runs), mean + math.hypot(above, over_runs)
    low, high = (end if math.isnan(end) else min(highest, max(lowest, end)) for end in (low, high))
    return Summary(mean, sd, low, high, n, n_samples if n_samples is not None else max(one.n for one in measures))


def badness(name: str, value: float) -> float:
    """A number that is smaller where a measure is better; NaN counts as worst."""
    if math.isnan(value):
        return math.inf
    if name.startswith(NEAR_ZERO_IS_BETTER):
        return abs(value)
    return value if name.startswith(LESS_IS_BETTER) else -value


def find_warnings(runs: Sequence[ComparedRun], groups: Sequence[Group], part: str) -> list[str]:
    """What speaks against comparing the numbers of these runs."""
    warnings = []
    fingerprints = Counter(run.fingerprint for run in runs)
    if len(fingerprints) > 1:
        listed = ", ".join(f"{name} ({count} runs)" for name, count in fingerprints.most_common(5))
        warnings.append(f"The runs used {len(fingerprints)} different data sets: {listed}. "
                        "Their numbers are of different events and are not tested against each other.")  # fmt: skip
    splits: dict[Any, set[str]] = defaultdict(set)
    for run in runs:
        splits[run.fingerprint, run.fold].add(run.split_hash)
    for (fingerprint, fold), hashes in splits.items():
        if len(hashes) > 1:
            where = f"data {fingerprint}" + ("" if fold is None else f", fold {fold}")
            warnings.append(f"On {where} the runs were split in {len(hashes)} different ways "
                            f"({', '.join(sorted(hashes)[:5])}): their {part} samples are not the same.")  # fmt: skip
    units = {run.metrics["data"]["unit"] for run in runs}
    if len(units) > 1:
        warnings.append("Some runs predict events, others single traces: their numbers count different things.")
    counts = {found.n_samples for group in groups if (found := _headline_summary(group, part))}
    if len(counts) > 1 and len(fingerprints) == 1:
        n = f"{min(counts):,} to {max(counts):,} {part} samples"
        warnings.append(f"The configurations were measured on {n}, so their measures are not of the same samples. "
                        "Differences are of those that both predicted.")  # fmt: skip
    without = [run for run in runs if not run.metrics.get(part)]
    if without:
        warnings.append(f"{len(without)} of {len(runs)} runs were not evaluated on the {part} samples.")
    if len(groups) > 1 and all(len(group.runs) == 1 for group in groups):
        warnings.append("Every configuration was run once. How much another seed would change is not known, so what is "
                        "said of differences is of these trained networks and not of the configurations.")  # fmt: skip
    codes = {run.code for run in runs if run.code}
    if len(codes) > 1:
        warnings.append(f"The runs were made by {len(codes)} versions of the code; the last table says which.")
    warnings += [f"{run.path.name}: {line}" for run in runs for line in tell_code(run.metrics)]
    warnings += [f"{run.path} was changed after its end: {', '.join(run.altered)}." for run in runs if run.altered]
    return warnings


def _have(runs: Sequence[ComparedRun], part: str) -> int:
    return sum(bool(run.metrics.get(part)) for run in runs)


def _headlines(runs: Sequence[ComparedRun], part: str, output: str) -> Any:
    return (run.metrics[part][output]["headline"] for run in runs if output in run.metrics.get(part, {}))


def _rank(group: Group, part: str) -> float:
    found = _headline_summary(group, part)
    output = group.first.outputs[0]["name"]
    return badness(next(_headlines(group.runs, part, output)), found.mean) if found else math.inf


def _headline_summary(group: Group, part: str) -> Summary | None:
    """The headline of the main output, where the part was measured."""
    output = group.first.outputs[0]["name"]
    return group.summary(part, output, next(_headlines(group.runs, part, output), ""))


def _differing(groups: Sequence[Group]) -> list[str]:
    """Settings with more than one value; every group gets its values of them."""
    keys = dict.fromkeys(key for group in groups for key in group.first.settings)
    values = {key: {repr(group.first.settings.get(key, MISSING)) for group in groups} for key in keys}
    differing = [key for key in keys if len(values[key]) > 1]
    for group in groups:
        group.differing = {key: group.first.settings.get(key, MISSING) for key in differing}
    return differing


def without_repeats(runs: Sequence[ComparedRun]) -> tuple[list[ComparedRun], list[LeftOut]]:
    """One run of each configuration, seed and fold: running the same again teaches nothing about another seed.

    The one with the most results is kept, such as the best point of a sweep that was run again to be tested, and of
    those the newest.
    """
    same: dict[Any, list[ComparedRun]] = defaultdict(list)
    for run in runs:
        same[run.configuration, run.seed, run.fold, run.split_hash].append(run)
    kept, left_out = [], []
    for some in same.values():
        best = max(some, key=lambda run: (run.n_measured, run.ended))
        kept.append(best)
        for run in some:
            why = "has more results" if run.n_measured < best.n_measured else "is not older"
            if run is not best:
                reason = f"the same configuration, seed and fold as {best.path}, which {why}"
                left_out.append(LeftOut(run.path, reason, "finished"))
    return kept, left_out
