"""Faults of real data: dead channels, wrong polarity and gain, clock errors, gaps and sensor glitches."""

from __future__ import annotations

from typing import Final

import numpy as np

FAULT_PROBABILITY: Final = {"dead": 0.02, "polarity": 0.02, "gain": 0.02, "clock": 0.03, "gap": 0.03, "glitch": 0.03}
"""Probability of each fault at a station when the fault strength is 1."""
CLOCK_ERROR_S: Final = 8.0
_SENSOR_PERIOD_S = 120.0


def draw_faults(rng: np.random.Generator, n_stations: int, strength: float) -> list[tuple[str, ...]]:
    """Names of the faults of each station; a dead one has no other fault."""
    hit = rng.random((n_stations, len(FAULT_PROBABILITY))) < strength * np.array(list(FAULT_PROBABILITY.values()))
    names = [tuple(name for name, on in zip(FAULT_PROBABILITY, row, strict=True) if on) for row in hit]
    # A dead station shows nothing of its other faults.
    return [("dead",) if "dead" in present else present for present in names]


def record_with_faults(
    rng: np.random.Generator, motion: np.ndarray, faults: list[tuple[str, ...]], n_samples: int, sampling_rate_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the record (S, C, T) out of the longer, periodic ground motion (S, C, n_fft) and put the faults in.

    Also returns by how many samples (S,) a wrong clock makes everything late.
    """
    late = np.zeros(len(motion), dtype=int)
    record = np.empty((*motion.shape[:2], n_samples), motion.dtype)
    for station, present in enumerate(faults):
        # The motion beyond the record is there to be shifted in, so a clock error leaves no seam.
        shift = round(rng.normal(0, CLOCK_ERROR_S) * sampling_rate_hz) if "clock" in present else 0
        late[station] = shift
        record[station] = (
            np.roll(motion[station], shift, axis=-1)[:, :n_samples] if shift else motion[station, :, :n_samples]
        )
        if "polarity" in present:
            record[station] *= -1
        if "gain" in present:
            record[station] *= motion.dtype.type(10 ** rng.uniform(-1, 1))
        if "glitch" in present:
            record[station, rng.integers(motion.shape[1])] += _glitch(rng, n_samples, sampling_rate_hz)
        if "gap" in present:
            start, length_s = rng.integers(n_samples), rng.uniform(10, 200)
            record[station, :, start : start + round(length_s * sampling_rate_hz)] = 0
        if "dead" in present:
            record[station] = 0
    return record, late


def _glitch(rng: np.random.Generator, n_samples: int, sampling_rate_hz: float) -> np.ndarray:
    """Velocity (T,) that a broadband sensor shows for a step in acceleration at a random moment."""
    start = int(rng.integers(n_samples))
    phase = np.arange(n_samples - start) / sampling_rate_hz * np.sqrt(2) * np.pi / _SENSOR_PERIOD_S
    # Steps of this size stand out in quiet records and drown in noisy ones.
    size = rng.choice([-1, 1]) * 10 ** rng.uniform(-6.5, -5)
    return np.concatenate([np.zeros(start), size * np.exp(-phase) * np.cos(phase)]).astype(np.float32)
