"""Events as fixed windows of several stations, ready to be drawn."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Dataset

from seisvision import keys
from seisvision.data.event_index import EventIndex, build_event_index
from seisvision.data.resample import resample, same_rate, settling_samples, stretch_start
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.seeding import DEFAULT_SEED, numpy_stream

REFERENCES = ("trace", "origin", "onset")
STATION_CHOICES = ("nearest", "spread")
ClassMap = Mapping[Any, int]


@dataclass(frozen=True)
class Window:
    """The stretch of time cut from every trace of an event; one for all, so that moveout is kept.

    Attributes:
        reference: what ``start_s`` counts from: ``"trace"`` (earliest trace start of the event), ``"origin"``
            (origin time) or ``"onset"`` (median onset over the traces; the median because single picks go astray).
        start_s: start after the reference, negative for before.
        length_s: length.
        jitter_s: the start moves by a random amount up to this, either way, fixed per event and seed.
    """

    reference: str = "trace"
    start_s: float = 0.0
    length_s: float = 60.0
    jitter_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that make no window."""
        if self.reference not in REFERENCES:
            raise ConfigurationError(
                f"window.reference='{self.reference}' is not known. {did_you_mean(self.reference, list(REFERENCES))}"
            )
        if self.length_s <= 0 or self.jitter_s < 0:
            raise ConfigurationError(
                f"window.length_s={self.length_s} must be positive and window.jitter_s={self.jitter_s} not negative"
            )


class EventSamples(Dataset):
    """One event per sample: up to S stations, the same window, one sampling rate; amplitudes as stored.

    Samples are dicts with the names of :mod:`seisvision.keys`, without the batch dimension. A trace that recorded
    nothing inside the window has a false mask; one that recorded zeros has a true one. Where traces begin between
    two samples of the common time grid, the nearer is taken.

    Args:
        waveform_set: where the waveforms lie.
        source_ids: the events, in the order of the samples.
        components: components wanted, such as ``"Z"``; what was not recorded is zero and masked.
        sampling_rate_hz: common rate; ``None`` takes the one rate that all traces share.
        window: what to cut.
        max_stations: keep at most that many traces of an event, ``None`` for all.
        station_choice: which to keep: ``"nearest"`` (smallest offset, else earliest onset) or ``"spread"``
            (evenly along these). Draws decide where neither is known, never the order in the file.
        targets: event column to class map (value as text to class number) or ``None`` for a number.
        seed: base seed of jitter and draws.

    Raises:
        ConfigurationError: a setting is not allowed.
        DataError: unknown events or columns, mixed rates without a common one, or a window reference that some
            event lacks.
    """

    def __init__(
        self,
        waveform_set: WaveformSet,
        source_ids: Sequence[str],
        *,
        window: Window,
        components: str = "Z",
        sampling_rate_hz: float | None = None,
        max_stations: int | None = None,
        station_choice: str = "nearest",
        targets: Mapping[str, ClassMap | None] | None = None,
        seed: int = DEFAULT_SEED,
    ) -> None:
        _check_settings(components, sampling_rate_hz, max_stations, station_choice)
        self.waveform_set = waveform_set
        self.components = components
        self.window = window
        self.seed = seed
        self.index = build_event_index(waveform_set, source_ids)
        self.sampling_rate_hz = sampling_rate_hz or _only_rate_hz(self.index)
        self._start_s = _window_starts_s(self.index, window, seed)
        self._kept = [self._choose(i, max_stations, station_choice) for i in range(len(source_ids))]
        self.targets = target_arrays(waveform_set, source_ids, targets or {})

    @property
    def source_ids(self) -> list[str]:
        """Ids of the N events."""
        return self.index.source_ids

    @property
    def n_samples(self) -> int:
        """Length T of every waveform."""
        return round(self.window.length_s * self.sampling_rate_hz)

    def __len__(self) -> int:
        """Return the number of events N."""
        return len(self.index.source_ids)

    def _choose(self, event: int, max_stations: int | None, station_choice: str) -> np.ndarray:
        """Return the numbers of the traces kept of an event, in file order."""
        traces = self.index.traces(event)
        n = traces.stop - traces.start
        if max_stations is None or n <= max_stations:
            return np.arange(traces.start, traces.stop)
        tie_breaker = numpy_stream(self.seed, "stations", _number(self.index.source_ids[event])).random(n)
        order = np.lexsort((tie_breaker, self.index.onset_s[traces], self.index.offset_km[traces]))
        picks = np.arange(max_stations)
        if station_choice == "spread":
            picks = np.round(np.linspace(0, n - 1, max_stations)).astype(int)
        return traces.start + np.sort(order[picks])

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return sample ``number``; waveform float32 (S, C, T)."""
        index, kept, start_s = self.index, self._kept[number], self._start_s[number]
        waveform, component_mask = self._read_window(kept, start_s)
        n_stations = len(kept)
        return {
            keys.WAVEFORM: torch.from_numpy(waveform),
            keys.STATION_MASK: torch.from_numpy(component_mask.any(axis=1)),
            keys.COMPONENT_MASK: torch.from_numpy(component_mask),
            keys.OFFSET_KM: _float_tensor(index.offset_km[kept]),
            keys.AZIMUTH_DEG: _float_tensor(index.azimuth_deg[kept]),
            keys.ONSET_S: _float_tensor(index.onset_s[kept] - start_s),
            keys.START_S: _float_tensor(np.full(n_stations, start_s - index.origin_s[number])),
            keys.SOURCE_DEPTH_KM: torch.tensor(index.source_depth_km[number], dtype=torch.float32),
            keys.SAMPLING_RATE_HZ: float(self.sampling_rate_hz),
            keys.SOURCE_ID: index.source_ids[number],
            keys.TARGETS: {column: torch.as_tensor(values[number]) for column, values in self.targets.items()},
        }

    def _read_window(self, kept: np.ndarray, start_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Return waveform float32 (S, C, T) and mask bool (S, C) of the traces ``kept``."""
        recorded, mask = self.waveform_set.read_rows(self.index.rows[kept], self.components)
        window = np.zeros((len(kept), len(self.components), self.n_samples), dtype=np.float32)
        lead_s = start_s - self.index.start_s[kept]
        rates_hz = self.index.sampling_rate_hz[kept]
        for i, waveform in enumerate(recorded):
            if same_rate(rates_hz[i], self.sampling_rate_hz):
                touched = _place(window[i], waveform, round(lead_s[i] * self.sampling_rate_hz))
            else:
                touched = self._resample_into(window[i], waveform, lead_s[i], rates_hz[i])
            mask[i] &= touched
        return window, mask

    def _resample_into(self, window: np.ndarray, waveform: np.ndarray, lead_s: float, rate_hz: float) -> bool:
        """Resample just the stretch that the window needs, with room for the filter on both sides."""
        first = stretch_start(lead_s * rate_hz, rate_hz, self.sampling_rate_hz)
        last = int((lead_s + self.window.length_s) * rate_hz) + settling_samples(rate_hz, self.sampling_rate_hz) + 1
        stretch = waveform[:, first : max(last, 0)]
        if stretch.shape[1] == 0:
            return False
        skipped = round((lead_s - first / rate_hz) * self.sampling_rate_hz)
        return _place(window, resample(stretch, rate_hz, self.sampling_rate_hz), skipped)


