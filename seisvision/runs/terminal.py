"""What people see: short messages on standard error, results on standard output, one clear line for an error."""

from __future__ import annotations

import contextlib
import errno
import functools
import gc
import logging
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from seisvision.errors import UNFORESEEN, ConfigurationError, DiskFullError, SeisvisionError
from seisvision.files import disk_fault, full_disk
from seisvision.plain_text import is_unread, leave_unread, say, shown
from seisvision.records.trust.composing import guard_composition, refuse_rerun
from seisvision.records.words.own_sets import with_own_sets
from seisvision.records.words.quoting import quoted_paths
from seisvision.runs.hydra_errors import explain_hydra
from seisvision.runs.ranks import current_place
from seisvision.secrets_kept import refuse_secret_words

log = logging.getLogger("seisvision")

INTERRUPTED = 130
exit_codes: list[int] = []
"""Exit codes of the jobs of this process that failed."""
interrupts: list[float] = []
"""When this process was asked to stop, in seconds since 1970."""
last_words: list[Callable[[], object]] = []
"""What is still done where it was asked a second time, and leaves at once."""
Result = TypeVar("Result")

LIGHTNING = r"pytorch_lightning|lightning_fabric|torch"
"""Modules that advise on worker counts and the lengths of loaders."""
QUIET_LIBRARIES = ("pytorch_lightning", "lightning_fabric", "lightning", "wandb", "matplotlib", "h5py")


class Redacting(logging.Formatter):
    """Shows messages without what is secret in them, and without what steers a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The message as people and files get it."""
        return shown(super().format(record))


