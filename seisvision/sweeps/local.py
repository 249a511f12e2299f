"""Do runs on this machine: in this process one after the other, or in several processes."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterable

from seisvision.errors import ConfigurationError, SeisvisionError
from seisvision.processes import available_cores
from seisvision.records.folder import PENDING, RUNNING, RunFolder
from seisvision.sweeps.gpus import VISIBLE_VARIABLE, LentGpus, visible_gpus

log = logging.getLogger(__name__)

POLL_S = 0.1
OUTPUT_FILE = "output.log"
"""What a worker process said on its way, beside the run's own train.log."""


class LocalLauncher:
    """One run after the other; in this process where a run uses one device."""

    at_once = 1
    takes_all = False
    waits = True

    def run(self, folders: Iterable[RunFolder]) -> Generator[RunFolder, None, None]:
        """Do every run, in order."""
        from seisvision.runs.terminal import telling
        from seisvision.runs.work import work_on

        for folder in folders:
            telling(work_on)(folder)
            yield folder


class ParallelLauncher:
    """Several runs at a time, each a process of its own with processes of its own where it uses several devices.

    The GPUs and processors of the machine are shared out among the runs.

    Args:
        n_jobs: runs at the same time.

    Raises:
        ConfigurationError: ``n_jobs`` is no positive number.
    """

    def __init__(self, n_jobs: int) -> None:
        if not isinstance(n_jobs, int) or n_jobs < 1:
            raise ConfigurationError(f"launcher.n_jobs={n_jobs} is not allowed; give a whole number of at least 1.")
        self.at_once = n_jobs
        self.takes_all = False
        self.waits = True

    def run(self, folders: Iterable[RunFolder]) -> Generator[RunFolder, None, None]:
        """Do every run; those that are done first come first."""
        waiting = iter(folders)
        working: dict[subprocess.Popen[bytes], RunFolder] = {}
        gpus: LentGpus | None = None
        try:
            while True:
                while len(working) < self.at_once and (folder := next(waiting, None)) is not None:
                    # Counting them takes torch, which a sweep whose runs are all finished does not need.
                    gpus = gpus or LentGpus(visible_gpus() if self.at_once > 1 else [])
                    working[self._start(folder, gpus)] = folder
                if not working:
                    return
                process = _first_ended(working)
                folder = working.pop(process)
                assert gpus is not None
                gpus.take_back(str(folder.path))
                settle(folder, process.returncode)
                yield folder
        finally:
            _stop(working)

    def _start(self, folder: RunFolder, gpus: LentGpus) -> subprocess.Popen[bytes]:
        """Start a worker that ends with this process, and out of the terminal's reach: Ctrl-C is passed on to it."""
        from seisvision.runs.ranks import PARENT_VARIABLE

        variables = {**os.environ, **self._threads(), PARENT_VARIABLE: str(os.getpid())}
        lent = gpus.lend(str(folder.path), folder.config()["trainer"])
        if lent is not None:
            variables[VISIBLE_VARIABLE] = lent
        with (folder.path / OUTPUT_FILE).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "seisvision.runs.work", str(folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=variables,
            )

    def _threads(self) -> dict[str, str]:
        """Variables that give a run its share of the processors, which its processes share in turn."""
        from seisvision.runs.ranks import THREADS_VARIABLE

        if "OMP_NUM_THREADS" in os.environ:
            return {}
        share = str(max(1, available_cores() // self.at_once))
        return {"OMP_NUM_THREADS": share, THREADS_VARIABLE: share}


def settle(folder: RunFolder, exit_code: int) -> None:
    """Record the end of a run whose process could not do so itself."""
    if folder.status()["state"] not in (PENDING, RUNNING) or exit_code == 0:
        return
    try:
        with folder.locked():
            if folder.status()["state"] == PENDING:
                folder.mark_running()
            ended = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
            folder.mark_failed(f"its process {ended}; see {folder.path / OUTPUT_FILE}")
    except SeisvisionError as error:
        log.warning("%s", error)


def _first_ended(working: dict[subprocess.Popen[bytes], RunFolder]) -> subprocess.Popen[bytes]:
    while True:
        for process in working:
            if process.poll() is not None:
                return process
        time.sleep(POLL_S)


def _stop(working: dict[subprocess.Popen[bytes], RunFolder]) -> None:
    """Ask the workers to end after their checkpoint, and wait for them; on another Ctrl-C end them at once."""
    if not working:
        return
    log.info("Stopping %d runs; Ctrl-C again leaves at once.", len(working))
    try:
        for process in working:
            process.send_signal(signal.SIGINT)
        for process in working:
            process.wait()
    except KeyboardInterrupt:
        for process in working:
            os.killpg(process.pid, signal.SIGKILL)
        raise
