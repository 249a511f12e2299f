"""Where sources and stations are on the globe: drawn without any knowledge of the source type.

Places are drawn on a sphere, coordinates are then taken as WGS84, and distances and azimuths are computed back from
the rounded coordinates on the ellipsoid. Those go both into the metadata and into the physics, so they always agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.geodesics import geodesic
from seisvision.earth.sphere import destination
from seisvision.errors import ConfigurationError
from seisvision.seeding import numpy_stream

COORDINATE_DECIMALS: Final = 4
CELL_DEG: Final = 10
NETWORK_CODE: Final = "SY"
_LARGEST_NETWORK = 4000
_LARGEST_GAP_RAD = np.radians(150)
_PLACEMENT_ATTEMPTS = 1000


@dataclass(frozen=True)
class EventGeometry:
    """An epicentre and S stations, by increasing distance.

    Attributes:
        latitude_deg, longitude_deg: Epicentre.
        station_code: (S,) up to five letters and digits.
        station_latitude_deg, station_longitude_deg: (S,).
        offset_km: (S,) geodesic distance on WGS84.
        azimuth_deg, back_azimuth_deg: (S,) at the source and at the station, clockwise from north in [0, 360).
    """

    latitude_deg: float
    longitude_deg: float
    station_code: np.ndarray
    station_latitude_deg: np.ndarray
    station_longitude_deg: np.ndarray
    offset_km: np.ndarray
    azimuth_deg: np.ndarray
    back_azimuth_deg: np.ndarray

    @property
    def distance_deg(self) -> np.ndarray:
        """(S,) distance as an angle at the centre of a sphere of 6371 km."""
        return self.offset_km / KM_PER_DEG

    @property
    def cell(self) -> str:
        """Name of the 10 by 10 degree cell of the epicentre, such as ``N60W050`` (its south-west corner)."""
        south = int(np.floor(self.latitude_deg / CELL_DEG)) * CELL_DEG
        west = int(np.floor(self.longitude_deg / CELL_DEG)) * CELL_DEG
        return f"{'NS'[south < 0]}{abs(south):02d}{'EW'[west < 0]}{abs(west):03d}"


def event_geometry(parameters: SynthesisParameters, index: int) -> EventGeometry:
    """Epicentre and stations of event ``index``; depends on the seed, the index and the geometry settings only.

    Raises:
        ConfigurationError: A fixed network has too few stations within the offset range of any epicentre tried.
    """
    rng = numpy_stream(parameters.seed, "synthesis/geometry", index)
    place = _around_event if parameters.geometry == "random" else _from_network
    latitude, longitude, codes, station_latitude, station_longitude = place(rng, parameters, index)
    # Rounded first, so that whoever computes distances from the table finds the same ones.
    latitude, longitude = round(latitude, COORDINATE_DECIMALS), round(longitude, COORDINATE_DECIMALS)
    station_latitude = np.round(station_latitude, COORDINATE_DECIMALS)
    station_longitude = np.round(station_longitude, COORDINATE_DECIMALS)
    offset_km, azimuth, back_azimuth = geodesic(latitude, longitude, station_latitude, station_longitude)
    by_distance = np.argsort(offset_km, kind="stable")
    columns = (codes, station_latitude, station_longitude, offset_km, azimuth, back_azimuth)
    return EventGeometry(latitude, longitude, *(column[by_distance] for column in columns))


_Places = tuple[float, float, np.ndarray, np.ndarray, np.ndarray]


def _epicentre(rng: np.random.Generator) -> tuple[float, float]:
    """Uniform over the globe."""
    return float(np.degrees(np.arcsin(rng.uniform(-1, 1)))), float(rng.uniform(-180, 180))


def _station_codes(numbers: np.ndarray) -> np.ndarray:
    """Four digits of base 36 after an S, such as S00A7; unique below 1.68 million."""
    digits = np.array(list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    return np.array(["S" + "".join(digits[number // 36**power % 36] for power in (3, 2, 1, 0)) for number in numbers])


def _around_event(rng: np.random.Generator, parameters: SynthesisParameters, index: int) -> _Places:
    """New stations around an epicentre: uniform in distance or in area, with a random azimuthal gap."""
    latitude, longitude = _epicentre(rng)
    fewest, most = parameters.n_stations
    nearest, farthest = parameters.offset_range_deg
    n = int(rng.integers(fewest, most + 1))
    # Half of the events have many far stations, as the globe has, half have as many near ones.
    if rng.random() < 0.5:
        cosine = rng.uniform(np.cos(np.radians(farthest)), np.cos(np.radians(nearest)), n)
        distance = np.degrees(np.arccos(cosine))
    else:
        distance = rng.uniform(nearest, farthest, n)
    # Coasts and oceans leave sectors without stations.
    gap = rng.uniform(0, _LARGEST_GAP_RAD)
    azimuth = np.degrees(rng.uniform(0, 2 * np.pi) + rng.uniform(0, 2 * np.pi - gap, n))
    station_latitude, station_longitude = destination(latitude, longitude, azimuth, distance)
    return latitude, longitude, _station_codes(index * most + np.arange(n)), station_latitude, station_longitude


def network(parameters: SynthesisParameters) -> tuple[np.ndarray, np.ndarray]:
    """Latitude and longitude (degrees) of the fixed network, uniform over the globe.

    It has so many stations that the offset range holds twice the wanted number on average, but at most 4000.
    """
    nearest, farthest = np.cos(np.radians(parameters.offset_range_deg))
    n = min(_LARGEST_NETWORK, int(np.ceil(2 * parameters.n_stations[1] / (0.5 * (nearest - farthest)))))
    rng = numpy_stream(parameters.seed, "synthesis/network")
    latitude = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    return np.round(latitude, COORDINATE_DECIMALS), np.round(rng.uniform(-180, 180, n), COORDINATE_DECIMALS)


def _from_network(rng: np.random.Generator, parameters: SynthesisParameters, index: int) -> _Places:
    """Epicentre anywhere with enough stations of the fixed network in range, of which some are taken at random."""
    station_latitude, station_longitude = network(parameters)
    fewest, most = parameters.n_stations
    nearest, farthest = parameters.offset_range_deg
    n = int(rng.integers(fewest, most + 1))
    for _ in range(_PLACEMENT_ATTEMPTS):
        latitude, longitude = _epicentre(rng)
        lat1, lat2 = np.radians(latitude), np.radians(station_latitude)
        cosine = np.cos(lat1) * np.cos(lat2) * np.cos(np.radians(station_longitude - longitude))
        distance = np.degrees(np.arccos(np.clip(np.sin(lat1) * np.sin(lat2) + cosine, -1, 1)))
        inside = np.flatnonzero((distance >= nearest) & (distance <= farthest))
        if len(inside) >= n:
            # Not the nearest: every station in range is as likely, so distances stay spread.
            chosen = np.sort(rng.choice(inside, n, replace=False))
            return latitude, longitude, _station_codes(chosen), station_latitude[chosen], station_longitude[chosen]
    raise ConfigurationError(
        f"A network of {len(station_latitude)} stations has fewer than n_stations={n} within "
        f"offset_range_deg={parameters.offset_range_deg} of every epicentre tried: "
        "widen the range, ask for fewer stations or set geometry=random"
    )
