"""The files of a waveform set in the SeisBench data format: chunks, card and what the set is known by."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from seisvision.data.sets.stored.axes import component_letters, dimension_order, rate_of, read_data_format
from seisvision.data.sets.stored.hashes import content_hashes, first_seen
from seisvision.data.sets.stored.own_items import NotOwnError, own_item
from seisvision.data.sets.stored.placing import put_back
from seisvision.errors import DataError
from seisvision.files import parse_json
from seisvision.plain_files import LARGEST_JSON_BYTES, read_text

log = logging.getLogger(__name__)

REMEDY = "make, import or download the set again"


@dataclass(frozen=True)
class Chunk:
    """One pair of metadata and waveform files, with what its ``data_format`` group says.

    Attributes:
        name: what tells the chunk from others, "" in a set of one.
        metadata_path: table.
        waveforms_path: samples.
        dimension_order: ``CW`` or ``WC``, "" where it is not said.
        component_order: letters, "" where it is not said.
        sampling_rate_hz: NaN where it is not said.
    """

    name: str
    metadata_path: Path
    waveforms_path: Path
    dimension_order: str
    component_order: str
    sampling_rate_hz: float


def find_chunks(folder: Path) -> list[Chunk]:
    """Return the chunks of the set in ``folder``, in the order of its ``chunks`` file or of their names.

    Raises:
        DataError: the folder, a file or its HDF5 content is missing or damaged.
    """
    if not folder.is_dir() and not put_back(folder):
        raise DataError(f"waveform set {folder} does not exist; check the path, or {REMEDY}")
    return [_open_chunk(folder, name) for name in _chunk_names(folder)]


def _chunk_names(folder: Path) -> list[str]:
    listed = folder / "chunks"
    try:
        names = read_text(listed, LARGEST_JSON_BYTES).split() if listed.is_file() else []
    except ValueError as error:
        raise DataError(f"{listed} is no text ({error}); {REMEDY}") from error
    odd = next((name for name in names if not re.fullmatch(r"[^/\x00-\x1f]{1,100}", name)), None)
    if odd is not None:
        raise DataError(f"{listed} names the chunk '{odd[:40]}', which no file of the set can be named by; {REMEDY}")
    if names:
        return names
    found = [path.name.removeprefix("metadata").removesuffix(".csv") for path in folder.glob("metadata*.csv")]
    if "" in found:
        return [""]
    if not found:
        raise DataError(f"{folder} is not a waveform set: it has no metadata.csv; check the path, or {REMEDY}")
    return sorted(found, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])


def _open_chunk(folder: Path, name: str) -> Chunk:
    metadata_path, waveforms_path = folder / f"metadata{name}.csv", folder / f"waveforms{name}.hdf5"
    for path in (metadata_path, waveforms_path):
        if not path.is_file():
            raise DataError(f"{path} is missing from its waveform set; {REMEDY}")
    try:
        with h5py.File(waveforms_path, "r") as file:
            held = own_item(file, "data") if file.get("data", getlink=True) is not None else None
            if not isinstance(held, h5py.Group):
                raise DataError(f"{waveforms_path} has no group 'data', so it is no SeisBench file; {REMEDY}")
            described = read_data_format(file)
    except NotOwnError as error:
        raise DataError(f"{waveforms_path}: {error}") from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{waveforms_path} cannot be read, perhaps it is truncated ({error}); {REMEDY}") from error
    try:
        dimensions = dimension_order(str(described.get("dimension_order") or ""))
        components = described.get("component_order")
        letters = component_letters(str(components)) if components else ""
    except DataError as error:
        raise DataError(f"{waveforms_path}: {error}; correct its data_format group") from error
    return Chunk(name, metadata_path, waveforms_path, dimensions, letters, rate_of(described.get("sampling_rate")))


def file_state(path: Path) -> tuple[int, int]:
    """What tells a file from one that took its place: number of the inode and size.

    Raises:
        DataError: it is gone.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read any more ({error.strerror}); {REMEDY}") from error
    return status.st_ino, status.st_size


def read_card(folder: Path) -> dict[str, Any]:
    """Return the content of ``card.json``, or ``{}`` where there is none.

    Raises:
        DataError: the file is not a JSON object.
    """
    path = folder / "card.json"
    if not path.is_file():
        return {}
    try:
        card = parse_json(read_text(path, LARGEST_JSON_BYTES))
    except ValueError as error:
        raise DataError(f"{path} is not valid JSON ({error}); correct or remove it") from error
    if not isinstance(card, dict):
        raise DataError(f"{path} must hold a JSON object; correct or remove it")
    return card


def describe_files(folder: Path, *, own: bool = False) -> dict[str, dict[str, Any]]:
    """Return what a card keeps of the files of a set: size and sha256 of each metadata and waveform file.

    Args:
        folder: the set.
        own: it was written just now, see :func:`~seisvision.data.sets.stored.hashes.content_hashes`.

    Raises:
        DataError: a file is missing or damaged, or keeps samples in other files.
    """
    paths = [path for chunk in find_chunks(folder) for path in (chunk.metadata_path, chunk.waveforms_path)]
    hashes = content_hashes(paths, own=own)
    return {path.name: {"bytes": path.stat().st_size, "sha256": hashes[path.name]} for path in paths}


def set_fingerprint(folder: Path) -> str:
    """Fingerprint of a set: that of its card, else a hash of the content of its metadata and waveform files.

    Where the files are no longer those that the card describes, the set has been edited: that is logged as a warning,
    and the fingerprint is a new one. Files are read once and again when their size or times change.
    """
    card = read_card(folder)
    # It becomes part of file names.
    if not re.fullmatch(r"[0-9A-Za-z][\w-]*", str(card.get("fingerprint") or "none")):
        raise DataError(
            f"the fingerprint in {folder / 'card.json'} must be letters and digits; remove it from the card"
        )
    given, described = card.get("fingerprint"), card.get("files")
    if given and not isinstance(described, dict):
        return str(given)
    found = describe_files(folder)
    if not isinstance(described, dict):
        return _short_hash(found)
    found = _as_described(folder, found, described, str(given))
    if given and found == described:
        return str(given)
    changed = sorted(name for name in {*found, *described} if found.get(name) != described.get(name))
    log.warning(
        "%s was changed after it was written (%s), so its fingerprint is no longer %s: runs on it are new runs",
        folder, ", ".join(changed), given,
    )  # fmt: skip
    return _short_hash([given, found])


def _as_described(
    folder: Path, found: dict[str, dict[str, Any]], described: dict[str, Any], given: str
) -> dict[str, dict[str, Any]]:
    """Leave out hashes that the card of an earlier version does not tell, of files that are as when first seen."""
    untold = {
        name: item["sha256"] for name, item in found.items() if "sha256" not in described.get(name, {"sha256": 0})
    }
    if not untold:
        return found
    first = first_seen(folder, given, untold)
    same = [name for name, value in untold.items() if first.get(name) == value]
    return {name: {"bytes": item["bytes"]} if name in same else item for name, item in found.items()}


def _short_hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
