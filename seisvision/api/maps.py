"""Where the events and stations of a set are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seisvision.earth.coast_lines import draw_shores_in_degrees
from seisvision.errors import DataError
from seisvision.evaluation.figure_style import COLOURS, panel_grid, plain_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PLACE = ("latitude_deg", "longitude_deg")
MOST_CLASSES = len(COLOURS)
WIDTH_IN = 7.0
WORLD_DEG = 300.0
"""Longitudes that reach farther than this are those of the whole world."""


def draw_places(events: pd.DataFrame, recordings: pd.DataFrame) -> Figure:
    """Draw epicentres, a colour a class, and stations, in degrees and true to scale in the middle.

    Args:
        events: one row an event.
        recordings: one row a recording.

    Raises:
        DataError: no event has coordinates.
    """
    if not {f"source_{name}" for name in PLACE} <= set(events) or events[
        [f"source_{name}" for name in PLACE]
    ].isna().all(axis=None):
        raise DataError("No event of this set has source_latitude_deg and source_longitude_deg, so none can be drawn.")
    places = [events[f"source_{name}"] for name in PLACE]
    middle_deg = _middle_longitude_deg(places[1])
    figure, (axes,) = panel_grid(1, 1, WIDTH_IN, _height_in(places[0], _about(places[1], middle_deg)))
    if {f"station_{name}" for name in PLACE} <= set(recordings):
        stations = recordings[[f"station_{name}" for name in PLACE]].drop_duplicates().dropna()
        axes.plot(
            _about(stations.iloc[:, 1], middle_deg), stations.iloc[:, 0], "^", color="0.6", markersize=5,
            label=f"{len(stations)} stations",
        )  # fmt: skip
    classes = (
        events["source_type"].fillna("") if "source_type" in events else events.index.to_series().map(lambda _: "")
    )
    for number, (name, some) in enumerate(events.groupby(classes, sort=True)):
        axes.plot(
            _about(some["source_longitude_deg"], middle_deg), some["source_latitude_deg"], ".",
            color=COLOURS[number % MOST_CLASSES], label=f"{plain_text(name) if name else 'events'} ({len(some)})",
        )  # fmt: skip
    middle = float(np.nanmean(places[0]))
    axes.set(xlabel="longitude, degrees", ylabel="latitude, degrees", aspect=1 / max(np.cos(np.radians(middle)), 0.1))
    axes.xaxis.set_major_formatter(lambda longitude, _: f"{(longitude + 180) % 360 - 180:.10g}")
    draw_shores_in_degrees(axes)
    axes.legend(fontsize=8)
    return figure


def _middle_longitude_deg(longitude_deg: pd.Series) -> float:
    """Middle on the circle, so that a set across the date line is one piece; 0 of a set from all around the world."""
    known = longitude_deg.dropna()
    middle_deg = float(np.angle(np.exp(1j * np.radians(known.to_numpy(float))).sum(), deg=True))
    return 0.0 if np.ptp(_about(known, middle_deg)) > WORLD_DEG else middle_deg


def _about(longitude_deg: pd.Series, middle_deg: float) -> pd.Series:
    return (longitude_deg - middle_deg + 180) % 360 - 180 + middle_deg


def _height_in(latitude_deg: pd.Series, longitude_deg: pd.Series) -> float:
    """Height of a figure on which a degree is as long in both directions, within reason."""
    width = float(np.ptp(longitude_deg.dropna())) * np.cos(np.radians(latitude_deg.mean()))
    return float(np.clip(WIDTH_IN * np.ptp(latitude_deg.dropna()) / max(width, 1e-6), 3.5, 8.0))
