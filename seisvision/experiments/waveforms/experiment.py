"""What experiments on waveform sets have in common, whatever their networks learn."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.flop_counter import FlopCounterMode

from seisvision.base.share import rank_and_size
from seisvision.base.units import unit_named
from seisvision.data.samples.events import EventSamples
from seisvision.data.samples.labels import tell_rare_classes
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.cards import how_made
from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.beginning import begin_with, go_on_with
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.experiments.waveforms.tables import write_excluded
from seisvision.models.backbone import norm_of_one_value
from seisvision.outputs.truth import truth_of
from seisvision.records.folder import RunFolder
from seisvision.records.known_events import KnownEvents
from seisvision.runs.experiment import Experiment
from seisvision.runs.trainers import build_predictor
from seisvision.views.view import View

log = logging.getLogger(__name__)


class WaveformExperiment(Experiment):
    """A network on samples of a waveform set, which a view draws.

    Args:
        config: resolved configuration of the run.
        folder: of the run.
    """

    begins_with_weights = True

    view: View
    data: EventDataModule

    def __init__(self, config: dict[str, Any], folder: RunFolder) -> None:
        super().__init__(config, folder)
        self.settings = Settings.of(config)

    def load(self) -> None:
        """Open, check and split the waveform set; it is made first where it is not there."""
        self.view = build_view(self.settings.view)
        self.data = build_data(self.settings, self.view)

    def build(self) -> pl.LightningModule:
        """The untrained task, which knows the scales of what it is to predict."""
        self.task = build_task(self.settings, self.view)
        tuning = self.settings.fine_tune
        if self.settings.init_from:
            begin_with(self.task, Path(self.settings.init_from), str(self.settings.init_hash), tuning)
        if tuning.changes_training:
            go_on_with(self.task, tuning)
        network = self.data.network
        for output in self.task.outputs:
            if network is not None:
                output.count_from(*network.origin_deg)
            truth = truth_of({"columns": output.columns}, self.data.parts["train"].targets)
            output.fit_statistics(torch.from_numpy(truth))
            output.meet(float(self.data.parts["train"].sampling_rate_hz))
        return self.task

    def ready(self) -> None:
        """Let view and outputs look at the training samples where they have to, and refuse single pictures."""
        if self.view.needs_fit:
            self.view.fit(self.data.loader("train"))
        for output in self.task.outputs:
            if output.sees_picture:
                output.fit_pictures(self.view(batch) for batch in self.data.loader("train"))
        self._refuse_single_pictures()

    def picture(self) -> torch.Tensor:
        """An empty picture (1, ...) as the backbone gets it."""
        return torch.zeros(1, *self.view.image_shape, device=self.task.device)

    def introduce(self) -> None:
        """Say in a few lines what runs and on what; write the split and what no part serves."""
        data, unit = self.data, self.view.unit
        data.split.save(self.folder.split_file)
        write_excluded(self.folder.path / "excluded.csv", data.excluded)
        sizes = ", ".join(f"{len(samples)} {part}" for part, samples in data.parts.items())
        parameters = sum(parameter.numel() for parameter in self.task.parameters())
        log.info("run      %s (%s)", self.folder.run_id, self.config["name"])
        log.info(
            "data     %s: %s %s, split by %s, hash %s",
            data.waveform_set.path, sizes, unit_named(unit).plural, self.settings.split.by, data.split.hash,
        )  # fmt: skip
        for target, counts in data.counts["train"].items():
            log.info("classes  %s in training: %s", target, ", ".join(f"{n} {name}" for name, n in counts.items()))
        tell_rare_classes(data.counts, unit)
        shape = " x ".join(map(str, self.view.image_shape))
        log.info("network  %s, %s parameters, pictures %s", self.model_name, f"{parameters:,}", shape)

    def _refuse_single_pictures(self) -> None:
        """Refuse to train on one picture at a time where a batch norm could make nothing of it.

        Raises:
            ConfigurationError: names the layer and what gives larger batches.
        """
        n_samples, size = len(self.data.parts["train"]), self.data.batch_size
        if min(n_samples, size) > 1:
            return
        picture = self.picture()
        layer = norm_of_one_value(self.task.model, picture)
        if layer is None:
            return
        why = f"trainer.batch_size={size}" if size == 1 else f"the training part holds {n_samples} {self.view.unit}"
        cure = "Set trainer.batch_size to 2 or more" if size == 1 else "Use more data or another split"
        raise ConfigurationError(
            f"{why}, so every batch is a single picture, and the batch norm '{layer}' sees one value a channel of it: "
            f"nothing could be learnt. {cure}, or larger pictures than {picture.shape[1:]} (see the settings of view)."
        )

    def content(self) -> dict[str, Any]:
        """Outputs, view, data, split, and what tells the events learnt from from others; the folder lists them too."""
        data = self.data
        known = KnownEvents.of_training(data, Path(self.settings.system.data_dir) / "features")
        if rank_and_size()[0] == 0:
            known.write(self.folder.path / "known_events.csv")
        return {
            "outputs": [output.describe() for output in self.task.outputs],
            "view": self.view.describe(),
            "data_fingerprint": data.waveform_set.fingerprint,
            "split": {part: list(ids) for part, ids in data.split.parts.items()},
            "split_unit": data.split.unit,
            "split_hash": data.split.hash,
            "known_events": known.to_tensors(),
            "recordings": {
                **how_made(data.waveform_set.card),
                "sampling_rate_hz": float(data.parts["train"].sampling_rate_hz),
            },
            **({"derived": data.derived} if data.derived else {}),
            **({"network": data.network.plain(), **_lead(data.parts["train"])} if data.network else {}),
        }

    def batches(self, first_epoch: int) -> pl.LightningDataModule | None:
        """The data module, beginning with an epoch."""
        self.data.first_epoch = first_epoch
        return self.data

    def about(self) -> dict[str, Any]:
        """Outputs, set, split, and number of samples and events by part."""
        data = self.data
        return {
            "outputs": [output.describe() for output in self.task.outputs],
            "data": {
                "name": self.settings.dataset.name,
                "fingerprint": data.waveform_set.fingerprint,
                "split_hash": data.split.hash,
                "unit": self.view.unit,
                "samples": {part: len(samples) for part, samples in data.parts.items()},
                "events": {part: samples.ids.n_events for part, samples in data.parts.items()},
                "excluded": len(data.excluded),
            },
        }

    def flops(self) -> int:
        """Of the backbone; a multiplication and an addition count as two."""
        was_training = self.task.training
        self.task.eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            self.task.model(self.picture())
        self.task.train(was_training)
        return int(counter.get_total_flops())

    def predictor(self) -> pl.Trainer:
        """A trainer that predicts where this process has trained."""
        trained = self.settings.trainer
        return build_predictor(trained, self.settings.system, trained.accelerator, trained.devices)


def _lead(samples: Any) -> dict[str, float]:
    """By how much windows of the training begin before the first P, where it is known: the median of the events."""
    if not isinstance(samples, EventSamples):
        return {}
    lead_s = samples.first_p_after_start_s
    return {"lead_s": float(np.nanmedian(lead_s))} if np.isfinite(lead_s).any() else {}
