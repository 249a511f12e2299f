"""The inverse formula of geodesics on WGS84, written once for numbers, arrays of numpy and tensors of torch.

Vincenty (1975), Survey Review 23, 88-93: the series in the auxiliary sphere is good to a millimetre. Within about a
degree of the antipode the iteration does not converge; what to do there is left to the caller, who is told.
"""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

from seisvision.earth.constants import WGS84_FLATTENING, WGS84_RADIUS_KM

MAX_ITERATIONS = 20
"""Away from antipodes it converges in some five steps."""
LEAST = 1e-15
"""Is added to sines that are divided by: they are zero between a point and itself, and along the equator."""
NUMBERS = SimpleNamespace(
    sin=math.sin,
    cos=math.cos,
    sqrt=math.sqrt,
    arctan2=math.atan2,
    abs=abs,
    all=bool,
)
"""The functions for plain numbers: for one pair of points, arrays cost thirty times as much as the arithmetic."""


class Inverse(NamedTuple):
    """Way from a first to a second point, arrays or tensors of the broadcast shape of both."""

    distance_km: Any
    north: Any
    """Direction at the first point, of length sin(arc): cosine of the azimuth to the second."""
    east: Any
    """Sine of that azimuth."""
    back_north: Any
    """Direction at the second point, of the same length: cosine of the azimuth to the first."""
    back_east: Any
    """Sine of that azimuth."""
    last_change_rad: Any
    """By how much the last step changed the auxiliary longitude."""


def inverse(first: tuple[Any, Any], second: tuple[Any, Any], turn_rad: Any, of: Any, converged_rad: float) -> Inverse:
    """Solve the inverse problem.

    Args:
        first: sine and cosine of the reduced latitude of the first points.
        second: those of the second points.
        turn_rad: longitude of the second minus that of the first points.
        of: ``numpy``, ``torch`` or :data:`NUMBERS`, whichever the values belong to.
        converged_rad: stop when no auxiliary longitude changes by as much as this; the error left is 300 times smaller.
    """
    f = WGS84_FLATTENING
    (sin1, cos1), (sin2, cos2) = first, second
    sin_sin, cos_cos, cos_sin, sin_cos = sin1 * sin2, cos1 * cos2, cos1 * sin2, sin1 * cos2
    # Longitude difference on the auxiliary sphere.
    auxiliary = turn_rad
    for _ in range(MAX_ITERATIONS):
        sin_aux, cos_aux = of.sin(auxiliary), of.cos(auxiliary)
        east, north = cos2 * sin_aux, cos_sin - sin_cos * cos_aux
        sin_arc, cos_arc = of.sqrt(east * east + north * north), sin_sin + cos_cos * cos_aux
        arc = of.arctan2(sin_arc, cos_arc)
        sin_equator = cos_cos * sin_aux / (sin_arc + LEAST)
        cos2_equator = 1 - sin_equator**2
        middle = cos_arc - 2 * sin_sin / (of.abs(cos2_equator) + LEAST)
        c = f / 16 * cos2_equator * (4 + f * (4 - 3 * cos2_equator))
        bend = arc + c * sin_arc * (middle + c * cos_arc * (2 * middle**2 - 1))
        previous, auxiliary = auxiliary, turn_rad + (1 - c) * f * sin_equator * bend
        change = of.abs(auxiliary - previous)
        if of.all(change < converged_rad):
            break
    # Series in the squared eccentricity for the length along the geodesic.
    u2 = cos2_equator * ((1 / (1 - f)) ** 2 - 1)
    a = 1 + u2 / 16384 * (4096 + u2 * (u2 * (320 - 175 * u2) - 768))
    b = u2 / 1024 * (256 + u2 * (u2 * (74 - 47 * u2) - 128))
    last = b / 6 * middle * (4 * sin_arc**2 - 3) * (4 * middle**2 - 3)
    correction = b * sin_arc * (middle + b / 4 * (cos_arc * (2 * middle**2 - 1) - last))
    distance_km = WGS84_RADIUS_KM * (1 - f) * a * (arc - correction)
    back_north, back_east = cos2 * sin1 - sin2 * cos1 * cos_aux, -cos1 * sin_aux
    return Inverse(distance_km, north, east, back_north, back_east, change)
