"""Size and shape of the Earth, and the reference models that are known by name; nothing heavy is imported."""

from __future__ import annotations

import math
from typing import Final

EARTH_RADIUS_KM: Final = 6371.0
"""Radius of the sphere that radial models and travel-time tables are made for."""
KM_PER_DEG: Final = math.pi * EARTH_RADIUS_KM / 180.0
"""One degree on that sphere, 111.1949 km."""
WGS84_RADIUS_KM: Final = 6378.137
WGS84_FLATTENING: Final = 1 / 298.257223563
HALF_MERIDIAN_KM: Final = 20003.93
"""Longest distance on the ellipsoid, from pole to pole."""

EARTH_MODELS: Final = ("ak135f_no_mud", "iasp91", "prem")
"""ObsPy's bundled Earth models with a solid surface and density: they have surface waves too."""
TRAVEL_TIME_MODELS: Final = (
    "1066a",
    "1066b",
    "ak135",
    "ak135f_no_mud",
    "herrin",
    "iasp91",
    "jb",
    "prem",
    "pwdk",
    "sp6",
)
"""All of ObsPy's bundled models, for travel times."""
