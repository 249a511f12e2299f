"""The events of an import, each built from its files, in this process or in several."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from seisvision.data.importing.association import EventFiles
from seisvision.data.importing.event_builder import EventResult, build_event
from seisvision.data.importing.pick_matching import EVENT_REFUSED, EventPicks
from seisvision.data.importing.recipe import Recipe, Source
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.importing.tables.station_table import StationTable
from seisvision.errors import SeisvisionError
from seisvision.processes import begin_worker, packed

log = logging.getLogger(__name__)

Job = tuple[int, EventFiles]
"""Number of the source in the recipe, and an event of it."""


def build_events(recipe: Recipe, tables: list[StationTable], jobs: list[Job], workers: int) -> Iterator[EventResult]:
    """Build the events in order, in this process or in several."""
    if workers <= 1 or len(jobs) < 2 * workers:
        for number, files in jobs:
            yield _build(files, recipe, recipe.sources[number], tables[number])
        return
    # Fresh interpreters: a forked one would share threads and open HDF5 files with this process.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, begin_worker, packed(_begin, recipe, tables))
    try:
        yield from pool.map(_work, jobs, chunksize=4)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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


def _work(job: Job) -> EventResult:
    number, files = job
    recipe: Recipe = _state["recipe"]
    source: Source = recipe.sources[number]
    return _build(files, recipe, source, _state["tables"][number])
