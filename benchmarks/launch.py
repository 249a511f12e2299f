"""What a run costs beside its training steps, and what a second process brings at equal global batch.

``python benchmarks/launch.py [--events 200] [--epochs 3]`` runs train.py as users do, once for each line.
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

from measuring import machine, told

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        size = [f"dataset.source.n_events={asked.events}", f"trainer.max_epochs={asked.epochs}"]
        size.append(f"system.data_dir={scratch}/data")
        # The first run makes the set and warms the caches of the disk.
        timed([*size, f"system.runs_dir={scratch}/first", "trainer.max_epochs=1"])
        one = timed([*size, f"system.runs_dir={scratch}/one", "system.num_threads=1"])
        together = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "system.num_threads=1"]
        two = timed([*size, f"system.runs_dir={scratch}/two", *together])
    print(told(machine()))
    print(f"importing torch, Lightning and timm alone: {imports_s():.1f} s, part of all that is not training below")
    for name, seconds in (("one process:  ", one), ("two processes:", two)):
        rest_s = seconds.whole - seconds.training
        print(
            f"{name} {seconds.whole:6.1f} s, of which training {seconds.training:6.1f} s, all else {rest_s:.1f} s; "
            f"{seconds.processors:.1f} s of processors"
        )
    print(f"two processes train {one.training / two.training:.2f} times as fast as one of one thread")


def imports_s() -> float:
    """Seconds that the libraries of a training take before any of our code runs; the least of three."""
    found = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import torch, pytorch_lightning, timm"], check=True, capture_output=True)
        found.append(time.perf_counter() - started)
    return min(found)


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
