"""Recordings replayed packet by packet: what would have been said when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from seisvision.errors import ConfigurationError
from seisvision.evaluation.warning.said import Estimator, Truth

COLUMNS = (
    "time_ns", "source_id", "estimator", "since_first_p_s", "latitude_deg", "longitude_deg", "depth_km",
    "sigma_east_km", "sigma_north_km", "magnitude", "magnitude_sigma",
)  # fmt: skip
"""Of the statements."""


def replayed(
    estimators: Sequence[Estimator],
    truth: Truth,
    start_ns: Sequence[int],
    packet_s: float,
    from_s: np.ndarray | None = None,
) -> Iterator[dict[str, Any]]:
    """One row for each statement, in the order of each recording's clock.

    Every ``packet_s`` seconds one packet of every station has come in, and every estimator is asked. A statement is a
    place with an alert, or of one who gives no alerts a place; nobody is asked before the first packet, nor about a
    recording before ``from_s`` (N,) of it.

    Raises:
        ConfigurationError: the packet has no length.
    """
    if not packet_s > 0:
        raise ConfigurationError(f"packets of {packet_s} s have no length; give seconds above 0.")
    n = len(truth.source_id)
    if not n:
        return
    for count in range(1, int(np.ceil(truth.length_s / packet_s - 1e-9)) + 1):
        seen_s = np.full(n, min(count * packet_s, truth.length_s))
        for estimator in estimators:
            said = estimator.said(seen_s)
            told = np.isfinite(said.latitude_deg) & (said.alert != 0)
            if from_s is not None:
                told &= seen_s >= from_s
            for row in np.flatnonzero(told).tolist():
                yield {
                    "time_ns": int(start_ns[row]) + round(float(seen_s[row]) * 1e9),
                    "source_id": truth.source_id[row],
                    "estimator": estimator.name,
                    "since_first_p_s": float(seen_s[row] - truth.first_p_s[row]),
                    "latitude_deg": float(said.latitude_deg[row]),
                    "longitude_deg": float(said.longitude_deg[row]),
                    "depth_km": float(said.depth_km[row]),
                    "sigma_east_km": float(np.sqrt(said.covariance_km2[row, 0, 0])),
                    "sigma_north_km": float(np.sqrt(said.covariance_km2[row, 1, 1])),
                    "magnitude": float(said.magnitude[row]),
                    "magnitude_sigma": float(said.magnitude_sigma[row]),
                }
