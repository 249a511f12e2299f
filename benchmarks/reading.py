"""How fast recordings are read, imported and read again, against what one would write with obspy, h5py and SeisBench.

    python benchmarks/reading.py

Same files, same samples, one thread; medians of the processor time of several rounds in turns, with the least and the
largest. The import is compared twice: by the processor time of one process, and by the clock on the wall with as many
processes as it takes by itself, on more events, because processes take seconds to start. ObsPy resamples by a Fourier
transform, as its users do, ours with a polyphase filter. Prints times, and the memory that a process holds while it
reads events at random from sets of 10^4, 10^5 and 10^6 traces.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import h5py
import numpy as np
import obspy
import pandas as pd
from measuring import Spent, in_turns, machine, spread, told

from seisvision.data.importing.formats import waveform_files
from seisvision.data.importing.formats.reading import Request
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import build_recipe
from seisvision.data.sets.waveform_set import WaveformSet

STATIONS, RATE_HZ, TO_HZ = 6, 100.0, 40.0
TRACES_AN_EVENT = 10
SAMPLES_OF_LARGE = 24
READS_OF_LARGE = 300


def write_files(folder: Path, n_events: int, n_samples: int) -> list[Path]:
    """One file an event: six stations with three components each."""
    rng = np.random.default_rng(0)
    (folder / "waveforms").mkdir()
    rows = []
    paths = []
    for event in range(n_events):
        start = obspy.UTCDateTime(2020, 1, 1) + 600 * event
        traces = []
        for station in range(STATIONS):
            for component in "ZNE":
                samples = np.cumsum(rng.integers(-50, 50, n_samples)).astype(np.int32)
                header = {"network": "XX", "station": f"S{station:03d}", "channel": f"HH{component}"}
                header |= {"sampling_rate": RATE_HZ, "starttime": start}
                traces.append(obspy.Trace(samples, header))
        paths.append(folder / "waveforms" / f"ev{event}.mseed")
        obspy.Stream(traces).write(str(paths[-1]), format="MSEED", encoding="STEIM2", reclen=512)
        rows.append({"event_id": f"ev{event}", "source_type": "quake", "source_origin_time": str(start)})
    pd.DataFrame(rows).to_csv(folder / "events.csv", index=False)
    return paths


def timed(works: dict[str, Callable[[], object]], rounds: int, count: int) -> dict[str, Spent]:
    """Processor time of several works in turns, for each of ``count`` things that a work does."""
    actions = {name: (lambda turn, work=work: work()) for name, work in works.items()}
    return in_turns(actions, rounds, dict.fromkeys(works, count), are_short=False)


def compare_files(paths: list[Path], rounds: int) -> None:
    """Samples and headers of miniSEED files."""
    for path in paths[:5]:
        theirs = {trace.id: trace.data for trace in obspy.read(str(path))}
        for segment in waveform_files.read_segments(path):
            np.testing.assert_array_equal(segment.samples, theirs[segment.trace_id])
    readers: dict[str, Callable[[Path], object]] = {
        "seisvision (pymseed)": lambda path: waveform_files.read_segments(path),
        "seisvision (obspy)": lambda path: waveform_files._read_mended(Request(path)),
        "obspy.read": lambda path: obspy.read(str(path)),
        "obspy.read, MSEED": lambda path: obspy.read(str(path), format="MSEED"),
        "headers (pymseed)": lambda path: waveform_files.read_segments(path, headers_only=True),
        "headers (obspy.read)": lambda path: obspy.read(str(path), headonly=True),
    }
    works = {name: (lambda read=read: [read(path) for path in paths]) for name, read in readers.items()}
    _tell(timed(works, rounds, len(paths)), "a file")


def _tell(took: dict[str, Spent], of: str) -> None:
    first = next(iter(took.values())).median_ms
    for name, spent in took.items():
        print(f"{name:<28}{spread(spent.cpu_ms, ' ms ' + of):<44}{spent.median_ms / first:6.1f} times the first")


def plain_import(paths: list[Path], target: Path) -> None:
    """What one would write: read, detrend, taper, resample, store."""
    with h5py.File(target, "w") as file:
        for path in paths:
            for trace in obspy.read(str(path)):
                trace.data = trace.data.astype(np.float64)
                trace.detrend("linear").taper(0.05, max_length=2.0).resample(TO_HZ)
                file.create_dataset(f"{path.stem}/{trace.id}", data=trace.data.astype(np.float32))


def compare_import(folder: Path, paths: list[Path], rounds: int) -> Path:
    """The whole import in one process, with checks and onsets, against the plain loop; returns the set."""
    _tell(timed(_imports(folder, paths, workers=1), rounds, len(paths) * STATIONS * 3), "a channel")
    return folder / "set"


def _imports(folder: Path, paths: list[Path], workers: int | None) -> dict[str, Callable[[], object]]:
    source = {"name": "made", "waveforms": str(folder / "waveforms"), "events": str(folder / "events.csv")}
    recipe = build_recipe({"name": "made", "sources": [source], "processing": {"rate_hz": TO_HZ}})
    return {
        "import (all checks, onset)": lambda: run_import(recipe, folder / "set", overwrite=True, workers=workers),
        "obspy, resample, h5py": lambda: plain_import(paths, folder / "plain.hdf5"),
    }


def compare_all_cores(folder: Path, paths: list[Path], n_events: int, rounds: int) -> None:
    """The same by the clock on the wall, with all cores, on events whose files are links to a few.

    The plain loop, which takes as long for every file, goes through these few.
    """
    more = folder / "more"
    (more / "waveforms").mkdir(parents=True)
    for event in range(n_events):
        os.link(paths[event % len(paths)], more / "waveforms" / f"ev{event}.mseed")
    rows = pd.DataFrame({"event_id": [f"ev{event}" for event in range(n_events)], "source_type": "quake"})
    rows.assign(source_origin_time="2020-01-01T00:00:00").to_csv(more / "events.csv", index=False)
    works = _imports(more, paths, workers=None)
    actions = {name: (lambda turn, work=work: work()) for name, work in works.items()}
    counts = dict(zip(works, (n_events * STATIONS * 3, len(paths) * STATIONS * 3), strict=True))
    ours, theirs = in_turns(actions, rounds, counts, are_short=False).values()
    print(f"on the wall, with the processes that the import takes by itself, {n_events} and {len(paths)} events:")
    for name, spent in zip(works, (ours, theirs), strict=True):
        print(f"{name:<28}{spread(spent.wall_ms, ' ms a channel', 3)}")
    ratio = statistics.median(theirs.wall_ms) / statistics.median(ours.wall_ms)
    print(f"the import is {ratio:.1f} times as fast on the wall")


def compare_random_reading(path: Path, rounds: int) -> None:
    """Events in random order, each with all its traces."""
    ours = WaveformSet(path)
    order = np.random.default_rng(0).permutation(ours.source_ids)
    works: dict[str, Callable[[], object]] = {
        "random events, seisvision": lambda: [ours.read_event(source_id) for source_id in order]
    }
    try:
        import seisbench.data
    except ImportError:
        print("SeisBench is not installed: no comparison of random reading")
        return
    theirs = seisbench.data.WaveformDataset(path, component_order="ZNE")
    rows = {source_id: ours.rows(source_id) for source_id in order}
    whole, _ = ours.read_rows(rows[order[0]])
    np.testing.assert_array_equal(np.stack(whole), theirs.get_waveforms(rows[order[0]]))
    works["random events, SeisBench"] = lambda: [theirs.get_waveforms(rows[source_id]) for source_id in order]
    _tell(timed(works, rounds, len(order)), "an event")


def write_large(path: Path, n_traces: int) -> None:
    """A set of short traces."""
    path.mkdir()
    row = np.arange(n_traces)
    event, station = row // TRACES_AN_EVENT, row % TRACES_AN_EVENT
    per_bucket = 1000
    names = [f"bucket{i // per_bucket}${i % per_bucket},:1,:{SAMPLES_OF_LARGE}" for i in row]
    table = pd.DataFrame({"trace_name": names, "source_id": [f"ev{i:07d}" for i in event]})
    table["source_type"] = np.where(event % 2, "quake", "blast")
    table["station_code"] = [f"S{i}" for i in station]
    table["path_ep_distance_km"] = 10.0 * station
    table["trace_sampling_rate_hz"], table["trace_component_order"] = 20.0, "Z"
    table.to_csv(path / "metadata.csv", index=False)
    block = np.ones((per_bucket, 1, SAMPLES_OF_LARGE), np.float32)
    with h5py.File(path / "waveforms.hdf5", "w") as file:
        file["data_format/component_order"], file["data_format/dimension_order"] = "Z", "CW"
        for i in range(-(-n_traces // per_bucket)):
            file[f"data/bucket{i}"] = block


def memory_mb(*kinds: str) -> float:
    """Memory of this process: ``Rss`` is all that is there, ``Private_Clean`` and ``Private_Dirty`` its own alone."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.partition(":")[0] in kinds) / 1e3


