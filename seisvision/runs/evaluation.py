"""Evaluate a checkpoint again, or let it predict events it has never seen."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.splits import Split
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.files import check_writable, write_text
from seisvision.keys import SPLITS
from seisvision.leftovers import clear_below
from seisvision.outputs.output import Output
from seisvision.outputs.predictions import Predictions
from seisvision.plain_files import check_plain
from seisvision.public import SOURCE
from seisvision.runs.bands import check_bands
from seisvision.runs.baselines.foreign import Fitted, fit_again
from seisvision.runs.build import fits_in_memory
from seisvision.runs.checkpoint import load_checkpoint
from seisvision.runs.clustering import assign_clusters
from seisvision.runs.configuration import instantiate, to_plain
from seisvision.runs.data_checks import check_data
from seisvision.runs.evaluating.other_set import cut_as_trained, may_be_open, warn_of_other_window
from seisvision.runs.folder import RunFolder, write_json
from seisvision.runs.known_events import (
    KEEP,
    LEAVE_OUT,
    KnownEvents,
    Seen,
    by_novelty,
    check_handling,
    seen_in,
    seen_part,
    tell_seen,
)
from seisvision.runs.location import locate_events
from seisvision.runs.prediction import measure, predict, with_targets
from seisvision.runs.prediction_table import write_predictions
from seisvision.runs.reporting import draw_seen, report, write_excluded, write_part_report
from seisvision.runs.results import beside_baselines, describe_locations
from seisvision.runs.settings.checks import check_location, check_origin
from seisvision.runs.settings.data import cut_section, set_settings
from seisvision.runs.terminal import quiet_libraries, show
from seisvision.runs.trainers import build_predictor
from seisvision.runs.trust.contents import built_from, check_content
from seisvision.runs.trust.machine import offset_network
from seisvision.runs.trust.rebuild import rebuild_task
from seisvision.runs.trust.stored import checked_config
from seisvision.tasks.deep_cluster import DeepClusterTask
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)

ALL = "all"


@dataclass(frozen=True)
class Network:
    """A trained network and the samples it is asked about.

    Args:
        path: of its checkpoint.
        content: what the checkpoint says beside the weights.
        config: of its training; with the other set's ``dataset`` where it is asked about another set.
        task: the network.
        data: its own parts as they were in training, or all of another set as ``test``.
        is_own: whether it is asked about the set it was trained on, part by part.
        seen: events of that set that it, or another member of its ensemble, has seen in its training.
        handling: what is done with those: ``leave_out``, ``mark`` or ``keep``.
    """

    path: Path
    content: dict[str, Any]
    config: dict[str, Any]
    task: SupervisedTask
    data: EventDataModule
    is_own: bool
    seen: Seen
    handling: str

    @property
    def outputs(self) -> dict[str, Output]:
        """Outputs by name."""
        return {output.name: output for output in self.task.outputs}

    def about(self) -> dict[str, Any]:
        """What was asked about what, for the record."""
        offsets = {"offset_hash": self.config["offset_hash"]} if self.config.get("offset_ckpt") else {}
        return {
            "checkpoint": str(self.path),
            "run_id": self.content["run_id"],
            "seed": self.content["config"]["seed"],
            "split_hash": self.content["split_hash"],
            "training_fingerprint": self.content["data_fingerprint"],
            "fingerprint": self.data.waveform_set.fingerprint,
            "unit": self.data.unit,
            "samples": {part: len(samples) for part, samples in self.data.parts.items()},
            "events": {part: samples.ids.n_events for part, samples in self.data.parts.items()},
            "excluded": len(self.data.excluded),
            **offsets,
        }

    def predict(self, asked: dict[str, Any], part: str) -> dict[str, Predictions]:
        """Predictions by output of a part of the own set, or of all of another set, with true values where known."""
        trainer = build_predictor(self.config, asked["accelerator"], asked["system"])
        parts = list(self.data.parts) if part == ALL else [part]
        said = [predict(trainer, self.task, self.data.loader(name)) for name in parts]
        predictions = {name: type(first).concatenate([one[name] for one in said]) for name, first in said[0].items()}
        if self.is_own:
            return predictions
        return with_targets(predictions, self.task, self.config, self.data.waveform_set)


def evaluate_checkpoint(composed: DictConfig) -> Path:
    """Predict, measure where there are labels, and write ``metrics.json``, ``predictions.csv``, tables and figures.

    Several checkpoints are averaged, see :mod:`seisvision.runs.ensemble`.

    Returns the folder written, which is also the last line on standard output.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        DataError: the waveform set is not the one the checkpoint knows, or is damaged.
        ConfigurationError: the settings do not fit the checkpoint.
    """
    from seisvision.runs.ensemble import evaluate_ensemble, member_checkpoints

    quiet_libraries()
    asked = to_plain(may_be_open(composed))
    check_writable(Path(asked["system"]["runs_dir"]) / "evaluate", "system.runs_dir")
    paths = member_checkpoints(asked["ckpt"])
    if len(paths) > 1:
        return evaluate_ensemble(asked, paths)
    network = open_network(paths[0], asked)
    part = asked["part"] if network.is_own else ALL
    if isinstance(network.task, DeepClusterTask):
        return _assign(network, network.task, asked, part)
    predictions = network.predict(asked, part)
    validation = None
    # Sigmas are sized on events that are not measured here.
    if asked["location"] is not None and network.is_own and part == "test" and "val" in network.data.parts:
        validation = network.predict(asked, "val")
    train_targets: dict[str, np.ndarray] = dict(network.data.parts["train"].targets) if network.is_own else {}
    run_id, waveform_set = network.content["run_id"], network.data.waveform_set
    folder = result_folder(asked, [network.path], run_id, waveform_set.fingerprint, part)
    write_asked(folder, network, predictions)
    metrics: dict[str, Any] = {"data": network.about(), "training_events": network.seen.describe(network.handling)}
    apart = by_novelty(predictions, part, network.seen, network.handling)
    for name, said in apart.items():
        metrics[name] = measure(said, network.outputs, asked["level"], train_targets)
        report(metrics[name], said, name)
    # The first are the samples that were not seen in the training, where these are told apart.
    part, predictions = next(iter(apart.items()))
    metrics |= baselines_of(network, predictions, part, asked["level"]).to_metrics(predictions, part, asked["level"])
    for name in metrics["baselines"]:
        show(beside_baselines(run_id, metrics, part, name))
    if asked["location"] is not None:
        metrics["location"] = locate(folder, asked, waveform_set, predictions, validation, part)
    write_json(folder / "metrics.json", metrics)
    write_evaluation_report(folder, network, part, predictions, metrics, asked["level"])
    show(str(folder))
    return folder


def baselines_of(network: Network, predictions: Mapping[str, Predictions], part: str, level: float) -> Fitted:
    """The baselines of the run of a network, on the samples that it predicted."""
    return fit_again(network.path, network.content, network.config, network.data, predictions, part, level)


def write_asked(folder: Path, network: Network, predictions: Mapping[str, Predictions]) -> None:
    """Write ``predictions.csv``, with a column ``seen`` where a sample was, and ``excluded.csv``."""
    seen = network.seen.column(next(iter(predictions.values())).source_ids)
    marks = {"seen": seen} if any(seen) else {}
    write_predictions(folder / "predictions.csv", predictions, network.data.waveform_set.metadata, marks)
    write_excluded(folder / "excluded.csv", network.data.excluded)


def _assign(network: Network, task: DeepClusterTask, asked: dict[str, Any], part: str) -> Path:
    """Assign samples to the clusters that a network has learnt; returns the folder written."""
    part = part if part in network.data.parts else ALL
    folder = result_folder(
        asked, [network.path], network.content["run_id"], network.data.waveform_set.fingerprint, part
    )
    trainer = build_predictor(network.config, asked["accelerator"], asked["system"])
    known = {**network.config, "level": asked["level"]}
    about = {"data": network.about(), "training_events": network.seen.describe(network.handling)}
    # The table of the own samples is that of the run.
    seen = Seen() if network.is_own else network.seen
    show(assign_clusters(folder, known, trainer, task, network.data, part, network.content, about, seen))
    write_excluded(folder / "excluded.csv", network.data.excluded)
    show(str(folder))
    return folder


def open_network(path: Path, asked: dict[str, Any], known: Sequence[KnownEvents] | None = None) -> Network:
    """The network of a checkpoint with its own samples, or those of the set that ``asked`` names.

    Sections that it learnt with predicted distances are drawn with those of the same offset network, in any set.

    Args:
        path: of the checkpoint.
        asked: settings of ``conf/evaluate.yaml``.
        known: events that any member of an ensemble has seen in its training; default, those of this network.

    Raises:
        CheckpointError: the checkpoint, or that of its distances, cannot be used.
        DataError: the waveform set is not the one the checkpoint knows, or is damaged.
        ConfigurationError: the settings do not fit the checkpoint.
    """
    with built_from(path):
        checkpoint = load_checkpoint(path)
        check_content(checkpoint, path)
        return _open(path, checkpoint, asked, known)


def _open(
    path: Path, checkpoint: dict[str, Any], asked: dict[str, Any], known: Sequence[KnownEvents] | None
) -> Network:
    content = checkpoint["seisvision"]
    stored = checked_config(content["config"], path)
    config = {**stored, "system": asked["system"], **offset_network(stored, asked)}
    task = rebuild_task(config, checkpoint, path)
    view = task.view

    is_own = asked.get("dataset") is None
    handling = check_handling(asked.get("training_events", LEAVE_OUT))
    if not is_own:
        section = cut_section(view)
        dataset = cut_as_trained(asked["dataset"], section, config["dataset"][section])
        warn_of_other_window(config["dataset"][section], dataset[section])
        config = {**config, "dataset": dataset}
        check_origin(config, view)
    check_location({**config, "location": asked["location"]}, view)
    waveform_set = WaveformSet(
        instantiate(config["dataset"]["source"], SOURCE).prepare(Path(asked["system"]["data_dir"]))
    )
    if is_own:
        _check_same_data(waveform_set, content)
    else:
        check_data(config, waveform_set, fits=False)
    check_bands({**config, "evaluation": {"baselines": False}}, cut_section(view), waveform_set)
    settings = set_settings(config, view, waveform_set)
    if is_own:
        data = _own_samples(waveform_set, config, content, settings, asked)
        # Whoever asks for a part of the training wants it; an ensemble lets nobody speak of what it knows.
        seen = seen_part(content, asked["part"]) if known is None else Seen()
        return Network(path, content, config, task, data, True, seen, KEEP if handling == LEAVE_OUT else handling)
    cache_dir = Path(asked["system"]["data_dir"]) / "features"
    seen = seen_in(waveform_set, [KnownEvents.of_checkpoint(content)] if known is None else known, cache_dir)
    tell_seen(seen, len(waveform_set), handling)
    left_out = seen.reasons() if handling == LEAVE_OUT else {}
    data = _other_samples(waveform_set, config, settings, asked, left_out)
    return Network(path, content, config, task, data, False, seen, handling)


def result_folder(asked: dict[str, Any], checkpoints: Sequence[Path], name: str, fingerprint: str, part: str) -> Path:
    """Make the folder of an evaluation; the same evaluation has the same folder."""
    folder_name = f"{name}-{fingerprint}-{part}-{_short_hash(checkpoints, asked)}"
    folder = Path(asked["system"]["runs_dir"]) / "evaluate" / folder_name
    folder.mkdir(parents=True, exist_ok=True)
    check_plain(folder)
    clear_below(folder)
    write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(asked)))
    return folder


def _check_same_data(waveform_set: WaveformSet, content: dict[str, Any]) -> None:
    if waveform_set.fingerprint != content["data_fingerprint"]:
        raise DataError(
            f"{waveform_set.path} is not the set the checkpoint was trained on: its fingerprint is "
            f"{waveform_set.fingerprint}, not {content['data_fingerprint']}. Restore the set, or name it as another "
            "one with dataset=... to evaluate on all its events."
        )


def _own_samples(
    waveform_set: WaveformSet,
    config: dict[str, Any],
    content: dict[str, Any],
    settings: dict[str, Any],
    asked: dict[str, Any],
) -> EventDataModule:
    """The parts as they were in training, taken from the checkpoint and not drawn again."""
    if asked["part"] not in (*SPLITS, ALL):
        raise ConfigurationError(f"part='{asked['part']}' is unknown. {did_you_mean(asked['part'], [*SPLITS, ALL])}")
    split = Split({part: tuple(ids) for part, ids in content["split"].items()}, content["split_unit"])
    return _data_module(waveform_set, split, config, settings, asked)


def _other_samples(
    waveform_set: WaveformSet,
    config: dict[str, Any],
    settings: dict[str, Any],
    asked: dict[str, Any],
    left_out: Mapping[str, str],
) -> EventDataModule:
    """Everything in another set, labelled or not, but for what is left out."""
    split = Split({"test": tuple(name for name in waveform_set.source_ids if name not in left_out)})
    settings = {**settings, "samples": {**settings["samples"], "targets": {}}, "left_out": left_out}
    return _data_module(waveform_set, split, config, settings, asked)


def _data_module(
    waveform_set: WaveformSet, split: Split, config: dict[str, Any], settings: dict[str, Any], asked: dict[str, Any]
) -> EventDataModule:
    return EventDataModule(
        waveform_set,
        split,
        **settings,
        batch_size=config["trainer"]["batch_size"],
        num_workers=asked["system"]["num_workers"],
        in_memory=fits_in_memory(asked["system"], waveform_set, settings),
        seed=config["seed"],
        refit=config["split"]["refit"] and bool(settings["samples"]["targets"]),
    )


def locate(
    folder: Path,
    asked: dict[str, Any],
    waveform_set: WaveformSet,
    predictions: dict[str, Predictions],
    validation: dict[str, Predictions] | None,
    part: str,
) -> dict[str, Any]:
    """Locate the events from the predicted distances; without validation events the scale is that of the residuals."""
    output = asked["location"]["output"]
    if output not in predictions:
        raise ConfigurationError(f"location.output='{output}' is none of the outputs: {', '.join(predictions)}")
    calibration = None if validation is None else validation[output]
    said = predictions[output]
    summary, _ = locate_events(folder, asked["location"], waveform_set, said, calibration, asked["level"])
    located = {"part": part, "network": summary.to_dict()}
    show(describe_locations(located))
    return located


def write_evaluation_report(
    folder: Path,
    network: Network,
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


def _short_hash(checkpoints: Sequence[Path], asked: dict[str, Any]) -> str:
    """Short hash of what was evaluated and how; the machine does not count."""
    wanted = [asked.get("dataset"), asked["level"], asked["location"], asked.get("training_events", LEAVE_OUT)]
    # Checkpoints by content, not by path: a folder that moves keeps its evaluations.
    settings = json.dumps(wanted, sort_keys=True)
    return hashlib.sha256(b"".join(path.read_bytes() for path in checkpoints) + settings.encode()).hexdigest()[:8]
