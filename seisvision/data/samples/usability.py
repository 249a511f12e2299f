"""Which events and traces can be served, and why the others cannot."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from seisvision.base.sample_ids import SampleIds, row_numbers
from seisvision.base.units import EVENT, unit_named
from seisvision.data.samples.event_index import EventIndex, build_event_index
from seisvision.data.samples.events import reference_s
from seisvision.data.samples.left_out import summary
from seisvision.data.samples.noise.choice import MOVES, hold_events
from seisvision.data.samples.noise.windows import NOISE_CLASS
from seisvision.data.samples.onsets import known_onsets
from seisvision.data.samples.still.motion import STILL, set_motion
from seisvision.data.samples.targets import event_column, target_arrays, trace_column
from seisvision.data.samples.traces import (
    TraceIndex,
    build_trace_index,
    index_targets,
    trace_window_starts_s,
    window_problems,
)
from seisvision.data.samples.window import Window, WindowReader
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError
from seisvision.seeding import DEFAULT_SEED

logger = logging.getLogger(__name__)

MAX_ORDERS = 8
Selection = Mapping[str, Sequence[Any]]


def set_ids(waveform_set: WaveformSet, unit: str, ids: Sequence[str] | None = None) -> SampleIds:
    """Return which samples of a set are meant, with their events.

    Args:
        waveform_set: the set.
        unit: ``"event"``, or one whose ids number rows of the metadata table.
        ids: events, or rows as text; ``None`` for all of the set, in file order.

    Raises:
        ConfigurationError: the unit is unknown, or its samples are no parts of a waveform set.
        DataError: an id is no row number.
    """
    kind = unit_named(unit)
    if kind is EVENT:
        return SampleIds.of_events(waveform_set.source_ids if ids is None else ids)
    if not kind.numbers_rows:
        raise ConfigurationError(
            f"unit='{unit}': {kind.plural} are neither events nor rows of a waveform set, so none can be listed from "
            f"{waveform_set.path}. Give them samples and a data module of their own."
        )
    events = waveform_set.table["source_id"]
    names = [str(row) for row in range(len(events))] if ids is None else list(ids)
    return SampleIds(unit, names, events.iloc[row_numbers(names)].tolist())


def unusable_samples(
    waveform_set: WaveformSet,
    ids: Sequence[str] | None = None,
    *,
    samples: Mapping[str, Any],
    unit: str = "event",
    select: Selection | None = None,
    min_stations: int = 1,
    cache_dir: str | Path | None = None,
) -> dict[str, str]:
    """Return the samples that cannot be served, each with the first reason found.

    Args:
        waveform_set: the set.
        ids: what to judge: ids of events, or rows of the metadata table as text; ``None`` for the whole set.
        samples: keywords of :class:`EventSamples` or :class:`TraceSamples`.
        unit: ``"event"`` or ``"trace"``.
        select: column to the values that are kept, compared as text: one of events, or, where samples are single
            traces, one of stations or traces.
        min_stations: fewest traces of an event, with slots fewest stations of it; not asked of single traces.
        cache_dir: where detected onsets are kept.

    Raises:
        DataError: a column, an event or a trace does not exist.
    """
    samples = with_cache(samples, cache_dir)
    ids = set_ids(waveform_set, unit).ids if ids is None else ids
    if unit == "trace":
        reasons = _unusable_traces(waveform_set, ids, samples, select or {})
        return reasons | _still(waveform_set, [name for name in ids if name not in reasons], samples, unit, cache_dir)
    reasons = _unusable_events(waveform_set, ids, samples, min_stations, select or {})
    return reasons | _still(waveform_set, [name for name in ids if name not in reasons], samples, unit, cache_dir)


def moving_traces(
    waveform_set: WaveformSet,
    ids: Sequence[str],
    *,
    samples: Mapping[str, Any],
    unit: str = "event",
    cache_dir: str | Path | None = None,
) -> list[np.ndarray]:
    """Tell of each sample which of its traces move within the window, bool (S,); others show a network nothing.

    Args:
        waveform_set: the set.
        ids: samples that can be served otherwise: ids of events, or rows of the metadata table as text.
        samples: keywords of :class:`EventSamples` or :class:`TraceSamples`.
        unit: ``"event"`` or ``"trace"``.
        cache_dir: where detected onsets, and where recordings move, are kept.
    """
    window, seed = samples["window"], samples.get("seed", DEFAULT_SEED)
    onset = with_cache(samples, cache_dir).get("onset")
    index: TraceIndex | EventIndex
    if unit == "trace":
        index = build_trace_index(waveform_set, ids, onset)
        first = np.arange(len(ids) + 1)
        lead_s = trace_window_starts_s(index, window, seed, samples.get("noise"))
    else:
        index = build_event_index(waveform_set, ids, known_onsets(waveform_set, onset))
        first = index.first
        starts_s = reference_s(index, window) + window.start_s + window.jitters_s(list(ids), seed)
        lead_s = np.repeat(starts_s, np.diff(first)) - index.start_s
    begin = np.round(lead_s * index.sampling_rate_hz).astype(int)
    end = begin + np.ceil(window.length_s * index.sampling_rate_hz).astype(int) + 1
    motion = set_motion(waveform_set, None if cache_dir is None else Path(cache_dir))
    return np.split(motion.moves(index.rows, samples.get("components", "Z"), begin, end), first[1:-1])


def _still(
    waveform_set: WaveformSet,
    ids: Sequence[str],
    samples: Mapping[str, Any],
    unit: str,
    cache_dir: str | Path | None,
) -> dict[str, str]:
    """Samples of which nothing moves within the window: dead channels, or a window beside the recordings."""
    if not ids:
        return {}
    moving = moving_traces(waveform_set, ids, samples=samples, unit=unit, cache_dir=cache_dir)
    return {name: STILL for name, traces in zip(ids, moving, strict=True) if not traces.any()}


def check_components(waveform_set: WaveformSet, components: str) -> None:
    """Refuse components that no trace recorded, and tell of those that only some did.

    Raises:
        ConfigurationError: a component is in no trace.
        DataError: the shapes of samples are not what the set says of them.
    """
    waveform_set.check_shapes()
    orders = waveform_set.component_orders
    held = ", ".join(f"{order}: {n}" for order, n in list(orders.items())[:MAX_ORDERS])
    for component in components:
        n_without = sum(n for order, n in orders.items() if component not in order)
        if n_without == len(waveform_set.table):
            raise ConfigurationError(
                f"components='{components}': no trace of {waveform_set.path} holds '{component}' (traces by their "
                f"components: {held}). Ask for what is there; 1 and 2, R and T are not turned to N and E here, but by "
                "'seisvision data import'"
            )
        if n_without:
            logger.info(
                "%d of %d traces of %s do not hold %s, which is zero and masked there (traces by their components: %s)",
                n_without, len(waveform_set.table), waveform_set.path, component, held,
            )  # fmt: skip


def usable_table(waveform_set: WaveformSet, split_unit: str, **settings: Any) -> pd.DataFrame:
    """Return what a split may deal, for :func:`seisvision.data.splitting.splits.make_split`.

    Args:
        waveform_set: the set.
        split_unit: ``"event"`` gives the rows of the event table that have a sample that can be served, ``"trace"``
            those rows of the metadata table that can be served.
        **settings: keywords of :func:`unusable_samples`.

    Raises:
        ConfigurationError: traces are to be dealt while samples are events.
    """
    unusable = unusable_samples(waveform_set, **settings)
    unit = settings.get("unit", "event")
    if unit == "event" and split_unit == "trace":
        raise ConfigurationError("a split of single traces does not fit samples that are whole events; split events")
    if unit == "event":
        return waveform_set.event_table().drop(index=list(unusable))
    usable = np.ones(len(waveform_set.table), dtype=bool)
    usable[row_numbers(list(unusable))] = False
    traces = waveform_set.table.rows(usable)
    if split_unit == "trace":
        return traces
    events = waveform_set.event_table()
    return events[events.index.isin(traces["source_id"])]


def refuse_nothing(waveform_set: WaveformSet, **settings: Any) -> None:
    """Refuse a set of which nothing can be served, with the reasons and the settings that cure them.

    Args:
        waveform_set: the set.
        **settings: keywords of :func:`unusable_samples`.

    Raises:
        DataError: so it is.
    """
    unit = settings.get("unit", "event")
    n_samples = len(set_ids(waveform_set, unit))
    reasons = unusable_samples(waveform_set, **settings)
    if len(reasons) == n_samples:
        raise DataError(
            f"none of the {n_samples} {unit_named(unit).plural} of {waveform_set.path} can be used: "
            f"{summary(list(reasons.values()), unit)}"
        )


def with_cache(samples: Mapping[str, Any], cache_dir: str | Path | None) -> dict[str, Any]:
    """Return the keywords of samples with the folder of detected onsets put where these are asked for."""
    onset = samples.get("onset")
    return dict(samples) if onset is None else {**samples, "onset": {"cache_dir": cache_dir, **onset}}


def _unusable_events(
    waveform_set: WaveformSet, ids: Sequence[str], samples: Mapping[str, Any], min_stations: int, select: Selection
) -> dict[str, str]:
    index = build_event_index(waveform_set, ids, known_onsets(waveform_set, samples.get("onset")))
    targets = samples.get("targets") or {}
    unlabelled = _unlabelled(target_arrays(waveform_set, ids, targets), len(ids))
    offsets = samples.get("offsets")
    if offsets is not None:
        index = offsets.put_into(index)
    counted, network, which = np.ones(len(index.rows), dtype=bool), samples.get("network"), ""
    if offsets is not None:
        counted, which = np.isfinite(index.offset_km), " with a predicted offset"
    elif network is not None and network.fixed:
        slots = network.slots_of(waveform_set.table.iloc[index.rows])
        event = np.repeat(np.arange(len(ids)), np.diff(index.first))
        # A slot holds one recording of a station, however many there are.
        _, first_of_slot = np.unique(np.stack([event, slots]), axis=1, return_index=True)
        counted, which = (slots >= 0) & np.isin(np.arange(len(slots)), first_of_slot), " of the network"
    elif network is not None:
        place_km = network.places_of(waveform_set.metadata.iloc[index.rows])
        counted, which = np.isfinite(place_km).all(axis=1), " with coordinates"
    least = min_stations if network is None else max(1, min_stations)
    few = _counts(index, counted) < least
    unknown = np.isnan(reference_s(index, samples["window"]))
    unselected = _unselected(waveform_set, ids, select)
    raw = waveform_set.event_table()
    reasons: dict[str, str] = {}
    for i, source_id in enumerate(ids):
        if unselected[i]:
            reasons[source_id] = unselected[i]
        elif few[i]:
            reasons[source_id] = f"fewer than {least} stations{which}"
        elif unknown[i]:
            reasons[source_id] = f"no {samples['window'].reference} time"
        elif unlabelled[i]:
            reasons[source_id] = "no label: " + ", ".join(f"{column}={raw.at[source_id, column]}" for column in targets)
    return reasons


def _counts(index: EventIndex, counted: np.ndarray) -> np.ndarray:
    """Sum of ``counted`` over the traces of each event (N,)."""
    return np.add.reduceat(counted.astype(int), index.first[:-1]) if len(counted) else np.zeros(0, dtype=int)


def _unusable_traces(
    waveform_set: WaveformSet, ids: Sequence[str], samples: Mapping[str, Any], select: Selection
) -> dict[str, str]:
    index = build_trace_index(waveform_set, ids, samples.get("onset"))
    targets = samples.get("targets") or {}
    unlabelled = _unlabelled(index_targets(waveform_set, index, targets), len(ids))
    raw = {column: trace_column(waveform_set, index.rows, index.paths, column).to_numpy() for column in targets}
    of_traces = {column: values for column, values in select.items() if _is_of_traces(waveform_set, column)}
    of_events = {column: values for column, values in select.items() if column not in of_traces}
    unselected = _unselected(waveform_set, index.source_ids, of_events)
    for column, values in of_traces.items():
        kept = {str(value) for value in values}
        for i, value in enumerate(waveform_set.table[column].astype(str).to_numpy()[index.rows]):
            unselected[i] = unselected[i] or ("" if value in kept else f"not selected: {column}={value}")
    problems = _window_problems(waveform_set, index, samples)
    reasons: dict[str, str] = {}
    for i, trace_id in enumerate(ids):
        if unselected[i]:
            reasons[trace_id] = unselected[i]
        elif unlabelled[i]:
            said = [f"{column}={NOISE_CLASS if index.is_noise[i] else raw[column][i]}" for column in targets]
            reasons[trace_id] = "no label: " + ", ".join(said)
        elif problems[i]:
            reasons[trace_id] = problems[i]
    return reasons


def _is_of_traces(waveform_set: WaveformSet, column: str) -> bool:
    """Whether a column tells recordings of one event apart, such as that of their station."""
    return column in waveform_set.table and column.startswith(("station_", "trace_"))


def _window_problems(waveform_set: WaveformSet, index: TraceIndex, samples: Mapping[str, Any]) -> list[str]:
    window: Window = samples["window"].widest
    # Where all rates are one and none is asked for, the first is the one.
    rate_hz = samples.get("sampling_rate_hz") or (float(index.sampling_rate_hz[0]) if len(index.rows) else 1.0)
    reader = WindowReader(waveform_set, samples.get("components", "Z"), rate_hz, window.length_s)
    starts_s = trace_window_starts_s(index, window, samples.get("seed", DEFAULT_SEED), samples.get("noise"))
    problems = window_problems(index, starts_s, window, reader)
    doubtful = np.flatnonzero(index.is_noise & (np.array(problems, dtype=object) == ""))
    rows, rates_hz, ends_s = index.rows[doubtful], index.sampling_rate_hz[doubtful], starts_s[doubtful]
    for i, moves in zip(
        doubtful, hold_events(waveform_set, rows, rates_hz, ends_s + window.length_s, samples.get("onset")), strict=True
    ):
        problems[i] = MOVES if moves else ""
    return problems


def _unlabelled(values: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    """Tell which samples have none of the targets; none of them where there are no targets."""
    labelled = [array >= 0 if array.dtype == np.int64 else np.isfinite(array) for array in values.values()]
    return ~np.any(labelled, axis=0) if labelled else np.zeros(n, dtype=bool)


def _unselected(waveform_set: WaveformSet, source_ids: Sequence[str], select: Selection) -> list[str]:
    """Return the reason why the event of each sample is not selected (N,), "" where it is."""
    reasons = [""] * len(source_ids)
    table = waveform_set.event_table() if select else None
    for column, values in select.items():
        kept = {str(value) for value in values}
        value_of = {} if table is None else event_column(table, column, waveform_set).astype(str).to_dict()
        for i, source_id in enumerate(source_ids):
            if not reasons[i] and value_of[source_id] not in kept:
                reasons[i] = f"not selected: {column}={value_of[source_id]}"
    return reasons
