"""What the queue of a SLURM cluster says of jobs, asked with ``squeue``; accounting need not be set up."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Collection

log = logging.getLogger(__name__)

ENDED_STATES = (
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "REVOKED", "TIMEOUT",
)  # fmt: skip
"""States from which a job does not come back by itself; PREEMPTED is none of them, for such a job may be requeued."""
FORGOTTEN = "FORGOTTEN"
"""State of a job that ended so long ago that the queue does not know it any more."""
TIMEOUT_S = 60
USUAL_REASONS = ("None", "Priority", "Resources", "BeginTime", "JobArrayTaskLimit", "Cleaning", "Prolog")
"""Why jobs wait in the ordinary course of things."""
_told: set[str] = set()


def job_states(job_ids: Collection[str]) -> dict[str, str] | None:
    """State of every job by its id (``12`` or, in an array, ``12_3``); ``None`` where the queue does not answer."""
    if not job_ids:
        return {}
    main_ids = sorted({job_id.partition("_")[0] for job_id in job_ids})
    command = ["squeue", "--noheader", "--array", "--states=all", "--format=%i|%T|%r", f"--jobs={','.join(main_ids)}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("The queue does not answer (%s); asking again.", error)
        return None
    # Of a single unknown job squeue says so in an error; of several it leaves the unknown ones out.
    if done.returncode and "Invalid job id" not in done.stderr:
        log.warning("The queue does not answer (%s); asking again.", done.stderr.strip())
        return None
    known: dict[str, str] = {}
    for line in done.stdout.splitlines():
        job_id, state, reason = line.strip().split("|", 2)
        known[job_id] = state
        if job_id in job_ids and state == "PENDING" and reason not in USUAL_REASONS:
            _tell_once(f"Job {job_id} waits: {reason}. 'scontrol show job {job_id}' tells more.", reason)
    return {job_id: known.get(job_id, FORGOTTEN) for job_id in job_ids}


def _tell_once(message: str, reason: str) -> None:
    """A reason that may never pass, such as a limit of the partition, must not go unseen; once for many jobs."""
    if reason not in _told:
        _told.add(reason)
        log.warning("%s", message)


def has_ended(state: str) -> bool:
    """Whether a job in that state does nothing more."""
    return state in ENDED_STATES or state == FORGOTTEN
