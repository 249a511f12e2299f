"""Whether what grows with the data grows no faster: audits, comparisons of runs, and predictions, of growing numbers.

    python benchmarks/growing.py                                    audits of 10^4 and 10^5 traces, all of them read
    python benchmarks/growing.py --traces --run RUN --runs 500 5000  comparisons of copies of a finished run
    python benchmarks/growing.py --traces --net RUN --events 1000 10000  predictions of a run on such a set

Each in a process of its own: processor time, and the most memory that it held. Traces are of three components of 600
samples, events of twenty stations; copies of a run have other seeds.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import machine, told

from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.records.folder import RunFolder
from seisvision.records.integrity.manifest import write_manifest

STATIONS, RATE_HZ = 20, 20.0
KEPT = ("environment.json", "metrics.csv", "overrides.yaml", "predictions.csv", "predictions_val.csv", "status.json")
"""What a comparison reads of a run, beside its configuration and its measures."""


def write_set(path: Path, n_traces: int, n_samples: int) -> None:
    """Events of smooth noise at stations a tenth of a degree apart, with coordinates, times and picks."""
    rng = np.random.default_rng(0)
    begin = np.datetime64("2000-01-01T00:00:00")
    with WaveformSetWriter(path, card={"name": "growing"}) as writer:
        for event in range(-(-n_traces // STATIONS)):
            origin = begin + np.timedelta64(event, "h")
            latitude, longitude = rng.uniform((40, 10), (43, 13))
            source = {
                "source_id": f"ev{event:07d}",
                "source_type": "quake" if event % 2 else "blast",
                "source_origin_time": f"{origin}Z",
                "source_latitude_deg": latitude,
                "source_longitude_deg": longitude,
                "source_depth_km": rng.uniform(2, 15),
                "source_magnitude": rng.uniform(1, 4),
                "trace_start_time": f"{origin - np.timedelta64(5, 's')}Z",
                "trace_sampling_rate_hz": RATE_HZ,
                "trace_p_arrival_sample": 100.0 + n_samples // 6,
            }
            places = [
                {"station_code": f"S{k}", "station_latitude_deg": 41 + 0.1 * k, "station_longitude_deg": 11 + 0.05 * k}
                for k in range(STATIONS)
            ]
            samples = np.cumsum(rng.normal(size=(STATIONS, 3, n_samples)).astype(np.float32), axis=-1)
            samples -= samples.mean(axis=-1, keepdims=True)
            writer.add_event([source | place for place in places], samples)


def copy_runs(run: Path, folder: Path, n_runs: int) -> None:
    """Copies of what a run stored, of other seeds."""
    config, metrics = (run / "config.yaml").read_text(), json.loads((run / "metrics.json").read_text())
    for number in range(n_runs):
        copy = folder / f"run{number:06d}"
        copy.mkdir(parents=True)
        for name in KEPT:
            if (run / name).is_file():
                shutil.copy(run / name, copy / name)
        metrics["training"]["seed"] = number
        (copy / "config.yaml").write_text(re.sub(r"(?m)^seed: .*$", f"seed: {number}", config))
        (copy / "metrics.json").write_text(json.dumps(metrics, indent=2))
        write_manifest(RunFolder(copy))


def tell(what: str, words: list[str]) -> None:
    """Run a command of this program in a process of its own, and print what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    code = (
        "import sys; from pathlib import Path; from seisvision.cli import main; code = main(sys.argv[1:]);"
        "print(next(line for line in Path('/proc/self/status').read_text().splitlines() if line.startswith('VmHWM')));"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak_mb = int(done.stdout.splitlines()[-1].split()[1]) / 1e3
    print(f"{what:<32}{cpu_s:8.1f} s of processor, {time.monotonic() - begun:8.1f} s, at most {peak_mb:6.0f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, nargs="*", default=[10_000, 100_000], help="sizes of the sets to audit")
    parser.add_argument("--samples", type=int, default=600, help="of each of their three components (default 600)")
    parser.add_argument("--run", type=Path, help="a finished run, of which copies are compared")
    parser.add_argument("--runs", type=int, nargs="*", default=[50, 500, 5000], help="numbers of runs to compare")
    parser.add_argument("--net", type=Path, help="a finished run on such a set, that is asked about further ones")
    parser.add_argument("--events", type=int, nargs="*", default=[1000, 10_000], help="of these sets")
    args = parser.parse_args()
    print(told(machine()))
    with tempfile.TemporaryDirectory() as name:
        for n_traces in args.traces:
            path = Path(name) / f"traces{n_traces}"
            write_set(path, n_traces, args.samples)
            tell(f"audit of {n_traces} traces", ["data", "audit", str(path), "--max-traces", "0"])
            shutil.rmtree(path)
        for n_runs in args.runs if args.run else []:
            folder = Path(name) / f"runs{n_runs}"
            copy_runs(args.run, folder, n_runs)
            tell(f"comparison of {n_runs} runs", ["compare", str(folder), "--out", str(Path(name) / "report.html")])
            shutil.rmtree(folder)
        for n_events in args.events if args.net else []:
            path, table = Path(name) / f"events{n_events}", Path(name) / f"predictions{n_events}.csv"
            write_set(path, n_events * STATIONS, args.samples)
            tell(f"predictions of {n_events} events", ["predict", str(args.net), str(path), "--out", str(table)])
            shutil.rmtree(path)


if __name__ == "__main__":
    main()
