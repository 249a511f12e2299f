"""Epicentres as classes: the places around which those of the training lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from seisvision.data.derived.column import DerivedColumn, Fitted, check_numbers, class_values
from seisvision.data.samples.arrivals import column_numbers
from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.errors import ConfigurationError, DataError
from seisvision.seeding import DEFAULT_SEED

MOST_PLACES = 1000
STARTS = 10
DECIMALS = 6
LATITUDES, LONGITUDES = "latitudes_deg", "longitudes_deg"


class KMeansPlaces(DerivedColumn):
    """The nearest of k places, as ConvNetQuake has them (Perol et al. 2018): k-means of the training's epicentres.

    Classes are ``"0"`` to ``"k - 1"`` from west to east. Every event with an epicentre has one, however far it is from
    all places: nothing tells a network that an event comes from elsewhere.

    Args:
        k: number of places.
        seed: of the ten starts of k-means, of which the best is kept.

    Raises:
        ConfigurationError: there cannot be so many.
    """

    columns = ("source_latitude_deg", "source_longitude_deg")

    def __init__(self, k: int, seed: int = DEFAULT_SEED) -> None:
        if not 2 <= k <= MOST_PLACES or not 0 <= seed < 2**32:
            raise ConfigurationError(
                f"k={k} must be from 2 to {MOST_PLACES} places, and seed={seed} from 0 to 2**32 - 1."
            )
        self.k, self.seed = k, seed
        self.class_names = tuple(map(str, range(k)))

    def known(self, table: pd.DataFrame) -> np.ndarray:
        """Tell which rows (N,) have an epicentre."""
        latitude, longitude = (column_numbers(table, column) for column in self.columns)
        return (np.abs(latitude) <= 90) & (np.abs(longitude) <= 360)

    def fit(self, table: pd.DataFrame) -> Fitted:
        """The places, in degrees: means of the epicentres on the sphere, each event counted once.

        Raises:
            DataError: fewer than k different epicentres.
        """
        # Slow to import, and only needed to train.
        from sklearn.cluster import KMeans

        points = _points_km(table[self.known(table)], self.columns)
        # In an order that does not depend on that of the table.
        different, counts = np.unique(points, axis=0, return_counts=True)
        if len(different) < self.k:
            raise DataError(
                f"the {len(points)} training events with an epicentre lie at {len(different)} different places, which "
                f"cannot be {self.k}. Ask for fewer places (k), or use more events."
            )
        # Small networks are small beside the Earth's radius: digits are kept by counting from their middle.
        middle = different.mean(axis=0)
        found = KMeans(self.k, n_init=STARTS, random_state=self.seed).fit(different - middle, sample_weight=counts)
        x, y, z = (found.cluster_centers_ + middle).T
        # Rounded to a decimetre, so that the last digits of a sum do not depend on the machine.
        latitude, longitude = np.round(np.degrees([np.arctan2(z, np.hypot(x, y)), np.arctan2(y, x)]), DECIMALS)
        order = np.lexsort((latitude, longitude))
        return {LATITUDES: latitude[order].tolist(), LONGITUDES: longitude[order].tolist()}

    def check(self, fitted: Any) -> None:
        """Refuse places that are none on Earth, or not k of them."""
        check_numbers(fitted, {LATITUDES: self.k, LONGITUDES: self.k})
        if np.abs(fitted[LATITUDES]).max() > 90 or np.abs(fitted[LONGITUDES]).max() > 360:
            raise ValueError("its places are not on Earth")

    def apply(self, table: pd.DataFrame, fitted: Fitted) -> np.ndarray:
        """Number of the nearest place (N,) as text."""
        known = self.known(table)
        places_km = _on_sphere_km(np.array(fitted[LATITUDES]), np.array(fitted[LONGITUDES]))
        numbers = np.zeros(len(table), dtype=int)
        # Of chords and arcs the same one is the shortest.
        numbers[known] = cKDTree(places_km).query(_points_km(table[known], self.columns))[1]
        return class_values(numbers, known, self.class_names)


def _points_km(table: pd.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    return _on_sphere_km(*(column_numbers(table, column) for column in columns))


def _on_sphere_km(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    """Points (N, 3) of a sphere with the Earth's radius."""
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    across = np.cos(latitude)
    return EARTH_RADIUS_KM * np.stack(
        [across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], axis=1
    )
