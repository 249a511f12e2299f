"""Local magnitudes from windows of events, and of repeats from their size against the template's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from seisvision.cataloguing.job import CatalogueJob
from seisvision.cataloguing.matching.stage import detected_events
from seisvision.cataloguing.network import predict
from seisvision.cataloguing.settings import MagnitudeStage
from seisvision.cataloguing.windows import Events, located_events, windows_of
from seisvision.data.importing.tables.times import NS
from seisvision.errors import ConfigurationError, did_you_mean

GAIN, PERIOD_S, DAMPING = 2080.0, 0.8, 0.7
"""Of a Wood-Anderson seismograph (Uhrhammer and Collins 1990)."""
LOWEST_HZ = 0.5
"""Below, noise of long periods would count as amplitude."""
AFTER_S = 5.0
"""S counts so long and as long again as it lies behind P."""
TAPERED = 20
"""One over the share of a window that fades in, and that fades out."""
COLUMNS = ("event_id", "magnitude", "magnitude_error", "n_stations", "kind", "reason")


def hutton_boore(amplitude_mm: np.ndarray, distance_km: np.ndarray) -> np.ndarray:
    """ML of southern California: log10 A + 1.11 log10(R / 100) + 0.00189 (R - 100) + 3."""
    far = 1.110 * np.log10(distance_km / 100) + 0.00189 * (distance_km - 100)
    return np.asarray(np.log10(amplitude_mm) + far + 3)


def pal(amplitude_mm: np.ndarray, distance_km: np.ndarray) -> np.ndarray:
    """Of PAL (Zhou et al. 2022): log10 of ground displacement in micrometres plus log10 R plus 1."""
    return np.asarray(np.log10(1000 * amplitude_mm / GAIN) + np.log10(distance_km) + 1)


CORRECTIONS = {"hutton_boore": hutton_boore, "pal": pal}


def wood_anderson_mm(ground: np.ndarray, rate_hz: float, unit: str) -> np.ndarray:
    """What a Wood-Anderson seismograph would draw (..., T) in mm of ground motion in ``m``, ``m/s`` or ``m/s**2``.

    Raises:
        KeyError: the unit is no other.
    """
    order = {"m": 0, "m/s": 1, "m/s**2": 2}[unit]
    n = ground.shape[-1]
    taper = np.ones(n)
    edge = max(1, n // TAPERED)
    taper[:edge] = np.sin(np.linspace(0, np.pi / 2, edge)) ** 2
    taper[-edge:] = taper[:edge][::-1]
    omega = 2 * np.pi * np.fft.rfftfreq(2 * n, 1 / rate_hz)
    own = 2 * np.pi / PERIOD_S
    response = GAIN * omega**2 / (omega**2 - own**2 - 2j * DAMPING * own * omega)
    with np.errstate(divide="ignore", invalid="ignore"):
        response = np.where(omega > 0, response / (1j * omega) ** order, 0.0)
    # A high-pass of second order without delay.
    response = response * omega**4 / (omega**4 + (2 * np.pi * LOWEST_HZ) ** 4)
    level = (ground - ground.mean(-1, keepdims=True)) * taper
    return np.asarray(1000 * np.fft.irfft(np.fft.rfft(level, 2 * n) * response, 2 * n)[..., :n])


def magnitudes(job: CatalogueJob) -> dict[str, Any]:
    """``magnitudes.csv`` of all events and ``station_magnitudes.csv``."""
    how = job.settings.magnitude
    if how.correction not in CORRECTIONS:
        raise ConfigurationError(
            f"magnitude.correction={how.correction} is unknown. {did_you_mean(how.correction, list(CORRECTIONS))}"
        )
    events = located_events(job)
    single: list[dict[str, Any]] = []
    rows = []
    for row in range(len(events)):
        own, reason = _station_magnitudes(job, events, row, how)
        single += own
        values = [one["magnitude"] for one in own if not one["reason"]]
        rows.append(_of_stations(str(events.event_id[row]), values, "ML", reason))
    if "match" in job.settings.stages:
        known = {row["event_id"]: row["magnitude"] for row in rows}
        rows += _of_repeats(job, known)
    job.write("magnitudes", pd.DataFrame(rows, columns=list(COLUMNS)))
    job.write(
        "station_magnitudes",
        pd.DataFrame(single, columns=["event_id", "station_id", "distance_km", "magnitude", "reason"]),
    )
    none = sum(bool(row["reason"]) for row in rows)
    return {"magnitudes": len(rows) - none, "without": none, "correction": how.correction}


def _station_magnitudes(
    job: CatalogueJob, events: Events, row: int, how: MagnitudeStage
) -> tuple[list[dict[str, Any]], str]:
    """Of all stations with recordings, those left out with the reason, and why the event has none if it has none."""
    raw = windows_of(job, events, row)
    place = (events.latitude_deg[[row]], events.longitude_deg[[row]], events.depth_km[[row]])
    flat_km = predict(*place, job.network, job.travel_times).distance_km[0]
    distance_km = np.hypot(flat_km, events.depth_km[row] + job.network.elevation_km)
    found = []
    for station in np.flatnonzero(raw.start_ns).tolist():
        starts_s = (events.arrival_ns[row, station] - raw.start_ns[station]) / NS
        known, unit = np.asarray(raw.known[station, 1:].all(1)), str(raw.unit[station])
        heights, reason = _amplitudes_mm(
            raw.samples[station, 1:], known, unit, job.settings.cut.rate_hz, starts_s, how.least_snr
        )
        far = np.full(len(heights), distance_km[station])
        value = float(CORRECTIONS[how.correction](heights, far).mean()) if len(heights) else np.nan
        found.append(
            {
                "event_id": str(events.event_id[row]),
                "station_id": job.network.station_id[station],
                "distance_km": round(float(distance_km[station]), 3),
                "magnitude": round(value, 3),
                "reason": reason,
            }
        )
    reasons = [str(one["reason"]) for one in found]
    if not reasons or "" in reasons:
        return found, "" if reasons else "no station has recordings of it"
    return found, f"no station can tell; {max(set(reasons), key=reasons.count)}"


def _amplitudes_mm(
    samples: np.ndarray, known: np.ndarray, unit: str, rate_hz: float, arrival_s: np.ndarray, least_snr: float
) -> tuple[np.ndarray, str]:
    """Largest amplitudes of the horizontals of a station that stand out of the noise, or why there are none.

    Args:
        samples: (2, T) N and E.
        known: (2,) bool, nothing is missing.
        unit: of the samples.
        rate_hz: sampling rate.
        arrival_s: (2,) P and S after the first sample.
        least_snr: amplitude over noise.
    """
    none = np.empty(0)
    if unit not in ("m", "m/s", "m/s**2"):
        return none, "the stations do not say what a count is"
    if not known.any():
        return none, "no horizontal without a gap"
    p, s = (round(float(one) * rate_hz) for one in arrival_s)
    n = samples.shape[-1]
    if s + round(AFTER_S * rate_hz) > n - n // TAPERED:
        length_s = math.ceil((s / rate_hz + AFTER_S) * TAPERED / (TAPERED - 1))
        return none, f"S lies beyond the window; cut.length_s={length_s} or more would hold it"
    drawn = np.abs(wood_anderson_mm(samples.astype(float), rate_hz, unit))
    quiet = drawn[:, max(0, p - round(4 * rate_hz)) : max(1, p - round(0.5 * rate_hz))]
    signal = drawn[:, max(0, p) : s + round(AFTER_S * rate_hz) + s - p]
    if not quiet.size or not signal.size:
        return none, "P lies outside of the window"
    height, noise = signal[known].max(1), quiet[known].max(1)
    loud = height > least_snr * noise
    return height[loud], "" if loud.any() else "it does not stand out of the noise"


def _of_stations(name: str, values: list[float], kind: str, reason: str) -> dict[str, Any]:
    """Median of stations, with its standard error from their median absolute deviation."""
    if not values:
        return dict(zip(COLUMNS, (name, np.nan, np.nan, 0, kind, reason), strict=True))
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(np.array(values) - middle)))
    error = 1.2533 * spread / np.sqrt(len(values)) if len(values) > 2 else np.nan
    return dict(zip(COLUMNS, (name, round(middle, 2), round(error, 3), len(values), kind, ""), strict=True))


def _of_repeats(job: CatalogueJob, known: dict[str, float]) -> list[dict[str, Any]]:
    """Magnitude of the template plus the logarithm of the ratio of amplitudes, median over the picks."""
    _, table = detected_events(job)
    picks = job.read("detection_picks")
    rows = []
    for name, template in zip(table["event_id"], table["template_id"], strict=True):
        ratio = picks.loc[(picks["event_id"] == name) & (picks["amplitude_ratio"] > 0), "amplitude_ratio"].to_numpy()
        base = known.get(template, np.nan)
        reason = "no window of the template was found again" if not len(ratio) else ""
        reason = reason or ("" if np.isfinite(base) else "its template has no magnitude")
        values = [] if reason else (base + np.log10(ratio.astype(float))).tolist()
        rows.append(_of_stations(name, values, "relative", reason))
    return rows
