"""Single traces as fixed windows that need not know the origin time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from seisvision import keys
from seisvision.base.sample_ids import SampleIds, are_noise, row_numbers
from seisvision.base.units import TRACE
from seisvision.data.samples.arrivals import more_arrivals_s
from seisvision.data.samples.columns import PATH_COLUMNS
from seisvision.data.samples.event_index import build_event_index
from seisvision.data.samples.events import float_tensor
from seisvision.data.samples.noise.windows import (
    NOISE_CLASS,
    TOO_SHORT,
    UNKNOWN_ONSET,
    NoiseWindows,
    pretended_onsets_s,
)
from seisvision.data.samples.onsets import known_onsets
from seisvision.data.samples.targets import ClassMap, target_arrays, trace_target_arrays
from seisvision.data.samples.window import Window, WindowReader, common_rate_hz, draws
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError
from seisvision.seeding import DEFAULT_SEED

EVENT_PEAK_QUANTILE = 0.9
NAME_COLUMNS = ("station_network_code", "station_code", "station_location_code", "trace_channel")


@dataclass(frozen=True)
class TraceIndex:
    """What the metadata table says of N traces; times in seconds after the start of each trace, NaN where not known.

    Attributes:
        ids: metadata rows as text, those of noise windows with their ending.
        rows: metadata rows.
        source_ids: event of each trace.
        names: event, station and channel; what draws follow from, so that the order in the file does not matter.
        onset_s: onset.
        arrivals_s: (N, 2) P and S.
        more_arrivals_s: (N, E, 2) P and S of further events.
        origin_s: origin time.
        paths: distance (km), azimuth and back azimuth (degrees) under the names of their columns.
        sampling_rate_hz: as stored.
        n_recorded: samples as stored.
        source_depth_km: depth of the source.
        is_noise: which are windows of noise; of these nothing of the source is told but ``first_wave_s``.
        first_wave_s: onset or P, whichever is earlier.
    """

    ids: list[str]
    rows: np.ndarray
    source_ids: list[str]
    names: list[str]
    onset_s: np.ndarray
    arrivals_s: np.ndarray
    more_arrivals_s: np.ndarray
    origin_s: np.ndarray
    paths: dict[str, np.ndarray]
    sampling_rate_hz: np.ndarray
    n_recorded: np.ndarray
    source_depth_km: np.ndarray
    is_noise: np.ndarray
    first_wave_s: np.ndarray

    @property
    def length_s(self) -> np.ndarray:
        """Length of each recording."""
        return self.n_recorded / self.sampling_rate_hz


def build_trace_index(
    waveform_set: WaveformSet,
    rows: Sequence[int] | Sequence[str] | np.ndarray,
    onset: Mapping[str, Any] | None = None,
) -> TraceIndex:
    """Collect the index of some traces of a set.

    Args:
        waveform_set: the set.
        rows: rows of the metadata table, or ids of traces and noise windows.
        onset: keywords of :func:`seisvision.data.samples.onsets.detect_onsets`, or ``None`` to detect none.

    Raises:
        DataError: a row does not exist.
    """
    ids = [str(row) for row in rows]
    is_noise = are_noise(ids)
    rows = row_numbers(ids) if len(ids) and isinstance(rows[0], str) else np.asarray(rows, dtype=int)
    table = waveform_set.table
    strange = rows[(rows < 0) | (rows >= len(table))]
    if len(strange):
        raise DataError(
            f"trace {strange[0]} is not in {waveform_set.path}, which holds {len(table)} traces; "
            "check whether the split belongs to another set"
        )
    named = table.iloc[rows]
    source_ids = [str(source_id) for source_id in named["source_id"]]
    index = build_event_index(waveform_set, list(dict.fromkeys(source_ids)), known_onsets(waveform_set, onset))
    position = np.empty(len(table), dtype=int)
    position[index.rows] = np.arange(len(index.rows))
    take = position[rows]
    event = np.searchsorted(index.first, take, side="right") - 1
    codes = [named[column].fillna("").astype(str) for column in NAME_COLUMNS if column in named]
    names = ["/".join(parts) for parts in zip(source_ids, *(codes or [named["trace_name"]]), strict=True)]
    paths = (index.offset_km[take], index.azimuth_deg[take], index.back_azimuth_deg[take])
    onset_s, arrivals_s = index.onset_after_start_s[take], index.arrivals_after_start_s[take]

    def of_source(values: np.ndarray) -> np.ndarray:
        return np.where(is_noise.reshape(-1, *[1] * (values.ndim - 1)), np.nan, values)

    n_recorded = waveform_set.recorded_samples(rows)
    return TraceIndex(
        ids=ids,
        rows=rows,
        source_ids=source_ids,
        names=[f"{name}/noise" if noise else name for name, noise in zip(names, is_noise, strict=True)],
        onset_s=of_source(onset_s),
        arrivals_s=of_source(arrivals_s),
        more_arrivals_s=of_source(more_arrivals_s(named, n_recorded)),
        origin_s=of_source(index.origin_s[event] - index.start_s[take]),
        paths=dict(zip(PATH_COLUMNS, map(of_source, paths), strict=True)),
        sampling_rate_hz=index.sampling_rate_hz[take],
        n_recorded=n_recorded,
        source_depth_km=of_source(index.source_depth_km[event]),
        is_noise=is_noise,
        first_wave_s=np.fmin(onset_s, arrivals_s[:, 0]),
    )


def trace_window_starts_s(
    index: TraceIndex, window: Window, seed: int, noise: NoiseWindows | None = None
) -> np.ndarray:
    """Return the start of the window after the start of each trace (N,); NaN where the reference is not known."""
    if window.reference == "random":
        starts_s = (index.length_s - window.length_s) * draws("random window", index.names, seed)
    else:
        references_s = {"trace": np.zeros(len(index.rows)), "origin": index.origin_s, "onset": index.onset_s}
        starts_s = references_s[window.reference] + window.start_s + window.jitters_s(index.names, seed)
    if index.is_noise.any():
        noise = noise or NoiseWindows()
        # In the middle of what an epoch may draw, all of which is before the first wave.
        margin_s = (window.widest.length_s - window.length_s) / 2
        places_s = noise.starts_s(index.first_wave_s, index.names, window.widest.length_s) + margin_s
        starts_s = np.where(index.is_noise, places_s, starts_s)
    return starts_s


def window_problems(index: TraceIndex, start_s: np.ndarray, window: Window, reader: WindowReader) -> list[str]:
    """Return why the window of each trace cannot be cut (N,), "" where it can."""
    problems = np.full(len(start_s), "", dtype=object)
    gaps = reader.gaps(index.n_recorded, index.sampling_rate_hz, np.nan_to_num(start_s))
    must_fill = index.is_noise | window.complete
    problems[must_fill] = gaps[must_fill]
    unknown = np.isnan(start_s)
    problems[unknown] = f"no {window.reference} time"
    problems[unknown & index.is_noise] = TOO_SHORT
    problems[index.is_noise & np.isnan(index.first_wave_s)] = UNKNOWN_ONSET
    return problems.tolist()


class TraceSamples(Dataset):
    """One trace per sample, with a window of its own; the same dict as :class:`EventSamples` makes, with S = 1.

    With the reference ``"onset"`` or ``"random"`` and ``complete=True``, nothing in a waveform depends on when the
    source acted or when the recording began, so a network cannot read the travel time off the picture.

    Args:
        waveform_set: where the waveforms lie.
        rows: rows of the metadata table, or ids of traces and noise windows, in the order of the samples.
        window: what to cut, per trace.
        components: components wanted, such as ``"Z"``; what was not recorded is zero and masked.
        sampling_rate_hz: common rate; ``None`` takes the one rate that all traces share.
        onset: keywords of :func:`~seisvision.data.samples.onsets.detect_onsets` for traces without an onset in the
            table; ``None`` detects none.
        max_traces_per_event: keep at most that many of the traces of an event, drawn; ``None`` keeps all.
        targets: metadata column to class map (value as text to class number) or ``None`` for a number.
            ``path_ep_distance_km``, ``path_azimuth_deg`` and ``path_back_azimuth_deg`` are there wherever coordinates
            are.
        event_peak: also give the amplitude of the event that each trace belongs to, for pictures on the event's scale.
            It costs one reading of all traces of the event.
        noise: where noise windows lie; how many there are is up to who asks for them.
        seed: base seed of jitter and draws.

    Attributes:
        ids: which N samples these are; their ids are rows of the metadata table, as text.

    Raises:
        ConfigurationError: a setting is not allowed.
        DataError: unknown rows or columns, mixed rates without a common one, or a window that cannot be cut.
    """

    def __init__(
        self,
        waveform_set: WaveformSet,
        rows: Sequence[int] | Sequence[str] | np.ndarray,
        *,
        window: Window,
        components: str = "Z",
        sampling_rate_hz: float | None = None,
        onset: Mapping[str, Any] | None = None,
        max_traces_per_event: int | None = None,
        targets: Mapping[str, ClassMap | None] | None = None,
        event_peak: bool = False,
        noise: NoiseWindows | None = None,
        seed: int = DEFAULT_SEED,
    ) -> None:
        self.waveform_set = waveform_set
        self.window = window
        self.seed = seed
        self.event_peak = event_peak
        self._peaks: dict[str, float] = {}
        kept = _drawn(waveform_set, rows, max_traces_per_event, seed)
        self.index = build_trace_index(waveform_set, kept, onset)
        rate_hz = common_rate_hz(self.index.sampling_rate_hz) if sampling_rate_hz is None else sampling_rate_hz
        self._reader = WindowReader(waveform_set, components, rate_hz, window.length_s)
        self._start_s = trace_window_starts_s(self.index, window, seed, noise)
        self._onset_s = np.where(
            self.index.is_noise, pretended_onsets_s(window, self.index.names, seed), self.index.onset_s - self._start_s
        )
        self._refuse_uncut()
        self.targets = index_targets(waveform_set, self.index, targets or {})
        self.ids = SampleIds(TRACE.name, self.index.ids, self.index.source_ids)

    def _refuse_uncut(self) -> None:
        problems = window_problems(self.index, self._start_s, self.window, self._reader)
        bad = [i for i, problem in enumerate(problems) if problem]
        if bad:
            raise DataError(
                f"the window of {len(bad)} of {len(self)} traces cannot be cut, first row {self.index.rows[bad[0]]} of "
                f"event '{self.index.source_ids[bad[0]]}': {problems[bad[0]]}; leave them out or change the window"
            )

    @property
    def source_ids(self) -> Sequence[str]:
        """Event of each of the N traces."""
        return self.ids.source_ids

    @property
    def sample_ids(self) -> Sequence[str]:
        """What tells the N samples apart: rows of the metadata table, as text, and ids of noise windows."""
        return self.ids.ids

    @property
    def components(self) -> str:
        """The C components served."""
        return self._reader.components

    @property
    def sampling_rate_hz(self) -> float:
        """The one rate of all samples."""
        return self._reader.sampling_rate_hz

    @property
    def n_samples(self) -> int:
        """Length T of every waveform."""
        return self._reader.n_samples

    def rows(self, number: int) -> np.ndarray:
        """Return the metadata row (1,) that sample ``number`` is read from."""
        return self.index.rows[[number]]

    def __len__(self) -> int:
        """Return the number of traces N."""
        return len(self.index.rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return sample ``number``; waveform float32 (1, C, T)."""
        return self.__getitems__([number])[0]

    def __getitems__(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Return several samples at once, which reads traces that lie together in the file together."""
        chosen = np.asarray(numbers, dtype=int)
        index, start_s = self.index, self._start_s[chosen]
        waveforms, masks = self._reader.read(index.rows[chosen], index.sampling_rate_hz[chosen], start_s)
        values = {key: float_tensor(index.paths[column][chosen]) for key, column in _PATH_KEYS.items()}
        values[keys.ONSET_S] = float_tensor(self._onset_s[chosen])
        values[keys.ARRIVALS_S] = float_tensor(index.arrivals_s[chosen] - start_s[:, None])
        if index.more_arrivals_s.shape[1]:
            values[keys.MORE_ARRIVALS_S] = float_tensor(index.more_arrivals_s[chosen] - start_s[:, None, None])
        values[keys.START_S] = float_tensor(start_s - index.origin_s[chosen])
        waveform, mask = torch.from_numpy(waveforms), torch.from_numpy(masks)
        depth_km = float_tensor(index.source_depth_km[chosen])
        samples = [
            {
                keys.WAVEFORM: waveform[i : i + 1],
                keys.STATION_MASK: mask[i : i + 1].any(dim=1),
                keys.COMPONENT_MASK: mask[i : i + 1],
                **{key: column[i : i + 1] for key, column in values.items()},
                keys.SOURCE_DEPTH_KM: depth_km[i],
                keys.SAMPLING_RATE_HZ: float(self.sampling_rate_hz),
                keys.SOURCE_ID: index.source_ids[number],
                keys.TRACE_ID: index.ids[number],
                keys.TARGETS: {column: torch.as_tensor(values[number]) for column, values in self.targets.items()},
            }
            for i, number in enumerate(chosen)
        ]
        if self.event_peak:
            for sample in samples:
                sample[keys.EVENT_PEAK] = torch.tensor(self._peak(sample[keys.SOURCE_ID]), dtype=torch.float32)
        return samples

    def _peak(self, source_id: str) -> float:
        """Amplitude of an event: a high quantile over its traces, so that one glitch is not the measure of all."""
        if source_id not in self._peaks:
            recorded, _ = self.waveform_set.read_rows(self.waveform_set.rows(source_id), self.components)
            peaks = [float(np.abs(one - one.mean(axis=1, keepdims=True)).max(initial=0.0)) for one in recorded]
            alive = [peak for peak in peaks if peak > 0]
            self._peaks[source_id] = float(np.quantile(alive, EVENT_PEAK_QUANTILE)) if alive else np.nan
        return self._peaks[source_id]


def sample_targets(
    waveform_set: WaveformSet, ids: SampleIds, targets: Mapping[str, ClassMap | None]
) -> dict[str, np.ndarray]:
    """Return what a set says of samples of any unit, (N,) per target column, as their own class would.

    Single traces have what is said of themselves, all others what is said of their event; see
    :func:`trace_target_arrays` and :func:`target_arrays`.

    Raises:
        DataError: the set has no such column or sample.
    """
    if ids.kind.numbers_rows:
        return index_targets(waveform_set, build_trace_index(waveform_set, ids.ids), targets)
    return target_arrays(waveform_set, ids.source_ids, targets)


def index_targets(
    waveform_set: WaveformSet, index: TraceIndex, targets: Mapping[str, ClassMap | None]
) -> dict[str, np.ndarray]:
    """Return the targets of single traces (N,); windows of noise have their class, where there is one, and no number.

    Raises:
        DataError: the set has no such column.
    """
    values = trace_target_arrays(waveform_set, index.rows, index.paths, targets)
    if not index.is_noise.any():
        return values
    of_noise = {
        column: np.nan if classes is None else classes.get(NOISE_CLASS, -1) for column, classes in targets.items()
    }
    return {
        column: np.where(index.is_noise, of_noise[column], array).astype(array.dtype)
        for column, array in values.items()
    }


_PATH_KEYS = dict(zip((keys.OFFSET_KM, keys.AZIMUTH_DEG, keys.BACK_AZIMUTH_DEG), PATH_COLUMNS, strict=True))


def _drawn(
    waveform_set: WaveformSet, rows: Sequence[int] | Sequence[str] | np.ndarray, limit: int | None, seed: int
) -> Sequence[int] | Sequence[str] | np.ndarray:
    """Keep at most ``limit`` traces of each event, in the order given, and all windows of noise."""
    if limit is None:
        return rows
    if limit < 1:
        raise ConfigurationError(f"max_traces_per_event={limit} must be at least 1, or null for all")
    index = build_trace_index(waveform_set, rows)
    kept: dict[str, int] = {}
    chosen = []
    for i in np.argsort(draws("traces", index.names, seed), kind="stable").tolist():
        source_id = index.source_ids[i]
        kept[source_id] = kept.get(source_id, 0) + (not index.is_noise[i])
        if index.is_noise[i] or kept[source_id] <= limit:
            chosen.append(i)
    return [index.ids[i] for i in sorted(chosen)]
