"""What the traces of an event say together of its class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seisvision.evaluation.differences import Influence, mean_influence
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.outputs.classes.measures import SMALLEST_PROBABILITY

VOTES = {
    "event_accuracy_mean_log": "events right, mean log-probability",
    "event_accuracy_majority": "events right, majority",
}
"""Measures of votes and their headings."""


@dataclass(frozen=True)
class EventVotes:
    """E votes. Samples of one event that are of different classes, as its windows of noise are, vote apart."""

    events: np.ndarray
    """(E,) ids of events."""
    right: Mapping[str, np.ndarray]
    """By measure, bool (E,): whether the vote names the true class."""

    @classmethod
    def of(cls, source_ids: Sequence[str], target: np.ndarray, probability: np.ndarray) -> EventVotes:
        """Votes of the labelled of N samples.

        By the mean of the logarithm of the probabilities, where a station that is sure counts more; and by the number
        of samples that name a class, where the former decides between equal numbers.

        Args:
            source_ids: N events.
            target: class numbers (N,), -1 without label.
            probability: float (N, K).
        """
        known, n_classes = np.flatnonzero(target >= 0), probability.shape[1]
        events, target, probability = np.asarray(source_ids)[known], target[known].astype(int), probability[known]
        number, first = np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        if len(known):
            event = np.unique(events, return_inverse=True)[1]
            _, first, number = np.unique(event * n_classes + target, return_index=True, return_inverse=True)
        logs = np.zeros((len(first), n_classes))
        np.add.at(logs, number, np.log(np.maximum(probability, SMALLEST_PROBABILITY)))
        logs /= np.bincount(number, minlength=len(first))[:, None]
        counts = np.zeros((len(first), n_classes))
        np.add.at(counts, (number, probability.argmax(axis=1)), 1)
        among = np.where(counts == counts.max(axis=1, keepdims=True), logs, -np.inf)
        by_log, by_majority = (votes.argmax(axis=1) == target[first] for votes in (logs, among))
        return cls(events[first], dict(zip(VOTES, (by_log, by_majority), strict=True)))

    def measures(self, level: float) -> dict[str, Measure]:
        """Shares of right votes with Wilson's interval over events."""
        bootstrap = EventBootstrap(self.events, level)
        return {name: bootstrap.share(right) for name, right in self.right.items()}

    def influences(self) -> dict[str, Callable[[], Influence]]:
        """The same, for differences between networks."""

        def of(right: np.ndarray) -> Callable[[], Influence]:
            return lambda: mean_influence(right.astype(float), self.events, is_share=True)

        return {name: of(right) for name, right in self.right.items()}
