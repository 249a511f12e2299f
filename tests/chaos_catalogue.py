"""Kill ``seisvision catalogue run`` at random and repeat it; the catalogue must be an undisturbed one's, byte for byte.

    python tests/chaos_catalogue.py FOLDER [--kills 10] [--hours 1] [--preset pal] [--seed 1]

An archive of six stations is made first. Every kill is a ``kill -9`` of a fork of this process, which has imported
everything, so that all moments are moments of the work itself. What is done stays; a command that comes to its end
before it is killed is compared, and the next one begins in an empty folder. A short version is among the tests
(``tests/cataloguing/test_catalogue_run.py``).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from chaos_commands import left_behind  # noqa: E402

from seisvision.cataloguing import stages as _imported  # noqa: E402, F401
from seisvision.cli import main as command  # noqa: E402
from seisvision.commands.catalogues import run as _also_imported  # noqa: E402, F401
from seisvision.data.synthesis_local.continuous import synthesise_continuous  # noqa: E402
from seisvision.data.synthesis_local.scene import ContinuousParameters  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything goes; must not be there yet")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--hours", type=float, default=1.0, help="of the archive")
    parser.add_argument("--preset", default="pal")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    scene = ContinuousParameters(
        n_earthquakes=round(12 * asked.hours), n_repeats=2, n_families=2, network_size=6, hours=asked.hours,
        quiet_hours=(), magnitude=(1.5, 3.0), radius_km=15.0,
    )  # fmt: skip
    archive = synthesise_continuous(scene, asked.folder / "made")
    calm, wild = asked.folder / "undisturbed", asked.folder / "killed"
    begun = time.monotonic()
    finish(archive, calm, asked.preset)
    usual_s = time.monotonic() - begun
    print(f"undisturbed: {usual_s:.0f} s, {len(tables(calm))} files", flush=True)
    rng, n_killed, wrong = random.Random(asked.seed), 0, []
    while n_killed < asked.kills:
        process = start(archive, wild, asked.preset)
        process.join(rng.uniform(0, usual_s))
        if process.is_alive():
            process.kill()
            process.join()
            n_killed += 1
            print(f"kill {n_killed} after {', '.join(done(wild)) or 'nothing'}", flush=True)
        else:
            wrong += compare(wild, calm)
            shutil.rmtree(wild)
    finish(archive, wild, asked.preset)
    wrong += [*compare(wild, calm), *left_behind(wild)]
    print(f"{n_killed} kills within {usual_s:.0f} s: {'; '.join(wrong) or 'same bytes'}")
    return 1 if wrong else 0


def start(archive: Path, out: Path, preset: str) -> multiprocessing.process.BaseProcess:
    """The command, in a fork."""
    words = ["catalogue", "run", str(archive / "SDS"), "--stations", str(archive / "stations.xml")]
    words += ["--velocity", str(archive / "velocity.csv"), "--out", str(out), "--preset", preset]
    words += ["--device", "cpu", "--conf", str(ROOT / "conf")]
    process = multiprocessing.get_context("fork").Process(target=do, args=(words,))
    process.start()
    return process


def do(words: Sequence[str]) -> None:
    """Do a command without its words."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    sys.exit(command(words))


def finish(archive: Path, out: Path, preset: str) -> None:
    """Do the command to its end."""
    process = start(archive, out, preset)
    process.join()
    assert process.exitcode == 0


def done(out: Path) -> list[str]:
    """Stages that are done, in the order of their ends."""
    files = [path for path in (out / "work").glob("*.json") if not path.stem.endswith(".parts")]
    return [path.stem for path in sorted(files, key=lambda path: path.stat().st_mtime_ns)]


def tables(out: Path) -> dict[str, bytes]:
    """Whatever a catalogue consists of: not how far its parts and picks are."""
    inside = [path for path in out.rglob("*") if path.is_file()]
    names = {path.relative_to(out).as_posix(): path for path in inside}
    return {
        name: path.read_bytes() for name, path in names.items() if not name.startswith(("work/", "picks.csv.work/"))
    }


def compare(out: Path, reference: Path) -> list[str]:
    """Files that only one has, or whose bytes differ."""
    own, expected = tables(out), tables(reference)
    return [f"other {name}" for name in sorted({*own, *expected}) if own.get(name) != expected.get(name)]


if __name__ == "__main__":
    sys.exit(main())
