"""P times from a few depths to many channels at once, with little work for each of them.

The same numbers as `seisvision.earth.travel_time_table.TravelTimes.times_s` gives for stations on the datum. What only
depends on the depth of a source is worked out once for all channels, which then cost a cubic each.
"""

from __future__ import annotations

import numpy as np

from seisvision.earth.constants import EARTH_RADIUS_KM
from seisvision.earth.travel_time_table import LEAST_KM, TravelTimes


def p_times_s(
    travel_times: TravelTimes, depth_km: np.ndarray, distance_km: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Travel time (K, N) and its derivatives by depth and by distance (s/km).

    Args:
        travel_times: table of them.
        depth_km: (K,) of the sources.
        distance_km: (K, N) from each of them to the channels.
    """
    cells = travel_times.p_at_datum_s_km
    y = (depth_km - travel_times.first_depth_km) / travel_times.depth_step_km
    row = np.minimum(np.maximum(y.astype(np.int64), 0), cells.shape[0] - 1)
    y = np.minimum(np.maximum(y - row, 0), 1)
    one, zero = np.ones_like(y), np.zeros_like(y)
    powers = np.array([[one, y, y**2, y**3], [zero, one, 2 * y, 3 * y**2]]).transpose(2, 0, 1)
    x = distance_km / travel_times.distance_step_km
    column = np.minimum(x.astype(np.int64), cells.shape[2] - 1)
    x = np.minimum(x - column, 1)
    first = column.min()
    column -= first
    # (K, 2, columns in use, 4): along the distance, cubics of the ratio and of its derivative by depth.
    near = cells[:, :, first : first + column.max() + 1][row]
    cubics = (powers @ near.reshape(len(row), 4, -1)).reshape(len(row), 2, -1, 4)
    number = np.arange(len(row))[:, None]
    c0, c1, c2, c3 = np.moveaxis(cubics[number, 0, column], 2, 0)
    ratio = c0 + x * (c1 + x * (c2 + x * c3))
    by_distance = (c1 + x * (2 * c2 + 3 * x * c3)) / travel_times.distance_step_km
    c0, c1, c2, c3 = np.moveaxis(cubics[number, 1, column], 2, 0)
    by_depth = (c0 + x * (c1 + x * (c2 + x * c3))) / travel_times.depth_step_km
    source = (EARTH_RADIUS_KM - depth_km)[:, None]
    half = distance_km / (2 * EARTH_RADIUS_KM)
    sine = np.sin(half)
    way = np.sqrt(depth_km[:, None] ** 2 + (4 * EARTH_RADIUS_KM) * source * sine**2)
    length = np.maximum(way, LEAST_KM)
    # Of the straight way, by the law of cosines in the triangle with the middle of the Earth.
    deeper = (depth_km[:, None] - 2 * EARTH_RADIUS_KM * sine**2) / length
    farther = 2 * source * sine * np.sqrt(1 - sine**2) / length
    return ratio * way, ratio * deeper + by_depth * way, ratio * farther + by_distance * way
