"""A recording of a fibre, which of its channels are kept, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from seisvision import spreadsheets
from seisvision.errors import DataError

COORDINATES = ("latitude_deg", "longitude_deg")


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
    """Of the kept ones, those left out since a sample of theirs is no number."""

    def of(self, channels: np.ndarray) -> FibreRecord:
        """With some channels only."""
        return replace(
            self,
            samples=self.samples[channels],
            along_m=self.along_m[channels],
            latitude_deg=self.latitude_deg[channels],
            longitude_deg=self.longitude_deg[channels],
        )

    def heard(self) -> FibreRecord:
        """Without channels that have samples which are no numbers.

        Raises:
            DataError: no other is left.
        """
        heard = np.isfinite(self.samples).all(1)
        if not heard.any():
            raise DataError(f"each of the {len(heard)} channels that were kept has samples that are no numbers.")
        return replace(self.of(np.flatnonzero(heard)), n_silent=int((~heard).sum()))


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
        self, along_m: np.ndarray, latitude_deg: np.ndarray, longitude_deg: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers (K,) of the channels (C,) that are kept, all with a place; latitudes and longitudes (C,).

        Raises:
            DataError: no channel has a place.
        """
        if self.places is not None:
            latitude_deg, longitude_deg = self.places.at(along_m)
        known = np.flatnonzero(np.isfinite(latitude_deg) & np.isfinite(longitude_deg))
        chosen: list[int] = []
        for channel in known:
            if not chosen or abs(along_m[channel] - along_m[chosen[-1]]) >= self.spacing_m - 1e-6:
                chosen.append(int(channel))
        if self.most is not None and len(chosen) > self.most:
            chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, self.most).round().astype(int)]
        if not chosen:
            raise DataError(
                "no channel of the fibre has coordinates; give --channels a table with distance_m, latitude_deg, "
                f"longitude_deg that covers {along_m.min():g} to {along_m.max():g} m."
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
