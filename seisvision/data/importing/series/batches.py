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
    """Rows (R, T) of arrays (T,), to be read only: a view where they are the rows of one array, or one alone."""
    if len(rows) == 1:
        return rows[0][None]
    whole = rows[0].base
    if (
        type(whole) is np.ndarray
        # Rows of a view as another type have the array for a base that the view was made of.
        and whole.dtype == rows[0].dtype
        and whole.shape == (len(rows), len(rows[0]))
        and all(row.base is whole for row in rows)
    ):
        starts = [row.__array_interface__["data"][0] for row in rows]
        in_order = [starts[0] + number * whole.strides[0] for number in range(len(rows))]
        if starts == in_order and rows[0].strides == whole.strides[1:]:
            return whole
    return np.stack(rows)
