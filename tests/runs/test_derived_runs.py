"""Runs on derived columns: fitted on the training part, kept with the network, and the same wherever it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from tiny_runs import ROOT, plain_config

from seisvision.cli import main
from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.data.derived.places import KMeansPlaces
from seisvision.errors import CheckpointError, ConfigurationError, SeisvisionError
from seisvision.experiments.waveforms.asked import ask_network
from seisvision.experiments.waveforms.data import build_data
from seisvision.experiments.waveforms.network import build_view
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.integrity.seals import SEAL
from seisvision.records.settings import EvaluateSettings
from seisvision.runs.ensure import ensure_run

SET = [
    "dataset.source.n_events=24",
    "dataset.source.n_stations=[3,3]",
]
SMALL = [
    "experiment=convnetquake",
    *SET,
    "dataset.derive.source_place.k=2",
    "trainer.max_epochs=2",
    "logger=csv",
    "system.num_workers=0",
]
DEPTHS = "+dataset.derive.source_depth={_target_: seisvision.data.Bins, column: source_depth_km, edges: 2}"
OF_DEPTHS = "task.outputs.source_place.target=source_depth"


def config(data_dir: Path, runs_dir: Path, *overrides: str) -> dict[str, Any]:
    return plain_config([*SMALL, f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", *overrides])


def asked_of(data_dir: Path, runs_dir: Path, ckpt: Path, *overrides: str) -> dict[str, Any]:
    words = [f"ckpt={ckpt}", f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", *overrides]
    return plain_config([*words, "system.num_workers=0"], "evaluate")


def places_of(data: Any, part: str) -> np.ndarray:
    return data.parts[part].targets["source_place"]


@pytest.fixture(scope="module")
def run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return ensure_run(config(data_dir, tmp_path_factory.mktemp("runs")), [])


def test_places_stand_beside_baselines_and_noise_is_a_class_of_them(run: RunFolder) -> None:
    metrics = read_json(run.metrics_file)
    assert set(metrics["baselines"]) == {"source_place", "detection"}
    assert {"majority", "boosting", "station_only"} <= set(metrics["baselines"]["source_place"])
    (about,) = [output for output in metrics["outputs"] if output["name"] == "source_place"]
    assert about["class_names"] == ["0", "1", "noise"]
    table = pd.read_csv(run.predictions_file)
    assert any("source_place" in column for column in table)


def test_places_are_those_of_the_training_events_alone(run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    content = load_checkpoint(run.best_checkpoint)["seisvision"]
    asked = EvaluateSettings.of(asked_of(data_dir, tmp_path, run.path))
    waveform_set = ask_network(run.best_checkpoint, asked).data.waveform_set
    training = waveform_set.event_table().loc[content["split"]["train"]]
    assert content["derived"] == {"source_place": KMeansPlaces(2).fit(training)}
    everything = KMeansPlaces(2).fit(waveform_set.event_table())
    assert content["derived"]["source_place"] != everything


def test_an_evaluation_of_the_own_set_says_the_same(run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        words = [f"ckpt={run.path}", f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}"]
        again = evaluate_checkpoint(compose("evaluate", overrides=[*words, "system.num_workers=0"]))
    pd.testing.assert_frame_equal(pd.read_csv(again / "predictions.csv"), pd.read_csv(run.predictions_file))
    assert set(read_json(again / "metrics.json")["baselines"]["source_place"]) >= {"majority", "boosting"}


def test_another_set_has_the_places_of_the_training(run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    stored = load_checkpoint(run.best_checkpoint)["seisvision"]["derived"]["source_place"]
    other = ["dataset=synthetic_local", "dataset.source.seed=77", "dataset.source.n_events=6"]
    windows = ["dataset.traces.window.length_s=10.01", "dataset.source.sampling_rate_hz=100"]
    asked = asked_of(data_dir, tmp_path, run.path, *other, *windows, "dataset.labels.source_type.other=[noise]")
    network = ask_network(run.best_checkpoint, EvaluateSettings.of(asked))
    events = network.data.waveform_set.event_table()
    assert events["source_place"].tolist() == KMeansPlaces(2).apply(events, stored).tolist()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        words = [f"ckpt={run.path}", f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", *other, *windows]
        found = evaluate_checkpoint(
            compose("evaluate", overrides=[*words, "dataset.labels.source_type.other=[noise]", "system.num_workers=0"])
        )
    assert read_json(found / "metrics.json")["all"]["source_place"]["accuracy"]["value"] >= 0


def test_what_a_checkpoint_says_is_used_or_refused(run: RunFolder, data_dir: Path, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(run.best_checkpoint)
    content = checkpoint["seisvision"]
    fitted = content["derived"]["source_place"]
    asked = EvaluateSettings.of(asked_of(data_dir, tmp_path, run.path))

    def opened(derived: Any) -> Any:
        unsealed = {key: value for key, value in checkpoint.items() if key != SEAL}
        torch.save({**unsealed, "seisvision": {**content, "derived": derived}}, tmp_path / "other.ckpt")
        return ask_network(tmp_path / "other.ckpt", asked).data

    swapped = {name: values[::-1] for name, values in fitted.items()}
    known, other = (places_of(opened({"source_place": one}), "test") for one in (fitted, swapped))
    assert (other == np.where(known < 2, 1 - known, known)).all()
    for hostile in (
        {},
        {"source_place": {}},
        {"source_place": {**fitted, "latitudes_deg": [1.0]}},
        {"source_place": {**fitted, "latitudes_deg": [float("nan"), 2.0]}},
        {"source_place": {**fitted, "latitudes_deg": "here"}},
        {"source_place": {**fitted, "latitudes_deg": [1.0, {}]}},
        ["source_place"],
    ):
        with pytest.raises(CheckpointError, match=r"other\.ckpt was tampered with or is damaged: .*deriv"):
            opened(hostile)


def test_folds_with_places_of_their_own_are_not_averaged(data_dir: Path, tmp_path: Path) -> None:
    words = ["evaluation.baselines=false", "trainer.max_epochs=1", "split.n_folds=3"]
    folds = [ensure_run(config(data_dir, tmp_path, *words, f"split.fold={fold}"), []) for fold in (0, 1)]
    ckpt = f"ckpt=[{folds[0].path},{folds[1].path}]"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed = compose("evaluate", overrides=[ckpt, f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}"])
        with pytest.raises(CheckpointError, match=r"dataset\.derive made other classes of the same names"):
            evaluate_checkpoint(composed)
    assert main(["compare", *(str(one.path) for one in folds), "--out", str(tmp_path / "compared.html")]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["split.stratify=true"], "split.stratify=true would deal events by the classes of 'source_place'"),
        (["+dataset.select.source_place=['1']"], r"dataset\.select\.source_place selects by a derived column"),
        (
            ["task=offset", "task.outputs.offset.target=source_place", "~task.outputs.detection", "~task.decay"],
            "makes a column of classes of it",
        ),
        ([DEPTHS.replace("source_depth=", "source_type=")], r"dataset\.derive\.source_type would hide"),
        ([DEPTHS.replace("source_depth=", "depth=")], "says something of events: begin its name with source_"),
        ([DEPTHS.replace("source_depth_km", "source_nothing")], "is made of source_nothing, which"),
        (["dataset.derive.source_place.k=20"], "cannot be 20. Ask for fewer places"),
    ],
    ids=lambda words: str(words)[:40],
)
def test_what_cannot_be_derived_is_refused(data_dir: Path, tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(SeisvisionError, match=message):
        asked = config(data_dir, tmp_path, *words)
        build_data(Settings.of(asked), build_view(asked["view"]))


def test_a_share_of_a_split_in_time_keeps_events_that_will_have_a_place(data_dir: Path, tmp_path: Path) -> None:
    def parts(*words: str) -> dict[str, set[str]]:
        asked = config(data_dir, tmp_path, "split=by_origin_time", *words)
        data = build_data(Settings.of(asked), build_view(asked["view"]))
        return {part: set(samples.source_ids) for part, samples in data.parts.items()}

    whole, half = parts(), parts("split.share=0.5")
    assert half["train"] < whole["train"] and half["val"] < whole["val"] and half["test"] == whole["test"]
    assert len(half["train"]) == (len(whole["train"]) + 1) // 2


def test_names_at_the_place_of_a_derived_column_are_of_its_kind(data_dir: Path, tmp_path: Path) -> None:
    for target in ("seisvision.data.FolderSource", "os.system"):
        with pytest.raises(ConfigurationError, match=r"dataset\.derive\.source_place\._target_|is not allowed"):
            config(data_dir, tmp_path, f"dataset.derive.source_place._target_={target}")


def test_travel_times_and_bins_are_learnt_like_any_column(data_dir: Path, tmp_path: Path) -> None:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}"]
    # The task brings the derived column along, to any set.
    asked = plain_config(["experiment=offset_local", "task=single_station", *SET, *folders])
    data = build_data(Settings.of(asked), build_view(asked["view"]))
    travel_s, offset_km = (data.parts["test"].targets[name] for name in ("p_travel_s", "path_ep_distance_km"))
    assert np.corrcoef(travel_s, offset_km)[0, 1] > 0.8 and (travel_s > 0).all()
    asked = config(data_dir, tmp_path, DEPTHS, OF_DEPTHS)
    data = build_data(Settings.of(asked), build_view(asked["view"]))
    assert data.class_names["source_depth"] == ["0", "1", "noise"]
