"""Evaluate a checkpoint again, or let it predict events it has never seen."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from seisvision.data.datamodule import EventDataModule
from seisvision.data.samples import target_arrays
from seisvision.data.splits import Split
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError, did_you_mean
from seisvision.evaluation.comparison import ClassPredictions
from seisvision.keys import SPLITS
from seisvision.runs.build import build_predictor, build_task, build_view, sample_settings
from seisvision.runs.checkpoint import find_checkpoint, load_checkpoint
from seisvision.runs.configuration import instantiate, to_plain
from seisvision.runs.folder import write_json, write_text
from seisvision.runs.prediction import measure, predict, write_predictions
from seisvision.runs.results import with_interval
from seisvision.runs.terminal import quiet_libraries, show
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
        _warn_of_other_window(config["dataset"]["samples"], asked["dataset"]["samples"])
        config = {**config, "dataset": asked["dataset"]}
    settings = sample_settings(config, view.components)
    waveform_set = WaveformSet(instantiate(config["dataset"]["source"]).prepare(Path(asked["system"]["data_dir"])))
    if is_own:
        _check_same_data(waveform_set, content)
        data = _own_events(waveform_set, config, content, settings, asked)
    else:
        data = _other_events(waveform_set, config, settings, asked)
    part = asked["part"] if is_own else ALL
    predictions = _predict(config, asked, task, data, part)
    if not is_own:
        predictions = _with_labels(predictions, task, config, waveform_set)
    train_targets: dict[str, np.ndarray] = dict(data.parts["train"].targets) if is_own else {}
    measured = measure(task, predictions, asked["level"], train_targets)

    name = f"{content['run_id']}-{waveform_set.fingerprint}-{part}-{_short_hash(checkpoint_path, asked)}"
    folder = Path(asked["system"]["runs_dir"]) / "evaluate" / name
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(asked)))
    write_predictions(folder / "predictions.csv", task, predictions)
    about = {"checkpoint": str(checkpoint_path), "run_id": content["run_id"], "fingerprint": waveform_set.fingerprint}
    write_json(folder / "metrics.json", {"data": about, part: measured})
    _report(measured, predictions, part)
    show(str(folder))
    return folder


def _check_same_data(waveform_set: WaveformSet, content: dict[str, Any]) -> None:
    if waveform_set.fingerprint != content["data_fingerprint"]:
        raise DataError(
            f"{waveform_set.path} is not the set the checkpoint was trained on: its fingerprint is "
            f"{waveform_set.fingerprint}, not {content['data_fingerprint']}. Restore the set, or name it as another "
            "one with dataset=... to evaluate on all its events."
        )


def _warn_of_other_window(trained: dict[str, Any], asked: dict[str, Any]) -> None:
    """Time is an axis of the picture: another window length is another scale."""
    lengths_s = trained["window"]["length_s"], asked["window"]["length_s"]
    if lengths_s[0] != lengths_s[1]:
        log.warning(
            "The network was trained on windows of %g s and now gets %g s; its pictures have another time scale. "
            "Set dataset.samples.window.length_s=%g to compare.",
            *lengths_s,
            lengths_s[0],
        )


def _own_events(
    waveform_set: WaveformSet,
    config: dict[str, Any],
    content: dict[str, Any],
    settings: dict[str, Any],
    asked: dict[str, Any],
) -> EventDataModule:
    """The parts as they were in training, taken from the checkpoint and not drawn again."""
    if asked["part"] not in (*SPLITS, ALL):
        raise ConfigurationError(f"part='{asked['part']}' is unknown. {did_you_mean(asked['part'], [*SPLITS, ALL])}")
    split = Split({part: tuple(ids) for part, ids in content["split"].items()})
    return _data_module(waveform_set, split, config, settings, asked)


def _other_events(
    waveform_set: WaveformSet, config: dict[str, Any], settings: dict[str, Any], asked: dict[str, Any]
) -> EventDataModule:
    """All events of another set, labelled or not."""
    split = Split({"test": tuple(waveform_set.source_ids)})
    return _data_module(waveform_set, split, config, {**settings, "targets": {}}, asked)


def _data_module(
    waveform_set: WaveformSet, split: Split, config: dict[str, Any], settings: dict[str, Any], asked: dict[str, Any]
) -> EventDataModule:
    return EventDataModule(
        waveform_set,
        split,
        samples=settings,
        batch_size=config["trainer"]["batch_size"],
        num_workers=asked["system"]["num_workers"],
        min_stations=config["dataset"]["samples"]["min_stations"],
        seed=config["seed"],
        refit=config["split"]["refit"] and bool(settings["targets"]),
    )


def _predict(
    config: dict[str, Any], asked: dict[str, Any], task: SupervisedTask, data: EventDataModule, part: str
) -> dict[str, ClassPredictions]:
    trainer = build_predictor(config, asked["system"])
    parts = list(data.parts) if part == ALL else [part]
    said = [predict(trainer, task, data.loader(name)) for name in parts]
    return {
        name: ClassPredictions(
            [source_id for one in said for source_id in one[name].source_ids],
            np.concatenate([one[name].target for one in said]),
            np.concatenate([one[name].probability for one in said]),
        )
        for name in said[0]
    }


def _with_labels(
    predictions: dict[str, ClassPredictions], task: SupervisedTask, config: dict[str, Any], waveform_set: WaveformSet
) -> dict[str, ClassPredictions]:
    """Add the true classes of another set where it has them, in the class numbers of the checkpoint."""
    labelled = {}
    known_columns = waveform_set.event_table().columns
    for output in task.outputs:
        said = predictions[output.name]
        labels = config["dataset"]["labels"].get(output.target) or {}
        number_of = {class_name: number for number, class_name in enumerate(output.class_names)}
        unknown = [class_name for class_name in labels if class_name not in number_of]
        if unknown:
            raise ConfigurationError(
                f"dataset.labels.{output.target} names the class '{unknown[0]}', which the checkpoint does not know. "
                f"{did_you_mean(unknown[0], list(number_of))}"
            )
        if output.target in known_columns:
            values = {str(value): number_of[name] for name, values in labels.items() for value in values}
            targets = target_arrays(waveform_set, said.source_ids, {output.target: values})
            said = replace(said, target=targets[output.target])
        labelled[output.name] = said
    return labelled


def _report(measured: dict[str, Any], predictions: dict[str, ClassPredictions], part: str) -> None:
    for name, said in predictions.items():
        if name in measured:
            accuracy = measured[name]["accuracy"]
            show(f"{name}: accuracy {with_interval(accuracy)} on {accuracy['n']} events ({part})")
        else:
            show(f"{name}: {len(said.source_ids)} events predicted; none has a label the checkpoint knows")


def _short_hash(path: Path, asked: dict[str, Any]) -> str:
    """Short hash of what was evaluated and how; the machine does not count."""
    settings = json.dumps([asked.get("dataset"), asked["level"]], sort_keys=True)
    return hashlib.sha256(path.read_bytes() + settings.encode()).hexdigest()[:8]
