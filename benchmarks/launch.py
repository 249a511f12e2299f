"""What a run costs beside its training steps, and what a second process brings at equal global batch.

    python benchmarks/launch.py [--events 200] [--epochs 3] [--repeats 3]

Runs train.py as users do, with one process and with two in turns; medians with the least and the largest.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from measuring import spread, tell_machine

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    tell_machine()
    with tempfile.TemporaryDirectory() as scratch:
        size = [f"dataset.source.n_events={asked.events}", f"trainer.max_epochs={asked.epochs}"]
        size.append(f"system.data_dir={scratch}/data")
        # The first run makes the set and warms the caches of the disk.
        timed([*size, f"system.runs_dir={scratch}/first", "trainer.max_epochs=1"])
        together = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
        took: dict[str, list[Seconds]] = {"one process": [], "two processes": []}
        for number in range(asked.repeats):
            for name, words in zip(took, ([], together), strict=True):
                place = f"system.runs_dir={scratch}/{name.split()[0]}{number}"
                took[name].append(timed([*size, place, "system.num_threads=1", *words]))
    imports = imports_s()
    print(f"importing torch and Lightning alone: {spread(imports, ' s', 1)}, a part of all else below")
    for name, runs in took.items():
        rest_s = [one.whole - one.training for one in runs]
        print(
            f"{name:14s} {spread([one.whole for one in runs], ' s', 1)}, of which training "
            f"{spread([one.training for one in runs], ' s', 1)}, all else {spread(rest_s, ' s', 1)}; "
            f"{spread([one.processors for one in runs], ' s', 1)} of processors"
        )
    ratios = [one.training / two.training for one, two in zip(*took.values(), strict=True)]
    print(f"two processes train {spread(ratios)} times as fast as one of one thread")


def imports_s() -> list[float]:
    """Seconds that the libraries of a training take before any of our code runs, three times."""
    found = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch, pytorch_lightning"], check=True, capture_output=True)
        found.append(time.perf_counter() - started)
    return found


class Seconds(NamedTuple):
    """What a run of train.py took; on a busy machine the seconds of processors say more than those of the clock."""

    whole: float
    training: float
    processors: float


def timed(overrides: list[str]) -> Seconds:
    """Time a run of train.py."""
    fixed = ["logger=csv", "evaluation.baselines=false", "system.num_workers=0"]
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *fixed, *overrides], capture_output=True, text=True, check=True
    )
    whole_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processors_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    metrics = json.loads((Path(done.stdout.splitlines()[-1]) / "metrics.json").read_text())
    return Seconds(whole_s, metrics["training"]["seconds"], processors_s)


if __name__ == "__main__":
    main()
