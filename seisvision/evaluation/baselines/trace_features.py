"""Hand-made features of single traces, for baselines that a network has to beat.

All functions take a batch of single traces, WAVEFORM (B, 1, C, T), and give one row a trace; what cannot be computed is
NaN, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.fft
from scipy.ndimage import uniform_filter1d

from seisvision import keys
from seisvision.errors import DataError
from seisvision.evaluation.baselines.features import FeatureBatch
from seisvision.evaluation.baselines.windows import POWER_FLOOR, Bands, band_energy, band_weights
from seisvision.picking.polarisation import polarise
from seisvision.picking.s_minus_p import PickerSettings, pick_distances

CODA_SHARE = 0.1
"""The coda ends where the envelope falls below this share of its peak."""
SMOOTHING_S = 1.0
SMOOTHING_SHARE = 0.01
"""Envelopes are smoothed over this time, or this share of the window where that is longer."""


def two_features(batch: Mapping[str, Any], bands_hz: Bands | None = None) -> FeatureBatch:
    """Time from the onset to the peak of the envelope, which grows with S minus P, and length of the coda behind it.

    Args:
        batch: single traces with onsets; the envelope is that of all components together.
        bands_hz: gives both features for every band; None takes the traces as they are.

    Raises:
        DataError: the samples are no single traces, or a band does not fit the sampling rate.
    """
    traces, rate_hz = _traces(batch), float(batch[keys.SAMPLING_RATE_HZ])
    onset_s = np.asarray(batch[keys.ONSET_S], float).reshape(-1)
    banded = {"": traces} if bands_hz is None else _banded(traces, bands_hz, rate_hz)
    columns, names = [], []
    for suffix, one in banded.items():
        columns += list(_peak_and_coda(one, onset_s, rate_hz))
        names += [f"onset_to_peak_s{suffix}", f"coda_length_s{suffix}"]
    values = np.stack(columns, axis=1)
    flat = ~(np.ptp(traces, axis=-1) > 0).any(-1)
    values[flat] = np.nan
    known = np.isfinite(onset_s)
    problems = ["no signal" if flat[i] else None if known[i] else "no onset" for i in range(len(traces))]
    return FeatureBatch(names, values, problems)


def spectral_ratio_features(batch: Mapping[str, Any], bands_hz: Bands) -> FeatureBatch:
    """Log power of the first band over that of the second, of the vertical component.

    Raises:
        DataError: there are not two bands, or one does not fit the sampling rate.
    """
    if len(bands_hz) != 2:
        raise DataError(f"A spectral ratio needs two bands; got {len(bands_hz)}. Give [[high band], [low band]] in Hz.")
    vertical, rate_hz = _traces(batch)[:, 0], float(batch[keys.SAMPLING_RATE_HZ])
    weights, n_fft = band_weights(vertical.shape[-1], rate_hz, bands_hz)
    power = np.abs(scipy.fft.rfft(vertical, n_fft, axis=-1)) ** 2
    logs = np.log(band_energy(power, weights, n_fft) + POWER_FLOOR)
    live = np.ptp(vertical, axis=-1) > 0
    (a, b), (c, d) = bands_hz
    names = [f"log_power_{a:.4g}_{b:.4g}_over_{c:.4g}_{d:.4g}_hz"]
    ratio = np.where(live, logs[:, 0] - logs[:, 1], np.nan)[:, None]
    return FeatureBatch(names, ratio, [None if one else "no signal" for one in live])


def s_minus_p_features(batch: Mapping[str, Any], **settings: Any) -> FeatureBatch:
    """Distance in km from S minus P through the table of ak135, see `pick_distances`.

    Args:
        batch: single traces of three components.
        settings: keywords of `PickerSettings`; none takes those of the sampling rate.
    """
    picks = pick_distances(batch, PickerSettings(**settings) if settings else None)
    problems = [None if np.isfinite(one) else "no clear S" for one in picks.distance_km]
    return FeatureBatch(["distance_km"], picks.distance_km[:, None], problems)


def polarisation_features(batch: Mapping[str, Any], **settings: Any) -> FeatureBatch:
    """Back azimuth in degrees from the polarisation of P, its cosine and sine, and how much the motion is on one line.

    Args:
        batch: single traces of three components, with onsets.
        settings: ``window_s`` of `polarise`.
    """
    found = polarise(batch, **settings)
    phase = np.radians(found.back_azimuth_deg)
    values = np.stack([found.back_azimuth_deg, np.cos(phase), np.sin(phase), found.rectilinearity], axis=1)
    problems = [None if np.isfinite(one) else "no P on three components" for one in found.back_azimuth_deg]
    return FeatureBatch(
        ["back_azimuth_deg", "back_azimuth_cos", "back_azimuth_sin", "rectilinearity"], values, problems
    )


def _traces(batch: Mapping[str, Any]) -> np.ndarray:
    """Traces (B, C, T) without mean."""
    waveform = np.asarray(batch[keys.WAVEFORM])
    if waveform.ndim != 4 or waveform.shape[1] != 1:
        raise DataError(
            f"Features of traces need samples of single traces (B, 1, C, T); got shape {waveform.shape}. "
            "Choose a view of single traces."
        )
    traces = waveform[:, 0].astype(float)
    return traces - traces.mean(-1, keepdims=True)


def _banded(traces: np.ndarray, bands_hz: Bands, rate_hz: float) -> dict[str, np.ndarray]:
    """Filtered traces (B, C, T) by the suffix of their features."""
    weights, n_fft = band_weights(traces.shape[-1], rate_hz, bands_hz)
    spectrum = scipy.fft.rfft(traces, n_fft, axis=-1)
    return {
        f"_{low_hz:.4g}_{high_hz:.4g}_hz": scipy.fft.irfft(spectrum * weight, n_fft, axis=-1)[..., : traces.shape[-1]]
        for (low_hz, high_hz), weight in zip(bands_hz, weights, strict=True)
    }


def _peak_and_coda(traces: np.ndarray, onset_s: np.ndarray, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Seconds (B,) from onset to peak, and from the peak until the envelope is low; the window end where it is not."""
    n = traces.shape[-1]
    smoothing = max(1, round(max(SMOOTHING_S * rate_hz, SMOOTHING_SHARE * n)))
    envelope = np.sqrt(np.maximum(uniform_filter1d((traces**2).sum(1), smoothing, axis=-1, mode="nearest"), 0))
    place = np.arange(n)
    # Before the onset there is only noise.
    after = place >= np.nan_to_num(onset_s * rate_hz)[:, None]
    peak = np.where(after, envelope, -1.0).argmax(1)
    low = (envelope < CODA_SHARE * envelope[np.arange(len(peak)), peak][:, None]) & (place > peak[:, None])
    end = np.where(low.any(1), low.argmax(1), n)
    return peak / rate_hz - onset_s, (end - peak) / rate_hz
