"""Predicted places on a map, and how far they are off."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.earth.coast_lines import draw_shores
from seisvision.earth.projection import Projection
from seisvision.evaluation.figure_style import COLOURS, panel_grid
from seisvision.outputs.places.measures import PlaceErrors
from seisvision.outputs.plain import figure_path

UNTAUGHT = "no depth is predicted:\ntoo few training events have one"


def draw_places(
    stem: Path, plane: Projection, true_km: np.ndarray, decoded: np.ndarray, errors: PlaceErrors
) -> list[Path]:
    """Write ``<stem>_map.png``: true and predicted epicentres, joined, and depths; and ``<stem>_errors.png``.

    Args:
        stem: path whose name is completed.
        plane: on which kilometres count.
        true_km: (N, 3) east, north and depth.
        decoded: (N, 8) predicted places.
        errors: of the same.
    """
    figure, (plan, depth) = panel_grid(1, 2, 4.5, 4.0)
    plan.plot(*np.stack([true_km[:, :2], decoded[:, :2]], 2).transpose(1, 2, 0), color="0.8", lw=0.6, zorder=1)
    plan.scatter(true_km[:, 0], true_km[:, 1], s=10, color=COLOURS[0], label="true", zorder=2)
    plan.scatter(decoded[:, 0], decoded[:, 1], s=10, color=COLOURS[1], marker="x", lw=0.8, label="predicted", zorder=3)
    plan.set(xlabel="east (km)", ylabel="north (km)", aspect="equal")
    draw_shores(plan, plane.to_km, plane.latitude_deg, plane.longitude_deg)
    plan.legend()
    both = np.isfinite(true_km[:, 2] + decoded[:, 2])
    if both.any():
        depths_km = np.stack([true_km[both, 2], decoded[both, 2]])
        ends = depths_km.min(), depths_km.max()
        depth.plot(ends, ends, color="0.7", lw=0.8)
        depth.scatter(true_km[both, 2], decoded[both, 2], s=10, color=COLOURS[0])
    else:
        why = UNTAUGHT if np.isfinite(true_km[:, 2]).any() else "no event has a true depth"
        depth.text(0.5, 0.5, why, ha="center", va="center", transform=depth.transAxes)
        depth.set(xticks=[], yticks=[])
    depth.set(xlabel="true depth (km)", ylabel="predicted depth (km)")
    files = [figure_path(stem, "map"), figure_path(stem, "errors")]
    save_figure(figure, files[0])
    figure, (shares, axes) = panel_grid(1, 2, 4.5, 4.0)
    for name, size in (("epicentre", errors.epicentre_km), ("depth", np.abs(errors.depth_km))):
        ordered = np.sort(size[np.isfinite(size)])
        if len(ordered):
            shares.step(ordered, np.arange(1, len(ordered) + 1) / len(ordered), where="post", label=name)
    shares.set(xlabel="error (km)", ylabel="share of events within", ylim=(0, 1), xlim=(0, None))
    shares.legend()
    axes.axhline(0, color="0.8", lw=0.8)
    axes.axvline(0, color="0.8", lw=0.8)
    axes.scatter(errors.east_km, errors.north_km, s=10, color=COLOURS[0])
    axes.set(xlabel="predicted east of true (km)", ylabel="predicted north of true (km)", aspect="equal")
    save_figure(figure, files[1])
    return files
