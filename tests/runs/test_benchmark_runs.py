"""Benchmarks that train do so in their shortest form, on the set that all tests share."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opened_benchmarks import benchmark, once, run
from tiny_runs import SMALL, TINY, tiny_config

from seisvision.experiments.waveforms.network import build_view
from seisvision.records.settings import SystemSettings
from seisvision.runs.ensure import ensure_run

__all__ = ["benchmark"]


def test_epochs_from_memory_and_from_disk_and_a_bare_run(
    data_dir: Path, benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = benchmark("epoch")
    monkeypatch.setattr(module, "in_turns", once(benchmark("measuring")))
    words = ["--events", "30", "--size", "32", "32", "--batches", "1", "--workers", "0", "--data-dir", str(data_dir)]
    run(module, [*words, "--json", "--set", *TINY], monkeypatch)
    said = json.loads(capsys.readouterr().out)
    assert set(said["epochs"]) == {"pictures", "memory", "disk"} and said["ratio"] == {"memory": 1.0, "disk": 1.0}
    benchmark("sweeps").train_bare([*TINY, f"system.data_dir={data_dir}", "trainer.max_epochs=1"])
    assert re.search(r"val \d+, test \d+ right", capsys.readouterr().out)


def test_runs_are_timed_with_one_process_and_with_two(
    data_dir: Path, tmp_path: Path, benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = benchmark("launch")
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_ones_own.")
    commands = []

    def here(command: list[str], **said: Any) -> SimpleNamespace:
        """A run in this process, whatever devices are asked for; imports take no time."""
        commands.append(command)
        if command[1] == "-c":
            return SimpleNamespace()
        config = tiny_config(data_dir, tmp_path, *SMALL, "trainer.max_epochs=1")
        return SimpleNamespace(stdout=f"words\n{ensure_run(config, []).path}\n")

    monkeypatch.setattr(module, "subprocess", SimpleNamespace(run=here))
    run(module, ["--events", "16", "--epochs", "1", "--repeats", "2"], monkeypatch)
    assert sum("trainer.devices=2" in command for command in commands) == 2
    assert re.search(r"threads, load .*two processes train [\d.]+ \(", capsys.readouterr().out, re.DOTALL)


def test_what_comes_after_the_training_is_told_by_parts(
    data_dir: Path, tmp_path: Path, benchmark: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = benchmark("after_training")
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_ones_own.")
    for target in (module.TRAINING, module.EPOCH_END, *(one for some in module.PARTS.values() for one in some)):
        owner, name = module.place_of(target)
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setattr(SystemSettings, "features_dir", SystemSettings.features_dir)
    config = tiny_config(data_dir, tmp_path, *SMALL, "trainer.max_epochs=3", "evaluation.baselines=false")
    monkeypatch.setattr(module, "compose_experiment", lambda words: config)
    run(module, ["--epochs", "1"], monkeypatch)
    said = capsys.readouterr().out
    whole_s = float(re.search(r"3 epochs \(1 trained, 2 extrapolated\): ([\d.]+) s", said)[1])
    after_s = float(re.search(r"after training: ([\d.]+) s", said)[1])
    parts_s = {part: float(re.search(rf"^{part} +([\d.]+) s", said, re.M)[1]) for part in (*module.PARTS, "all else")}
    assert 0 < parts_s["predictions"] < after_s and 0 < parts_s["figures"] < after_s and whole_s > 0
    assert sum(parts_s.values()) == pytest.approx(after_s, abs=0.2) and parts_s["locating"] == 0


def test_a_gpu_benchmark_runs_without_a_gpu(
    data_dir: Path, tmp_path: Path, benchmark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEISVISION_ALLOWED_TARGETS", "model_of_ones_own.")
    module = benchmark("gpu")
    setting = module.Setting(tmp_path, is_dry=True)
    for words in module.checks.VIEWS.values():
        assert build_view(setting.compose(*words).view).out_channels

    def overrides(self: Any, *more: str) -> list[str]:
        folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "trainer.accelerator=cpu"]
        return [*TINY, *SMALL, *folders, *more]

    monkeypatch.setattr(module.Setting, "overrides", overrides)
    monkeypatch.setattr(module, "Setting", lambda *given, **said: setting)
    # Without "resume", six trainings of three epochs: that runs resume exactly has tests of its own.
    rows = ("step", "default 128 x 64, 32 a batch, 32-true", "noise")
    run(module, ["--dry", "--out", str(tmp_path), "--only", *rows], monkeypatch)
    found = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert set(found) == set(rows) and not [row["failed"] for row in found.values() if "failed" in row], found
    assert found["noise"]["again"]
