"""What a classifier has to beat: guessing, logistic regressions on few features, and trees on all of them.

Everything is fitted on the training events only; validation and test events are only predicted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import DataError
from seisvision.evaluation.baselines.feature_table import FeatureTable
from seisvision.evaluation.baselines.learners import FEWEST_TRAINING, LEARNERS, classifier, known_columns
from seisvision.outputs.baseline import Baseline
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.kinds import Predictions
from seisvision.seeding import DEFAULT_SEED, stream_seed

DESCRIPTIONS = {
    "majority": "always the commonest class of the training events",
    "station_count": "logistic regression on the number of stations, which the width of a column gives away",
    "geometry": "logistic regression on offsets and number of stations (finds leaks, should only guess)",
    "band_power": "logistic regression on log power in frequency bands",
    "spectral_ratio": "logistic regression on the log power ratio of two frequency bands",
    "station_only": "class frequencies of the same station among the training samples, nothing of the waveform",
    "physics": "expert: logistic regression on P, S, Rayleigh and Love power ratios, knows origin time and offsets",
    **LEARNERS,
}


def fit_baselines(
    features: Mapping[str, FeatureTable | str],
    labels: Mapping[str, int],
    parts: Mapping[str, SampleIds],
    class_names: Sequence[str],
    *,
    everything: FeatureTable | None = None,
    stations: Mapping[str, Any] | None = None,
    class_weight: Literal["balanced"] | None = None,
    level: float = 0.95,
    seed: int = DEFAULT_SEED,
) -> dict[str, Baseline]:
    """Fit the majority guess, one logistic regression per feature table, and trees on all features together.

    Features of regressions are standardised with training statistics; a missing value becomes the training median.

    Args:
        features: tables by baseline name; a string is the reason why a baseline cannot be had.
        labels: class number by sample id; samples that are absent or -1 are left out.
        parts: samples by part of the split; ``train`` is fitted, all others are predicted.
        class_names: K names.
        everything: all features of the samples side by side, for the trees; None: no trees.
        stations: station by sample id; adds ``station_only``.
        class_weight: ``balanced`` where the network's loss is weighted by inverse class frequency.
        level: confidence level of the intervals.
        seed: base seed of the trees.

    Returns:
        Baselines by name, ``majority`` first.

    Raises:
        DataError: there are no labelled training samples, or a table lacks samples of the split.
    """
    known = {part: one.select([i for i in one.ids if labels.get(i, -1) >= 0]) for part, one in parts.items()}
    ids = {part: one.ids for part, one in known.items()}
    targets = {part: np.array([labels[i] for i in part_ids], dtype=int) for part, part_ids in ids.items()}
    if not ids.get("train"):
        raise DataError("Baselines need labelled training events and there are none. Check the labels and the split.")
    train_target = targets["train"]
    evaluated = [part for part in ids if part != "train"]

    def finish(name: str, feature_names: list[str], probability: Mapping[str, np.ndarray]) -> Baseline:
        about = {"kind": "class", "class_names": list(class_names)}
        said: dict[str, Predictions] = {}
        for part in evaluated:
            said[part] = ClassPredictions.from_decoded(about, known[part], targets[part], probability[part])
        metrics = {part: one.measures(level, train_target) for part, one in said.items()}
        return Baseline(name, _describe(name), feature_names, metrics, said)

    frequency = np.bincount(train_target, minlength=len(class_names)) / len(train_target)
    guess = {part: np.tile(frequency, (len(ids[part]), 1)) for part in evaluated}
    results = {"majority": finish("majority", [], guess)}
    if stations:
        results["station_only"] = finish("station_only", [], _by_station(stations, ids, train_target, frequency))
    tables = dict(features) | ({} if everything is None else dict.fromkeys(LEARNERS, everything))
    for name, table in tables.items():
        reason = table if isinstance(table, str) else _why_not(name, table, ids["train"], train_target, class_names)
        if isinstance(table, str) or reason:
            results[name] = Baseline(name, _describe(name), skipped=reason)
            continue
        values = {part: table.select(ids[part]) for part in ids}
        model = classifier(name, len(train_target), class_weight, stream_seed(seed, "baseline") % 2**32)
        results[name] = finish(name, table.names, _fit_predict(model, values, train_target, len(class_names)))
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


def _why_not(
    name: str, table: FeatureTable, train_ids: Sequence[str], train_target: np.ndarray, class_names: Sequence[str]
) -> str | None:
    present = np.unique(train_target)
    if not len(known_columns(table.select(train_ids))):
        return "no feature is known of any training sample"
    if len(present) == 1:
        return f"all training events are of class {class_names[present[0]]}"
    if name in LEARNERS and len(train_target) < FEWEST_TRAINING:
        return f"only {len(train_target)} training samples have a class; {FEWEST_TRAINING} are needed"
    return None


def _fit_predict(
    model: Any, values: Mapping[str, np.ndarray], train_target: np.ndarray, n_classes: int
) -> dict[str, np.ndarray]:
    """Class probabilities (N, K) of every part but the training part; classes without training events get zero."""
    kept = known_columns(values["train"])
    model.fit(values["train"][:, kept], train_target)
    probability = {}
    for part, rows in values.items():
        if part != "train":
            probability[part] = np.zeros((len(rows), n_classes))
            if len(rows):
                probability[part][:, model.classes_] = model.predict_proba(rows[:, kept])
    return probability
