"""Figures of outputs that answer with a picture."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.utils.data import DataLoader, Subset

from seisvision.data.serving.collate import collate_events
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.evaluation.figures import plain_text
from seisvision.experiments.waveforms.figures import evenly_chosen
from seisvision.outputs.predictions import Predictions
from seisvision.records.folder import RunFolder
from seisvision.tasks.supervised import SupervisedTask

N_DRAWN = 6


def draw_answers(
    folder: RunFolder, data: EventDataModule, task: SupervisedTask, part: str, predictions: Mapping[str, Predictions]
) -> None:
    """Write ``figures/OUTPUT_PART_answers.png``: a few samples from the best to the worst, beside what was said.

    Pictures are made again for these alone, so that none has to be kept from the evaluation.
    """
    for output in task.outputs:
        if not output.sees_picture:
            continue
        said = predictions[output.name]
        ranked = said.worst(len(said.sample_ids))[::-1]
        path = folder.figures / f"{output.name}_{part}_answers.png"
        if not len(ranked):
            path.unlink(missing_ok=True)
            continue
        chosen = ranked[evenly_chosen(N_DRAWN, len(ranked))]
        samples = data.samples_of([said.sample_ids[row] for row in chosen])
        (batch,) = DataLoader(Subset(samples, range(len(chosen))), batch_size=len(chosen), collate_fn=collate_events)
        was_training = task.training
        with torch.inference_mode():
            raw = output.look(task.eval().view(batch), task.model)
        task.train(was_training)
        captions = [f"{plain_text(said.source_ids[row])}\n{plain_text(said.answer_text(row))}" for row in chosen]
        output.draw_answers(path, raw, captions, list(task.view.describe()))
