"""Which GPUs of this machine the runs have that are done at the same time."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

log = logging.getLogger(__name__)

VISIBLE_VARIABLE = "CUDA_VISIBLE_DEVICES"
"""Environment variable that says which GPUs a process sees, by their names with commas."""


class LentGpus:
    """Lends every run as many GPUs as it takes: of its own while there are enough, then those with the fewest runs.

    Args:
        names: of the GPUs that may be lent.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._users: dict[str, set[str]] = {name: set() for name in names}
        self._has_told = False

    def lend(self, run: str, trainer: Mapping[str, Any]) -> str | None:
        """Names of GPUs for a run, with commas; ``None`` where it uses none, or said itself which it uses.

        Args:
            run: what :meth:`take_back` calls it.
            trainer: its settings ``trainer``.
        """
        n_wanted = trainer.get("devices", 1)
        is_number = isinstance(n_wanted, int) and not isinstance(n_wanted, bool) and n_wanted > 0
        if not self._users or not is_number or trainer.get("accelerator") == "cpu":
            return None
        lent = sorted(self._users, key=lambda name: len(self._users[name]))[:n_wanted]
        if any(self._users[name] for name in lent) and not self._has_told:
            self._has_told = True
            log.info(
                "There are fewer GPUs (%d) than the runs take that are done at once: they share.", len(self._users)
            )
        for name in lent:
            self._users[name].add(run)
        return ",".join(lent)

    def take_back(self, run: str) -> None:
        """Let others have the GPUs of a run."""
        for users in self._users.values():
            users.discard(run)


def visible_gpus() -> list[str]:
    """Names of the GPUs that this process may use: those of ``CUDA_VISIBLE_DEVICES``, else all of the machine."""
    said = os.environ.get(VISIBLE_VARIABLE)
    if said is not None:
        names = (name.strip() for name in said.split(","))
        # To CUDA, what it does not know ends the list.
        return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
