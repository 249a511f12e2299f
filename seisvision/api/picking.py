"""Streams and files picked through the one way of ``seisvision pick``."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import obspy
import pandas as pd

from seisvision.api.answers import Picks
from seisvision.archives.pick_table import COLUMNS
from seisvision.archives.picking import PickJob, pick_archive
from seisvision.archives.settings import PickSettings
from seisvision.archives.work_folder import losses_path
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.leftovers import temporary_folder

CODES = {"network": 2, "station": 5, "location": 2, "channel": 3}
"""Longest codes of miniSEED."""
NUMBERS = {"probability": float, "amplitude": float, "window_residual_s": float, "windows": int, "seconds_lost": float}


def pick(path: Path, data: Any, inventory: Any, settings: Mapping[str, Any]) -> Picks:
    """Pick recordings with the network of a checkpoint.

    Args:
        path: checkpoint or weights.
        data: ``obspy.Stream``, or a folder, file or pattern.
        inventory: ``obspy.Inventory``, StationXML, CSV or None.
        settings: of :class:`~seisvision.archives.settings.PickSettings`.

    Raises:
        DataError: there is nothing to pick.
        ConfigurationError: a setting is not allowed.
    """
    known = [item.name for item in fields(PickSettings)]
    unknown = next((name for name in settings if name not in known), None)
    if unknown is not None:
        raise ConfigurationError(f"{unknown}=... is no setting of picking. {did_you_mean(unknown, known)}")
    with temporary_folder() as folder:
        patterns = (str(data),) if isinstance(data, str | Path) else (_written(data, folder / "recordings"),)
        stations = inventory
        if isinstance(inventory, obspy.Inventory):
            stations = folder / "stations.xml"
            inventory.write(str(stations), format="STATIONXML")
        out = folder / "picks.csv"
        named = None if stations is None else str(stations)
        pick_archive(PickJob(path, patterns, out, PickSettings(**settings), named))
        return Picks(_read(out), _read(losses_path(out)))


def _written(data: Any, folder: Path) -> str:
    """Folder of miniSEED files, one a trace, which hold the samples as they are."""
    traces = [data] if isinstance(data, obspy.Trace) else data
    if not isinstance(traces, obspy.Stream | list | tuple) or not all(isinstance(one, obspy.Trace) for one in traces):
        raise ConfigurationError(
            f"data is a {type(data).__name__}; give an obspy.Stream, or a folder, file or pattern."
        )
    folder.mkdir()
    for number, trace in enumerate(_unmasked(traces)):
        for name, longest in CODES.items():
            if len(trace.stats[name]) > longest:
                raise DataError(
                    f"{trace.id}: its {name} code has more than the {longest} letters that miniSEED has room for; "
                    "shorten it, or give the files of the recordings."
                )
        if trace.data.dtype not in (np.int32, np.float32, np.float64):
            trace.data = trace.data.astype(np.int32 if trace.data.dtype.kind in "iu" else np.float64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # obspy tells of every record that it writes in another byte order
            trace.write(str(folder / f"{number:06d}.mseed"), format="MSEED")
    return str(folder)


def _unmasked(traces: Iterable[Any]) -> Iterable[Any]:
    return [piece for trace in traces for piece in obspy.Stream([trace.copy()]).split() if piece.stats.npts]


def _read(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False)
    for name, kind in NUMBERS.items():
        if name in table:
            table[name] = pd.to_numeric(table[name], errors="coerce").astype(kind)
    if "time" in table and list(table)[: len(COLUMNS)] == list(COLUMNS):
        table["time"] = pd.to_datetime(table["time"], utc=True, format="ISO8601")
    return table
