"""Classes told by a few examples: the nearest mean of features, of a trained network, an untrained one and by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seisvision import keys
from seisvision.data.splitting.splits import Split
from seisvision.errors import ConfigurationError, DataError
from seisvision.experiments.waveforms.asked import ALL, AskedNetwork, ask_network
from seisvision.experiments.waveforms.hand_made import feature_settings, features_key
from seisvision.experiments.waveforms.network import build_task
from seisvision.judging.baselines import make_features
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.prediction_table import read_predictions
from seisvision.records.settings import EvaluateSettings, SystemSettings
from seisvision.seeding import numpy_stream

TRAINED, UNTRAINED, BY_HAND = "trained network", "untrained network", "hand-made features"
LOW, HIGH = 5, 95
"""Percentiles of the draws that are told."""


@dataclass(frozen=True)
class FewShots:
    """Balanced accuracy (D,) over draws of so many events of each class."""

    features: str
    shots: int
    balanced_accuracy: np.ndarray


@dataclass(frozen=True)
class ToldByFew:
    """All kinds of features and numbers of examples, on the same samples."""

    rows: list[FewShots]
    n_seen: int
    """Test events of the run that the network has learnt from or been chosen on, under whatever id; left out."""
    n_seen_examples: int
    """Events of which examples are drawn that it has seen so, which stay: their labels are not new to it."""


def few_shots(network: Path, run: RunFolder, shots: Sequence[int], n_draws: int = 50) -> ToldByFew:
    """Tell the test samples of a run by the nearest mean of a few of its training events (Snell et al. 2017).

    Nothing is learnt. Features are brought to mean 0 and deviation 1 over the training samples, whose labels but for
    those drawn are not used. Test events that the network has seen in its training are left out for all features alike.

    Args:
        network: run folder or checkpoint; its backbone gives the features.
        run: a finished run of the new region with a class output; its split counts.
        shots: events of each class.
        n_draws: of events.

    Raises:
        ConfigurationError: the first output is no class, or a class has too few training events.
        DataError: the network has seen all test events in its training.

    Reference: Snell, Swersky and Zemel (2017), Prototypical networks for few-shot learning, arXiv:1703.05175.
    """
    config, about = run.config(), read_json(run.metrics_file)["outputs"][0]
    if "class_names" not in about:
        raise ConfigurationError(
            f"{run.path} tells {about['name']}, and only classes have prototypes. Fine-tune instead."
        )
    system = SystemSettings.of(config["system"])
    asked = EvaluateSettings(
        str(network), ALL, system, training_events="mark", dataset=config["dataset"], record=config
    )
    opened = ask_network(network, asked)
    samples = opened.data.parts["test"]
    ids, events = list(samples.sample_ids), list(samples.ids.source_ids)
    classes = _classes(config, about, opened, ids)
    split = Split.load(run.split_file)
    names = ids if split.unit == opened.data.unit == "trace" else events
    learnt_from = np.isin(names, split.parts["train"]) & (classes >= 0)
    asked_about = np.isin(ids, read_predictions(run.predictions_file, about).sample_ids) & (classes >= 0)
    seen = np.array([bool(mark) for mark in opened.seen.column(events)])
    tested = asked_about & ~seen
    if not tested.any():
        raise DataError(
            f"{network} has seen all test events of {run.path} in its training: nothing new is left to tell. Take a "
            "network that learnt elsewhere, or a run whose test events are others."
        )
    untrained = build_task(opened.config, opened.task.view)
    tables = {
        TRAINED: network_features(opened.task, opened),
        UNTRAINED: network_features(untrained, opened),
        BY_HAND: _hand_made(opened, about, ids),
    }
    found = []
    for name, table in tables.items():
        centred = _standardised(table, learnt_from)
        for k in shots:
            draws = [
                _balanced(centred, classes, tested, _drawn(np.array(events), classes, learnt_from, k, about, draw))
                for draw in range(n_draws)
            ]
            found.append(FewShots(name, k, np.array(draws)))
    n_seen, n_seen_examples = (len(set(np.array(events)[rows & seen])) for rows in (asked_about, learnt_from))
    return ToldByFew(found, n_seen, n_seen_examples)


@torch.inference_mode()
def network_features(task: Any, opened: AskedNetwork) -> np.ndarray:
    """Features (N, F) of all samples of the set that a network is asked about, in their order."""
    task.eval()
    drawn = [task.model(task.view(batch)) for batch in opened.data.loader("test")]
    return torch.cat(drawn).double().numpy()


def _hand_made(opened: AskedNetwork, about: Mapping[str, Any], ids: Sequence[str]) -> np.ndarray:
    dataset = opened.data.variant(["test"], components=keys.COMPONENTS)
    tables = make_features(
        dataset,
        opened.data.unit,
        about,
        feature_settings(opened.config),
        cache_dir=opened.config.system.features_dir,
        key=features_key(opened.config, opened.data, len(dataset)),
    ).together
    return np.concatenate([table.select(ids) for table in tables.values()], axis=1)


def _classes(
    config: Mapping[str, Any], about: Mapping[str, Any], opened: AskedNetwork, ids: Sequence[str]
) -> np.ndarray:
    """Class number of each sample (N,) by the labels of the run; -1 without one."""
    labels = config["dataset"]["labels"][about["target"]]
    number_of = {
        str(value): about["class_names"].index(name)
        for name, values in labels.items()
        if name in about["class_names"]
        for value in values
    }
    samples = opened.data.parts["test"]
    column = opened.data.waveform_set.event_table()[about["target"]].astype(str)
    return np.array([number_of.get(column[event], -1) for event in samples.ids.source_ids])


def _standardised(table: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Features of mean 0 and deviation 1 over the fitted rows; the unknown are the mean, constants are left out."""
    known = np.where(np.isfinite(table), table, np.nan)
    usable = np.isfinite(known[fitted]).any(0)
    known = known[:, usable]
    mean, deviation = np.nanmean(known[fitted], 0), np.nanstd(known[fitted], 0)
    varies = deviation > 0
    return np.nan_to_num((known[:, varies] - mean[varies]) / deviation[varies])


def _drawn(
    events: np.ndarray, classes: np.ndarray, learnt_from: np.ndarray, k: int, about: Mapping[str, Any], draw: int
) -> list[np.ndarray]:
    """Rows of k events of each class."""
    chosen = []
    for number, name in enumerate(about["class_names"]):
        of_class = learnt_from & (classes == number)
        known = np.unique(events[of_class])
        if len(known) < k:
            raise ConfigurationError(f"{len(known)} training events are of class {name}; ask for fewer shots than {k}.")
        kept = numpy_stream(0, f"shots {name}", k, draw).choice(known, k, replace=False)
        chosen.append(np.flatnonzero(of_class & np.isin(events, kept)))
    return chosen


def _balanced(table: np.ndarray, classes: np.ndarray, tested: np.ndarray, drawn: Sequence[np.ndarray]) -> float:
    """Mean recall of the tested samples by the nearest prototype."""
    prototypes = np.stack([table[rows].mean(0) for rows in drawn])
    distance = np.square(table[tested][:, None] - prototypes).sum(-1)
    truth, said = classes[tested], distance.argmin(1)
    return float(np.mean([(said[truth == number] == number).mean() for number in np.unique(truth)]))
