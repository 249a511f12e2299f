"""A second likelihood of ETAS: plain loops in numpy, shares of the region by counting points."""

from __future__ import annotations

import numpy as np

from seisvision.forecasting.etas.data import EtasData
from seisvision.forecasting.etas.parameters import EtasParameters


def slow_log_likelihood(
    data: EtasData, true: EtasParameters, density: np.ndarray, n_radii: int = 300, n_turns: int = 360
) -> float:
    whole = _omori(np.array([1000.0]), true)[0]
    total = 0.0
    for number, i in enumerate(data.target):
        rate = true.background_per_day * density[number]
        for j in range(len(data.time_days)):
            if data.time_days[j] < data.time_days[i]:
                rate += _at(data, true, whole, i, j)
        total += np.log(rate) + data.log_weight[number]
    turn = 2 * np.pi * (np.arange(n_turns) + 0.5) / n_turns
    quantile = (np.arange(n_radii) + 0.5) / n_radii
    expected = true.background_per_day * sum((end - begin) * weight for begin, end, weight in data.pieces)
    for j in range(len(data.time_days)):
        excess = data.magnitude[j] - true.reference_magnitude
        spread = true.d_km2 * np.exp(true.gamma * excess)
        in_time = 0.0
        for begin, end, weight in data.pieces:
            reached = _omori(np.array([begin, end]) - data.time_days[j], true)
            in_time += weight * (reached[1] - reached[0])
        # As many rings as hold equal parts of the aftershocks, and what of each ring lies inside.
        radius = np.sqrt(spread * ((1 - quantile) ** (-1 / (true.q - 1)) - 1))
        x = data.x_km[j] + radius[:, None] * np.cos(turn)
        y = data.y_km[j] + radius[:, None] * np.sin(turn)
        in_space = data.region.contains_km(x, y).mean()
        expected += true.productivity * np.exp(true.alpha * excess) * in_time / whole * in_space
    return float(total - expected)


def _at(data: EtasData, true: EtasParameters, whole: float, i: int, j: int) -> float:
    days = data.time_days[i] - data.time_days[j]
    excess = data.magnitude[j] - true.reference_magnitude
    spread = true.d_km2 * np.exp(true.gamma * excess)
    squared = (data.x_km[i] - data.x_km[j]) ** 2 + (data.y_km[i] - data.y_km[j]) ** 2
    in_time = (days + true.c_days) ** -true.p / whole
    in_space = (true.q - 1) / (np.pi * spread) * (1 + squared / spread) ** -true.q
    return float(true.productivity * np.exp(true.alpha * excess) * in_time * in_space)


def _omori(days: np.ndarray, true: EtasParameters) -> np.ndarray:
    """Integral of (t + c)^-p from 0."""
    after = np.maximum(days, 0)
    if true.p == 1:
        return np.log(after + true.c_days) - np.log(true.c_days)
    return ((after + true.c_days) ** (1 - true.p) - true.c_days ** (1 - true.p)) / (1 - true.p)
