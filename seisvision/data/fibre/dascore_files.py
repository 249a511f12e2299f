"""Recordings of fibres in the formats of their makers, read by dascore: the channels that are kept, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.fibre.record import Choice, FibreRecord, check_latitudes
from seisvision.errors import DataError

MOST_BYTES = 128 * 2**20
"""A piece of neighbouring channels that is read at once."""
MOST_UNEVEN = 0.01
"""Of a sample, by which times may differ from even ones."""


def read_by_dascore(path: Path, choice: Choice) -> Iterator[FibreRecord | DataError]:
    """The recordings of a file or folder that dascore reads, one after the other; for a refused one, its reason.

    What is not kept is read in pieces and dropped, so that memory holds the kept channels and one piece.

    Refused are files of formats that dascore does not know, and recordings that have no distances, no absolute or no
    even times, distances without a unit of length, or no channel with a place.

    Raises:
        DataError: dascore is not installed, or the folder is empty.
    """
    try:
        # An optional extra that few need, and slow to import.
        import dascore
    except ImportError as error:
        raise DataError(
            f"{path} is no plain recording (data, distance_m, sampling_rate_hz, start_time in npz or HDF5); other "
            "formats need dascore: pip install 'seisvision[fibre]'."
        ) from error
    # One file after the other: of a folder dascore would write an index into it.
    files = [path] if path.is_file() else sorted(one for one in path.rglob("[!.]*") if one.is_file())
    if not files:
        raise DataError(f"{path} holds no file.")
    for file in files:
        try:
            spool = dascore.spool(str(file))
            count = len(spool)
        except Exception as error:  # dascore's readers raise whatever the libraries of their formats do
            yield _unread(file, error)
            continue
        if not count:
            yield DataError(f"{file}: dascore finds no recording in it.")
        for number in range(count):
            try:
                record = _record(file, spool[number : number + 1], choice)
            except Exception as error:  # as above
                yield error if isinstance(error, DataError) else _unread(file, error)
            else:
                yield record


def _unread(file: Path, error: Exception) -> DataError:
    refused = DataError(f"{file}: dascore cannot read it: {type(error).__name__}: {error}.")
    refused.__cause__ = error
    return refused


def _record(path: Path, spool: Any, choice: Choice) -> FibreRecord:
    """The one recording of a spool."""
    row = spool.get_contents().iloc[0]
    dims = str(row.get("dims", "")).split(",")
    if sorted(dims) != ["distance", "time"]:
        raise DataError(
            f"{path}: a recording of dimensions {', '.join(dims)}; only those of distance and time are read."
        )
    # One sample of every channel tells all about channels, where the format lets dascore read only that.
    start = np.datetime64(row["time_min"], "ns") if np.issubdtype(np.dtype(row["time_dtype"]), np.datetime64) else None
    if start is None:
        raise DataError(
            f"{path}: its times are not absolute ({row['time_dtype']}), so that no event can be told by them."
        )
    about = spool.select(time=(start, start))[0].transpose("distance", "time")
    along_m = _metres(path, about)
    latitude, longitude = (_coordinate(about, name, len(along_m)) for name in ("latitude", "longitude"))
    if choice.places is None:
        check_latitudes(latitude, path)
    chosen, latitude, longitude = choice.of(along_m, latitude, longitude, path)
    distance = np.asarray(about.get_coord("distance").values)
    pieces, rate_hz, begins = [], 0.0, 0
    for low, high in _pieces(chosen, _bytes_a_channel(row)):
        ends = sorted((distance[low], distance[high]))
        patch = spool.select(distance=(ends[0], ends[1]))[0].transpose("distance", "time")
        rate_hz, begins = _even_rate_hz(path, patch)
        inside = chosen[(chosen >= low) & (chosen <= high)]
        if patch.shape[0] != high - low + 1:
            raise DataError(
                f"{path}: channels {low} to {high} were asked for, {patch.shape[0]} came; distances repeat."
            )
        pieces.append(np.asarray(patch.data)[inside - low].astype(np.float32))
    record = FibreRecord(
        np.concatenate(pieces),
        along_m[chosen],
        latitude[chosen],
        longitude[chosen],
        rate_hz,
        begins,
        _unit(about.attrs),
        _gauge_length_m(path, about.attrs),
        len(along_m),
    )
    return record.heard(path)


def _pieces(chosen: np.ndarray, bytes_a_channel: float) -> Iterator[tuple[int, int]]:
    """First and last channel of the pieces that are read, each with kept channels at both ends."""
    most = max(1, int(MOST_BYTES / max(bytes_a_channel, 1.0)))
    low = 0
    while low < len(chosen):
        high = int(np.searchsorted(chosen, chosen[low] + most)) - 1
        yield int(chosen[low]), int(chosen[max(high, low)])
        low = max(high, low) + 1


def _bytes_a_channel(row: Any) -> float:
    """Of samples in double precision, which no format exceeds."""
    step = row["time_step"]
    span = (row["time_max"] - row["time_min"]) / step if np.isfinite(step / np.timedelta64(1, "ns")) else 1e6
    return 8.0 * (float(span) + 1)


def _metres(path: Path, patch: Any) -> np.ndarray:
    """Way along the fibre (C,)."""
    coordinate = patch.get_coord("distance")
    if coordinate.units is None:
        raise DataError(
            f"{path}: its distances have no unit; are they numbers of channels? Set one with dascore "
            "(patch.set_units(distance='m')) and write the file again."
        )
    try:
        metres = np.asarray(coordinate.convert_units("m").values, float)
    except Exception as error:  # a unit of no length, whatever the library says
        raise DataError(f"{path}: its distances are in {coordinate.units}, which is no length.") from error
    if not np.isfinite(metres).all():
        raise DataError(f"{path}: {int((~np.isfinite(metres)).sum())} of its distances are no numbers.")
    return metres


def _coordinate(patch: Any, name: str, count: int) -> np.ndarray:
    """(C,) of a coordinate of the channels, NaN where the file has none."""
    if name in patch.coords.coord_map and patch.coords.dim_map[name] == ("distance",):
        return np.asarray(patch.get_coord(name).values, float)
    return np.full(count, np.nan)


def _even_rate_hz(path: Path, patch: Any) -> tuple[float, int]:
    """Sampling rate, and the time of the first sample (ns since 1970)."""
    times = np.asarray(patch.get_coord("time").values).astype("datetime64[ns]").astype(np.int64)
    if len(times) < 2:
        raise DataError(f"{path}: a recording of {len(times)} samples.")
    steps = np.diff(times)
    step = (times[-1] - times[0]) / len(steps)
    even = times[0] + step * np.arange(len(times))
    worst = int(np.abs(times - even).argmax())
    if not step > 0 or np.abs(times - even).max() > max(MOST_UNEVEN * step, 1000):
        at = np.datetime64(int(times[worst]), "ns")
        raise DataError(
            f"{path}: its samples are not evenly spaced ({steps.min() / 1e9:g} to {steps.max() / 1e9:g} s, worst at "
            f"{at}); a recording with gaps has to be cut at them."
        )
    return 1e9 / float(step), int(times[0])


def _unit(attrs: Any) -> str:
    """Of the samples, with what they measure."""
    said = [str(value) for value in (attrs.data_type.replace("_", " "), attrs.data_units or "") if value]
    return ", ".join(said)


def _gauge_length_m(path: Path, attrs: Any) -> float | None:
    length = getattr(attrs, "gauge_length", None)
    if length is None or not np.isfinite(float(length)):
        return None
    unit = str(getattr(attrs, "gauge_length_units", None) or "m")
    if unit not in ("m", "meter", "1 m", "1.0 m"):
        raise DataError(f"{path}: gauge length {length} {unit}; only metres are read.")
    return float(length)