def _place(window: np.ndarray, waveform: np.ndarray, skipped: int) -> bool:
    """Copy ``waveform[:, skipped:]`` to the start of ``window`` (C, T); tell whether any of it falls inside."""
    first, last = max(skipped, 0), min(skipped + window.shape[1], waveform.shape[1])
    if first >= last:
        return False
    window[:, first - skipped : last - skipped] = waveform[:, first:last]
    return True


def _check_settings(
    components: str, sampling_rate_hz: float | None, max_stations: int | None, station_choice: str
) -> None:
    if not components or len(set(components)) != len(components):
        raise ConfigurationError(f"components='{components}' must be different letters such as 'Z' or 'ZNE'")
    if sampling_rate_hz is not None and sampling_rate_hz <= 0:
        raise ConfigurationError(f"sampling_rate_hz={sampling_rate_hz} must be positive, or null to keep the set's own")
    if max_stations is not None and max_stations < 1:
        raise ConfigurationError(f"max_stations={max_stations} must be at least 1, or null for all")
    if station_choice not in STATION_CHOICES:
        raise ConfigurationError(
            f"station_choice='{station_choice}' is not known. {did_you_mean(station_choice, list(STATION_CHOICES))}"
        )


def _only_rate_hz(index: EventIndex) -> float:
    rates = np.unique(index.sampling_rate_hz)
    if len(rates) == 0:
        raise DataError("no event was selected, so there is no sampling rate to keep; check split and class map")
    if not np.all(same_rate(rates, rates[0])):
        some = ", ".join(f"{rate:g}" for rate in rates[:8])
        raise DataError(
            f"the traces have {len(rates)} sampling rates ({some} Hz); set sampling_rate_hz to bring all to one"
        )
    return float(rates[0])


