"""Uncertainties from configuration to result files: of a run, of its evaluation, and what is refused before."""

import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_runs import plain_config

from seisvision.errors import ConfigurationError
from seisvision.experiments.supervised.evaluation import evaluate
from seisvision.experiments.supervised.shift import AS_TRAINED, COLUMNS, Condition, ask_under, conditions_of
from seisvision.experiments.supervised.uncertainty import UncertaintySettings, check_uncertainty
from seisvision.experiments.waveforms.network import build_task, build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.finding import checkpoints_of
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.identity import run_identity, scientific_part
from seisvision.records.settings import EvaluateSettings
from seisvision.runs.training import train_and_evaluate

TINY = [
    "experiment=gu", "dataset.source.n_events=30", "dataset.source.n_stations=[5,5]", "dataset.source.noise_db=-20",
    "trainer.max_epochs=1", "trainer.batch_size=32", "logger=csv", "system.num_workers=0", "evaluation.baselines=false",
    "split.by=event", "split.test_fraction=0.4", "split.val_fraction=0.5",
]  # fmt: skip
USUAL = Condition(AS_TRAINED, None)


def test_every_method_is_a_choice_and_none_keeps_the_ids_of_runs() -> None:
    plain = plain_config(["experiment=gu"])
    assert plain["uncertainty"] is None
    without = {name: value for name, value in plain.items() if name != "uncertainty"}
    assert run_identity(scientific_part(plain, "data")) == run_identity(scientific_part(without, "data"))
    for method in ("mc_dropout", "laplace", "ensemble", "evidential"):
        chosen = plain_config(["experiment=gu", f"uncertainty={method}"])
        assert UncertaintySettings.of(chosen["uncertainty"]).method == method
    assert [one.get("loss") for one in chosen["task"]["outputs"]] == ["evidential", "evidential", "von_mises"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"method": "magic"}, "uncertainty.method='magic'"),
        ({"method": "mc_dropout", "passes": 1}, "from 2 to"),
        ({"method": "mc_dropout", "draws": 3}, "uncertainty.draws"),
        ({"method": "laplace", "passes": 2.5}, "whole number"),
        ("mc_dropout", "is not allowed"),
    ],
    ids=["method", "one", "unknown", "broken", "word"],
)
def test_settings_that_are_not_allowed_are_named(said: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        UncertaintySettings.of(said)


def test_methods_that_do_not_go_with_the_networks_are_refused() -> None:
    config = Settings.of(plain_config(["experiment=gu"]))
    task = build_task(config, build_view(config.view))
    for said, kwargs, message in (
        ({"method": "ensemble"}, {"is_training": True}, "belongs to evaluate.py"),
        ({"method": "ensemble", "passes": 1}, {}, "needs several networks"),
        ({"method": "mc_dropout"}, {"n_networks": 2}, "asks one network"),
        ({"method": "evidential", "passes": 1}, {}, "has to be learnt"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            check_uncertainty(said, task, **kwargs)
    check_uncertainty({"method": "laplace"}, task)
    with pytest.raises(ConfigurationError, match="all passes would agree"):
        check_uncertainty({"method": "mc_dropout"}, SimpleNamespace(outputs=(), modules=lambda: []))


def test_shifted_worlds_change_one_thing_each() -> None:
    dataset = plain_config(["experiment=gu"])["dataset"]
    usual, others, faster, louder, foreign, further = conditions_of(dataset, 20, {"real": "somewhere"})
    assert (usual.name, usual.dataset) == (AS_TRAINED, None) and further.dataset["source"]["path"].endswith("somewhere")
    base = others.dataset["source"]
    assert base["seed"] != dataset["source"]["seed"] and base["n_events"] == 20
    assert faster.dataset["source"]["vp_km_s"][0] == pytest.approx(1.1 * base["vp_km_s"][0])
    assert louder.dataset["source"]["noise_db"] == base["noise_db"] + 10
    assert {name for name in base if foreign.dataset["source"][name] != base[name]} >= {"vp_km_s", "depth_km"}
    with pytest.raises(ConfigurationError, match="--set NAME=FOLDER"):
        conditions_of({"source": {"_target_": "seisvision.data.FolderSource"}}, 20, {})


def test_a_run_says_what_it_does_not_know_and_where_events_are_from_one_station(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Figures take most of the time of so small a run, and are drawn in other tests.
    monkeypatch.setattr("seisvision.experiments.supervised.experiment.write_report", lambda *_: None)
    monkeypatch.setattr("seisvision.experiments.supervised.evaluation.write_evaluation_report", lambda *_: None)
    folders = [f"system.data_dir={tmp_path / 'data'}", f"system.runs_dir={tmp_path / 'runs'}"]
    config = plain_config([*TINY, *folders, "uncertainty=mc_dropout", "uncertainty.passes=3", "location=single"])
    folder = RunFolder(tmp_path / "0123456789")
    folder.path.mkdir()
    folder.prepare(config, [])
    train_and_evaluate(folder)
    metrics = read_json(folder.metrics_file)
    with folder.predictions("test").open() as lines:
        row = next(iter(csv.DictReader(lines)))
    for output in ("distance", "p_travel", "back_azimuth"):
        assert float(row[f"{output}_sigma_epistemic"]) > 0
    measured = metrics["test"]["distance"]
    assert {"coverage_50", "coverage_90", "nll", "crps_km", "p90_ae_km", "conformal_coverage_68"} <= measured.keys()
    assert metrics["conformal"]["distance"][0]["group"] == "all"
    assert metrics["location"]["network"]["measures"]["median_error_km"]["value"] > 0
    assert (folder.path / "single_locations.xml").is_file()
    laplace = {"method": "laplace", "passes": 4}
    asked = EvaluateSettings.of(
        {"ckpt": str(folder.path), "part": "test", "system": config["system"], "uncertainty": laplace}
    )
    again = evaluate(asked, checkpoints_of(str(folder.path)))
    other = read_json(again / "metrics.json")["test"]["distance"]
    assert "conformal_coverage_68" in other and other["crps_km"]["value"] != measured["crps_km"]["value"]
    with (again / "predictions.csv").open() as lines:
        familiar = [float(row["familiar"]) for row in csv.DictReader(lines)]
    assert 0 < min(familiar) < max(familiar) <= 1
    asked = replace(asked, training_events="leave_out")
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in ask_under(asked, checkpoints_of(str(folder.path)), [USUAL])]
    assert [row["output"] for row in rows] == ["distance", "p_travel", "back_azimuth"]
    assert all(row["auroc_features"] == pytest.approx(0.5) and 0 < row["answered_by_features"] <= 1 for row in rows)
