"""A pool whose worker imports something large before it can work; run by tests."""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor

if multiprocessing.parent_process() is not None and __name__ != "__mp_main__":
    print("imports", flush=True)
    time.sleep(3600)


def begin() -> None:
    """Stand for what a worker begins with."""


if __name__ == "__main__":
    from worker_that_imports_long import begin as begin_elsewhere

    from seisvision.processes import begin_worker, packed

    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), begin_worker, packed(begin_elsewhere))
    pool.submit(abs, -1)
    sys.stdout.flush()
    time.sleep(3600)
