"""What every benchmark says beside its figures: on what machine, how busy, and how far the repeats lie apart."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

BUSY_LOAD = 0.25
"""Runnable processes beside this one, for each processor, from which on a machine is called busy."""


class Spent(NamedTuple):
    """Milliseconds of repeats, of the processor and of the clock on the wall."""

    cpu_ms: list[float]
    wall_ms: list[float]

    @property
    def median_ms(self) -> float:
        """Of the processor."""
        return statistics.median(self.cpu_ms)

    def as_dict(self) -> dict[str, float]:
        """Medians, and the least and the largest of the processor."""
        return {
            "cpu_ms": self.median_ms,
            "cpu_least_ms": min(self.cpu_ms),
            "cpu_largest_ms": max(self.cpu_ms),
            "wall_ms": statistics.median(self.wall_ms),
        }


def machine() -> dict[str, Any]:
    """Processor, its number, threads, versions, and whether others are at work."""
    n_processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "processor": _processor(),
        "processors": n_processors,
        "threads": torch.get_num_threads(),
        "load": round(load, 2),
        # Of the last minute, in which this process may have been one.
        "busy": bool((load - 1) / n_processors > BUSY_LOAD),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def told(about: Mapping[str, Any]) -> str:
    """The same in a line."""
    state = "busy" if about["busy"] else "idle"
    return (
        f"{about['processor']}, {about['processors']} processors, {about['threads']} threads, load {about['load']:g} "
        f"({state}); Python {about['python']}, torch {about['torch']}"
    )


def tell_machine() -> None:
    """Print it, before anything is measured."""
    print(told(machine()), flush=True)


def _processor() -> str:
    names = Path("/proc/cpuinfo")
    if names.is_file():
        for line in names.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def in_turns(
    actions: Mapping[str, Callable[[int], object]],
    repeats: int,
    pictures: Mapping[str, int] | None = None,
    are_short: bool = True,
) -> dict[str, Spent]:
    """Time every action in every turn, so that a busy machine slows all of them; the first turn does not count.

    Args:
        actions: name to what is run with the number of the turn.
        repeats: turns that count.
        pictures: how many things an action makes, by which its time is divided; default 1.
        are_short: whether memory that was freed by the action before is worth noticing; then the second of two calls
            counts.
    """
    spent = {name: Spent([], []) for name in actions}
    for turn in range(repeats + 1):
        for name, action in actions.items():
            if are_short:
                action(turn)
            cpu, wall = time.process_time(), time.perf_counter()
            action(turn)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            if turn:
                count = (pictures or {}).get(name, 1)
                spent[name].cpu_ms.append(1e3 * cpu / count)
                spent[name].wall_ms.append(1e3 * wall / count)
    return spent


def spread(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """Median, and the least and the largest of some values, as text."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f}{unit} ({low:.{digits}f} to {high:.{digits}f})"
