"""Evaluate a checkpoint again, or let it predict events it has never seen."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seisvision import keys
from seisvision.errors import ConfigurationError, DataError
from seisvision.experiments.supervised.baselines.foreign import Fitted, fit_again
from seisvision.experiments.supervised.conformal import add_conformal
from seisvision.experiments.supervised.drawn_answers import draw_answers
from seisvision.experiments.supervised.familiar import Familiarity, has_features
from seisvision.experiments.supervised.locating import locate_events
from seisvision.experiments.supervised.prediction import measure, predict, with_targets
from seisvision.experiments.supervised.reporting import draw_seen, report, samples_of, write_part_report
from seisvision.experiments.supervised.results import beside_baselines, describe_locations
from seisvision.experiments.supervised.single import POLARISATION, SINGLE, Recorded, locate_from_single
from seisvision.experiments.supervised.uncertainty import check_uncertainty, passes_of
from seisvision.experiments.waveforms.asked import ALL, AskedNetwork, ask_network, result_folder
from seisvision.experiments.waveforms.sets.sample_facts import sample_facts
from seisvision.experiments.waveforms.tables import write_excluded
from seisvision.outputs.predictions import Predictions
from seisvision.records.folder import RunFolder, write_metrics
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
    # Sigmas and conformal intervals are sized on events that are not measured here.
    validation = own_validation(network, asked, part)
    train_targets: dict[str, np.ndarray] = dict(network.data.parts["train"].targets) if network.is_own else {}
    run_id, waveform_set = network.content["run_id"], network.data.waveform_set
    folder = result_folder(asked, [network.path], run_id, waveform_set.fingerprint, part)
    write_asked(folder, network, predictions, _familiar(network, asked, part))
    metrics: dict[str, Any] = {"data": network.about(), "training_events": network.seen.describe(network.handling)}
    apart = by_novelty(predictions, part, network.seen, network.handling)
    for name, said in apart.items():
        metrics[name] = measure(said, network.outputs, asked.level, train_targets)
        if validation is not None and said:
            samples = samples_of(network.data, next(iter(said.values())))
            add_conformal(metrics, validation, said, name, sample_facts(samples), asked.level)
        report(metrics[name], said, name)
    # The first are the samples that were not seen in the training, where these are told apart.
    part, predictions = next(iter(apart.items()))
    metrics |= baselines_of(network, predictions, part, asked.level).to_metrics(predictions, part, asked.level)
    for name in metrics["baselines"]:
        show(beside_baselines(run_id, metrics, part, name))
    if asked.location is not None:
        metrics["location"] = locate(folder, asked, network, predictions, validation, part)
    write_metrics(folder / "metrics.json", metrics)
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
        return own_network(network, asked).data.loader("train")

    network.task.passes = passes_of(asked.uncertainty, network.task, training)


def own_validation(network: AskedNetwork, asked: EvaluateSettings, part: str) -> dict[str, Predictions] | None:
    """What the network says of its own validation events where these are not what it is asked about; else None.

    For another set too, if its own can still be had and uncertainties or places of single stations are asked for.
    """
    is_single = (asked.location or {}).get("mode") == SINGLE
    wanted = network.is_own or asked.uncertainty is not None or is_single
    if not wanted or (network.is_own and part != "test"):
        return None
    try:
        own = own_network(network, asked)
    except DataError as error:
        if is_single:
            raise
        log.warning("there are no conformal intervals, for the validation events cannot be had: %s", error)
        return None
    own.task.passes = network.task.passes
    return predict_part(own, asked, "val") if "val" in own.data.parts else None


def own_network(network: AskedNetwork, asked: EvaluateSettings) -> AskedNetwork:
    """A network with the samples of its own set, whatever it is asked about."""
    return network if network.is_own else ask_network(network.path, replace(asked, dataset=None, location=None))


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


def _familiar(network: AskedNetwork, asked: EvaluateSettings, part: str) -> dict[str, float]:
    """By sample, the share of validation samples that is no more familiar; nothing where that cannot be had."""
    if asked.uncertainty is None or not has_features(network.task):
        return {}
    try:
        own = own_network(network, asked)
    except DataError as error:
        log.warning("how familiar samples are is not told, for the training events cannot be had: %s", error)
        return {}
    if "val" not in own.data.parts:
        return {}
    familiarity = Familiarity([own])
    parts = list(network.data.parts) if part == ALL else [part]
    shares = [familiarity.shares(familiarity.distances([network], one)) for one in parts]
    return {name: share for one in shares for name, share in one.items()}


def write_asked(
    folder: Path,
    network: AskedNetwork,
    predictions: Mapping[str, Predictions],
    familiar: Mapping[str, float] | None = None,
) -> None:
    """Write ``predictions.csv`` and ``excluded.csv``.

    Columns ``seen`` and ``familiar`` stand there where a sample was seen, and where that was asked.
    """
    first = next(iter(predictions.values()))
    seen = network.seen.column(first.source_ids)
    marks: dict[str, Sequence[Any]] = {"seen": seen} if any(seen) else {}
    if familiar:
        marks["familiar"] = [round(familiar[name], 6) for name in first.sample_ids]
    write_predictions(folder / "predictions.csv", predictions, network.data.waveform_set.table, marks)
    write_excluded(folder / "excluded.csv", network.data.excluded)


def locate(
    folder: Path,
    asked: EvaluateSettings,
    network: AskedNetwork,
    predictions: dict[str, Predictions],
    validation: dict[str, Predictions] | None,
    part: str,
) -> dict[str, Any]:
    """Locate the events from the predicted distances; without validation events the scale is that of the residuals.

    From single stations, validation events of the network's own set size the regions of another set, too.
    """
    settings, waveform_set = asked.location or {}, network.data.waveform_set
    output = settings["output"]
    if output not in predictions:
        raise ConfigurationError(f"location.output='{output}' is none of the outputs: {', '.join(predictions)}")
    if settings["mode"] == SINGLE:
        recorded = None
        if settings["classical"] or settings["back_azimuth"] == POLARISATION:
            own = own_network(network, asked).data
            cut = {
                name: own.variant([name], components=keys.COMPONENTS) for name in ("train", "val") if name in own.parts
            }
            asked_about = network.data.variant([part if network.is_own else "test"], components=keys.COMPONENTS)
            recorded = Recorded(asked_about, cut.get("val"), cut["train"])
        seed = network.config.seed
        located = locate_from_single(
            folder, settings, waveform_set, predictions, validation, part, asked.level, seed, recorded
        )
    else:
        calibration = validation[output] if validation is not None and network.is_own else None
        summary, _ = locate_events(folder, settings, waveform_set, predictions[output], calibration, asked.level)
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
