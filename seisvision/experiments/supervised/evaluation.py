"""Evaluate a checkpoint again, or let it predict events it has never seen."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError
from seisvision.experiments.supervised.baselines.foreign import Fitted, fit_again
from seisvision.experiments.supervised.drawn_answers import draw_answers
from seisvision.experiments.supervised.locating import locate_events
from seisvision.experiments.supervised.prediction import measure, predict, with_targets
from seisvision.experiments.supervised.reporting import draw_seen, report, write_part_report
from seisvision.experiments.supervised.results import beside_baselines, describe_locations
from seisvision.experiments.supervised.uncertainty import check_uncertainty, passes_of
from seisvision.experiments.waveforms.asked import ALL, AskedNetwork, ask_network, result_folder
from seisvision.experiments.waveforms.tables import write_excluded
from seisvision.outputs.predictions import Predictions
from seisvision.records.folder import RunFolder, write_json
from seisvision.records.known_events import (
    by_novelty,
)
from seisvision.records.prediction_table import write_predictions
from seisvision.records.settings import EvaluateSettings
from seisvision.runs.terminal import show
from seisvision.runs.trainers import build_predictor

log = logging.getLogger(__name__)


def evaluate(asked: EvaluateSettings, checkpoints: Sequence[Path]) -> Path:
    """Predict, measure where there are labels, and write ``metrics.json``, ``predictions.csv``, tables and figures.

    Args:
        asked: settings of ``conf/evaluate.yaml``.
        checkpoints: of one network.

    Returns:
        The folder written, which is also the last line on standard output.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        DataError: the waveform set is not the one the checkpoint knows, or is damaged.
        ConfigurationError: the settings do not fit the checkpoint.
    """
    network = ask_network(checkpoints[0], asked)
    prepare_passes(network, asked)
    part = asked.part if network.is_own else ALL
    predictions = predict_part(network, asked, part)
    validation = None
    # Sigmas are sized on events that are not measured here.
    if asked.location is not None and network.is_own and part == "test" and "val" in network.data.parts:
        validation = predict_part(network, asked, "val")
    train_targets: dict[str, np.ndarray] = dict(network.data.parts["train"].targets) if network.is_own else {}
    run_id, waveform_set = network.content["run_id"], network.data.waveform_set
    folder = result_folder(asked, [network.path], run_id, waveform_set.fingerprint, part)
    write_asked(folder, network, predictions)
    metrics: dict[str, Any] = {"data": network.about(), "training_events": network.seen.describe(network.handling)}
    apart = by_novelty(predictions, part, network.seen, network.handling)
    for name, said in apart.items():
        metrics[name] = measure(said, network.outputs, asked.level, train_targets)
        report(metrics[name], said, name)
    # The first are the samples that were not seen in the training, where these are told apart.
    part, predictions = next(iter(apart.items()))
    metrics |= baselines_of(network, predictions, part, asked.level).to_metrics(predictions, part, asked.level)
    for name in metrics["baselines"]:
        show(beside_baselines(run_id, metrics, part, name))
    if asked.location is not None:
        metrics["location"] = locate(folder, asked.location, asked.level, waveform_set, predictions, validation, part)
    write_json(folder / "metrics.json", metrics)
    write_evaluation_report(folder, network, part, predictions, metrics, asked.level)
    show(str(folder))
    return folder


def prepare_passes(network: AskedNetwork, asked: EvaluateSettings, n_networks: int = 1) -> None:
    """Have a network asked as the group ``uncertainty`` says; what has to be fitted sees its own training samples only.

    Raises:
        ConfigurationError: the method does not go with the network, or with the number of networks.
    """
    check_uncertainty(asked.uncertainty, network.task, n_networks)

    def training() -> Iterable[Mapping[str, Any]]:
        own = network if network.is_own else ask_network(network.path, replace(asked, dataset=None, location=None))
        return own.data.loader("train")

    network.task.passes = passes_of(asked.uncertainty, network.task, training)


def predict_part(network: AskedNetwork, asked: EvaluateSettings, part: str) -> dict[str, Predictions]:
    """Predictions by output of a part of the own set, or of all of another set, with true values where known."""
    trainer = build_predictor(network.config.trainer, asked.system, asked.accelerator)
    parts = list(network.data.parts) if part == ALL else [part]
    said = [predict(trainer, network.task, network.data.loader(name)) for name in parts]
    predictions = {name: type(first).concatenate([one[name] for one in said]) for name, first in said[0].items()}
    if network.is_own:
        return predictions
    return with_targets(predictions, network.task, network.config, network.data.waveform_set)


def baselines_of(network: AskedNetwork, predictions: Mapping[str, Predictions], part: str, level: float) -> Fitted:
    """The baselines of the run of a network, on the samples that it predicted."""
    return fit_again(network.path, network.content, network.config, network.data, predictions, part, level)


def write_asked(folder: Path, network: AskedNetwork, predictions: Mapping[str, Predictions]) -> None:
    """Write ``predictions.csv``, with a column ``seen`` where a sample was, and ``excluded.csv``."""
    seen = network.seen.column(next(iter(predictions.values())).source_ids)
    marks = {"seen": seen} if any(seen) else {}
    write_predictions(folder / "predictions.csv", predictions, network.data.waveform_set.metadata, marks)
    write_excluded(folder / "excluded.csv", network.data.excluded)


def locate(
    folder: Path,
    settings: Mapping[str, Any],
    level: float,
    waveform_set: WaveformSet,
    predictions: dict[str, Predictions],
    validation: dict[str, Predictions] | None,
    part: str,
) -> dict[str, Any]:
    """Locate the events from the predicted distances; without validation events the scale is that of the residuals."""
    output = settings["output"]
    if output not in predictions:
        raise ConfigurationError(f"location.output='{output}' is none of the outputs: {', '.join(predictions)}")
    calibration = None if validation is None else validation[output]
    said = predictions[output]
    summary, _ = locate_events(folder, settings, waveform_set, said, calibration, level)
    located = {"part": part, "network": summary.to_dict()}
    show(describe_locations(located))
    return located


def write_evaluation_report(
    folder: Path,
    network: AskedNetwork,
    part: str,
    predictions: dict[str, Predictions],
    metrics: dict[str, Any],
    level: float,
) -> None:
    """Write the tables and figures of a training run, but for its learning curves, and some samples with predictions.

    Samples that ``network`` does not have, such as those that only another member of an ensemble can use, are left out.
    """
    view, data = network.task.view, network.data
    known = {str(sample_id) for samples in data.parts.values() for sample_id in samples.sample_ids}
    ids = next(iter(predictions.values())).sample_ids
    kept = [sample_id for sample_id in ids if sample_id in known]
    if len(kept) < len(ids):
        log.warning(
            "%s cannot use %d of %d samples; tables and pictures of samples leave them out, the measures have them.",
            network.content["run_id"], len(ids) - len(kept), len(ids),
        )  # fmt: skip
        predictions = {name: said.select(kept) for name, said in predictions.items()}
    if not kept:
        return
    write_part_report(RunFolder(folder), data, view, part, predictions, metrics, level)
    draw_seen(RunFolder(folder), data, view, part, predictions)
    draw_answers(RunFolder(folder), data, network.task, part, predictions)
