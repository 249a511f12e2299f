"""Memory that a process has freed stays with it, so that the next batch need not be given it page by page."""

from __future__ import annotations

import ctypes
import os

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of the parameters of ``mallopt(3)``."""
KEPT_BYTES = 1 << 30
"""As much as lies free at the end of the heap is kept, and blocks up to this size come from it."""


def keep_freed_memory() -> None:
    """Tell the C library to keep what was freed; what the environment (``MALLOC_TRIM_THRESHOLD_``) says stands.

    glibc gives large blocks back to the system at once. Every batch then gets its activations as new pages, each of
    which the system has to find and to fill with zeros: a fifth of the time of a small network on a processor. The
    largest size of the process stays what it was. Other C libraries, which have no ``mallopt``, are left alone.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter in (TRIM_THRESHOLD, MMAP_THRESHOLD):
        mallopt(parameter, KEPT_BYTES)
