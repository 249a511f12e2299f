"""First arrival of a recording, found the same way whatever the file, the network or the kind of source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seisvision.picking.akaike import samples_before_change

STA_S = 0.5
"""Length over which energy is averaged."""
NOISE_S = 3.0
"""Length of the windows in which the noise level is sought."""
NOISE_QUANTILE = 0.05
"""Quantile of those windows, ahead of the strongest motion, that is called noise."""
RISE = 2.2
"""Amplitude over noise above which motion belongs to the event; more for strong events, see :func:`detect_onset`."""
QUIET_S = 3.0
"""Motion must stay below ``RISE`` that long to count as before the event."""
DELAY, DELAY_POWER = 1.0, -0.4
"""Delay of the detector at signal-to-noise 1, over the width of the band, and how it falls with that ratio: medians of
``benchmarks/onsets.py``."""
LEAST_SHARE = 1e-5
"""Variance, as a share of that of the arrival, that counts as silence: low-passes of recorders and of resampling ring
that much ahead of strong arrivals."""
MARGIN = (4, 5)
"""Samples before and behind an onset that tell it from noise."""
STA_SAMPLES = 5
"""Samples that an average needs; all lengths are stretched alike where the rate gives fewer in half a second."""


@dataclass(frozen=True)
class Onset:
    """Onset after the start of the recording and the amplitude ratio of its strongest half second to the noise."""

    time_s: float
    snr: float


NO_ONSET = Onset(float("nan"), 0.0)


def detect_onset(samples: np.ndarray, rate_hz: float, min_snr: float = 4.0) -> Onset:
    """Find where motion last left the noise before the strongest half second of the recording.

    Energy is averaged over half a second. Noise is a low quantile of three-second averages before the peak. Walking
    back from the peak, the event begins where amplitude first stays below ``RISE`` times the noise (the cube root of
    the peak over the noise, where that is more) for ``QUIET_S``; so the P wave ahead of a stronger S wave, and the
    slow rise of a landslide, both belong to the event, while an earlier, separate event does not. The moment is then
    sharpened by the Akaike criterion (:mod:`seisvision.picking.akaike`) within three seconds of it.

    Args:
        samples: (T,) band-passed with a causal filter and no other (one of zero phase moves energy ahead of the onset).
        rate_hz: sampling rate.
        min_snr: amplitude ratio below which no onset is given (``time_s`` is NaN, ``snr`` is still told).
    """
    return detect_onsets(samples[None], rate_hz, min_snr)[0]


def detect_onsets(rows: np.ndarray, rate_hz: float, min_snr: float = 4.0) -> list[Onset]:
    """The onset of each of several recordings of one length and rate, as :func:`detect_onset` finds one.

    Args:
        rows: (R, T), filtered alike.
        rate_hz: sampling rate.
        min_snr: amplitude ratio below which no onset is given.
    """
    true_hz, rate_hz = rate_hz, max(rate_hz, STA_SAMPLES / STA_S)
    length = rows.shape[1]
    if length < 2 * NOISE_S * rate_hz:
        return [NO_ONSET] * len(rows)
    energy = np.square(rows.astype(np.float64))
    short = _moving_mean(energy, round(STA_S * rate_hz))
    long = _moving_mean(energy, round(NOISE_S * rate_hz))
    # The first seconds hold the taper and the start of the filter; a peak there has no noise before it.
    first, late = length - long.shape[1] + 1, length - short.shape[1]
    peaks = first + np.argmax(short[:, first - late :], axis=1)
    found = []
    for samples, averages, noises, peak in zip(rows, short, long, peaks.tolist(), strict=True):
        noise = _quantile(noises[: max(1, peak - first - round(STA_S * rate_hz))], NOISE_QUANTILE)
        if noise <= 0:
            found.append(NO_ONSET)
            continue
        snr = float(np.sqrt(averages[peak - late] / noise))
        if snr < min_snr:
            found.append(Onset(float("nan"), snr))
            continue
        quiet = averages[: peak - late] < max(RISE, snr ** (1 / 3)) ** 2 * noise
        quiet_until = _end_of_quiet(quiet, round(QUIET_S * rate_hz))
        rise = 0 if quiet_until is None else late + quiet_until
        found.append(Onset(_sharpen(samples, rise, rate_hz) / true_hz, snr))
    return found


def delay_s(snr: float, band_hz: tuple[float, float]) -> float:
    """By how much an impulsive arrival is found late, because it must rise out of the noise through a causal filter.

    The ratio is that of the strongest motion, which an arrival has at most, so this errs on the side of late onsets.

    Args:
        snr: amplitude ratio of the strongest half second to the noise.
        band_hz: corners of the filter through which the onset was sought.
    """
    return DELAY * max(snr, 1.0) ** DELAY_POWER / (band_hz[1] - band_hz[0])


def _moving_mean(rows: np.ndarray, length: int) -> np.ndarray:
    """Mean of the ``length`` values of each row that end at each index from ``length - 1`` on."""
    total = np.zeros((len(rows), rows.shape[1] + 1))
    np.cumsum(rows, axis=1, out=total[:, 1:])
    return np.maximum(total[:, length:] - total[:, :-length], 0.0) / length


def _quantile(values: np.ndarray, quantile: float) -> float:
    """As numpy.quantile, which takes ten times as long to ask what is meant."""
    place = (len(values) - 1) * quantile
    below, above = int(place), min(int(place) + 1, len(values) - 1)
    ordered = np.partition(values, (below, above))
    step, share = ordered[above] - ordered[below], place - below
    return float(ordered[above] - step * (1 - share) if share >= 0.5 else ordered[below] + step * share)


def _end_of_quiet(quiet: np.ndarray, hold: int) -> int | None:
    """Index after the last run of at least ``hold`` quiet samples; None where there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).view(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    long_enough = np.flatnonzero(ends - starts >= hold)
    return int(ends[long_enough[-1]]) if len(long_enough) else None


def _sharpen(samples: np.ndarray, rise: int, rate_hz: float) -> int:
    """Index near ``rise`` that best separates two variances; the averaged energy rises up to ``STA_S`` late."""
    first = max(0, rise - round(3 * rate_hz))
    part = samples[first : rise + round(STA_S * rate_hz)].astype(np.float64)
    if len(part) < sum(MARGIN):
        return rise
    return first + samples_before_change(part, LEAST_SHARE, MARGIN, lost=0)
