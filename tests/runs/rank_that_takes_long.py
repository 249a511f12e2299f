"""``seisvision.runs.work`` in one of two processes that have no patience; the first takes longer than that for a thing.

Run by tests with what takes long, ``folder`` or ``evaluation``, before the arguments of the command.
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta

from torch import distributed

from seisvision.runs import ranks, work

PATIENCE_S = 2.0
join_group = ranks.join_group


def join_without_patience(place: ranks.Place) -> None:
    """Meet the other process in peace, and give up soon from then on."""
    join_group(place)
    distributed.distributed_c10d._set_pg_timeout(timedelta(seconds=PATIENCE_S))


def take_long(*unused: object) -> None:
    """Take longer than anybody waits."""
    time.sleep(2 * PATIENCE_S)


if __name__ == "__main__":
    what, sys.argv[1:] = sys.argv[1], sys.argv[2:]
    work.join_group = join_without_patience
    work._work_as_rank = lambda folder, place: None
    if what == "folder":
        work.RunFolder.is_finished = take_long
    work.do_run = lambda folder: (folder.mark_running(), take_long(), folder.mark_finished())
    sys.exit(work.main())
