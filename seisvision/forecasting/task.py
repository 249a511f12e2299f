"""What is to be forecast: how many events fall into each cell and window, said before the window begins."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.completeness import Completeness
from seisvision.catalogues.counting import Windows, count_events
from seisvision.catalogues.grid import Grid
from seisvision.catalogues.times import date_text
from seisvision.errors import ConfigurationError, DataError


@dataclass(frozen=True)
class ForecastTask:
    """One catalogue, cells, and windows on two sides of a time: fitted before it, judged after it.

    Args:
        catalogue: all events; those before the fit are history.
        grid: C cells.
        completeness: least magnitudes that the catalogue is complete for.
        magnitude: least magnitude of the events awaited, not below the completeness.
        fit: begin and end (days) of what is learnt from.
        test: begin and end of what is judged; not before the end of the fit.
        length_days: of a window.
        lead_days: between what is known and the begin of a window.
        step_days: from one window to the next; default, the length: windows that overlap see the same events.

    Raises:
        ConfigurationError: the test begins before the fit ends, or the magnitude lies below the completeness.
    """

    catalogue: EventCatalogue
    grid: Grid
    completeness: Completeness
    magnitude: float
    fit: tuple[float, float]
    test: tuple[float, float]
    length_days: float = 1.0
    lead_days: float = 0.0
    step_days: float = 0.0
    test_windows: Windows = field(init=False)
    fit_windows: Windows = field(init=False)

    def __post_init__(self) -> None:
        """Check, and choose the windows that no gap touches."""
        if self.test[0] < self.fit[1]:
            raise ConfigurationError(
                f"the test begins {date_text(self.test[0])}, before the fit ends {date_text(self.fit[1])}; what was "
                "learnt from cannot judge: begin the test later"
            )
        if self.magnitude < self.completeness.base - 1e-9:
            raise ConfigurationError(
                f"--magnitude={self.magnitude:g} lies below the completeness {self.completeness.base:g}; await larger "
                "events"
            )
        for name, span in (("fit_windows", self.fit), ("test_windows", self.test)):
            windows = Windows.between(*span, self.length_days, self.lead_days, self.step_days)
            whole = windows.whole(self.catalogue.gaps)
            if not whole.any():
                raise DataError(f"gaps touch all {len(windows)} windows of the {name[:-8]}; give shorter windows")
            object.__setattr__(self, name, windows.select(whole))

    def judged_on(self, chosen: np.ndarray) -> ForecastTask:
        """The same with some of the windows of the test, a mask (W,).

        Raises:
            DataError: none is left.
        """
        if not chosen.any():
            raise DataError(
                f"no window of the test {date_text(self.test[0])} to {date_text(self.test[1])} is left: what networks "
                "see reaches back into the fit or into gaps; take a longer test, or let them see less"
            )
        other = replace(self)
        object.__setattr__(other, "test_windows", self.test_windows.select(chosen))
        return other

    @cached_property
    def awaited(self) -> EventCatalogue:
        """Events of the magnitude awaited and more."""
        return self.catalogue.above(self.magnitude)

    @cached_property
    def complete(self) -> EventCatalogue:
        """Events above the completeness of their time: what forecasts are made from."""
        known = self.catalogue.magnitude >= self.completeness.at(self.catalogue.time_days) - 1e-4
        return self.catalogue.select(known)

    @cached_property
    def fit_counts(self) -> np.ndarray:
        """Events awaited (W, C) in the windows of the fit."""
        return count_events(self.awaited, self.grid, self.fit_windows).dense()

    @cached_property
    def test_counts(self) -> np.ndarray:
        """Events awaited (W, C) in the windows of the test."""
        return count_events(self.awaited, self.grid, self.test_windows).dense()

    def fit_events(self) -> EventCatalogue:
        """Complete events of the fit that lie in cells."""
        inside = self.complete.between(*self.fit)
        return inside.select(self.grid.cell_of(inside.latitude_deg, inside.longitude_deg) >= 0)

    def awaited_per_day(self) -> float:
        """Events awaited a day in all cells, on average over the fit."""
        events = self.awaited.between(*self.fit)
        inside = self.grid.cell_of(events.latitude_deg, events.longitude_deg) >= 0
        # Half an event more: none seen is no proof that none comes.
        return (float(inside.sum()) + 0.5) / events.observed_days()
