"""Validation samples are asked about once: what was answered in the best epoch is what its weights answer again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from tiny_runs import SMALL, tiny_config

from seisvision import keys
from seisvision.experiments.supervised import experiment as supervised
from seisvision.experiments.supervised.prediction import predict
from seisvision.outputs.numbers.output import ScalarOutput
from seisvision.outputs.picks.output import PickOutput
from seisvision.runs.ensure import ensure_run
from seisvision.tasks.kept_answers import KeptAnswers
from seisvision.tasks.supervised import SupervisedTask


def test_what_the_best_epoch_answered_is_what_it_answers_again(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_ones_own.")
    asked, compared = [], []
    ask_about = supervised.SupervisedExperiment._ask_about

    def counted(trainer: pl.Trainer, task: Any, loader: Any) -> Any:
        asked.append(loader.dataset.ids.ids)
        return predict(trainer, task, loader)

    def twice(self: Any, trainer: pl.Trainer, part: str) -> Any:
        said = ask_about(self, trainer, part)
        again = predict(trainer, self.task, self.data.loader(part))
        for name, one in said.items():
            assert one.ids == again[name].ids and one.columns().keys() == again[name].columns().keys()
            for column, values in one.columns().items():
                assert np.array_equal(values, again[name].columns()[column]), (name, column)
            compared.append((part, name))
        return said

    monkeypatch.setattr(supervised, "predict", counted)
    monkeypatch.setattr(supervised.SupervisedExperiment, "_ask_about", twice)
    # The largest loss is that of an early epoch: the best one is not the last.
    words = ["task.monitor=[val/loss,max]", "trainer.max_epochs=3"]
    ensure_run(tiny_config(data_dir, tmp_path, *SMALL, *words), [])
    assert compared == [("val", "source_type"), ("test", "source_type")]
    assert len(asked) == 1


def test_answers_of_another_epoch_or_to_some_samples_are_not_taken() -> None:
    kept = KeptAnswers(are_wanted=True)
    assert kept.of_best(0) is None
    kept.begin()
    kept.add({keys.SOURCE_ID: ["a", "b"], "said": 1})
    kept.add({keys.SOURCE_ID: ["c"], "said": 2})
    assert kept.of_best(3) is None
    kept.are_best()
    kept.begin()
    kept.add({keys.SOURCE_ID: ["a"], "said": 3})
    assert [one["said"] for one in kept.of_best(3) or []] == [1, 2]
    assert kept.of_best(4) is None
    # An epoch without validation: its weights have answered nothing.
    kept.begin()
    kept.are_best()
    assert kept.of_best(3) is None


def test_answers_that_take_too_much_memory_are_not_kept() -> None:
    kept = KeptAnswers(are_wanted=True, most_bytes=100)
    for n_samples in (10, 16):
        kept.begin()
        kept.add({keys.SOURCE_ID: ["a"], "decoded": {"onsets": torch.zeros(n_samples)}})
        kept.are_best()
        assert kept.of_best(1) is not None
    kept.add({keys.SOURCE_ID: ["b"], "decoded": {"onsets": torch.zeros(10)}})
    assert not kept.are_wanted
    assert kept.of_best(1) is None


def test_tasks_that_may_answer_otherwise_and_outputs_with_rules_are_asked_again() -> None:
    class OnesOwn(SupervisedTask):
        def validation_step(self, batch: dict[str, Any], batch_index: int) -> torch.Tensor:
            return super().validation_step(batch, batch_index)

    def task(kind: type[SupervisedTask], output: Any) -> SupervisedTask:
        made = kind.__new__(kind)
        made.__dict__["outputs"] = [output]
        return made

    scalar, picks = ScalarOutput("offset", "path_ep_distance_km", "km"), object.__new__(PickOutput)
    assert supervised.answers_alike(task(SupervisedTask, scalar))
    assert not supervised.answers_alike(task(OnesOwn, scalar))
    assert not supervised.answers_alike(task(SupervisedTask, picks))
