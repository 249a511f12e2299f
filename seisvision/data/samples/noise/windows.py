"""Where windows of noise lie: samples of the class ``noise``, named after the row they are cut from (``17-noise``).

Trace and place follow from names alone, not from the seed of a run, so that the runs of a sweep have the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seisvision.data.samples.window import Window, draws
from seisvision.errors import ConfigurationError
from seisvision.seeding import DEFAULT_SEED

NOISE_CLASS = "noise"
"""The value that noise windows have in every column of classes."""
UNKNOWN_ONSET = "no noise window: the onset is not known"
TOO_SHORT = "no noise window: the recording holds too little before the onset"


@dataclass(frozen=True)
class NoiseWindows:
    """How many windows of noise are cut, and where.

    Attributes:
        per_event: noise windows of an event, each of another trace; with 0.5 every second event has one.
        before_onset_s: least and most time between the end of the window and the first wave (onset or P, whichever is
            earlier); drawn in between, as far as the recording reaches.

    Raises:
        ConfigurationError: a value is not allowed.
    """

    per_event: float = 1.0
    before_onset_s: Sequence[float] = (5.0, 60.0)

    def __post_init__(self) -> None:
        """Refuse values that make no windows."""
        pair = self.before_onset_s
        if isinstance(pair, str) or len(pair) != 2 or not 0 <= pair[0] <= pair[1] < np.inf:
            raise ConfigurationError(
                f"noise.before_onset_s={pair} must be two times in s, least and most before the onset, such as [5, 60]"
            )
        if not 0 < self.per_event < np.inf:
            raise ConfigurationError(f"noise.per_event={self.per_event} must be positive; noise: null cuts no noise")

    def starts_s(self, first_wave_s: np.ndarray, names: list[str], length_s: float) -> np.ndarray:
        """Start after the start of each trace (N,); NaN where the first wave is not known, or comes too early."""
        latest = first_wave_s - self.before_onset_s[0] - length_s
        earliest = np.maximum(first_wave_s - self.before_onset_s[1] - length_s, 0.0)
        places = earliest + (latest - earliest) * draws("noise window", names, DEFAULT_SEED)
        return np.where(latest >= earliest, places, np.nan)


def pretended_onsets_s(window: Window, names: list[str], seed: int) -> np.ndarray:
    """Onset after the start of noise windows (N,), spread as those of other windows are.

    Hand-made features look about the onset. Without one, or with that of the event, it would tell noise by itself.
    """
    if window.reference == "onset":
        return -(window.start_s + window.jitters_s(names, seed))
    return window.length_s * draws("pretended onset", names, seed)
