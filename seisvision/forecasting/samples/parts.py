"""Windows of training, validation and test: apart in time, never by chance.

Between two parts lies a gap, by default as long as what a network looks back on and the window that it is told of, so
that no day belongs to samples of two parts, neither as something seen nor as something that came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seisvision.catalogues.catalogue import EventCatalogue
from seisvision.catalogues.counting import Windows
from seisvision.catalogues.times import date_text
from seisvision.errors import ConfigurationError, DataError


@dataclass(frozen=True)
class Horizon:
    """What a sample is: days seen before an issue, and the window told of.

    Args:
        seen_days: looked back on.
        lead_days: from the issue to the begin of the window.
        length_days: of the window.
        step_days: from one issue to the next.
        gap_days: between parts; default, all that a sample spans. Not below lead and length: then the same events
            would be awaited on two sides.
    """

    seen_days: float
    lead_days: float
    length_days: float
    step_days: float
    gap_days: float | None = None

    @property
    def ahead_days(self) -> float:
        """From an issue to the end of its window."""
        return self.lead_days + self.length_days

    @property
    def apart_days(self) -> float:
        """Least time from an issue to one of another part.

        Raises:
            ConfigurationError: ``gap_days`` is shorter than lead and length.
        """
        if self.gap_days is None:
            return self.seen_days + self.ahead_days
        if self.gap_days < self.ahead_days:
            raise ConfigurationError(
                f"split.gap_days={self.gap_days:g} is shorter than lead and window, {self.ahead_days:g} days, so "
                "events would be awaited in two parts; give more, or null for what a sample spans"
            )
        return self.gap_days


def time_parts(
    catalogue: EventCatalogue,
    fit: tuple[float, float],
    horizon: Horizon,
    val_fraction: float,
    fold: int | None = None,
    n_folds: int | None = None,
) -> dict[str, Windows]:
    """Windows of ``train`` and ``val`` within the fit.

    Without folds the validation is the last of it; with folds the fit is cut into blocks of equal length, of which one
    is the validation, and training lies on both sides of it.

    Args:
        catalogue: windows that see or await days of its gaps, or see days before its begin, are left out.
        fit: begin and end (days).
        horizon: of a sample.
        val_fraction: of the fit.
        fold: number of the block, from 0.
        n_folds: number of blocks.

    Raises:
        ConfigurationError: fractions or folds that are none.
        DataError: nothing is left of a part.
    """
    block = _validation(fit, val_fraction, fold, n_folds)
    everything = _windows(fit, horizon)
    issue, ahead = everything.issue_days, horizon.ahead_days
    is_val = (issue >= block[0]) & (issue + ahead <= block[1] + 1e-9)
    if is_val.any():
        first, last = issue[is_val][[0, -1]]
        before = issue <= first - horizon.apart_days + 1e-9
        after = issue >= last + horizon.apart_days - 1e-9
        is_train = before | after
    else:
        is_train = np.zeros(len(issue), dtype=bool)
    whole = usable(catalogue, everything, horizon.seen_days)
    parts = {"train": everything.select(is_train & whole), "val": everything.select(is_val & whole)}
    for part, windows in parts.items():
        if not len(windows):
            raise DataError(
                f"no window is left of '{part}': the fit {date_text(fit[0])} to {date_text(fit[1])} is "
                f"{fit[1] - fit[0]:g} days, a sample sees {horizon.seen_days:g} and is told of {ahead:g}, and parts "
                f"lie {horizon.apart_days:g} days apart; take a longer fit, let networks see less, or set "
                "split.gap_days"
            )
    return parts


def _validation(
    fit: tuple[float, float], val_fraction: float, fold: int | None, n_folds: int | None
) -> tuple[float, float]:
    length = fit[1] - fit[0]
    if fold is None:
        if not 0 < val_fraction < 1:
            raise ConfigurationError(f"split.val_fraction={val_fraction:g} is not allowed; give a part between 0 and 1")
        return fit[1] - val_fraction * length, fit[1]
    if n_folds is None or not 0 <= fold < n_folds or n_folds < 2:
        raise ConfigurationError(
            f"split.fold={fold} of split.n_folds={n_folds} is not allowed; give two folds or more, numbered from 0"
        )
    return fit[0] + fold * length / n_folds, fit[0] + (fold + 1) * length / n_folds


def _windows(span: tuple[float, float], horizon: Horizon) -> Windows:
    return Windows.between(*span, horizon.length_days, horizon.lead_days, horizon.step_days)


def usable(catalogue: EventCatalogue, windows: Windows, seen_days: float) -> np.ndarray:
    """Bool (W,): windows of which all days seen and awaited are covered by the catalogue."""
    begin = windows.issue_days - seen_days
    missing = catalogue.gaps.missing_days(begin, windows.end_days)
    covered = (begin >= catalogue.begin_day - 1e-9) & (windows.end_days <= catalogue.end_day + 1e-9)
    return (missing == 0) & covered


def spans(parts: Mapping[str, Windows]) -> dict[str, list[str]]:
    """First issue and last end of each part, as people write them."""
    return {
        part: [date_text(float(windows.issue_days[0])), date_text(float(windows.end_days[-1]))]
        for part, windows in parts.items()
    }
