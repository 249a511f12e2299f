"""Give the loading of checkpoints what a stranger might: other targets, types, paths, sizes and files.

    python tests/runs/trust/hostile_checkpoints.py --inputs 1000 --seed 1 [--first NUMBER] [--folder FOLDER]

A real tiny checkpoint is changed at random and opened in this process as ``evaluate.py`` does. Counted are inputs
that did something (wrote, deleted, started, connected or imported what they should not), that ended in anything but
one clear message, that were accepted although they must not be, and that took more than a minute or two gigabytes.
A short version is among the tests (``test_hostile_checkpoints.py``).
"""

from __future__ import annotations

import argparse
import copy
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import torch  # noqa: E402
from hostile_inputs import CANARIES, hostile_files, mutate  # noqa: E402
from tiny_runs import plain_config, tiny_config  # noqa: E402

from seisvision.data.synthesis.source import GeneratedSource  # noqa: E402
from seisvision.errors import DataError, SeisvisionError  # noqa: E402
from seisvision.experiments.waveforms.asked import ask_network  # noqa: E402
from seisvision.records.settings import EvaluateSettings  # noqa: E402
from seisvision.runs.ensure import ensure_run  # noqa: E402

GOOD = {"inputs", "refused", "accepted", "refused in general words"}
LONGEST_S = 60
MOST_BYTES = 2_000_000_000
STARTS = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.startfile", "pty.spawn")
CONNECTS = ("socket.connect", "socket.bind", "socket.getaddrinfo", "urllib.Request", "http.client.connect")
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "shutil.rmtree", "os.chmod")


@dataclass
class Canary:
    """Sees what this process does while it is armed; the hook of the interpreter stays for its life."""

    allowed: tuple[str, ...]
    seen: list[str] = field(default_factory=list)
    is_armed: bool = False

    def watch(self) -> None:
        """Begin to look, where ``is_armed``."""
        sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_armed:
            return
        if event in STARTS or event in CONNECTS:
            self.seen.append(f"{event} {arguments!r:.100}")
        elif event == "open":
            path, mode, flags = arguments
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(flags, int) else "w" in str(mode)
            if writes:
                self._outside(event, path)
        elif event in CHANGES:
            self._outside(event, arguments[0])
        elif event == "import" and str(arguments[0]).split(".")[0] in CANARIES:
            self.seen.append(f"import {arguments[0]}")
        # numpy parses headers of arrays as literals, which compiles a tree under this name and runs nothing.
        elif event == "compile" and arguments[1] != "<unknown>" and b"PWNED" in _bytes(arguments[0]):
            self.seen.append("compile")

    def _outside(self, event: str, path: Any) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - resolving would itself be seen
            if not text.startswith(self.allowed) and "__pycache__" not in text:
                self.seen.append(f"{event} {text}")


def _bytes(source: Any) -> bytes:
    return source.encode(errors="replace") if isinstance(source, str) else source if isinstance(source, bytes) else b""


def tiny_checkpoint(folder: Path, data_dir: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a real checkpoint of a small network holds, and the settings of ``evaluate.py`` for it."""
    config = tiny_config(data_dir, folder / "runs", "trainer.max_epochs=1", "model.name=test_resnet")
    run = ensure_run(config, [])
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={folder / 'runs'}", "system.num_workers=0"]
    asked = plain_config([f"ckpt={run.path}", "accelerator=cpu", *folders], "evaluate")
    whole = torch.load(run.best_checkpoint, weights_only=True)
    return {key: whole[key] for key in ("seisvision", "state_dict")}, asked


def inputs(checkpoint: Mapping[str, Any], numbers: range, seed: int, folder: Path) -> Iterator[tuple[str, bool, Path]]:
    """Files to open: which one and what was changed, whether they must be refused, and where they lie."""
    path = folder / "hostile.ckpt"
    crafted = hostile_files(checkpoint, folder / "PWNED")
    for index in numbers:
        rng = random.Random(f"{seed} {index}")
        if index % 12 == 11:
            name, write = crafted[(index // 12) % len(crafted)]
            write(path)
            yield f"input {index}: {name}", True, path
            continue
        changed = copy.deepcopy(dict(checkpoint))
        name, must_refuse = mutate(changed, rng, folder)
        torch.save(changed, path)
        yield f"input {index}: {name}", must_refuse, path


def attack(
    checkpoint: Mapping[str, Any], asked: dict[str, Any], number: int, seed: int, folder: Path,
    tell: Callable[[str], object] = print, first: int = 0,
) -> Counter:  # fmt: skip
    """Open so many hostile checkpoints, and count how it went."""
    folder.mkdir(parents=True, exist_ok=True)
    canary = Canary((str(folder), str(Path(asked["system"]["data_dir"]).absolute()), "/dev/null"))
    canary.watch()
    counts: Counter = Counter()
    not_made = mock.patch.object(GeneratedSource, "make", side_effect=DataError("sets are not made here"))
    previous = signal.signal(signal.SIGALRM, _too_long)
    try:
        with not_made:
            ask_network(Path(asked["ckpt"]) / "checkpoints" / "best.ckpt", EvaluateSettings.of(asked))
            for name, must_refuse, path in inputs(checkpoint, range(first, first + number), seed, folder):
                for outcome, said in _open(path, asked, canary, must_refuse):
                    counts[outcome] += 1
                    counts["refused in general words"] += "does not fit this version" in said
                    if outcome not in ("refused", "accepted"):
                        tell(f"{outcome}: {name}: {said}")
                counts["inputs"] += 1
                tell_progress(counts, tell)
    finally:
        canary.is_armed = False
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    return +counts


def _open(path: Path, asked: dict[str, Any], canary: Canary, must_refuse: bool) -> Iterator[tuple[str, str]]:
    canary.seen.clear()
    before, started = _peak_bytes(), time.monotonic()
    canary.is_armed = True
    signal.alarm(2 * LONGEST_S)
    try:
        ask_network(path, EvaluateSettings.of(asked)).about()
        yield ("wrongly accepted" if must_refuse else "accepted"), ""
    except SeisvisionError as error:
        is_line = "\n" not in str(error) and len(str(error)) < 1500
        yield ("refused" if is_line else "unclear"), str(error)[:300]
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        yield "traceback", "".join(traceback.format_exception(error))[-1200:]
    finally:
        canary.is_armed = False
        signal.alarm(0)
    if canary.seen:
        yield "executed", "; ".join(canary.seen[:3])
    if time.monotonic() - started > LONGEST_S:
        yield "slow", f"{time.monotonic() - started:.0f} s"
    if _peak_bytes() - before > MOST_BYTES:
        yield "large", f"{(_peak_bytes() - before) / 1e9:.1f} GB"


def tell_progress(counts: Counter, tell: Callable[[str], object], every: int = 100) -> None:
    """Say how it stands, so that a search that is cut off has told something."""
    if counts["inputs"] % every == 0:
        shown = {name: count for name, count in sorted(counts.items()) if count and ": " not in name}
        tell(f"so far: {shown}, peak {_peak_bytes() / 1e9:.2f} GB")


def _peak_bytes() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _too_long(number: int, frame: Any) -> None:
    raise TimeoutError("took too long")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to repeat one")
    parser.add_argument("--folder", type=Path, help="default a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).absolute()
        os.environ["MPLCONFIGDIR"] = str(folder)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        checkpoint, asked = tiny_checkpoint(folder, folder / "data")
        counts = attack(checkpoint, asked, given.inputs, given.seed, folder / "hostile", first=given.first)
        print(dict(counts))
        return 0 if not set(counts) - GOOD else 1


if __name__ == "__main__":
    sys.exit(main())
