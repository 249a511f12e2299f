"""What a task of a SLURM job does: the run of a folder and, where the job is stopped early, ask for another attempt."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from seisvision.records.folder import RUNNING, RunFolder, read_json, write_json
from seisvision.runs.epoch_clock import epoch_clock

log = logging.getLogger(__name__)

LIMIT_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
"""What SLURM sends when the time limit is near; SIGTERM, which it sends when a node is taken back, stops every run."""
STOP_SIGNALS = (*LIMIT_SIGNALS, signal.SIGTERM)
GRACE_S = 10.0
"""How long a run may take to stop on its own; SLURM kills jobs 30 s (KillWait) after it asked them to end."""
LEAD_S = 2.0
"""How much sooner the first task leaves than the others, so that it is not their end that stops it."""
MARGIN_S = 2 * GRACE_S
"""How much sooner than its time ends a job stops that ends its epoch first."""
TIMEOUT_S = 60
PROGRESS_FILE = "slurm_progress.json"
"""In a run folder: what the present attempt of its job began with."""


@dataclass(frozen=True)
class WorkOnRun:
    """Callable that does a run in a task that ``srun`` started; every task of the job calls it.

    A run that is stopped keeps the checkpoint of its last whole epoch. Then the first task requeues the job, so that
    it starts again on the same folder; the other tasks end quietly. Near the end of its time the first task decides for
    all of them: it ends the epoch first, where that fits.

    Args:
        folder: run folder with a ``config.yaml``.
        max_requeues: attempts in a row that end without a new epoch before the job gives up; 0 never requeues.
        signal_s: how long before the end of its time the job hears of it.
    """

    folder: str
    max_requeues: int
    signal_s: float

    def __call__(self) -> None:
        """Do the run; a run that did not finish ends the process with its exit code.

        Raises:
            SystemExit: 1 failed, 2 bad configuration, 130 interrupted.
        """
        from seisvision.runs.terminal import INTERRUPTED
        from seisvision.runs.work import main

        for number in LIMIT_SIGNALS:
            signal.signal(number, _leave_to_thread)
        if is_first_task():
            begin_attempt(RunFolder(Path(self.folder)))
        has_ended, is_out_of_time = threading.Event(), threading.Event()
        self._watch(has_ended, is_out_of_time)
        exit_code = main([self.folder])
        has_ended.set()
        if exit_code != INTERRUPTED:
            sys.exit(exit_code)
        # The job is ending; signals that say so again would only get in the way.
        for number in (*STOP_SIGNALS, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if is_first_task():
            sys.exit(self._end_attempt(is_out_of_time.is_set()))

    def _watch(self, has_ended: threading.Event, is_out_of_time: threading.Event) -> None:
        """Leave in time after a signal, from a thread, where the run itself does not get to it.

        Python handles signals between its own steps only, and a process that waits for others in a collective comes to
        none; the system writes each signal into a pipe all the same.
        """
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        threading.Thread(target=self._leave_in_time, args=(read_end, has_ended, is_out_of_time), daemon=True).start()

    def _leave_in_time(self, read_end: int, has_ended: threading.Event, is_out_of_time: threading.Event) -> None:
        self._wait_for_stop(read_end, is_out_of_time)
        # The first task goes first: when it has ended, SLURM ends the others.
        if has_ended.wait(GRACE_S if is_first_task() else GRACE_S + LEAD_S):
            return
        if not is_first_task():
            os._exit(0)
        exit_code = 130
        with contextlib.suppress(Exception):
            folder = RunFolder(Path(self.folder))
            if folder.status()["state"] == RUNNING:
                folder.mark_interrupted()
            exit_code = self._end_attempt(is_out_of_time.is_set())
        os._exit(exit_code)

    def _wait_for_stop(self, read_end: int, is_out_of_time: threading.Event) -> None:
        """Return when the run is to stop: at once on SIGTERM, near the end of the time after the epoch if that fits."""
        from seisvision.runs.terminal import interrupts

        deadline: float | None = None
        while deadline is None or time.monotonic() < deadline:
            wait_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            signals = set(os.read(read_end, 64)) if select.select([read_end], [], [], wait_s)[0] else set()
            if signal.SIGTERM in signals:
                return
            if deadline is None and is_first_task() and signals & set(LIMIT_SIGNALS):
                is_out_of_time.set()
                deadline = time.monotonic() + self._epoch_may_take()
        # A second one would end this process before it has asked for another attempt.
        if not interrupts:
            os.kill(os.getpid(), signal.SIGINT)

    def _epoch_may_take(self) -> float:
        """Seconds until the run stops in any case: none where the present epoch does not fit."""
        left_s, may_take_s = epoch_clock.seconds_left(), self.signal_s - MARGIN_S
        if left_s > may_take_s:
            return 0.0
        epoch_clock.ask_to_stop()
        log.info("The time of this job is nearly up: it stops after this epoch, in about %.0f s.", left_s)
        return may_take_s

    def _end_attempt(self, is_out_of_time: bool) -> int:
        """Ask for another attempt, unless it would get no further; returns the exit code."""
        folder = RunFolder(Path(self.folder))
        n_in_vain = attempts_in_vain(folder)
        if is_out_of_time and n_in_vain:
            error = (
                "no epoch ended within the time of its job, so that another attempt would get no further; raise "
                "launcher.time_min, or make epochs shorter, and repeat the command"
            )
            log.error("Not requeued: %s.", error)
            folder.mark_failed(error)
            return 1
        requeue(self.max_requeues, n_in_vain)
        return 130


def begin_attempt(folder: RunFolder) -> None:
    """Note which checkpoint an attempt begins with, and how many in a row before it got no further than theirs."""
    path, job_id = folder.path / PROGRESS_FILE, own_job_id()
    is_same_job = path.exists() and read_json(path)["job_id"] == job_id
    n_in_vain = attempts_in_vain(folder) if is_same_job else 0
    write_json(path, {"job_id": job_id, "checkpoint_ns": _checkpoint_ns(folder), "attempts_in_vain": n_in_vain})


def attempts_in_vain(folder: RunFolder) -> int:
    """How many attempts in a row, the present one included, have ended no epoch."""
    began_with = read_json(folder.path / PROGRESS_FILE)
    return 0 if began_with["checkpoint_ns"] != _checkpoint_ns(folder) else began_with["attempts_in_vain"] + 1


def _checkpoint_ns(folder: RunFolder) -> int | None:
    """When the last checkpoint, or the progress of a job that trains nothing, was written, in ns since 1970."""
    stored = [path.stat().st_mtime_ns for path in (folder.last_checkpoint, folder.progress_file) if path.exists()]
    return max(stored, default=None)


def is_first_task() -> bool:
    """Whether this process is the one that speaks for the job."""
    return int(os.environ.get("SLURM_PROCID", 0)) == 0


def own_job_id() -> str:
    """Id of this job; in an array the number of the job alone may stand for the whole array."""
    values = os.environ
    if "SLURM_ARRAY_JOB_ID" in values:
        return f"{values['SLURM_ARRAY_JOB_ID']}_{values['SLURM_ARRAY_TASK_ID']}"
    return values["SLURM_JOB_ID"]


def requeue(max_requeues: int, n_in_vain: int) -> bool:
    """Ask SLURM to run this job again, unless it does so anyway or the user cancelled it; tells whether it was asked.

    A job that SLURM is requeueing, or that was cancelled, is no longer RUNNING by the time it hears of it. One that is
    pre-empted with a time of grace, or that is told of the end of its time, still is, and would end for good.

    Args:
        max_requeues: how many attempts in a row may be in vain; 0 never requeues.
        n_in_vain: how many were.
    """
    job_id, restarts = own_job_id(), int(os.environ.get("SLURM_RESTART_COUNT", 0))
    try:
        asked = subprocess.run(
            ["squeue", "--noheader", "--format=%T", f"--jobs={job_id}"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
        if asked.stdout.strip() != "RUNNING":
            return False
        if n_in_vain > max_requeues or not max_requeues:
            log.error(
                "Not requeued: attempts in a row that ended no epoch: %d (launcher.max_requeues=%d).",
                n_in_vain,
                max_requeues,
            )
            return False
        log.info("Requeueing job %s for attempt %d.", job_id, restarts + 2)
        done = subprocess.run(["scontrol", "requeue", job_id], capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("Not requeued: SLURM does not answer (%s). Repeat the command that submitted the run.", error)
        return False
    if done.returncode:
        log.error("Not requeued: %s. Repeat the command that submitted the run.", done.stderr.strip())
    return done.returncode == 0


def _leave_to_thread(number: int, frame: FrameType | None) -> None:
    """Take a signal without doing anything: the thread that watches has heard it too."""
