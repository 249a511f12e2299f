"""Answers to the validation samples of the best epoch, so that they need not be asked for a second time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from seisvision import keys

Answers = list[dict[str, Any]]
"""By batch, as ``predict_step`` returns them."""
MOST_BYTES = 2**28
"""Memory that the answers of one epoch may take; curves of many long recordings take more and are asked for again."""


class KeptAnswers:
    """Keeps what was answered in the validation of the epoch at hand and in that of the best one.

    Args:
        are_wanted: whether anything is kept.
        most_bytes: of the answers of an epoch; beyond it nothing is kept from then on.
    """

    def __init__(self, are_wanted: bool = False, most_bytes: int = MOST_BYTES) -> None:
        self.are_wanted = are_wanted
        self.most_bytes = most_bytes
        self._bytes = 0
        self._last: Answers = []
        self._best: Answers = []

    def begin(self) -> None:
        """Forget what the epoch before said, unless it was the best."""
        self._last, self._bytes = [], 0

    def add(self, answer: dict[str, Any]) -> None:
        """Keep the answers to one more batch."""
        self._bytes += _bytes_of(answer)
        if self._bytes > self.most_bytes:
            self.are_wanted, self._last, self._best = False, [], []
        else:
            self._last.append(answer)

    def are_best(self) -> None:
        """Keep those of the epoch at hand: its weights are those that are stored."""
        self._best = self._last

    def of_best(self, n_samples: int) -> Answers | None:
        """Answers of the best epoch to all ``n_samples``; None where not all were asked about here."""
        n_answered = sum(len(batch[keys.SOURCE_ID]) for batch in self._best)
        return self._best if self._best and n_answered == n_samples else None


def _bytes_of(answer: Any) -> int:
    """Of all tensors within."""
    if isinstance(answer, torch.Tensor):
        return answer.nbytes
    return sum(_bytes_of(part) for part in answer.values()) if isinstance(answer, Mapping) else 0
