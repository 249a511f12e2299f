"""What the numbers of a comparison mean: repetitions, intervals, which run counts, names of classes."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fake_runs import ANGLE, CLASS, SCALAR, fake_run, predictions

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import DataError
from seisvision.evaluation.intervals import Measure
from seisvision.records.prediction_table import read_predictions, read_sample_ids, write_predictions
from seisvision.reports.comparing.collect import collect
from seisvision.reports.comparing.groups import compare
from seisvision.reports.comparing.more_sections import location_summary
from seisvision.reports.comparing.page import render_page
from seisvision.reports.comparing.pairs import Said, common_samples, compare_pair, compare_pairs
from seisvision.reports.comparing.samples import summary_line
from seisvision.reports.comparing.tables import comparison_csv


def compared(*folders):
    return compare(*collect([str(folder) for folder in folders]))


def edit_metrics(folder, change):
    metrics = json.loads((folder / "metrics.json").read_text())
    change(metrics)
    (folder / "metrics.json").write_text(json.dumps(metrics))


def rename_events(folder, part, prefix):
    path = folder / ("predictions.csv" if part == "test" else f"predictions_{part}.csv")
    path.write_text(path.read_text().replace("event-", prefix))


def folds(top, n_folds=4, n=60):
    """Folds as a split deals them: the same test events, other validation events in each."""
    for fold in range(n_folds):
        folder = fake_run(top / str(fold), fold=fold, split_hash=f"fold{fold}", n=n, located_km=100.0)
        rename_events(folder, "val", f"of{fold}-")

        def same_everywhere(metrics):
            for part in ("val", "test"):
                metrics[part]["source_type"]["accuracy"] = {"value": 0.8, "low": 0.7, "high": 0.9, "n": n}

        edit_metrics(folder, same_everywhere)
    return compared(top).groups[0]


def test_folds_share_their_test_events_so_more_folds_do_not_narrow_the_interval(tmp_path):
    group = folds(tmp_path)
    found = group.summary("test", "source_type", "accuracy")
    assert (found.low, found.high, found.n_samples) == pytest.approx((0.7, 0.9, 60))
    located = location_summary(group, "network", "median_error_km")
    assert (located.low, located.high) == pytest.approx((90.0, 110.0))


def test_folds_validate_on_other_events_so_their_numbers_add_up(tmp_path):
    found = folds(tmp_path).summary("val", "source_type", "accuracy")
    assert (found.low, found.high) == pytest.approx((0.75, 0.85)), "half as wide as one of four folds"
    assert (found.n_samples, found.n_runs) == (240, 4)


def test_seeds_of_every_fold_count_its_events_once(tmp_path):
    for fold in range(2):
        for seed in (1, 2):
            name = f"{fold}-{seed}"
            folder = fake_run(tmp_path / name, seed=seed, fold=fold, split_hash=f"fold{fold}")
            rename_events(folder, "val", f"of{fold}-")
    assert compared(tmp_path).groups[0].summary("val", "source_type", "accuracy").n_samples == 120


def test_folds_whose_predictions_are_gone_are_not_called_independent(tmp_path):
    group = folds(tmp_path)
    for run in group.runs:
        run.folder.predictions("val").unlink()
    found = compared(tmp_path).groups[0].summary("val", "source_type", "accuracy")
    assert (found.low, found.high, found.n_samples) == pytest.approx((0.7, 0.9, 60))


def test_a_point_that_was_run_again_to_be_tested_keeps_its_test_result(tmp_path):
    fake_run(tmp_path / "a", {"run.test": False}, parts=("val",), overrides=[])
    fake_run(tmp_path / "b", {"run.test": True}, overrides=[])
    comparison = compared(tmp_path)
    assert comparison.part == "test" and [run.path.name for run in comparison.runs] == ["b"]
    assert [one.path.name for one in comparison.left_out] == ["a"]
    assert "more results" in comparison.left_out[0].reason


def test_of_equal_repetitions_the_newest_counts(tmp_path):
    for name, ended in (("a", "2026-01-02T00:00:00Z"), ("b", "2026-03-01T00:00:00Z"), ("c", "2026-01-01T00:00:00Z")):
        folder = fake_run(tmp_path / name)
        (folder / "status.json").write_text(json.dumps({"state": "finished", "ended": ended}))
    assert [run.path.name for run in compared(tmp_path).runs] == ["b"]


@pytest.mark.parametrize(
    ("mine", "yours"),
    [
        ({"trainer.devices": 1}, {"trainer.devices": 4, "trainer.strategy": "ddp", "trainer.accelerator": "gpu"}),
        ({"dataset.name": "old_name"}, {"dataset.name": "new_name"}),
        ({"run.fresh": True}, {"run.fresh": False}),
    ],
    ids=["devices", "name of the set", "run"],
)
def test_what_does_not_change_a_run_id_does_not_part_seeds(tmp_path, mine, yours):
    fake_run(tmp_path / "a", mine, seed=1)
    fake_run(tmp_path / "b", yours, seed=2)
    comparison = compared(tmp_path)
    assert [len(group.runs) for group in comparison.groups] == [2] and comparison.differing == []


@pytest.mark.parametrize(
    "names", [["NA", "glacial"], ["1", "2"], ["None", "nan"], ["true", "false"], ["01", "1"], ["1e3", "1000"]],
    ids=lambda names: " ".join(names),
)  # fmt: skip
def test_classes_keep_their_names_whatever_they_look_like(tmp_path, names):
    about = {**CLASS, "class_names": names}
    said = predictions(about, 40, 0.5)
    said.target[3] = -1
    write_predictions(tmp_path / "p.csv", {"source_type": said})
    back = read_predictions(tmp_path / "p.csv", about)
    assert back.target.tolist() == said.target.tolist()
    assert np.allclose(back.decoded, said.decoded) and back.correct.tolist() == said.correct.tolist()
    fake_run(tmp_path / "runs" / "a", {"optimizer.lr": 1}, about=about, skill=0.95)
    fake_run(tmp_path / "runs" / "b", {"optimizer.lr": 2}, about=about, skill=0.1)
    comparison = compared(tmp_path / "runs")
    pair = compare_pair(0, 1, comparison.groups, Said(about, "test"))
    a, b = (group.summary("test", "source_type", "accuracy").mean for group in comparison.groups)
    assert pair.n_samples == 60 and pair.difference.value == pytest.approx(a - b)


def test_event_ids_are_read_as_they_were_written(tmp_path):
    about, ids = {**CLASS}, ["000123", "NA", "20160113001234", "1e5"]
    said = predictions(about, 4, 0.5)
    said = type(said).from_decoded(about, SampleIds.of_events(ids), said.target, said.decoded)
    write_predictions(tmp_path / "p.csv", {"source_type": said})
    assert read_predictions(tmp_path / "p.csv", about).sample_ids == tuple(ids)
    assert read_sample_ids(tmp_path / "p.csv") == set(ids)


def test_predictions_of_other_classes_are_refused(tmp_path):
    folder = fake_run(tmp_path / "a")
    path = folder / "predictions.csv"
    path.write_text(path.read_text().replace(",tectonic,", ",volcanic,"))
    with pytest.raises(DataError, match=r"'volcanic'.*tectonic, glacial"):
        read_predictions(path, CLASS)
    with pytest.raises(DataError, match="probability_blast is missing"):
        read_predictions(path, {**CLASS, "class_names": ["tectonic", "blast"]})


def test_nothing_in_common_is_no_difference_at_all():
    said = predictions(CLASS, 5, 0.5)
    said.target[:] = -1
    found = said.difference(said)
    assert (found["value"], found["p_value"], found["n"]) == (None, None, 0)
    assert math.isnan(Measure.from_dict(found).value)


def test_shares_within_other_tolerances_are_measured_again_within_one(tmp_path):
    wide = {**SCALAR, "tolerance_relative": 0.9}
    fake_run(tmp_path / "good", {"optimizer.lr": 1}, about=SCALAR, skill=0.8)
    fake_run(tmp_path / "fair", {"optimizer.lr": 2}, about=SCALAR, skill=0.7)
    poor = fake_run(tmp_path / "poor", {"optimizer.lr": 3}, about=wide, skill=0.4)
    headline = "acc_tol_rel0.10_abs10km"
    comparison = compared(tmp_path)
    assert [group.first.path.name for group in comparison.groups] == ["good", "fair", "poor"]
    assert any("1 of 3 runs" in warning and "tolerance" in warning for warning in comparison.warnings)
    assert comparison.headline("offset") == headline
    error = read_predictions(poor / "predictions.csv", SCALAR)
    right = np.abs(error.value - error.target) <= np.maximum(10.0, 0.1 * error.target)
    found = comparison.groups[2].summary("test", "offset", headline)
    assert found.mean == pytest.approx(right.mean()) and found.low < found.mean < found.high
    assert "poor" in "".join(comparison_csv(comparison)) and "tolerance" in render_page(comparison)


def test_a_run_that_cannot_be_measured_within_the_usual_tolerance_is_left_out(tmp_path):
    for number in (1, 2):
        fake_run(tmp_path / str(number), {"optimizer.lr": number}, about=SCALAR)
    other = fake_run(tmp_path / "other", about={**SCALAR, "tolerance_absolute": 500.0})
    (other / "predictions.csv").unlink()
    comparison = compared(tmp_path)
    assert [one.path.name for one in comparison.left_out] == ["other"]
    assert "tolerance_absolute 500" in comparison.left_out[0].reason
    assert len(comparison.runs) == 2


def test_runs_with_intervals_of_another_level_are_left_out_and_not_called_repeats(tmp_path):
    for seed in (1, 2):
        fake_run(tmp_path / f"usual{seed}", {"evaluation.level": 0.9}, seed=seed)
    fake_run(tmp_path / "other", {"evaluation.level": 0.68}, seed=1)
    comparison = compared(tmp_path)
    assert [one.path.name for one in comparison.left_out] == ["other"]
    assert "level 0.68" in comparison.left_out[0].reason and "repeat" not in comparison.left_out[0].reason
    page = render_page(comparison)
    assert "90 % interval" in page and "95 % interval" not in page


def scripted(path, lr, said, about=CLASS, val=0.5):
    """A run with these predictions on test, and this headline on validation."""
    folder = fake_run(path, {"optimizer.lr": lr}, about=about)
    write_predictions(folder / "predictions.csv", {about["name"]: said})

    def change(metrics):
        measures = {name: one.to_dict() for name, one in said.measures().items()}
        metrics["test"][about["name"]] = {**measures, **said.details()}
        metrics["val"][about["name"]][said.headline] = {"value": val, "low": val - 0.1, "high": val + 0.1, "n": 60}

    edit_metrics(folder, change)


@pytest.mark.parametrize("about", [CLASS, SCALAR, ANGLE], ids=lambda about: about["kind"])
@pytest.mark.parametrize("first_is_better", [True, False], ids=["better", "worse"])
def test_the_page_says_whether_the_first_is_better_or_worse(tmp_path, about, first_is_better):
    less_is_better = about["kind"] == "angle"
    for lr, best_on_val in ((1, True), (2, False)):
        said = predictions(about, 100, 0.9 if best_on_val == first_is_better else 0.1)
        scripted(tmp_path / str(lr), lr, said, about, val=0.3 if best_on_val == less_is_better else 0.6)
    comparison = compared(tmp_path)
    assert comparison.groups[0].first.path.name == "1" and comparison.ordered_by == "val"
    pairs = compare_pairs(comparison.groups, Said(about, "test"))
    word, other = ("ahead", "behind") if first_is_better else ("behind", "ahead")
    assert f"the network of A is {word} on 100 events" in summary_line(comparison, pairs)
    page = render_page(comparison)
    assert page.count(f"network of A is {word}") == 4 and f"A is {other}" not in page
    sign = "negative" if less_is_better else "positive"
    assert f"Row minus column, {sign} where the row is better" in page


def test_events_and_traces_of_the_same_names_are_no_common_samples():
    said = predictions(CLASS, 20, 0.9)
    traces = SampleIds("trace", said.sample_ids, said.source_ids)
    said_of_traces = type(said).from_decoded(CLASS, traces, said.target, said.decoded)
    assert len(common_samples([said, said])) == 20 and common_samples([said, said_of_traces]) == []
    runs = [SimpleNamespace(path=name) for name in ("events", "traces")]
    both = Said(CLASS, "test")
    both._read = {"events": said, "traces": said_of_traces}
    with pytest.raises(DataError, match="no sample is answered by both"):
        both.influences(runs, "accuracy")


def test_names_say_what_differs_and_not_what_was_typed(tmp_path: Path) -> None:
    fake_run(tmp_path / "plain", {"optimizer.lr": 0.001}, overrides=["trainer.batch_size=32", "run.test=true"])
    fake_run(tmp_path / "fast", {"optimizer.lr": 0.1}, overrides=["experiment=fast"])
    assert {group.name for group in compared(tmp_path).groups} == {"resnet18 lr=0.001", "resnet18 lr=0.1"}


def test_another_choice_of_many_settings_is_named_by_the_choice(tmp_path: Path) -> None:
    fake_run(tmp_path / "trace", {"view.height": 64, "view.style": "trace"}, overrides=[])
    fake_run(tmp_path / "stack", {"view.height": 32, "view.style": "stack"}, overrides=["view=stack", "optimizer=x"])
    names = {group.first.path.name: group.name for group in compared(tmp_path).groups}
    assert names["stack"] == "resnet18 view=stack" and names["trace"] == "resnet18"


def test_sizes_within_one_choice_are_told_beside_it(tmp_path: Path) -> None:
    for height, rate in ((32, 1), (64, 1), (64, 2)):
        settings = {"view.height": height, "view.rate": rate}
        fake_run(tmp_path / f"{height}-{rate}", settings, overrides=["view=stack"])
    names = {group.first.path.name: group.name for group in compared(tmp_path).groups}
    assert names["32-1"] == "resnet18 height=32 rate=1" or names["32-1"] == "resnet18 rate=1 height=32"
    assert len(set(names.values())) == 3
