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
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from seisvision.runs.folder import RUNNING, RunFolder

log = logging.getLogger(__name__)

LIMIT_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
"""What SLURM sends when the time limit is near; SIGTERM, which it sends when a node is taken back, stops every run."""
STOP_SIGNALS = (*LIMIT_SIGNALS, signal.SIGTERM)
GRACE_S = 10.0
"""How long a run may take to stop on its own; SLURM kills jobs 30 s (KillWait) after it asked them to end."""
LEAD_S = 2.0
"""How much sooner the first task leaves than the others, so that it is not their end that stops it."""
TIMEOUT_S = 60


@dataclass(frozen=True)
class WorkOnRun:
    """Callable that does a run in a task that ``srun`` started; every task of the job calls it.

    A run that is stopped keeps the checkpoint of its last whole epoch. Then the first task requeues the job, so that
    it starts again on the same folder; the other tasks end quietly.

    Args:
        folder: run folder with a ``config.yaml``.
        max_requeues: attempts after the first.
    """

    folder: str
    max_requeues: int

    def __call__(self) -> None:
        """Do the run; a run that did not finish ends the process with its exit code.

        Raises:
            SystemExit: 1 failed, 2 bad configuration, 130 interrupted.
        """
        from seisvision.runs.terminal import INTERRUPTED
        from seisvision.runs.work import main

        for number in LIMIT_SIGNALS:
            signal.signal(number, _as_interrupt)
        has_ended = threading.Event()
        self._watch(has_ended)
        exit_code = main([self.folder])
        has_ended.set()
        if exit_code != INTERRUPTED:
            sys.exit(exit_code)
        # The job is ending; signals that say so again would only get in the way.
        for number in (*STOP_SIGNALS, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if is_first_task():
            requeue(self.max_requeues)
            sys.exit(exit_code)

    def _watch(self, has_ended: threading.Event) -> None:
        """Leave in time after a signal, from a thread, where the run itself does not get to it.

        Python handles signals between its own steps only, and a process that waits for others in a collective comes to
        none; the system writes each signal into a pipe all the same.
        """
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        threading.Thread(target=self._leave_in_time, args=(read_end, has_ended), daemon=True).start()

    def _leave_in_time(self, read_end: int, has_ended: threading.Event) -> None:
        while not set(os.read(read_end, 64)) & set(STOP_SIGNALS):
            select.select([read_end], [], [])
        # The first task goes first: when it has ended, SLURM ends the others.
        if has_ended.wait(GRACE_S if is_first_task() else GRACE_S + LEAD_S):
            return
        if not is_first_task():
            os._exit(0)
        with contextlib.suppress(Exception):
            folder = RunFolder(Path(self.folder))
            if folder.status()["state"] == RUNNING:
                folder.mark_interrupted()
            requeue(self.max_requeues)
        os._exit(130)


def is_first_task() -> bool:
    """Whether this process is the one that speaks for the job."""
    return int(os.environ.get("SLURM_PROCID", 0)) == 0


def own_job_id() -> str:
    """Id of this job; in an array the number of the job alone may stand for the whole array."""
    values = os.environ
    if "SLURM_ARRAY_JOB_ID" in values:
        return f"{values['SLURM_ARRAY_JOB_ID']}_{values['SLURM_ARRAY_TASK_ID']}"
    return values["SLURM_JOB_ID"]


def requeue(max_requeues: int) -> bool:
    """Ask SLURM to run this job again, unless it does so anyway or the user cancelled it; tells whether it was asked.

    A job that SLURM is requeueing, or that was cancelled, is no longer RUNNING by the time it hears of it. One that is
    pre-empted with a time of grace, or that is told of the end of its time, still is, and would end for good.
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
        if restarts >= max_requeues:
            log.error("Not requeued: this was attempt %d (launcher.max_requeues=%d).", restarts + 1, max_requeues)
            return False
        log.info("Requeueing job %s for attempt %d.", job_id, restarts + 2)
        done = subprocess.run(["scontrol", "requeue", job_id], capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.error("Not requeued: SLURM does not answer (%s). Repeat the command that submitted the run.", error)
        return False
    if done.returncode:
        log.error("Not requeued: %s. Repeat the command that submitted the run.", done.stderr.strip())
    return done.returncode == 0


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)
