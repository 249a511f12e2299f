"""A forecast is a run like others: it is told beside every reference, resumes, and is compared; leaks are named."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_runs import plain_config

from seisvision.cli import main
from seisvision.errors import ConfigurationError
from seisvision.experiments.forecasting import experiment as experiments
from seisvision.forecasting import kept
from seisvision.forecasting.synthetic import TRUE, etas_world
from seisvision.records.folder import RunFolder, read_json
from seisvision.runs.ensure import ensure_run, identify
from seisvision.stored_arrays import read_arrays
from seisvision.tasks import RateTask

TINY = [
    "experiment=forecast", "dataset.source.days=500", "dataset.source.seed=3", "dataset.fit=1970-02-01/1971-01-01",
    "dataset.test=1971-01-01/1971-05-01", "dataset.cell_deg=0.25", "dataset.samples.maps.n_steps=2",
    "dataset.references.simulations=0", "dataset.references.block_days=10",
    "trainer.max_epochs=3", "trainer.batch_size=8", "system.num_workers=0",
]  # fmt: skip
CHEAP = "evaluation.baselines=false"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True, scope="module")
def given_etas() -> Iterator[None]:
    """Fits of ETAS are seen elsewhere: here it has the parameters and the background that made the catalogue."""
    background = etas_world(3, 10.0).background

    def fit(self: Any, task: Any) -> None:
        self._task = task
        self.result = SimpleNamespace(parameters=TRUE, background=background)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kept.Etas, "fit", fit)
        patched.setattr(kept, "described_etas", lambda result: {"mu": 1.0})
        patched.setattr(experiments, "audit_catalogue", lambda catalogue: [])
        yield


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "draw", lambda *_: None)


def config_of(data_dir: Path, runs: Path, *overrides: str) -> dict[str, Any]:
    return plain_config([*TINY, f"system.data_dir={data_dir}", f"system.runs_dir={runs}", *overrides])


@pytest.fixture(scope="module")
def finished(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return ensure_run(config_of(data_dir, tmp_path_factory.mktemp("runs")), [])


def test_the_network_stands_beside_every_reference(finished: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = read_json(finished.metrics_file)
    assert metrics["experiment_kind"] == "forecast" and metrics["leak"] == "none"
    told = metrics["forecasts"]["forecasts"]
    assert list(told) == ["poisson", "last_year", "smoothed", "omori_smoothed", "etas", "network"]
    gains = told["network"]["gain_over"]
    assert set(gains) == set(told) - {"network"}
    assert all(one["low"] <= one["value"] <= one["high"] for one in gains.values())
    # Nothing but ETAS is true in this catalogue.
    assert gains["etas"]["low"] <= 0 and abs(gains["etas"]["value"]) < 0.05
    for name in ("pr_auc", "brier_skill", "molchan_skill_area"):
        assert metrics["test"]["events"][name]["value"] == told["network"][name]["value"]
    assert told["network"]["alarms"]["hits"] + told["network"]["alarms"]["missed"] > 0
    assert set(told["network"]["csep"]) >= {"number", "likelihood", "conditional_likelihood", "space"}
    figures = {path.name for path in finished.figures.glob("*.png")}
    assert figures >= {"rates_map.png", "alarms.png", "molchan.png", "reliability.png", "learning_curves.png"}
    arrays = read_arrays(finished.path / "rates.npz")
    assert arrays["rates_network"].shape == arrays["counts"].shape and (arrays["rates_network"] > 0).all()
    with finished.split_file.open() as file:
        rows = list(csv.DictReader(file))
    ends = {part: [row for row in rows if row["part"] == part] for part in ("train", "val", "test")}
    assert ends["train"][-1]["end"] <= ends["val"][0]["issue"] < ends["val"][-1]["end"] <= ends["test"][0]["issue"]
    assert sum(metrics["data"]["samples"].values()) == len(rows)
    capsys.readouterr()
    assert main(["runs", "check", str(finished.path)]) == 0


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_figures: None
) -> None:
    words = (CHEAP, "model=safenet", "task=rates", "dataset.samples.indicators.memory_days=30")
    words = (*words, "dataset.samples.indicators.n_steps=2", "dataset.samples.indicators.step_days=5")
    whole = ensure_run(config_of(data_dir, tmp_path / "whole", *words), [])
    config = config_of(data_dir, tmp_path / "cut", *words)
    save = RateTask.on_save_checkpoint

    def stop(self: Any, checkpoint: dict[str, Any]) -> None:
        save(self, checkpoint)
        if self.current_epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RateTask, "on_save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            ensure_run(config, [])
    cut = ensure_run(config, [])
    assert cut.run_id == whole.run_id and cut.status()["attempts"] == 2
    assert pd.read_csv(cut.history_file).equals(pd.read_csv(whole.history_file))
    said = [read_arrays(folder.path / "rates.npz")["rates_network"] for folder in (cut, whole)]
    assert np.array_equal(*said)


def test_a_leak_is_named_wherever_it_is_told(
    data_dir: Path, tmp_path: Path, finished: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (CHEAP, "model=conv_lstm", "task=occurrence", "trainer.max_epochs=1")
    words = (*words, "dataset.samples.maps.magnitudes=[2.5]", "split.leak=frequency_map")
    folder = ensure_run(config_of(data_dir, tmp_path, *words), [])
    assert "LEAK: frequency_map" in capsys.readouterr().out
    metrics = read_json(folder.metrics_file)
    leaked = metrics["forecasts"]["forecasts"]["map_with_test"]["gain_over"]["poisson"]["value"]
    assert leaked > 0.02, "a map that knows the test is better than one that does not"
    assert metrics["roc_auc"]["map_with_test"] > metrics["roc_auc"]["poisson"]
    assert main(["compare", str(tmp_path), str(finished.path), "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "Forecasts" in page and "frequency_map" in page and "gain over etas" in page
    assert page.count("data:image/png") >= 8


def test_an_epoch_chosen_on_the_test_is_validated_on_it(data_dir: Path, tmp_path: Path, no_figures: None) -> None:
    words = ("trainer.max_epochs=1", "dataset.samples.unit=cell", "dataset.samples.patch=3", "trainer.batch_size=64")
    folder = ensure_run(config_of(data_dir, tmp_path, CHEAP, *words, "split.leak=test_epoch"), [])
    with folder.split_file.open() as file:
        rows = list(csv.DictReader(file))
    issues = {part: [row["issue"] for row in rows if row["part"] == part] for part in ("val", "test")}
    assert issues["val"] == issues["test"]
    assert read_json(folder.metrics_file)["leak"] == "test_epoch"


def test_announced_events_are_found(data_dir: Path, tmp_path: Path, no_figures: None) -> None:
    """Swarms tell of large events, which ETAS takes for none of its business."""
    words = [
        "experiment=forecast", "dataset=precursor_world", "dataset.source.seed=3", "dataset.source.days=1500",
        "dataset.source.n_large=90", "dataset.fit=1970-02-15/1973-03-01", "dataset.test=1973-03-01/1974-02-01",
        "dataset.cell_deg=0.2", "dataset.references.simulations=0", "trainer.max_epochs=8", CHEAP,
        "system.num_workers=0",
        f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}",
    ]  # fmt: skip
    metrics = read_json(ensure_run(plain_config(words), []).metrics_file)
    found = metrics["test"]["events"]
    assert found["gain_over_etas"]["low"] > 0.2 and found["gain_over_poisson"]["low"] > 0
    assert found["pr_auc"]["value"] > 2 * metrics["forecasts"]["base_rate"]


def test_folds_are_blocks_of_time_with_the_same_test(data_dir: Path, tmp_path: Path, no_figures: None) -> None:
    words = (CHEAP, "trainer.max_epochs=1", "split.n_folds=3")
    folders = [ensure_run(config_of(data_dir, tmp_path, *words, f"split.fold={fold}"), []) for fold in (0, 1)]
    tables = [pd.read_csv(folder.split_file) for folder in folders]
    tests = [table[table.part == "test"].issue.tolist() for table in tables]
    assert tests[0] == tests[1] and len(tests[0]) > 10
    vals = [set(table[table.part == "val"].issue) for table in tables]
    assert not vals[0] & vals[1]
    train = tables[1][tables[1].part == "train"]
    assert train.issue.min() < min(vals[1]) and train.issue.max() > max(vals[1]), "training lies on both sides"
    assert folders[0].run_id != folders[1].run_id


def test_runs_are_named_by_the_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("time,latitude,longitude,depth,mag\n2000-01-02T00:00:00Z,33.5,-116.5,5,3\n")
    words = ["experiment=forecast", "dataset=catalogue", f"dataset.source.path={path}", "dataset.fit=2000"]
    words += ["dataset.test=2001", "dataset.samples.maps.magnitudes=[3]", f"system.runs_dir={tmp_path}"]
    config = plain_config(words)
    first = identify(config).run_id
    path.write_text(path.read_text() + "2000-01-03T00:00:00Z,33.5,-116.5,5,3\n")
    assert identify(config).run_id != first


def test_what_does_not_fit_is_refused_by_name(data_dir: Path, tmp_path: Path) -> None:
    for word, message in {
        "split=careful": r"split=by_time",
        "split.leak=some": r"split\.leak=some is not known",
        "model=resnet18": r"reads neither maps nor indicators",
        "task.anchor=last": r"task\.anchor=last is not known",
    }.items():
        with pytest.raises(ConfigurationError, match=message):
            ensure_run(config_of(data_dir, tmp_path, CHEAP, word), [])


def test_parts_on_two_processes_would_be_dealt_without_loss(data_dir: Path, tmp_path: Path) -> None:
    """The samples of two ranks together are those of one, whatever their number."""
    config = config_of(data_dir, tmp_path, CHEAP)
    run = experiments.ForecastExperiment(config, RunFolder(tmp_path / "run"))
    run.load()
    samples = run.data.samples["train"]

    class Ranks:
        overfit_batches = 0
        world_size = 2

        def __init__(self, rank: int) -> None:
            self.global_rank = rank

    seen = []
    for rank in (0, 1):
        run.data.trainer = Ranks(rank)  # type: ignore[assignment]
        for batch in run.data.loader("train", shuffle=True):
            seen += batch["event_counts"][batch["counts"]].sum(dim=1).tolist()
    assert sorted(seen) == sorted(samples.counts.sum(axis=1).tolist())
