"""Folds evaluated as one: averages of what each run stored, samples predicted by folds that never saw them."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pandas as pd
import pytest
from omegaconf import OmegaConf
from tiny_runs import TINY, plain_config, tiny_config

from seisvision.commands.evaluate import evaluate_checkpoint
from seisvision.errors import CheckpointError, ConfigurationError
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.finding import checkpoints_of
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.integrity.seals import write_tensors
from seisvision.runs.ensure import ensure_run

SHORT = ["trainer.max_epochs=1"]
PROBABILITIES = ["source_type_probability_tectonic", "source_type_probability_glacial"]


@pytest.fixture(scope="module")
def folds(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    runs = tmp_path_factory.mktemp("folds")
    return [
        ensure_run(tiny_config(data_dir, runs, *SHORT, "split.n_folds=2", f"split.fold={fold}"), [])
        for fold in range(2)
    ]


def _evaluate(data_dir: Path, runs_dir: Path, ckpt: str, *overrides: str) -> Path:
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}", "system.num_workers=0"]
    composed = OmegaConf.create(plain_config([f"ckpt={ckpt}", *folders, *overrides], "evaluate"))
    return evaluate_checkpoint(composed)


def _list(folders: list[RunFolder]) -> str:
    return f"[{','.join(str(folder.path) for folder in folders)}]"


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"source_id": str}).set_index("source_id").sort_index()


def test_folds_with_one_test_part_are_averaged_on_it(folds: list[RunFolder], data_dir: Path, tmp_path: Path) -> None:
    folder = _evaluate(data_dir, tmp_path, _list(folds))
    alone = [_table(fold.predictions_file) for fold in folds]
    expected = (alone[0][PROBABILITIES] + alone[1][PROBABILITIES]) / 2
    together = _table(folder / "predictions.csv")
    pd.testing.assert_frame_equal(together[PROBABILITIES], expected, rtol=1e-4)
    metrics = read_json(folder / "metrics.json")
    is_right = expected.idxmax(axis=1).str.endswith("glacial") == (alone[0]["source_type_target"] == "glacial")
    assert metrics["test"]["source_type"]["accuracy"]["value"] == pytest.approx(is_right.mean())
    assert metrics["votes"] == {"2": len(expected)}
    for fold, one in zip(folds, alone, strict=True):
        pd.testing.assert_frame_equal(
            _table(folder / "members" / f"{fold.run_id}.csv")[PROBABILITIES], one[PROBABILITIES]
        )


def test_every_other_sample_is_predicted_by_the_fold_that_did_not_train_on_it(
    folds: list[RunFolder], data_dir: Path, tmp_path: Path
) -> None:
    folder = _evaluate(data_dir, tmp_path, str(folds[0].path.parent))
    expected = pd.concat([_table(fold.predictions("val")) for fold in folds]).sort_index()
    pooled = _table(folder / "predictions_out_of_fold.csv")
    pd.testing.assert_frame_equal(pooled[PROBABILITIES], expected[PROBABILITIES], rtol=1e-4)
    assert not set(pooled.index) & set(_table(folder / "predictions.csv").index)
    assert read_json(folder / "metrics.json")["out_of_fold"]["source_type"]["accuracy"]["n"] == len(expected) == 24
    counts = pd.read_csv(folder / "tables" / "source_type_out_of_fold_confusion.csv").drop(columns="true class")
    assert counts.to_numpy().sum() == 24
    for name in ("test_confusion", "test_reliability", "out_of_fold_confusion", "test_seen"):
        assert (folder / "figures" / f"source_type_{name}.png").is_file()


def test_where_test_parts_differ_nobody_votes_on_what_it_trained_on(
    folds: list[RunFolder],
    data_dir: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = ensure_run(tiny_config(data_dir, tmp_path, *SHORT, "split.seed=11"), [])
    monkeypatch.setattr(logging.getLogger("seisvision"), "propagate", True)
    with caplog.at_level(logging.INFO, "seisvision"):
        folder = _evaluate(data_dir, tmp_path, _list([folds[0], other]))
    alone = [_table(one.predictions_file) for one in (folds[0], other)]
    together = _table(folder / "predictions.csv")
    assert set(together.index) == set(alone[0].index) | set(alone[1].index)
    only = alone[1].index.difference(alone[0].index)
    assert len(only)
    pd.testing.assert_frame_equal(together.loc[only, PROBABILITIES], alone[1].loc[only, PROBABILITIES])
    assert f"(fold 0) has no vote on {len(only)} samples" in caplog.text and "in its train part" in caplog.text
    assert not (folder / "predictions_out_of_fold.csv").exists()
    counts = pd.read_csv(folder / "tables" / "source_type_test_confusion.csv").drop(columns="true class")
    assert counts.to_numpy().sum() == len(together)
    shown = pd.read_csv(folder / "tables" / "source_type_test_samples.csv", dtype=str)
    assert shown["event"].tolist() and set(shown["event"]) <= set(together.index)


def test_all_members_predict_another_set(folds: list[RunFolder], data_dir: Path, tmp_path: Path) -> None:
    another = ["dataset=synthetic", *(word.replace("=30", "=8") for word in TINY if word.startswith("dataset."))]
    folder = _evaluate(data_dir, tmp_path, _list(folds), *another, "dataset.source.seed=5")
    metrics = read_json(folder / "metrics.json")
    assert metrics["votes"] == {"2": 8} and metrics["all"]["source_type"]["accuracy"]["n"] == 8
    same = ["dataset=synthetic", *(word for word in TINY if word.startswith("dataset."))]
    with pytest.raises(ConfigurationError, match="samples they know"):
        _evaluate(data_dir, tmp_path, _list(folds), *same)


@pytest.mark.parametrize("part", ["train", "all"])
def test_parts_that_members_trained_on_are_refused(
    part: str, folds: list[RunFolder], data_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=f"part={part} of an ensemble is refused"):
        _evaluate(data_dir, tmp_path, _list(folds), f"part={part}")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: content["outputs"][0].update(class_names=["a", "b"]), "outputs differ"),
        (lambda content: content.update(data_fingerprint="0" * 12), "fingerprint"),
    ],
)
def test_members_of_another_kind_are_named(
    change: object, problem: str, folds: list[RunFolder], data_dir: Path, tmp_path: Path
) -> None:
    checkpoint = load_checkpoint(folds[1].best_checkpoint)
    change(checkpoint["seisvision"])  # type: ignore[operator]
    write_tensors(checkpoint, tmp_path / "other.ckpt")
    with pytest.raises(Exception, match=problem):
        _evaluate(data_dir, tmp_path, f"[{folds[0].path},{tmp_path / 'other.ckpt'}]")


def test_members_are_found_by_folder_pattern_and_list(folds: list[RunFolder]) -> None:
    expected = {fold.best_checkpoint for fold in folds}
    top = folds[0].path.parent
    for asked in (str(top), f"{top}/*", [str(fold.path) for fold in folds], [str(one) for one in expected]):
        assert set(checkpoints_of(asked)) == expected
    assert checkpoints_of([str(folds[0].path), str(folds[0].best_checkpoint)]) == [folds[0].best_checkpoint]
    with pytest.raises(CheckpointError, match="nowhere"):
        checkpoints_of("nowhere")


OTHER = ["dataset=synthetic", *(word.replace("=30", "=12") for word in TINY if word.startswith("dataset."))]


@pytest.fixture(scope="module")
def members(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[RunFolder]:
    """Two folds."""
    runs = tmp_path_factory.mktemp("with_baselines")
    cut = [*SHORT, "evaluation.baselines=true", "split.n_folds=2"]
    return [ensure_run(tiny_config(data_dir, runs, *cut, f"split.fold={fold}"), []) for fold in range(2)]


def test_an_ensemble_of_one_split_stands_beside_the_baselines_of_its_training_part(
    members: list[RunFolder], data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    twin = RunFolder(tmp_path / "twin")
    shutil.copytree(members[0].path, twin.path)
    folder = _evaluate(data_dir, tmp_path, _list([members[0], twin]))
    alone, together = (read_json(path / "metrics.json") for path in (members[0].path, folder))
    for name, baseline in alone["baselines"]["source_type"].items():
        assert together["baselines"]["source_type"][name].get("test") == baseline.get("test")
    assert together["strongest_baseline"] == alone["strongest_baseline"]
    name = alone["strongest_baseline"]["source_type"]["name"]
    assert f"ensemble of 2 minus the strongest baseline, {name}" in capsys.readouterr().out
    assert together["differences"]["test"]["source_type"][name]["n"] == together["test"]["source_type"]["accuracy"]["n"]


def test_baselines_of_folds_are_averaged_as_their_networks_are(
    members: list[RunFolder], data_dir: Path, tmp_path: Path
) -> None:
    other = [*OTHER, "dataset.source.seed=5"]
    metrics = read_json(_evaluate(data_dir, tmp_path, _list(members[:2]), *other) / "metrics.json")
    alone = [read_json(_evaluate(data_dir, tmp_path, str(one.path), *other) / "metrics.json") for one in members[:2]]
    found = metrics["baselines"]["source_type"]
    assert set(found) == set.intersection(*(set(one["baselines"]["source_type"]) for one in alone))
    assert found["forest"]["all"]["accuracy"]["n"] == 12
    assert metrics["strongest_baseline"]["source_type"]["name"] in {
        one["strongest_baseline"]["source_type"]["name"] for one in alone
    }
    stated = [
        one["baselines"]["source_type"]["band_power"]["all"]["cross_entropy"]["value"] for one in (metrics, *alone)
    ]
    assert stated[1] != stated[2]
    assert stated[0] < max(stated[1:]), "the mean of probabilities is never worse than the worse of them"
