"""Streams, files and arrays as a small waveform set: imported as ``seisvision data import`` does, then asked about."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import obspy
import pandas as pd

from seisvision.data.importing.held import Held, associate_held, pieces_of
from seisvision.data.importing.importer import NothingLeftError, associate_all, run_import
from seisvision.data.importing.recipe import Recipe, build_recipe
from seisvision.data.importing.rejections import Rejection
from seisvision.data.importing.tables.catalogue import FILES
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import ConfigurationError, DataError
from seisvision.files import write_text
from seisvision.keys import COMPONENTS

log = logging.getLogger(__name__)

AS_STORED: dict[str, Any] = {
    "processing": {"detrend": False, "taper_fraction": 0.0, "taper_max_s": 0.0},
    "quality": {"min_length_s": 0.0, "max_flat_s": 1e9, "max_interpolated_fraction": 1.0, "min_snr": 1e9},
}
"""Recordings that were processed before: nothing is done to them, and no onset is looked for in them."""
OF_TRAINING = {"min_stations": 1, "min_signal_stations": 0}
"""What is not asked of recordings though it was of those of the training: an event is asked about as it is."""
NAME = "stream"
"""Of the one event of a stream without a catalogue."""


OPTIONS = {
    "inventory": "--stations", "events": "--events", "picks": "--picks", "associate": "--associate",
    "response": "--response", "unit": "--unit", "processing": "--as-they-are",
}  # fmt: skip
"""What arguments are called on the command line."""


@dataclass(frozen=True)
class Asked:
    """What is asked of recordings that are no waveform set.

    Args:
        inventory: ``obspy.Inventory``, file, or table; None: nothing is known of the stations.
        events: ``obspy.Catalog``, ``obspy`` event, file, or table with ``source_id`` and further columns; None: all
            recordings are of one event of which nothing is known.
        picks: file of picks, or ``events`` for those of the catalogue; None takes those where ``events`` is an object
            of ObsPy that has any.
        associate: for files: how one finds its event, as in ``seisvision data import``.
        before_s: how much before the origin belongs to an event; None: all of a stream of one event, else ``needed_s``.
        after_s: the same after the origin.
        needed_s: before and after the origin, what the window of a network needs.
        settings: sections ``processing``, ``quality``, ``window`` and ``onset_band_hz`` of a recipe.
        source: settings of a source of a recipe: ``response``, ``output``, ``unit``, ``orientation``.
    """

    inventory: Any = None
    events: Any = None
    picks: str | None = None
    associate: str | None = None
    before_s: float | None = None
    after_s: float | None = None
    needed_s: tuple[float, float] = (30.0, 120.0)
    settings: Mapping[str, Any] | None = None
    source: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Imported:
    """A set made of recordings, and what of them is not in it."""

    path: Path
    rejections: list[Rejection]


def is_recordings(data: Any) -> bool:
    """Whether data are ObsPy traces, or streams by the id of their event."""
    if isinstance(data, Mapping):
        return bool(data) and all(isinstance(one, obspy.Stream | obspy.Trace) for one in data.values())
    if isinstance(data, obspy.Stream | obspy.Trace):
        return True
    return isinstance(data, list | tuple) and bool(data) and all(isinstance(one, obspy.Trace) for one in data)


def refuse_unused(data: str, given: Mapping[str, Any]) -> None:
    """Refuse arguments that would change nothing.

    Args:
        data: what was asked about, for the message.
        given: arguments that have no use with it; None: not given.

    Raises:
        ConfigurationError: names those that were given.
    """
    names = [name for name, value in given.items() if value is not None]
    if names:
        said = ", ".join(f"{name}=... ({OPTIONS[name]})" if name in OPTIONS else f"{name}=..." for name in names)
        raise ConfigurationError(f"{said} would change nothing: the data are {data}. Leave it out.")


def settings_of_training(made: Mapping[str, Any], processing: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Sections of a recipe that make recordings like those a network was trained on.

    Args:
        made: what the checkpoint says of them (:func:`~seisvision.data.sets.cards.how_made`).
        processing: ``none`` for recordings that are to be taken as they are; changes to ``processing`` of the training;
            or None.

    Raises:
        ConfigurationError: another word.
    """
    if processing == "none":
        return {name: dict(section) for name, section in AS_STORED.items()}
    if isinstance(processing, str):
        raise ConfigurationError(
            f"processing='{processing}' is not allowed; give None (as in the training), 'none' (recordings as they "
            "are), or settings such as {'band_hz': [1, 10]}."
        )
    settings: dict[str, Any] = dict(made.get("parameters") or {})
    settings["processing"] = {**(settings.get("processing") or {}), "components": COMPONENTS, **(processing or {})}
    settings["quality"] = {**(settings.get("quality") or {}), **OF_TRAINING}
    if settings.get("window"):
        # A random shift is for training.
        settings["window"] = {**settings["window"], "jitter_s": 0.0}
    return settings


