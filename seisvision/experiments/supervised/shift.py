"""Who still covers where the world is not as it was in the training: a table over shifted sets and other ones."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from seisvision.errors import ConfigurationError
from seisvision.evaluation.conformal import conformal_threshold
from seisvision.experiments.supervised.evaluation import own_network, predict_part, prepare_passes
from seisvision.experiments.supervised.familiar import Familiarity, has_features, validated_alike
from seisvision.experiments.waveforms.asked import AskedNetwork, ask_network
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.predictions import Predictions
from seisvision.records.settings import EvaluateSettings

log = logging.getLogger(__name__)

LOCAL_SOURCE = "seisvision.data.LocalSyntheticSource"
FOLDER_SOURCE = "seisvision.data.FolderSource"
AS_TRAINED = "as in the training"
FASTER, LOUDER_DB = 1.1, 10.0
FOREIGN: dict[str, Any] = {
    "layer_top_km": [0.0, 2.0, 5.0, 30.0, 40.0],
    "vp_km_s": [1.8, 2.6, 4.2, 6.0, 8.0],
    "vp_vs": [1.9, 2.2],
    "depth_km": [15.0, 35.0],
    "magnitude": [1.5, 3.5],
}
"""A basin of slow sediments with deep and larger events: nothing of it was in ``dataset=synthetic_local``."""
REFUSED_SHARE = 0.05
"""Share of validation samples that the rule would refuse: those that are the least known."""
ANSWERED_SHARES = (1.0, 0.9, 0.8, 0.5)
COLUMNS = (
    "output", "condition", "n", "n_events", "median_error", "coverage_68", "coverage_95", "conformal_95",
    "auroc_epistemic", "auroc_sigma", "answered", "coverage_95_answered",
    *(f"median_error_of_{share:.0%}" for share in ANSWERED_SHARES),
    "auroc_features", "answered_by_features", "coverage_95_by_features",
)  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """One world: a name, and the settings of its set; None is the test part of the networks' own set."""

    name: str
    dataset: Mapping[str, Any] | None


def conditions_of(dataset: Mapping[str, Any], n_events: int, sets: Mapping[str, str]) -> list[Condition]:
    """The set that networks learnt from, shifted versions of it where it is local and synthetic, and other sets.

    Args:
        dataset: its settings; other sets are cut like it.
        n_events: of each shifted set; its events are others than those of the training.
        sets: folders of other waveform sets, by name.

    Raises:
        ConfigurationError: there is nothing to compare with.
    """
    source = dict(dataset["source"])
    others = [
        Condition(
            name, {**dataset, "name": name, "source": {"_target_": FOLDER_SOURCE, "path": str(Path(path).absolute())}}
        )
        for name, path in sets.items()
    ]
    if source.get("_target_") != LOCAL_SOURCE:
        if not others:
            raise ConfigurationError(
                f"the networks learnt from {source.get('_target_')}, and only {LOCAL_SOURCE} can be made again with "
                "other velocities and noise. Name sets to compare with: --set NAME=FOLDER."
            )
        return [Condition(AS_TRAINED, None), *others]
    source |= {"n_events": n_events, "seed": int(source["seed"]) + 1}
    changes: dict[str, dict[str, Any]] = {
        "other events and stations": {},
        f"velocities x {FASTER:g}": {"vp_km_s": [round(FASTER * one, 4) for one in source["vp_km_s"]]},
        f"noise + {LOUDER_DB:g} dB": {"noise_db": float(source["noise_db"]) + LOUDER_DB},
        "foreign region": FOREIGN,
    }
    shifted = [Condition(name, {**dataset, "source": source | change}) for name, change in changes.items()]
    return [Condition(AS_TRAINED, None), *shifted, *others]


def ask_under(
    asked: EvaluateSettings, checkpoints: Sequence[Path], conditions: Sequence[Condition]
) -> Iterator[list[Any]]:
    """Rows with ``COLUMNS``, condition by condition.

    Args:
        asked: what is asked, its ``uncertainty`` above all; ``dataset`` is set here.
        checkpoints: of one network, or of the members of an ensemble.
        conditions: the first is the networks' own test part.
    """
    validation: dict[str, Predictions] = {}
    usual: dict[str, Predictions] = {}
    familiarity: Familiarity | None = None
    usual_far: Mapping[str, float] = {}
    for condition in conditions:
        networks = [ask_network(path, replace(asked, dataset=condition.dataset)) for path in checkpoints]
        for network in networks:
            prepare_passes(network, replace(asked, dataset=condition.dataset), len(checkpoints))
        said = _together([predict_part(network, asked, "test") for network in networks])
        if not validation:
            own = [own_network(network, asked) for network in networks]
            validation = _together([predict_part(one, asked, "val") for one in own])
            familiarity = _familiarity(own)
        far = familiarity.distances(networks, "test") if familiarity else {}
        usual, usual_far = usual or said, usual_far or far
        shares = familiarity.shares(far) if familiarity else {}
        refused = {name for name, share in shares.items() if share <= REFUSED_SHARE}
        for name, one in said.items():
            if one.answered.any():
                row = _row(one, usual[name], validation[name])
                yield [name, condition.name, *row, *_features_row(one, far, usual_far, refused)]


