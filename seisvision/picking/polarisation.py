"""Back azimuth of single traces from the polarisation of P: nothing is learnt.

P moves the ground along its ray: up and away from the source, or down and towards it. The first eigenvector of the
covariance of the three components just after P is that line (Jurkevics 1988, BSSA 78, 1725-1743), and the sign of its
vertical tells which of its two ends points away (Magotra, Ahmed and Chael 1987, BSSA 77, 958-971).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision import keys
from seisvision.errors import DataError
from seisvision.picking.s_minus_p import PickerSettings, band_passed, cut, default_settings, levelled, refined

FEWEST_SAMPLES = 5
"""Of a window after P; a covariance of three components needs more than three."""


@dataclass(frozen=True)
class Polarisation:
    """Polarisation of P of B traces, all (B,) float; NaN where it is not known."""

    back_azimuth_deg: np.ndarray
    """Azimuth from station to source, clockwise from north in [0, 360)."""
    rectilinearity: np.ndarray
    """1 where all motion is along one line, 0 where it has no direction: 1 - (l2 + l3) / (2 l1)."""
    incidence_deg: np.ndarray
    """Angle of the line to the vertical, 0 to 90."""
    p_s: np.ndarray
    """P after the window start, as it was used."""


def polarise(
    batch: Mapping[str, Any], window_s: float | None = None, settings: PickerSettings | None = None
) -> Polarisation:
    """Back azimuths of a batch of single traces.

    P is that of the table where the batch has arrivals; else the given onset, moved to the least of the Akaike
    criterion of the vertical. A trace without P in the window, or that lacks a component, has none.

    Args:
        batch: keys ``WAVEFORM`` (B, 1, C >= 3, T) in the order Z, N, E, ``ONSET_S`` (B, 1), the sampling rate, and
            where known ``COMPONENT_MASK`` (B, 1, C) and arrivals (B, 1, 2).
        window_s: length of the window after P; default one period in the middle of the pass band (0.15 s of local,
            0.5 s of regional, 1.7 s of teleseismic data): what comes later was scattered, or is S.
        settings: gives the pass band; default that of the sampling rate.

    Raises:
        DataError: the samples are no single traces of three components, or the band lies above the Nyquist frequency.
    """
    waveform, rate_hz = np.asarray(batch[keys.WAVEFORM]), float(batch[keys.SAMPLING_RATE_HZ])
    if waveform.ndim != 4 or waveform.shape[1] != 1 or waveform.shape[2] < 3:
        raise DataError(
            f"Polarisation needs single traces (B, 1, 3, T) of the components {keys.COMPONENTS}; got shape "
            f"{waveform.shape}. Take samples of single traces with components={keys.COMPONENTS}."
        )
    settings = settings or default_settings(rate_hz)
    traces = band_passed(levelled(waveform[:, 0, :3].astype(float)), settings.p_band_hz, rate_hz)
    p = _p_samples(batch, traces[:, 0], settings, rate_hz)
    low_hz, high_hz = settings.p_band_hz
    length = max(FEWEST_SAMPLES, round((window_s or (low_hz * high_hz) ** -0.5) * rate_hz))
    inside = np.isfinite(p) & (np.nan_to_num(p) >= 0) & (np.nan_to_num(p) + length <= traces.shape[-1])
    known = inside & (np.ptp(waveform[:, 0, :3], axis=-1) > 0).all(axis=1)
    if keys.COMPONENT_MASK in batch:
        known &= np.asarray(batch[keys.COMPONENT_MASK])[:, 0, :3].all(axis=1)
    after_p = cut(traces, np.where(known, np.nan_to_num(p), 0.0), length)
    return _of_windows(after_p, known, np.where(known, p, np.nan) / rate_hz)


def _of_windows(after_p: np.ndarray, known: np.ndarray, p_s: np.ndarray) -> Polarisation:
    """Polarisation of windows (B, 3, L) in the order Z, N, E."""
    # Before P the ground rests at zero, and the band has no constant part: nothing is taken off.
    covariance = after_p @ after_p.transpose(0, 2, 1)
    size, direction = np.linalg.eigh(covariance)
    known = known & (size[:, 2] > 0)
    line = direction[:, :, 2]
    up = np.where(line[:, :1] < 0, -line, line)
    # What goes up moves away from the source.
    back_azimuth_deg = np.degrees(np.arctan2(-up[:, 2], -up[:, 1])) % 360.0
    with np.errstate(invalid="ignore", divide="ignore"):
        rectilinearity = 1 - (size[:, 0] + size[:, 1]) / (2 * size[:, 2])
    incidence_deg = np.degrees(np.arccos(np.clip(up[:, 0], 0, 1)))
    told = {"back_azimuth_deg": back_azimuth_deg, "rectilinearity": rectilinearity, "incidence_deg": incidence_deg}
    return Polarisation(**{name: np.where(known, values, np.nan) for name, values in told.items()}, p_s=p_s)


def _p_samples(batch: Mapping[str, Any], vertical: np.ndarray, settings: PickerSettings, rate_hz: float) -> np.ndarray:
    """Sample of P (B,): that of the table, else the refined onset."""
    onset = np.asarray(batch[keys.ONSET_S], float).reshape(-1) * rate_hz
    told = np.full(len(onset), np.nan)
    if keys.ARRIVALS_S in batch:
        told = np.asarray(batch[keys.ARRIVALS_S], float)[:, 0, 0] * rate_hz
    found = refined(
        vertical, np.where(np.isfinite(told), np.nan, onset), np.full(len(onset), settings.search_s * rate_hz)
    )
    return np.where(np.isfinite(told), np.round(told), found)
