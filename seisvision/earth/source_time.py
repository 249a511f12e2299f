"""Time functions of sources and their spectra: how forces act and moments grow."""

from __future__ import annotations

import numpy as np

_CRUSTAL_S_VELOCITY = 3500.0


def brune_rate(frequency_hz: np.ndarray, corner_hz: float) -> np.ndarray:
    """Moment-rate spectrum of Brune (1970), causal: falls as 1/f^2 above the corner."""
    return 1 / (1 + 1j * frequency_hz / corner_hz) ** 2


def corner_frequency(moment_nm: float, stress_drop_pa: float) -> float:
    """Corner frequency (Hz) of a circular crack (Eshelby 1957; Madariaga 1976 with k = 0.32)."""
    return float(0.32 * _CRUSTAL_S_VELOCITY * (16 / 7 * stress_drop_pa / moment_nm) ** (1 / 3))


def opposed_lobes(time_s: np.ndarray, duration_s: float, first_share: float) -> np.ndarray:
    """Force time function: a positive, then a negative half sine of equal impulse; zero net impulse.

    A mass that starts and stops moving pushes the Earth once each way (Kawakatsu 1989).
    """
    turn_s = first_share * duration_s
    first = np.where(time_s < turn_s, np.sin(np.pi * time_s / turn_s), 0)
    later = (time_s >= turn_s) & (time_s < duration_s)
    second = np.where(later, np.sin(np.pi * (time_s - turn_s) / (duration_s - turn_s)), 0)
    return first - second * first.sum() / second.sum()


def twice_integrated(force: np.ndarray, sampling_rate_hz: float) -> float:
    """Double time integral of a force: mass times distance (kg m) for a force in N."""
    return float(np.sum(np.cumsum(force)) / sampling_rate_hz**2)
