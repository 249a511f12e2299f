"""Maps of what one station knows of a place."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.earth.coast_lines import draw_shores
from seisvision.location.figures import Projection, single_axes
from seisvision.location.single import Calibrated, SingleLocations, StationView, region_border

MARGIN = 0.06
LINES = {0.95: ("0.45", "--"), 0.68: ("0.15", "-")}


def single_map(
    path: Path,
    view: StationView,
    found: SingleLocations,
    calibrated: Calibrated,
    row: int,
    true_deg: tuple[float, float] | None = None,
) -> Path:
    """Station, draws, the borders of the 68 and 95 % regions, the likeliest place and, where known, the true one.

    Args:
        path: PNG to write.
        view: of the stations.
        found: where the events are.
        calibrated: radii of the regions.
        row: which event.
        true_deg: latitude and longitude.
    """
    project = Projection(float(view.station_latitude_deg[row]), float(view.station_longitude_deg[row]))
    figure, axes = single_axes(5.0, 4.8)
    east, north = project(found.draws_latitude_deg[row], found.draws_longitude_deg[row])
    axes.scatter(east, north, s=3, alpha=0.25, color="#4477aa", linewidths=0, label="draws")
    shown = [(np.quantile(east, [0.02, 0.98]), np.quantile(north, [0.02, 0.98])), (np.zeros(1), np.zeros(1))]
    for level, (colour, style) in LINES.items():
        latitude, longitude = region_border(view, row, calibrated.radius(level))
        if len(latitude):
            line = project(latitude, longitude)
            shown.append(line)
            axes.plot(*line, color=colour, linestyle=style, linewidth=1, label=f"{level * 100:g} % region")
    axes.plot(0, 0, "^", color="k", markersize=9, label="station")
    place = project(found.latitude_deg[row], found.longitude_deg[row])
    axes.plot(*place, "o", color="#ee6677", markersize=6, label="located")
    if true_deg is not None and np.isfinite(true_deg).all():
        true = project(np.array([true_deg[0]]), np.array([true_deg[1]]))
        shown.append(true)
        axes.plot(*true, "*", color="#228833", markersize=13, linestyle="none", label="catalogue")
    # Draws far outside of the regions are not worth a map on which nothing else is seen.
    ends = [np.concatenate([one[axis] for one in shown]) for axis in (0, 1)]
    limits = [(one.min() - MARGIN * np.ptp(one), one.max() + MARGIN * np.ptp(one)) for one in ends]
    axes.set(xlabel="east of the station (km)", ylabel="north (km)", xlim=limits[0], ylim=limits[1], aspect="equal")
    draw_shores(axes, project, project.latitude_deg, project.longitude_deg)
    axes.legend(frameon=False, fontsize=7, loc="best")
    path.parent.mkdir(parents=True, exist_ok=True)
    return save_figure(figure, path)
