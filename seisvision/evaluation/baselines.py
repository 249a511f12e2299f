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
from seisvision.evaluation.classification import classification_metrics
from seisvision.evaluation.comparison import ClassPredictions
from seisvision.evaluation.feature_table import FeatureTable, compute_feature_table
from seisvision.evaluation.intervals import Measure
from seisvision.seeding import DEFAULT_SEED

log = logging.getLogger(__name__)

DESCRIPTIONS = {
    "majority": "always the commonest class of the training events",
    "geometry": "logistic regression on offsets and number of stations (finds leaks, should only guess)",
    "band_power": "logistic regression on log power in frequency bands",
    "physics": "expert: logistic regression on P, S, Rayleigh and Love power ratios, knows origin time and offsets",
}


@dataclass(frozen=True)
class Baseline:
    """A baseline on the split of the network, or the reason why there is none."""

    name: str
    description: str
    feature_names: list[str] = field(default_factory=list)
    metrics: dict[str, dict[str, Measure]] = field(default_factory=dict)
    """Measures by part of the split (all but the training part) and metric."""
    predictions: dict[str, ClassPredictions] = field(default_factory=dict)
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


def fit_baselines(
    features: Mapping[str, FeatureTable | str],
    labels: Mapping[str, int],
    parts: Mapping[str, Sequence[str]],
    class_names: Sequence[str],
    *,
    class_weight: Literal["balanced"] | None = None,
    level: float = 0.95,
    seed: int = DEFAULT_SEED,
    n_resamples: int = 1000,
) -> dict[str, Baseline]:
    """Fit the majority guess and one logistic regression per feature table on the training events.

    Features are standardised with training statistics; a missing value becomes the training median.

    Args:
        features: tables by baseline name; a string is the reason why a baseline cannot be had.
        labels: class number by event id; events that are absent or -1 are left out.
        parts: event ids by part of the split; ``train`` is fitted, all others are predicted.
        class_names: K names.
        class_weight: ``balanced`` where the network's loss is weighted by inverse class frequency.
        level: confidence level of the intervals.
        seed: seed of the bootstrap.
        n_resamples: bootstrap resamples.

    Returns:
        Baselines by name, ``majority`` first.

    Raises:
        DataError: there are no labelled training events, or a table lacks events of the split.
    """
    ids = {part: [i for i in part_ids if labels.get(i, -1) >= 0] for part, part_ids in parts.items()}
    targets = {part: np.array([labels[i] for i in part_ids], dtype=int) for part, part_ids in ids.items()}
    if not ids.get("train"):
        raise DataError("Baselines need labelled training events and there are none. Check the labels and the split.")
    train_target = targets["train"]
    evaluated = [part for part in ids if part != "train"]

    def finish(name: str, feature_names: list[str], probability: Mapping[str, np.ndarray]) -> Baseline:
        said = {part: ClassPredictions(ids[part], targets[part], probability[part]) for part in evaluated}
        options: dict[str, Any] = {"train_target": train_target, "seed": seed, "n_resamples": n_resamples}
        metrics = {
            part: classification_metrics(one.target, one.probability, class_names, level, **options)
            for part, one in said.items()
        }
        return Baseline(name, _describe(name), feature_names, metrics, said)

    frequency = np.bincount(train_target, minlength=len(class_names)) / len(train_target)
    guess = {part: np.tile(frequency, (len(ids[part]), 1)) for part in evaluated}
    results = {"majority": finish("majority", [], guess)}
    for name, table in features.items():
        reason = table if isinstance(table, str) else _why_not(train_target, class_names)
        if isinstance(table, str) or reason:
            results[name] = Baseline(name, _describe(name), skipped=reason)
            continue
        values = {part: table.select(ids[part]) for part in ids}
        results[name] = finish(name, table.names, _fit_predict(values, train_target, len(class_names), class_weight))
    return results


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
