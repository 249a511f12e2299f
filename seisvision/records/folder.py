"""The folder of one run: its files, its status, and who is working on it."""

from __future__ import annotations

import calendar
import contextlib
import errno
import functools
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf._utils import get_omega_conf_dumper

from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.files import FULL, clear_lock, locked, parse_json, write_in_place, write_text
from seisvision.leftovers import clear_below
from seisvision.plain_files import LARGEST_JSON_BYTES, check_plain, read_text
from seisvision.records.trust.resolved import check_resolved
from seisvision.records.trust.schema import KEY, SCHEMA, check_schema
from seisvision.secrets_kept import redact
from seisvision.yaml_files import read_yaml

PENDING, RUNNING, FINISHED, FAILED, INTERRUPTED = "pending", "running", "finished", "failed", "interrupted"
PRUNED = "pruned"
"""A search stopped the run because others were better."""
REPEATS = "the same command goes on with the run"
GO_ON = f"Delete that file; {REPEATS} from its last stored epoch."
WRITTEN_AGAIN = "The command that made the run (see overrides.yaml) writes it again."
MEASURE_AGAIN = "Delete that file; the command of the run measures again what its checkpoint says."
FILE_SUFFIXES = (".json", ".yaml", ".csv", ".npz", ".log", ".ckpt", ".tmp")
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""All times are UTC."""
STATUS_BYTES = 4096
"""Kept for the status of a run that is under way; one page, which the system writes in one go."""

LARGEST_NUMBER = 2**31
"""Of attempts, processes and seconds."""
STATE_VERSION = ("status.json", "metrics.json")
"""Files of a run folder that state the version of what it holds."""
STATUS_KINDS: dict[str, type | tuple[type, ...]] = {
    KEY: int,
    "state": str,
    "attempts": int,
    "started": str,
    "created": str,
    "ended": str,
    "error": str,
    "host": str,
    "pid": int,
    "seconds": (int, float),
    "seconds_before": (int, float),
}


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented JSON, atomically."""
    write_text(path, json.dumps(content, indent=2, allow_nan=True) + "\n")


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write ``metrics.json`` with the version of what its folder holds."""
    write_json(path, {KEY: SCHEMA, **metrics})


def read_json(path: Path, cure: str = "Delete the run folder to run it again.") -> Any:
    """Read a JSON file of a run folder; ``cure`` says what to do about a damaged one.

    Raises:
        SeisvisionError: the file is damaged, or states a version that only a newer seisvision reads.
    """
    try:
        content = parse_json(read_text(path, LARGEST_JSON_BYTES))
    except (OSError, ValueError) as error:
        raise SeisvisionError(f"{path} cannot be read ({_first_line(error)}). {cure}") from error
    if isinstance(content, dict) and path.name in STATE_VERSION:
        check_schema(content, path)
    return content


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class RunFolder:
    """Paths and status of one run.

    Args:
        path: ``<runs_dir>/<experiment>/<run id>``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.yaml"
        self.overrides_file = path / "overrides.yaml"
        self.environment_file = path / "environment.json"
        self.split_file = path / "split.csv"
        self.status_file = path / "status.json"
        self.metrics_file = path / "metrics.json"
        self.history_file = path / "metrics.csv"
        self.predictions_file = path / "predictions.csv"
        self.log_file = path / "train.log"
        self.manifest_file = path / "manifest.json"
        self.limits_file = path / "limits.json"
        self.checkpoints = path / "checkpoints"
        self.best_checkpoint = self.checkpoints / "best.ckpt"
        self.last_checkpoint = self.checkpoints / "last.ckpt"
        self.figures = path / "figures"
        self.workers = path / "workers"
        self.progress_file = path / "progress.json"
        self.tables = path / "tables"
        self.explain = path / "explain"

    def predictions(self, part: str) -> Path:
        """Where the predictions for a part lie: ``predictions.csv`` for test, ``predictions_val.csv`` for val."""
        return self.predictions_file if part == "test" else self.path / f"predictions_{part}.csv"

    def thumbnails(self, part: str) -> Path:
        """Where small pictures of some samples of a part lie."""
        return self.figures / f"thumbnails_{part}.json"

    def worker_log(self, rank: int) -> Path:
        """What the process of that rank says; the first one says it in ``train.log``."""
        return self.workers / f"rank-{rank}.log"

    def tell_error(self, rank: int, error: Exception) -> None:
        """Leave word, as one of the processes of a run, of an error for the process that keeps the status."""
        content = {"rank": rank, "type": type(error).__name__, "message": redact(str(error)), "time": time.time()}
        write_json(self.workers / f"error-{rank}.json", {**content, "exit_code": getattr(error, "exit_code", None)})

    def forget_errors(self) -> None:
        """Take away what the processes of an earlier attempt left."""
        for path in self.workers.glob("error-*.json"):
            path.unlink(missing_ok=True)

    @property
    def run_id(self) -> str:
        """The run id, which is the folder's name."""
        return self.path.name

    def status(self) -> dict[str, Any]:
        """Content of ``status.json``; state ``pending`` where nothing was started.

        Raises:
            SeisvisionError: the file is damaged, or not of the shape that :meth:`mark_running` writes; or something in
                the folder leads out of it.
        """
        check_plain(self.path)
        if not self.status_file.exists():
            return {"state": PENDING, "attempts": 0}
        status = read_json(self.status_file, GO_ON)
        if not isinstance(status, dict):
            raise SeisvisionError(f"{self.status_file} is damaged: it holds a {type(status).__name__}. {GO_ON}")
        status.setdefault("attempts", 0)
        for name, kinds in STATUS_KINDS.items():
            value: Any = status.get(name)
            in_range = not isinstance(value, int | float) or 0 <= value < LARGEST_NUMBER
            is_kind = isinstance(value, kinds) and in_range
            if not is_kind and (value is not None or name in ("state", "attempts")):
                raise SeisvisionError(f"{self.status_file} is damaged: {name}={str(value)[:60]!r}. {GO_ON}")
        # What is null is not known, as where it is missing; a run without an error says so with null.
        return {name: value for name, value in status.items() if value is not None or name == "error"}

    def is_finished(self) -> bool:
        """Whether the run is complete: the status says so and the results are there."""
        return self.status()["state"] == FINISHED and self.metrics_file.exists()

    def clear_lock(self) -> None:
        """Of a run with a stored result, remove the lock of a process that was killed just after it had stored it."""
        clear_lock(self.path / ".lock")

    def config(self) -> dict[str, Any]:
        """The resolved configuration of the run.

        Raises:
            ConfigurationError: the file is damaged, or was not written by a run.
        """
        check_plain(self.path)
        return read_stored_config(self.config_file)

    def check_shape(self) -> None:
        """Refuse files where folders belong, and folders where files belong, before any work.

        Raises:
            SeisvisionError: names the first of them.
        """
        folders = (self.checkpoints, self.figures, self.workers, self.tables, self.explain)
        for path in (self.path, *folders):
            if path.exists() and not path.is_dir():
                raise SeisvisionError(f"{path} is a file where the run has a folder. Move it away; {REPEATS}.")
        inside = [path for folder in (self.path, self.checkpoints) if folder.is_dir() for path in folder.iterdir()]
        for path in sorted(inside):
            if (path.suffix in FILE_SUFFIXES or path.name == ".lock") and path.is_dir():
                raise SeisvisionError(f"{path} is a folder where the run has a file. Move it away; {REPEATS}.")

    def prepare(self, config: dict[str, Any], overrides: list[str]) -> None:
        """Create the folder and write what was asked for."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        write_text(self.config_file, _to_yaml(config))
        write_text(self.overrides_file, _to_yaml(overrides))

    def mark_running(self) -> None:
        """Count a new attempt by this process."""
        status = self.status()
        now = _now()
        self._write_status(
            state=RUNNING,
            attempts=status["attempts"] + 1,
            created=status.get("created", now),
            started=now,
            seconds_before=status.get("seconds", status.get("seconds_before", 0.0)),
        )

    def mark_finished(self) -> None:
        """Record success."""
        self._mark_ended(FINISHED, None)

    def mark_failed(self, error: str) -> None:
        """Record what went wrong."""
        self._mark_ended(FAILED, error)

    def mark_interrupted(self) -> None:
        """Record that it was stopped on purpose; the same command resumes."""
        self._mark_ended(INTERRUPTED, "interrupted")

    def mark_pruned(self, reason: str) -> None:
        """Record that a search stopped it; asked for by itself, it goes on."""
        self._mark_ended(PRUNED, reason)

    def _mark_ended(self, state: str, error: str | None) -> None:
        status = self.status()
        if status["state"] == RUNNING:
            try:
                started = calendar.timegm(time.strptime(status.get("started", ""), TIME_FORMAT))
            except ValueError:
                started = int(time.time())  # edited by hand
            status["seconds"] = round(status.pop("seconds_before", 0.0) + time.time() - started, 1)
        status.update(state=state, ended=_now(), error=None if error is None else redact(error))
        self._write_status(**status)

    def _write_status(self, **fields: Any) -> None:
        fields.setdefault("error", None)
        status = {**fields, KEY: SCHEMA, "host": socket.gethostname(), "pid": os.getpid()}
        text = json.dumps(status, indent=2) + "\n"
        if fields["state"] == RUNNING:
            # Room for how it will end, which a disk that fills up meanwhile would not give.
            text = text.ljust(STATUS_BYTES)
        try:
            write_text(self.status_file, text)
        except OSError as error:
            if error.errno not in FULL or not self.status_file.exists():
                raise
            if len(json.dumps(status)) > STATUS_BYTES:
                status["error"] = str(status["error"])[: STATUS_BYTES // 4] + " ..."
            write_in_place(self.status_file, json.dumps(status), STATUS_BYTES)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process; the lock is released by the system even after ``kill -9``.

        Raises:
            SeisvisionError: another process on this machine is working on the run, or something in its folder leads out
                of it, which would be written through.
        """
        self.check_shape()
        check_plain(self.path)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(self._lock())
            except BlockingIOError:
                pid = self.status().get("pid", "unknown")
                raise SeisvisionError(
                    f"Run {self.path} is being worked on by process {pid}. Wait for it, "
                    "or use run.fresh=true for a run of its own."
                ) from None
            clear_below(self.path)
            yield

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            lock = contextlib.ExitStack()
            lock.enter_context(locked(self.path / ".lock", wait=False))
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            raise SeisvisionError(
                f"Run {self.path} cannot be written to ({error.strerror}): it is read-only, or somebody else's. Let "
                "its owner go on with it, or name a folder of your own with system.runs_dir=..."
            ) from error
        with lock:
            yield


