"""What a network that predicts numbers or angles has to beat: one constant, regressions on few features, and trees on
all of them.

Everything is fitted on the training samples only; validation and test samples are only predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.evaluation.baselines.feature_table import FeatureTable
from seisvision.evaluation.baselines.learners import FEWEST_TRAINING, LEARNERS, known_columns, regressor
from seisvision.outputs.baseline import Baseline
from seisvision.outputs.kinds import predictions_class
from seisvision.picking.s_minus_p import fit_distance_curve
from seisvision.seeding import DEFAULT_SEED, stream_seed

DESCRIPTIONS = {
    "median": "always the median of the training samples (circular median for angles)",
    "band_power": "ridge regression on log power in frequency bands",
    "two_feature": "gradient boosting on the time from onset to peak and the length of the coda",
    "s_minus_p": "automatic P and S picks, S minus P",
    "polarisation": "direction of the motion just after P on three components, nothing fitted",
    **LEARNERS,
}
TRANSFORMS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]] = {
    "none": (np.asarray, np.asarray),
    "log": (np.log, np.exp),
    "log1p": (np.log1p, np.expm1),
}
"""Functions of targets and their inverses."""


def fit_regression_baselines(
    features: Mapping[str, FeatureTable | str],
    about: Mapping[str, Any],
    parts: Mapping[str, Any],
    *,
    everything: FeatureTable | None = None,
    level: float = 0.95,
    seed: int = DEFAULT_SEED,
) -> dict[str, Baseline]:
    """Fit the constant guess, one regression per feature table, and trees on all features together.

    Numbers are fitted on the scale of ``about["transform"]``, angles as their cosine and sine.

    Args:
        features: tables by name of the baseline (see `DESCRIPTIONS`); text is the reason why one cannot be had.
        about: description of the output, kind ``scalar`` or ``angle``.
        parts: by name what has ``ids`` and ``targets``; ``train`` is fitted.
        everything: all features of the samples side by side, for the trees; None: no trees.
        level: confidence level of the intervals.
        seed: base seed of the trees.

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
            part: kind.from_decoded(about, parts[part].ids, targets[part], _decoded(kind, about, values[part]))
            for part in evaluated
        }
        metrics = {part: one.measures(level) for part, one in said.items()}
        return Baseline(name, DESCRIPTIONS[name] + used, feature_names, metrics, said)

    guess = kind.training_guess(about, train_target)
    results = {"median": finish("median", [], {part: np.full(len(targets[part]), guess) for part in evaluated})}
    tables = dict(features) | ({} if everything is None else dict.fromkeys(LEARNERS, everything))
    for name, table in tables.items():
        if name not in DESCRIPTIONS:
            raise ConfigurationError(f"Unknown baseline '{name}'. {did_you_mean(name, list(DESCRIPTIONS))}")
        reason = (
            table if isinstance(table, str) else _why_not(name, table.select(np.array(parts["train"].ids.ids)[trained]))
        )
        if isinstance(table, str) or reason:
            results[name] = Baseline(name, DESCRIPTIONS[name], skipped=reason)
            continue
        rows = {part: table.select(parts[part].ids.ids) for part in parts}
        used = ""
        if name == "polarisation":
            values = {part: rows[part][:, 0] % float(about["period_deg"]) for part in evaluated}
            counts = ", ".join(f"{np.isfinite(one).sum()} of {len(one)} in {part}" for part, one in values.items())
            used = f"; answers {counts}"
        elif name == "s_minus_p":
            curve = fit_distance_curve(rows["train"][:, 0], train_target, parts["train"].ids.source_ids)
            values, used = {part: curve(rows[part][:, 0]) for part in evaluated}, f": {curve.used}"
        else:
            model = _Regression(name, about, seed).fit(rows["train"][trained], train_target[trained])
            values = {part: model.predict(rows[part]) for part in evaluated}
        results[name] = finish(name, table.names, values, used)
    return results


class _Regression:
    """Ridge regression or trees on the scale of an output."""

    def __init__(self, name: str, about: Mapping[str, Any], seed: int) -> None:
        self.is_angle = "period_deg" in about
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
        self.kept = known_columns(features)
        features = features[:, self.kept]
        self.models = [
            regressor(self.name, len(features), self.is_angle, self.seed).fit(features, values) for values in wanted
        ]
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Values (N,) in the unit of the target; a line is not followed beyond the training targets."""
        if not len(features):
            return np.zeros(0)
        said = [model.predict(features[:, self.kept]) for model in self.models]
        if self.is_angle:
            return np.arctan2(said[1], said[0]) / self.to_phase % (2 * np.pi / self.to_phase)
        return self.inverse(np.clip(said[0], *self.limits))


def _decoded(kind: Any, about: Mapping[str, Any], values: np.ndarray) -> np.ndarray:
    """Values (N,) as an output decodes them, without uncertainty."""
    decoded = np.full((len(values), kind.width(about)), np.nan)
    decoded[:, 0] = values
    return decoded


def _why_not(name: str, train_rows: np.ndarray) -> str | None:
    """Why nothing can be fitted to the features (N, F) of the training samples that have a target."""
    if name in ("s_minus_p", "polarisation"):
        return None
    if len(train_rows) < FEWEST_TRAINING:
        return f"only {len(train_rows)} training samples have a target; {FEWEST_TRAINING} are needed"
    return None if len(known_columns(train_rows)) else "no feature is known of any training sample"
