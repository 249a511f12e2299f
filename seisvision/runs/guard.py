"""Workers end when they are told to, and never outlive the process that started them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time

from seisvision import processes
from seisvision.runs.ranks import PARENT_VARIABLE
from seisvision.runs.terminal import INTERRUPTED

GRACE_S = 8.0
"""How long a worker may take to end on its own after Ctrl-C; it may be waiting for another in a collective."""
LOOK_EVERY_S = 1.0


def end_with_parent() -> None:
    """End this process when the one that started it ends, even by ``kill -9``."""
    processes.end_with_parent(int(os.environ[PARENT_VARIABLE]))


def leave_in_time() -> None:
    """Watch, in a thread, over signals and the parent.

    Python runs signal handlers between its own steps only; a process that waits in a collective would never come to
    that. The system writes each signal into a pipe all the same.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read_end, os.getppid()), daemon=True).start()


def _watch(read_end: int, parent: int) -> None:
    deadline = float("inf")
    # By looking too: not every system tells when a parent has ended.
    while os.getppid() == parent and time.monotonic() < deadline:
        readable, _, _ = select.select([read_end], [], [], LOOK_EVERY_S)
        signals = os.read(read_end, 64) if readable else b""
        asked = [number for number in signals if number in (signal.SIGINT, signal.SIGTERM)]
        # Asked twice means now.
        if asked and deadline < float("inf"):
            break
        if asked:
            deadline = time.monotonic() + GRACE_S
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    # Nothing decent: the main thread may be in a collective whose others are gone, and would never get to it.
    os._exit(INTERRUPTED)
