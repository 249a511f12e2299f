"""Figures of a forecast: where, when, what alarms cost, and whether chances are frequencies."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seisvision.base.figure_files import save_figure
from seisvision.catalogues.times import NS_PER_DAY
from seisvision.earth.coast_lines import draw_shores, draw_shores_in_degrees
from seisvision.errors import DataError
from seisvision.evaluation.figure_style import COLOURS, LINE_STYLES, panel_grid, plain_text
from seisvision.evaluation.figures import learning_figure
from seisvision.experiments.forecasting.comparing import NETWORK
from seisvision.forecasting.measures.alarms import molchan
from seisvision.forecasting.measures.blocks import Blocks
from seisvision.forecasting.measures.probabilities import chance_of_any
from seisvision.forecasting.task import ForecastTask
from seisvision.records.folder import RunFolder
from seisvision.records.history import logged_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAPPED = (NETWORK, "etas", "poisson")
MOST_POINTS = 2000


def draw(folder: RunFolder, task: ForecastTask, rates: Mapping[str, np.ndarray], metrics: Mapping[str, Any]) -> None:
    """Write all figures of a run.

    Args:
        folder: of the run.
        task: what was forecast.
        rates: (W, C) by name, of the test.
        metrics: what was measured.
    """
    rows = [{"epoch": epoch, name: value} for epoch, name, value in logged_values(folder.history_file)]
    with contextlib.suppress(DataError):
        learning_figure(folder.figures / "learning_curves.png", rows)
    _draw_maps(folder, task, rates)
    _draw_time_line(folder, task, rates, metrics)
    _draw_molchan(folder, task, rates)
    _draw_reliability(folder, metrics)


def _draw_maps(folder: RunFolder, task: ForecastTask, rates: Mapping[str, np.ndarray]) -> None:
    """Mean rate of each cell, on one scale, and the events that came."""
    shown = [name for name in MAPPED if name in rates]
    figure, panels = panel_grid(1, len(shown), 4.2, 3.8)
    grid = task.grid
    row, column = grid.rows_and_columns()
    extent = (grid.west, grid.west + grid.n_columns * grid.step, grid.south, grid.south + grid.n_rows * grid.step)
    names = ("east (km)", "north (km)") if grid.in_km else ("longitude (degrees)", "latitude (degrees)")
    # A degree is as long in both directions in the middle of the map.
    aspect = 1.0 if grid.in_km else 1 / max(np.cos(np.radians((extent[2] + extent[3]) / 2)), 0.1)
    means = {name: rates[name].mean(axis=0) / task.length_days for name in shown}
    low, high = (np.log10(end(np.concatenate(list(means.values())))) for end in (np.min, np.max))
    _, cell = np.nonzero(task.test_counts)
    draws = np.random.default_rng(0)
    place = cell[np.linspace(0, len(cell) - 1, min(len(cell), MOST_POINTS)).astype(int)] if len(cell) else cell
    for axes, name in zip(panels, shown, strict=True):
        lattice = np.full((grid.n_rows, grid.n_columns), np.nan)
        lattice[row, column] = np.log10(means[name])
        image = axes.imshow(
            lattice, origin="lower", vmin=low, vmax=high, cmap="viridis", aspect=aspect, extent=extent, zorder=0.2
        )
        # Within their cells, so that several events of one are seen.
        x, y = draws.uniform(0.1, 0.9, (2, len(place))) + np.stack([column[place], row[place]])
        axes.plot(grid.west + x * grid.step, grid.south + y * grid.step, ".", color="white", markersize=2, alpha=0.6)
        axes.set(xlim=extent[:2], ylim=extent[2:], xlabel=names[0])
        axes.set_title(name, fontsize=9)
        if grid.in_km:
            plane = grid.projection
            draw_shores(axes, plane.to_km, plane.latitude_deg, plane.longitude_deg, "white")
        else:
            draw_shores_in_degrees(axes, "white")
    panels[0].set_ylabel(names[1])
    figure.colorbar(image, ax=panels, label="log10 of events a day and cell", shrink=0.8)
    save_figure(figure, folder.figures / "rates_map.png")


def _draw_time_line(
    folder: RunFolder, task: ForecastTask, rates: Mapping[str, np.ndarray], metrics: Mapping[str, Any]
) -> None:
    """Events expected and counted window by window, and the part of the area under the network's alarm."""
    figure, (above, below) = panel_grid(2, 1, 8.0, 2.2)
    windows = task.test_windows
    when = (windows.begin_days * NS_PER_DAY).astype("datetime64[ns]")
    above.step(when, task.test_counts.sum(axis=1), where="post", color="0.6", label="came")
    for name, colour in zip(("etas", NETWORK), COLOURS, strict=False):
        if name in rates:
            above.step(when, rates[name].sum(axis=1), where="post", color=colour, label=name, linewidth=1)
    above.set_ylabel("events a window")
    above.set_yscale("symlog", linthresh=1)
    above.legend(frameon=False, fontsize=8, ncols=3)
    alarms = metrics["forecasts"]["forecasts"][NETWORK].get("alarms")
    if alarms is not None:
        area = task.grid.area_km2()
        raised = chance_of_any(rates[NETWORK]) >= alarms["threshold"]
        hit = (raised & (task.test_counts > 0)).any(axis=1)
        missed = (~raised & (task.test_counts > 0)).any(axis=1)
        part = (raised * area).sum(axis=1) / area.sum()
        below.step(when, part, where="post", color=COLOURS[1])
        below.plot(when[hit], part[hit], "o", color=COLOURS[2], markersize=3, label="with a hit")
        below.plot(when[missed], np.zeros(int(missed.sum())), "x", color="black", markersize=3, label="with a miss")
        below.legend(frameon=False, fontsize=8, ncols=2)
    below.set_ylabel("area under alarm")
    save_figure(figure, folder.figures / "alarms.png")


