"""Distance of a source from one three-component trace the classical way: pick P, pick S, look up S minus P.

This is what a network that reads distances off pictures has to beat. The table is that of a global Earth model and a
depth of 10 km; where training events tell better which distance belongs to S minus P, that is learnt from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.signal import butter, sosfilt

from seisvision import keys
from seisvision.earth.constants import KM_PER_DEG
from seisvision.earth.travel_times import TABLE_DISTANCES_DEG, travel_time_curve
from seisvision.errors import DataError
from seisvision.picking.akaike import samples_before_change

EARTH_MODEL = "ak135"
SOURCE_DEPTH_KM = 10.0
"""Depth that the method takes for granted."""
LOCAL_KM = 200.0
"""Sets are local where nearly all training traces were recorded within this distance."""
LOCAL_SHARE = 0.95
FEWEST_FOR_VELOCITY = 10
FEWEST_FOR_CURVE = 50
FOLDS = 5
RIGHT_SHARE = 0.1
NEAR_DEG = 4.0
NEAR_STEP_DEG = 0.1
FILTER_ORDER = 3
TAPER_SHARE = 0.02
LEAST_SHARE = 1e-3
"""Variance, as a share of that of the window, that counts as silence: sets are filtered with zero phase, which moves
that much ahead of strong arrivals. Without it S of a hundred times the noise is picked 0.05 s (local) to 0.6 s
(regional) early, with it within 0.06 s; P rises from the noise later than S, so S minus P is some 0.02 s (0.2 s) short
where signals are weak."""


@dataclass(frozen=True)
class PickerSettings:
    """How P and S are picked.

    Attributes:
        p_band_hz: pass band for P.
        s_band_hz: pass band for S.
        search_s: P is refined within this time of the given onset.
        smallest_s: least S minus P.
        short_s: length of the window behind S.
        long_s: length of the window before S, which begins before P where S follows soon.
        step: S is where energy first rises by this factor,
        largest_share: and by this share of the largest rise; 0 where surface waves rise most, 1 for the largest rise.
        leak: share of the radial and vertical energy that is taken for an error of the direction.
    """

    p_band_hz: tuple[float, float]
    s_band_hz: tuple[float, float]
    search_s: float
    smallest_s: float
    short_s: float
    long_s: float
    step: float = 5.0
    leak: float = 0.02
    largest_share: float = 0.0


# Tuned on a dozen synthetic events each. Teleseismic S comes before larger surface waves; local S is the largest rise.
GLOBAL = PickerSettings((0.4, 0.9), (0.04, 0.15), 5.0, 15.0, 15.0, 240.0)
REGIONAL = PickerSettings((1.0, 4.0), (1.0, 4.0), 2.0, 1.2, 4.0, 3.0, step=2.5, largest_share=1.0)
LOCAL = PickerSettings((3.0, 15.0), (4.0, 16.0), 0.5, 0.3, 1.2, 1.0, step=2.5, largest_share=1.0)


def default_settings(rate_hz: float) -> PickerSettings:
    """Settings for teleseismic data (up to 5 Hz), regional data (up to 25 Hz) and local data."""
    return GLOBAL if rate_hz <= 5 else REGIONAL if rate_hz <= 25 else LOCAL


@dataclass(frozen=True)
class Picks:
    """Picks of B traces, all (B,) float; NaN where there is none."""

    p_s: np.ndarray
    """P after the window start."""
    s_s: np.ndarray
    """S after the window start; NaN where no step is clear enough."""
    step: np.ndarray
    """Energy behind S over energy before it."""
    distance_km: np.ndarray
    """Epicentral distance from S minus P."""


@dataclass(frozen=True)
class Phases:
    """P and S of B traces without what follows from them, all (B,) float; see :class:`Picks`."""

    p_s: np.ndarray
    s_s: np.ndarray
    step: np.ndarray


def pick_distances(batch: Mapping[str, Any], settings: PickerSettings | None = None) -> Picks:
    """Pick a batch of single traces and look their distances up; arguments and errors as :func:`pick_phases`."""
    phases = pick_phases(batch, settings)
    return Picks(phases.p_s, phases.s_s, phases.step, distance_of(phases.s_s - phases.p_s))


def pick_phases(batch: Mapping[str, Any], settings: PickerSettings | None = None) -> Phases:
    """Pick a batch of single traces.

    P is the given onset moved to the least of the Akaike criterion of the vertical (:mod:`seisvision.picking.akaike`).
    The radial direction is where the horizontals go along with the vertical in P. S is a step of transverse energy
    (see `PickerSettings`), refined by the Akaike criterion.

    Args:
        batch: keys ``WAVEFORM`` (B, 1, C >= 3, T) in the order Z, N, E, ``ONSET_S`` (B, 1) and the sampling rate.
        settings: default those of the sampling rate.

    Raises:
        DataError: the samples are no single traces of three components, or a band lies above the Nyquist frequency.
    """
    waveform, rate_hz = np.asarray(batch[keys.WAVEFORM]), float(batch[keys.SAMPLING_RATE_HZ])
    if waveform.ndim != 4 or waveform.shape[1] != 1 or waveform.shape[2] < 3:
        raise DataError(
            f"S minus P needs single traces (B, 1, 3, T) of the components {keys.COMPONENTS}; got shape "
            f"{waveform.shape}. Take samples of single traces with components={keys.COMPONENTS}."
        )
    settings = settings or default_settings(rate_hz)
    traces = levelled(waveform[:, 0, :3].astype(float))
    onset_s = np.asarray(batch[keys.ONSET_S], float).reshape(-1)
    for_p = band_passed(traces, settings.p_band_hz, rate_hz)
    p = refined(for_p[:, 0], onset_s * rate_hz, np.full(len(traces), settings.search_s * rate_hz))
    parts = _rotated(for_p, band_passed(traces, settings.s_band_hz, rate_hz), p, settings, rate_hz)
    s, step = _steps(parts, p, settings, rate_hz)
    s = refined(parts[:, 0], s, np.full(len(s), settings.short_s * rate_hz))
    live = (np.ptp(traces, axis=-1) > 0).all(-1)
    clear = live & (step >= settings.step)
    p_s, s_s = np.where(live, p, np.nan) / rate_hz, np.where(clear, s, np.nan) / rate_hz
    return Phases(p_s, s_s, step)


def distance_of(s_minus_p_s: np.ndarray) -> np.ndarray:
    """Epicentral distance (N,) in km of a source at 10 km; NaN beyond the table (100 degrees).

    It is 0 where S follows sooner than it would right above that source.
    """
    distance_deg, delay_s = s_minus_p_table()
    known = np.isfinite(s_minus_p_s) & (s_minus_p_s >= 0) & (s_minus_p_s <= delay_s[-1])
    return np.where(known, np.interp(np.nan_to_num(s_minus_p_s), delay_s, distance_deg) * KM_PER_DEG, np.nan)


@dataclass(frozen=True)
class DistanceCurve:
    """Which distance belongs to a distance of the table, linear between knots and constant beyond them."""

    used: str
    """How the curve was found, for tables of results."""
    table_km: np.ndarray
    """(K,) distances of `distance_of`, rising."""
    offset_km: np.ndarray
    """(K,)."""

    def __call__(self, table_km: np.ndarray) -> np.ndarray:
        """Distances (N,) for those of the table (N,); NaN stays."""
        return np.where(np.isfinite(table_km), np.interp(table_km, self.table_km, self.offset_km), np.nan)


def fit_distance_curve(table_km: np.ndarray, offset_km: np.ndarray, source_ids: Sequence[str]) -> DistanceCurve:
    """The curve that training traces give.

    Local networks lie on a crust of their own with sources at depths of their own: there the curve is fitted, as a
    rising one of least squares (Barlow and others 1972, Statistical Inference under Order Restrictions) or, with fewer
    than 50 pairs, as the median velocity. Farther away it replaces the table only where, on training events that were
    left out, it is within 10 % more often. Below 10 pairs the table stays.

    Args:
        table_km: (N,) distances from automatic picks on training traces, see `distance_of`; NaN where there is none.
        offset_km: (N,) their true distances; NaN where not known.
        source_ids: N event ids.
    """
    known = np.isfinite(table_km) & np.isfinite(offset_km)
    table_km, offset_km, events = table_km[known], offset_km[known], np.asarray(source_ids)[known]
    straight = DistanceCurve("travel times of ak135 at 10 km depth", np.array([0.0, 2e4]), np.array([0.0, 2e4]))
    if len(table_km) < FEWEST_FOR_VELOCITY:
        return straight
    local = np.quantile(offset_km, LOCAL_SHARE) <= LOCAL_KM
    if len(table_km) < FEWEST_FOR_CURVE:
        return _velocity(table_km, offset_km) if local else straight
    if not local and _share_left_out(table_km, offset_km, events) <= _share_right(table_km, offset_km):
        return straight
    return _rising(table_km, offset_km)


def _velocity(table_km: np.ndarray, offset_km: np.ndarray) -> DistanceCurve:
    distance_deg, delay_s = s_minus_p_table()
    picked_s = np.interp(table_km / KM_PER_DEG, distance_deg, delay_s)
    velocity_km_s = float(np.median(offset_km / picked_s))
    used = f"{velocity_km_s:.2f} km per second of S minus P, fitted on {len(table_km)} training traces"
    return DistanceCurve(used, distance_deg * KM_PER_DEG, velocity_km_s * delay_s)


def _rising(table_km: np.ndarray, offset_km: np.ndarray) -> DistanceCurve:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(table_km, offset_km)
    used = f"curve of distance against S minus P, fitted on {len(table_km)} training traces"
    return DistanceCurve(used, fitted.X_thresholds_, fitted.y_thresholds_)


def _share_right(said_km: np.ndarray, offset_km: np.ndarray) -> float:
    return float((np.abs(said_km - offset_km) <= RIGHT_SHARE * offset_km).mean())


def _share_left_out(table_km: np.ndarray, offset_km: np.ndarray, events: np.ndarray) -> float:
    """Share within 10 % of curves that have not seen the event."""
    fold = np.unique(events, return_inverse=True)[1] % FOLDS
    said_km = np.full_like(table_km, np.nan)
    for number in range(FOLDS):
        held = fold == number
        if held.any() and not held.all():
            said_km[held] = _rising(table_km[~held], offset_km[~held])(table_km[held])
    return _share_right(said_km, offset_km)


@cache
def s_minus_p_table() -> tuple[np.ndarray, np.ndarray]:
    """Distances in degrees and the time between the first P and the first S in s, which grows with distance."""
    from obspy.taup import TauPyModel

    model = TauPyModel(EARTH_MODEL)
    near_deg = np.arange(0.0, NEAR_DEG, NEAR_STEP_DEG)
    near_s = np.array([_first_s(model, distance_deg) for distance_deg in near_deg])
    far = TABLE_DISTANCES_DEG >= NEAR_DEG
    p_s, s_s = (travel_time_curve(EARTH_MODEL, phase, SOURCE_DEPTH_KM)[far] for phase in "PS")
    distance_deg = np.concatenate([near_deg, TABLE_DISTANCES_DEG[far]])
    delay_s = np.concatenate([near_s, s_s - p_s])
    known = np.isfinite(delay_s)
    distance_deg, delay_s = distance_deg[known], delay_s[known]
    # Where branches cross, the delay stands still for a moment; the inverse needs it to grow.
    growing = np.concatenate([[True], delay_s[1:] > np.maximum.accumulate(delay_s)[:-1]])
    return distance_deg[growing], delay_s[growing]


def _first_s(model: Any, distance_deg: float) -> float:
    found = {"P": np.inf, "S": np.inf}
    for arrival in model.get_travel_times(SOURCE_DEPTH_KM, distance_deg, ["p", "P", "Pn", "s", "S", "Sn"]):
        kind = arrival.name[0].upper()
        found[kind] = min(found[kind], arrival.time)
    return found["S"] - found["P"]


def levelled(traces: np.ndarray) -> np.ndarray:
    """Traces (B, C, T) without mean and with short tapers, so that filters do not ring at the ends."""
    n = traces.shape[-1]
    edge = max(1, round(TAPER_SHARE * n))
    taper = np.minimum(1.0, np.minimum(np.arange(n), np.arange(n)[::-1]) / edge)
    return (traces - traces.mean(-1, keepdims=True)) * taper


def band_passed(traces: np.ndarray, band_hz: tuple[float, float], rate_hz: float) -> np.ndarray:
    """Causal Butterworth filter: a zero-phase one would move energy before the onsets."""
    low_hz, high_hz = band_hz
    if not 0 < low_hz < min(high_hz, rate_hz / 2):
        raise DataError(
            f"Band ({low_hz:g}, {high_hz:g}) Hz does not fit data of {rate_hz:g} samples per second; give "
            f"PickerSettings with 0 < low < high and low below {rate_hz / 2:g} Hz."
        )
    sections = butter(FILTER_ORDER, [low_hz, min(high_hz, 0.45 * rate_hz)], "bandpass", fs=rate_hz, output="sos")
    return sosfilt(sections, traces, axis=-1)


def _rotated(
    for_p: np.ndarray, for_s: np.ndarray, p: np.ndarray, settings: PickerSettings, rate_hz: float
) -> np.ndarray:
    """``for_s`` as T, R, Z (B, 3, T); the radial is along the horizontal motion that goes with the vertical after P."""
    after_p = cut(for_p, np.nan_to_num(p), round(2 * settings.search_s * rate_hz))
    vertical, north, east = after_p[:, 0], after_p[:, 1], after_p[:, 2]
    # Only the line matters: its two ends give the same transverse but for the sign.
    angle = np.arctan2((vertical * east).sum(-1), (vertical * north).sum(-1))[:, None]
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * for_s[:, 2] - sin * for_s[:, 1], cos * for_s[:, 1] + sin * for_s[:, 2], for_s[:, 0]], axis=1)


def _steps(parts: np.ndarray, p: np.ndarray, settings: PickerSettings, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """Sample (B,) where the transverse energy of T, R, Z (B, 3, T) first rises enough, and by what factor (B,)."""
    n = parts.shape[-1]
    place = np.arange(n)
    ahead = np.minimum(place + max(2, round(settings.short_s * rate_hz)), n)
    behind = np.maximum(place - round(settings.long_s * rate_hz), 0)
    total = np.concatenate([np.zeros((*parts.shape[:2], 1)), np.cumsum(parts**2, axis=-1)], axis=-1)
    after = (total[..., ahead] - total[..., :n]) / np.maximum(ahead - place, 1)
    before = (total[:, 0, :n] - total[:, 0, behind]) / np.maximum(place - behind, 1)
    background = before + settings.leak * (after[:, 1] + after[:, 2])
    since_s = (place - np.nan_to_num(p, nan=n)[:, None]) / rate_hz
    allowed = (since_s >= settings.smallest_s) & (ahead < n) & (background > 0)
    step = np.where(allowed, after[:, 0] / np.where(background > 0, background, 1.0), 0.0)
    enough = step >= np.maximum(settings.step, settings.largest_share * step.max(1, keepdims=True))
    first = np.where(enough.any(1), enough.argmax(1), step.argmax(1))
    # From the first sample above the threshold up to where the rise is steepest.
    reach = cut(step[:, None], first, round(settings.short_s * rate_hz))[:, 0]
    found = first + reach.argmax(1)
    largest = reach.max(1)
    return np.where(largest > 0, found, np.nan), np.where(np.isfinite(p), largest, np.nan)


def refined(trace: np.ndarray, near: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Sample (B,) of the least Akaike criterion of ``trace`` (B, T) within ``reach`` (B,) of ``near`` (B,)."""
    picks = np.full(len(trace), np.nan)
    for row in np.flatnonzero(np.isfinite(near)):
        begin = max(0, int(near[row] - reach[row]))
        # Before the window there is nothing; a negative end would count from the other side.
        part = trace[row, begin : max(begin, int(near[row] + reach[row]) + 2)]
        # The last sample before the change.
        picks[row] = begin + samples_before_change(part, LEAST_SHARE) - 1 if len(part) > 8 else near[row]
    return picks


def cut(traces: np.ndarray, begin: np.ndarray, length: int) -> np.ndarray:
    """Windows (B, C, length) that begin at samples (B,); the last sample is repeated behind the end."""
    places = np.clip(begin.astype(int)[:, None] + np.arange(max(length, 2)), 0, traces.shape[-1] - 1)
    return np.take_along_axis(traces, places[:, None], axis=-1)
