"""Attributes of waveforms as the field computes them to tell kinds of events apart: shape, duration, spectrum.

A choice of the sixty of Provost et al. (2017), Automatic classification of endogenous landslide seismicity using the
random forest supervised classifier, doi:10.1002/2016GL070709, and of Hibert et al. (2014), doi:10.1002/2014JF003233.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.fft
from scipy.ndimage import uniform_filter1d

from seisvision import keys
from seisvision.earth.constants import KM_PER_DEG
from seisvision.evaluation.baselines.features import FeatureBatch, feature_batch, live_vertical, required
from seisvision.evaluation.baselines.windows import POWER_FLOOR, band_energy, band_weights, recorded_samples

N_BANDS = 8
"""Bands of equal width on a logarithmic axis, from some periods a window to the edge of the anti-alias filter."""
PERIODS_IN_WINDOW = 8.0
TOP_SHARE_OF_RATE = 0.45
ENVELOPE_S = 1.0
ENVELOPE_SHARE = 0.01
"""Envelopes are smoothed over this time, or this share of the window where that is longer."""
BLOCKS_PER_ENVELOPE = 4
P_WINDOW_S = (0.0, 3.0)
"""After the onset: what the direction of the first motion is read from."""
DISTANCE_TERM = 1.66
"""Of the surface-wave magnitude: amplitudes fall by this power of the distance in degrees (IASPEI 1967)."""
SHAPE_NAMES = [
    "log_peak",
    "peak_time_share",
    "log_peak_to_mean",
    "log_peak_to_median",
    "log_kurtosis",
    "envelope_skewness",
    "log_seconds_above_half",
    "log_seconds_above_tenth",
    "log_rise_to_decay",
]
SPECTRUM_NAMES = ["log_centroid_hz", "log_quartile_1_hz", "log_median_hz", "log_quartile_3_hz", "log_bandwidth_hz"]
BAND_NAMES = [f"log_share_of_band_{number}" for number in range(1, N_BANDS + 1)]
WAVEFORM_NAMES = [*SHAPE_NAMES, *SPECTRUM_NAMES, *BAND_NAMES]
COMPONENT_NAMES = ["log_horizontal_to_vertical", "first_motion_north", "first_motion_east"]


def event_attributes(batch: Mapping[str, Any]) -> FeatureBatch:
    """Medians over live stations of the attributes of the vertical component, and peaks made comparable in distance."""
    offset_km, rate_hz = required(batch, keys.OFFSET_KM), float(batch[keys.SAMPLING_RATE_HZ])
    rows = []
    for event in live_vertical(batch):
        found = waveform_attributes(event.vertical.astype(float), rate_hz, event.recorded)
        distance_deg = offset_km[event.index, event.stations].astype(float) / KM_PER_DEG
        level = found[:, 0] + DISTANCE_TERM * np.log(np.maximum(distance_deg, 0.01))
        rows.append(_medians(np.column_stack([found, level])))
    return feature_batch([*WAVEFORM_NAMES, "log_peak_at_one_degree"], rows, ["no live station"] * len(rows))


def trace_attributes(batch: Mapping[str, Any]) -> FeatureBatch:
    """Attributes of the vertical component of single traces and, of three components, how they compare.

    ``first_motion_north`` and ``first_motion_east`` are the correlations of the vertical with the horizontals after
    the onset; with *P* upward the ground moves away from the source, so that they point back to it with a minus.
    """
    traces, rate_hz = required(batch, keys.WAVEFORM)[:, 0].astype(float), float(batch[keys.SAMPLING_RATE_HZ])
    traces = traces - traces.mean(-1, keepdims=True)
    onset_s = required(batch, keys.ONSET_S).reshape(-1).astype(float)
    names, columns = WAVEFORM_NAMES, waveform_attributes(traces[:, 0], rate_hz)
    if traces.shape[1] >= len(keys.COMPONENTS):
        names = [*WAVEFORM_NAMES, *COMPONENT_NAMES]
        columns = np.column_stack([columns, _components(traces, onset_s, rate_hz)])
    return feature_batch(names, list(columns), ["no signal"] * len(columns))


def waveform_attributes(traces: np.ndarray, rate_hz: float, recorded: np.ndarray | None = None) -> np.ndarray:
    """The attributes of :data:`WAVEFORM_NAMES` (N, F) of traces (N, T); NaN where a trace shows nothing.

    Args:
        traces: (N, T).
        rate_hz: samples per second.
        recorded: their `recorded_samples` where these are known already.
    """
    if recorded is None:
        recorded = recorded_samples(traces, rate_hz)
    n_recorded = np.maximum(recorded.sum(-1, keepdims=True), 1)
    traces = np.where(recorded, traces - traces.sum(-1, keepdims=True) / n_recorded, 0.0)
    values = np.column_stack([_shape(traces, recorded, rate_hz), _spectrum(traces, rate_hz)])
    values[~(np.ptp(traces, axis=-1) > 0)] = np.nan
    return values


def _shape(traces: np.ndarray, recorded: np.ndarray, rate_hz: float) -> np.ndarray:
    """How the energy is spread in time, from an envelope of blocks: its detail would cost much and tell little."""
    square = traces * traces
    power = square.mean(-1) + POWER_FLOOR
    kurtosis = (square * square).mean(-1) / power**2
    n = max(1, round(max(ENVELOPE_S * rate_hz, ENVELOPE_SHARE * traces.shape[-1]) / BLOCKS_PER_ENVELOPE))
    first = np.arange(0, traces.shape[-1], n)
    count = np.add.reduceat(recorded, first, axis=-1, dtype=float)
    energy = np.add.reduceat(square, first, axis=-1) / np.maximum(count, 1)
    envelope = np.sqrt(np.maximum(uniform_filter1d(energy, BLOCKS_PER_ENVELOPE, axis=-1, mode="nearest"), 0))
    is_empty = ~np.asarray(recorded.any(-1))[:, None]
    live = np.where((count > 0) | is_empty, envelope, np.nan)
    peak, place = envelope.max(-1) + POWER_FLOOR, envelope.argmax(-1)
    mean, middle = np.nanmean(live, axis=-1) + POWER_FLOOR, _medians(live.T) + POWER_FLOOR
    deviation = live - mean[:, None]
    spread = np.nanmean(deviation**2, axis=-1)
    skewness = np.nanmean(deviation * deviation * deviation, axis=-1) / (spread**1.5 + POWER_FLOOR)
    block_s = n / rate_hz
    above_s = [(envelope >= share * peak[:, None]).sum(-1) * block_s for share in (0.5, 0.1)]
    running = np.cumsum(envelope**2, axis=-1)
    before = running[np.arange(len(place)), place]
    return np.column_stack(
        [
            np.log(np.abs(traces).max(-1) + POWER_FLOOR),
            place / envelope.shape[-1],
            np.log(peak / mean),
            np.log(peak / middle),
            np.log(kurtosis + POWER_FLOOR),
            skewness,
            *(np.log(seconds + block_s) for seconds in above_s),
            np.log((before + POWER_FLOOR) / (running[:, -1] - before + POWER_FLOOR)),
        ]
    )


def _spectrum(traces: np.ndarray, rate_hz: float) -> np.ndarray:
    """Centroid, quartiles and width of the power spectrum, and the share of each band."""
    n = traces.shape[-1]
    low_hz, high_hz = PERIODS_IN_WINDOW * rate_hz / n, TOP_SHARE_OF_RATE * rate_hz
    edges_hz = np.geomspace(low_hz, max(high_hz, 1.5 * low_hz), N_BANDS + 1)
    weights, n_fft = band_weights(n, rate_hz, list(pairwise(edges_hz.tolist())))
    power = np.abs(scipy.fft.rfft(traces, n_fft, axis=-1)) ** 2
    shares = band_energy(power, weights, n_fft)
    frequency_hz = scipy.fft.rfftfreq(n_fft, 1 / rate_hz)
    inside = (frequency_hz >= low_hz) & (frequency_hz <= high_hz)
    power, frequency_hz = power[:, inside] + POWER_FLOOR, frequency_hz[inside]
    total = power.sum(-1)
    running = np.cumsum(power, axis=-1) / total[:, None]
    centroid = power @ frequency_hz / total
    width = np.sqrt(np.maximum(power @ frequency_hz**2 / total - centroid**2, POWER_FLOOR))
    quartiles = [frequency_hz[(running >= share).argmax(-1)] for share in (0.25, 0.5, 0.75)]
    return np.column_stack(
        [
            *(np.log(column) for column in (centroid, *quartiles, width)),
            np.log((shares + POWER_FLOOR) / (shares.sum(-1, keepdims=True) + POWER_FLOOR)),
        ]
    )


def _components(traces: np.ndarray, onset_s: np.ndarray, rate_hz: float) -> np.ndarray:
    """Horizontal over vertical power, and correlations of Z with N and E after the onset, (N, 3)."""
    power = (traces**2).mean(-1) + POWER_FLOOR
    ratio = np.log((power[:, 1] + power[:, 2]) / power[:, 0])
    after_s = np.arange(traces.shape[-1]) / rate_hz - onset_s[:, None]
    window = (after_s >= P_WINDOW_S[0]) & (after_s < P_WINDOW_S[1])
    cut = np.where(window[:, None], traces, 0.0)
    products = np.einsum("nt,nct->nc", cut[:, 0], cut[:, 1:3])
    size = np.sqrt((cut[:, 0] ** 2).sum(-1) * (cut[:, 1:3] ** 2).sum((1, 2))) + POWER_FLOOR
    motion = np.where(window.any(-1)[:, None], products / size[:, None], np.nan)
    return np.column_stack([ratio, motion])


def _medians(values: np.ndarray) -> np.ndarray:
    """Medians of the known values of each column; NaN where there is none."""
    if values.size and np.isfinite(values).all():
        return np.median(values, axis=0)
    return np.array([np.median(known) if len(known := column[np.isfinite(column)]) else np.nan for column in values.T])