def import_recordings(data: Any, asked: Asked, folder: Path) -> Imported:
    """Make a waveform set of recordings in memory, or of files.

    Args:
        data: what :func:`is_recordings` says yes to, or a path or pattern of files.
        asked: how they are to be understood.
        folder: where the set, and tables that are needed on the way, are written.

    Raises:
        DataError: nothing of it can be used; the message says why.
        ConfigurationError: a setting is not allowed.
    """
    events, picks = _events_file(asked.events, folder), asked.picks
    if picks is None and _has_picks(asked.events):
        picks = "events"
    for name, value in (("before_s", asked.before_s), ("after_s", asked.after_s)):
        if value is not None and not value > 0:
            raise ConfigurationError(f"{name}={value} is not allowed; give seconds about the origin, above 0.")
    before_s, after_s = asked.before_s or asked.needed_s[0], asked.after_s or asked.needed_s[1]
    how = "name" if events == FILES else "time"
    source = {
        "name": NAME,
        "waveforms": [str(data)] if isinstance(data, str | Path) else ["in memory"],
        "events": events,
        "stations": _stations_file(asked.inventory, folder),
        "picks": picks,
        "association": {"by": asked.associate or how, "before_s": before_s, "after_s": after_s},
        **(asked.source or {}),
    }
    recipe = build_recipe({"name": NAME, "sources": [source], **(asked.settings or {})})
    found = (
        None
        if isinstance(data, str | Path)
        else associate_all(recipe, lambda one: associate_held(one, _held(data, asked)))
    )
    return _run(recipe, folder / "set", found)


def _run(recipe: Recipe, path: Path, found: Any) -> Imported:
    try:
        report = run_import(recipe, path, found=found, list_beside=False)
    except NothingLeftError as nothing:
        rejections = nothing.report.rejections
        said = "; ".join(
            dict.fromkeys(f"{one.trace_id or one.event_id or one.file}: {one.reason}" for one in rejections)
        )
        raise DataError(f"Nothing of these recordings can be used. {said[:900] or 'They hold no event.'}") from nothing
    return Imported(path, report.rejections)


def _held(data: Any, asked: Asked) -> Held:
    by_time = asked.before_s is None and asked.after_s is None
    if isinstance(data, Mapping):
        return Held({str(name): pieces_of(_traces(one)) for name, one in data.items()})
    return Held(pieces=pieces_of(_traces(data)), whole=by_time)


def _traces(data: Any) -> Sequence[Any]:
    return [data] if isinstance(data, obspy.Trace) else list(data)


def _stations_file(inventory: Any, folder: Path) -> str | None:
    if inventory is None or isinstance(inventory, str | Path):
        return None if inventory is None else str(inventory)
    if isinstance(inventory, obspy.Inventory):
        path = folder / "stations.xml"
        inventory.write(str(path), format="STATIONXML")
        return str(path)
    if isinstance(inventory, pd.DataFrame):
        return _table_file(inventory, folder / "stations.csv")
    raise ConfigurationError(
        f"inventory is a {type(inventory).__name__}; give an obspy.Inventory, a file (StationXML or CSV), or a table."
    )


def _events_file(events: Any, folder: Path) -> str:
    if events is None or isinstance(events, str | Path):
        return FILES if events is None else str(events)
    if isinstance(events, obspy.core.event.Event):
        events = obspy.Catalog([events])
    if isinstance(events, obspy.Catalog):
        path = folder / "events.xml"
        events.write(str(path), format="QUAKEML")
        return str(path)
    if isinstance(events, pd.DataFrame):
        with_id = events if "source_id" in events or events.index.name is None else events.reset_index()
        return _table_file(with_id, folder / "events.csv")
    raise ConfigurationError(
        f"events is a {type(events).__name__}; give an obspy.Catalog, a file (QuakeML or CSV), or a table."
    )


def _table_file(table: pd.DataFrame, path: Path) -> str:
    write_text(path, table.to_csv(index=False))
    return str(path)


def _has_picks(events: Any) -> bool:
    some = (
        [events] if isinstance(events, obspy.core.event.Event) else events if isinstance(events, obspy.Catalog) else []
    )
    return any(event.picks for event in some)


def write_arrays(
    waveforms: np.ndarray,
    folder: Path,
    *,
    sampling_rate_hz: float | None,
    components: str = COMPONENTS,
    onset_s: Sequence[float] | None = None,
    ids: Sequence[str] | None = None,
) -> Path:
    """Write recordings of single stations as a set of N events of one trace.

    Args:
        waveforms: (T,), (C, T) or (N, C, T).
        folder: where the set is written.
        sampling_rate_hz: of all of them.
        components: a letter for each of C.
        onset_s: (N,) onset after the first sample, NaN where none is known.
        ids: (N,) names; default ``array-0`` and so on.

    Raises:
        DataError: shapes, letters or lengths do not belong together.
    """
    array = np.asarray(waveforms)
    array = array.reshape(1, 1, -1) if array.ndim == 1 else array[None] if array.ndim == 2 else array
    letters = components if array.ndim != 3 or array.shape[1] != 1 or len(components) == 1 else components[0]
    if array.ndim != 3 or array.shape[1] != len(letters) or not array.size:
        raise DataError(
            f"An array of shape {np.shape(waveforms)} with components='{components}' is no recording; give (T,), "
            "(C, T) or (N, C, T) with a letter for each of C, such as components='ZNE'."
        )
    if sampling_rate_hz is None or not sampling_rate_hz > 0:
        raise ConfigurationError(
            f"sampling_rate_hz={sampling_rate_hz}: an array does not tell its rate; give it in Hz."
        )
    names = [f"array-{number}" for number in range(len(array))] if ids is None else [str(name) for name in ids]
    onsets = [float("nan")] * len(array) if onset_s is None else [float(value) for value in onset_s]
    if not len(names) == len(onsets) == len(array):
        raise DataError(f"{len(array)} recordings, {len(names)} ids and {len(onsets)} onsets do not belong together.")
    path = folder / "set"
    with WaveformSetWriter(path, card={"name": NAME}, component_order=letters) as writer:
        for name, onset, waveform in zip(names, onsets, array, strict=True):
            row = {"source_id": name, "trace_sampling_rate_hz": float(sampling_rate_hz), "trace_onset_s": onset}
            writer.add_event([row], waveform[None].astype(np.float32))
    return path
