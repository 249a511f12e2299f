"""Whether a device has units for bf16, and whether trainings of an experiment are faster with them."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

log = logging.getLogger(__name__)

SINGLE, MIXED = "32-true", "bf16-mixed"
WARM_STEPS, TIMED_STEPS = 3, 9
"""Steps of each precision that do not count, and that do."""
WORTH = 1.05
"""How many times as fast mixed precision must be to be worth its rounding."""
PROCESSOR_UNITS = ("avx512_bf16", "amx_bf16", "bf16")
"""Flags of processors, the last that of ARM; others compute bf16 in software, several times as slowly."""


def lacks_units(device: torch.device) -> str | None:
    """Why mixed precision cannot be quicker on ``device``; None where it may be."""
    if device.type == "cuda":
        return None if torch.cuda.is_bf16_supported(including_emulation=False) else "the GPU has no units for bf16"
    if device.type != "cpu":
        return f"bf16 is not measured on {device.type}"
    told = Path("/proc/cpuinfo")
    words = set(told.read_text().split()) if told.is_file() else set()
    return None if words & set(PROCESSOR_UNITS) else "the processor has no units for bf16"


class StepSeconds(Callback):
    """Seconds of each training step after the first few, the device having done all of it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._n_done, self._began = 0, 0.0

    def on_train_batch_start(self, trainer: pl.Trainer, task: pl.LightningModule, *rest: Any) -> None:
        """Look at the clock."""
        self._began = _now(task.device)

    def on_train_batch_end(self, trainer: pl.Trainer, task: pl.LightningModule, *rest: Any) -> None:
        """Look at it again."""
        self._n_done += 1
        if self._n_done > WARM_STEPS:
            self.seconds.append(_now(task.device) - self._began)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def faster_precision(device: torch.device, train: Callable[[str, StepSeconds], None]) -> str:
    """``bf16-mixed`` where ``device`` has units for it and a step is :data:`WORTH` times as fast with it, else 32 bits.

    Args:
        device: where trainings run.
        train: trains ``WARM_STEPS + TIMED_STEPS`` steps with a precision under a callback.
    """
    reason = lacks_units(device)
    if reason is not None:
        log.info("%s: %s stays", reason, SINGLE)
        return SINGLE
    clocks = {precision: StepSeconds() for precision in (SINGLE, MIXED)}
    for precision, clock in clocks.items():
        train(precision, clock)
    times = statistics.median(clocks[SINGLE].seconds) / statistics.median(clocks[MIXED].seconds)
    log.info("A step is %.2f times as fast with %s (wanted %g)", times, MIXED, WORTH)
    return MIXED if times >= WORTH else SINGLE
