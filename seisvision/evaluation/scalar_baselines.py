"""What a network that predicts numbers or angles has to beat: one constant, and regressions on hand-made features.

Everything is fitted on the training samples only; validation and test samples are only predicted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.evaluation.baselines import Baseline
from seisvision.evaluation.feature_table import FeatureTable, compute_feature_table
from seisvision.evaluation.predictions import predictions_class
from seisvision.evaluation.s_minus_p import fit_distance_curve
from seisvision.seeding import DEFAULT_SEED, stream_seed

log = logging.getLogger(__name__)

OFFSET_TARGET = "path_ep_distance_km"
DESCRIPTIONS = {
    "median": "always the median of the training samples (circular median for angles)",
    "band_power": "ridge regression on log power in frequency bands",
    "two_feature": "gradient boosting on the time from onset to peak and the length of the coda",
    "s_minus_p": "automatic P and S picks, S minus P",
}
RIDGE_STRENGTHS = np.logspace(-3, 3, 13)
FEWEST_TRAINING = 10
"""Regressions need at least this many training samples with a target."""
TRANSFORMS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]] = {
    "none": (np.asarray, np.asarray),
    "log": (np.log, np.exp),
    "log1p": (np.log1p, np.expm1),
}
"""Functions of targets and their inverses."""


def regression_baselines(
    dataset: Any,
    about: Mapping[str, Any],
    parts: Mapping[str, Any],
    *,
    cache_dir: str | Path,
    key: str,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    level: float = 0.95,
    seed: int = DEFAULT_SEED,
) -> dict[str, Baseline]:
    """Compute the features of all samples (cached) and fit every baseline that fits the output.

    Events get ``median`` and ``band_power``; single traces get ``median`` and, where the output is their offset,
    ``two_feature`` and ``s_minus_p``.

    Args:
        dataset: `EventSamples` or `TraceSamples` of all parts, components Z, N, E, without augmentation.
        about: description of the output, kind ``scalar`` or ``angle``.
        parts: by name (``train`` and others) what has ``sample_ids``, ``source_ids`` and ``targets``.
        cache_dir: folder of cached feature tables.
        key: fingerprint of the waveform set and settings of the samples, see `compute_feature_table`.
        settings: settings of the feature functions by kind.
        level: confidence level of the intervals.
        seed: base seed of the gradient boosting.
    """
    is_event = list(dataset.sample_ids) == list(dataset.source_ids)
    kinds = ["band_power"] if is_event else []
    if not is_event and about["kind"] == "scalar" and about["target"] == OFFSET_TARGET:
        kinds = ["two_feature", "s_minus_p"]
    features: dict[str, FeatureTable | str] = {}
    for kind in kinds:
        try:
            features[kind] = compute_feature_table(dataset, kind, (settings or {}).get(kind), cache_dir, key)
        except DataError as error:
            log.warning("Baseline '%s' is left out: %s", kind, error)
            features[kind] = str(error)
    return fit_regression_baselines(features, about, parts, level=level, seed=seed)


def fit_regression_baselines(
    features: Mapping[str, FeatureTable | str],
    about: Mapping[str, Any],
    parts: Mapping[str, Any],
    *,
    level: float = 0.95,
    seed: int = DEFAULT_SEED,
) -> dict[str, Baseline]:
    """Fit the constant guess and one regression per feature table on the training samples.

    Numbers are fitted on the scale of ``about["transform"]``, angles as their cosine and sine.

    Args:
        features: tables by name of the baseline (see `DESCRIPTIONS`); text is the reason why one cannot be had.
        about: description of the output, kind ``scalar`` or ``angle``.
        parts: by name what has ``sample_ids``, ``source_ids`` and ``targets``; ``train`` is fitted.
        level: confidence level of the intervals.
        seed: base seed of the gradient boosting.

    Returns:
        Baselines by name, ``median`` first.

    Raises:
        ConfigurationError: a table has a name without a regression.
        DataError: no training sample has a target, or a table lacks samples.
    """
    kind = predictions_class(about["kind"])
    targets = {part: np.asarray(one.targets[about["target"]], float) for part, one in parts.items()}
    train_target = targets.get("train", np.zeros(0))
    trained = np.isfinite(train_target)
    if not trained.any():
        raise DataError("Baselines need training samples with a target and there are none. Check the target column.")
    evaluated = [part for part in parts if part != "train"]

    def finish(name: str, feature_names: list[str], values: Mapping[str, np.ndarray], used: str = "") -> Baseline:
        said = {
            part: kind.from_decoded(
                about, parts[part].sample_ids, parts[part].source_ids, targets[part], _decoded(kind, values[part])
            )
            for part in evaluated
        }
        metrics = {part: one.measures(level) for part, one in said.items()}
        return Baseline(name, DESCRIPTIONS[name] + used, feature_names, metrics, said)

    guess = kind.from_decoded(about, [], [], np.zeros(0), _decoded(kind, np.zeros(0))).guess(train_target)
    results = {"median": finish("median", [], {part: np.full(len(targets[part]), guess) for part in evaluated})}
    for name, table in features.items():
        if name not in DESCRIPTIONS:
            raise ConfigurationError(f"Unknown baseline '{name}'. {did_you_mean(name, list(DESCRIPTIONS))}")
        reason = table if isinstance(table, str) else _why_not(name, int(trained.sum()))
        if isinstance(table, str) or reason:
            results[name] = Baseline(name, DESCRIPTIONS[name], skipped=reason)
            continue
        rows = {part: table.select(parts[part].sample_ids) for part in parts}
        used = ""
        if name == "s_minus_p":
            curve = fit_distance_curve(rows["train"][:, 0], train_target, parts["train"].source_ids)
            values, used = {part: curve(rows[part][:, 0]) for part in evaluated}, f": {curve.used}"
        else:
            model = _Regression(name, about, seed).fit(rows["train"][trained], train_target[trained])
            values = {part: model.predict(rows[part]) for part in evaluated}
        results[name] = finish(name, table.names, values, used)
    return results


class _Regression:
    """Ridge or gradient boosting on the scale of an output."""

    def __init__(self, name: str, about: Mapping[str, Any], seed: int) -> None:
        self.is_angle = about["kind"] == "angle"
        self.to_phase = 2 * np.pi / float(about["period_deg"]) if self.is_angle else 1.0
        self.forward, self.inverse = TRANSFORMS[about.get("transform", "none")]
        self.name, self.seed = name, stream_seed(seed, "baseline") % 2**32
        self.limits = (-np.inf, np.inf)

    def fit(self, features: np.ndarray, target: np.ndarray) -> _Regression:
        """Fit features (N, F) to targets (N,)."""
        if self.is_angle:
            wanted = [np.cos(target * self.to_phase), np.sin(target * self.to_phase)]
        else:
            wanted = [self.forward(target)]
            self.limits = float(wanted[0].min()), float(wanted[0].max())
        self.models = [self._model().fit(features, values) for values in wanted]
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Values (N,) in the unit of the target; a line is not followed beyond the training targets."""
        if not len(features):
            return np.zeros(0)
        said = [model.predict(features) for model in self.models]
        if self.is_angle:
            return np.arctan2(said[1], said[0]) / self.to_phase % (2 * np.pi / self.to_phase)
        return self.inverse(np.clip(said[0], *self.limits))

    def _model(self) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if self.name == "two_feature":
            return HistGradientBoostingRegressor(
                loss="absolute_error", max_iter=200, learning_rate=0.05, max_depth=3, random_state=self.seed
            )
        return make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), RidgeCV(RIDGE_STRENGTHS)
        )


def _decoded(kind: Any, values: np.ndarray) -> np.ndarray:
    """Values (N,) as an output decodes them, without uncertainty."""
    decoded = np.full((len(values), len(kind.parts)), np.nan)
    decoded[:, 0] = values
    return decoded


def _why_not(name: str, n_training: int) -> str | None:
    if name == "s_minus_p" or n_training >= FEWEST_TRAINING:
        return None
    return f"only {n_training} training samples have a target; {FEWEST_TRAINING} are needed"
