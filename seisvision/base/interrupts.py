"""Ctrl-C in the middle of work that would swallow it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def postponed_interrupt() -> Iterator[None]:
    """Let Ctrl-C, and SIGTERM where it means the same, take effect when the block has ended.

    HDF5 calls drop Python objects whose clean-up code swallows a KeyboardInterrupt, so that a program that mostly
    writes would run on as if nothing had been pressed. In threads other than the main one nothing needs to be done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(number))]
    previous = {number: signal.signal(number, remember) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if arrived:
        signal.raise_signal(arrived[0])
