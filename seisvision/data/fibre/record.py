"""A recording of a fibre, which of its channels are kept, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from seisvision import spreadsheets
from seisvision.errors import DataError

COORDINATES = ("latitude_deg", "longitude_deg")
LONGEST_FILLED_S = 0.1
"""Gaps of samples that are no numbers, up to which a channel is kept: far below what onsets are averaged over."""


@dataclass(frozen=True)
class FibreRecord:
    """Strain rate, or whatever the unit says, on the channels of a fibre."""

    samples: np.ndarray
    """(C, T)."""
    along_m: np.ndarray
    """(C,) way along the fibre."""
    latitude_deg: np.ndarray
    """(C,) NaN where nobody told."""
    longitude_deg: np.ndarray
    """(C,)."""
    rate_hz: float
    start_ns: int
    """Of the first sample, since 1970 (UTC)."""
    unit: str = ""
    gauge_length_m: float | None = None
    """Over which strain is measured; None where nobody told."""
    n_recorded: int = 0
    """Channels of the recording, of which these were kept."""
    n_silent: int = 0
    """Of the kept ones, those left out since more than a short gap of their samples is no number."""
    n_filled: int = 0
    """Samples of the kept ones that were no numbers, in short gaps, and were put between their neighbours."""
    n_nowhere: int = 0
    """Channels of the recording left out since their way along the fibre is no number."""

    def of(self, channels: np.ndarray) -> FibreRecord:
        """With some channels only."""
        return replace(
            self,
            samples=self.samples[channels],
            along_m=self.along_m[channels],
            latitude_deg=self.latitude_deg[channels],
            longitude_deg=self.longitude_deg[channels],
        )

    def heard(self, path: Path) -> FibreRecord:
        """With gaps of samples that are no numbers filled linearly, without channels where one is longer.

        Gaps of `LONGEST_FILLED_S` are filled at most; at the ends of the recording, with the sample beside them.

        Raises:
            DataError: no channel is left; ``path`` is named as the file.
        """
        if 0 in self.samples.shape:
            raise DataError(f"{path}: data of shape {self.samples.shape} hold no channels or no samples.")
        is_number = np.isfinite(self.samples)
        most = int(LONGEST_FILLED_S * self.rate_hz + 1e-6)
        heard = np.array([_longest(~row) <= most and bool(row.any()) for row in is_number])
        if not heard.any():
            raise DataError(
                f"{path}: each of the {len(heard)} channels that were kept has samples that are no numbers for more "
                f"than {LONGEST_FILLED_S:g} s."
            )
        left = self.of(np.flatnonzero(heard))
        is_number = is_number[heard]
        for row in np.flatnonzero(~is_number.all(1)):
            known, gaps = np.flatnonzero(is_number[row]), np.flatnonzero(~is_number[row])
            left.samples[row, gaps] = np.interp(gaps, known, left.samples[row, known])
        return replace(left, n_silent=int((~heard).sum()), n_filled=int((~is_number).sum()))


def _longest(marked: np.ndarray) -> int:
    """Number of samples in the longest run of those that are marked (T,)."""
    if not marked.any():
        return 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]])))
    return int((edges[1::2] - edges[::2]).max())


@dataclass(frozen=True)
class Places:
    """A table of places along a fibre, between whose rows those of channels are interpolated."""

    along_m: np.ndarray
    """(P,) rising."""
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Places:
        """From a CSV file.

        Raises:
            DataError: a column lacks, or holds no numbers, or latitudes beyond the poles.
        """
        spreadsheets.check_columns(path)
        table = pd.read_csv(path)
        for name in ("distance_m", *COORDINATES):
            if name not in table or not pd.api.types.is_numeric_dtype(table[name]):
                raise DataError(f"{path} has no column '{name}' of numbers; give distance_m, {', '.join(COORDINATES)}.")
        table = table.sort_values("distance_m")
        along_m, latitude, longitude = (table[name].to_numpy(float) for name in ("distance_m", *COORDINATES))
        check_latitudes(latitude, path)
        return cls(along_m, latitude, longitude)

    def at(self, along_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes and longitudes (C,) of channels; NaN beyond the ends of the table."""
        turned = np.unwrap(self.longitude_deg, period=360)
        at = [
            np.interp(along_m, self.along_m, values, left=np.nan, right=np.nan)
            for values in (self.latitude_deg, turned)
        ]
        return at[0], (at[1] + 180) % 360 - 180


@dataclass(frozen=True)
class Choice:
    """Which channels of a recording are kept.

    Attributes:
        spacing_m: none closer along the fibre to the one before it.
        most: at most so many, evenly.
        places: where they lie, if the recording does not say so, or says it wrongly.
    """

    spacing_m: float = 0.0
    most: int | None = None
    places: Places | None = None

    def of(
        self, along_m: np.ndarray, latitude_deg: np.ndarray, longitude_deg: np.ndarray, path: Path
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers (K,) of the channels (C,) that are kept, all with a place; latitudes and longitudes (C,).

        Raises:
            DataError: no channel has a place; ``path`` is named as the file.
        """
        if self.places is not None:
            latitude_deg, longitude_deg = self.places.at(along_m)
        known = np.flatnonzero(np.isfinite(latitude_deg) & np.isfinite(longitude_deg) & np.isfinite(along_m))
        chosen: list[int] = []
        for channel in known:
            if not chosen or abs(along_m[channel] - along_m[chosen[-1]]) >= self.spacing_m - 1e-6:
                chosen.append(int(channel))
        if self.most is not None and len(chosen) > self.most:
            chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, self.most).round().astype(int)]
        if not chosen:
            raise DataError(
                f"{path}: no channel of the fibre has coordinates; give --channels a table with distance_m, "
                f"latitude_deg, longitude_deg that covers {np.nanmin(along_m):g} to {np.nanmax(along_m):g} m."
            )
        return np.array(chosen), latitude_deg, longitude_deg


def check_latitudes(latitude_deg: np.ndarray, path: Path) -> None:
    """Refuse latitudes that are none, as those of files which name the other coordinate so.

    Raises:
        DataError: one lies beyond a pole.
    """
    if (np.abs(latitude_deg[np.isfinite(latitude_deg)]) > 90).any():
        worst = latitude_deg[np.nanargmax(np.abs(latitude_deg))]
        raise DataError(f"{path}: latitude {worst:g} lies beyond a pole; are latitudes and longitudes exchanged?")
