"""DiTing (Zhao et al. 2023, doi:10.1016/j.eqs.2022.01.022) as a waveform set, with its azimuths called what they are.

Its column ``baz`` holds the azimuth from source to station, and it tells no coordinates by which this would be seen.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seisvision.data.sources.folder import FolderSource
from seisvision.errors import DataError
from seisvision.files import check_writable, clear_lock, locked

if TYPE_CHECKING:
    import h5py
    import numpy as np
    import pandas as pd

log = logging.getLogger(__name__)

VERSION = 1
RATE_HZ = 50.0
ORDER = "ZNE"
EVENTS_PER_CHUNK = 20000
COLUMNS = {
    "ev_id": "source_id",
    "evmag": "source_magnitude",
    "mag_type": "source_magnitude_type",
    "net": "station_network_code",
    "sta_id": "station_code",
    "st_mag": "trace_station_magnitude",
    "p_pick": "trace_p_arrival_sample",
    "s_pick": "trace_s_arrival_sample",
    "p_motion": "trace_p_motion",
    "p_clarity": "trace_p_clarity",
    "dis": "path_ep_distance_km",
    "baz": "path_azimuth_deg",
}
"""Its columns and ours; others are kept as ``trace_*``."""
BACK_AZIMUTH, AZIMUTH = "path_back_azimuth_deg", "path_azimuth_deg"
NAMES = ("key", "ev_id", "net", "sta_id")
MISSING = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"]
"""What stands for nothing in columns of numbers."""
Event = tuple[list[dict[str, Any]], list["np.ndarray"]]


@dataclass(frozen=True)
class DiTingSource:
    """DiTing as it is handed out (``DiTing330km_part_*.csv`` and ``.hdf5``), or converted to the format of SeisBench.

    A set of its own is written into the data folder once: Z, N and E at 50 Hz, events from all parts together. Back
    azimuths are the azimuths turned by 180 degrees, off by up to 2 degrees at 330 km and 35 degrees of latitude; where
    there are coordinates they are computed.

    Args:
        path: folder, absolute or in the data folder.
    """

    path: str

    def fingerprint(self, data_dir: str | Path) -> str:
        """Short hash of the files; the set need not exist, but if it does, edits of it count.

        Raises:
            DataError: the files are not there.
        """
        from seisvision.data.sets.set_files import set_fingerprint

        wanted = self._wanted(data_dir)
        folder = _folder(data_dir, wanted)
        return set_fingerprint(folder) if (folder / "card.json").is_file() else wanted

    def prepare(self, data_dir: str | Path) -> Path:
        """Return the folder of the set; makes it when it is not there.

        Raises:
            DataError: the files are missing or damaged.
        """
        wanted = self._wanted(data_dir)
        folder = _folder(data_dir, wanted)
        lock = folder.with_name(f".{folder.name}.lock")
        if (folder / "card.json").is_file():
            clear_lock(lock)
            return folder
        check_writable(folder.parent, "system.data_dir")
        with locked(lock):
            if not (folder / "card.json").is_file():
                log.info("Writing DiTing to %s, once", folder)
                self._make(folder, Path(data_dir), wanted)
        return folder

    def _wanted(self, data_dir: str | Path) -> str:
        from seisvision.data.sets.stored.hashes import content_hashes

        given = FolderSource(self.path).prepare(data_dir)
        files = sorted([*given.glob("*.csv"), *given.glob("*.hdf5")])
        if not files:
            raise DataError(
                f"{given} holds neither DiTing330km_part_*.csv and .hdf5 nor metadata.csv and waveforms.hdf5; give the "
                "folder of DiTing as dataset.source.path"
            )
        text = json.dumps([VERSION, content_hashes(files)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _make(self, folder: Path, data_dir: Path, fingerprint: str) -> None:
        from seisvision.data.importing.rejections import FILE_NAME, RejectionLog, write_rejections
        from seisvision.data.sets.writer import WaveformSetWriter

        given, refused = FolderSource(self.path).prepare(data_dir), RejectionLog("diting")
        parts = sorted(given.glob("DiTing330km_part_*.csv"), key=_part)
        events = _parts_together(parts, refused) if parts else _converted(given)
        with WaveformSetWriter(
            folder, card=_card(fingerprint), component_order=ORDER, events_per_chunk=EVENTS_PER_CHUNK
        ) as writer:
            for rows, waveforms in events:
                writer.add_event([_described(row, waveforms[i].shape[-1]) for i, row in enumerate(rows)], waveforms)
            write_rejections(writer.partial / FILE_NAME, refused.items)
        if refused.items:
            log.warning("%d traces of DiTing are left out, see %s", len(refused.items), folder / FILE_NAME)


def _folder(data_dir: str | Path, fingerprint: str) -> Path:
    return Path(data_dir).expanduser() / f"diting-{fingerprint}"


def _part(path: Path) -> int:
    number = re.search(r"_part_(\d+)", path.name)
    return int(number[1]) if number else -1


def _parts_together(parts: list[Path], refused: Any) -> Iterator[Event]:
    """Events of all parts, traces in the order of the tables."""
    import h5py
    import pandas as pd

    tables = []
    for path in parts:
        # Network NA is a name; only cells without anything are missing there.
        missing = {name: [""] if name in NAMES else MISSING for name in pd.read_csv(path, nrows=0).columns}
        one = pd.read_csv(
            path, dtype=dict.fromkeys(NAMES, "str"), keep_default_na=False, na_values=missing, low_memory=False
        )
        tables.append(one.assign(part_file=path.with_suffix(".hdf5").name))
    table = pd.concat(tables, ignore_index=True)
    lacking = [name for name in ("key", "ev_id", "p_pick", "s_pick", "dis", "baz") if name not in table]
    if lacking:
        raise DataError(f"{parts[0]} has no column '{lacking[0]}', so it is no table of DiTing; give its own files")
    files = {path.with_suffix(".hdf5").name: h5py.File(path.with_suffix(".hdf5"), "r") for path in parts}
    try:
        for _, event in table.groupby("ev_id", sort=False):
            rows, waveforms = [], []
            for row in event.to_dict("records"):
                waveform = _read(files[row["part_file"]], row, refused)
                if waveform is not None:
                    rows.append(_renamed(row))
                    waveforms.append(waveform)
            if rows:
                yield rows, waveforms
    finally:
        for file in files.values():
            file.close()


def _read(file: h5py.File, row: dict[str, Any], refused: Any) -> np.ndarray | None:
    """Samples (3, T) of one trace; what the file does not hold is listed."""
    import h5py
    import numpy as np

    from seisvision.data.importing.rejections import Refusal

    # Tables that went through a spreadsheet lack the zeros at both ends of the key.
    before, _, after = str(row["key"]).strip().partition(".")
    name = f"earthquake/{before.rjust(6, '0')}.{after.ljust(4, '0')}"
    dataset = file.get(name)
    if isinstance(dataset, h5py.Dataset) and dataset.ndim == 2 and dataset.shape[1] == len(ORDER):
        return np.ascontiguousarray(dataset[()].T, dtype=np.float32)
    what = "is not there" if dataset is None else "is no array of samples by three components"
    refused.add(Refusal("read", "samples", f"{name} {what}"), file=row["part_file"], event_id=str(row["ev_id"]))
    return None


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    left_out = ("part", "part_file", "key")
    kept = {name: value for name, value in row.items() if name not in left_out and not str(name).startswith("Unnamed")}
    return {COLUMNS.get(name, f"trace_{name.lower()}"): _tidy(value) for name, value in kept.items()}


def _tidy(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _converted(folder: Path) -> Iterator[Event]:
    """Events of DiTing in the format of SeisBench, whose column of back azimuths is the azimuth."""
    from seisvision.data.sets.waveform_set import WaveformSet

    waveform_set = WaveformSet(folder)
    dropped = ("trace_name", "trace_npts", "trace_dt_s", "trace_chunk", "trace_component_order", "split")
    for source_id in waveform_set.source_ids:
        rows = waveform_set.rows(source_id)
        part: pd.DataFrame = waveform_set.table.iloc[rows].drop(columns=list(dropped), errors="ignore")
        if BACK_AZIMUTH in part:
            part = part.drop(columns=AZIMUTH, errors="ignore").rename(columns={BACK_AZIMUTH: AZIMUTH})
        yield part.to_dict("records"), waveform_set.read_rows(rows, ORDER)[0]


def _described(row: dict[str, Any], n_samples: int) -> dict[str, Any]:
    """One row as sets have it: type, rate and order said, picks within the recording, the back azimuth made."""
    row = {"source_type": "earthquake", "trace_sampling_rate_hz": RATE_HZ, "trace_component_order": ORDER} | row
    azimuth = _number(row.get(AZIMUTH)) % 360
    row |= {AZIMUTH: azimuth, BACK_AZIMUTH: (azimuth + 180) % 360}
    for column in ("trace_p_arrival_sample", "trace_s_arrival_sample"):
        sample = _number(row.get(column))
        row[column] = sample if 0 <= sample < n_samples else float("nan")
    return row


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _card(fingerprint: str) -> dict[str, Any]:
    return {
        "name": f"diting-{fingerprint}",
        "description": "DiTing, Chinese earthquakes to 330 km at 50 Hz, Z, N and E",
        "source": "files of DiTing as handed out, or their conversion to the format of SeisBench",
        "licence": "not stated; DiTing is given on application",
        "citation": ["Zhao, Xiao, Chen and Fang (2023), doi:10.1016/j.eqs.2022.01.022"],
        "processing": ["baz holds azimuths and is called so; back azimuths are these and 180 degrees"],
        "fingerprint": fingerprint,
    }
