"""Channels of one length and rate as the rows of one array, because a call costs more than a row of what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")
Key = tuple[int, object]
"""Number of samples, and what else the items of one batch have in common."""

MOST_SAMPLES = 1 << 17
"""Of one batch (1 MB): as much as the nearest memory of a processor holds, however large an event is."""


def in_batches(
    items: Sequence[Item], key: Callable[[Item], Key], work: Callable[[list[Item]], Sequence[Result]]
) -> list[Result]:
    """What ``work`` gives for the items of each key, in the order of ``items``."""
    members: dict[Key, list[int]] = {}
    for place, item in enumerate(items):
        members.setdefault(key(item), []).append(place)
    results: dict[int, Result] = {}
    for (n_samples, _), places in members.items():
        n_rows = max(1, MOST_SAMPLES // max(1, n_samples))
        for begin in range(0, len(places), n_rows):
            some = places[begin : begin + n_rows]
            results.update(zip(some, work([items[place] for place in some]), strict=True))
    return [results[place] for place in range(len(items))]


def stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows (R, T) of arrays (T,); of a single one a view."""
    return rows[0][None] if len(rows) == 1 else np.stack(rows)
