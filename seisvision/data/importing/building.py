"""The events of an import, each built from its files, in this process or in several."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any

from seisvision.data.importing.association import EventFiles
from seisvision.data.importing.event_builder import EventResult, build_event
from seisvision.data.importing.pick_matching import EVENT_REFUSED, EventPicks
from seisvision.data.importing.recipe import Recipe, Source
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.tables.station_table import StationTable
from seisvision.errors import DataError, SeisvisionError
from seisvision.processes import available_cores, begin_worker, packed, without_script

log = logging.getLogger(__name__)

Job = tuple[int, EventFiles]
"""Number of the source in the recipe, and an event of it."""
MOST_WORKERS = 16
"""One process writes what all others read, and could not keep up with more."""
START_S = 3.0
"""What a process spends before its first event, most of it for imports."""
LOOKED_AT_S = 0.3
"""Work that must be done before its pace is believed."""
EVENTS_AT_ONCE = 4
"""Given to a process in one message."""


def build_events(
    recipe: Recipe, tables: list[StationTable], jobs: list[Job], workers: int | None
) -> Generator[EventResult, None, None]:
    """Build the events in order, in this process or in several; which of them built an event changes nothing of it.

    Args:
        recipe: what is to be done.
        tables: stations of each source.
        jobs: the events.
        workers: processes; None begins in this one, and goes on in one for every core if what the first events took
            says that this brings more than it costs.

    Raises:
        DataError: one of the processes died.
    """
    done = 0
    if workers is None:
        pace = _Pace(len(jobs))
        while done < len(jobs) and pace.n_processes() == 1:
            begun = time.perf_counter()
            result = _build_job(jobs[done], recipe, tables)
            pace.add(time.perf_counter() - begun)
            done += 1
            yield result
        workers = pace.n_processes()
    left = jobs[done:]
    if workers <= 1 or len(left) < 2 * workers:
        for job in left:
            yield _build_job(job, recipe, tables)
        return
    yield from _in_processes(recipe, tables, left, workers)


class _Pace:
    """How long events take, and how many processes are worth their start for those that are left."""

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs, self.n_done, self.spent_s = n_jobs, 0, 0.0
        # Helpers of other pools may not have helpers of their own.
        self.n_cores = 1 if multiprocessing.current_process().daemon else min(available_cores(), MOST_WORKERS)

    def add(self, spent_s: float) -> None:
        """Count one event; the first one imports readers, and says nothing of the others."""
        self.spent_s += spent_s if self.n_done else 0.0
        self.n_done += 1

    def n_processes(self) -> int:
        """One, or one for every core."""
        if self.spent_s < LOOKED_AT_S:
            return 1
        left_s = self.spent_s / (self.n_done - 1) * (self.n_jobs - self.n_done)
        return self.n_cores if left_s * (1 - 1 / self.n_cores) > START_S else 1


def _in_processes(
    recipe: Recipe, tables: list[StationTable], jobs: list[Job], n_workers: int
) -> Generator[EventResult, None, None]:
    parts = (jobs[begin : begin + EVENTS_AT_ONCE] for begin in range(0, len(jobs), EVENTS_AT_ONCE))
    # Fresh interpreters: a forked one would share threads and open HDF5 files with this process.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(n_workers, context, begin_worker, packed(_begin, recipe, tables))
    try:
        # Few are under way at a time, so that memory does not grow where writing is slower than building.
        with without_script():
            waiting = deque(pool.submit(_work, part) for part in islice(parts, n_workers))
        waiting.extend(pool.submit(_work, part) for part in islice(parts, n_workers))
        while waiting:
            yield from waiting.popleft().result()
            waiting.extend(pool.submit(_work, part) for part in islice(parts, 1))
    except BrokenProcessPool:
        raise DataError(
            "A process that read recordings died, perhaps for lack of memory: no set was written. "
            "Try again with --workers 1 (in Python workers=1), which needs the least."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _build_job(job: Job, recipe: Recipe, tables: list[StationTable]) -> EventResult:
    number, files = job
    return _build(files, recipe, recipe.sources[number], tables[number])


def _build(files: EventFiles, recipe: Recipe, source: Source, table: StationTable) -> EventResult:
    """Build an event; a recording that nobody has thought of is the loss of its event, not of the import."""
    try:
        return build_event(files, recipe, source, table)
    except (SeisvisionError, MemoryError):
        raise
    except Exception as error:
        event_id = source.id_prefix + files.event_id
        log.warning("Event '%s' of source '%s' could not be read", event_id, source.name, exc_info=True)
        rejections = RejectionLog(source.name, event_id)
        said = (str(error).strip() or "no message").splitlines()[0]
        rejections.add(Refusal("event", "program_error", f"reading it ended in {type(error).__name__}: {said}"))
        EventPicks(list(files.picks), rejections).close(EVENT_REFUSED)
        return EventResult(source.name, event_id, "", rejections=rejections.items, n_picks=len(files.picks))


_state: dict[str, Any] = {}


def _begin(recipe: Recipe, tables: list[StationTable]) -> None:
    # Ctrl-C is for the parent, which then stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _state.update(recipe=recipe, tables=tables)


def _work(jobs: list[Job]) -> list[EventResult]:
    return [_build_job(job, _state["recipe"], _state["tables"]) for job in jobs]
