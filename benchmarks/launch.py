"""What a run costs beside its training steps, and what a second process brings at equal global batch.

``python benchmarks/launch.py [--events 200] [--epochs 3]`` runs train.py as users do, once for each line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
        whole_s, training_s = timed([*size, f"system.runs_dir={scratch}/one", "system.num_threads=1"])
        together = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "system.num_threads=1"]
        whole_two_s, training_two_s = timed([*size, f"system.runs_dir={scratch}/two", *together])
    print(
        f"one process:   {whole_s:6.1f} s, of which training {training_s:6.1f} s, all else {whole_s - training_s:.1f} s"
    )
    rest_two_s = whole_two_s - training_two_s
    print(
        f"two processes: {whole_two_s:6.1f} s, of which training {training_two_s:6.1f} s, all else {rest_two_s:.1f} s"
    )
    print(f"two processes train {training_s / training_two_s:.2f} times as fast as one of one thread")


def timed(overrides: list[str]) -> tuple[float, float]:
    """Seconds of a run of train.py, and seconds of training in it."""
    fixed = ["logger=csv", "evaluation.baselines=false", "system.num_workers=0"]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *fixed, *overrides], capture_output=True, text=True, check=True
    )
    whole_s = time.perf_counter() - started
    metrics = json.loads((Path(done.stdout.splitlines()[-1]) / "metrics.json").read_text())
    return whole_s, metrics["training"]["seconds"]


if __name__ == "__main__":
    main()
