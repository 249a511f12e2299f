"""Maps of epicentres with their ellipses, and errors against the network.

No map service is asked; shores are drawn where the extra ``maps`` is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from seisvision.base.figure_files import save_figure
from seisvision.earth.coast_lines import draw_shores
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.geodesics import geodesic
from seisvision.earth.unit_vectors import coordinates_deg, moved, unit_vectors
from seisvision.errors import DataError
from seisvision.location.locate import Locations
from seisvision.location.uncertainty import Ellipse

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUE, ESTIMATED, STATION, CIRCLE = "#009E73", "#D55E00", "#0072B2", "#CC79A7"
"""Told apart with any colour vision (Okabe and Ito 2008)."""
GRATICULE_STEPS_DEG = (30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1)
CURVE_POINTS = 181
LARGEST_DRAWN_KM = 5000.0


class Projection:
    """Azimuthal equidistant projection about a point: distances and directions from it are true; WGS84."""

    def __init__(self, latitude_deg: float, longitude_deg: float) -> None:
        self.latitude_deg, self.longitude_deg = latitude_deg, longitude_deg

    @classmethod
    def about(cls, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> Projection:
        """Centred on the mean direction of points (N,), so that the date line and the poles are nothing special."""
        vectors = unit_vectors(torch.as_tensor(latitude_deg), torch.as_tensor(longitude_deg))
        mean = vectors[torch.isfinite(vectors).all(-1)].mean(0)
        latitude, longitude = coordinates_deg(mean)
        return cls(float(latitude), float(longitude))

    def __call__(self, latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """East and north (km) on the map."""
        latitude, longitude = np.asarray(latitude_deg, float), np.asarray(longitude_deg, float)
        missing = ~np.isfinite(latitude + longitude)
        places = np.where(missing, self.latitude_deg, latitude), np.where(missing, self.longitude_deg, longitude)
        distance_km, azimuth_deg, _ = geodesic(self.latitude_deg, self.longitude_deg, *places)
        distance_km = np.where(missing, np.nan, distance_km)
        return distance_km * np.sin(np.radians(azimuth_deg)), distance_km * np.cos(np.radians(azimuth_deg))


def location_map(
    path: Path,
    station_latitude_deg: np.ndarray,
    station_longitude_deg: np.ndarray,
    locations: Locations,
    *,
    true_latitude_deg: np.ndarray | None = None,
    true_longitude_deg: np.ndarray | None = None,
    offset_km: np.ndarray | None = None,
    event: int | None = None,
) -> Path:
    """Map of stations, epicentres and 95 % ellipses, with the circles of observed distances of one event.

    Args:
        path: PNG to write.
        station_latitude_deg: (B, S), NaN for padding.
        station_longitude_deg: (B, S).
        locations: of B events.
        true_latitude_deg: (B,) where known; a line joins it to its estimate.
        true_longitude_deg: (B,).
        offset_km: (B, S) distances, for the circles.
        event: number of the event whose circles are drawn; None draws none.

    Raises:
        DataError: no station has a position, or circles are wanted without distances.
    """
    latitude, longitude = np.asarray(station_latitude_deg, float), np.asarray(station_longitude_deg, float)
    if not np.isfinite(latitude + longitude).any():
        raise DataError("There is nothing to draw: no station has a position.")
    if event is not None and offset_km is None:
        raise DataError("Circles of distance need offset_km; give it, or event=None.")
    project = Projection.about(latitude.ravel(), longitude.ravel())
    figure, axes = single_axes(7.0, 6.6)
    stations = project(latitude.ravel(), longitude.ravel())
    axes.plot(*stations, "^", color=STATION, markersize=5, linestyle="none", label="station", zorder=3)
    estimated = project(locations.latitude_deg.cpu().numpy(), locations.longitude_deg.cpu().numpy())
    _draw_ellipses(axes, project, locations)
    second = project(locations.second_latitude_deg.cpu().numpy(), locations.second_longitude_deg.cpu().numpy())
    if np.isfinite(second[0]).any():
        axes.plot(*second, "o", color=ESTIMATED, fillstyle="none", markersize=5, label="second solution", zorder=4)
    if true_latitude_deg is not None and true_longitude_deg is not None:
        true = project(true_latitude_deg, true_longitude_deg)
        axes.plot(*(np.stack([t, e]) for t, e in zip(true, estimated, strict=True)), color="0.5", linewidth=0.6)
        axes.plot(*true, "*", color=TRUE, markersize=8, linestyle="none", label="true epicentre", zorder=5)
    axes.plot(*estimated, "o", color=ESTIMATED, markersize=4, linestyle="none", label="epicentre, 95 %", zorder=4)
    limits = _limits(axes)
    if event is not None and offset_km is not None:
        _draw_circles(axes, project, latitude[event], longitude[event], np.asarray(offset_km, float)[event])
    axes.set(xlim=limits[0], ylim=limits[1], xlabel="east (km)", ylabel="north (km)", aspect="equal")
    _draw_graticule(axes, project)
    draw_shores(axes, project, project.latitude_deg, project.longitude_deg)
    axes.set_title(f"azimuthal equidistant about {project.latitude_deg:.2f}, {project.longitude_deg:.2f}", fontsize=9)
    axes.legend(fontsize=8, loc="upper right")
    return save_figure(figure, path)


def error_figure(path: Path, error_km: np.ndarray, n_stations: np.ndarray, gap_deg: np.ndarray) -> Path:
    """Location error (N,) against the number of stations and against the azimuthal gap, with medians.

    Raises:
        DataError: no event has an error.
    """
    known = np.isfinite(error_km)
    if not known.any():
        raise DataError("There is nothing to draw: no event was located, or no true epicentre is known.")
    figure, left, right = _two_panels()
    error_km = np.maximum(np.asarray(error_km, float)[known], 1e-3)
    for axes, values, width, label in (
        (left, np.asarray(n_stations)[known], 2, "stations used"),
        (right, np.asarray(gap_deg)[known], 45, "azimuthal gap (degrees)"),
    ):
        axes.semilogy(values, error_km, ".", color=STATION, alpha=0.4, markersize=4)
        group = np.floor(values / width)
        present = np.unique(group)
        medians = [np.median(error_km[group == g]) for g in present]
        middle = [np.mean(values[group == g]) for g in present]
        axes.plot(middle, medians, "o-", color=ESTIMATED, label="median")
        axes.set(xlabel=label, ylabel="error of the epicentre (km)")
        axes.legend(frameon=False)
    return save_figure(figure, path)


def _draw_ellipses(axes: Axes, project: Projection, locations: Locations) -> None:
    ellipse: Ellipse = locations.ellipse95
    drawn = (ellipse.major_km < LARGEST_DRAWN_KM).nonzero()[:, 0]
    if not len(drawn):
        return
    turn = torch.linspace(0, 2 * torch.pi, CURVE_POINTS, dtype=torch.float64, device=drawn.device)
    azimuth = torch.deg2rad(ellipse.azimuth_deg[drawn])[:, None]
    along, across = ellipse.major_km[drawn, None] * turn.cos(), ellipse.minor_km[drawn, None] * turn.sin()
    centre = unit_vectors(locations.latitude_deg[drawn], locations.longitude_deg[drawn])
    north_km, east_km = along * azimuth.cos() - across * azimuth.sin(), along * azimuth.sin() + across * azimuth.cos()
    points = moved(centre[:, None].expand(-1, CURVE_POINTS, -1), north_km, east_km)
    east, north = project(*(values.cpu().numpy() for values in coordinates_deg(points)))
    axes.plot(east.T, north.T, color=ESTIMATED, linewidth=0.8)


def _draw_circles(
    axes: Axes, project: Projection, latitude_deg: np.ndarray, longitude_deg: np.ndarray, offset_km: np.ndarray
) -> None:
    usable = np.isfinite(latitude_deg + longitude_deg + offset_km) & (offset_km >= 0)
    centre = unit_vectors(torch.as_tensor(latitude_deg[usable]), torch.as_tensor(longitude_deg[usable]))
    turn = torch.linspace(0, 2 * torch.pi, CURVE_POINTS, dtype=torch.float64)
    radius = torch.as_tensor(offset_km[usable])[:, None]
    points = moved(centre[:, None].expand(-1, CURVE_POINTS, -1), radius * turn.cos(), radius * turn.sin())
    east, north = project(*(values.numpy() for values in coordinates_deg(points)))
    lines = axes.plot(east.T, north.T, color=CIRCLE, linewidth=0.7, linestyle="--")
    if lines:
        lines[0].set_label("observed distance")


def _draw_graticule(axes: Axes, project: Projection) -> None:
    """Meridians and parallels every round number of degrees, some five across the map."""
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    reach_deg = max(abs(west), abs(east), abs(south), abs(north)) / KM_PER_DEG * 1.5
    step = next((s for s in GRATICULE_STEPS_DEG if 2 * reach_deg / s >= 5), GRATICULE_STEPS_DEG[-1])
    first = np.floor(max(project.latitude_deg - reach_deg, -90) / step) * step
    last = min(project.latitude_deg + reach_deg, 90)
    shrink = np.cos(np.radians(min(89.9, abs(project.latitude_deg) + reach_deg)))
    half = 180.0 if shrink < 0.05 else min(180.0, reach_deg / shrink)
    across = next((s for s in GRATICULE_STEPS_DEG if 2 * half / s >= 5), GRATICULE_STEPS_DEG[-1])
    middle = np.round(project.longitude_deg / across) * across
    longitudes = middle + np.arange(-np.ceil(half / across), np.ceil(half / across) + 1) * across
    parallels = np.arange(max(first, -90), last + step, step)
    along = np.linspace(longitudes[0], longitudes[-1], CURVE_POINTS)
    for parallel in parallels[np.abs(parallels) < 90]:
        axes.plot(*project(np.full(CURVE_POINTS, parallel), along), color="0.85", linewidth=0.6, zorder=0)
    up = np.linspace(max(first, -90), min(last, 90), CURVE_POINTS)
    for meridian in longitudes:
        axes.plot(*project(up, np.full(CURVE_POINTS, meridian)), color="0.85", linewidth=0.6, zorder=0)
    axes.text(0.01, 0.01, f"graticule {step:g} x {across:g} degrees", transform=axes.transAxes, fontsize=7, color="0.5")


def _limits(axes: Axes) -> tuple[tuple[float, float], tuple[float, float]]:
    """A square about everything drawn so far."""
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    half = max(east - west, north - south, 1.0) / 2
    x, y = (west + east) / 2, (south + north) / 2
    return (x - half, x + half), (y - half, y + half)


def single_axes(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    """A figure of one panel."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    return figure, figure.subplots()


def _two_panels() -> tuple[Figure, Axes, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    return figure, left, right
