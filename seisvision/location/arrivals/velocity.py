"""Travel times from what people give for a velocity model: two numbers, the name of a model, or a table of layers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from seisvision import spreadsheets
from seisvision.earth.constants import TRAVEL_TIME_MODELS
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.errors import ConfigurationError, DataError

LAYER_COLUMNS = ("top_km", "vp_km_s", "vs_km_s")
MARGIN = 2.0
"""Tables reach this many times farther than the stations are apart: events may lie outside of the network."""
LEAST_REACH_KM = 100.0


def velocity_model(
    words: str, elevation_km: np.ndarray, apart_km: float, depths_km: tuple[float, float] | None
) -> TravelTimes:
    """Travel times for ``--velocity``, of a size that suits the stations.

    Args:
        words: two numbers such as ``6.0,3.5``, a model such as ``iasp91``, or a table.
        elevation_km: of the stations.
        apart_km: largest distance between stations.
        depths_km: least and greatest depth of events; None: not known.

    Raises:
        ConfigurationError: it is neither numbers, nor a known model, nor a table.
        DataError: the table lacks a column or holds text.
    """
    numbers = words.split(",")
    if len(numbers) == 2 and all(_is_number(text) for text in numbers):
        return TravelTimes.constant(float(numbers[0]), float(numbers[1]))
    reach = {
        "max_distance_km": min(3500.0, max(LEAST_REACH_KM, MARGIN * apart_km)),
        "max_depth_km": max(40.0, 0.0 if depths_km is None else depths_km[1]),
        "elevations_km": (min(0.0, float(elevation_km.min())), max(0.5, float(elevation_km.max()))),
    }
    if words in TRAVEL_TIME_MODELS:
        return TravelTimes.taup(words, **reach)  # type: ignore[arg-type]
    path = Path(words)
    if not path.is_file():
        raise ConfigurationError(
            f"--velocity {words}: no such file and no model; give a table with {', '.join(LAYER_COLUMNS)}, two numbers "
            f"such as 6.0,3.5, or one of {', '.join(TRAVEL_TIME_MODELS)}."
        )
    spreadsheets.check_columns(path)
    layers = pd.read_csv(path)
    for name in LAYER_COLUMNS:
        if name not in layers or not pd.api.types.is_numeric_dtype(layers[name]):
            raise DataError(f"{path} has no column '{name}' of numbers; give {', '.join(LAYER_COLUMNS)}.")
    return TravelTimes.layered(*(layers[name].tolist() for name in LAYER_COLUMNS), **reach)  # type: ignore[arg-type]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
