"""The figures of a run: what the network sees, how it learnt, where it is wrong."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.traces import TraceSamples
from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.errors import DataError
from seisvision.evaluation.figures import learning_figure, plain_text, samples_figure
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.output import Output
from seisvision.outputs.predictions import Predictions
from seisvision.outputs.truth import truth_of
from seisvision.records.folder import RunFolder
from seisvision.records.history import logged_values
from seisvision.tasks.deep_cluster import DeepClusterTask
from seisvision.tasks.supervised import SupervisedTask
from seisvision.views.view import View

log = logging.getLogger(__name__)

Task = SupervisedTask | DeepClusterTask
Samples = EventSamples | TraceSamples

PER_CLASS = 4
N_SEEN = 8
N_WORST = 12


def draw_training(folder: RunFolder, data: EventDataModule, task: Task) -> None:
    """Write the learning curves and some training samples of every output."""
    rows = [{"epoch": epoch, name: value} for epoch, name, value in logged_values(folder.history_file)]
    try:
        learning_figure(folder.figures / "learning_curves.png", rows)
    except DataError as error:
        log.warning("There are no learning curves, %s lacks them: %s", folder.history_file, error)
    for output in task.outputs:
        targets = truth_of(output.describe(), data.parts["train"].targets)
        _draw_seen(folder.figures / f"{output.name}_seen.png", data, task, output, targets)


def draw_results(stem: Path, samples: Samples, view: View, said: Predictions) -> None:
    """Write ``<stem>_*.png`` of labelled predictions (N): where they are right and wrong, and the worst samples.

    Args:
        stem: beginning of the paths.
        samples: the N samples; pictures are drawn only of the few that are shown.
        view: draws them.
        said: what was predicted of them.
    """
    said.draw(stem, samples.index.paths["path_ep_distance_km"] if isinstance(samples, TraceSamples) else None)
    draw_some(stem.with_name(f"{stem.name}_wrong.png"), samples, view, said, said.worst(N_WORST))
    draw_some(stem.with_name(f"{stem.name}_confident_wrong.png"), samples, view, said, said.surprising(N_WORST))


def _draw_seen(path: Path, data: EventDataModule, task: Task, output: Output, targets: np.ndarray) -> None:
    """A few training samples: of every class, or spread over the range of the values."""
    kind, about = predictions_class(output.kind), output.describe()
    if not output.columns:
        train = data.parts["train"]
        chosen = evenly_chosen(N_SEEN, len(train))
        captions = [plain_text(train.ids.source_ids[i]) for i in chosen]
        samples_figure(path, pictures(train, task.view, chosen), captions)
        return
    groups = kind.grouped(about, targets)
    if len(groups) == 1:
        chosen = groups[0][evenly_chosen(N_SEEN, len(groups[0]))]
    else:
        chosen = np.concatenate([some[:PER_CLASS] for some in groups])
    captions = [plain_text(kind.caption(about, targets[i])) for i in chosen]
    samples_figure(path, pictures(data.parts["train"], task.view, chosen), captions)


def draw_some(path: Path, samples: Samples, view: View, said: Predictions, chosen: np.ndarray) -> None:
    """Some samples with prediction and, where it is known, target: worst ones, surprising ones, or any."""
    if not len(chosen):
        # An earlier attempt of this run may have drawn one.
        path.unlink(missing_ok=True)
        return
    captions = [said_of(said, i) for i in chosen]
    samples_figure(path, pictures(samples, view, chosen), captions)


def evenly_chosen(n: int, of: int) -> np.ndarray:
    """Up to ``n`` places among ``of``, at equal distances and with both ends."""
    return np.linspace(0, max(0, of - 1), min(n, of)).round().astype(int)


def said_of(said: Predictions, row: int) -> str:
    """Event, true value where it is known, and prediction of a sample, line by line."""
    lines = [plain_text(said.source_ids[row])]
    if said.labelled[row]:
        lines.append(f"true {plain_text(said.target_text(row))}")
    return "\n".join([*lines, f"predicted {plain_text(said.answer_text(row))}"])


def pictures(samples: Samples, view: View, numbers: np.ndarray) -> np.ndarray:
    """Pictures uint8 (N, 3, H, W) of some samples, as the view draws them."""
    subset = Subset(samples, numbers.tolist())
    (batch,) = DataLoader(subset, batch_size=len(numbers), collate_fn=collate_events)
    with torch.inference_mode():
        return view.to_uint8(view(batch)).permute(0, 3, 1, 2).cpu().numpy()
