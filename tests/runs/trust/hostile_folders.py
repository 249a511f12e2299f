"""Give every command that reads folders what a stranger might put into them: other content, links, pipes, sizes.

    python tests/runs/trust/hostile_folders.py --inputs 1000 --seed 1 [--first NUMBER] [--folder FOLDER] [--only NAME]

Run folders, sweeps, sets, shards, experiment files and recipes are changed at random and given to the commands in this
process. Counted are inputs that were refused in one line or accepted, and those that did something outside of what
they were given (executed), showed a file of another folder (leaked), ended in a traceback or in exit code 70, lost
something without a word, hung, or took more than a minute of the processor or two gigabytes. A short form is a test.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import logging
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "data")]

from folder_changes import change  # noqa: E402
from folder_commands import Attack, all_attacks, quickly  # noqa: E402
from hostile_checkpoints import CHANGES, LONGEST_S, MOST_BYTES, Canary, _peak_bytes, tell_progress  # noqa: E402

from seisvision.plain_text import shown  # noqa: E402

SECRET = "the-secret-of-another-folder"
HANGS_S = 900
"""By the clock, on a machine that does other things as well; what is slow is told by the processor's time."""
FINE = {"inputs", "refused", "accepted"}


class TooLong(BaseException):
    """Hung: a base exception, so that nothing takes it for an error of its own."""


class PlaceCanary(Canary):
    """Sees what links lead to, not what they are called; what this program and its libraries start is known."""

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        asks_git = event == "subprocess.Popen" and arguments[0] == "git"
        # urllib3 tries so whether there is IPv6.
        tries = event == "socket.bind" and arguments[1] == ("::1", 0)
        if not asks_git and not tries:
            super()._look(event, arguments)

    def _outside(self, event: str, path: Any) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            given = Path(os.fsdecode(path))
            is_of_entry = event in CHANGES
            real = given.parent.resolve() / given.name if is_of_entry else Path(os.path.realpath(given))
            if not str(real).startswith(self.allowed) and "__pycache__" not in str(real):
                self.seen.append(f"{event} {real}")


def attack(
    number: int,
    seed: int,
    base: Path,
    data_dir: Path,
    attacks: Sequence[Attack],
    tell: Callable[[str], object] = print,
    first: int = 0,
) -> Counter[str]:
    """Give commands so many changed folders, and count how it went; keys are outcomes, and ``COMMAND: outcome``."""
    given, out, outside, spare = (base / name for name in ("given", "out", "outside", "spare"))
    spare.mkdir(exist_ok=True)
    canary = PlaceCanary((*map(str, (given.resolve(), out.resolve(), data_dir.resolve(), spare.resolve())), "/dev/"))
    canary.watch()
    counts: Counter[str] = Counter()
    signals = (signal.SIGALRM, signal.SIGPROF)
    previous = [signal.signal(which, _too_long) for which in signals]
    tempfile.tempdir = str(spare)
    try:
        for one in attacks:
            _fresh(one, given, out, outside)
            found = dict(_attempt(one, given, out, outside, canary))
            if set(found) != {"accepted"}:
                tell(f"unchanged: {one.name}: {found}")
                counts["unchanged, but not accepted"] += 1
        for index in range(first, first + number):
            rng = random.Random(f"{seed} {index}")
            one = rng.choices(attacks, [each.weight for each in attacks])[0]
            _fresh(one, given, out, outside)
            what = change(given / one.part, rng, outside, one.only)
            before = _content(outside)
            with quickly(draws=index % 4 == 0):
                outcomes = list(_attempt(one, given, out, outside, canary, before))
            for outcome, said in outcomes:
                counts[outcome] += 1
                counts[f"{one.name}: {outcome}"] += 1
                if outcome not in FINE:
                    tell(f"{outcome}: input {index}: {one.name}: {what}: {said}")
            counts["inputs"] += 1
            tell_progress(counts, tell)
    finally:
        canary.is_armed, tempfile.tempdir = False, None
        _watch(0)
        for which, handler in zip(signals, previous, strict=True):
            signal.signal(which, handler)
    return counts


def _fresh(one: Attack, given: Path, out: Path, outside: Path) -> None:
    for folder in (given, out, outside):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(one.template, given)
    for folder in (out, outside):
        folder.mkdir()
    (outside / "secret").write_text(f"{SECRET}\n" * 3)


