"""How long epochs take, so that a training that must end soon can end between two of them."""

from __future__ import annotations

import math
import signal
import time


class EpochClock:
    """Times the epochs of this process's training; other threads may ask it how long the present one takes."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._longest_s: float | None = None
        self._is_asked = False

    def start(self, earlier_s: float | None) -> None:
        """Begin with the first epoch; earlier attempts took ``earlier_s`` for one, where there were any."""
        self._began, self._longest_s = time.monotonic(), earlier_s

    def epoch_is_stored(self) -> bool:
        """Begin with the next epoch, unless this tells that the training is to end."""
        now = time.monotonic()
        assert self._began is not None
        self._began, self._longest_s = now, max(self._longest_s or 0.0, now - self._began)
        return self._is_asked

    def stop(self) -> None:
        """End with the training."""
        self._began = None

    def seconds_left(self) -> float:
        """How long the present epoch still takes if it takes as long as the longest; infinite where none is known."""
        if self._began is None or self._longest_s is None:
            return math.inf
        return max(0.0, self._longest_s - (time.monotonic() - self._began))

    def ask_to_stop(self) -> None:
        """Let the training end when the present epoch is stored."""
        self._is_asked = True

    def check(self) -> None:
        """Interrupt this process, after its training, where it was asked to stop.

        Raises:
            KeyboardInterrupt: it was.
        """
        if self._is_asked:
            self._is_asked = False
            signal.raise_signal(signal.SIGINT)


epoch_clock = EpochClock()
"""Of the training of this process."""
