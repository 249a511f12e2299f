"""Kill ``seisvision pick`` at random and repeat it; the tables must be those of an undisturbed command, byte for byte.

    python tests/chaos_picking.py FOLDER [--kills 10] [--hours 20] [--seed 1] [--ckpt RUN]

Two days of two stations, with gaps. Every kill is a ``kill -9`` of the command at a random moment of its usual time.
Without ``--ckpt`` the network is the one that finds the wavelets of the archive. A short version is among the tests
(``tests/archives/test_pick_command.py``).
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "archives"))

from ricker_archives import DAY_NS, record, sds_path, write_mseed  # noqa: E402

NS = 1_000_000_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything goes; must not be there yet")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--hours", type=float, default=20.0, help="of recording on each day")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ckpt", help="a network of one's own")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    archive = asked.folder / "archive"
    write_archive(archive, asked.hours)
    begun = time.monotonic()
    assert start(archive, asked.folder / "undisturbed.csv", asked.ckpt).wait() == 0
    usual_s = time.monotonic() - begun
    rng, n_killed, out = random.Random(asked.seed), 0, asked.folder / "killed.csv"
    while n_killed < asked.kills:
        command = start(archive, out, asked.ckpt)
        time.sleep(rng.uniform(0, usual_s))
        n_killed += command.poll() is None
        command.kill()
        command.wait()
    assert start(archive, out, asked.ckpt).wait() == 0
    wrong = [
        suffix
        for suffix in (".csv", ".losses.csv")
        if out.with_suffix(suffix).read_bytes() != (asked.folder / f"undisturbed{suffix}").read_bytes()
    ]
    print(f"{n_killed} kills within {usual_s:.0f} s: {'other bytes in ' + ', '.join(wrong) if wrong else 'same bytes'}")
    return 1 if wrong else 0


def write_archive(folder: Path, hours: float) -> None:
    """An SDS whose days have a gap every two minutes."""
    rng = np.random.default_rng(0)
    n_samples = round(hours * 3600 * 20)
    for station in ("AAA", "BBB"):
        for day in range(2):
            start_ns = DAY_NS + day * 86400 * NS
            onsets = (start_ns + rng.uniform(0, hours * 3600, 200) * NS).astype(np.int64).tolist()
            for seed, letter in enumerate("ZNE"):
                codes = ("XX", station, "", f"HH{letter}")
                samples = record(20.0, start_ns, n_samples, onsets if letter != "N" else [], seed)
                pieces = [
                    (start_ns + begin * NS // 20, 20.0, samples[begin : begin + 2375])
                    for begin in range(0, n_samples, 2400)
                ]
                write_mseed(sds_path(folder, codes, f"2020.{61 + day:03d}"), codes, pieces)


def start(archive: Path, out: Path, ckpt: str | None) -> subprocess.Popen[bytes]:
    words = ["--ckpt", ckpt or "none", "--waveforms", str(archive), "--out", str(out), "--threshold", "0.4"]
    program = ["-m", "seisvision.cli", "pick"] if ckpt else [str(ROOT / "tests" / "archives" / "pick_ricker.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, *program, *words], env=environment)


if __name__ == "__main__":
    sys.exit(main())
