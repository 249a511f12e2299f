"""``seisvision.runs.work`` with ``trainer=fsdp`` on processors, which Lightning refuses; run by tests.

With ``STOP_AFTER_EPOCH`` in the environment it is interrupted after its first epoch.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import torch
from pytorch_lightning.strategies import FSDPStrategy
from torch.distributed import fsdp

from seisvision.runs import launch, trainers, work
from seisvision.runs.epoch_clock import epoch_clock


class ShardedOnProcessors(fsdp.FullyShardedDataParallel):
    """Torch takes part on processors where it is told to."""

    def __init__(self, *args: Any, device_id: int | None = None, **settings: Any) -> None:
        super().__init__(*args, device_id=torch.device("cpu"), **settings)


class StrategyOnProcessors(FSDPStrategy):
    """Lightning refuses its own class only."""


if __name__ == "__main__":
    fsdp.FullyShardedDataParallel = ShardedOnProcessors
    trainers.FSDPStrategy = StrategyOnProcessors
    launch._n_gpus = lambda: 2
    if "STOP_AFTER_EPOCH" in os.environ:
        epoch_clock.ask_to_stop()
    sys.exit(work.main())
