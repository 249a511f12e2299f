"""Declared gaps: spans of which there is no catalogue. They are missing, and nothing is learnt of quiet from them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from seisvision.catalogues.times import date_text, span_of


class Gaps:
    """Spans without a catalogue, joined where they overlap.

    Args:
        spans: first day and end of each, in any order.
    """

    def __init__(self, spans: Iterable[tuple[float, float]] = ()) -> None:
        joined: list[tuple[float, float]] = []
        for begin, end in sorted(spans):
            if joined and begin <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((begin, end))
        self.spans = tuple(joined)

    @classmethod
    def parse(cls, texts: Iterable[str], setting: str = "--gap") -> Gaps:
        """Gaps such as ``1992`` or ``2019-07-01/2019-08-01``.

        Raises:
            ConfigurationError: one of them is no span.
        """
        return cls(span_of(text, setting) for text in texts)

    def contains(self, day: np.ndarray) -> np.ndarray:
        """Bool (N,): which of ``day`` lie in a gap."""
        inside = np.zeros(np.shape(day), dtype=bool)
        for begin, end in self.spans:
            inside |= (day >= begin) & (day < end)
        return inside

    def missing_days(self, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Days (N,) of each span [begin, end) that lie in gaps."""
        begin, end = np.asarray(begin, float), np.asarray(end, float)
        missing = np.zeros(np.broadcast(begin, end).shape)
        for first, last in self.spans:
            missing += np.clip(np.minimum(end, last) - np.maximum(begin, first), 0, None)
        return missing

    def observed_days(self, begin: float, end: float) -> float:
        """Days of [begin, end) that the catalogue covers."""
        return end - begin - float(self.missing_days(np.array(begin), np.array(end)))

    def observed(self, begin: float, end: float) -> list[tuple[float, float]]:
        """What the gaps leave of [begin, end), as spans in the order of time."""
        pieces, at = [], begin
        for first, last in (*self.spans, (end, end)):
            if min(first, end) > at:
                pieces.append((at, min(first, end)))
            at = max(at, last)
        return pieces

    def texts(self) -> list[str]:
        """The gaps as people write them."""
        return [f"{date_text(begin)}/{date_text(end)}" for begin, end in self.spans]