def _attempt(
    one: Attack, given: Path, out: Path, outside: Path, canary: Canary, before: dict[str, str] | None = None
) -> Iterator[tuple[str, str]]:
    """What came of one command: an outcome that every input has, then whatever else happened."""
    canary.seen.clear()
    large, started, here = _peak_bytes(), time.process_time(), Path.cwd()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with _heard() as (errors, text):
        os.chdir(out)
        canary.is_armed = True
        _watch(HANGS_S)
        try:
            code = one.run(given, out)
            _watch(0)
            canary.is_armed = False
            lost = one.lost(given, out) if code == 0 else ""
            outcome, said = _judge(code, errors, text.buffer.getvalue().decode(), lost)
        except TooLong as error:
            outcome, said = "hung", _where(error)
        except BaseException as error:
            outcome, said = "traceback", _where(error)
        finally:
            canary.is_armed = False
            _watch(0)
            os.chdir(here)
            for number, handler in handlers.items():
                signal.signal(number, handler)
    yield outcome, said
    if canary.seen:
        yield "executed", "; ".join(canary.seen[:3])
    elif before is not None and _content(outside) != before:
        yield "executed", "a file outside was changed"
    elif (given / "PWNED").exists() or (out / "PWNED").exists():
        yield "executed", "PWNED"
    # What a set links to is read, and told to whoever asks, but kept in nothing that is passed on.
    if any(SECRET.encode() in _read(path) for path in _files(out, given)):
        yield "leaked", "the text of a file of another folder is in what was written"
    if time.process_time() - started > LONGEST_S:
        yield "slow", f"{time.process_time() - started:.0f} s"
    if _peak_bytes() - large > MOST_BYTES:
        yield "large", f"{(_peak_bytes() - large) / 1e9:.1f} GB"


@contextlib.contextmanager
def _heard() -> Iterator[tuple[list[str], io.TextIOWrapper]]:
    """Lend what is said meanwhile: messages of errors, and all of it, through a stream that takes UTF-8 only."""
    errors: list[str] = []
    text = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text.write(shown(record.getMessage()) + "\n")
            if record.levelno >= logging.ERROR:
                errors.append(record.getMessage())

    log, ear = logging.getLogger("seisvision"), Ear()
    before, log.handlers, is_passed, level = log.handlers, [ear], log.propagate, log.level
    log.propagate = False
    log.setLevel(logging.INFO)
    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            os.environ["SEISVISION_TRACEBACK"] = "1"
            yield errors, text
    finally:
        os.environ.pop("SEISVISION_TRACEBACK", None)
        log.handlers, log.propagate = before, is_passed
        log.setLevel(level)


def _judge(code: int, errors: list[str], text: str, lost: str) -> tuple[str, str]:
    if code == 70 or "Traceback (most recent" in text or any("fault of seisvision" in one for one in errors):
        return "traceback", " | ".join(errors)[:600]
    if code == 0:
        return ("lost", lost) if lost else ("accepted", "")
    said = [one for one in errors if one.startswith("Error: ")]
    is_line = len(said) == 1 and "\n" not in said[0].strip() and len(said[0]) < 1500
    return ("refused" if is_line and code in (1, 2) else "unclear"), f"exit code {code}: {' | '.join(errors)[:600]}"


def _where(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))[-1500:]


def _content(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(_read(path)).hexdigest() for path in _files(folder)}


def _files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 20_000_000:
                yield path


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _watch(seconds: int) -> None:
    """Interrupt what waits for so long, or computes for twice as long as anything may; 0 ends the watch."""
    signal.alarm(seconds)
    signal.setitimer(signal.ITIMER_PROF, 2 * LONGEST_S if seconds else 0)


def _too_long(number: int, frame: Any) -> None:
    raise TooLong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to repeat one")
    parser.add_argument("--folder", type=Path, help="default a temporary one")
    parser.add_argument("--only", default="", help="only commands whose name matches this pattern")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        base = (asked.folder or Path(temporary)).absolute()
        os.environ["MPLCONFIGDIR"] = str(base)
        begun = time.monotonic()
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        attacks = [one for one in all_attacks(base / "whole", base / "data") if re.search(asked.only, one.name)]
        counts = attack(asked.inputs, asked.seed, base, base / "data", attacks, first=asked.first)
        for name, count in sorted(counts.items()):
            print(f"{count:6d}  {name}")
        print(f"{time.monotonic() - begun:.0f} s, peak {_peak_bytes() / 1e9:.2f} GB")
        return 0 if not {name for name in counts if ": " not in name} - FINE else 1


if __name__ == "__main__":
    sys.exit(main())
