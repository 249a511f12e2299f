"""Events of a generator, made in several processes and given in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from logging import Logger
from typing import Any, Protocol

from seisvision.errors import ConfigurationError, DataError
from seisvision.processes import available_cores, begin_worker, packed

_EVENTS_AHEAD = 8
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Makes(Protocol):
    """A generator of events."""

    def event(self, index: int) -> Any:
        """Event ``index``: always the same."""


def count_workers(processes: int | None, n_events: int) -> int:
    """Worker processes for a number of events: as many as asked for, or one per core.

    Raises:
        ConfigurationError: ``processes`` is below 1.
    """
    if processes is not None and processes < 1:
        raise ConfigurationError(f"processes={processes} is not allowed: give 1 or more, or nothing for one per core.")
    # More processes than events would only cost their start.
    return min(processes or available_cores(), n_events)


def events_in_order(make: Callable[[], Makes], n_events: int, n_workers: int) -> Generator[Any, None, None]:
    """All events of a generator in order.

    Args:
        make: builds the generator; can be sent to other processes.
        n_events: how many events.
        n_workers: processes; 1 works in this one.

    Raises:
        DataError: a worker process died.
    """
    if n_workers == 1:
        yield from map(make().event, range(n_events))
        return
    # Spawned, not forked: the caller may hold threads or a GPU, which do not survive a fork.
    with _single_threaded():
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(n_workers, context, begin_worker, packed(_begin, make))
        try:
            yield from _in_order(pool, n_events, n_workers * _EVENTS_AHEAD)
        except BrokenProcessPool:
            raise DataError(
                "A process that made synthetic events died, perhaps for lack of memory or because the calling script "
                "has no 'if __name__ == \"__main__\":' guard. Try again with processes=1."
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, n_events: int, n_ahead: int) -> Iterator[Any]:
    """Results in the order of the events; few are under way at a time, so that memory stays small."""
    waiting: deque[Future[Any]] = deque()
    indices = iter(range(n_events))
    waiting.extend(pool.submit(_make_event, index) for index in islice(indices, n_ahead))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(pool.submit(_make_event, index) for index in islice(indices, 1))


_generator: Makes


def _begin(make: Callable[[], Makes]) -> None:
    global _generator
    # The parent alone answers Ctrl-C and then ends the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _generator = make()


def _make_event(index: int) -> Any:
    return _generator.event(index)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes started meanwhile use one thread each."""
    before = {name: os.environ.get(name) for name in _THREAD_SETTINGS}
    os.environ.update(dict.fromkeys(_THREAD_SETTINGS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def with_progress(events: Iterable[Any], total: int, log: Logger) -> Iterator[Any]:
    """Show a bar in a terminal, else a log line every tenth."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(events, "Synthesising events", total, console=Console(stderr=True), transient=True)
        return
    for done, event in enumerate(events, start=1):
        yield event
        if done * 10 // total > (done - 1) * 10 // total:
            log.info("Synthesised %d of %d events", done, total)
