"""How many events, and how large ones, fall into each window of time and cell.

Two events of one cell and window are two, and the larger magnitude stays, in whatever order they come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.gaps import Gaps
from seisvision.catalogues.grid import Grid
from seisvision.errors import ConfigurationError


@dataclass(frozen=True)
class Windows:
    """W windows in which events are awaited, told of ``lead_days`` before they begin.

    Args:
        issue_days: (W,) ascending: what is said of a window rests on events before this time only.
        lead_days: from there to the begin of the window.
        length_days: of the window.
    """

    issue_days: np.ndarray
    lead_days: float
    length_days: float

    @classmethod
    def between(
        cls, begin_day: float, end_day: float, length_days: float, lead_days: float = 0.0, step_days: float = 0.0
    ) -> Windows:
        """All windows whose issue is not before ``begin_day`` and whose end is not after ``end_day``.

        Args:
            begin_day: days since 1970.
            end_day: days since 1970.
            length_days: of a window.
            lead_days: from the issue to the begin of a window.
            step_days: from one issue to the next; default, the length, so that windows do not overlap. Overlapping
                windows see the same events, and only blocks of them are independent.

        Raises:
            ConfigurationError: lengths are not above 0, or no window fits.
        """
        step_days = step_days or length_days
        if not (length_days > 0 and step_days > 0 and lead_days >= 0):
            raise ConfigurationError(
                f"windows of {length_days:g} days, {lead_days:g} ahead, every {step_days:g} days are none; give "
                "positive numbers"
            )
        n_windows = int(np.floor((end_day - begin_day - lead_days - length_days) / step_days + 1e-9)) + 1
        if n_windows < 1:
            raise ConfigurationError(
                f"no window of {length_days:g} days, {lead_days:g} ahead, fits into {end_day - begin_day:g} days; give "
                "a longer span or shorter windows"
            )
        return cls(begin_day + step_days * np.arange(n_windows), lead_days, length_days)

    def __len__(self) -> int:
        """Return W."""
        return len(self.issue_days)

    @property
    def begin_days(self) -> np.ndarray:
        """(W,) days since 1970."""
        return self.issue_days + self.lead_days

    @property
    def end_days(self) -> np.ndarray:
        """(W,) days since 1970."""
        return self.begin_days + self.length_days

    @property
    def overlap(self) -> bool:
        """Whether an event may fall into two windows."""
        return bool((np.diff(self.issue_days) < self.length_days - 1e-9).any())

    def whole(self, gaps: Gaps) -> np.ndarray:
        """Bool (W,): windows that no gap touches; of the others nobody knows what happened in them."""
        return gaps.missing_days(self.begin_days, self.end_days) == 0

    def select(self, chosen: np.ndarray) -> Windows:
        """The windows of a mask (W,)."""
        return Windows(self.issue_days[chosen], self.lead_days, self.length_days)


@dataclass(frozen=True)
class CellCounts:
    """Occupied cells of W windows and C cells, in the order of window and cell.

    Args:
        shape: (W, C).
        window: (M,) numbers of windows.
        cell: (M,) numbers of cells.
        number: (M,) events in each, at least 1.
        largest: (M,) largest magnitude of these.
        n_outside: events of the windows that lie in no cell.
    """

    shape: tuple[int, int]
    window: np.ndarray
    cell: np.ndarray
    number: np.ndarray
    largest: np.ndarray
    n_outside: int

    def dense(self) -> np.ndarray:
        """Numbers of events, int32 (W, C)."""
        table = np.zeros(self.shape, dtype=np.int32)
        table[self.window, self.cell] = self.number
        return table

    def dense_largest(self) -> np.ndarray:
        """Largest magnitudes, float32 (W, C), NaN where there is no event."""
        table = np.full(self.shape, np.nan, dtype=np.float32)
        table[self.window, self.cell] = self.largest
        return table


def count_events(catalogue: EventCatalogue, grid: Grid, windows: Windows) -> CellCounts:
    """Count the events of a catalogue; cost O(N log N) of the events that fall into windows."""
    cell = grid.cell_of(catalogue.latitude_deg, catalogue.longitude_deg)
    first = np.searchsorted(catalogue.time_days, windows.begin_days)
    last = np.searchsorted(catalogue.time_days, windows.end_days)
    n_events = last - first
    window = np.repeat(np.arange(len(windows)), n_events)
    # Events of a window stand side by side, so their numbers are its first and those after it.
    event = np.arange(len(window)) - np.repeat(np.cumsum(n_events) - n_events, n_events) + first[window]
    inside = cell[event] >= 0
    place = window[inside] * grid.n_cells + cell[event[inside]]
    occupied, at, number = np.unique(place, return_inverse=True, return_counts=True)
    largest = np.full(len(occupied), -np.inf)
    np.maximum.at(largest, at, catalogue.magnitude[event[inside]])
    return CellCounts(
        (len(windows), grid.n_cells),
        occupied // grid.n_cells,
        occupied % grid.n_cells,
        number,
        largest,
        int((~inside).sum()),
    )
