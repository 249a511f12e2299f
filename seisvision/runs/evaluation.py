"""Evaluate a checkpoint again, or let it predict events it has never seen."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from seisvision.data.datamodule import EventDataModule
from seisvision.data.splits import Split
from seisvision.data.targets import target_arrays, trace_target_arrays
from seisvision.data.traces import build_trace_index
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.evaluation.predictions import Predictions
from seisvision.keys import SPLITS
from seisvision.runs.build import (
    build_task,
    build_view,
    check_location,
    check_origin,
    data_settings,
    fits_in_memory,
)
from seisvision.runs.checkpoint import find_checkpoint, load_checkpoint
from seisvision.runs.clustering import assign_clusters
from seisvision.runs.configuration import instantiate, to_plain
from seisvision.runs.folder import write_json, write_text
from seisvision.runs.location import locate_events
from seisvision.runs.prediction import measure, predict
from seisvision.runs.prediction_table import write_predictions
from seisvision.runs.results import describe_locations, describe_measure
from seisvision.runs.terminal import quiet_libraries, show
from seisvision.runs.trainers import build_predictor
from seisvision.tasks.deep_cluster import DeepClusterTask
from seisvision.tasks.output import Output
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)

ALL = "all"


def evaluate_checkpoint(composed: DictConfig) -> Path:
    """Predict, measure where there are labels, and write ``metrics.json`` and ``predictions.csv``.

    Returns the folder written, which is also the last line on standard output.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        DataError: the waveform set is not the one the checkpoint knows, or is damaged.
        ConfigurationError: the settings do not fit the checkpoint.
    """
    quiet_libraries()
    asked = to_plain(composed)
    checkpoint_path = find_checkpoint(asked["ckpt"])
    checkpoint = load_checkpoint(checkpoint_path)
    content = checkpoint["seisvision"]
    # Published weights would only be overwritten by the checkpoint's own.
    config = {**content["config"], "model": {**content["config"]["model"], "pretrained": False}}
    view = build_view(config)
    task = build_task(config, view)
    task.load_state_dict(checkpoint["state_dict"])

    is_own = asked.get("dataset") is None
    if not is_own:
        section = {"event": "samples", "trace": "traces"}[view.unit]
        _warn_of_other_window(config["dataset"][section], asked["dataset"].get(section) or {})
        config = {**config, "dataset": asked["dataset"]}
        check_origin(config, view)
    check_location({**config, "location": asked["location"]}, view)
    waveform_set = WaveformSet(instantiate(config["dataset"]["source"]).prepare(Path(asked["system"]["data_dir"])))
    settings = data_settings(config, view)
    if is_own:
        _check_same_data(waveform_set, content)
        data = _own_samples(waveform_set, config, content, settings, asked)
    else:
        data = _other_samples(waveform_set, config, settings, asked)
    part = asked["part"] if is_own else ALL
    if isinstance(task, DeepClusterTask):
        part = part if part in data.parts else ALL
        folder = _make_folder(asked, content, waveform_set, part, checkpoint_path)
        trainer = build_predictor(config, asked["accelerator"], asked["system"])
        known = {**config, "level": asked["level"]}
        about = _about(checkpoint_path, content, waveform_set)
        show(assign_clusters(folder, known, trainer, task, data, part, content, about))
        show(str(folder))
        return folder
    predictions = _predict(config, asked, task, data, part)
    validation = None
    if asked["location"] is not None and is_own and part == "test" and "val" in data.parts:
        validation = _predict(config, asked, task, data, "val")
    if not is_own:
        predictions = _with_targets(predictions, task, config, waveform_set)
    train_targets: dict[str, np.ndarray] = dict(data.parts["train"].targets) if is_own else {}
    measured = measure(predictions, {output.name: output for output in task.outputs}, asked["level"], train_targets)

    folder = _make_folder(asked, content, waveform_set, part, checkpoint_path)
    write_predictions(folder / "predictions.csv", predictions, waveform_set.metadata)
    metrics = {"data": _about(checkpoint_path, content, waveform_set), part: measured}
    _report(measured, predictions, part)
    if asked["location"] is not None:
        metrics["location"] = _locate(folder, asked, waveform_set, predictions, validation, part)
        show(describe_locations(metrics["location"]))
    write_json(folder / "metrics.json", metrics)
    show(str(folder))
    return folder


def _make_folder(
    asked: dict[str, Any], content: dict[str, Any], waveform_set: WaveformSet, part: str, checkpoint_path: Path
) -> Path:
    """The folder of this evaluation, with its configuration."""
    name = f"{content['run_id']}-{waveform_set.fingerprint}-{part}-{_short_hash(checkpoint_path, asked)}"
    folder = Path(asked["system"]["runs_dir"]) / "evaluate" / name
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(asked)))
    return folder


def _about(checkpoint_path: Path, content: dict[str, Any], waveform_set: WaveformSet) -> dict[str, str]:
    return {
        "checkpoint": str(checkpoint_path),
        "run_id": content["run_id"],
        "fingerprint": waveform_set.fingerprint,
    }


def _check_same_data(waveform_set: WaveformSet, content: dict[str, Any]) -> None:
    if waveform_set.fingerprint != content["data_fingerprint"]:
        raise DataError(
            f"{waveform_set.path} is not the set the checkpoint was trained on: its fingerprint is "
            f"{waveform_set.fingerprint}, not {content['data_fingerprint']}. Restore the set, or name it as another "
            "one with dataset=... to evaluate on all its events."
        )


def _warn_of_other_window(trained: dict[str, Any], asked: dict[str, Any]) -> None:
    """Time is an axis of the picture: other windows are other pictures."""
    other = asked.get("window", {})
    changed = {name: value for name, value in trained["window"].items() if name in other and other[name] != value}
    if changed:
        log.warning(
            "The network was trained on other windows (%s); its pictures now have another time axis. Set these keys of "
            "the window to compare.",
            ", ".join(f"{name}={value}, now {other[name]}" for name, value in changed.items()),
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
    waveform_set: WaveformSet, config: dict[str, Any], settings: dict[str, Any], asked: dict[str, Any]
) -> EventDataModule:
    """Everything in another set, labelled or not."""
    split = Split({"test": tuple(waveform_set.source_ids)})
    settings = {**settings, "samples": {**settings["samples"], "targets": {}}}
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


def _predict(
    config: dict[str, Any], asked: dict[str, Any], task: SupervisedTask, data: EventDataModule, part: str
) -> dict[str, Predictions]:
    trainer = build_predictor(config, asked["accelerator"], asked["system"])
    parts = list(data.parts) if part == ALL else [part]
    said = [predict(trainer, task, data.loader(name)) for name in parts]
    return {name: type(first).concatenate([one[name] for one in said]) for name, first in said[0].items()}


def _with_targets(
    predictions: dict[str, Predictions], task: SupervisedTask, config: dict[str, Any], waveform_set: WaveformSet
) -> dict[str, Predictions]:
    """Add the true values of another set where it has them, classes in the numbers of the checkpoint."""
    known = {}
    for output in task.outputs:
        said = predictions[output.name]
        class_map = _known_classes(output, config) if output.kind == "class" else None
        try:
            target = _targets(said, output.target, class_map, waveform_set)
        except DataError as error:
            log.warning("%s is predicted but cannot be measured: %s", output.name, error)
        else:
            said = type(said).from_decoded(said.about, said.sample_ids, said.source_ids, target, said.decoded)
        known[output.name] = said
    return known


def _targets(said: Predictions, column: str, class_map: dict[str, int] | None, waveform_set: WaveformSet) -> np.ndarray:
    """True values (N,) of the samples of a set; a DataError where it has no such column."""
    targets = {column: class_map}
    if said.sample_ids == said.source_ids:
        return target_arrays(waveform_set, said.source_ids, targets)[column]
    rows = np.array([int(sample_id) for sample_id in said.sample_ids])
    return trace_target_arrays(waveform_set, rows, build_trace_index(waveform_set, rows).paths, targets)[column]


def _known_classes(output: Output, config: dict[str, Any]) -> dict[str, int]:
    """Values of the other set's column and the class numbers of the checkpoint that they mean."""
    labels = config["dataset"]["labels"].get(output.target) or {}
    number_of = {class_name: number for number, class_name in enumerate(output.describe()["class_names"])}
    unknown = [class_name for class_name in labels if class_name not in number_of]
    if unknown:
        raise ConfigurationError(
            f"dataset.labels.{output.target} names the class '{unknown[0]}', which the checkpoint does not know. "
            f"{did_you_mean(unknown[0], list(number_of))}"
        )
    return {str(value): number_of[name] for name, values in labels.items() for value in values}


def _locate(
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
    return {"part": part, "network": summary.to_dict()}


def _report(measured: dict[str, Any], predictions: dict[str, Predictions], part: str) -> None:
    for name, said in predictions.items():
        if name in measured:
            headline = measured[name][said.headline]
            show(f"{name}: {said.headline} {describe_measure(said.headline, headline)} on {part}")
        else:
            show(f"{name}: {len(said.source_ids)} samples predicted; none has a true value the checkpoint knows")


def _short_hash(path: Path, asked: dict[str, Any]) -> str:
    """Short hash of what was evaluated and how; the machine does not count."""
    settings = json.dumps([asked.get("dataset"), asked["level"], asked["location"]], sort_keys=True)
    return hashlib.sha256(path.read_bytes() + settings.encode()).hexdigest()[:8]
