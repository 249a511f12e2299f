"""Do the run that a folder describes: ``python -m seisvision.runs.work FOLDER``.

Reads ``config.yaml`` in the folder and nothing else: whoever starts it (``train.py``, a sweep, a cluster) writes
that file first. Exit codes: 0 finished, 1 failed, 2 bad configuration, 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from seisvision.errors import ConfigurationError, PrunedError
from seisvision.runs.folder import RunFolder
from seisvision.runs.terminal import copied_to, guarded

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the run of the folder given on the command line, and return its exit code."""
    parser = argparse.ArgumentParser("python -m seisvision.runs.work", description=__doc__)
    parser.add_argument("folder", type=Path, help="run folder with a config.yaml")
    asked = parser.parse_args(arguments)
    return guarded(lambda: work_on(RunFolder(asked.folder)))


def work_on(folder: RunFolder) -> None:
    """Do the run that ``config.yaml`` in ``folder`` describes, unless it is finished.

    Raises:
        SeisvisionError: there is no configuration, another process works on the run, or it failed.
        KeyboardInterrupt: it was interrupted; the same call resumes.
    """
    if not folder.config_file.exists():
        raise ConfigurationError(f"{folder.path} holds no config.yaml. Give a run folder that train.py made.")
    with folder.locked():
        if folder.is_finished():
            log.info("Run %s is finished.", folder.run_id)
            return
        with copied_to(folder.log_file):
            do_run(folder)


def do_run(folder: RunFolder) -> None:
    """Do the run of a folder that this process has locked, and keep its status true, whatever happens."""
    folder.mark_running()
    try:
        from seisvision.runs.training import train_and_evaluate

        train_and_evaluate(folder)
    except (KeyboardInterrupt, SystemExit):
        # Lightning turns Ctrl-C into an exit of its own.
        folder.mark_interrupted()
        raise KeyboardInterrupt from None
    except PrunedError as reason:
        folder.mark_pruned(str(reason))
        log.info("Pruned: %s.", reason)
        return
    except Exception as error:
        folder.mark_failed(f"{type(error).__name__}: {error}")
        raise
    folder.mark_finished()


if __name__ == "__main__":
    sys.exit(main())
