"""A run that finds clusters: the network of the last epoch gives features, which are clustered once more and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from seisvision.errors import ConfigurationError
from seisvision.experiments.clustering.clusters import assign_clusters, judge_clusters
from seisvision.experiments.clustering.found import Extracted, extract
from seisvision.experiments.clustering.pictures import draw_clusters, send_cluster_tables
from seisvision.experiments.waveforms.asked import ALL, ask_network, result_folder
from seisvision.experiments.waveforms.experiment import WaveformExperiment
from seisvision.experiments.waveforms.figures import draw_training
from seisvision.experiments.waveforms.tables import write_excluded
from seisvision.records.folder import RunFolder, write_metrics
from seisvision.records.known_events import Seen
from seisvision.records.settings import EvaluateSettings
from seisvision.runs.terminal import show
from seisvision.runs.trainers import build_predictor

CLUSTERS_ONLY = "found clusters; an explanation asks what an output looked at."


class ClusteringExperiment(WaveformExperiment):
    """A network that learns from clusters of its own features."""

    remakes_batches = True
    needs_whole_weights = True
    can_be_tuned = False

    def ready(self) -> None:
        """Let the task make its own batches, from all samples."""
        self.task.attach(self.data)
        super().ready()

    def picture(self) -> torch.Tensor:
        """An empty picture (1, ...) behind the fixed front end."""
        return self.task.front(super().picture())

    def content(self) -> dict[str, Any]:
        """As of all networks on waveforms; nothing is predicted, so that nothing can be guessed."""
        return {**super().content(), "guesses": {}}

    def batches(self, first_epoch: int) -> pl.LightningDataModule | None:
        """None: the task makes the order of every epoch itself."""
        super().batches(first_epoch)
        return None

    def ask(self) -> Extracted:
        """Features that the trained network makes of everything."""
        return extract(self.predictor(), self.task, self.data.loader("train"))

    def judge(self, said: Extracted, about: dict[str, Any]) -> dict[str, Any]:
        """Make and judge the final clusters, and write everything."""
        # From here on this process works alone.
        self.data.trainer = None
        metrics = {**about, **judge_clusters(self.settings, self.folder, self.data, self.task, said)}
        draw_training(self.folder, self.data, self.task)
        drawn = draw_clusters(self.folder, self.data.parts["train"], self.view, self.settings.seed)
        metrics["clustering"] |= drawn
        write_metrics(self.folder.metrics_file, metrics)
        return metrics

    def send(self, loggers: Sequence[Any]) -> None:
        """Put the tables of clusters on the dashboards."""
        send_cluster_tables(loggers, self.folder)

    @classmethod
    def explain_stored(
        cls, folder: RunFolder, settings: Mapping[str, Any], part: str, data_dir: Path | None = None
    ) -> None:
        """Refused: there is no output."""
        raise ConfigurationError(f"{folder.path} {CLUSTERS_ONLY}")

    @classmethod
    def evaluate(cls, asked: EvaluateSettings, checkpoints: Sequence[Path]) -> Path:
        """Assign samples to the clusters that a network has learnt; returns the folder written."""
        if len(checkpoints) > 1:
            raise ConfigurationError(
                f"{checkpoints[0]} found clusters, which have no common numbers to average. Use seisvision clusters "
                "for groups that several runs agree on."
            )
        network = ask_network(checkpoints[0], asked)
        part = asked.part if network.is_own and asked.part in network.data.parts else ALL
        run_id, fingerprint = network.content["run_id"], network.data.waveform_set.fingerprint
        folder = result_folder(asked, [network.path], run_id, fingerprint, part)
        trainer = build_predictor(network.config.trainer, asked.system, asked.accelerator)
        known = replace(network.config, level=asked.level)
        about = {"data": network.about(), "training_events": network.seen.describe(network.handling)}
        # The table of the own samples is that of the run.
        seen = Seen() if network.is_own else network.seen
        show(assign_clusters(folder, known, trainer, network.task, network.data, part, network.content, about, seen))
        write_excluded(folder / "excluded.csv", network.data.excluded)
        show(str(folder))
        return folder
