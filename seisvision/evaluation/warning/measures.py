"""How right early answers are by seconds since the first P: errors, coverage, first right alerts and false ones."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.base.figure_files import save_figure
from seisvision.earth.geodesics import geodesic
from seisvision.errors import DataError
from seisvision.evaluation.figure_style import COLOURS, LINE_STYLES, panel_grid, plain_text
from seisvision.evaluation.warning.said import Estimator, Said, Truth

log = logging.getLogger(__name__)

SECONDS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0)
TICKS, TICKS_KM = (0.5, 1, 2, 5, 10, 20), (0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
RIGHT_KM = 10.0
"""An alert is right whose epicentre is this near."""
CHI_SQUARE2_95 = 5.9915
NORMAL_95 = 1.959964
DAY_S = 86_400.0


def errors_km(said: Said, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Distances (N,) of the epicentres from the truth, and whether it lies in the 95 % regions: 1, 0, NaN without."""
    error, inside = np.full(len(truth.first_p_s), np.nan), np.full(len(truth.first_p_s), np.nan)
    rows = np.flatnonzero(np.isfinite(said.latitude_deg) & truth.is_event)
    if not len(rows):
        return error, inside
    here = said.latitude_deg[rows], said.longitude_deg[rows]
    error[rows], azimuth, _ = geodesic(*here, truth.latitude_deg[rows], truth.longitude_deg[rows])
    away = error[rows, None] * np.stack([np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))], 1)
    covariance = said.covariance_km2[rows]
    stated = np.isfinite(covariance).all((1, 2))
    solved = np.linalg.solve(covariance[stated], away[stated][..., None])[..., 0]
    inside[rows[stated]] = (away[stated] * solved).sum(1) <= CHI_SQUARE2_95
    return error, inside


def table_by_time(
    estimators: Sequence[Estimator], truth: Truth, seconds: Sequence[float] = SECONDS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measures by estimator and seconds since the first P, and by estimator the first right alert of each event.

    Noise has no first P: of it as much is seen as of an event whose P comes at the median of all. False alerts per day
    are recordings of noise with an alert, over the time that was seen of them. Earthquakes without a place or a P count
    as neither, and are told.

    Raises:
        DataError: no earthquake has a place and a P.
    """
    rows, firsts = [], []
    neither = ~truth.is_event & ~truth.is_noise
    if not truth.is_event.any():
        raise DataError(
            f"none of the {len(neither)} recordings is an earthquake with a place and a P: seconds since the first P "
            "cannot be counted. Give a set with arrivals, such as trace_p_arrival_sample."
        )
    if neither.any():
        log.warning(
            "%d of %d recordings have no place or no P and are not labelled as noise: they count neither as "
            "earthquakes nor for false alerts, such as %s.",
            neither.sum(), len(neither), truth.source_id[int(neither.argmax())],
        )  # fmt: skip
    start_s = np.where(truth.is_event, truth.first_p_s, np.median(truth.first_p_s[truth.is_event]))
    for estimator in estimators:
        first = np.full(len(start_s), np.nan)
        for second in seconds:
            seen_s = np.minimum(start_s + second, truth.length_s)
            said = estimator.said(seen_s)
            error, inside = errors_km(said, truth)
            rows.append(
                {"estimator": estimator.name, "seconds": second} | _measured(said, error, inside, seen_s, truth)
            )
            right = (said.alert != 0) & (error <= RIGHT_KM)
            first = np.where(np.isnan(first) & right, second, first)
        firsts.append({"estimator": estimator.name} | _first(first[truth.is_event]))
    return pd.DataFrame(rows), pd.DataFrame(firsts)


def _measured(said: Said, error: np.ndarray, inside: np.ndarray, seen_s: np.ndarray, truth: Truth) -> dict[str, Any]:
    event = truth.is_event
    known, off = error[event & np.isfinite(error)], np.abs(said.magnitude - truth.magnitude)[event]
    sigma = said.magnitude_sigma[event]
    stated = np.isfinite(off) & np.isfinite(sigma)
    noise = truth.is_noise & np.isfinite(said.alert)
    days = seen_s[noise].sum() / DAY_S
    return {
        "events": int(event.sum()),
        "located": _mean(np.isfinite(error[event])),
        "error_median_km": _quantile(known, 0.5),
        "error_p90_km": _quantile(known, 0.9),
        "within_10_km": _mean(error[event] <= RIGHT_KM),
        "region95_stated": _mean(np.isfinite(inside[event])),
        "region95_holds": _mean(inside[event & np.isfinite(inside)]),
        "magnitude_mae": _mean(off[np.isfinite(off)]),
        "magnitude95_holds": _mean(off[stated] <= NORMAL_95 * sigma[stated]),
        "alerts": _mean(said.alert[event & np.isfinite(said.alert)]),
        "false_alerts_a_day": float(said.alert[noise].sum() / days) if days > 0 else float("nan"),
        "noise_days": float(days),
    }


def _first(first_s: np.ndarray) -> dict[str, Any]:
    found = first_s[np.isfinite(first_s)]
    return {
        "events": len(first_s),
        "right_alert": len(found) / max(1, len(first_s)),
        "first_right_median_s": _quantile(found, 0.5),
        "first_right_p90_s": _quantile(found, 0.9),
    }


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _quantile(values: np.ndarray, level: float) -> float:
    return float(np.quantile(values, level)) if len(values) else float("nan")


def draw_by_time(table: pd.DataFrame, path: Path) -> Path:
    """Four panels against the seconds: error of the place, coverage, error of the magnitude, alerts; and who is who."""
    from matplotlib.ticker import NullFormatter

    figure, (*panels, beside) = panel_grid(1, 5, 3.4, 3.4)
    columns = {
        "error_median_km": "median epicentral error (km)",
        "region95_holds": "truth in 95 % region",
        "magnitude_mae": "mean magnitude error",
        "alerts": "share of events with an alert",
    }
    for number, (name, rows) in enumerate(table.groupby("estimator", sort=False)):
        colour, line = COLOURS[number % len(COLOURS)], LINE_STYLES[number // len(COLOURS) % len(LINE_STYLES)]
        for panel, column in zip(panels, columns, strict=True):
            panel.plot(rows["seconds"], rows[column], marker="o", ms=3, label=plain_text(name), color=colour, ls=line)
    for panel, (column, label) in zip(panels, columns.items(), strict=True):
        panel.set(xlabel="seconds since the first P", ylabel=label, xscale="log")
        panel.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        panel.xaxis.set_minor_formatter(NullFormatter())
        if column == "region95_holds":
            panel.axhline(0.95, color="0.6", lw=1)
        if column in ("region95_holds", "alerts"):
            panel.set_ylim(-0.02, 1.02)
    errors = table["error_median_km"].dropna()
    if len(errors):
        low_km, high_km = 0.8 * errors.min(), 1.25 * errors.max()
        shown_km = [km for km in TICKS_KM if low_km <= km <= high_km]
        panels[0].set(yscale="log", ylim=(low_km, high_km))
        panels[0].set_yticks(shown_km, [f"{km:g}" for km in shown_km])
        panels[0].yaxis.set_minor_formatter(NullFormatter())
    beside.set_axis_off()
    beside.legend(*panels[0].get_legend_handles_labels(), loc="center left", fontsize=8)
    return save_figure(figure, path)
