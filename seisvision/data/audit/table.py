"""The metadata of a set as arrays, converted once for all checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pandas as pd

from seisvision.data.audit.findings import MAX_EXAMPLES, Finding
from seisvision.data.sets.waveform_set import WaveformSet

PICK_COLUMNS = (
    "trace_p_arrival_sample",
    "trace_P_arrival_sample",
    "trace_s_arrival_sample",
    "trace_S_arrival_sample",
)
SET_COLUMNS = ("source_set", "source_dataset")
"""Columns that say which collection an event comes from."""


class AuditTable:
    """Columns of a set by name; N traces, E events.

    Args:
        waveform_set: the set.
        target: column of the class.
        labels: class name to the values of the column that mean it, as in ``dataset.labels``; other events have no
            class. None: every value is a class.
    """

    def __init__(
        self, waveform_set: WaveformSet, target: str = "source_type", labels: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.metadata = waveform_set.table
        self.target = target
        self.labels = labels
        self.n_samples = waveform_set.n_samples
        self.event, self.event_ids = pd.factorize(self.metadata["source_id"])
        self._numbers: dict[str, np.ndarray] = {}
        self._times: dict[str, np.ndarray] = {}
        self._codes: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def n_traces(self) -> int:
        """N."""
        return len(self.metadata)

    @property
    def n_events(self) -> int:
        """E."""
        return len(self.event_ids)

    def has(self, column: str) -> bool:
        """Whether the set has the column."""
        return column in self.metadata

    def numbers(self, column: str) -> np.ndarray:
        """Values (N,), NaN where there is none or no such column."""
        if column not in self._numbers:
            values = np.full(self.n_traces, np.nan)
            if self.has(column):
                values = pd.to_numeric(self.metadata[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
            self._numbers[column] = values
        return self._numbers[column]

    def times_s(self, column: str) -> np.ndarray:
        """Seconds since 1970 (N,), NaN where there is no readable time."""
        if column not in self._times:
            self._times[column] = self._read_times(column)
        return self._times[column]

    def _read_times(self, column: str) -> np.ndarray:
        if not self.has(column):
            return np.full(self.n_traces, np.nan)
        # Most rows of an event repeat its time, so each text is converted once.
        codes, texts = self.codes(column)
        times = pd.to_datetime(pd.Series(texts), errors="coerce", utc=True, format="ISO8601")
        if times.isna().any():
            times = pd.to_datetime(pd.Series(texts), errors="coerce", utc=True, format="mixed")
        stamps = times.to_numpy(dtype="datetime64[ns]")
        seconds = np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e9)
        return np.append(seconds, np.nan)[codes]

    def unreadable_times(self, column: str) -> np.ndarray:
        """Bool (N,): there is text, but it is no time."""
        if not self.has(column):
            return np.zeros(self.n_traces, dtype=bool)
        return np.isnan(self.times_s(column)) & (self.codes(column)[0] >= 0)

    def codes(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        """Number of the value of each trace (N,), -1 for none, and the values as text."""
        if column not in self._codes:
            if self.has(column):
                codes, values = pd.factorize(self.metadata[column])
            else:
                codes, values = np.full(self.n_traces, -1), np.array([], dtype=object)
            self._codes[column] = codes, np.array([str(value) for value in values], dtype=object)
        return self._codes[column]

    @cached_property
    def first_row(self) -> np.ndarray:
        """Row of the first trace of each event (E,)."""
        return np.unique(self.event, return_index=True)[1]

    @cached_property
    def station(self) -> tuple[np.ndarray, np.ndarray]:
        """Number of the station of each trace (N,) and the names NET.STA; -1 where no code is given."""
        network, networks = self.codes("station_network_code")
        code, codes = self.codes("station_code")
        both, pairs = pd.factorize(np.where(code < 0, -1, (network + 1) * len(codes) + code))
        names = [
            f"{networks[pair // len(codes) - 1] if pair >= len(codes) else ''}.{codes[pair % len(codes)]}"
            if pair >= 0
            else ""
            for pair in pairs
        ]
        keep = np.array([bool(name) for name in names])
        number = np.where(keep, np.cumsum(keep) - 1, -1)
        return number[both], np.array(names, dtype=object)[keep]

    @cached_property
    def classes(self) -> tuple[np.ndarray, list[str]]:
        """Class number of each trace (N,), -1 for none, and the names."""
        codes, values = self.codes(self.target)
        if self.labels is None:
            return codes, [str(value) for value in values]
        number_of = {str(value): i for i, members in enumerate(self.labels.values()) for value in members}
        numbers = np.array([*(number_of.get(str(value), -1) for value in values), -1])
        return numbers[codes], list(self.labels)

    @cached_property
    def start_s(self) -> np.ndarray:
        """Start of each trace, seconds since 1970."""
        return self.times_s("trace_start_time")

    @cached_property
    def origin_s(self) -> np.ndarray:
        """Origin time of the event of each trace, seconds since 1970."""
        return self.times_s("source_origin_time")

    @cached_property
    def length_s(self) -> np.ndarray:
        """Length of each trace; NaN where ``trace_name`` does not tell it."""
        samples = np.where(self.n_samples < 0, self.numbers("trace_npts"), self.n_samples)
        return samples / self.numbers("trace_sampling_rate_hz")

    def pick_s(self, column: str) -> np.ndarray:
        """Pick after the trace start (N,)."""
        return self.numbers(column) / self.numbers("trace_sampling_rate_hz")

    def name(self, row: int) -> str:
        """Event and station of a trace, for people."""
        station, names = self.station
        where = f" station {names[station[row]]}" if station[row] >= 0 else ""
        return f"event {self.event_ids[self.event[row]]}{where} (row {row})"

    def trace_finding(
        self, code: str, severity: str, title: str, bad: np.ndarray, remedy: str, of: int | None = None
    ) -> list[Finding]:
        """Return the finding for the traces where ``bad`` (N,) holds; none where it never does."""
        rows = np.flatnonzero(bad)
        if not len(rows):
            return []
        examples = tuple(self.name(int(row)) for row in rows[:MAX_EXAMPLES])
        return [Finding(code, severity, title, len(rows), of or self.n_traces, "traces", remedy, examples)]

    def event_finding(
        self, code: str, severity: str, title: str, bad: np.ndarray, remedy: str, of: int | None = None
    ) -> list[Finding]:
        """Return the finding for the events where ``bad`` (E,) holds; none where it never does."""
        events = np.flatnonzero(bad)
        if not len(events):
            return []
        examples = tuple(f"event {self.event_ids[event]}" for event in events[:MAX_EXAMPLES])
        return [Finding(code, severity, title, len(events), of or self.n_events, "events", remedy, examples)]

    def any_of_event(self, bad: np.ndarray) -> np.ndarray:
        """Bool (E,): whether ``bad`` (N,) holds for a trace of the event."""
        return np.bincount(self.event, weights=bad, minlength=self.n_events) > 0