def _draw_molchan(folder: RunFolder, task: ForecastTask, rates: Mapping[str, np.ndarray]) -> None:
    figure, (axes,) = panel_grid(1, 1, 4.2, 3.8)
    area, blocks = task.grid.area_km2(), Blocks(len(task.test_counts), len(task.test_counts))
    for number, (name, one) in enumerate(rates.items()):
        found = molchan(one, task.test_counts, area, blocks)
        axes.step(found.alarmed, found.missed, where="post", label=name, **_style(number, name))
    axes.plot([0, 1], [1, 0], color="0.7", linewidth=0.8)
    axes.set_xlabel("area and time under alarm")
    axes.set_ylabel("events missed")
    axes.legend(frameon=False, fontsize=8)
    save_figure(figure, folder.figures / "molchan.png")


def _draw_reliability(folder: RunFolder, metrics: Mapping[str, Any]) -> None:
    figure, (axes,) = panel_grid(1, 1, 4.2, 3.8)
    for number, (name, one) in enumerate(metrics["forecasts"]["forecasts"].items()):
        bins = [row for row in one["reliability"] if row["chance"] > 0]
        axes.plot([row["chance"] for row in bins], [max(row["frequency"], 1e-6) for row in bins], marker=".",
                  label=plain_text(name), **_style(number, name))  # fmt: skip
    low, high = axes.get_xlim()
    axes.plot([max(low, 1e-6), high], [max(low, 1e-6), high], color="0.7", linewidth=0.8)
    _log_axes(axes)
    axes.set_xlabel("chance said")
    axes.set_ylabel("how often it came")
    axes.legend(frameon=False, fontsize=8)
    save_figure(figure, folder.figures / "reliability.png")


def _log_axes(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
        axis.set_minor_formatter("")


def _style(number: int, name: str) -> dict[str, Any]:
    if name == NETWORK:
        return {"color": "black", "linewidth": 1.8}
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": LINE_STYLES[number % len(LINE_STYLES)]}
