"""Turn recordings along a fibre into a waveform set with one station for each channel that is kept.

FILE is plain npz or HDF5 (data (C, T), distance_m, sampling_rate_hz, start_time; if known latitude_deg, longitude_deg),
or a file or folder of any format that dascore reads (pip install 'seisvision[fibre]'). --channels names a table with
distance_m, latitude_deg and longitude_deg, between whose rows places are interpolated; channels beyond it go.
Recordings that are refused are listed with their reason, and the others imported.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seisvision.plain_text import say

if TYPE_CHECKING:
    from seisvision.data.fibre.record import FibreRecord


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``seisvision fibre import``."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="recordings of one event each")
    parser.add_argument("--channels", type=Path, metavar="TABLE", help="places of the channels")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the set")
    parser.add_argument("--spacing", type=float, default=0.0, metavar="M", help="keep channels this far apart (all)")
    parser.add_argument("--most", type=int, default=800, metavar="N", help="keep at most so many channels (800)")


def run(args: argparse.Namespace) -> int:
    """Import, and print how many channels were kept, which recordings were refused and why, and the folder.

    Raises:
        DataError: no recording is left.
    """
    from seisvision.data.fibre.files import read_each
    from seisvision.data.fibre.record import Choice, Places
    from seisvision.data.fibre.sets import COMPONENT, channel_rows
    from seisvision.data.sets.writer import WaveformSetWriter
    from seisvision.errors import DataError
    from seisvision.files import check_writable

    check_writable(args.out.absolute().parent, "--out")
    names = event_names(args.files)
    choice = Choice(args.spacing, args.most, None if args.channels is None else Places.read(args.channels))
    card = {
        "name": args.out.name,
        "measurement": "strain or strain rate",
        "processing": "channels kept, short gaps filled",
    }
    refused: list[DataError] = []
    with WaveformSetWriter(args.out, card=card, component_order=COMPONENT, compression="gzip") as writer:
        for path, name in zip(args.files, names, strict=True):
            for number, record in enumerate(read_each(path, choice)):
                if isinstance(record, DataError):
                    refused.append(record)
                    say(f"{path.name}: refused: {record}")
                    continue
                rows = channel_rows(record, f"{name}/{number}" if number else name)
                writer.add_event(rows, record.samples[:, None])
                say(f"{path.name}: {told(record)}")
        if not writer.n_events:
            raise DataError(f"{args.out} was not written: {len(refused)} of {len(refused)} recordings were refused.")
    if refused:
        say(f"{len(refused)} of {len(refused) + writer.n_events} recordings refused")
    say(args.out)
    return 0


def told(record: FibreRecord) -> str:
    """What was kept of a recording, and what it says of itself."""
    import numpy as np

    spacing = np.abs(np.diff(record.along_m))
    parts = [f"{len(record.along_m)} of {record.n_recorded} channels kept"]
    if record.n_silent:
        parts.append(f"{record.n_silent} left out, whose samples are no numbers for more than a short gap")
    if record.n_nowhere:
        parts.append(f"{record.n_nowhere} left out, whose distance is no number")
    if record.n_filled:
        parts.append(f"{record.n_filled} samples in short gaps filled")
    if len(spacing):
        parts.append(f"{np.median(spacing):g} m apart")
    gauge = "not stated" if record.gauge_length_m is None else f"{record.gauge_length_m:g} m"
    parts += [f"{record.rate_hz:g} Hz", f"unit: {record.unit or 'not stated'}", f"gauge length: {gauge}"]
    return ", ".join(parts)


def event_names(files: Sequence[Path]) -> list[str]:
    """Names of the events of files: those of the files, with as many of their folders as tell them apart.

    Raises:
        ConfigurationError: a file is named twice.
    """
    from seisvision.errors import ConfigurationError

    paths = [path.absolute() for path in files]
    for n_parts in range(1, max(len(path.parts) for path in paths)):
        names = ["/".join((*path.parts[-n_parts:-1], path.stem)) for path in paths]
        if len(set(names)) == len(names):
            return names
    twice = next(path for path in paths if paths.count(path) > 1)
    raise ConfigurationError(f"{twice} is named twice; give each recording once.")
