"""What stations say together of the label of their event, and which of them says otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ODD_SIGMAS = 3.5
"""Robust distance from the other stations from which one is called odd (Iglewicz & Hoaglin 1993)."""
FEWEST_STATIONS = 3
"""Of fewer nobody can tell which is the odd one."""
LEAST_SPREAD = 0.25
"""Of log-probabilities: stations that agree better than networks can tell are not told apart."""


@dataclass(frozen=True)
class EventScore:
    """The score of one event.

    Attributes:
        source_id: event.
        rows: places of its samples.
        mean: mean log-probability of the label over its stations.
        lowest: that of the station to which the label is the least likely.
        odd: place of the station that disagrees with the others; None where none does, or there are too few.
        odd_sigmas: how far it is from the median of the others, in robust deviations.
    """

    source_id: str
    rows: tuple[int, ...]
    mean: float
    lowest: float
    odd: int | None
    odd_sigmas: float = math.nan


def event_scores(log_probability: np.ndarray, source_ids: Sequence[str]) -> list[EventScore]:
    """One score an event, in the order in which events come.

    The mean over stations hides one that is wrong among many; it is therefore named, with how far it is away.

    Args:
        log_probability: (N,) of the label of each sample; NaN does not count.
        source_ids: their events.
    """
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(source_ids):
        if math.isfinite(log_probability[row]):
            rows_of.setdefault(name, []).append(row)
    return [_score(name, rows, log_probability[rows]) for name, rows in rows_of.items()]


def _score(name: str, rows: list[int], values: np.ndarray) -> EventScore:
    odd, odd_sigmas = None, math.nan
    if len(rows) >= FEWEST_STATIONS:
        far = _distances(values)
        place = int(np.abs(far).argmax())
        if abs(far[place]) >= ODD_SIGMAS:
            odd, odd_sigmas = rows[place], float(far[place])
    return EventScore(name, tuple(rows), float(values.mean()), float(values.min()), odd, odd_sigmas)


def _distances(values: np.ndarray) -> np.ndarray:
    """How far each of S values is from the median of the others, in their robust deviation (S,)."""
    far = np.empty(len(values))
    for place in range(len(values)):
        others = np.delete(values, place)
        middle = np.median(others)
        spread = 1.4826 * np.median(np.abs(others - middle))
        far[place] = (values[place] - middle) / max(spread, LEAST_SPREAD)
    return far


def joint_probabilities(probabilities: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """Class probabilities (K,) of an event from those of its stations: geometric mean, brought back to one."""
    logs = np.log(np.maximum(probabilities[list(rows)], 1e-12)).mean(axis=0)
    shares = np.exp(logs - logs.max())
    return shares / shares.sum()
