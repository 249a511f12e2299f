"""From a recipe to a waveform set, by way of the download folder beside it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from seisvision.data.fetching.asking import Asker
from seisvision.data.fetching.events import GroupEvents, read_groups
from seisvision.data.fetching.inventory import StationBook
from seisvision.data.fetching.plan import KIND, Item, Plan, make_plan
from seisvision.data.fetching.progress import show_progress
from seisvision.data.fetching.recipe import FetchRecipe
from seisvision.data.fetching.report import FetchReport, download_folder, finished_report, made_by
from seisvision.data.fetching.request_log import RequestLog
from seisvision.data.fetching.store import Store, Verdict
from seisvision.data.fetching.waveforms import Downloader
from seisvision.data.importing.association import Association, EventFiles
from seisvision.data.importing.importer import ImportReport, run_import
from seisvision.data.importing.rejections import Refusal, RejectionLog
from seisvision.data.splitting.cells import name_cells
from seisvision.errors import DataError

log = logging.getLogger(__name__)

BYTES_PER_SAMPLE = 1.5
"""Of seismic noise and earthquakes in Steim-2, roughly; for the estimate only."""


class Progress(Protocol):
    """Shows how far a piece of work is; the block calls what it is given with the number of steps done."""

    def __call__(self, what: str, total: int) -> AbstractContextManager[Any]:
        """Begin a piece of work."""


def run_fetch(
    recipe: FetchRecipe,
    out: str | Path,
    *,
    overwrite: bool = False,
    retry: bool = False,
    dry_run: bool = False,
    workers: int | None = None,
    progress: Progress = show_progress,
) -> FetchReport:
    """Fetch what ``recipe`` asks for and write the waveform set ``out``.

    Everything that came before, in whatever run, is taken from the download folder beside ``out``. Failures that may
    pass (no connection, 5xx) are tried again by the next run, unless the set was written meanwhile: then only with
    ``retry``.

    Args:
        overwrite: replace a set that another recipe made.
        retry: ask again for what failed, and write the set anew if something came.
        dry_run: ask for events and stations only, and tell how much the rest would be.
        workers: processes of the import; None takes one for every core where there is work enough.

    Raises:
        DataError: a server cannot be reached or asks for patience, nothing was found, or ``out`` is another set.
    """
    out = Path(out)
    finished = finished_report(out, recipe)
    if finished is not None and not (retry or dry_run):
        return finished
    # A set of this recipe without its list of rejections was cut off at the very end, and is written anew.
    if out.exists() and not (overwrite or dry_run or made_by(out, recipe)):
        raise DataError(f"{out} exists and was not made by this recipe; choose another --out, or add --overwrite")
    store = Store(download_folder(out))
    with store.lock():
        store.save(store.folder / "recipe.json", json.dumps(asdict(recipe), indent=2, default=str).encode())
        asker = Asker(recipe.requests, RequestLog(store.folder), threading.Event())
        downloader = Downloader(store, asker)
        plan = _plan(recipe, store, asker, progress)
        n_missing = len(downloader.missing(plan.items))
        if dry_run:
            return _report(out, plan, store, asker)
        if finished is not None and n_missing == 0:
            return finished
        with progress("asking for recordings", n_missing) as advance:
            downloader.fetch(plan.items, advance)
        report = _report(out, plan, store, asker)
        if finished is not None and len(downloader.missing(plan.items)) == n_missing:
            return finished
        report.imported = _import(recipe, plan, store, out, report, workers)
    return report


def _plan(recipe: FetchRecipe, store: Store, asker: Asker, progress: Progress) -> Plan:
    groups = read_groups(recipe.events, store, asker)
    book = StationBook(recipe, store, asker)
    book.ask(groups, progress)
    plan = make_plan(groups, book, recipe, progress)
    if not plan.items:
        reasons = Counter(item.reason for own in plan.rejections for item in own).most_common(3)
        raise DataError(
            "no station is left for any event, so there is nothing to ask for. Most frequent reasons: "
            + "; ".join(f"{reason} ({number})" for reason, number in reasons)
        )
    if recipe.response == "remove":
        book.responses(plan.chosen, progress)
    else:
        plan.chosen.write(store)
    return plan


def _report(out: Path, plan: Plan, store: Store, asker: Asker) -> FetchReport:
    report = FetchReport(out, asked=len(plan.items), requests=asker.log.summary())
    for item in plan.items:
        if item.path.is_file():
            report.had += 1
            continue
        verdict = store.verdict(item.path)
        report.not_had[verdict.outcome if verdict is not None else "not_asked"] += 1
        report.estimate_mb += item.length_s * sum(item.rates_hz) * BYTES_PER_SAMPLE / 1e6
    return report


def _import(
    recipe: FetchRecipe, plan: Plan, store: Store, out: Path, report: FetchReport, workers: int | None
) -> ImportReport:
    """Write the set from the download folder."""
    folder = store.folder / KIND
    stations = str(store.folder / "stations.xml")
    importing = recipe.import_recipe([str(group.file) for group in plan.groups], [str(folder)], stations)
    # Of all that was wanted, so that a download that ends early or is continued gives the same cells.
    name_cells(event for group in plan.groups for event in group.events.values())
    found = [_associate(number, plan, store) for number in range(len(plan.groups))]
    counts = {"asked": report.asked, "had": report.had, "not_had": dict(report.not_had), "requests": report.requests}
    servers = {server.name: {"dataselect": server.dataselect, "station": server.station} for server in recipe.servers}
    events = {group.name: group.file or group.query for group in recipe.events}
    about = {"fetch": counts | {"recipe": recipe.fingerprint(), "servers": servers, "events": events}}
    about["fetch"]["written"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    log.info("Writing the waveform set from %d of %d recordings", report.had, report.asked)
    return run_import(importing, out, workers=workers, overwrite=out.exists(), found=found, about=about)


def _associate(number: int, plan: Plan, store: Store) -> Association:
    """The events of one group with their files, and what was refused or could not be had."""
    group = plan.groups[number]
    catalogue = group.catalogue
    found = Association(n_catalogue=len(catalogue), rejections=list(plan.rejections[number]))
    found.columns, found.notes = catalogue.columns, catalogue.notes
    own: dict[str, list[Item]] = {}
    for item in plan.items:
        if item.group == number:
            own.setdefault(item.event_id, []).append(item)
    for event_id, items in own.items():
        found.n_files += len(items)
        notes = RejectionLog(group.group.name, group.group.id_prefix + event_id)
        files, spans = [], {}
        for item in items:
            if item.path.is_file():
                files.append((item.path, item.file))
                spans[item.file] = (item.begin_ns, item.end_ns)
            else:
                notes.add(_refusal(store.verdict(item.path)), file=item.name)
        if files:
            found.events.append(_event_files(group, event_id, files, spans))
        else:
            notes.add(Refusal("event", "no_recording", f"none of {len(items)} stations could be had"))
        found.rejections += notes.items
    return found


def _event_files(
    group: GroupEvents, event_id: str, files: list[tuple[Path, str]], spans: dict[str, tuple[int, int]]
) -> EventFiles:
    return EventFiles(event_id, group.events[event_id], tuple(sorted(files)), spans_ns=spans)


def _refusal(verdict: Verdict | None) -> Refusal:
    if verdict is None:
        return Refusal("fetch", "not_asked", "was not asked for")
    value = None if verdict.status is None else float(verdict.status)
    return Refusal("fetch", verdict.outcome, verdict.reason, value)
