"""Features of every event or trace of a set, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.evaluation.baselines.arrival_features import arrival_time_features
from seisvision.evaluation.baselines.attributes import event_attributes, trace_attributes
from seisvision.evaluation.baselines.features import (
    FEATURES_VERSION,
    LIVE,
    SOURCE_LATITUDE_DEG,
    FeatureBatch,
    band_power_features,
    geometry_features,
    live_vertical,
    physics_features,
)
from seisvision.evaluation.baselines.trace_features import (
    polarisation_features,
    s_minus_p_features,
    spectral_ratio_features,
    two_features,
)
from seisvision.files import keep_if_possible, whole_file
from seisvision.stored_arrays import read_arrays

log = logging.getLogger(__name__)

KINDS: dict[str, Callable[..., FeatureBatch]] = {
    "geometry": geometry_features,
    "band_power": band_power_features,
    "physics": physics_features,
    "attributes": event_attributes,
    "arrival_times": arrival_time_features,
}
"""Functions from a batch of events and settings to features."""
TRACE_KINDS: dict[str, Callable[..., FeatureBatch]] = {
    "two_feature": two_features,
    "spectral_ratio": spectral_ratio_features,
    "s_minus_p": s_minus_p_features,
    "polarisation": polarisation_features,
    "trace_attributes": trace_attributes,
}
"""Functions from a batch of single traces and settings to features."""
OF_SLOTS = ("arrival_times",)
"""Kinds whose columns belong to stations, each of which needs a place of its own in every sample."""
MAY_BE_MISSING = ("s_minus_p", "polarisation", "arrival_times")
"""Kinds whose missing values are an answer: there is no clear S, no P on three components, nothing triggered."""
TRACES_AT_ONCE = 128

MAX_INCOMPLETE_SHARE = 0.2
"""A kind of feature that is incomplete for more events than this is refused: the baseline would be a guess."""

PROGRESS_S = 10.0


@dataclass(frozen=True)
class FeatureTable:
    """Features of N events or single traces."""

    ids: SampleIds
    """Which N samples the rows are of."""
    names: list[str]
    """F feature names."""
    values: np.ndarray
    """float64 (N, F); NaN where a feature cannot be computed."""
    problems: Mapping[str, int] = field(default_factory=dict)
    """Why rows are incomplete, and how many are for that reason."""

    def select(self, sample_ids: Sequence[str]) -> np.ndarray:
        """Rows (len(sample_ids), F) in the order asked for.

        Raises:
            DataError: a sample is not in the table.
        """
        remedy = "Compute the features on the whole waveform set, not on one part of the split."
        return self.values[self.ids.places(sample_ids, "have no features", remedy)]


def compute_feature_table(
    dataset: Any,
    kind: str,
    settings: Mapping[str, Any] | None,
    cache_dir: str | Path,
    key: str,
) -> FeatureTable:
    """Features of every sample of ``dataset``, from the cache where they were computed before.

    Args:
        dataset: `EventSamples` or, for `TRACE_KINDS`, `TraceSamples` of the whole set, without augmentation.
        kind: a name of `KINDS` or `TRACE_KINDS`.
        settings: keyword arguments of the feature function, plain values; part of the cache key.
        cache_dir: folder of cached tables, made if needed.
        key: what else decides the values: fingerprint of the waveform set and settings of the samples.

    Raises:
        ConfigurationError: unknown ``kind``.
        DataError: the data lack what the features need, for all or for too many events.
    """
    if kind not in KINDS and kind not in TRACE_KINDS:
        raise ConfigurationError(f"Unknown kind of features '{kind}'. {did_you_mean(kind, [*KINDS, *TRACE_KINDS])}")
    found = compute_any(dataset, [kind], {kind: settings or {}}, cache_dir, key)[kind]
    if isinstance(found, DataError):
        raise found
    _refuse_or_report(kind, found)
    return found


def compute_any(
    dataset: Any, kinds: Sequence[str], settings: Mapping[str, Mapping[str, Any]], cache_dir: str | Path, key: str
) -> dict[str, FeatureTable | DataError]:
    """Features of several kinds, however many samples lack some, or the error that stands in the way of a kind.

    Samples are read once for all kinds that are not in the cache.
    """
    settings = {kind: dict(settings.get(kind) or {}) for kind in kinds}
    identities = {
        kind: json.dumps([key, kind, settings[kind], FEATURES_VERSION, dataset.ids.ids], sort_keys=True)
        for kind in kinds
    }
    paths = {
        kind: Path(cache_dir) / f"features-{kind}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npz"
        for kind, identity in identities.items()
    }
    found: dict[str, FeatureTable | DataError] = {kind: _read(path, dataset.ids) for kind, path in paths.items()}  # type: ignore[misc]
    lacking = {kind: settings[kind] for kind in kinds if found[kind] is None}
    if lacking and not len(dataset):
        raise DataError(f"The set holds no samples, so it has no {', '.join(lacking)} features. Check the set.")
    for kind, result in (_computed(dataset, lacking) if lacking else {}).items():
        found[kind] = result
        if isinstance(result, FeatureTable):
            keep_if_possible(partial(_write, table=result), paths[kind])
    return found


def computed_features(
    dataset: Any, kinds: Sequence[str], settings: Mapping[str, Mapping[str, Any]], cache_dir: str | Path, key: str
) -> tuple[dict[str, FeatureTable | str], dict[str, FeatureTable]]:
    """Features of several kinds.

    Returns:
        By kind, the table, or the reason why it cannot be had or is not complete enough for a baseline of its own;
        and the tables that could be computed at all.
    """
    complete: dict[str, FeatureTable | str] = {}
    computed: dict[str, FeatureTable] = {}
    for kind, found in compute_any(dataset, kinds, settings, cache_dir, key).items():
        try:
            if isinstance(found, DataError):
                raise found
            computed[kind] = complete[kind] = found
            _refuse_or_report(kind, found)
        except DataError as error:
            log.warning("Features of kind '%s' are left out: %s", kind, error)
            complete[kind] = str(error)
    return complete, computed


def side_by_side(tables: Mapping[str, FeatureTable]) -> FeatureTable | None:
    """The features of several tables of the same samples as one table; None where there is no table."""
    if not tables:
        return None
    ids = next(iter(tables.values())).ids
    names = [name for table in tables.values() for name in table.names]
    return FeatureTable(ids, names, np.concatenate([table.select(ids.ids) for table in tables.values()], axis=1))


def one_below_other(first: FeatureTable, second: FeatureTable) -> FeatureTable:
    """The rows of two tables of the same features as one table.

    Raises:
        DataError: the features differ.
    """
    if first.names != second.names:
        raise DataError(f"The features {', '.join(first.names)} are not {', '.join(second.names)}.")
    values = np.concatenate([first.values, second.values])
    return FeatureTable(SampleIds.concatenate([first.ids, second.ids]), first.names, values)


def _computed(dataset: Any, wanted: Mapping[str, Mapping[str, Any]]) -> dict[str, FeatureTable | DataError]:
    """Tables of the kinds ``wanted``, by their settings, from one reading of the samples."""
    made: dict[str, list[FeatureBatch]] = {kind: [] for kind in wanted}
    errors: dict[str, DataError] = {}
    try:
        dataset = dataset.with_slots() if any(kind in OF_SLOTS for kind in wanted) else dataset
    except DataError as error:
        return dict.fromkeys(wanted, error)
    for batch in _batches(dataset, ", ".join(wanted), are_events=next(iter(wanted)) in KINDS):
        for kind, settings in wanted.items():
            if kind in errors:
                continue
            try:
                made[kind].append((KINDS | TRACE_KINDS)[kind](batch, **settings))
            except DataError as error:
                errors[kind] = error
        if len(errors) == len(wanted):
            break
    return {kind: errors.get(kind) or _joined(dataset, results) for kind, results in made.items()}


def _joined(dataset: Any, results: Sequence[FeatureBatch]) -> FeatureTable:
    problems = Counter(problem for result in results for problem in result.problems if problem is not None)
    values = np.concatenate([result.values for result in results])
    return FeatureTable(dataset.ids, results[0].names, values, dict(problems.most_common()))


def _batches(dataset: Any, what: str, are_events: bool) -> Iterator[dict[str, Any]]:
    """Batches of one event with its latitude, or of many single traces, in order; says how far it is."""
    from seisvision.data.serving.collate import collate_events

    at_once, unit = (1, "events") if are_events else (TRACES_AT_ONCE, "traces")
    latitude_deg = source_latitudes_deg(dataset) if are_events else None
    spoke = monotonic()
    for start in range(0, len(dataset), at_once):
        numbers = range(start, min(start + at_once, len(dataset)))
        batch = collate_events([dataset[number] for number in numbers])
        if latitude_deg is not None:
            batch[SOURCE_LATITUDE_DEG] = latitude_deg[numbers]
            batch[LIVE] = live_vertical(batch)
        yield batch
        if monotonic() - spoke > PROGRESS_S:
            spoke = monotonic()
            log.info("%s features: %d of %d %s", what, numbers.stop, len(dataset), unit)


def source_latitudes_deg(dataset: Any) -> np.ndarray:
    """Latitude of every event (N,) of an `EventSamples`; NaN where it is not known."""
    import pandas as pd

    table = dataset.waveform_set.event_table()
    if "source_latitude_deg" not in table:
        return np.full(len(dataset), np.nan)
    column = table["source_latitude_deg"].loc[list(dataset.source_ids)]
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _refuse_or_report(kind: str, table: FeatureTable) -> None:
    n_incomplete, n = sum(table.problems.values()), len(table.ids)
    if not n_incomplete:
        return
    counted = ", ".join(f"{reason}: {count}" for reason, count in table.problems.items())
    unit = "traces" if kind in TRACE_KINDS else "events"
    message = f"{kind} features are incomplete for {n_incomplete} of {n} {unit} ({counted})"
    if kind in MAY_BE_MISSING:
        log.info(message)
        return
    if n_incomplete > MAX_INCOMPLETE_SHARE * n:
        raise DataError(
            f"{message}, more than {MAX_INCOMPLETE_SHARE:.0%}. This baseline cannot be shown for this data."
        )
    first = int((~np.isfinite(table.values).all(axis=1)).argmax())
    log.warning("%s; the first is '%s'", message, table.ids.ids[first])


def _read(path: Path, ids: SampleIds) -> FeatureTable | None:
    if not path.is_file():
        return None
    try:
        stored = read_arrays(path)
        problems = dict(zip(stored["problems"].tolist(), stored["n_problems"].tolist(), strict=True))
        if stored["source_ids"].tolist() != list(ids.ids):
            raise ValueError("its samples are others")
        return FeatureTable(ids, stored["names"].tolist(), stored["values"], problems)
    except (OSError, ValueError, KeyError) as error:
        log.warning("Cached features %s cannot be read (%s); computing them again", path, error)
        return None


def _write(path: Path, table: FeatureTable) -> None:
    with whole_file(path) as partial:
        np.savez_compressed(
            partial,
            source_ids=np.array(table.ids.ids),
            names=np.array(table.names),
            values=table.values,
            problems=np.array(list(table.problems), dtype=str),
            n_problems=np.array(list(table.problems.values()), dtype=int),
        )
