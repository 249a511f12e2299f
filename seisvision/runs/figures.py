"""The figures of a run: what the network sees, how it learnt, where it is wrong."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from seisvision.data.datamodule import EventDataModule
from seisvision.data.samples import collate_events
from seisvision.evaluation.comparison import ClassPredictions
from seisvision.evaluation.figures import (
    class_samples_figure,
    confusion_figure,
    learning_figure,
    most_confident_errors,
    reliability_figure,
    wrong_samples_figure,
)
from seisvision.runs.folder import RunFolder
from seisvision.tasks.supervised import SupervisedTask

PER_CLASS = 4
N_WRONG = 12


def draw_figures(
    folder: RunFolder,
    data: EventDataModule,
    task: SupervisedTask,
    predictions: dict[str, dict[str, ClassPredictions]],
    metrics: dict[str, Any],
) -> None:
    """Write the PNGs of a run; pictures are drawn only of the few events that are shown."""
    with folder.history_file.open(newline="", encoding="utf-8") as handle:
        rows = [{"epoch": row["epoch"], row["name"]: row["value"]} for row in csv.DictReader(handle)]
    learning_figure(folder.figures / "learning_curves.png", rows)
    part = "test" if "test" in predictions else "val" if "val" in predictions else "train"
    for output in task.outputs:
        names: list[str] = output.class_names
        train_targets = data.parts["train"].targets[output.target]
        chosen = np.concatenate([np.flatnonzero(train_targets == number)[:PER_CLASS] for number in range(len(names))])
        pictures = _pictures(data, task, "train", chosen)
        class_samples_figure(folder.figures / f"{output.name}_seen.png", pictures, train_targets[chosen], names)
        if part == "train":
            continue
        said, stem = predictions[part][output.name], folder.figures / f"{output.name}_{part}"
        confusion_figure(_named(stem, "confusion"), metrics[part][output.name]["confusion"], names)
        reliability_figure(_named(stem, "reliability"), said.target, said.probability)
        wrong = most_confident_errors(said.target, said.probability)[:N_WRONG]
        ids = [said.source_ids[i] for i in wrong]
        pictures = _pictures(data, task, part, wrong)
        wrong_samples_figure(_named(stem, "wrong"), pictures, said.target[wrong], said.probability[wrong], ids, names)


def _named(stem: Any, what: str) -> Any:
    return stem.with_name(f"{stem.name}_{what}.png")


def _pictures(data: EventDataModule, task: SupervisedTask, part: str, numbers: np.ndarray) -> np.ndarray:
    """Pictures uint8 (N, 3, H, W) of some events of a part, as the network sees them."""
    view = task.view
    if not len(numbers):
        return np.zeros((0, 3, 1, 1), np.uint8)
    loader = DataLoader(
        Subset(data.parts[part], numbers.tolist()),
        batch_size=len(numbers),
        collate_fn=collate_events,
    )
    with torch.inference_mode():
        (image,) = [view(batch) for batch in loader]
    return view.to_uint8(image).permute(0, 3, 1, 2).numpy()
