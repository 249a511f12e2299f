"""How far places from single stations are from the truth, and how often their regions hold it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.location.single import LEVELS, Calibrated

WITHIN_KM = (5, 10, 20)


def single_measures(
    source_ids: Any,
    table: pd.DataFrame,
    errors: Mapping[str, np.ndarray],
    radius: np.ndarray,
    calibrated: Calibrated,
    level: float,
) -> dict[str, Any]:
    """Bias, median, mean and 90th percentile of errors, always apart: of epicentres, depths and origin times."""
    measures = error_measures(source_ids, errors["error_km"], level)
    for name, column, unit in (("depth", "depth_error_km", "km"), ("origin", "origin_error_s", "s")):
        values = table[column].to_numpy(float)
        known = np.isfinite(values)
        if known.any():
            bootstrap = EventBootstrap(np.asarray(source_ids)[known], level)
            size = np.abs(values[known])
            measures |= {
                f"{name}_bias_{unit}": bootstrap.mean(values[known]).to_dict(),
                f"{name}_mae_{unit}": bootstrap.mean_size(size).to_dict(),
                f"{name}_median_ae_{unit}": bootstrap.median(size).to_dict(),
                f"{name}_p90_ae_{unit}": Measure(float(np.quantile(size, 0.9)), n=len(size), kind="none").to_dict(),
            }
    known = np.isfinite(radius)
    if known.any():
        bootstrap = EventBootstrap(np.asarray(source_ids)[known], level)
        for one in LEVELS:
            inside = radius[known] <= calibrated.radius(one)
            measures[f"coverage_{one * 100:g}"] = bootstrap.share(inside).to_dict()
    depth, ends = errors["true_depth_km"], table[["depth_low95_km", "depth_high95_km"]].to_numpy(float)
    known = np.isfinite(depth + ends.sum(1))
    if known.any():
        inside = ((depth >= ends[:, 0]) & (depth <= ends[:, 1]))[known]
        measures["depth_coverage_95"] = EventBootstrap(np.asarray(source_ids)[known], level).share(inside).to_dict()
    area = table["area95_km2"].to_numpy(float)
    if np.isfinite(area).any():
        measures["median_area_95_km2"] = Measure(float(np.median(area)), n=len(area), kind="none").to_dict()
    return measures


def error_measures(source_ids: Any, error_km: np.ndarray, level: float) -> dict[str, Any]:
    """Errors of epicentres (N,) with intervals over events, and how many traces have none."""
    known = np.isfinite(error_km)
    events, size = np.asarray(source_ids)[known], error_km[known]
    found = {"unlocated": Measure.proportion(int((~known).sum()), len(known), level).to_dict()}
    if not known.any():
        return found
    bootstrap = EventBootstrap(events, level)
    return {
        "median_error_km": bootstrap.median(size).to_dict(),
        "mean_error_km": bootstrap.mean_size(size).to_dict(),
        "p90_error_km": Measure(float(np.quantile(size, 0.9)), n=len(size), kind="none").to_dict(),
        **{f"within_{km}km": bootstrap.share(size <= km).to_dict() for km in WITHIN_KM},
    } | found
