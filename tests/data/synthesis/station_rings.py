"""Stations placed by hand around a source, for tests of the physics."""

import numpy as np

from seisvision.data.synthesis.geometry import EventGeometry
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.sphere import destination


def stations_at(distance_deg, azimuth_deg) -> EventGeometry:
    """Stations at exact distances and azimuths from a source on the equator."""
    distance, azimuth = np.broadcast_arrays(np.asarray(distance_deg, float), np.asarray(azimuth_deg, float))
    distance, azimuth = np.atleast_1d(distance), np.atleast_1d(azimuth)
    latitude, longitude = destination(0.0, 0.0, azimuth, distance)
    codes = np.array([f"S{i:04d}" for i in range(len(azimuth))])
    return EventGeometry(0.0, 0.0, codes, latitude, longitude, distance * KM_PER_DEG, azimuth, (azimuth + 180) % 360)
