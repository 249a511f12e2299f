"""One run on a table: thirds in time order for training, validation and test."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from experiment_on_tables.source import CELL
from seisvision.base.sample_ids import SampleIds
from seisvision.outputs.kinds import predictions_class
from seisvision.outputs.predictions import Predictions
from seisvision.public import SOURCE, TASK
from seisvision.records.configuration import instantiate
from seisvision.records.folder import write_json
from seisvision.records.prediction_table import write_predictions
from seisvision.runs.experiment import Experiment
from seisvision.seeding import stream_seed


class Parts(pl.LightningDataModule):
    """The parts of a table, shuffled by seed and epoch."""

    def __init__(self, table: torch.Tensor, seed: int, batch_size: int) -> None:
        super().__init__()
        thirds = torch.tensor_split(table, 3)
        self.tables = dict(zip(("train", "val", "test"), thirds, strict=True))
        ends = np.cumsum([0, *(len(third) for third in thirds)])
        self.ids = {part: [str(row) for row in range(*ends[i : i + 2])] for i, part in enumerate(self.tables)}
        self.seed, self.batch_size, self.first_epoch = seed, batch_size, 0

    def loader(self, part: str) -> DataLoader:
        table = self.tables[part].float()
        return DataLoader(TensorDataset(table[:, :2], table[:, 2]), self.batch_size)

    def train_dataloader(self) -> DataLoader:
        return self.loader("train")

    def val_dataloader(self) -> DataLoader:
        return self.loader("val")


class TableExperiment(Experiment):
    """A linear network that finds a number."""

    def load(self) -> None:
        source, data_dir = (
            instantiate(self.config["dataset"]["source"], SOURCE),
            Path(self.config["system"]["data_dir"]),
        )
        path, self.fingerprint = source.prepare(data_dir), source.fingerprint(data_dir)
        table = torch.from_numpy(np.loadtxt(path, delimiter=","))
        self.data = Parts(table, self.config["seed"], self.config["trainer"]["batch_size"])

    def build(self) -> pl.LightningModule:
        torch.manual_seed(stream_seed(self.config["seed"], "initialisation"))
        self.task = instantiate(self.config["task"], TASK)
        self.task.output.fit_statistics(self.data.tables["train"][:, 2].float())
        return self.task

    def introduce(self) -> None:
        write_json(self.folder.split_file, self.data.ids)

    def content(self) -> dict[str, Any]:
        about = self.about()
        return {
            "outputs": about["outputs"],
            "data_fingerprint": about["data"]["fingerprint"],
            "split": self.data.ids,
            "split_unit": "cell",
            "split_hash": about["data"]["split_hash"],
        }

    def batches(self, first_epoch: int) -> pl.LightningDataModule:
        return self.data

    def about(self) -> dict[str, Any]:
        sizes = {part: len(ids) for part, ids in self.data.ids.items()}
        return {
            "outputs": [self.task.output.describe()],
            "data": {
                "name": self.config["dataset"]["name"],
                "fingerprint": self.fingerprint,
                "split_hash": hashlib.sha256(repr(sizes).encode()).hexdigest()[:10],
                "unit": "cell",
                "samples": sizes,
                "events": sizes,
            },
        }

    def ask(self) -> dict[str, Predictions]:
        self.task.eval()
        about = self.task.output.describe()
        said = {}
        for part in ("val", "test"):
            table, ids = self.data.tables[part].float(), self.data.ids[part]
            decoded = self.task.decoded(table[:, :2]).double().numpy()
            kind = predictions_class(about["kind"])
            said[part] = kind.from_decoded(about, SampleIds(CELL.name, ids, ids), table[:, 2].numpy(), decoded)
        return said

    def judge(self, said: dict[str, Predictions], about: dict[str, Any]) -> dict[str, Any]:
        metrics, name = dict(about), self.task.output.name
        for part, predictions in said.items():
            measures = predictions.measures(self.config["evaluation"]["level"])
            metrics[part] = {name: {key: one.to_dict() for key, one in measures.items()} | predictions.details()}
            write_predictions(self.folder.predictions(part), {name: predictions}, None)
        write_json(self.folder.metrics_file, metrics)
        return metrics

    @property
    def model_name(self) -> str:
        return "linear"
