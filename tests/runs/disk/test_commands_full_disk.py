"""Whichever write of a command meets a full or failing disk: one line says so, and then the command does the rest."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_cluster_runs import make_run
from fake_runs import CLASS, fake_run
from omegaconf import OmegaConf
from tiny_runs import ROOT, plain_config, tiny_config

sys.path.insert(0, str(ROOT / "tests"))

from chaos_data import differences
from failing_disk import FailingDisk, errors_told, meet_every_step
from full_disk import what_differs

from seisvision.cli import main
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.experiments.clustering.report import report as cluster_report
from seisvision.experiments.clustering.report.number import NumberReport
from seisvision.records.folder import FAILED, FINISHED
from seisvision.runs.ensure import ensure_run, identify
from seisvision.runs.terminal import guarded

MOST_TRIES = 5
NUMBERS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.ESTALE)
SMALL = ["~model", "+model._target_=model_of_ones_own.RequiredArguments", "+model.width=7"]
FEW = ["dataset.source.n_events=16", "trainer.max_epochs=1", "trainer.accelerator=cpu"]


@pytest.fixture(autouse=True)
def own_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_ones_own.")


@pytest.fixture(scope="module")
def trained(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run of a small network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_ones_own.")
        return ensure_run(tiny_config(data_dir, tmp_path_factory.mktemp("trained"), *SMALL, *FEW), []).path


def copying(run: Path) -> Callable[[Path], object]:
    return lambda folder: shutil.copytree(run, folder / "runs" / "one" / run.name)


def meet(tmp_path: Path, prepare: Callable[[Path], object], do: Callable[[Path], int]) -> None:
    meet_every_step(tmp_path, prepare, do, what_differs, MOST_TRIES, NUMBERS)


def test_evaluation(trained: Path, data_dir: Path, tmp_path: Path) -> None:
    def evaluate(folder: Path) -> int:
        words = [f"ckpt={folder / 'runs' / 'one' / trained.name}", f"system.runs_dir={folder / 'out'}"]
        words += [f"system.data_dir={data_dir}", "system.num_workers=0", "accelerator=cpu"]
        return guarded(lambda: evaluate_checkpoint(OmegaConf.create(plain_config(words, "evaluate"))))

    meet(tmp_path, copying(trained), evaluate)


def test_explanation(trained: Path, data_dir: Path, tmp_path: Path) -> None:
    def explain(folder: Path) -> int:
        run = folder / "runs" / "one" / trained.name
        return main(["explain", str(run), "--samples", "2", "--data-dir", str(data_dir)])

    meet(tmp_path, copying(trained), explain)


def test_comparison(tmp_path: Path) -> None:
    def prepare(folder: Path) -> None:
        for seed in (1, 2):
            fake_run(folder / "runs" / f"seed{seed}", CLASS, seed=seed)

    meet(tmp_path, prepare, lambda folder: main(["compare", f"{folder}/runs", "--out", f"{folder}/report/all.html"]))


def test_number_of_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is written is tried, not what is computed.
    judge = cluster_report.judge_number
    judged: list[NumberReport] = []

    def judge_once(*given: Any) -> NumberReport:
        if not judged:
            judged.append(judge(*given))
        return judged[0]

    monkeypatch.setattr(cluster_report, "judge_number", judge_once)
    events = np.random.default_rng(1).normal(size=(60, 4)) + 8 * np.repeat(np.eye(4)[:3], 20, axis=0)

    def prepare(folder: Path) -> None:
        for k in (2, 3):
            make_run(folder / "runs" / f"k{k}", events, k, 1)

    meet(tmp_path, prepare, lambda folder: main(["clusters", f"{folder}/runs", "--out", f"{folder}/report"]))


def test_synthesis(trained: Path, data_dir: Path, tmp_path: Path) -> None:
    def prepare(folder: Path) -> None:
        # The table of the Earth takes seconds to make.
        shutil.copytree(data_dir / "cache", folder / "data" / "cache")

    def synth(folder: Path) -> int:
        words = ["--n-events", "2", "--n-stations", "3", "3", "--length-s", "600", "--processes", "1"]
        return main(["data", "synth", *words, "--data-dir", str(folder / "data")])

    meet_every_step(tmp_path, prepare, synth, differences, MOST_TRIES, NUMBERS)


@pytest.mark.parametrize(("number", "room"), [(errno.EIO, 12), (errno.EROFS, 20), (errno.EDQUOT, 28)])
def test_a_training_on_a_failing_disk_says_so_and_goes_on_afterwards(
    number: int, room: int, data_dir: Path, tmp_path: Path
) -> None:
    config = tiny_config(data_dir, tmp_path / "runs", *SMALL, *FEW)
    with pytest.MonkeyPatch.context() as patch, errors_told() as errors:
        disk = FailingDisk(tmp_path, room, number)
        disk.install(patch)
        code = guarded(lambda: ensure_run(config, []))
    assert disk.n_failed and code in (1, 2) and len(errors) == 1, (code, errors)
    assert str(tmp_path) in errors[0] and "fault of seisvision" not in errors[0]
    # A status that is there is written over in place.
    assert identify(config).status()["state"] == FAILED or number != errno.EDQUOT
    assert ensure_run(config, []).status()["state"] == FINISHED
