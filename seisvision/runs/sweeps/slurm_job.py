"""What a task of a SLURM job does: the run of a folder and, where the job is stopped early, ask for another attempt."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from types import FrameType

log = logging.getLogger(__name__)

STOP_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2)
"""What SLURM sends when the time limit is near; SIGTERM, which it sends when a node is taken back, stops every run."""
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

        for number in STOP_SIGNALS:
            signal.signal(number, _as_interrupt)
        exit_code = main([self.folder])
        if exit_code == 0:
            return
        is_first = int(os.environ.get("SLURM_PROCID", 0)) == 0
        if exit_code != INTERRUPTED:
            sys.exit(exit_code)
        # The job is ending; signals that say so again would only get in the way.
        for number in (*STOP_SIGNALS, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if is_first:
            requeue(self.max_requeues)
            sys.exit(exit_code)


def requeue(max_requeues: int) -> bool:
    """Ask SLURM to run this job again, unless it does so anyway or the user cancelled it; tells whether it was asked.

    A job that SLURM is requeueing, or that was cancelled, is no longer RUNNING by the time it hears of it. One that is
    pre-empted with a time of grace, or that is told of the end of its time, still is, and would end for good.
    """
    job_id, restarts = os.environ["SLURM_JOB_ID"], int(os.environ.get("SLURM_RESTART_COUNT", 0))
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
