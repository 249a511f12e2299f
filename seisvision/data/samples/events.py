"""Events as fixed windows of several stations, ready to be drawn."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.data.samples.event_index import EventIndex, build_event_index
from seisvision.data.samples.location_error import move_epicentres
from seisvision.data.samples.network import PLACE_COLUMNS, WHERE_PLACES_COME_FROM, StationNetwork
from seisvision.data.samples.onsets import known_onsets
from seisvision.data.samples.predicted_offsets import PredictedOffsets
from seisvision.data.samples.targets import ClassMap, target_arrays
from seisvision.data.samples.window import Window, WindowReader, common_rate_hz
from seisvision.data.serving.collate import PADDING, collate_events
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.splits import station_names
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.seeding import DEFAULT_SEED, numpy_stream

__all__ = ["ClassMap", "EventSamples", "Window", "collate_events", "float_tensor", "reference_s", "target_arrays"]

log = logging.getLogger(__name__)

STATION_CHOICES = ("nearest", "spread", "random")


class EventSamples(Dataset):
    """One event per sample: up to S stations, the same window, one sampling rate; amplitudes as stored.

    Samples are dicts with the names of :mod:`seisvision.keys`, without the batch dimension. A trace that recorded
    nothing inside the window has a false mask; one that recorded zeros has a true one.

    Args:
        waveform_set: where the waveforms lie.
        source_ids: the events, in the order of the samples.
        components: components wanted, such as ``"Z"``; what was not recorded is zero and masked.
        sampling_rate_hz: common rate; ``None`` takes the one rate that all traces share.
        window: what to cut.
        max_stations: keep at most that many traces of an event, ``None`` for all.
        station_choice: which to keep: ``"nearest"`` (smallest offset, else earliest onset), ``"spread"`` (evenly along
            these) or ``"random"`` (drawn for each event and seed, and in training for each epoch, see :meth:`choose`:
            where all events show equally many, nothing of a picture tells how many recorded them). Draws decide where
            neither offset nor onset is known, never the order in the file.
        targets: event column to class map (value as text to class number) or ``None`` for a number.
        onset: keywords of :func:`~seisvision.data.samples.onsets.detect_onsets` for traces without an onset in the
            table; ``None`` detects none.
        epicentre_error_km: standard deviation, along north and along east, of errors of the epicentres from which
            distances and azimuths are computed anew; fixed per event and seed. Targets stay as they are.
        origin_error_s: standard deviation of errors of the origin times, from which windows and ``START_S`` count.
        network: stations of the region. Samples then tell where stations stand (``STATION_KM``; a network without
            places tells nothing) and, where it is fixed, have a slot for each of its stations, those of absent ones
            being masked; of traces of one station the one with the most components is served, and stations that it
            does not know are left out.
        offsets: predicted distances, which take the place of those that coordinates give. Then nothing of a sample but
            its targets depends on where and when the source was, though the table may know.
        seed: base seed of jitter, draws and errors.

    Attributes:
        ids: which N samples these are.

    Raises:
        ConfigurationError: a setting is not allowed.
        DataError: unknown events or columns, mixed rates without a common one, a window reference that some event
            lacks, or errors of epicentres without coordinates.
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
        onset: Mapping[str, Any] | None = None,
        epicentre_error_km: float = 0.0,
        origin_error_s: float = 0.0,
        network: StationNetwork | None = None,
        offsets: PredictedOffsets | None = None,
        seed: int = DEFAULT_SEED,
    ) -> None:
        _check_settings(window, max_stations, station_choice, epicentre_error_km, origin_error_s)
        if network is not None and network.fixed and max_stations is not None:
            raise ConfigurationError(
                f"max_stations={max_stations} leaves stations out of a network in which each has its place; set "
                "max_stations=null, or network.fixed=false"
            )
        if offsets is not None:
            _check_unlabelled(window, epicentre_error_km, origin_error_s)
        self.waveform_set = waveform_set
        self.window = window
        self.seed = seed
        index = build_event_index(waveform_set, source_ids, known_onsets(waveform_set, onset))
        if offsets is not None:
            index = offsets.put_into(index)
        if epicentre_error_km > 0:
            index = move_epicentres(index, waveform_set, epicentre_error_km, seed)
        if origin_error_s > 0:
            errors = [numpy_stream(seed, "origin error", _number(name)).normal() for name in source_ids]
            index = replace(index, origin_s=index.origin_s + origin_error_s * np.array(errors))
        self.index = index
        rate_hz = common_rate_hz(index.sampling_rate_hz) if sampling_rate_hz is None else sampling_rate_hz
        self._reader = WindowReader(waveform_set, components, rate_hz, window.length_s)
        self.network = network
        self._slots = None if network is None else _Slots(network, waveform_set, index)
        self._start_s = _window_starts_s(self.index, window, seed)
        self._max_stations, self._station_choice = max_stations, station_choice
        self._kept = [self.choose(i) for i in range(len(source_ids))]
        self.targets = target_arrays(waveform_set, source_ids, targets or {})
        self.ids = SampleIds.of_events(index.source_ids)

    @property
    def source_ids(self) -> Sequence[str]:
        """Ids of the N events."""
        return self.ids.source_ids

    @property
    def start_after_first_trace_s(self) -> np.ndarray:
        """Starts (N,) of the windows after the earliest trace start of their event, in seconds."""
        return self._start_s

    @property
    def start_after_origin_s(self) -> np.ndarray:
        """Starts (N,) of the windows after the origin time, in seconds; NaN where that is not known."""
        return self._start_s - self.index.origin_s

    @property
    def first_p_after_start_s(self) -> np.ndarray:
        """First P (N,) of events after their windows begin, else its first onset; NaN where neither is known."""
        first_s = np.full(len(self.index.source_ids), np.nan)
        for number in range(len(first_s)):
            for times_s in (self.index.arrivals_s[:, 0], self.index.onset_s):
                own_s = times_s[self.index.traces(number)]
                if np.isnan(first_s[number]) and np.isfinite(own_s).any():
                    first_s[number] = np.nanmin(own_s)
        return first_s - self._start_s

    @property
    def sample_ids(self) -> Sequence[str]:
        """What tells the N samples apart: the ids of the events."""
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
        """Return the metadata rows (S,) that sample ``number`` is read from; with slots, -1 for absent stations."""
        kept = self._kept[number]
        return np.where(kept >= 0, self.index.rows[kept], -1)

    def __len__(self) -> int:
        """Return the number of events N."""
        return len(self.index.source_ids)

    @property
    def draws_stations(self) -> bool:
        """Whether stations are drawn at random, so that every epoch may see others."""
        return self._station_choice == "random"

    def with_all_stations(self) -> EventSamples:
        """Return the same samples, of which none leaves a station out."""
        whole = copy(self)
        whole._max_stations = None
        whole._kept = [whole.choose(i) for i in range(len(self))]
        return whole

    def with_slots(self) -> EventSamples:
        """Return the same samples with a slot for each station of the network.

        Raises:
            DataError: there is no network.
        """
        if self.network is None:
            raise DataError(
                "The stations have no order of their own; set dataset.samples.network={stations: training}."
            )
        if self.network.fixed:
            return self
        slotted = self.with_all_stations()
        slotted.network = replace(self.network, fixed=True)
        slotted._slots = _Slots(slotted.network, self.waveform_set, self.index)
        slotted._kept = [slotted.choose(i) for i in range(len(self))]
        return slotted

    def choose(self, event: int, epoch: int | None = None) -> np.ndarray:
        """Return the numbers of the traces kept of an event, in file order; ``epoch`` draws others where any are drawn.

        With slots there is one for each, -1 where the station is absent. The draw follows from seed, event and epoch
        alone.
        """
        traces = self.index.traces(event)
        if self._slots is not None and self._slots.network.fixed:
            return self._slots.traces(traces)
        numbers = np.arange(traces.start, traces.stop)
        if self._slots is not None:
            numbers = numbers[self._slots.placed[numbers]]
        n, wanted = len(numbers), self._max_stations
        if wanted is None or n <= wanted:
            return numbers
        name = "stations" if epoch is None else f"stations of epoch {epoch}"
        tie_breaker = numpy_stream(self.seed, name, _number(self.index.source_ids[event])).random(n)
        order = np.lexsort((tie_breaker, self.index.onset_s[numbers], self.index.offset_km[numbers]))
        if self.draws_stations:
            order = tie_breaker.argsort()
        picks = np.arange(wanted)
        if self._station_choice == "spread":
            picks = np.round(np.linspace(0, n - 1, wanted)).astype(int)
        return numbers[np.sort(order[picks])]

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return sample ``number``; waveform float32 (S, C, T)."""
        return self.read(number, self._kept[number])

    def read(self, number: int, kept: np.ndarray) -> dict[str, Any]:
        """Return sample ``number`` with the traces that :meth:`choose` gave."""
        sample = self._read_traces(number, kept[kept >= 0])
        if self._slots is None:
            return sample
        if not self._slots.network.fixed:
            return sample | {keys.STATION_KM: float_tensor(self._slots.trace_km[kept])}
        there = torch.from_numpy(np.flatnonzero(kept >= 0))
        for key, fill in PADDING.items():
            if key in sample:
                values = sample[key]
                sample[key] = values.new_full((len(kept), *values.shape[1:]), fill).index_copy_(0, there, values)
        if not self._slots.network.has_places:
            return sample
        return sample | {keys.STATION_KM: torch.from_numpy(self._slots.network.place_km)}

    def _read_traces(self, number: int, kept: np.ndarray) -> dict[str, Any]:
        index, start_s = self.index, self._start_s[number]
        lead_s = start_s - index.start_s[kept]
        waveform, component_mask = self._reader.read(index.rows[kept], index.sampling_rate_hz[kept], lead_s)
        return {
            keys.WAVEFORM: torch.from_numpy(waveform),
            keys.STATION_MASK: torch.from_numpy(component_mask.any(axis=1)),
            keys.COMPONENT_MASK: torch.from_numpy(component_mask),
            keys.OFFSET_KM: float_tensor(index.offset_km[kept]),
            keys.AZIMUTH_DEG: float_tensor(index.azimuth_deg[kept]),
            keys.BACK_AZIMUTH_DEG: float_tensor(index.back_azimuth_deg[kept]),
            keys.ONSET_S: float_tensor(index.onset_s[kept] - start_s),
            keys.ARRIVALS_S: float_tensor(index.arrivals_s[kept] - start_s),
            keys.START_S: float_tensor(np.full(len(kept), start_s - index.origin_s[number])),
            keys.SOURCE_DEPTH_KM: torch.tensor(index.source_depth_km[number], dtype=torch.float32),
            keys.SAMPLING_RATE_HZ: float(self.sampling_rate_hz),
            keys.SOURCE_ID: index.source_ids[number],
            keys.TARGETS: {column: torch.as_tensor(values[number]) for column, values in self.targets.items()},
        }


class _Slots:
    """Which slot each trace of an index has, and where its station stands.

    Args:
        network: the stations.
        waveform_set: the set.
        index: the events and their traces.

    Raises:
        DataError: no station has a place, though they are told apart by it.
    """

    def __init__(self, network: StationNetwork, waveform_set: WaveformSet, index: EventIndex) -> None:
        table = waveform_set.table.iloc[index.rows]
        self.network = network
        self.slot = network.slots_of(table)
        self.trace_km = network.places_of(table)
        # Told apart by its place, a station without one would be drawn in the middle of the network.
        self.placed = np.isfinite(self.trace_km).all(axis=1)
        if not network.fixed and not self.placed.all():
            lost = sorted(set(np.array(station_names(table))[~self.placed].tolist()))
            told = (
                f"station '{lost[0]}' and {len(lost) - 1} others of {waveform_set.path} have no coordinates, by which "
                f"stations are told apart where dataset.samples.network.fixed=false; complete "
                f"{', '.join(PLACE_COLUMNS)}. {WHERE_PLACES_COME_FROM}"
            )
            if not self.placed.any():
                raise DataError(told)
            log.warning("%d of %d traces are left out: %s", (~self.placed).sum(), len(table), told)
        self._n_components = np.array([len(str(order)) for order in table["trace_component_order"]])

    def traces(self, traces: slice) -> np.ndarray:
        """Number of the trace (S,) in every slot, -1 for none."""
        found = np.full(len(self.network), -1)
        numbers = np.arange(traces.start, traces.stop)
        # The last one written stays: that with the most components, of equals the first in the file.
        numbers = numbers[np.lexsort((-numbers, self._n_components[traces]))]
        known = numbers[self.slot[numbers] >= 0]
        found[self.slot[known]] = known
        return found


def _check_settings(
    window: Window, max_stations: int | None, station_choice: str, epicentre_error_km: float, origin_error_s: float
) -> None:
    if window.reference == "random" or window.complete:
        raise ConfigurationError(
            f"window.reference='{window.reference}' with window.complete={str(window.complete).lower()} is for single "
            "traces; events share one window over traces that need not fill it: use trace, origin or onset, and "
            "complete=false"
        )
    if max_stations is not None and max_stations < 1:
        raise ConfigurationError(f"max_stations={max_stations} must be at least 1, or null for all")
    if station_choice not in STATION_CHOICES:
        raise ConfigurationError(
            f"station_choice='{station_choice}' is not known. {did_you_mean(station_choice, list(STATION_CHOICES))}"
        )
    if station_choice == "random" and max_stations is None:
        raise ConfigurationError("station_choice='random' draws max_stations of the stations; give that number")
    for name, value in (("epicentre_error_km", epicentre_error_km), ("origin_error_s", origin_error_s)):
        if not (np.isfinite(value) and value >= 0):
            raise ConfigurationError(f"{name}={value} is a standard deviation: give 0 (no errors) or more")


def _check_unlabelled(window: Window, epicentre_error_km: float, origin_error_s: float) -> None:
    if window.reference == "origin" or epicentre_error_km > 0 or origin_error_s > 0:
        raise ConfigurationError(
            f"offsets are predicted, so nothing is known of the source, but window.reference='{window.reference}', "
            f"epicentre_error_km={epicentre_error_km} and origin_error_s={origin_error_s}; use reference onset or "
            "trace, and no errors"
        )


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
    return reference + window.start_s + window.jitters_s(index.source_ids, seed)


def float_tensor(values: np.ndarray) -> torch.Tensor:
    """Return float32 of the same shape."""
    return torch.from_numpy(values.astype(np.float32))


def _number(source_id: str) -> int:
    return zlib.crc32(source_id.encode())