def read_stored_config(path: Path) -> dict[str, Any]:
    """Read a stored configuration, which is plain: nothing in it is looked up on this machine.

    Raises:
        ConfigurationError: it is damaged, or holds what only files of ``conf/`` do.
    """
    config = read_yaml(path)
    if not isinstance(config, dict):
        raise ConfigurationError(f"{path} is no configuration of a run. Restore it, or delete the run folder.")
    check_resolved(config, str(path))
    return config


def _to_yaml(settings: dict[str, Any] | list[str]) -> str:
    """Settings as OmegaConf writes them; plain ones without making its nodes first, which takes longer."""
    if not _is_plain(settings):
        return OmegaConf.to_yaml(OmegaConf.create(settings))
    return yaml.dump(settings, default_flow_style=False, allow_unicode=True, sort_keys=False, Dumper=_dumper())


def _is_plain(value: Any) -> bool:
    if type(value) is dict:
        return all(type(key) is str and _is_plain(one) for key, one in value.items())
    if type(value) is list:
        return all(map(_is_plain, value))
    return "${" not in value if type(value) is str else type(value) in (int, float, bool, type(None))


@functools.cache
def _dumper() -> Any:
    """OmegaConf's, which writes out what stands twice."""
    return type("PlainDumper", (get_omega_conf_dumper(),), {"ignore_aliases": lambda self, data: True})


def _now() -> str:
    return time.strftime(TIME_FORMAT, time.gmtime())