def own_mb() -> float:
    """Memory that nobody shares: pages of a mapped file that others map as well do not count."""
    return memory_mb("Private_Clean", "Private_Dirty")


def read_in_worker(opened: WaveformSet | None, rows: list[np.ndarray], told: SimpleQueue[float]) -> None:
    """In a process of its own: tell what it has for itself once it has read."""
    for of_event in rows if opened is not None else []:
        opened.read_rows(of_event)
    told.put(own_mb())


def worker_mb(opened: WaveformSet, rows: list[np.ndarray], method: str) -> float:
    """What a worker that reads from a set has for itself more than one without a set, in MB."""
    context = multiprocessing.get_context(method)
    found = []
    for sent in (None, opened):
        told = context.SimpleQueue()
        worker = context.Process(target=read_in_worker, args=(sent, rows, told))
        worker.start()
        found.append(told.get())
        worker.join()
    return found[1] - found[0]


def tell_memory(path: Path) -> None:
    """Run in a process of its own: open, read at random, tell what that took."""
    resident, own = memory_mb("Rss"), own_mb()
    begun = time.process_time()
    opened = WaveformSet(path)
    opening_s = time.process_time() - begun
    resident, own = memory_mb("Rss") - resident, own_mb() - own
    order = np.random.default_rng(0).choice(len(opened), READS_OF_LARGE, replace=False)
    rows = [opened.rows(opened.source_ids[number]) for number in order]
    begun = time.process_time()
    for of_event in rows:
        opened.read_rows(of_event)
    reading_ms = 1e3 * (time.process_time() - begun) / READS_OF_LARGE
    workers = ", ".join(f"{method} {worker_mb(opened, rows, method):+.1f}" for method in ("fork", "spawn"))
    print(
        f"{len(opened.table):>9} traces: opened in {opening_s:5.2f} s of processor, {resident:6.1f} MB ({own:6.1f} its "
        f"own), {reading_ms:.2f} ms an event at random, {len(pickle.dumps(opened)) / 1e6:.3f} MB sent to a worker, "
        f"which has for itself (MB): {workers}"
    )


