"""Answers to the validation samples of the best epoch, so that they need not be asked for a second time."""

from __future__ import annotations

from typing import Any

from seisvision import keys

Answers = list[dict[str, Any]]
"""By batch, as ``predict_step`` returns them."""


class KeptAnswers:
    """Keeps what was answered in the validation of the epoch at hand and in that of the best one.

    Args:
        are_wanted: whether anything is kept.
    """

    def __init__(self, are_wanted: bool = False) -> None:
        self.are_wanted = are_wanted
        self._last: Answers = []
        self._best: Answers = []

    def begin(self) -> None:
        """Forget what the epoch before said, unless it was the best."""
        self._last = []

    def add(self, answer: dict[str, Any]) -> None:
        """Keep the answers to one more batch."""
        self._last.append(answer)

    def are_best(self) -> None:
        """Keep those of the epoch at hand: its weights are those that are stored."""
        self._best = self._last

    def of_best(self, n_samples: int) -> Answers | None:
        """Answers of the best epoch to all ``n_samples``; None where not all were asked about here."""
        n_answered = sum(len(batch[keys.SOURCE_ID]) for batch in self._best)
        return self._best if self._best and n_answered == n_samples else None
