"""Features of every event of a set, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from zipfile import BadZipFile

import numpy as np

from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.evaluation.features import (
    FEATURES_VERSION,
    SOURCE_LATITUDE_DEG,
    FeatureBatch,
    band_power_features,
    geometry_features,
    physics_features,
)

log = logging.getLogger(__name__)

KINDS = {"geometry": geometry_features, "band_power": band_power_features, "physics": physics_features}
"""Functions from a batch and settings to features."""

MAX_INCOMPLETE_SHARE = 0.2
"""A kind of feature that is incomplete for more events than this is refused: the baseline would be a guess."""

PROGRESS_S = 10.0


@dataclass(frozen=True)
class FeatureTable:
    """Features of N events."""

    source_ids: list[str]
    """N event ids."""
    names: list[str]
    """F feature names."""
    values: np.ndarray
    """float64 (N, F); NaN where a feature cannot be computed."""

    def select(self, source_ids: Sequence[str]) -> np.ndarray:
        """Rows (len(source_ids), F) in the order asked for.

        Raises:
            DataError: an event is not in the table.
        """
        row = {source_id: i for i, source_id in enumerate(self.source_ids)}
        missing = [source_id for source_id in source_ids if source_id not in row]
        if missing:
            raise DataError(
                f"{len(missing)} of {len(source_ids)} events have no features, the first is '{missing[0]}'. "
                "Compute the features on the whole waveform set, not on one part of the split."
            )
        return self.values[[row[source_id] for source_id in source_ids]]


def compute_feature_table(
    dataset: Any,
    kind: str,
    settings: Mapping[str, Any] | None,
    cache_dir: str | Path,
    key: str,
) -> FeatureTable:
    """Features of every event of ``dataset``, from the cache where they were computed before.

    Args:
        dataset: `seisvision.data.samples.EventSamples` of the whole set, without augmentation.
        kind: a name of `KINDS`.
        settings: keyword arguments of the feature function, plain values; part of the cache key.
        cache_dir: folder of cached tables, made if needed.
        key: what else decides the values: fingerprint of the waveform set and settings of the samples.

    Raises:
        ConfigurationError: unknown ``kind``.
        DataError: the data lack what the features need, for all or for too many events.
    """
    if kind not in KINDS:
        raise ConfigurationError(f"Unknown kind of features '{kind}'. {did_you_mean(kind, list(KINDS))}")
    settings = dict(settings or {})
    identity = json.dumps([key, kind, settings, FEATURES_VERSION, dataset.source_ids], sort_keys=True)
    path = Path(cache_dir) / f"features-{kind}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.npz"
    cached = _read(path)
    if cached is not None:
        log.debug("%s features of %d events read from %s", kind, len(cached.source_ids), path)
        return cached
    table, problems = _compute(dataset, kind, settings)
    _refuse_or_report(kind, table, problems)
    _write(path, table)
    return table


def _compute(dataset: Any, kind: str, settings: dict[str, Any]) -> tuple[FeatureTable, list[str | None]]:
    from seisvision.data.samples import collate_events

    if not len(dataset):
        raise DataError(f"The set holds no events, so there are no {kind} features. Check the waveform set.")
    latitude_deg = source_latitudes_deg(dataset)
    results: list[FeatureBatch] = []
    spoke = monotonic()
    for number in range(len(dataset)):
        batch = collate_events([dataset[number]])
        batch[SOURCE_LATITUDE_DEG] = latitude_deg[[number]]
        results.append(KINDS[kind](batch, **settings))
        if monotonic() - spoke > PROGRESS_S:
            spoke = monotonic()
            log.info("%s features: %d of %d events", kind, number + 1, len(dataset))
    values = np.concatenate([result.values for result in results])
    problems = [problem for result in results for problem in result.problems]
    return FeatureTable(list(dataset.source_ids), results[0].names, values), problems


def source_latitudes_deg(dataset: Any) -> np.ndarray:
    """Latitude of every event (N,) of an `EventSamples`; NaN where it is not known."""
    import pandas as pd

    table = dataset.waveform_set.event_table()
    if "source_latitude_deg" not in table:
        return np.full(len(dataset), np.nan)
    column = table["source_latitude_deg"].loc[list(dataset.source_ids)]
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _refuse_or_report(kind: str, table: FeatureTable, problems: Sequence[str | None]) -> None:
    reasons = Counter(problem for problem in problems if problem is not None)
    if not reasons:
        return
    counted = ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
    message = f"{kind} features are incomplete for {reasons.total()} of {len(problems)} events ({counted})"
    if reasons.total() > MAX_INCOMPLETE_SHARE * len(problems):
        raise DataError(
            f"{message}, more than {MAX_INCOMPLETE_SHARE:.0%}. This baseline cannot be shown for this data."
        )
    log.warning("%s; the first is '%s'", message, table.source_ids[[p is not None for p in problems].index(True)])


def _read(path: Path) -> FeatureTable | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            return FeatureTable(stored["source_ids"].tolist(), stored["names"].tolist(), stored["values"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        log.warning("Cached features %s cannot be read (%s); computing them again", path, error)
        return None


def _write(path: Path, table: FeatureTable) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}-{os.getpid()}.npz")
    try:
        np.savez_compressed(
            temporary, source_ids=np.array(table.source_ids), names=np.array(table.names), values=table.values
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
