"""Which samples something is about: what one is, its id, and the event it belongs to, as one value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from seisvision import keys
from seisvision.base.units import EVENT, Unit, unit_named
from seisvision.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SampleIds:
    """Ids of N samples of one unit, each once, in the order of whatever carries them.

    Attributes:
        unit: name of what a sample is, see :mod:`seisvision.base.units`.
        ids: N ids as text; kept as a tuple.
        source_ids: N ids of events, which repeat where several samples are of one; kept as a tuple.

    Raises:
        ConfigurationError: there is no such unit.
        DataError: lengths differ, an id is repeated, or samples are events and have other ids than these.
    """

    unit: str
    ids: Sequence[str]
    source_ids: Sequence[str]

    def __post_init__(self) -> None:
        unit_named(self.unit)
        for name in ("ids", "source_ids"):
            object.__setattr__(self, name, tuple(map(str, getattr(self, name))))
        if len(self.ids) != len(self.source_ids):
            raise DataError(
                f"{len(self.ids)} sample ids and {len(self.source_ids)} event ids do not belong together; give one of "
                "each for every sample."
            )
        if len(set(self.ids)) != len(self.ids):
            repeated, times = Counter(self.ids).most_common(1)[0]
            raise DataError(f"Sample '{repeated}' is listed {times} times. Name every sample once.")
        if self.kind.id_column == keys.SOURCE_ID and self.ids != self.source_ids:
            wrong = next(i for i, name in enumerate(self.ids) if name != self.source_ids[i])
            raise DataError(
                f"Sample '{self.ids[wrong]}' is an event, but its event is said to be '{self.source_ids[wrong]}'. Say "
                f"what a sample is: unit='{self.unit}' takes the ids of events."
            )

    @classmethod
    def of_events(cls, source_ids: Sequence[str]) -> SampleIds:
        """Samples that are events."""
        return cls(EVENT.name, source_ids, source_ids)

    @classmethod
    def concatenate(cls, several: Sequence[SampleIds]) -> SampleIds:
        """The samples of several, one after the other.

        Raises:
            DataError: there are none, they are of several units, or a sample is in two of them.
        """
        units = list(dict.fromkeys(one.unit for one in several))
        if len(units) != 1:
            found = f"of {' and '.join(unit_named(name).plural for name in units)}" if units else "of nothing"
            raise DataError(f"Ids {found} cannot be put together. Give those of one unit.")
        return cls(
            units[0],
            [name for one in several for name in one.ids],
            [name for one in several for name in one.source_ids],
        )

    @property
    def kind(self) -> Unit:
        """All that the table of units says of the unit."""
        return unit_named(self.unit)

    @property
    def n_events(self) -> int:
        """Number of events that the samples belong to."""
        return len(set(self.source_ids))

    def __len__(self) -> int:
        """Return the number of samples N."""
        return len(self.ids)

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows int (N,) of the metadata table that the ids number.

        Raises:
            DataError: the ids of this unit number no rows, or one of them is no number.
        """
        if not self.kind.numbers_rows:
            raise DataError(
                f"{self.kind.plural} are not rows of the metadata table, so '{next(iter(self.ids), '')}' numbers none. "
                "Ask for their events, or use samples that are single traces."
            )
        return row_numbers(self.ids)

    def table(self, metadata: pd.DataFrame) -> pd.DataFrame:
        """The rows (N,) of a metadata table that the ids number, in their order.

        Raises:
            DataError: as :attr:`rows`, or the table has no such row or names another event there.
        """
        beyond = self.rows[self.rows >= len(metadata)]
        if len(beyond):
            raise DataError(
                f"Row {beyond[0]} is not in the metadata table, which holds {len(metadata)}. Check whether these "
                f"{self.kind.plural} belong to another set."
            )
        rows = metadata.iloc[self.rows]
        if keys.SOURCE_ID in rows:
            other = np.flatnonzero(rows[keys.SOURCE_ID].astype(str).to_numpy() != np.array(self.source_ids, dtype=str))
            if len(other):
                raise DataError(
                    f"Row {self.ids[other[0]]} of the metadata table is of event "
                    f"'{rows[keys.SOURCE_ID].iloc[other[0]]}', not of '{self.source_ids[other[0]]}'. Check whether "
                    f"these {self.kind.plural} belong to another set."
                )
        return rows

    def take(self, places: Sequence[int] | np.ndarray) -> SampleIds:
        """The samples at some places, in that order."""
        return SampleIds(self.unit, [self.ids[i] for i in places], [self.source_ids[i] for i in places])

    def places(
        self,
        ids: Sequence[str],
        lack: str = "are not among these",
        remedy: str = "Check whether they belong to another set or part.",
    ) -> np.ndarray:
        """Where samples stand, int (len(ids),), in the order asked for.

        Args:
            ids: their ids.
            lack: what the error says of those that are not there.
            remedy: what the error says is to be done.

        Raises:
            DataError: a sample is not among these.
        """
        missing = [name for name in ids if name not in self._place_of]
        if missing:
            raise DataError(f"{len(missing)} of {len(ids)} samples {lack}, the first is '{missing[0]}'. {remedy}")
        return np.array([self._place_of[name] for name in ids], dtype=int)

    def select(self, ids: Sequence[str]) -> SampleIds:
        """The samples of some ids, in the order asked for.

        Raises:
            DataError: a sample is not among these.
        """
        return self.take(self.places(ids))

    @cached_property
    def _place_of(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.ids)}


NOISE_SUFFIX = "-noise"
"""End of the id of a window of noise; what stands before it is the row of the trace that it is cut from."""


def noise_id(row: int | np.integer) -> str:
    """Return the id of the noise window that is cut from the trace of a metadata row."""
    return f"{row}{NOISE_SUFFIX}"


def are_noise(ids: Sequence[str]) -> np.ndarray:
    """Tell which ids of traces are those of windows of noise, bool (N,)."""
    return np.array([name.endswith(NOISE_SUFFIX) for name in ids], dtype=bool)


def row_numbers(ids: Sequence[str]) -> np.ndarray:
    """Return rows of the metadata table int (N,) from ids of traces, or of windows of noise cut from traces.

    Raises:
        DataError: an id is no row number.
    """
    rows = [name.removesuffix(NOISE_SUFFIX) for name in ids]
    strange = [name for name, row in zip(ids, rows, strict=True) if not row.isdecimal()]
    if strange:
        raise DataError(
            f"'{strange[0]}' is no trace: traces are named by their row in the metadata table; "
            "check whether the split is one of events"
        )
    return np.array([int(row) for row in rows], dtype=int)