def reference_s(index: EventIndex, window: Window) -> np.ndarray:
    """Return the window reference of each event (N,), seconds after its earliest trace start; NaN where unknown."""
    if window.reference == "origin":
        return index.origin_s
    if window.reference == "trace":
        return np.zeros(len(index.source_ids))
    onsets = [index.onset_s[index.traces(i)] for i in range(len(index.source_ids))]
    return np.array([np.median(known) if len(known := some[np.isfinite(some)]) else np.nan for some in onsets])


def _window_starts_s(index: EventIndex, window: Window, seed: int) -> np.ndarray:
    reference = reference_s(index, window)
    unknown = np.isnan(reference)
    if unknown.any():
        column = {"origin": "source_origin_time and trace_start_time", "onset": "trace_onset_s"}[window.reference]
        raise DataError(
            f"window.reference='{window.reference}' needs {column}, which {int(unknown.sum())} events lack, first "
            f"'{index.source_ids[int(unknown.argmax())]}'; leave them out or use reference 'trace'"
        )
    jitter = np.zeros(len(reference))
    if window.jitter_s > 0:
        draws = [numpy_stream(seed, "jitter", _number(source_id)).random() for source_id in index.source_ids]
        jitter = window.jitter_s * (2 * np.array(draws) - 1)
    return reference + window.start_s + jitter


def target_arrays(
    waveform_set: WaveformSet, source_ids: Sequence[str], targets: Mapping[str, ClassMap | None]
) -> dict[str, np.ndarray]:
    """Return per target column int64 class numbers (-1: not in the map) or float32 values (NaN: none), (N,).

    Values and class map are compared as text.

    Raises:
        DataError: the set has no such column.
    """
    if not targets:
        return {}
    table = waveform_set.event_table().loc[list(source_ids)]
    arrays = {}
    for column, class_map in targets.items():
        if column not in table:
            names = [str(name) for name in table.columns]
            raise DataError(f"{waveform_set.path} has no event column '{column}'. {did_you_mean(column, names)}")
        if class_map is None:
            arrays[column] = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float32, na_value=np.nan)
        else:
            number_of = {str(value): int(number) for value, number in class_map.items()}
            arrays[column] = np.array([number_of.get(str(value), -1) for value in table[column]], dtype=np.int64)
    return arrays


def collate_events(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join samples into a batch; stations are padded to the largest event S of the batch.

    Padding is zero in waveforms, false in masks and NaN in distances, azimuths and times.

    Raises:
        DataError: the samples differ in sampling rate.
    """
    first = samples[0]
    rates_hz = {sample[keys.SAMPLING_RATE_HZ] for sample in samples}
    if len(rates_hz) > 1:
        raise DataError(f"a batch mixes the sampling rates {sorted(rates_hz)} Hz; set sampling_rate_hz")
    batch: dict[str, Any] = {
        key: _pad_stations([sample[key] for sample in samples], fill)
        for key, fill in (
            (keys.WAVEFORM, 0.0),
            (keys.STATION_MASK, False),
            (keys.COMPONENT_MASK, False),
            (keys.OFFSET_KM, torch.nan),
            (keys.AZIMUTH_DEG, torch.nan),
            (keys.ONSET_S, torch.nan),
            (keys.START_S, torch.nan),
        )
    }
    batch[keys.SOURCE_DEPTH_KM] = torch.stack([sample[keys.SOURCE_DEPTH_KM] for sample in samples])
    batch[keys.SAMPLING_RATE_HZ] = first[keys.SAMPLING_RATE_HZ]
    batch[keys.SOURCE_ID] = [sample[keys.SOURCE_ID] for sample in samples]
    batch[keys.TARGETS] = {
        column: torch.stack([sample[keys.TARGETS][column] for sample in samples]) for column in first[keys.TARGETS]
    }
    return batch


def _pad_stations(tensors: list[torch.Tensor], fill: float | bool) -> torch.Tensor:
    n_stations = max(tensor.shape[0] for tensor in tensors)
    padded = tensors[0].new_full((len(tensors), n_stations, *tensors[0].shape[1:]), fill)
    for slot, tensor in zip(padded, tensors, strict=True):
        slot[: tensor.shape[0]] = tensor
    return padded


def _float_tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _number(source_id: str) -> int:
    return zlib.crc32(source_id.encode())
