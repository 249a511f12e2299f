"""Where the events and stations of a set are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from seisvision.errors import DataError
from seisvision.evaluation.figure_style import COLOURS, panel_grid, plain_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PLACE = ("latitude_deg", "longitude_deg")
MOST_CLASSES = len(COLOURS)
WIDTH_IN = 7.0


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
    figure, (axes,) = panel_grid(1, 1, WIDTH_IN, _height_in(events))
    if {f"station_{name}" for name in PLACE} <= set(recordings):
        stations = recordings[[f"station_{name}" for name in PLACE]].drop_duplicates().dropna()
        axes.plot(
            stations.iloc[:, 1], stations.iloc[:, 0], "^", color="0.6", markersize=5, label=f"{len(stations)} stations"
        )
    classes = (
        events["source_type"].fillna("") if "source_type" in events else events.index.to_series().map(lambda _: "")
    )
    for number, (name, some) in enumerate(events.groupby(classes, sort=True)):
        label = f"{plain_text(name) if name else 'events'} ({len(some)})"
        axes.plot(
            some["source_longitude_deg"], some["source_latitude_deg"], ".", color=COLOURS[number % MOST_CLASSES],
            label=label,
        )  # fmt: skip
    middle = float(np.nanmean(events["source_latitude_deg"]))
    axes.set(xlabel="longitude, degrees", ylabel="latitude, degrees", aspect=1 / max(np.cos(np.radians(middle)), 0.1))
    axes.legend(fontsize=8)
    return figure


def _height_in(events: pd.DataFrame) -> float:
    """Height of a figure on which a degree is as long in both directions, within reason."""
    latitudes, longitudes = (events[f"source_{name}"].dropna() for name in PLACE)
    width = float(np.ptp(longitudes)) * np.cos(np.radians(latitudes.mean()))
    return float(np.clip(WIDTH_IN * np.ptp(latitudes) / max(width, 1e-6), 3.5, 8.0))
