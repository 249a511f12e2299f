"""What somebody who is asked early says of events, and what was true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Said:
    """Answers about N recordings; NaN where nothing is said."""

    latitude_deg: np.ndarray
    """(N,)."""
    longitude_deg: np.ndarray
    """(N,)."""
    depth_km: np.ndarray
    """(N,)."""
    covariance_km2: np.ndarray
    """(N, 2, 2) of the epicentre, east and north: a normal distribution with it holds 95 % in the stated region."""
    magnitude: np.ndarray
    """(N,)."""
    magnitude_sigma: np.ndarray
    """(N,)."""
    alert: np.ndarray
    """(N,) 1 where it says that there is an earthquake, 0 where not, NaN where it was never asked to."""

    @classmethod
    def nothing(cls, n: int) -> Said:
        """No answer about anything."""
        a, b, c, d, e, f = np.full((6, n), np.nan)
        return cls(a, b, c, np.full((n, 2, 2), np.nan), d, e, f)


class Estimator(Protocol):
    """Somebody who can be asked while recordings come in."""

    @property
    def name(self) -> str:
        """What the table calls it."""

    def said(self, seen_s: np.ndarray) -> Said:
        """Answers about the N recordings of which so many seconds (N,) from their first sample on have come in."""


@dataclass(frozen=True)
class Truth:
    """What happened in N recordings; NaN where it is not known, and for noise."""

    source_id: list[str]
    latitude_deg: np.ndarray
    """(N,)."""
    longitude_deg: np.ndarray
    """(N,)."""
    magnitude: np.ndarray
    """(N,)."""
    first_p_s: np.ndarray
    """(N,) after the first sample, at the station that it reaches first."""
    length_s: float
    """Of every recording."""
    is_noise: np.ndarray
    """(N,) bool: labelled as no earthquake. Earthquakes of which something is not known are none of it."""

    @property
    def is_event(self) -> np.ndarray:
        """(N,) bool: an earthquake with a place and a first P."""
        known = np.isfinite(self.latitude_deg) & np.isfinite(self.longitude_deg) & np.isfinite(self.first_p_s)
        return known & ~self.is_noise


@dataclass(frozen=True)
class NoiseAlone:
    """N recordings of ``length_s`` seconds without any earthquake, and who is asked about them."""

    estimators: Sequence[Estimator]
    n_recordings: int
    length_s: float
