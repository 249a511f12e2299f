"""Whether the files of a set are as they were written, to the last bit; reads everything, whatever is remembered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from seisvision.data.audit.findings import MAX_EXAMPLES, Finding
from seisvision.data.sets.set_files import read_card
from seisvision.data.sets.stored.checksums import UNREADABLE, changed_traces
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError
from seisvision.plain_files import LARGEST_BYTES, check_file

CHANGED, SAMPLES, UNTOLD = "content_changed", "samples_changed", "content_untold"
_AGAIN = "make, import or download the set again, or take these files from a copy"


def check_content(folder: Path) -> tuple[list[Finding], list[tuple[Path, str, int]]]:
    """Compare all files of a set with what its card tells of them, and samples with the checksums kept with them.

    Returns:
        The findings on files, and file, dataset and row of every trace that is not as it was written.

    Raises:
        DataError: the card cannot be read.
    """
    described = read_card(folder).get("files")
    described = described if isinstance(described, dict) else {}
    told = {name: item for name, item in described.items() if isinstance(item, dict) and "sha256" in item}
    climbing = next((name for name in told if Path(name).name != name), None)
    if climbing is not None:
        raise DataError(f"{folder / 'card.json'} names the file '{climbing[:80]}', which is not in the set; correct it")
    if not told:
        remedy = "No card tells the sha256 of the files, so only what cannot be read is found. Import the set again."
        return [
            Finding(UNTOLD, "note", "sets whose content nobody noted when it was written", 1, 1, "sets", remedy)
        ], []
    changed = [name for name, item in told.items() if _sha256(folder / name) != item["sha256"]]
    traces: list[tuple[Path, str, int]] = []
    examples = []
    for name in changed:
        found, why = _traces_of(folder / name)
        traces += found
        examples.append(f"{name}{why}")
    if not changed:
        return [], []
    remedy = f"Somebody edited them, or the disk has lost something: {_AGAIN}."
    title = "files that are not as they were written"
    return [
        Finding(CHANGED, "fatal", title, len(changed), len(told), "files", remedy, tuple(examples[:MAX_EXAMPLES]))
    ], traces


def traces_finding(traces: list[tuple[Path, str, int]], waveform_set: WaveformSet) -> Iterator[Finding]:
    """The finding on traces whose samples are not as they were written, by file, dataset, row and event."""
    if not traces:
        return
    rows = {place: row for row, place in enumerate(waveform_set.places())}
    table = waveform_set.table
    examples = []
    for path, dataset, number in traces[:MAX_EXAMPLES]:
        row = rows.get((path.name, dataset, number))
        event = "" if row is None else f": event {table['source_id'].iloc[row]} (row {row})"
        station = "" if row is None or "station_code" not in table else f" station {table['station_code'].iloc[row]}"
        examples.append(f"{path.name} data/{dataset} trace {number}{event}{station}")
    title = "traces whose samples are not as they were written"
    remedy = f"Leave them out, or {_AGAIN}."
    yield Finding(SAMPLES, "fatal", title, len(traces), len(table), "traces", remedy, tuple(examples))


def _sha256(path: Path) -> str:
    """Hash of a file; empty where it cannot be read."""
    try:
        check_file(path, LARGEST_BYTES)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _traces_of(path: Path) -> tuple[list[tuple[Path, str, int]], str]:
    """Changed traces of a file, and what else is to be said of it."""
    if not path.is_file():
        return [], " (is missing)"
    if path.suffix != ".hdf5":
        return [], ""
    try:
        found = [(path, dataset, row) for dataset, row in changed_traces(path)]
    except UNREADABLE as error:
        return [], f" (cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__})"
    return found, "" if found else " (outside the samples, or it keeps no checksums of its traces)"
