"""From a recipe to a waveform set, with everything refused listed in ``rejected.csv`` beside the data."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.importing.association import Association, associate
from seisvision.data.importing.building import Job, build_events
from seisvision.data.importing.event_builder import EventResult
from seisvision.data.importing.pick_events import give_picks, tell_refused
from seisvision.data.importing.recipe import Recipe, Source
from seisvision.data.importing.rejections import (
    FILE_NAME,
    Rejection,
    count_causes,
    write_rejections,
)
from seisvision.data.importing.series.signals import band_in_words
from seisvision.data.importing.tables.station_table import StationTable, read_stations
from seisvision.data.sets.stored.placing import check_place
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.data.splitting.cells import name_cells
from seisvision.errors import ConfigurationError, DataError
from seisvision.files import told_when_full

log = logging.getLogger(__name__)

Progress = Callable[[Iterable[EventResult], int], Iterable[EventResult]]
"""Wraps the events to come, of which the number is told, to show how far the work is."""


class NothingLeftError(DataError):
    """Every event was refused.

    Args:
        rejections: file with the reasons.
        report: what came in.
    """

    def __init__(self, rejections: Path, report: ImportReport) -> None:
        super().__init__(f"every event was refused, so no set was written; the reasons are in {rejections}")
        self.rejections = rejections
        self.report = report


@dataclass
class ImportReport:
    """What came in and what became of it.

    Every channel read is a component of the set or a rejection with a trace id: ``n_recordings`` equals
    ``n_components`` plus the rejections of kind ``recording``. Every event of the catalogues is in the set or a
    rejection of kind ``event``; every file was read for an event or is a rejection of kind ``file``; every pick is used
    or a rejection of kind ``pick``. A pick that goes to several events counts once for each.
    """

    n_files: Counter[str] = field(default_factory=Counter)
    n_catalogue: Counter[str] = field(default_factory=Counter)
    n_recordings: Counter[str] = field(default_factory=Counter)
    n_components: Counter[str] = field(default_factory=Counter)
    n_traces: Counter[str] = field(default_factory=Counter)
    n_picks: Counter[str] = field(default_factory=Counter)
    n_picks_used: Counter[str] = field(default_factory=Counter)
    classes: dict[str, list[int]] = field(default_factory=dict)
    onset_methods: Counter[str] = field(default_factory=Counter)
    turned: Counter[str] = field(default_factory=Counter)
    orientations: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    n_with_origin: Counter[str] = field(default_factory=Counter)
    n_traces_placed: int = 0
    magnitude_types: Counter[str] = field(default_factory=Counter)
    stations: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    columns: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    seconds: float = 0.0
    lone: dict[tuple[str, ...], str] = field(default_factory=dict, repr=False)
    tables: dict[str, StationTable] = field(default_factory=dict, repr=False)

    def understood(self, source: str, association: Association, table: StationTable) -> None:
        """Keep what the columns of the tables of a source were taken for, and what was assumed."""
        self.tables[source] = table
        columns = {"events": association.columns, "stations": table.columns}
        self.columns[source] = {what: names for what, names in columns.items() if names}
        self.notes += [f"{source}: {note}" for note in (*association.notes, *table.notes)]

    def add(self, result: EventResult) -> None:
        """Count one event."""
        self.n_recordings[result.source] += result.n_recordings
        self.rejections += result.rejections
        self.n_picks[result.source] += result.n_picks
        self.n_picks_used[result.source] += result.n_picks_used
        if not result.rows:
            return
        self.n_traces[result.source] += len(result.rows)
        self.n_components[result.source] += sum(len(waveform) for waveform in result.waveforms)
        self.classes.setdefault(result.source_type, []).append(len(result.rows))
        self.onset_methods[result.rows[0]["source_onset_method"]] += 1
        self.units.update(row["trace_unit"] for row in result.rows)
        self.orientations.update(row["trace_orientation"] for row in result.rows)
        self.turned.update(row["trace_turned_from"] for row in result.rows if row["trace_turned_from"])
        self._add_places(result)
        if not result.rows[0].get("source_origin_time"):
            for row in (row for row in result.rows if len(row["trace_component_order"]) == 1):
                key = tuple(row[name] for name in ("station_network_code", "station_code", "trace_start_time"))
                self.lone[key] = self.lone.get(key, "") + row["trace_component_order"]

    def _add_places(self, result: EventResult) -> None:
        event = result.rows[0]
        self.n_with_origin[result.source] += _has_place(event, "source")
        if np.isfinite(event.get("source_magnitude", np.nan)):
            self.magnitude_types[event.get("source_magnitude_type", "")] += 1
        for row in result.rows:
            placed = _has_place(row, "station")
            key = (result.source, row["station_network_code"], row["station_code"])
            self.stations[key] = self.stations.get(key, False) or placed
            self.n_traces_placed += placed

    def without_position(self) -> dict[str, str]:
        """Stations (NET.STA) without a position, and why."""
        lost = [key for key, placed in self.stations.items() if not placed]
        return {f"{net}.{sta}": self.tables[source].why_missing(net, sta) for source, net, sta in lost}

    @property
    def n_parted(self) -> int:
        """Stations of events without an origin time whose components lie in events of their own."""
        return len({key[:2] for key, letters in self.lone.items() if len(set(letters)) == len(letters) > 1})

    @property
    def n_events(self) -> int:
        """Events in the set."""
        return sum(len(stations) for stations in self.classes.values())

    def counts(self) -> dict[str, Any]:
        """Counts for the card."""
        return {
            "files": sum(self.n_files.values()),
            "catalogue_events": sum(self.n_catalogue.values()),
            "recordings_read": sum(self.n_recordings.values()),
            "picks_read": sum(self.n_picks.values()),
            "picks_used": sum(self.n_picks_used.values()),
            "events_with_origin": sum(self.n_with_origin.values()),
            "traces_with_station_position": self.n_traces_placed,
            "magnitude_types": {kind or "none": n for kind, n in sorted(self.magnitude_types.items())},
            "events_by_class": {name: len(stations) for name, stations in sorted(self.classes.items())},
            "onset_methods": dict(sorted(self.onset_methods.items())),
            "turned_to_north_east": dict(sorted(self.turned.items())),
            "orientations": dict(sorted(self.orientations.items())),
            "units": dict(sorted(self.units.items())),
            "rejected": {f"{kind}/{stage}/{cause}": n for kind, stage, cause, n in count_causes(self.rejections)},
        }


def _has_place(row: Mapping[str, Any], scope: str) -> bool:
    return bool(np.isfinite(row[f"{scope}_latitude_deg"] + row[f"{scope}_longitude_deg"]))


def run_import(
    recipe: Recipe,
    out: str | Path | None,
    *,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    found: list[Association] | None = None,
    about: Mapping[str, Any] | None = None,
    events_per_chunk: int | None = None,
    list_beside: bool = True,
) -> ImportReport:
    """Import all sources of ``recipe`` into the waveform set ``out``; with ``out=None`` only tell what would happen.

    The set and its order do not depend on ``workers``, the number of processes; None takes one for
    every core where there is work enough.
    ``found`` brings events with files, per source, that are known already, and ``about`` more entries of the card.
    ``events_per_chunk`` writes a chunked set, whose table need not be held in memory. ``list_beside`` leaves the list
    of rejections beside ``out`` where every event was refused.

    Raises:
        DataError: nothing could be read, two sources share an event id, every event was refused, or ``out`` is
            there and not to be replaced.
        ConfigurationError: the recipe contradicts itself or its files.
    """
    begun = time.monotonic()
    if out is not None:
        check_place(Path(out), overwrite)
    tables = _station_tables(recipe)
    report = ImportReport()
    if recipe.processing.band_hz is not None and not recipe.processing.zerophase:
        report.notes.append(f"{band_in_words(recipe.processing)}; processing.zerophase=true leaves them in place")
    if found is None:
        found = associate_all(recipe)
    for source, association, table in zip(recipe.sources, found, tables, strict=True):
        report.understood(source.name, association, table)
    jobs = event_jobs(recipe, found, report)
    built = build_events(recipe, tables, jobs, workers)
    results: Iterable[EventResult] = built if progress is None else progress(built, len(jobs))
    card = _card(recipe, report) | dict(about or {})
    writer = None
    if out is not None:
        order = recipe.processing.components
        writer = WaveformSetWriter(
            out, card=card, component_order=order, overwrite=overwrite, events_per_chunk=events_per_chunk
        )
    with closing(built):
        _consume(results, report, writer, list_beside)
    report.seconds = time.monotonic() - begun
    return report


def _station_tables(recipe: Recipe) -> list[StationTable]:
    tables = []
    for source in recipe.sources:
        with _named(source, recipe):
            tables.append(read_stations(source.stations, source.channel_codes))
        if source.response != "none" and not tables[-1].has_responses:
            raise ConfigurationError(
                f"source '{source.name}' asks for response={source.response}, which needs StationXML"
            )
    return tables


def associate_all(recipe: Recipe, by: Callable[[Source], Association] = associate) -> list[Association]:
    """Give each source's files and picks to its events, and name the source cells of all events together.

    So the cells depend neither on the order of the sources nor on which shard imports an event.

    Args:
        recipe: whose sources are meant.
        by: finds the recordings of the events of a source; default, among its files.

    Raises:
        DataError: as :func:`associate`; it names the source where there are several.
    """
    given = []
    for source in recipe.sources:
        with _named(source, recipe):
            given.append(give_picks(source, by(source)))
    found = tell_refused(recipe.sources, given)
    name_cells(files.event for association in found for files in association.events)
    return found


@contextmanager
def _named(source: Source, recipe: Recipe) -> Iterator[None]:
    """Name the source in what its files are refused for, where there are several."""
    try:
        yield
    except DataError as error:
        if len(recipe.sources) == 1:
            raise
        raise DataError(f"source '{source.name}': {error}") from error


def event_jobs(recipe: Recipe, found: list[Association], report: ImportReport) -> list[Job]:
    """Events of all sources in catalogue order; also counts what was associated.

    Raises:
        ConfigurationError: two sources share an event id.
    """
    jobs: list[Job] = []
    owner: dict[str, str] = {}
    for number, (source, association) in enumerate(zip(recipe.sources, found, strict=True)):
        report.n_files[source.name] = association.n_files
        report.n_catalogue[source.name] = association.n_catalogue
        report.n_picks[source.name] += association.n_picks
        report.rejections += association.rejections
        for files in association.events:
            event_id = source.id_prefix + files.event_id
            if event_id in owner:
                raise ConfigurationError(
                    f"event '{event_id}' is in source '{owner[event_id]}' and in '{source.name}'; "
                    f"give one of them an id_prefix such as '{source.name}_'"
                )
            owner[event_id] = source.name
            jobs.append((number, files))
    return jobs


def _consume(
    results: Iterable[EventResult], report: ImportReport, writer: WaveformSetWriter | None, list_beside: bool
) -> None:
    """Write the events as they come; the set appears only once it is complete, with the list of what was refused."""
    with ExitStack() as stack:
        entered = False
        for result in results:
            report.add(result)
            if not result.rows or writer is None:
                continue
            if not entered:
                stack.enter_context(writer)
                entered = True
            writer.add_event(result.rows, result.waveforms)
        if entered and writer is not None:
            writer.card["import"] = writer.card["import"] | {"counts": report.counts()}
            writer.card["unit"] = " or ".join(sorted(report.units))
            write_rejections(writer.partial / FILE_NAME, report.rejections)
    if writer is not None and report.n_events == 0:
        beside = writer.path.with_name(f"{writer.path.name}.{FILE_NAME}")
        if list_beside:
            with told_when_full(beside):
                write_rejections(beside, report.rejections)
        raise NothingLeftError(beside, report)


def _card(recipe: Recipe, report: ImportReport) -> dict[str, Any]:
    responses = sorted({source.response for source in recipe.sources})
    return {
        "name": recipe.name,
        "description": recipe.description,
        "source": [source.name for source in recipe.sources],
        "processing": _steps(recipe),
        "instrument_response": " or ".join(responses),
        "licence": sorted({source.licence for source in recipe.sources}),
        "citation": sorted({source.citation for source in recipe.sources}),
        "import": {
            "sources": [asdict(source) for source in recipe.sources],
            "parameters": recipe.parameters(),
            "columns": report.columns,
            "notes": report.notes,
        },
    }


def _steps(recipe: Recipe) -> list[str]:
    """What was done to the recordings, for people; the exact settings are beside it in the card."""
    processing, window = recipe.processing, recipe.window
    steps = [f"components {processing.components}", f"gaps up to {processing.max_gap_s:g} s interpolated"]
    steps.append("detrended, tapered")
    steps += [f"response of {source.name}: {source.response}" for source in recipe.sources if source.response != "none"]
    if processing.rate_hz is not None:
        steps.append(f"resampled to {processing.rate_hz:g} Hz")
    if processing.band_hz is not None:
        steps.append(band_in_words(processing))
    if window is not None:
        steps.append(
            f"window of {window.length_s:g} s from {window.before_s:g} s before the {window.reference}, "
            f"moved at random by up to {window.jitter_s:g} s"
        )
    return steps if processing.normalise == "none" else [*steps, f"divided by {processing.normalise}"]
