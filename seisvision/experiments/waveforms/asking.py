"""Asks a network about all samples of a loader, in one process or in many."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.base.share import rank_and_size
from seisvision.base.units import unit_named


class KeepAnswers(pl.Callback):
    """Keeps what ``predict_step`` returns, which Lightning itself would search for tensors id by id."""

    def __init__(self) -> None:
        self.batches: list[Any] = []

    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *args: Any, **kwargs: Any
    ) -> None:
        """Keep one batch."""
        self.batches.append(outputs)


def ask(trainer: pl.Trainer, task: pl.LightningModule, loader: DataLoader) -> list[Any]:
    """What ``predict_step`` returns for each batch of this process.

    Raises:
        KeyboardInterrupt: the user has had enough.
    """
    kept = KeepAnswers()
    trainer.callbacks.append(kept)  # type: ignore[attr-defined]
    try:
        trainer.predict(task, loader, return_predictions=False)
    except SystemExit:
        # Lightning turns Ctrl-C into an exit of its own.
        raise KeyboardInterrupt from None
    finally:
        trainer.callbacks.remove(kept)  # type: ignore[attr-defined]
    return kept.batches


def from_all_processes(batches: list[Any]) -> list[Any]:
    """Batches of all processes, in all of them."""
    _, n_ranks = rank_and_size()
    if n_ranks == 1:
        return batches
    everywhere: list[Any] = [None] * n_ranks
    torch.distributed.all_gather_object(everywhere, batches)
    return [batch for of_rank in everywhere for batch in of_rank]


def ids_in_data_order(unit: str, batches: list[Any], loader: DataLoader) -> tuple[SampleIds, list[int]]:
    """Samples that count, each once, in the order of the loader's data set, and their rows in the batches together."""
    names, source_ids = (
        [name for batch in batches for name in batch[column]] for column in (unit_named(unit).id_column, keys.SOURCE_ID)
    )
    if keys.COUNTS not in batches[0]:
        return SampleIds(unit, names, source_ids), list(range(len(names)))
    counts = torch.cat([batch[keys.COUNTS] for batch in batches]).tolist()
    row_of = {name: row for row, name in enumerate(names) if counts[row]}
    rows = [row_of[name] for name in loader.dataset.ids.ids]  # type: ignore[attr-defined]
    return SampleIds(unit, [names[row] for row in rows], [source_ids[row] for row in rows]), rows
