"""What predictions of every kind have in common: ids, targets, selection and pairing, and what each kind has to answer.

Whoever stores, averages, tables, draws or compares predictions asks these classes and knows no kind. ``about`` is the
plain description of an output, as its ``describe`` gives it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import DataError
from seisvision.evaluation.conformal import ConformalAnswers
from seisvision.evaluation.differences import Influence, compare_runs
from seisvision.evaluation.intervals import Measure
from seisvision.outputs.pairing import paired_samples
from seisvision.outputs.truth import columns_of, known_rows

PAIRED_TEST = "Student's t over events"
SHARE_WRONG = "share_wrong"
Table = tuple[Sequence[str], Iterable[Sequence[Any]]]
"""Names of columns, and rows."""


@dataclass(frozen=True)
class ErrorSizes:
    """How wrong every sample is."""

    measure: str
    """``share_wrong``, or ``median_ae_<unit>``."""
    size: np.ndarray
    """(N,): 0 or 1 of shares, else absolute errors; NaN without a target or a prediction."""

    @property
    def is_share(self) -> bool:
        """Whether the mean is asked for, which is a share, and not the median."""
        return self.measure == SHARE_WRONG


@dataclass(frozen=True)
class Predictions:
    """N predictions of one output; a kind inherits this and answers what raises ``NotImplementedError`` here.

    Raises:
        DataError: lengths differ or ``about`` lacks what the kind needs.
    """

    about: dict[str, Any]
    """Plain description of the output."""
    ids: SampleIds
    """Which N samples they are about."""
    target: np.ndarray
    """True values (N,), or (N, D) where the output has several columns; a sample is labelled if one is known."""
    decoded: np.ndarray
    """What was said (N, ...), in physical units."""
    apart: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What several passes or members said of the uncertainty, (N,) by name: of these the kind has ``apart_names``."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Names that ``about`` must hold."""
    apart_names: ClassVar[tuple[str, ...]] = ()
    """What :meth:`tell_apart` gives."""
    guess_name: ClassVar[str] = "median"
    """What the baseline that says one and the same of every sample is called."""
    guess_description: ClassVar[str] = "always the median of the training samples (circular median for angles)"
    error_chart: ClassVar[str] = ""
    """How a comparison draws errors: ``confusion``, ``residuals`` (the kind has ``value``, ``error``, ``unit`` and
    ``axis_limits``), or not at all."""

    def __post_init__(self) -> None:
        missing = [name for name in self.needs if name not in self.about]
        if missing:
            raise DataError(
                f"The description of output '{self.about.get('name', '?')}' lacks '{missing[0]}'; it has "
                f"{', '.join(self.about)}. Describe the output with {', '.join(self.needs)}."
            )
        lengths = [len(self.ids), len(self.target), len(self.decoded), *map(len, self.apart.values())]
        if len(set(lengths)) != 1:
            raise DataError(
                f"{lengths[0]} sample ids, {lengths[1]} targets and {lengths[2]} predictions do not belong together; "
                "give one of each, and of what is told apart, for every sample."
            )
        self._check_shapes()

    @classmethod
    def from_decoded(
        cls,
        about: Mapping[str, Any],
        ids: SampleIds,
        target: np.ndarray,
        decoded: np.ndarray,
        apart: Mapping[str, np.ndarray] | None = None,
    ) -> Self:
        """Predictions of N samples from what an output decodes."""
        return cls(dict(about), ids, np.asarray(target), np.asarray(decoded), dict(apart or {}))

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """N ids, each once: event ids or trace rows."""
        return tuple(self.ids.ids)

    @property
    def source_ids(self) -> tuple[str, ...]:
        """N event ids, which repeat where samples are traces."""
        return tuple(self.ids.source_ids)

    @classmethod
    def problem_of(cls, about: Mapping[str, Any]) -> str:
        """What is wrong with a description that has all that it ``needs``, after its name; empty where nothing is."""
        return ""

    @classmethod
    def unknown(cls, n: int) -> np.ndarray:
        """True values (n,) of samples that have none."""
        return np.full(n, np.nan)

    @classmethod
    def grouped(cls, about: Mapping[str, Any], target: np.ndarray) -> list[np.ndarray]:
        """Places of labelled samples, to show some of all kinds: one group in order of values, or one a class."""
        known = np.flatnonzero(known_rows(target))
        first = target if target.ndim == 1 else target[:, 0]
        return [known[np.argsort(first[known], kind="stable")]]

    @classmethod
    def caption(cls, about: Mapping[str, Any], target: Any) -> str:
        """A true value for people."""
        raise NotImplementedError

    @classmethod
    def number_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """Columns of a table that hold ``decoded``, in its order; those not needed may be absent where all are NaN."""
        raise NotImplementedError

    @classmethod
    def needed_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """Columns of a table without which it holds no predictions of this output."""
        return [*cls.target_columns(about), "prediction"]

    @classmethod
    def target_columns(cls, about: Mapping[str, Any]) -> list[str]:
        """Columns of a table that hold the true values, in their order."""
        columns = columns_of(about) if "columns" in about else ()
        return [f"target_{column}" for column in columns] if len(columns) > 1 else ["target"]

    @classmethod
    def read_targets(cls, about: Mapping[str, Any], cells: Sequence[str]) -> np.ndarray:
        """True values (N,) from cells of a table; empty ones are unknown.

        Raises:
            ValueError: a cell cannot be one.
        """
        return np.array([float(cell) if cell else math.nan for cell in cells])

    @classmethod
    def training_guess(cls, about: Mapping[str, Any], train_target: np.ndarray) -> Any:
        """What a baseline without any input says of every sample, as plain values for ``decoded``; None: nothing."""
        raise NotImplementedError

    @classmethod
    def feature_kinds(cls, unit: str, about: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Kinds of hand-made features that are a baseline of their own, and those that the trees have beside them."""
        raise NotImplementedError

    @classmethod
    def fit_baselines(
        cls, features: Any, about: Mapping[str, Any], parts: Mapping[str, Any], everything: Any, **settings: Any
    ) -> dict[str, Any]:
        """Baselines fitted on ``parts["train"]`` that predicted the other parts.

        Args:
            features: :class:`~seisvision.judging.baselines.Features` of the samples of all parts.
            about: description of the output.
            parts: by name what has ``ids`` and ``targets``.
            everything: all features side by side, for the trees.
            settings: ``class_weight``, ``level`` and ``seed``.
        """
        raise NotImplementedError

    def asked_beside(self) -> dict[str, tuple[str, Self]]:
        """Baselines that were asked together with the network, for they need what it saw: by name, what they are and
        what they say of the same samples."""
        return {}

    def in_terms_of(self, about: Mapping[str, Any]) -> Self:
        """The same predictions as another network of this output would describe them, for averaging with its own."""
        return self

    @classmethod
    def disagreement(cls, several: Sequence[Self]) -> tuple[np.ndarray, int | None]:
        """How far apart M predictions of the same N samples are (N,), 0 where they agree; the number of samples on
        which they do not say the same, where that can be said."""
        raise NotImplementedError

    def average(self, votes: np.ndarray) -> np.ndarray:
        """What M networks say together of N samples.

        Args:
            votes: decoded values (M, N, ...); NaN where one did not predict a sample.

        Returns:
            Decoded values (N, ...).
        """
        raise NotImplementedError

    def tell_apart(self, votes: np.ndarray) -> dict[str, np.ndarray]:
        """Noise and what the network does not know, (N,) by name, from decoded values (M, N, ...) of M passes or
        members, where the kind can tell them; NaN where nobody spoke."""
        return {}

    def nonconformity(self) -> np.ndarray | None:
        """How wrong every sample is (N,), for conformal intervals and sets; None: the kind has none."""
        return None

    def conformal(self, threshold: float) -> ConformalAnswers:
        """What is no more wrong than the threshold, of kinds with :meth:`nonconformity`."""
        raise NotImplementedError

    def measures(self, level: float = 0.95, train_target: np.ndarray | None = None) -> dict[str, Measure]:
        """All measures with intervals over events; ``train_target`` adds those of guessing (``baseline_...``)."""
        raise NotImplementedError

    def details(self) -> dict[str, Any]:
        """Curves, matrices and bins as plain values for JSON; NaN is None."""
        return self.table_details()

    def columns(self) -> dict[str, list[Any]]:
        """Columns of a table with one row a sample; unknown numbers are NaN, unknown names empty."""
        raise NotImplementedError

    def result_tables(
        self, measures: Mapping[str, Measure], details: Mapping[str, Any], level: float
    ) -> dict[str, Table]:
        """Tables of results beside that of the measures, by the end of their name.

        Args:
            measures: what :meth:`measures` gave.
            details: what :meth:`details` gave.
            level: confidence level of the intervals.
        """
        return {}

    def tables_within(self, facts: Mapping[str, np.ndarray], level: float) -> dict[str, Table]:
        """Tables of results within strata of what is known of the samples, by the end of their name."""
        return {}

    def error_sizes(self) -> ErrorSizes:
        """How wrong every sample is."""
        raise NotImplementedError

    def worst(self, n: int) -> np.ndarray:
        """Positions of the n samples that are most wrong, the worst first."""
        raise NotImplementedError

    def surprising(self, n: int) -> np.ndarray:
        """Positions of up to n samples that were said to be certain and are wrong, where ``worst`` are others."""
        return np.zeros(0, dtype=int)

    def draw(self, stem: Path, offset_km: np.ndarray | None = None) -> None:
        """Write figures ``<stem>_<what>.png``; ``offset_km`` (N,) may be drawn against."""

    def target_text(self, row: int) -> str:
        """The true value of a sample for people."""
        return self.caption(self.about, self.target[row])

    def answer_text(self, row: int) -> str:
        """What was said of a sample, for people; empty where nothing was."""
        raise NotImplementedError

    def is_right(self, row: int) -> bool:
        """Whether what was said of a sample counts as right."""
        raise NotImplementedError

    @property
    def headline(self) -> str:
        """Name of the measure that tables show first."""
        raise NotImplementedError

    @property
    def table_columns(self) -> dict[str, str]:
        """Measures of a results table and their headings, the headline first."""
        raise NotImplementedError

    @property
    def labelled(self) -> np.ndarray:
        """bool (N,): samples with a target."""
        return known_rows(self.target)

    @property
    def answered(self) -> np.ndarray:
        """bool (N,): samples with a target and an answer."""
        return self.labelled

    @property
    def n_labelled(self) -> int:
        """Samples with a target."""
        return int(self.labelled.sum())

    def influence(self, measure: str) -> Influence:
        """A measure of the answered samples and what each event adds to its error.

        Raises:
            DataError: no difference of this measure can be tested.
        """
        known = self._influences()
        if measure not in known:
            raise DataError(f"Differences of {measure} are not tested. Choose one of {', '.join(known)}.")
        return known[measure]()

    def _influences(self) -> dict[str, Callable[[], Influence]]:
        """The measures whose differences can be tested."""
        raise NotImplementedError

    def difference(self, other: Self, level: float = 0.95) -> dict[str, Any]:
        """Headline minus that of ``other`` on the samples that both answered.

        It speaks of what these two said: another training run of either is not in its interval.

        Returns:
            The difference as `Measure.to_dict`, ``of``, ``p_value`` and ``test``; the interval excludes zero where the
            p-value is below one minus ``level``.

        Raises:
            DataError: the predictions are not about the same samples, or disagree on the true values.
        """
        a, b = self.paired(other)
        both = np.flatnonzero(a.answered & b.answered)
        measure, p_value = Measure(math.nan), math.nan
        if len(both):
            mine, theirs = (one.take(both).influence(self.headline) for one in (a, b))
            found = compare_runs([mine], [theirs])
            p_value = found.p_value if len(mine.events) > 1 else math.nan
            # One event says nothing of how much another would differ.
            ends = found.interval(level) if len(mine.events) > 1 else (math.nan, math.nan)
            measure = Measure(found.value, *ends, len(both))
        p_text = None if math.isnan(p_value) else p_value
        return {**measure.to_dict(), "of": self.headline, "p_value": p_text, "test": PAIRED_TEST}

    def table_details(self) -> dict[str, Any]:
        """What a table of stored results must know."""
        return {"headline": self.headline, "table_columns": self.table_columns}

    def take(self, rows: np.ndarray) -> Self:
        """The predictions at some positions."""
        apart = {name: values[rows] for name, values in self.apart.items()}
        return type(self)(self.about, self.ids.take(rows), self.target[rows], self.decoded[rows], apart)

    def select(self, sample_ids: Sequence[str]) -> Self:
        """The predictions of some samples, in the order asked for.

        Raises:
            DataError: a sample was not predicted.
        """
        advice = "Predict the whole part first."
        return self.take(self.ids.places(sample_ids, "were not predicted", advice))

    @classmethod
    def concatenate(cls, several: Sequence[Self]) -> Self:
        """Predictions of several parts as one.

        Raises:
            DataError: there are none, or they are about different outputs.
        """
        if not several:
            raise DataError("There are no predictions to put together. Predict at least one part.")
        first, *_ = several
        if any(one.about != first.about for one in several):
            raise DataError("Predictions of different outputs cannot be put together. Concatenate output by output.")
        target = np.concatenate([one.target for one in several])
        decoded = np.concatenate([one.decoded for one in several])
        apart = {name: np.concatenate([one.apart[name] for one in several]) for name in first.apart}
        return cls(first.about, SampleIds.concatenate([one.ids for one in several]), target, decoded, apart)

    def paired(self, other: Self) -> tuple[Self, Self]:
        """Both on the samples that have a target, in one order.

        Raises:
            DataError: the labelled samples or the true values differ.
        """
        return paired_samples(self, other)

    def _check_shapes(self) -> None:
        raise NotImplementedError

    def check_width(self, width: int, of: str) -> None:
        """Refuse decoded values that are not (N, width).

        Raises:
            DataError: they have another shape.
        """
        if self.decoded.ndim != 2 or self.decoded.shape[1] != width:
            raise DataError(
                f"Decoded output '{self.about.get('name', '?')}' has shape {self.decoded.shape}; it needs "
                f"({len(self.target)}, {width}): {of}."
            )
