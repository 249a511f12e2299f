"""How fast recordings are read: miniSEED through pymseed and through obspy.

    python benchmarks/reading.py --files 300

Same files, same samples; least of several rounds, one thread. Prints milliseconds a file and the ratio.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import obspy

from seisvision.data.importing import waveform_files


def write_files(folder: Path, number: int, n_samples: int) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = []
    for i in range(number):
        samples = np.cumsum(rng.integers(-50, 50, n_samples)).astype(np.int32)
        header = {"network": "XX", "station": f"S{i:03d}", "channel": "HHZ", "sampling_rate": 100.0}
        path = folder / f"{i:04d}.mseed"
        obspy.Trace(samples, header).write(str(path), format="MSEED", encoding="STEIM2", reclen=512)
        paths.append(path)
    return paths


def seconds(read: Callable[[Path], object], paths: list[Path], rounds: int) -> float:
    best = np.inf
    for _ in range(rounds):
        begun = time.perf_counter()
        for path in paths:
            read(path)
        best = min(best, time.perf_counter() - begun)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), args.files, args.samples)
        readers: dict[str, Callable[[Path], object]] = {
            "seisvision (pymseed)": lambda path: waveform_files.read_segments(path),
            "seisvision (obspy)": lambda path: waveform_files._read_obspy(path, None, False),
            "obspy.read": lambda path: obspy.read(str(path)),
            "obspy.read, MSEED": lambda path: obspy.read(str(path), format="MSEED"),
            "headers (pymseed)": lambda path: waveform_files.read_segments(path, headers_only=True),
            "headers (obspy.read)": lambda path: obspy.read(str(path), headonly=True),
        }
        for path in paths[:5]:
            np.testing.assert_array_equal(waveform_files.read_segments(path)[0].samples, obspy.read(str(path))[0].data)
        took = {name: seconds(read, paths, args.rounds) for name, read in readers.items()}
    fastest = took["seisvision (pymseed)"]
    for name, value in took.items():
        print(f"{name:<24}{1000 * value / args.files:8.3f} ms a file{value / fastest:8.1f} times the first")


if __name__ == "__main__":
    main()
