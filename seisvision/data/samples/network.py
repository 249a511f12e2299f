"""The stations of a network: where they stand in local kilometres, and which place each has in a sample."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from seisvision.data.samples.arrivals import column_numbers
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.splits import station_names
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.projection import Projection
from seisvision.errors import ConfigurationError, DataError, did_you_mean

log = logging.getLogger(__name__)

TRAINING = "training"
PLACE_COLUMNS = ("station_latitude_deg", "station_longitude_deg")
SOURCE_COLUMNS = ("source_latitude_deg", "source_longitude_deg")
MOVED_KM = 0.1
"""A station whose coordinates differ by more between traces stands at several places, which is told."""
MOST_NAMED = 5
WORKS_WITHOUT = (
    "Without the places of stations work networks that learn which row is which station, with fixed: true and "
    "view.coordinates=false: experiment=fcn_locator, kriegerowski, preseis or early_warning."
)
WHERE_PLACES_COME_FROM = "Import with --stations, or with latitude_deg and longitude_deg in the table of --traces."


@dataclass(frozen=True)
class StationNetwork:
    """S stations of a region, in a fixed order.

    Attributes:
        names: network and code, such as ``OK.BCOK``.
        latitude_deg, longitude_deg: where they stand; NaN for all where the set has no place of any of them.
        elevation_m: above the datum; 0 where a set does not say it.
        fixed: samples have S slots, one for each station, those of absent ones being masked, and leave out all other
            stations. False: samples have the stations that recorded the event, known here or not.
        middle_deg: latitude and longitude of the middle of the training events, from which coordinates count where no
            station has a place; None where all have one.
    """

    names: tuple[str, ...]
    latitude_deg: tuple[float, ...]
    longitude_deg: tuple[float, ...]
    elevation_m: tuple[float, ...]
    fixed: bool = True
    middle_deg: tuple[float, float] | None = None

    @classmethod
    def of(cls, waveform_set: WaveformSet, source_ids: Sequence[str], settings: Mapping[str, Any]) -> StationNetwork:
        """The network that ``dataset.samples.network`` describes.

        Args:
            waveform_set: the set.
            source_ids: the events of the training.
            settings: ``stations``, the word ``training`` for all that recorded one of these events, in the order of
                their names, or a list of names in the order of the slots; and ``fixed``.

        Raises:
            ConfigurationError: a setting is not allowed.
            DataError: a station is not in the set, or a named one has no coordinates; of the word ``training`` those
                without are left out, and told. Where none has any, a fixed network is made without places, unless the
                places of the events are not known either.
        """
        settings = {"stations": TRAINING, "fixed": True, **settings}
        asked, fixed = settings.pop("stations"), settings.pop("fixed")
        if settings or not isinstance(fixed, bool) or (isinstance(asked, str) and asked != TRAINING):
            raise ConfigurationError(
                f"dataset.samples.network={{stations: {asked}, fixed: {fixed}{''.join(f', {k}' for k in settings)}}} "
                f"is not allowed; stations are '{TRAINING}' or a list of names such as [OK.BCOK, OK.CROK], and fixed "
                "is true or false."
            )
        table = waveform_set.table
        codes = np.array(station_names(table))
        if asked == TRAINING:
            rows = np.concatenate([waveform_set.rows(name) for name in source_ids])
            names = sorted(set(codes[rows].tolist()))
        else:
            names = [str(name) for name in asked]
            _check_names(names, set(codes), waveform_set)
        found = _found_places(table, codes, names)
        if fixed and not np.isfinite(found[["latitude", "longitude"]]).all(axis=1).any():
            unknown, level = (math.nan,) * len(names), (0.0,) * len(names)
            middle_deg = _middle_of_events(waveform_set, source_ids)
            log.warning(
                "none of %d stations of %s has coordinates: each is known by its slot alone, and kilometres count from "
                "the middle of the training events, %.4f, %.4f degrees",
                len(names), waveform_set.path, *middle_deg,
            )  # fmt: skip
            return cls(tuple(names), unknown, unknown, level, fixed, middle_deg)
        if asked == TRAINING:
            found = _with_places(found, waveform_set)
        _check_places(found, waveform_set)
        names = found.index.tolist()
        columns = (found[name].fillna(0.0).tolist() for name in ("latitude", "longitude", "elevation"))
        latitude_deg, longitude_deg, elevation_m = (tuple(one) for one in columns)
        return cls(tuple(names), latitude_deg, longitude_deg, elevation_m, fixed)

    @classmethod
    def from_plain(cls, stored: Any) -> StationNetwork:
        """The network that a checkpoint holds, see :meth:`plain`.

        Raises:
            ValueError: no training would have written it.
        """
        if not isinstance(stored, Mapping) or set(stored) - {MIDDLE} != {"names", *NUMBERS, "fixed"}:
            raise ValueError("it has other entries")
        columns = [stored["names"], *(stored[name] for name in NUMBERS)]
        if not all(isinstance(one, list) and len(one) == len(columns[0]) > 0 for one in columns):
            raise ValueError("its columns are of different lengths")
        if not all(isinstance(name, str) for name in columns[0]) or len(set(columns[0])) < len(columns[0]):
            raise ValueError("its names are not different texts")
        numbers = np.array(columns[1:], dtype=float)
        if MIDDLE in stored:
            return cls._without_places(columns[0], numbers, stored)
        if not np.isfinite(numbers).all() or np.abs(numbers[0]).max() > 90 or not isinstance(stored["fixed"], bool):
            raise ValueError("its places are not on Earth")
        latitude_deg, longitude_deg, elevation_m = (tuple(one) for one in numbers.tolist())
        return cls(tuple(columns[0]), latitude_deg, longitude_deg, elevation_m, stored["fixed"])

    def plain(self) -> dict[str, Any]:
        """Plain values for checkpoints."""
        numbers = {name: list(getattr(self, name)) for name in NUMBERS}
        middle = {} if self.middle_deg is None else {MIDDLE: list(self.middle_deg)}
        return {"names": list(self.names), **numbers, "fixed": self.fixed, **middle}

    @classmethod
    def _without_places(cls, names: list[str], numbers: np.ndarray, stored: Mapping[str, Any]) -> StationNetwork:
        """A stored network with ``middle_deg``, whose ``numbers`` (3, S) must tell nothing; ValueError if they do."""
        middle = stored[MIDDLE]
        if not isinstance(middle, list) or len(middle) != 2 or not all(isinstance(one, float) for one in middle):
            raise ValueError("its middle is not a latitude and a longitude")
        latitude_deg, longitude_deg = middle
        if not (abs(latitude_deg) <= 90 and abs(longitude_deg) <= 360):
            raise ValueError("its middle is not on Earth")
        if not np.isnan(numbers[:2]).all() or numbers[2].any() or stored["fixed"] is not True:
            raise ValueError("it has a middle of events beside places of stations")
        unknown = (math.nan,) * len(names)
        return cls(tuple(names), unknown, unknown, (0.0,) * len(names), True, (latitude_deg, longitude_deg))

    def __len__(self) -> int:
        """Return S."""
        return len(self.names)

    @property
    def has_places(self) -> bool:
        """Whether it is known where its stations stand."""
        return self.middle_deg is None

    @cached_property
    def plane(self) -> Projection:
        """The plane about the middle of the stations, else of the training events, on which coordinates count."""
        if self.middle_deg is not None:
            return Projection(*self.middle_deg)
        return Projection.about(np.array(self.latitude_deg), np.array(self.longitude_deg))

    @property
    def origin_deg(self) -> tuple[float, float]:
        """Latitude and longitude from which local coordinates count."""
        return self.plane.latitude_deg, self.plane.longitude_deg

    @cached_property
    def place_km(self) -> np.ndarray:
        """Stations (S, 3): east, north and up, float32; NaN to the east and north without places."""
        return self.to_km(np.array(self.latitude_deg), np.array(self.longitude_deg), np.array(self.elevation_m))

    def to_km(self, latitude_deg: np.ndarray, longitude_deg: np.ndarray, elevation_m: np.ndarray) -> np.ndarray:
        """Places (N, 3): east, north and up, float32; NaN where the place is not known."""
        east_km, north_km = self.plane.to_km(latitude_deg, longitude_deg)
        return np.stack([east_km, north_km, np.nan_to_num(elevation_m) / 1000], axis=1).astype(np.float32)

    def places_of(self, table: pd.DataFrame) -> np.ndarray:
        """Places (N, 3) of the stations of traces, rows of a metadata table, see :meth:`to_km`."""
        columns = [column_numbers(table, name) for name in (*PLACE_COLUMNS, "station_elevation_m")]
        return self.to_km(columns[0], columns[1], columns[2])

    def slots_of(self, table: pd.DataFrame) -> np.ndarray:
        """Slot (N,) of the station of each trace, -1 where it has none."""
        number = {name: slot for slot, name in enumerate(self.names)}
        return np.array([number.get(name, -1) for name in station_names(table)], dtype=int)


NUMBERS = ("latitude_deg", "longitude_deg", "elevation_m")
MIDDLE = "middle_deg"


def _check_names(names: Sequence[str], known: set[str], waveform_set: WaveformSet) -> None:
    if not names or len(set(names)) < len(names):
        raise ConfigurationError(
            f"dataset.samples.network.stations={list(names)[:8]} must name different stations, each once."
        )
    absent = [name for name in names if name not in known]
    if absent:
        raise DataError(
            f"{waveform_set.path} has no station '{absent[0]}' of dataset.samples.network.stations. "
            f"{did_you_mean(absent[0], sorted(known))}"
        )


def _found_places(table: pd.DataFrame, codes: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """Latitudes, longitudes and elevations of the stations, in their order: the medians of what their traces say.

    The column ``spread`` tells how many degrees apart they say it.
    """
    columns = [column_numbers(table, name) for name in (*PLACE_COLUMNS, "station_elevation_m")]
    frame = pd.DataFrame({"name": codes, "latitude": columns[0], "longitude": columns[1], "elevation": columns[2]})
    groups = frame[frame["name"].isin(set(names))].groupby("name")
    found = groups.median()
    found["spread"] = groups[["latitude", "longitude"]].agg(np.ptp).max(axis=1)
    return found.loc[list(names)]


def _with_places(found: pd.DataFrame, waveform_set: WaveformSet) -> pd.DataFrame:
    """The stations that have a place, where any has; the others are told."""
    known = np.isfinite(found[["latitude", "longitude"]]).all(axis=1).to_numpy()
    if known.all() or not known.any():
        return found
    lost = found.index[~known]
    log.warning(
        "%d of %d stations of %s have no coordinates and are left out: %s%s. %s",
        len(lost), len(found), waveform_set.path, ", ".join(lost[:MOST_NAMED]),
        ", ..." if len(lost) > MOST_NAMED else "", WHERE_PLACES_COME_FROM,
    )  # fmt: skip
    return found[known]


def _check_places(found: pd.DataFrame, waveform_set: WaveformSet) -> None:
    """Refuse stations without a place, and tell of those that have several."""
    unknown = found.index[~np.isfinite(found[["latitude", "longitude"]]).all(axis=1)]
    if len(unknown):
        raise DataError(
            f"station '{unknown[0]}' and {len(unknown) - 1} others of {waveform_set.path} have no coordinates; "
            f"complete {', '.join(PLACE_COLUMNS)}, or name the stations that have them in "
            f"dataset.samples.network.stations. {WHERE_PLACES_COME_FROM} {WORKS_WITHOUT} No station at all may have "
            "a place then."
        )
    moved = sorted(found.index[found["spread"] * KM_PER_DEG > MOVED_KM])
    if moved:
        log.warning(
            "%d stations of %s stand at several places, such as %s; the median of each is taken",
            len(moved), waveform_set.path, moved[0],
        )  # fmt: skip


def _middle_of_events(waveform_set: WaveformSet, source_ids: Sequence[str]) -> tuple[float, float]:
    """Latitude and longitude of the middle of events whose epicentre is known.

    Raises:
        DataError: none is.
    """
    events = waveform_set.event_table().loc[list(source_ids)]
    latitude_deg, longitude_deg = (column_numbers(events, name) for name in SOURCE_COLUMNS)
    known = np.isfinite(latitude_deg) & np.isfinite(longitude_deg)
    if not known.any():
        raise DataError(
            f"no station of the network has coordinates in {waveform_set.path}, and no training event either, so that "
            f"there is nothing to count kilometres from; complete {', '.join(SOURCE_COLUMNS)} or "
            f"{', '.join(PLACE_COLUMNS)}."
        )
    plane = Projection.about(latitude_deg[known], longitude_deg[known])
    return plane.latitude_deg, plane.longitude_deg
