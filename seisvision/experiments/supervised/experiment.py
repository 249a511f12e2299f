"""A run of a network with outputs: the best epoch predicts, and is judged beside baselines."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from seisvision.base.share import rank_and_size
from seisvision.experiments.supervised.baselines.foreign import training_guesses
from seisvision.experiments.supervised.baselines.own import compare_with_baselines
from seisvision.experiments.supervised.conformal import add_conformal
from seisvision.experiments.supervised.ensemble import evaluate_ensemble
from seisvision.experiments.supervised.evaluation import evaluate
from seisvision.experiments.supervised.explain_stored import explain_stored
from seisvision.experiments.supervised.explaining import check_explain, explain_run
from seisvision.experiments.supervised.locating import locate_parts
from seisvision.experiments.supervised.prediction import as_predictions, measure, predict
from seisvision.experiments.supervised.reporting import write_report
from seisvision.experiments.supervised.single import SINGLE, locate_single_parts
from seisvision.experiments.supervised.uncertainty import check_uncertainty, passes_of
from seisvision.experiments.waveforms.experiment import WaveformExperiment
from seisvision.experiments.waveforms.sets.sample_facts import sample_facts
from seisvision.outputs.output import Output
from seisvision.outputs.predictions import Predictions
from seisvision.records.folder import RunFolder, write_metrics
from seisvision.records.prediction_table import write_predictions
from seisvision.records.settings import EvaluateSettings
from seisvision.tasks.kept_answers import KeptAnswers
from seisvision.tasks.supervised import SupervisedTask

log = logging.getLogger(__name__)

Said = dict[str, dict[str, Predictions]]
"""Predictions by part and output."""


def answers_alike(task: SupervisedTask) -> bool:
    """Whether what a task answers in validation is what it answers when it is asked, and takes no longer to find out.

    One's own task may validate and answer in different ways, and what an output finds beside its network, such as picks
    by rule, is not to be looked for in every epoch.
    """
    return type(task) is SupervisedTask and all(type(output).beside is Output.beside for output in task.outputs)


class SupervisedExperiment(WaveformExperiment):
    """A network that learns from known values."""

    tells_uncertainty = True
    kept = KeptAnswers()
    """What was answered in the validation of the best epoch; nothing before :meth:`ready`."""

    def ready(self) -> None:
        """As of all networks on waveforms; refuse uncertainties that this one could not tell."""
        super().ready()
        check_uncertainty(self.settings.uncertainty, self.task, is_training=True)
        # Of several processes each knows its share only, and a compiled network rounds otherwise.
        is_alone = rank_and_size()[1] == 1
        self.kept = KeptAnswers(is_alone and not self.settings.system.compile and answers_alike(self.task))
        self.task.kept_answers = self.kept

    def content(self) -> dict[str, Any]:
        """As of all networks on waveforms, with what always guessing one value would say."""
        content = super().content()
        return {**content, "guesses": training_guesses(content["outputs"], self.data.parts["train"].targets)}

    def ask(self) -> Said:
        """What the best epoch says about the validation and test samples; of the former it may have been asked."""
        trainer = self.predictor()
        self.task.passes = passes_of(self.settings.uncertainty, self.task, lambda: self.data.loader("train"))
        parts = [part for part in ("val", "test") if part in self.data.parts]
        asked = [part for part in parts if part == "val" or self.settings.with_test]
        return {part: self._ask_about(trainer, part) for part in asked}

    def _ask_about(self, trainer: pl.Trainer, part: str) -> dict[str, Predictions]:
        loader = self.data.loader(part)
        known = self.kept.of_best(len(self.data.parts[part])) if part == "val" else None
        if known is None or self.task.passes is not None:
            return predict(trainer, self.task, loader)
        return as_predictions(known, self.task, loader)

    def judge(self, said: Said, about: dict[str, Any]) -> dict[str, Any]:
        """Measure the predictions beside baselines, locate events where that was asked, and write everything."""
        config, folder, data = self.settings, self.folder, self.data
        outputs = {output.name: output for output in self.task.outputs}
        train_targets = dict(data.parts["train"].targets)
        level = config.level
        metrics = dict(about)
        for part, predictions in said.items():
            metrics[part] = measure(predictions, outputs, level, train_targets)
        if "val" in said and "test" in said:
            facts = sample_facts(data.parts["test"])
            add_conformal(metrics, said["val"], said["test"], "test", facts, level)
        if config.with_baselines:
            metrics.update(compare_with_baselines(config, data, self.task, said, folder.path))
        if config.location is not None and self._can_be_located(said):
            metrics["location"] = self._locate(said)
        for part, predictions in said.items():
            write_predictions(folder.predictions(part), predictions, data.waveform_set.table)
        write_metrics(folder.metrics_file, metrics)
        write_report(folder, data, self.task, said, metrics, level)
        return metrics

    def _can_be_located(self, said: Said) -> bool:
        """Whether there are events to size the regions of single stations on, beside those that are located."""
        can = (self.settings.location or {})["mode"] != SINGLE or {"val", "test"} <= said.keys()
        if not can:
            log.warning("nothing is located: location=single sizes its regions on validation events and locates others")
        return can

    def _locate(self, said: Said) -> dict[str, Any]:
        """Epicentres from the distances at all stations of an event, or from each station by itself."""
        config, folder = self.settings, self.folder.path
        settings = config.location or {}
        if settings["mode"] == SINGLE:
            return locate_single_parts(folder, settings, config.level, self.data, said, config.seed)
        return locate_parts(folder, settings, config.level, self.data, said)

    def check_explain(self, settings: Mapping[str, Any]) -> None:
        """Refuse an unknown method or layer, and pictures over which no map can lie."""
        check_explain(settings, self.task)

    def explain(self, settings: Mapping[str, Any], part: str) -> None:
        """Write ``explain/`` and figures of what the network looked at."""
        explain_run(self.folder, self.settings, self.data, self.task, settings, part)

    @classmethod
    def explain_stored(
        cls, folder: RunFolder, settings: Mapping[str, Any], part: str, data_dir: Path | None = None
    ) -> None:
        """Explain a finished run from its checkpoint and its own data set."""
        explain_stored(folder, settings, part, data_dir)

    @classmethod
    def evaluate(cls, asked: EvaluateSettings, checkpoints: Sequence[Path]) -> Path:
        """Ask one network, or several whose predictions are averaged."""
        return evaluate_ensemble(asked, checkpoints) if len(checkpoints) > 1 else evaluate(asked, checkpoints)