def _familiarity(own: Sequence[AskedNetwork]) -> Familiarity | None:
    """What the networks learnt from; None where that cannot be compared."""
    if not all(has_features(one.task) for one in own):
        return None
    if not validated_alike(own):
        log.warning(
            "how familiar samples are is not told: the networks were validated on different samples, as folds are, so "
            "no sample that none of them learnt from has a distance from all. Ask them one by one, or an ensemble of "
            "seeds with one split."
        )
        return None
    return Familiarity(own)


def _together(members: Sequence[dict[str, Predictions]]) -> dict[str, Predictions]:
    if len(members) == 1:
        return members[0]
    return {name: average_predictions([one[name] for one in members]) for name in members[0]}


def _row(said: Predictions, usual: Predictions, validation: Predictions) -> list[float]:
    """What is said of one output under one condition."""
    known = np.flatnonzero(said.answered)
    said = said.take(known)
    size = said.error_sizes().size
    inside68, inside95 = _inside(said, 0.68), _inside(said, 0.95)
    scores: Any = validation.nonconformity()
    threshold = conformal_threshold(scores, validation.source_ids, 0.95)
    doubt = doubt_of(said)
    limit = np.nanquantile(doubt_of(validation), 1 - REFUSED_SHARE)
    answered = doubt <= limit
    ranked = size[np.argsort(doubt, kind="stable")]
    middle = np.mean if said.error_sizes().is_share else np.median
    kept = [float(middle(ranked[: max(1, round(share * len(ranked)))])) for share in ANSWERED_SHARES]
    return [
        len(size),
        len(set(said.source_ids)),
        float(middle(size)),
        _mean(inside68),
        _mean(inside95),
        float(said.conformal(threshold).inside.mean()),
        _area(doubt_of(usual), doubt),
        _area(_spread(usual), _spread(said)),
        float(answered.mean()),
        _mean(inside95[answered]) if answered.any() and len(inside95) else np.nan,
        *kept,
    ]


def _features_row(
    said: Predictions, far: Mapping[str, float], usual_far: Mapping[str, float], refused: Collection[str]
) -> list[float]:
    """How far features are from those that were learnt from, and what is left without the farthest."""
    if not far:
        return [np.nan] * 3
    said = said.take(np.flatnonzero(said.answered))
    answered = np.array([name not in refused for name in said.sample_ids])
    inside95 = _inside(said, 0.95)
    return [
        _area(np.array(list(usual_far.values())), np.array([far[name] for name in said.sample_ids])),
        float(answered.mean()),
        _mean(inside95[answered]) if answered.any() and len(inside95) else np.nan,
    ]


def doubt_of(said: Predictions) -> np.ndarray:
    """What a network does not know of N samples: by this they are refused.

    Of numbers it is the epistemic sigma on the learnt scale, where far events are not less known for being far; of
    angles that in degrees; of classes and bins the mutual information. Without passes or members it is the stated
    spread.
    """
    if "sigma_epistemic" in said.apart:
        return said.apart["sigma_epistemic"] * _per_unit(said)
    return said.apart["mutual_information"] if "mutual_information" in said.apart else _spread(said)


def _spread(said: Predictions) -> np.ndarray:
    """The whole stated spread (N,): sigma, or of classes the entropy."""
    if "class_names" in said.about:
        share = np.clip(said.decoded, 1e-12, 1)
        return -(share * np.log(share)).sum(axis=1)
    return said.decoded[:, 1] * _per_unit(said)


def _per_unit(said: Predictions) -> Any:
    scale = getattr(said, "scale", None)
    return 1.0 if scale is None else scale.slope(said.decoded[:, 0])


def _inside(said: Predictions, level: float) -> np.ndarray:
    """bool (N,) true values in the stated interval of a level; empty where none is stated."""
    stated = getattr(said, "stated", None)
    if stated is None:
        return np.zeros(0, dtype=bool)
    return stated().inside(level) if np.isfinite(said.decoded[:, 1]).any() else np.zeros(0, dtype=bool)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _area(usual: np.ndarray, there: np.ndarray) -> float:
    """Area under the ROC curve: probability that a sample of the other world is less known than one of the usual."""
    usual, there = (one[np.isfinite(one)] for one in (usual, there))
    if not len(usual) or not len(there):
        return np.nan
    ranks = stats.rankdata(np.concatenate([usual, there]))
    return float((ranks[len(usual) :].sum() / len(there) - (len(there) + 1) / 2) / len(usual))
