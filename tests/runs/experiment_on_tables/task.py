"""A linear network on the columns of a table."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch

from seisvision.outputs import ScalarOutput


class TableTask(pl.LightningModule):
    """Columns to an output; says what the engine asks of every task: ``monitor`` and ``about``."""

    monitor, monitor_mode = "val/loss", "min"

    def __init__(self, output: dict[str, Any], lr: float, width: int = 4) -> None:
        super().__init__()
        self.output = ScalarOutput(**output)
        self.output.build_head(width)
        self.trunk = torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.Tanh())
        self.lr = lr
        self.about: dict[str, Any] = {}

    def training_step(self, batch: list[torch.Tensor], batch_index: int) -> torch.Tensor:
        return self._loss(batch, "train")

    def validation_step(self, batch: list[torch.Tensor], batch_index: int) -> None:
        self._loss(batch, "val")

    def decoded(self, inputs: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.output.decode(self.output(self.trunk(inputs)))

    def _loss(self, batch: list[torch.Tensor], part: str) -> torch.Tensor:
        inputs, target = batch
        loss = self.output.loss(self.output(self.trunk(inputs)), target)
        self.log(f"{part}/loss", loss, on_step=False, on_epoch=True, batch_size=len(target))
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seisvision"] = {**self.about, "epoch": self.current_epoch}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)