def set_up_logging() -> None:
    """Send the package's messages to standard error and keep libraries to their errors."""
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(Redacting("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    quiet_libraries()
    warnings.formatwarning = _format_warning
    if not sys.warnoptions:
        # Lightning advises on worker counts and dataloader lengths; what matters is said by our own messages.
        warnings.filterwarnings("ignore", module=LIGHTNING)


def _format_warning(*said: Any, _formatted: Callable[..., str] = warnings.formatwarning, **more: Any) -> str:
    """Warnings of libraries quote data, too."""
    return shown(_formatted(*said, **more))


def quiet_libraries() -> None:
    """Keep libraries to their errors; to be repeated once they are imported, for they set levels of their own."""
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep libraries to their errors in this block, in a program that is not ours."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=LIGHTNING)
        quiet_libraries()
        yield


@contextlib.contextmanager
def quick_imports() -> Iterator[None]:
    """Import large libraries in this block, in half the time.

    The garbage collector would look through their objects again and again, and once more when the process ends. What
    is there when the block ends is never collected, so a block that has nothing left to import changes nothing: in a
    sweep it would keep the networks of all earlier runs.
    """
    known = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        if len(sys.modules) > known:
            gc.freeze()


@contextlib.contextmanager
def copied_to(path: Path) -> Iterator[None]:
    """Also append the package's messages to a file."""
    handler = _LogFile(path, encoding="utf-8")
    handler.setFormatter(Redacting("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()


class _LogFile(logging.FileHandler):
    """A log file that a full disk does not turn into tracebacks: what it lacks was said on standard error as well."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging calls
        """Pass over a line that the disk does not take."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def show(text: str) -> None:
    """Print a result on standard output and keep it in the log file, if there is one."""
    say(text)
    for handler in log.handlers:
        if isinstance(handler, logging.FileHandler):
            handler.emit(logging.LogRecord(log.name, logging.INFO, "", 0, "\n" + text, None, None))


def telling(job: Callable[..., Result]) -> Callable[..., Result | None]:
    """Decorate a job of a Hydra application: an error is told at once and does not stop the other points of a sweep.

    A disk that is full, or fails, does: the others would meet it as well.
    """

    @functools.wraps(job)
    def told(config: Any) -> Result | None:
        try:
            return job(config)
        except Exception as error:
            if disk_fault(error) is not None:
                raise
            exit_codes.append(tell_error(error, ""))
            return None

    return told


def run_command(command: Callable[[], object], config_name: str) -> int:
    """Run a Hydra application and turn every error into one clear message and an exit code.

    Returns 0 when it finished, 1 when it failed, 2 for bad usage or configuration, 70 for a fault of seisvision itself,
    130 when interrupted. ``SEISVISION_TRACEBACK=1`` shows the traceback of such a fault instead of keeping it in a
    file.

    Args:
        command: function decorated by ``hydra.main``.
        config_name: root configuration, for suggestions where a key is misspelt.
    """
    from seisvision.records.words.composing import CONF

    # Python's argument parser wants all overrides in one row; people also type them on both sides of -m.
    sys.argv[1:] = sorted(quoted_paths(with_own_sets(sys.argv[1:], CONF)), key=_is_override)
    # Hydra would print its own report and exit; with this it raises, and all errors are told in one place.
    os.environ["HYDRA_FULL_ERROR"] = "1"

    def checked() -> None:
        refuse_secret_words(sys.argv[1:])
        refuse_rerun(sys.argv[1:])
        guard_composition(Path(sys.argv[0]).resolve().parent / "conf")
        if set(sys.argv[1:]) & {"-h", "--help"}:
            tell_settings([word for word in sys.argv[1:] if not word.startswith("-")], config_name)
            return
        command()

    return guarded(checked, config_name)


def tell_settings(words: Sequence[str], config_name: str) -> None:
    """Print the choices of every group, and what the words compose with the comments of its files."""
    from seisvision.records.words.composing import choices_of, groups
    from seisvision.records.words.explaining import comments_of, explained

    show(
        "Give settings as KEY=VALUE and choices as GROUP=CHOICE; -m before values with commas makes a sweep.\n\nGroups:"
    )
    for group, choices in groups().items():
        show(f"  {group}: {', '.join(choices)}")
    show(f"\nWhat {' '.join([f'{config_name}.py', *words])} composes:\n")
    composed, chosen = choices_of(words, config_name)
    for line in explained(composed, comments_of(chosen, root=config_name)):
        show(line)


def guarded(action: Callable[[], object], config_name: str = "") -> int:
    """Do ``action`` as the main job of a process: messages to standard error, errors told, an exit code returned."""
    set_up_logging()
    stop_on_signals()
    if current_place().rank > 0:
        # The first process tells everything; this one writes to a file of its own as soon as it knows the folder.
        log.setLevel(logging.CRITICAL)
    try:
        action()
    except KeyboardInterrupt:
        log.error("Interrupted. The same command resumes.")
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, BrokenPipeError) and is_unread():
            # Hydra prints by itself: its help, a configuration.
            return output_done(0)
        return output_done(tell_error(error, config_name))
    return output_done(exit_codes[0] if exit_codes else 0)


def output_done(code: int) -> int:
    """Write out what is held back of standard output, while a full disk can still be told of.

    Args:
        code: exit code of what was done.

    Returns:
        The exit code; 1 where all was well but for the output.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try once more when it ends.
        leave_unread()
        if not isinstance(error, BrokenPipeError):
            log.error("Error: standard output: %s", disk_fault(error) or error.strerror)
            return code or DiskFullError.exit_code
    return code


def stop_on_signals() -> None:
    """Take SIGTERM, with which a cluster takes its node back, for Ctrl-C: the run stops, and a sweep with it.

    The second time the process leaves at once.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    interrupts.append(time.time())
    if len(interrupts) > 1:
        for say in last_words:
            with contextlib.suppress(Exception):
                say()
        os._exit(INTERRUPTED)
    raise KeyboardInterrupt


def _is_override(word: str) -> bool:
    return not word.startswith("-") and ("=" in word or word.startswith("~"))


def tell_error(error: Exception, config_name: str = "", words: Sequence[str] | None = None) -> int:
    """Log an error for people and return the exit code it stands for.

    Args:
        error: any error.
        config_name: root configuration of a Hydra application, for suggestions where a key is misspelt.
        words: that were given; default those of the command line.
    """
    if isinstance(error, SeisvisionError):
        log.error("Error: %s", shortened_message(str(error)))
        if error.__cause__ is not None and os.environ.get("SEISVISION_TRACEBACK") == "1":
            log.error("Traceback:", exc_info=error)
        return error.exit_code
    full = full_disk(error)
    if full is not None:
        log.error("Error: %s", full)
        return DiskFullError.exit_code
    from seisvision.records.words.composing import CONF

    beside = Path(sys.argv[0]).resolve().parent / "conf"
    # Commands that take words of train.py lie elsewhere.
    conf = beside if beside.is_dir() else CONF
    message = explain_hydra(error, config_name, conf, sys.argv[1:] if words is None else words)
    if message is None and isinstance(error, OSError):
        message = _explain_folder(error)
    if message is None and isinstance(error, MemoryError):
        log.error("Error: the memory does not suffice (%s). Ask for less at a time: see view, batch_size.", error)
        return 1
    if message is not None:
        log.error("Error: %s", message)
        return ConfigurationError.exit_code
    fault = disk_fault(error)
    if fault is not None:
        log.error("Error: %s", fault)
        return DiskFullError.exit_code
    return _tell_fault(error)


def shortened_message(text: str) -> str:
    """A message of one line that fits a screen, whatever libraries, names and values it repeats.

    What is too long keeps its beginning, and the advice at its end.
    """
    text = " ".join(line.strip() for line in text.splitlines() if line.strip())
    if len(text) <= LONGEST_MESSAGE:
        return text
    return f"{text[: LONGEST_MESSAGE - 310]} ... {text[-300:]}"


def _tell_fault(error: Exception) -> int:
    """Log one line for an error that nobody foresaw, and keep where it happened in a file."""
    said = " ".join(str(error).split())[:LONGEST_FAULT]
    if os.environ.get("SEISVISION_TRACEBACK") == "1":
        log.error("Error: %s: %s", type(error).__name__, said)
        log.error("Traceback:", exc_info=error)
        return UNFORESEEN
    log.error(
        "Error: %s: %s. This is a fault of seisvision, not of yours%s; please report it. SEISVISION_TRACEBACK=1 shows "
        "where it happened.",
        type(error).__name__, said or "no message", _kept_traceback(error),
    )  # fmt: skip
    return UNFORESEEN


def _kept_traceback(error: Exception) -> str:
    """Write the traceback beside the log of the run, or where temporary files lie; words that say where, or nothing."""
    logs = [Path(handler.baseFilename).parent for handler in log.handlers if isinstance(handler, logging.FileHandler)]
    with contextlib.suppress(Exception):
        text = "".join(traceback.format_exception(error))
        for folder in [*logs, Path(tempfile.gettempdir())]:
            with contextlib.suppress(OSError):
                handle, name = tempfile.mkstemp(".txt", "seisvision-fault-", folder)
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                return f" (where it happened: {name})"
    return ""


LONGEST_FAULT = 300
LONGEST_MESSAGE = 1400
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)


def _explain_folder(error: OSError) -> str | None:
    """Say what cannot be read or written; None where the disk is at fault and not its rights."""
    if error.errno not in NOT_ALLOWED or error.filename is None:
        return None
    return (
        f"{error.filename} cannot be read or written ({error.strerror}). Name folders that allow it: --out, "
        "system.runs_dir or system.data_dir."
    )
