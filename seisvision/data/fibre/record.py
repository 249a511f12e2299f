"""Recordings of a fibre, and the files that hold them: plain HDF5 and npz, or any format that dascore reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from seisvision import spreadsheets
from seisvision.errors import DataError

PLAIN = ("data", "distance_m", "sampling_rate_hz", "start_time")
"""What a plain file holds: samples (C, T), way along the fibre (C,), samples a second, and an ISO time (UTC)."""
COORDINATES = ("latitude_deg", "longitude_deg")


@dataclass(frozen=True)
class FibreRecord:
    """Strain rate, or whatever the unit says, on the channels of a fibre."""

    samples: np.ndarray
    """(C, T)."""
    along_m: np.ndarray
    """(C,) way along the fibre."""
    latitude_deg: np.ndarray
    """(C,) NaN where nobody told."""
    longitude_deg: np.ndarray
    """(C,)."""
    rate_hz: float
    start_ns: int
    """Of the first sample, since 1970 (UTC)."""
    unit: str = ""

    def kept(self, spacing_m: float, most: int) -> FibreRecord:
        """At most so many channels, none closer to the one before it than ``spacing_m``; those without place go."""
        known = np.flatnonzero(np.isfinite(self.latitude_deg) & np.isfinite(self.longitude_deg))
        chosen: list[int] = []
        for channel in known:
            if not chosen or abs(self.along_m[channel] - self.along_m[chosen[-1]]) >= spacing_m - 1e-6:
                chosen.append(int(channel))
        if len(chosen) > most:
            chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, most).round().astype(int)]
        if not chosen:
            raise DataError(
                "no channel of the fibre has coordinates; give --channels with latitude_deg, longitude_deg."
            )
        return replace(
            self,
            samples=self.samples[chosen],
            along_m=self.along_m[chosen],
            latitude_deg=self.latitude_deg[chosen],
            longitude_deg=self.longitude_deg[chosen],
        )


def read_fibre(path: str | Path, channels: str | Path | None = None) -> Iterator[FibreRecord]:
    """The recordings of a file or, where dascore reads them, of a folder of files, one after the other.

    Args:
        path: an npz or HDF5 file with `PLAIN` and, if known, `COORDINATES`; or what dascore reads.
        channels: table with ``distance_m``, ``latitude_deg`` and ``longitude_deg``, between whose rows places are
            interpolated.

    Raises:
        DataError: the file is of no kind that is read, or dascore is needed and not installed.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"there is no {path}.")
    places = None if channels is None else _places(Path(channels))
    plain = _plain(path)
    for record in [plain] if plain is not None else _by_dascore(path):
        yield record if places is None else _placed(record, *places)


def _plain(path: Path) -> FibreRecord | None:
    """The recording of a plain file; None where it is something else."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            return _of(path, {name: stored[name] for name in stored.files})
    if path.is_file() and h5py.is_hdf5(path):
        with h5py.File(path) as file:
            if all(name in file for name in PLAIN):
                names = [name for name in (*PLAIN, *COORDINATES, "unit") if name in file]
                return _of(path, {name: file[name][()] for name in names})
    return None


def _of(path: Path, values: dict[str, Any]) -> FibreRecord:
    missing = [name for name in PLAIN if name not in values]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}; a plain recording of a fibre holds {', '.join(PLAIN)}.")
    samples, along_m = np.asarray(values["data"], np.float32), np.asarray(values["distance_m"], float)
    unknown = np.full(len(along_m), np.nan)
    places = [np.asarray(values.get(name, unknown), float) for name in COORDINATES]
    if samples.ndim != 2 or any(len(value) != len(samples) for value in (along_m, *places)):
        raise DataError(f"{path}: data {samples.shape} is not (channels, samples) of {len(along_m)} distances.")
    rate_hz = float(values["sampling_rate_hz"])
    if not rate_hz > 0:
        raise DataError(f"{path}: sampling_rate_hz={rate_hz:g} must be positive.")
    start_ns, unit = _ns(_text(values["start_time"]), path), _text(values.get("unit", ""))
    return FibreRecord(samples, along_m, places[0], places[1], rate_hz, start_ns, unit)


def _text(value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray) else value
    return value.decode() if isinstance(value, bytes) else str(value)


def _ns(text: str, path: Path) -> int:
    try:
        moment = pd.Timestamp(text)
    except ValueError as error:
        raise DataError(f"{path}: start_time '{text[:40]}' is no time.") from error
    return int((moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")).value)


def _by_dascore(path: Path) -> Iterator[FibreRecord]:
    try:
        # An optional extra that few need, and slow to import.
        import dascore
    except ImportError as error:
        raise DataError(
            f"{path} is no plain recording ({', '.join(PLAIN)} in npz or HDF5); other formats need dascore: "
            "pip install 'seisvision[fibre]'."
        ) from error
    for patch in dascore.spool(str(path)):
        patch = patch.transpose("distance", "time")
        times = np.asarray(patch.get_coord("time").values).astype("datetime64[ns]")
        step_s = float(np.diff(times[[0, -1]])[0] / np.timedelta64(1, "s")) / max(1, len(times) - 1)
        along_m = np.asarray(patch.get_coord("distance").values, float)
        unknown = np.full(len(along_m), np.nan)
        unit = str(patch.attrs.data_units or "")
        samples = np.asarray(patch.data, np.float32)
        yield FibreRecord(samples, along_m, unknown, unknown, 1 / step_s, int(times[0].astype(np.int64)), unit)


def _places(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    spreadsheets.check_columns(path)
    table = pd.read_csv(path)
    for name in ("distance_m", *COORDINATES):
        if name not in table or not pd.api.types.is_numeric_dtype(table[name]):
            raise DataError(f"{path} has no column '{name}' of numbers; give distance_m, {', '.join(COORDINATES)}.")
    table = table.sort_values("distance_m")
    along_m, latitude, longitude = (table[name].to_numpy(float) for name in ("distance_m", *COORDINATES))
    return along_m, latitude, longitude


def _placed(record: FibreRecord, along_m: np.ndarray, latitude: np.ndarray, longitude: np.ndarray) -> FibreRecord:
    """With places between those of the table; channels beyond its ends have none."""
    turned = np.unwrap(longitude, period=360)
    at = [np.interp(record.along_m, along_m, values, left=np.nan, right=np.nan) for values in (latitude, turned)]
    east = (at[1] + 180) % 360 - 180
    return replace(record, latitude_deg=at[0], longitude_deg=east)
