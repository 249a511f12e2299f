"""Baselines of an evaluation: what the run fitted on its training samples says of the same events as the network."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seisvision import keys
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.errors import DataError
from seisvision.experiments.supervised.baselines.own import FORCE_AZIMUTH, differences, linear_physics
from seisvision.experiments.waveforms.hand_made import features_key
from seisvision.experiments.waveforms.settings import Settings
from seisvision.judging.baselines import Part, asked_beside, fit_output, make_features
from seisvision.judging.stored_baselines import FILE, StoredBaselines, read_stored
from seisvision.outputs.baseline import Baseline
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.predictions import Predictions
from seisvision.outputs.truth import by_column, truth_of
from seisvision.records.folder import RunFolder
from seisvision.records.integrity.manifest import warn_if_altered
from seisvision.records.trust.contents import built_from

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """Baselines of a run beside what its network predicted.

    Args:
        baselines: by output and name; none for outputs without any true value.
        strongest: by output, the name of the one to beat and where it was chosen.
        is_whole: whether all baselines of the run are there, and not only a constant guess.
    """

    baselines: dict[str, dict[str, Baseline]]
    strongest: dict[str, dict[str, Any]]
    is_whole: bool

    def to_metrics(self, predictions: Mapping[str, Predictions], part: str, level: float) -> dict[str, Any]:
        """What ``metrics.json`` of an evaluation says of them, see :func:`compare_with_baselines`."""
        return {
            "baselines": {
                name: {one: baseline.to_dict() for one, baseline in some.items()}
                for name, some in self.baselines.items()
            },
            "strongest_baseline": self.strongest,
            "differences": {
                part: {name: differences(predictions[name], some, part, level) for name, some in self.baselines.items()}
            },
        }


def fit_again(
    checkpoint: Path,
    content: Mapping[str, Any],
    config: Settings,
    data: EventDataModule,
    predictions: Mapping[str, Predictions],
    part: str,
    level: float,
) -> Fitted:
    """The baselines of a run, on the samples that its network predicted in an evaluation.

    They are fitted again on the features in ``baselines.npz`` of the run's folder. Where that is not beside the
    checkpoint, what always guesses the commonest class or the median of the training is all there is.

    Args:
        checkpoint: of the network, below the folder of its run.
        content: what the checkpoint says beside the weights.
        config: of the training, with the data set that is asked about.
        data: serves the samples that were predicted.
        predictions: of the network by output; those without any true value have no baselines.
        part: what ``metrics.json`` calls the samples.
        level: confidence level of the intervals.
    """
    run = RunFolder(checkpoint.resolve().parent.parent)
    warn_if_altered(run, re.compile(re.escape(FILE)))
    path = run.path / FILE
    stored = read_stored(path, data.unit) if path.is_file() else None
    if stored is None:
        log.warning("%s is not there, so no baseline but a constant guess can be shown beside the network.", path)
    baselines: dict[str, dict[str, Baseline]] = {}
    strongest: dict[str, dict[str, Any]] = {}
    for name, said in predictions.items():
        if not said.n_labelled:
            continue
        with built_from(checkpoint, "its constant guess"):
            baselines[name] = _constant(content, name, said, part, level)
        if stored is not None and name in stored.outputs:
            with built_from(path, "what its baselines were fitted on"):
                baselines[name] = _fitted_again(stored, config, data, name, said, part, level)
        baselines[name] |= asked_beside({part: said}, level)
        if stored is not None and name in stored.outputs:
            choice = stored.outputs[name]
            if choice["strongest"] in baselines[name] and not baselines[name][choice["strongest"]].skipped:
                strongest[name] = {"name": choice["strongest"], "chosen_on": choice["chosen_on"]}
    return Fitted(baselines, strongest, stored is not None)


def training_guesses(outputs: list[dict[str, Any]], targets: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What a constant guess of each output would be, for a checkpoint: class frequencies, or the median.

    Args:
        outputs: their descriptions.
        targets: of the training samples, by column.
    """
    guesses: dict[str, Any] = {}
    for about in outputs:
        guess = predictions_class(about["kind"]).training_guess(about, truth_of(about, targets))
        if guess is not None:
            guesses[about["name"]] = guess
    return guesses


def _constant(
    content: Mapping[str, Any], output: str, said: Predictions, part: str, level: float
) -> dict[str, Baseline]:
    """The guess that a checkpoint knows of, if any."""
    guess = content.get("guesses", {}).get(output)
    if guess is None:
        return {}
    name = said.guess_name
    decoded = np.full(said.decoded.shape, np.nan)
    decoded[:, : np.size(guess)] = guess
    constant = type(said).from_decoded(said.about, said.ids, said.target, decoded)
    metrics = {part: constant.measures(level)}
    return {name: Baseline(name, said.guess_description, [], metrics, {part: constant})}


def _fitted_again(
    stored: StoredBaselines,
    config: Settings,
    data: EventDataModule,
    output: str,
    said: Predictions,
    part: str,
    level: float,
) -> dict[str, Baseline]:
    about = dict(said.about)
    dataset = data.variant(list(data.parts), components=keys.COMPONENTS)
    features = make_features(
        dataset,
        data.unit,
        about,
        stored.settings,
        cache_dir=config.system.features_dir,
        key=features_key(config, data, len(dataset)),
    )
    asked = Part(said.ids, by_column(about, said.target))
    if about["kind"] == "class":
        _check_class_numbers(stored.train.targets[about["target"]], len(about["class_names"]))
    parts = {"train": stored.training_part(), part: asked}
    fitted = fit_output(
        stored.beside(features),
        about,
        parts,
        class_weight=stored.outputs[output]["class_weight"],
        level=level,
        seed=stored.seed,
    )
    if about.get("target") == FORCE_AZIMUTH and data.unit == "event":
        try:
            fitted["linear_physics"] = linear_physics(dataset, about, {part: asked}, level)
        except DataError as error:
            log.warning("Baseline 'linear_physics' is left out: %s", error)
    return fitted


def _check_class_numbers(target: np.ndarray, n_classes: int) -> None:
    """Refuse stored numbers of classes that are none, before as many counters are made as the largest says."""
    if target.dtype.kind != "i" or not ((target >= -1) & (target < n_classes)).all():
        raise ValueError(f"it holds numbers of classes that are not from -1 to {n_classes - 1}")