def compare_memory(folder: Path, largest: int) -> None:
    """Sets of ten and a hundred times the size, each opened for the first and the second time, in fresh processes."""
    for n_traces in (10_000, 100_000, 1_000_000):
        if n_traces > largest:
            break
        path = folder / f"large{n_traces}"
        write_large(path, n_traces)
        for _ in range(2):
            subprocess.run([sys.executable, __file__, "--tell-memory", str(path)], check=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=60, help="files, of 18 channels each")
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--all-cores-events", type=int, default=1200, help="files of the import with all cores")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--largest", type=int, default=1_000_000, help="traces of the largest set made to measure memory"
    )
    parser.add_argument("--only-memory", action="store_true", help="only the sets of many traces")
    parser.add_argument("--tell-memory", metavar="SET", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.tell_memory:
        tell_memory(Path(args.tell_memory))
        return
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(told(machine()))
        if args.only_memory:
            compare_memory(folder, args.largest)
            return
        paths = write_files(folder, args.events, args.samples)
        compare_files(paths, args.rounds)
        print()
        made = compare_import(folder, paths, args.rounds)
        compare_all_cores(folder, paths, args.all_cores_events, min(args.rounds, 2))
        compare_random_reading(made, args.rounds)
        print()
        compare_memory(folder, args.largest)


if __name__ == "__main__":
    main()
