"""The whole Atlas: its presets are sound, failures stop nothing, and the report comes from stored runs alone."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from fake_runs import ANGLE, SCALAR, fake_run
from tiny_runs import ROOT

from seisvision.atlas import stages as atlas_stages
from seisvision.atlas.presets import Preset, Stage, configurations, load_preset
from seisvision.atlas.report import write_report
from seisvision.atlas.stages import Done, Record, composed, run_stages
from seisvision.errors import ConfigurationError, DataError
from seisvision.experiments.waveforms.checks import check_location, check_origin, check_split
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.configuration import instantiate
from seisvision.records.folder import read_json

CONF = ROOT / "conf"


def preset(name: str) -> Preset:
    with configurations(CONF):
        return load_preset(name, CONF)


FULL = preset("full")
TRAINING = [stage for stage in FULL.stages if stage.kind != "agreement"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", TRAINING, ids=lambda stage: stage.name)
def test_every_stage_of_the_full_preset_builds(stage: Stage) -> None:
    needed = [f"offset_ckpt={ROOT / 'pyproject.toml'}"] if stage.offset_from else []
    with configurations(CONF):
        config = composed([*FULL.overrides, *stage.overrides, *stage.points()[-1], *needed])
    view = build_view(config["view"])
    settings = Settings.of(config)
    build_task(settings, view)
    for check in (check_split, check_origin, check_location):
        check(settings, view)
    assert (config["stages"] is not None) == (stage.kind == "protocol")


@pytest.mark.slow
def test_the_reduced_preset_does_the_same_experiments_and_says_what_it_reduces() -> None:
    reduced = preset("reduced")
    assert [stage.name for stage in reduced.stages] == [stage.name for stage in FULL.stages]
    assert "Reduced" in reduced.note
    seen: list[dict] = []
    with configurations(CONF):
        for stage in (stage for stage in reduced.stages if stage.kind != "agreement"):
            needed = [f"offset_ckpt={ROOT / 'pyproject.toml'}"] if stage.offset_from else []
            for point in stage.points():
                config = composed([*reduced.overrides, *stage.overrides, *point, *needed])
                assert config["trainer"]["max_epochs"] <= 10
            parts = {name: config[name] for name in ("view", "model")}
            if parts not in seen:
                seen.append(parts)
                # Some networks refuse pictures that are too small, and say so only when they see one.
                view = build_view(config["view"])
                model = instantiate(config["model"], in_channels=view.out_channels)
                model(torch.zeros(2, view.out_channels, view.height, view.width))


def test_every_numbered_statement_has_a_stage() -> None:
    answered = {statement for stage in FULL.stages for statement in stage.statements}
    assert answered >= {"A-14", "A-18", "A-21", "A-24", "A-28", "A-31", "A-34", "A-38", "A-39", "A-45", "A-50", "A-52"}


def test_unknown_presets_and_stages_out_of_order_are_refused(tmp_path: Path) -> None:
    with configurations(CONF), pytest.raises(ConfigurationError, match="full, reduced"):
        load_preset("fast", CONF)
    with pytest.raises(ConfigurationError, match=r"no train\.yaml"), configurations(tmp_path):
        pass
    (tmp_path / "atlas").mkdir()
    (tmp_path / "train.yaml").write_text("{}")
    stage = {"a": {"title": "t", "mode": "paper", "needs": ["b"]}}
    content = {"note": "", "overrides": [], "stages": stage}
    (tmp_path / "atlas" / "odd.yaml").write_text("# @package _global_\n" + yaml.safe_dump(content))
    with configurations(tmp_path), pytest.raises(ConfigurationError, match="needs 'b'"):
        load_preset("odd", tmp_path)


SMALL = Preset(
    "small",
    "Small.",
    [],
    [
        Stage("offset_models", "networks", "careful", ["A-33"], sweep={"model": ["alexnet", "resnet18"]}),
        Stage("depth_paper", "depth", "paper", ["A-39"]),
        Stage("azimuth_careful", "azimuth", "careful", ["A-39"]),
        Stage("unlabelled", "unlabelled", "careful", ["A-45"], offset_from="depth_paper"),
    ],
)
ABOUT = {
    "offset_models": SCALAR,
    "depth_paper": SCALAR | {"name": "depth", "target": "source_depth_km"},
    "azimuth_careful": ANGLE,
}
COMPLETE = {
    "split.stratify": False,
    "split.refit": False,
    "split.test_fraction": 0.2,
    "split.val_fraction": 0.3,
    "view.width": 32,
    "trainer.max_epochs": 5,
}


class Runner:
    """Stands in for training: makes a run folder, and fails where it is told to."""

    def __init__(self, folder: Path, fails: str = "") -> None:
        self.folder, self.fails, self.calls = folder, fails, 0

    def __call__(self, overrides: Sequence[str]) -> Path:
        self.calls += 1
        said: dict[str, Any] = dict(one.split("=", 1) for one in overrides)
        stage, model = said["name"].removeprefix("atlas/"), said.get("model", "resnet50")
        if stage == self.fails:
            raise DataError("the disk is full")
        path = self.folder / "atlas" / stage / model
        if not path.exists():
            skill = {"alexnet": 0.95, "resnet18": 0.2}.get(model, 0.6)
            fake_run(path, COMPLETE | {"model.name": model}, about=ABOUT[stage], skill=skill)
        return path


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    monkeypatch.setattr(atlas_stages, "composed", lambda overrides: {"launcher": {"kind": "local"}})
    return Record(tmp_path / "atlas" / "stages.json")


def test_a_failed_stage_is_recorded_and_stops_nothing(
    tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atlas_stages, "run_one", Runner(tmp_path, fails="depth_paper"))
    run_stages(SMALL, [], record, tmp_path / "atlas")
    states = {name: done.state for name, done in Record(record.path).done.items()}
    assert states == {
        "offset_models": "finished",
        "depth_paper": "failed",
        "azimuth_careful": "finished",
        "unlabelled": "failed",
    }
    report = write_report(SMALL, record.done, tmp_path / "atlas", tmp_path).read_text()
    assert "failed: the disk is full" in report
    assert "it needs the run of depth" in report
    monkeypatch.setattr(atlas_stages, "run_one", Runner(tmp_path))
    run_stages(SMALL, [], record, tmp_path / "atlas", only=["depth_paper"])
    assert Record(record.path).done["depth_paper"].state == "finished"


def test_a_failed_point_does_not_stop_a_sweep(tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    good = Runner(tmp_path)

    def run_one(overrides: Sequence[str]) -> Path:
        if "model=alexnet" in overrides:
            raise RuntimeError("out of memory")
        return good(overrides)

    monkeypatch.setattr(atlas_stages, "run_one", run_one)
    run_stages(SMALL, [], record, tmp_path / "atlas", only=["offset_models"])
    done = record.done["offset_models"]
    assert done.state == "failed" and done.error == "RuntimeError: out of memory" and len(done.runs["runs"]) == 1


def test_an_interruption_is_passed_on(tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_one(overrides: Sequence[str]) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(atlas_stages, "run_one", run_one)
    with pytest.raises(KeyboardInterrupt):
        run_stages(SMALL, [], record, tmp_path / "atlas")


def test_progress_is_told(
    tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(atlas_stages, "run_one", Runner(tmp_path))
    run_stages(SMALL, [], record, tmp_path / "atlas", only=["azimuth_careful"])
    assert "experiment 3 of 4: azimuth (careful mode)" in caplog.text


@pytest.fixture
def reported(tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(atlas_stages, "run_one", Runner(tmp_path))
    run_stages(SMALL, [], record, tmp_path / "atlas")
    return write_report(SMALL, record.done, tmp_path / "atlas", tmp_path)


def test_every_line_says_on_what_it_was_found(reported: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(reported.with_suffix(".csv").open()))
    (depth,) = [row for row in rows if row["metric"] == "test acc_tol_rel0.10_abs10km" and "depth" in row["about"]]
    stored = read_json(Path(depth["run"]) / "metrics.json")["test"]["depth"]["acc_tol_rel0.10_abs10km"]
    assert depth["published"] == "89 or 91 %" and depth["verdict"] == "not comparable (different data)"
    assert [float(depth[key]) for key in ("value", "low", "high")] == [stored[key] for key in ("value", "low", "high")]
    assert int(depth["n"]) == stored["n"] and depth["data_fingerprint"] == "data1" and depth["split_hash"] == "split1"
    assert "seed 3407" in depth["protocol"] and "resnet50" in depth["protocol"]
    unpublished = [row for row in rows if not row["published"]]
    assert unpublished and not any(row["verdict"] for row in unpublished)


def test_traps_are_footnotes_where_they_apply(reported: Path) -> None:
    text = reported.read_text()
    notes = dict(re.findall(r"^(\d+)\. (.*)$", text, flags=re.MULTILINE))
    (regression,) = [number for number, note in notes.items() if note.startswith("A regression has no accuracy")]
    line = next(line for line in text.splitlines() if "depth of earthquakes" in line)
    assert regression in line.split("|")[-2].split()
    assert not any("resnet151" in note for note in notes.values())


def test_differences_between_networks_are_tested(reported: Path) -> None:
    stored = read_json(reported.with_suffix(".json"))
    (pair,) = stored["tests"]["offset_models"]
    assert pair["is_different"] and pair["p_adjusted"] < 0.01
    assert "is ahead on" in reported.read_text() and "beyond chance" not in reported.read_text()


def test_the_report_is_rebuilt_from_what_is_stored(
    reported: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = reported.read_text()
    reported.unlink()

    def forbidden(overrides: Sequence[str]) -> Path:
        raise AssertionError("nothing may be trained")

    monkeypatch.setattr(atlas_stages, "run_one", forbidden)
    assert write_report(SMALL, Record(record.path).done, reported.parent, reported.parents[1]).read_text() == before


def test_a_damaged_run_costs_its_own_lines_only(reported: Path, record: Record) -> None:
    damaged = Path(record.done["depth_paper"].runs["runs"][0])
    (damaged / "metrics.json").write_text("{")
    text = write_report(SMALL, record.done, reported.parent, reported.parents[1]).read_text()
    assert "cannot be read" in text and "azimuth of the force" in text


def test_records_survive(tmp_path: Path) -> None:
    record = Record(tmp_path / "stages.json")
    record.put(SMALL.stages[0], Done("failed", {"runs": ["a"]}, "why", 1.5))
    assert Record(record.path).done["offset_models"] == Done("failed", {"runs": ["a"]}, "why", 1.5)
