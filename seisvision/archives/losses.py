"""What of an archive was not picked, with the reason: nothing goes missing without a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from seisvision.data.importing.tables.times import DAY_S, NS, format_ns

COLUMNS = (
    "network", "station", "location", "channels", "file", "start", "end", "seconds_lost", "reason", "detail",
)  # fmt: skip

REASONS = {
    "gap": "no samples; the curve is masked there",
    "no_recording": "no samples before the first, or after the last, of the day",
    "filler": "samples that stand for a gap, such as -12345 or runs of zeros",
    "dead_channel": "one value without end",
    "short_piece": "a piece between gaps that is too short to tell an onset",
    "overlap_differs": "pieces that overlap in time hold different samples, so that neither is believed",
    "two_rates": "the channel changes its sampling rate; all of it is used, at the rate of the network",
    "slow_rate": "sampled too slowly, or too fast, to be brought to the rate of the network",
    "missing_component": "the sensor has no such component on that day; the network sees zeros there",
    "not_turned": "which way the channel points is not known; it is taken for the component that it mostly stands for",
    "not_used": "no component of ground motion is made of the channel",
    "other_sensor": "another sensor of the station is picked on that day",
}
"""Reasons of this room; those of files are the causes of ``seisvision/data/importing/rejections.py``."""


@dataclass(frozen=True, order=True)
class Loss:
    """One line.

    Args:
        start_ns: None where it is not known, as of a file that cannot be read.
        seconds: lost; 0 where the recording is used all the same, None where it is not known. What a damaged file lacks
            is a gap as well, whose line has the seconds.
    """

    network: str
    station: str
    location: str
    channels: str
    file: str
    start_ns: int | None
    end_ns: int | None
    reason: str
    detail: str
    seconds: float | None

    def row(self) -> list[str]:
        """Cells in the order of :data:`COLUMNS`."""
        codes = [self.network, self.station, self.location, self.channels, self.file]
        times = ["" if time is None else format_ns(time) for time in (self.start_ns, self.end_ns)]
        seconds = "" if self.seconds is None else f"{self.seconds:.3f}"
        return [*codes, *times, seconds, self.reason, self.detail]


class LossBook:
    """Losses of one day of a sensor, which is read in pieces: what goes on in the next piece is one line.

    Args:
        codes: network, station and location.
        day_start_ns: time of sample 0.
        rate_hz: of the samples that count times.
    """

    def __init__(self, codes: tuple[str, str, str], day_start_ns: int, rate_hz: float) -> None:
        self._codes, self._start_ns, self._rate_hz = codes, day_start_ns, rate_hz
        self._spans: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
        self._others: list[Loss] = []

    def add(self, channel: str, reason: str, spans: Iterable[tuple[int, int]], detail: str = "") -> None:
        """Add spans of samples (first, one after the last)."""
        self._spans.setdefault((channel, reason, detail), []).extend(spans)

    def add_other(
        self,
        reason: str,
        detail: str,
        *,
        channels: str = "",
        file: str = "",
        span: tuple[int, int] | None = None,
        seconds: float | None = None,
    ) -> None:
        """Add what is no span of samples, once."""
        begin_ns, end_ns = (None, None) if span is None else (self._time_ns(span[0]), self._time_ns(span[1]))
        loss = Loss(*self._codes, channels, file, begin_ns, end_ns, reason, detail, seconds)
        if loss not in self._others:
            self._others.append(loss)

    def losses(self) -> list[Loss]:
        """All lines in the order of time; channels that lose the same share a line."""
        shared: dict[tuple[int, int, str, str], list[str]] = {}
        n_samples = round(DAY_S * self._rate_hz)
        for (channel, told, detail), spans in self._spans.items():
            for begin, end in joined(spans):
                reason = "no_recording" if told == "gap" and (begin == 0 or end == n_samples) else told
                shared.setdefault((begin, end, reason, detail), []).append(channel)
        found = [
            Loss(
                *self._codes, " ".join(sorted(set(channels))), "", self._time_ns(begin), self._time_ns(end), reason,
                detail, (end - begin) / self._rate_hz,
            )
            for (begin, end, reason, detail), channels in shared.items()
        ]  # fmt: skip
        return sorted([*found, *self._others], key=_order)

    def _time_ns(self, sample: int) -> int:
        return self._start_ns + round(sample / self._rate_hz * NS)


def _order(loss: Loss) -> tuple[object, ...]:
    return (loss.start_ns or 0, *replace(loss, start_ns=0, end_ns=loss.end_ns or 0, seconds=loss.seconds or 0).row())


def joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that touch or overlap as one."""
    ordered = sorted((begin, end) for begin, end in spans if end > begin)
    if not ordered:
        return []
    found = [ordered[0]]
    for _, (begin, end) in pairwise(ordered):
        if begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found
