"""Hand-made features of events, for baselines that a network has to beat.

All functions take a batch of events as `seisvision.data.serving.collate.collate_events` makes it and work in numpy.
Features are medians over stations, so dead or faulty stations do little harm. What cannot be computed is NaN, with the
reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import scipy.fft

from seisvision import keys
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.sphere import back_azimuths
from seisvision.earth.travel_times import times_on_curve, travel_time_curve
from seisvision.errors import DataError
from seisvision.evaluation.baselines.windows import (
    POWER_FLOOR,
    Bands,
    Windows,
    band_energy,
    band_weights,
    prepare,
    recorded_samples,
    spectrum,
    transform_length,
)

FEATURES_VERSION = 3
"""Part of the name of cached tables: raise it when any feature changes."""

TravelTime = Callable[[str, np.ndarray], np.ndarray]
"""Maps a phase name and distances (S,) in degrees to travel times (S,) in seconds, NaN where the phase is absent."""

LONG_PERIOD_HZ = (1 / 150, 1 / 35)
MID_PERIOD_HZ = (1 / 30, 1 / 10)
SHORT_PERIOD_HZ = (0.4, 0.95)
DEFAULT_BANDS_HZ: Bands = (LONG_PERIOD_HZ, MID_PERIOD_HZ, SHORT_PERIOD_HZ)
"""Surface waves of large slow sources, the crustal surface-wave band, and teleseismic P."""

EXPERT_DEPTH_KM = 10.0
"""The expert does not know the depth: travel times are those of a shallow source."""
EXPERT_EARTH_MODEL = "ak135f_no_mud"
MAX_DISTANCE_DEG = 100.0
"""Travel-time tables end here."""
SOURCE_LATITUDE_DEG = "source_latitude_deg"
"""Batch key, float (B,): with azimuth and offset it gives the back azimuth; NaN where it is not known."""
LIVE = "live_stations"
"""Batch key, what `live_vertical` found (B,), so that kinds of features that are given one batch share it."""

RAYLEIGH_KM_S = 3.8
"""Group velocity of Rayleigh waves at periods of 35 to 150 s."""


@dataclass(frozen=True)
class FeatureBatch:
    """Features of the B events of a batch."""

    names: list[str]
    """F names."""
    values: np.ndarray
    """float64 (B, F); NaN where a feature cannot be computed."""
    problems: list[str | None]
    """Per event: why a feature is missing, None where all are there."""


def geometry_features(batch: Mapping[str, Any]) -> FeatureBatch:
    """Mean, least, greatest and spread of the offsets, and the number of stations.

    Nothing of the waveforms: a classifier that beats guessing with these has found a leak in the data.
    """
    mask, offset_km = required(batch, keys.STATION_MASK), required(batch, keys.OFFSET_KM)
    rows = [_geometry(offset_km[b][mask[b]]) for b in range(len(mask))]
    names = ["offset_mean_km", "offset_min_km", "offset_max_km", "offset_std_km", "n_stations"]
    return feature_batch(names, rows, ["offset_km is not known"] * len(rows))


def band_power_features(batch: Mapping[str, Any], bands_hz: Bands = DEFAULT_BANDS_HZ) -> FeatureBatch:
    """Median over live stations of the log mean power of the vertical component, per band.

    Args:
        batch: a batch of events; power has the unit of the waveform squared.
        bands_hz: pairs of lower and upper frequency.

    Raises:
        DataError: a band does not fit the sampling rate or the waveforms have no time samples.
    """
    waveform, rate_hz = required(batch, keys.WAVEFORM), float(batch[keys.SAMPLING_RATE_HZ])
    weights, n_fft = band_weights(waveform.shape[-1], rate_hz, bands_hz)
    rows = []
    for event in live_vertical(batch):
        power = band_energy(np.abs(event.spectrum).astype(float) ** 2, weights, n_fft)
        power /= event.recorded.sum(-1)[:, None]
        rows.append(_medians(np.log(power + POWER_FLOOR)))
    names = [f"log_power_{low:.4g}_{high:.4g}_hz" for low, high in bands_hz]
    return feature_batch(names, rows, ["no live station"] * len(rows))


STATION_VALUES = (keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.START_S)
"""What the expert must know of every station."""
PHYSICS_NAMES = [
    "log_p_snr",
    "log_p_snr_q90",
    "log_s_snr",
    "log_rayleigh_long_snr",
    "log_rayleigh_mid_snr",
    "log_rayleigh_mid_to_long",
    "log_love_to_rayleigh",
    "log_p_to_rayleigh",
    "log_p_to_s",
]


def physics_features(
    batch: Mapping[str, Any], bands_hz: Bands = DEFAULT_BANDS_HZ, travel_time: TravelTime | None = None
) -> FeatureBatch:
    """Nine log power ratios that an analyst would look at: the bar for networks that see the same recordings.

    Short-period P and S against the noise before P, Rayleigh waves at mid periods against the same noise window and at
    long periods against the end of the record, and the ratios mid/long Rayleigh, Love/Rayleigh, P/Rayleigh and P/S.
    The expert knows origin time, offsets and a global travel-time table, which the networks do not: it is a bar and
    not a fair opponent. The depth it does not know (`EXPERT_DEPTH_KM`).

    Args:
        batch: a batch of events with components Z, N, E, offsets, azimuths, window starts after the origin time and,
            under `SOURCE_LATITUDE_DEG`, source latitudes.
        bands_hz: long-period, mid-period and short-period band.
        travel_time: see `TravelTime`; None takes `default_travel_time`.

    Raises:
        DataError: the batch lacks components or keys, or a band does not fit the sampling rate.
    """
    waveform, rate_hz = required(batch, keys.WAVEFORM), float(batch[keys.SAMPLING_RATE_HZ])
    if waveform.shape[2] < len(keys.COMPONENTS):
        raise DataError(
            f"Physics features need the components {keys.COMPONENTS}; the samples have {waveform.shape[2]}. "
            f"Set components to {keys.COMPONENTS}, or leave the expert out."
        )
    stations = {key: required(batch, key) for key in (*STATION_VALUES, keys.COMPONENT_MASK)}
    latitude_deg = required(batch, SOURCE_LATITUDE_DEG)
    weights, _ = band_weights(waveform.shape[-1], rate_hz, bands_hz)
    times = travel_time or default_travel_time
    rows, problems = [], []
    for event in live_vertical(batch):
        values = {key: array[event.index, event.stations] for key, array in stations.items()}
        values[SOURCE_LATITUDE_DEG] = np.full(len(event.stations), latitude_deg[event.index], float)
        rows.append(_physics(event, waveform[event.index, event.stations], values, weights, times))
        problems.append(_physics_problem(values))
    return feature_batch(PHYSICS_NAMES, rows, problems)


@cache
def _curve(phase: str) -> np.ndarray:
    """In single precision, as tables of all depths are."""
    return travel_time_curve(EXPERT_EARTH_MODEL, phase, EXPERT_DEPTH_KM).astype(np.float32)


def default_travel_time(phase: str, distance_deg: np.ndarray) -> np.ndarray:
    """Travel times in seconds of a source at `EXPERT_DEPTH_KM`, up to `MAX_DISTANCE_DEG`."""
    time_s = times_on_curve(_curve(phase), np.nan_to_num(distance_deg))
    return np.where(distance_deg <= MAX_DISTANCE_DEG, time_s, np.nan)


@dataclass(frozen=True)
class LiveStations:
    """The stations of an event that recorded something, and what several kinds of features need of them.

    Args:
        index: number of the event in its batch.
        stations: their numbers (S,).
        vertical: their vertical components (S, T).
        rate_hz: samples per second.
    """

    index: int
    stations: np.ndarray
    vertical: np.ndarray
    rate_hz: float

    @cached_property
    def recorded(self) -> np.ndarray:
        """Which samples were recorded, bool (S, T)."""
        return recorded_samples(self.vertical, self.rate_hz)

    @cached_property
    def spectrum(self) -> np.ndarray:
        """Of the prepared vertical components, with the transform length of :func:`band_weights`, complex64 (S, F)."""
        return spectrum(prepare(self.vertical, self.rate_hz, self.recorded))


def live_vertical(batch: Mapping[str, Any]) -> list[LiveStations]:
    """Per event the stations whose vertical component holds a signal: those under `LIVE`, else they are looked for."""
    if LIVE in batch:
        return batch[LIVE]
    vertical, mask = required(batch, keys.WAVEFORM)[:, :, 0], required(batch, keys.STATION_MASK)
    rate_hz = float(batch[keys.SAMPLING_RATE_HZ])
    events = []
    for b in range(len(vertical)):
        stations = np.flatnonzero(mask[b] & (np.ptp(vertical[b], axis=-1) > 0))
        events.append(LiveStations(b, stations, vertical[b, stations], rate_hz))
    return events


def _geometry(offset_km: np.ndarray) -> np.ndarray:
    known = offset_km[np.isfinite(offset_km)].astype(float)
    if not len(known):
        return np.array([np.nan] * 4 + [len(offset_km)])
    return np.array([known.mean(), known.min(), known.max(), known.std(), len(offset_km)])


def _physics_problem(values: Mapping[str, np.ndarray]) -> str:
    if not len(values[keys.OFFSET_KM]):
        return "no live station"
    for key in (*STATION_VALUES, SOURCE_LATITUDE_DEG):
        if not np.isfinite(values[key]).any():
            return f"{key} is not known"
    if not values[keys.COMPONENT_MASK].all(-1).any():
        return "no station with three components"
    return "the window does not hold the P, S or surface waves"


def _physics(
    event: LiveStations,
    traces: np.ndarray,
    values: Mapping[str, np.ndarray],
    weights: np.ndarray,
    travel_time: TravelTime,
) -> np.ndarray:
    """Nine features (9,) of the traces (S, C, T) of the live stations of one event."""
    if not len(traces):
        return np.full(len(PHYSICS_NAMES), np.nan)
    back_azimuth_deg = back_azimuths(values[SOURCE_LATITUDE_DEG], values[keys.AZIMUTH_DEG], values[keys.OFFSET_KM])
    transverse = _transverse(traces, back_azimuth_deg, values[keys.COMPONENT_MASK])
    n_samples = traces.shape[-1]
    spectra = event.spectrum, spectrum(prepare(transverse, event.rate_hz))
    windows = Windows(event.recorded, values[keys.START_S], event.rate_hz)

    def energy(component: int, band: np.ndarray) -> np.ndarray:
        filtered = scipy.fft.irfft(spectra[component] * band, transform_length(n_samples), axis=-1)
        return windows.energy(filtered[:, :n_samples])

    long, mid, short = weights
    offset_km = values[keys.OFFSET_KM].astype(float)
    p_s, s_s = (travel_time(phase, offset_km / KM_PER_DEG) for phase in "PS")
    power = _window_powers(windows, energy(0, long), energy(0, mid), energy(0, short), offset_km, p_s, s_s)
    power["love"] = windows.log_power(energy(1, long), offset_km / 4.6 - 60, offset_km / RAYLEIGH_KM_S + 100)
    power["love"][np.ptp(transverse, axis=-1) == 0] = np.nan
    return _ratios(power)


def _window_powers(
    windows: Windows,
    long: np.ndarray,
    mid: np.ndarray,
    short: np.ndarray,
    offset_km: np.ndarray,
    p_s: np.ndarray,
    s_s: np.ndarray,
) -> dict[str, np.ndarray]:
    """Log mean power (S,) of the vertical component in the windows of waves and of noise."""
    rayleigh_s = offset_km / RAYLEIGH_KM_S
    # Noise ends before P but has a few seconds even where P follows the window start at once.
    noise = windows.begin_s, np.maximum(p_s - 5, windows.begin_s + 5)
    # Long-period noise is taken behind the surface waves: before P the window is shorter than a few periods.
    late_noise = np.minimum(rayleigh_s + 400, windows.end_s - 300), windows.end_s
    return {
        "noise": windows.log_power(short, *noise),
        "p": windows.log_power(short, p_s - 3, p_s + 30),
        "s": windows.log_power(short, s_s - 5, s_s + 60),
        "mid_noise": windows.log_power(mid, *noise),
        "rayleigh_mid": windows.log_power(mid, rayleigh_s, offset_km / 2.7 + 60),
        "long_noise": windows.log_power(long, *late_noise),
        "rayleigh": windows.log_power(long, rayleigh_s - 100, rayleigh_s + 250),
    }


def _ratios(power: Mapping[str, np.ndarray]) -> np.ndarray:
    """The features of `PHYSICS_NAMES` (9,) from log powers (S,)."""
    p_snr = power["p"] - power["noise"]
    ratios = [
        p_snr,
        power["s"] - power["noise"],
        power["rayleigh"] - power["long_noise"],
        power["rayleigh_mid"] - power["mid_noise"],
        power["rayleigh_mid"] - power["rayleigh"],
        power["love"] - power["rayleigh"],
        power["p"] - power["rayleigh"],
        power["p"] - power["s"],
    ]
    return np.insert(_medians(np.stack(ratios, axis=1)), 1, _quantile(p_snr, 0.9))


def _transverse(traces: np.ndarray, back_azimuth_deg: np.ndarray, component_mask: np.ndarray) -> np.ndarray:
    """Motion (S, T) clockwise across the path; zero where a horizontal or the back azimuth is missing."""
    usable = component_mask[:, 1:3].all(-1) & np.isfinite(back_azimuth_deg)
    angle = np.radians(np.where(usable, back_azimuth_deg, 0.0))[:, None].astype(np.float32)
    return np.where(usable[:, None], traces[:, 1] * np.sin(angle) - traces[:, 2] * np.cos(angle), 0)


def _medians(values: np.ndarray) -> np.ndarray:
    """Medians (F,) of the known of values (S, F); NaN where there is none."""
    if values.size and np.isfinite(values).all():
        return np.quantile(values, 0.5, axis=0)
    return np.array([_quantile(column, 0.5) for column in values.T])


def _quantile(values: np.ndarray, q: float) -> float:
    finite = values[np.isfinite(values)]
    return float(np.quantile(finite, q)) if len(finite) else np.nan


def required(batch: Mapping[str, Any], key: str) -> np.ndarray:
    """The array of a batch under a key.

    Raises:
        DataError: the samples do not hold it.
    """
    if key not in batch:
        raise DataError(
            f"The samples hold no '{key}', which this baseline needs. Leave the baseline out for this data."
        )
    return np.asarray(batch[key])


def feature_batch(names: list[str], rows: list[np.ndarray], reasons: Sequence[str]) -> FeatureBatch:
    """Rows (F,) of features as a batch; ``reasons`` say what is wrong with those rows that lack any."""
    values = np.array(rows, dtype=float).reshape(len(rows), len(names))
    complete = np.isfinite(values).all(1)
    return FeatureBatch(names, values, [None if ok else reason for ok, reason in zip(complete, reasons, strict=True)])
