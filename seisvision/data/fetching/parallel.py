"""A few threads per server, ended cleanly."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seisvision.data.fetching.asking import Stopped

GRACE_S = 3.0
"""How long the answers under way may still come in after Ctrl-C; what does not make it is asked for next time."""


def run_jobs(
    jobs: Mapping[str, Sequence[Callable[[], Any]]],
    n_threads: int,
    stop: threading.Event,
    done: Callable[[Any], None],
) -> None:
    """Run the jobs of every server in order, ``n_threads`` at a time for each, and hand over results as they come.

    The first exception, Ctrl-C included, sets ``stop``, waits a moment for the threads and is raised. Threads are
    daemons, because one that waits for a silent server must not keep the program alive.
    """
    results: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    threads = []
    for own in jobs.values():
        waiting: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
        for job in own:
            waiting.put(job)
        threads += [
            threading.Thread(target=_work, args=(waiting, results, stop), daemon=True)
            for _ in range(min(n_threads, len(own)))
        ]
    for thread in threads:
        thread.start()
    try:
        for _ in range(sum(len(own) for own in jobs.values())):
            failed, result = results.get()
            if failed:
                raise result
            done(result)
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join(GRACE_S / len(threads))
        raise


def _work(
    waiting: queue.SimpleQueue[Callable[[], Any]], results: queue.SimpleQueue[tuple[bool, Any]], stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            job = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            results.put((False, job()))
        except Stopped:
            return
        except Exception as error:  # handed to the thread that waits for the results
            results.put((True, error))
            return
