"""What predictions of every kind have in common: ids, targets, selection and pairing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import DataError
from seisvision.evaluation.differences import Influence, compare_runs
from seisvision.evaluation.intervals import Measure

PAIRED_TEST = "Student's t over events"


@dataclass(frozen=True)
class SamplePredictions:
    """N predictions of one output.

    Raises:
        DataError: lengths differ or ``about`` lacks what the kind needs.
    """

    about: dict[str, Any]
    """Plain description of the output."""
    ids: SampleIds
    """Which N samples they are about."""
    target: np.ndarray
    """True values (N,)."""
    decoded: np.ndarray
    """What was said (N, ...), in physical units."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Names that ``about`` must hold."""

    def __post_init__(self) -> None:
        missing = [name for name in self.needs if name not in self.about]
        if missing:
            raise DataError(
                f"The description of output '{self.about.get('name', '?')}' lacks '{missing[0]}'; it has "
                f"{', '.join(self.about)}. Describe the output with {', '.join(self.needs)}."
            )
        lengths = [len(self.ids), len(self.target), len(self.decoded)]
        if len(set(lengths)) != 1:
            raise DataError(
                f"{lengths[0]} sample ids, {lengths[1]} targets and {lengths[2]} predictions do not belong together; "
                "give one of each for every sample."
            )
        self._check_shapes()

    @classmethod
    def from_decoded(cls, about: Mapping[str, Any], ids: SampleIds, target: np.ndarray, decoded: np.ndarray) -> Self:
        """Predictions of N samples from what an output decodes."""
        return cls(dict(about), ids, np.asarray(target), np.asarray(decoded))

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """N ids, each once: event ids or trace rows."""
        return tuple(self.ids.ids)

    @property
    def source_ids(self) -> tuple[str, ...]:
        """N event ids, which repeat where samples are traces."""
        return tuple(self.ids.source_ids)

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
        return np.isfinite(self.target)

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
        return type(self)(self.about, self.ids.take(rows), self.target[rows], self.decoded[rows])

    def select(self, sample_ids: Sequence[str]) -> Self:
        """The predictions of some samples, in the order asked for.

        Raises:
            DataError: a sample was not predicted.
        """
        remedy = "Predict the whole part before selecting from it."
        return self.take(self.ids.places(sample_ids, "were not predicted", remedy))

    @classmethod
    def concatenate(cls, several: Sequence[Self]) -> Self:
        """Predictions of several parts as one.

        Raises:
            DataError: there are none, or they are about different outputs.
        """
        if not several:
            raise DataError("There are no predictions to put together. Predict at least one part.")
        first = several[0]
        if any(one.about != first.about for one in several):
            raise DataError("Predictions of different outputs cannot be put together. Concatenate output by output.")
        return cls(
            first.about,
            SampleIds.concatenate([one.ids for one in several]),
            np.concatenate([one.target for one in several]),
            np.concatenate([one.decoded for one in several]),
        )

    def paired(self, other: Self) -> tuple[Self, Self]:
        """Both on the samples that have a target, in one order.

        Raises:
            DataError: the labelled samples or the true values differ.
        """
        if self.ids.unit != other.ids.unit:
            raise DataError(
                f"A paired comparison needs both models on the same samples, not one on {self.ids.kind.plural} and one "
                f"on {other.ids.kind.plural}. Compare models of one view's unit."
            )
        a, b = (one.take(np.flatnonzero(one.labelled)) for one in (self, other))
        if set(a.sample_ids) != set(b.sample_ids):
            different = sorted(set(a.sample_ids) ^ set(b.sample_ids))
            raise DataError(
                f"A paired comparison needs both models on the same samples; {len(a.sample_ids)} and "
                f"{len(b.sample_ids)} labelled samples were given and {len(different)} ids are in one only "
                f"({', '.join(different[:3])}). Evaluate both on the same split."
            )
        b = b.select(a.sample_ids)
        if not np.allclose(a.target, b.target, rtol=1e-5):
            raise DataError("The two models were given different true values. Evaluate both with the same labels.")
        return a, b

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


def plain_numbers(values: Sequence[float] | np.ndarray) -> list[float | None]:
    """Numbers for JSON; None where they are not finite."""
    return [float(value) if math.isfinite(value) else None for value in values]


def figure_path(stem: Path, what: str) -> Path:
    """``<stem>_<what>.png``."""
    return Path(stem).with_name(f"{Path(stem).name}_{what}.png")
