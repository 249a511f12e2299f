"""How far the work is, on standard error: a bar with the time left in a terminal, else a line now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

LINE_EVERY_S = 30.0


@contextmanager
def show_progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give the block a function to call with the number of steps done."""
    if total == 0:
        yield lambda done: None
    elif sys.stderr.isatty():
        yield from _bar(what, total)
    else:
        yield _Lines(what, total).advance


def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


class _Lines:
    """Log lines at the start, every half minute and at the end."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.begun = self.told = time.monotonic()

    def advance(self, steps: int) -> None:
        """Count, and tell when it is time."""
        self.done += steps
        now = time.monotonic()
        if now - self.told < LINE_EVERY_S and self.done < self.total:
            return
        self.told = now
        left_s = (now - self.begun) / max(self.done, 1) * (self.total - self.done)
        remaining = f", about {left_s / 60:.0f} min left" if self.done < self.total else ""
        log.info("%s: %d of %d in %.0f s%s", self.what, self.done, self.total, now - self.begun, remaining)
