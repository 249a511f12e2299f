"""The folder of a catalogue that is being made: which stage is done, from what, and with which outcome.

``DIR`` holds whole tables; ``DIR/work`` the parts of stages that are done piece by piece, and a file for each stage
that is done. A stage whose settings and inputs are the same is not done again, so that a command that was killed at
any moment goes on, and in the end writes what an undisturbed one writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import seisvision
from seisvision.cataloguing.association.geometry import aperture_km
from seisvision.cataloguing.association.protocol import Network
from seisvision.cataloguing.network import network_of
from seisvision.cataloguing.recordings import Recordings
from seisvision.cataloguing.settings import CatalogueSettings
from seisvision.data.importing.tables.station_table import StationTable, read_stations
from seisvision.earth.travel_time_table import TravelTimes
from seisvision.errors import DataError
from seisvision.files import parse_json, write_text
from seisvision.location.arrivals.velocity import velocity_model
from seisvision.location.catalogue import write_table
from seisvision.spreadsheets import frame_from_cells


@dataclass(frozen=True)
class CatalogueJob:
    """What ``seisvision catalogue run`` is asked for.

    Args:
        waveforms: folders, files and patterns of the archive.
        stations: StationXML or table.
        velocity: see ``seisvision locate --velocity``.
        out: folder of the catalogue.
        settings: of the stages.
        device: ``auto``, or one that torch knows.
        launcher: settings as of ``conf/launcher``.
        n_shares: folders that other launchers get.
    """

    waveforms: tuple[str, ...]
    stations: str
    velocity: str
    out: Path
    settings: CatalogueSettings
    device: str = "auto"
    launcher: Mapping[str, Any] = field(default_factory=lambda: {"kind": "local"})
    n_shares: int = 1

    @cached_property
    def station_table(self) -> StationTable:
        """Places, angles and sensitivities."""
        return read_stations(self.stations)

    @cached_property
    def network(self) -> Network:
        """Stations in order."""
        return network_of(self.station_table)

    @cached_property
    def travel_times(self) -> TravelTimes:
        """Of the velocity model."""
        reach_km = aperture_km(self.network) + 2 * self.settings.associate.margin_km
        return velocity_model(self.velocity, self.network.elevation_km, reach_km, self.settings.associate.depth_km)

    @cached_property
    def recordings(self) -> Recordings:
        """The archive at the rate of the windows."""
        return Recordings(self.waveforms, self.station_table, self.settings.cut.rate_hz)

    @property
    def work(self) -> Path:
        """Folder of the parts."""
        return self.out / "work"

    def part(self, stage: str, name: str, suffix: str = ".npz") -> Path:
        """File of a part of a stage."""
        return self.work / stage / f"{name}{suffix}"

    def table(self, name: str) -> Path:
        """A table of the catalogue."""
        return self.out / f"{name}.csv"

    def read(self, name: str) -> pd.DataFrame:
        """A table that an earlier stage has written.

        Raises:
            DataError: it is not there.
        """
        path = self.table(name)
        if not path.is_file():
            raise DataError(f"{path} is missing; run the stage that writes it, or all of them, again.")
        return frame_from_cells(pd.read_csv(path, keep_default_na=True, dtype=TEXTS))

    def write(self, name: str, table: pd.DataFrame) -> None:
        """Write a table, whole or not at all."""
        write_table(table, self.table(name))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the processes that do a share."""
        sections = {name: self.settings.section(name) for name in ("pick", "cut", "match", "relocate", "magnitude")}
        associate = {key: value for key, value in self.settings.section("associate").items() if key != "associator"}
        return {
            "waveforms": list(self.waveforms),
            "stations": str(Path(self.stations).resolve()),
            "velocity": str(Path(self.velocity).resolve()) if Path(self.velocity).is_file() else self.velocity,
            "out": str(self.out.resolve()),
            "device": self.device,
            "settings": json.loads(
                json.dumps(
                    {
                        **sections,
                        "associate": associate,
                        "associator": self.settings.associator,
                        "stages": self.settings.stages,
                    }
                )
            ),
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> CatalogueJob:
        """Inverse of :meth:`to_dict`."""
        settings = CatalogueSettings.of(stored["settings"])
        return cls(
            tuple(stored["waveforms"]), stored["stations"], stored["velocity"], Path(stored["out"]), settings,
            stored["device"],
        )  # fmt: skip


TEXTS = dict.fromkeys(("event_id", "network", "station", "location", "phase", "template_id", "other_id"), str)


class StageRecord:
    """Whether a stage is done, and with which settings and inputs.

    Args:
        job: the catalogue.
        stage: its name.
        inputs: files that the stage reads.
        before: identity of the stage before it, where parts of that are read.
    """

    def __init__(self, job: CatalogueJob, stage: str, inputs: Sequence[Path]) -> None:
        self._file = job.work / f"{stage}.json"
        about = {
            "version": seisvision.__version__,
            "settings": job.settings.section(stage),
            "stations": _hash(Path(job.stations)),
            "velocity": _hash(Path(job.velocity)) if Path(job.velocity).is_file() else job.velocity,
            "waveforms": list(job.waveforms),
            "inputs": {path.name: _hash(path) for path in inputs},
        }
        text = json.dumps(about, sort_keys=True)
        self.identity = hashlib.sha256(text.encode()).hexdigest()[:16]

    def summary(self) -> dict[str, Any] | None:
        """What the stage came to, where it is done and its tables are as it left them; else None."""
        if not self._file.is_file():
            return None
        stored = parse_json(self._file.read_bytes())
        is_same = stored.get("identity") == self.identity
        tables = stored.get("tables", {})
        folder = self._file.parent.parent
        whole = all((folder / name).is_file() and _hash(folder / name) == value for name, value in tables.items())
        return dict(stored["summary"]) if is_same and whole else None

    def keep(self, summary: Mapping[str, Any], tables: Sequence[Path]) -> None:
        """Say that the stage is done."""
        folder = self._file.parent.parent
        hashes = {str(path.relative_to(folder)): _hash(path) for path in tables if path.is_file()}
        content = {"identity": self.identity, "summary": dict(summary), "tables": hashes}
        write_text(self._file, json.dumps(content, indent=2, sort_keys=True) + "\n")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""


def rows_of(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as mappings."""
    yield from table.to_dict("records")


def seconds_since(times_ns: np.ndarray, zero_ns: int) -> np.ndarray:
    """Seconds after a time, without losing digits."""
    return np.asarray((np.asarray(times_ns, np.int64) - zero_ns) / 1e9)
