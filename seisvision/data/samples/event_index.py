"""The numbers of the metadata table that samples need, as flat arrays: no pandas while training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from seisvision.data.samples.arrivals import column_numbers, observed_arrival_s, table_arrivals_s
from seisvision.data.samples.paths import table_paths
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError


@dataclass(frozen=True)
class EventIndex:
    """Traces of N events, event after event; times in seconds after the earliest trace start of the event.

    Attributes:
        source_ids: the N events.
        first: int (N + 1,); event ``i`` owns the traces ``first[i]`` to ``first[i + 1]`` of the arrays below.
        rows: metadata row of each trace.
        start_s: start of the trace.
        onset_after_start_s: onset of the trace after its own start, NaN where not known.
        arrivals_after_start_s: (..., 2) P and S of the trace after its own start, NaN where it holds none.
        offset_km: epicentral distance, NaN where not known.
        azimuth_deg: source to station in [0, 360), NaN where not known.
        back_azimuth_deg: station to source in [0, 360), NaN where not known.
        sampling_rate_hz: as stored.
        origin_s: (N,) origin time, NaN where not known.
        source_depth_km: (N,) NaN where not known.
    """

    source_ids: list[str]
    first: np.ndarray
    rows: np.ndarray
    start_s: np.ndarray
    onset_after_start_s: np.ndarray
    arrivals_after_start_s: np.ndarray
    offset_km: np.ndarray
    azimuth_deg: np.ndarray
    back_azimuth_deg: np.ndarray
    sampling_rate_hz: np.ndarray
    origin_s: np.ndarray
    source_depth_km: np.ndarray

    @property
    def onset_s(self) -> np.ndarray:
        """Onset of each trace, NaN where not known."""
        return self.start_s + self.onset_after_start_s

    @property
    def arrivals_s(self) -> np.ndarray:
        """P and S of each trace (..., 2), NaN where it holds none."""
        return self.start_s[:, None] + self.arrivals_after_start_s

    def traces(self, event: int) -> slice:
        """Return where the traces of event number ``event`` lie."""
        return slice(int(self.first[event]), int(self.first[event + 1]))


def build_event_index(
    waveform_set: WaveformSet, source_ids: Sequence[str], detected_s: np.ndarray | None = None
) -> EventIndex:
    """Collect the index of some events of a set.

    A set without ``trace_start_time`` is taken to start all traces of an event together. Where the table lacks
    distance and azimuths, or its azimuths contradict the coordinates, they are computed from these; where it lacks
    ``trace_onset_s`` the P arrival sample of SeisBench sets is taken (of Pn, Pg and the like the earliest), unless it
    was computed, else what was detected.

    Args:
        waveform_set: the set.
        source_ids: the events.
        detected_s: detected onset of every row of the set after the start of its trace, NaN for none.

    Raises:
        DataError: an unknown event, a time that is none, or start times given for some traces of an event only.
    """
    rows_of = [waveform_set.rows(source_id) for source_id in source_ids]
    n_traces = np.array([len(rows) for rows in rows_of], dtype=int)
    first = np.concatenate([[0], np.cumsum(n_traces)])
    rows = np.concatenate(rows_of) if rows_of else np.empty(0, dtype=int)
    table = waveform_set.table.iloc[rows]
    starts = times_s(table, "trace_start_time")
    _refuse_partial(starts, first, source_ids)
    reference = _earliest(starts, first)
    start_s = np.nan_to_num(starts - np.repeat(reference, n_traces))
    origin = times_s(table, "source_origin_time")
    offset_km, azimuth_deg, back_azimuth_deg = table_paths(table)
    onset_s = table_onsets_s(table)
    if detected_s is not None:
        onset_s = np.where(np.isnan(onset_s), detected_s[rows], onset_s)
    return EventIndex(
        source_ids=list(source_ids),
        first=first,
        rows=rows,
        start_s=start_s,
        onset_after_start_s=onset_s,
        arrivals_after_start_s=table_arrivals_s(table, waveform_set.n_samples[rows]),
        offset_km=offset_km,
        azimuth_deg=azimuth_deg,
        back_azimuth_deg=back_azimuth_deg,
        sampling_rate_hz=column_numbers(table, "trace_sampling_rate_hz"),
        origin_s=_earliest(origin, first) - reference,
        source_depth_km=_earliest(column_numbers(table, "source_depth_km"), first),
    )


def table_onsets_s(table: pd.DataFrame) -> np.ndarray:
    """Onset after trace start of each trace, NaN where not known."""
    onset_s = column_numbers(table, "trace_onset_s")
    return np.where(np.isnan(onset_s), observed_arrival_s(table, "P"), onset_s)


def times_s(table: pd.DataFrame, column: str) -> np.ndarray:
    """Seconds since 1970 (float64 resolves 0.2 microseconds), NaN where there is no time."""
    if column not in table:
        return np.full(len(table), np.nan)
    text = table[column]
    times = pd.to_datetime(text, errors="coerce", utc=True, format="ISO8601")
    if (times.isna() & text.notna()).any():
        times = pd.to_datetime(text, errors="coerce", utc=True, format="mixed")
    bad = (times.isna() & text.notna()).to_numpy()
    if bad.any():
        row = table.iloc[int(bad.argmax())]
        raise DataError(
            f"{column}='{row[column]}' of event '{row['source_id']}' is not a time; "
            "write times in ISO 8601, such as 2020-01-31T12:00:00.000Z"
        )
    nanoseconds = times.to_numpy(dtype="datetime64[ns]")
    seconds = nanoseconds.astype(np.int64) / 1e9
    return np.where(np.isnat(nanoseconds), np.nan, seconds)


def _refuse_partial(starts: np.ndarray, first: np.ndarray, source_ids: Sequence[str]) -> None:
    known = np.add.reduceat(np.isfinite(starts).astype(int), first[:-1]) if len(starts) else np.empty(0)
    partial = (known > 0) & (known < np.diff(first))
    if partial.any():
        raise DataError(
            f"event '{source_ids[int(partial.argmax())]}' and {int(partial.sum()) - 1} others have traces with and "
            "without trace_start_time, so they cannot be aligned; complete the column or leave these traces out"
        )


def _earliest(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Smallest value of each event, ignoring NaN; NaN where an event has none."""
    if len(values) == 0:
        return np.empty(0)
    return np.fmin.reduceat(values, first[:-1])
