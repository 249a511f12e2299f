"""A run of a forecast: a network learns from a catalogue, and stands beside all references on what came later."""

from __future__ import annotations

import logging
from typing import Any

import pytorch_lightning as pl

from seisvision import spreadsheets
from seisvision.base.share import rank_and_size
from seisvision.catalogues.audit import audit_catalogue
from seisvision.catalogues.times import date_text
from seisvision.experiments.forecasting.data import ForecastBatches
from seisvision.experiments.forecasting.figures import draw
from seisvision.experiments.forecasting.judging import Said, measure, test_rates
from seisvision.experiments.forecasting.network import best_part, build_task, describe_network, rates_of, said_of
from seisvision.experiments.forecasting.problem import build_problem
from seisvision.experiments.forecasting.settings import NO_LEAK, ForecastSettings
from seisvision.files import whole_file
from seisvision.forecasting.results import rows_of, write_rates
from seisvision.forecasting.samples.parts import spans
from seisvision.records.folder import RunFolder, write_metrics
from seisvision.records.tables import write_table
from seisvision.runs.experiment import Experiment

log = logging.getLogger(__name__)


class ForecastExperiment(Experiment):
    """A network that says how many events come."""

    can_be_tuned = False

    def __init__(self, config: dict[str, Any], folder: RunFolder) -> None:
        super().__init__(config, folder)
        self.settings = ForecastSettings.of(config)

    def load(self) -> None:
        """Read and split the catalogue, and let the references speak."""
        self.problem = build_problem(self.settings)
        self.data = ForecastBatches(
            self.problem.samples, self.settings.trainer.batch_size, self.settings.seed, self.settings.system.num_workers
        )

    def build(self) -> pl.LightningModule:
        """The untrained task."""
        self.task = build_task(self.settings, self.problem)
        return self.task

    def introduce(self) -> None:
        """Say what runs and on what; write the windows of each part, and the events that could not be used."""
        problem, parameters = self.problem, sum(one.numel() for one in self.task.parameters())
        with whole_file(self.folder.split_file) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            writer = spreadsheets.Writer(file)
            writer.writerow(["part", "issue", "begin", "end"])
            for part, windows in problem.parts.items():
                for days in zip(windows.issue_days, windows.begin_days, windows.end_days, strict=True):
                    writer.writerow([part, *map(date_text, days)])
        with whole_file(self.folder.path / "excluded.csv") as partial, partial.open("w", encoding="utf-8") as file:
            writer = spreadsheets.Writer(file)
            writer.writerow(["event_id", "cause", "reason"])
            for one in problem.catalogue.refused:
                writer.writerow([one.event_id, one.cause, one.reason])
        log.info("run      %s (%s)", self.folder.run_id, self.config["name"])
        told = ", ".join(f"{len(windows)} {part}" for part, windows in problem.parts.items())
        log.info(
            "data     %s: %s windows of %g days in %d cells, events of magnitude %g and more, parts %g days apart",
            self.settings.dataset.name, told, problem.horizon.length_days, problem.task.grid.n_cells,
            problem.task.magnitude, problem.horizon.apart_days,
        )  # fmt: skip
        for finding in audit_catalogue(problem.catalogue):
            log.warning("catalogue, %s: %s", finding.severity, finding.sentence())
        log.info("network  %s, %s parameters, beside %s", self.model_name, f"{parameters:,}", self.task.anchor)
        if self.settings.split.leak != NO_LEAK:
            log.warning("LEAK     split.leak=%s: what this run measures is worth nothing", self.settings.split.leak)

    def content(self) -> dict[str, Any]:
        """Scales, windows and what the network is anchored to."""
        return {
            "outputs": [],
            "data_fingerprint": self.problem.fingerprint,
            "split": {
                part: [date_text(day) for day in windows.issue_days] for part, windows in self.problem.parts.items()
            },
            "split_unit": "window",
            "split_hash": self.problem.split_hash,
            "scales": self.problem.scales.to_dict(),
            "network": describe_network(self.task),
        }

    def batches(self, first_epoch: int) -> pl.LightningDataModule:
        """The data module, beginning with an epoch."""
        self.data.first_epoch = first_epoch
        return self.data

    def about(self) -> dict[str, Any]:
        """What is forecast, and of what."""
        problem = self.problem
        return {
            "outputs": [],
            "network": describe_network(self.task),
            "data": {
                "name": self.settings.dataset.name,
                "fingerprint": problem.fingerprint,
                "split_hash": problem.split_hash,
                "unit": self.settings.dataset.samples.unit,
                "samples": {part: len(samples) for part, samples in problem.samples.items()},
                "events": {part: int(samples.counts.sum()) for part, samples in problem.samples.items()},
                "parts": spans(problem.parts),
                "apart_days": problem.horizon.apart_days,
                "excluded": len(problem.catalogue.refused),
            },
        }

    def ask(self) -> Said | None:
        """Rates of the validation and, where it is asked for, of the test; the first process alone."""
        if rank_and_size()[0] > 0:
            return None
        raw, references = said_of(self.task, self.data, "val")
        asked = {"val": (raw, references)}
        if self.settings.with_test:
            asked["test"] = said_of(self.task, self.data, "test")
        part = best_part(self.task, raw, references, self.problem.samples["val"].counts)
        return Said({name: rates_of(self.task, *said, part) for name, said in asked.items()}, part)

    def judge(self, said: Said | None, about: dict[str, Any]) -> dict[str, Any]:
        """Measure the network beside the references, and write tables, rates and figures."""
        assert said is not None
        metrics = {**about, **measure(self.settings, self.problem, said)}
        if "test" in said.rates:
            rates = test_rates(self.problem, said, self.settings.split.leak)
            write_rates(self.folder.path, self.problem.task, rates)
            rows = rows_of(metrics["forecasts"])
            write_table(self.folder.tables / "forecasts.csv", ["forecast", "measure", "value", "low95", "high95"], rows)
            draw(self.folder, self.problem.task, rates, metrics)
        write_metrics(self.folder.metrics_file, metrics)
        return metrics
