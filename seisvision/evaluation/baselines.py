"""What a network has to beat: guessing, and logistic regressions on hand-made features of the same events.

Everything is fitted on the training events only; validation and test events are only predicted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from seisvision.errors import DataError
from seisvision.evaluation.class_predictions import ClassPredictions
from seisvision.evaluation.feature_table import FeatureTable, compute_feature_table
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.predictions import Predictions

log = logging.getLogger(__name__)

DESCRIPTIONS = {
    "majority": "always the commonest class of the training events",
    "geometry": "logistic regression on offsets and number of stations (finds leaks, should only guess)",
    "band_power": "logistic regression on log power in frequency bands",
    "spectral_ratio": "logistic regression on the log power ratio of two frequency bands",
    "station_only": "class frequencies of the same station among the training samples, nothing of the waveform",
    "physics": "expert: logistic regression on P, S, Rayleigh and Love power ratios, knows origin time and offsets",
}


RATIO_BANDS_HZ = ((6.0, 15.0), (1.0, 5.0))
"""One ratio of these separates low-frequency events of a volcano from its earthquakes nearly by itself."""
STATION_COLUMNS = ("station_network_code", "station_code")


@dataclass(frozen=True)
class Baseline:
    """A baseline on the split of the network, or the reason why there is none."""

    name: str
    description: str
    feature_names: list[str] = field(default_factory=list)
    metrics: Mapping[str, Mapping[str, Measure]] = field(default_factory=dict)
    """Measures by part of the split (all but the training part) and metric."""
    predictions: Mapping[str, Predictions] = field(default_factory=dict)
    """Predictions by part of the split, for paired comparisons with a network."""
    skipped: str | None = None
    """Why the baseline is not shown; None where it is."""

    def to_dict(self) -> dict[str, Any]:
        """Description and measures as plain values for JSON."""
        measures = {
            part: {name: measure.to_dict() for name, measure in metrics.items()}
            for part, metrics in self.metrics.items()
        }
        return {"description": self.description, "features": self.feature_names, "skipped": self.skipped, **measures}


def event_baselines(
    dataset: Any,
    labels: Mapping[str, int],
    parts: Mapping[str, Sequence[str]],
    class_names: Sequence[str],
    *,
    cache_dir: str | Path,
    key: str,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Any,
) -> dict[str, Baseline]:
    """Compute the features of all events (cached) and fit every baseline that the data allow.

    Args:
        dataset: `seisvision.data.samples.EventSamples` of the whole set, without augmentation.
        labels: class number of every event; events that are absent or -1 are left out.
        parts: event ids of ``train``, ``val`` and ``test``.
        class_names: K names.
        cache_dir: folder of cached feature tables.
        key: fingerprint of the waveform set and settings of the samples, see `compute_feature_table`.
        settings: settings of the feature functions by kind.
        options: passed to `fit_baselines`.
    """
    features: dict[str, FeatureTable | str] = {}
    for kind in ("geometry", "band_power", "physics"):
        try:
            features[kind] = compute_feature_table(dataset, kind, (settings or {}).get(kind), cache_dir, key)
        except DataError as error:
            log.warning("Baseline '%s' is left out: %s", kind, error)
            features[kind] = str(error)
    return fit_baselines(features, labels, parts, class_names, **options)


def trace_baselines(
    dataset: Any,
    about: Mapping[str, Any],
    parts: Mapping[str, Any],
    *,
    cache_dir: str | Path,
    key: str,
    bands_hz: Sequence[tuple[float, float]] = RATIO_BANDS_HZ,
    **options: Any,
) -> dict[str, Baseline]:
    """Fit the baselines of a classifier of single traces: ``majority``, ``spectral_ratio`` and ``station_only``.

    Args:
        dataset: `seisvision.data.traces.TraceSamples` of all parts, without augmentation.
        about: description of the output: ``target`` and ``class_names``.
        parts: by name (``train`` and others) what has ``sample_ids``, ``source_ids`` and ``targets``.
        cache_dir: folder of cached feature tables.
        key: fingerprint of the waveform set and settings of the samples, see `compute_feature_table`.
        bands_hz: the band above and the band below the line of the power ratio.
        options: ``class_weight`` and ``level`` of `fit_baselines`.
    """
    features: dict[str, FeatureTable | str] = {}
    try:
        settings = {"bands_hz": [list(band) for band in bands_hz]}
        features["spectral_ratio"] = compute_feature_table(dataset, "spectral_ratio", settings, cache_dir, key)
    except DataError as error:
        log.warning("Baseline 'spectral_ratio' is left out: %s", error)
        features["spectral_ratio"] = str(error)
    table = dataset.waveform_set.metadata.iloc[[int(sample_id) for sample_id in dataset.sample_ids]]
    columns = [table[name].astype(str) for name in STATION_COLUMNS if name in table]
    stations = dict(zip(dataset.sample_ids, zip(*columns, strict=True), strict=True)) if columns else {}
    return fit_baselines(
        features,
        {
            sample_id: int(number)
            for one in parts.values()
            for sample_id, number in zip(one.sample_ids, one.targets[about["target"]], strict=True)
        },
        {part: one.sample_ids for part, one in parts.items()},
        about["class_names"],
        source_of={
            sample_id: source_id
            for one in parts.values()
            for sample_id, source_id in zip(one.sample_ids, one.source_ids, strict=True)
        },
        stations=stations,
        **options,
    )


def fit_baselines(
    features: Mapping[str, FeatureTable | str],
    labels: Mapping[str, int],
    parts: Mapping[str, Sequence[str]],
    class_names: Sequence[str],
    *,
    source_of: Mapping[str, str] | None = None,
    stations: Mapping[str, Any] | None = None,
    class_weight: Literal["balanced"] | None = None,
    level: float = 0.95,
) -> dict[str, Baseline]:
    """Fit the majority guess and one logistic regression per feature table on the training samples.

    Features are standardised with training statistics; a missing value becomes the training median.

    Args:
        features: tables by baseline name; a string is the reason why a baseline cannot be had.
        labels: class number by sample id; samples that are absent or -1 are left out.
        parts: sample ids by part of the split; ``train`` is fitted, all others are predicted.
        class_names: K names.
        source_of: event by sample id where samples are traces; None where they are events.
        stations: station by sample id; adds ``station_only``.
        class_weight: ``balanced`` where the network's loss is weighted by inverse class frequency.
        level: confidence level of the intervals.

    Returns:
        Baselines by name, ``majority`` first.

    Raises:
        DataError: there are no labelled training samples, or a table lacks samples of the split.
    """
    ids = {part: [i for i in part_ids if labels.get(i, -1) >= 0] for part, part_ids in parts.items()}
    targets = {part: np.array([labels[i] for i in part_ids], dtype=int) for part, part_ids in ids.items()}
    if not ids.get("train"):
        raise DataError("Baselines need labelled training events and there are none. Check the labels and the split.")
    train_target = targets["train"]
    evaluated = [part for part in ids if part != "train"]

    def finish(name: str, feature_names: list[str], probability: Mapping[str, np.ndarray]) -> Baseline:
        about = {"kind": "class", "class_names": list(class_names)}
        said: dict[str, Predictions] = {}
        for part in evaluated:
            events = [source_of[i] for i in ids[part]] if source_of is not None else ids[part]
            said[part] = ClassPredictions.from_decoded(about, ids[part], events, targets[part], probability[part])
        metrics = {part: one.measures(level, train_target) for part, one in said.items()}
        return Baseline(name, _describe(name), feature_names, metrics, said)

    frequency = np.bincount(train_target, minlength=len(class_names)) / len(train_target)
    guess = {part: np.tile(frequency, (len(ids[part]), 1)) for part in evaluated}
    results = {"majority": finish("majority", [], guess)}
    if stations:
        results["station_only"] = finish("station_only", [], _by_station(stations, ids, train_target, frequency))
    for name, table in features.items():
        reason = table if isinstance(table, str) else _why_not(train_target, class_names)
        if isinstance(table, str) or reason:
            results[name] = Baseline(name, _describe(name), skipped=reason)
            continue
        values = {part: table.select(ids[part]) for part in ids}
        results[name] = finish(name, table.names, _fit_predict(values, train_target, len(class_names), class_weight))
    return results


def _by_station(
    stations: Mapping[str, Any], ids: Mapping[str, Sequence[str]], train_target: np.ndarray, frequency: np.ndarray
) -> dict[str, np.ndarray]:
    """Class frequencies (N, K) of the station of every sample among the training samples, else those of all."""
    counts: dict[Any, np.ndarray] = {}
    for sample_id, number in zip(ids["train"], train_target, strict=True):
        counts.setdefault(stations[sample_id], np.zeros(len(frequency)))[number] += 1
    known = {station: count / count.sum() for station, count in counts.items()}
    return {
        part: np.array([known.get(stations[i], frequency) for i in part_ids]).reshape(-1, len(frequency))
        for part, part_ids in ids.items()
    }


def _describe(name: str) -> str:
    return DESCRIPTIONS.get(name, "logistic regression")


def _why_not(train_target: np.ndarray, class_names: Sequence[str]) -> str | None:
    present = np.unique(train_target)
    return None if len(present) > 1 else f"all training events are of class {class_names[present[0]]}"


def _fit_predict(
    values: Mapping[str, np.ndarray], train_target: np.ndarray, n_classes: int, class_weight: str | None
) -> dict[str, np.ndarray]:
    """Class probabilities (N, K) of every part but the training part; classes without training events get zero."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(max_iter=10_000, class_weight=class_weight),
    )
    model.fit(values["train"], train_target)
    probability = {}
    for part, rows in values.items():
        if part != "train":
            probability[part] = np.zeros((len(rows), n_classes))
            if len(rows):
                probability[part][:, model.classes_] = model.predict_proba(rows)
    return probability
