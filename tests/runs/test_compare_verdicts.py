"""What a comparison says of models, of single networks, and of numbers that were chosen by."""

import csv
import json
import re

import numpy as np
import pytest
from fake_runs import ANGLE, CLASS, SCALAR, fake_run

from seisvision.cli import main
from seisvision.records.folder import RunFolder
from seisvision.records.sweeps.folder import StoredPoint, SweepFolder
from seisvision.reports.comparing.collect import collect
from seisvision.reports.comparing.groups import compare
from seisvision.reports.comparing.page import render_page
from seisvision.reports.comparing.pairs import Said, compare_pair, compare_pairs, matching_runs
from seisvision.reports.comparing.samples import summary_line

SPREAD = (0.9, 0.9, 0.5), (0.5, 0.5, 0.9)
"""Skills of three seeds of two configurations that differ in nothing but luck."""


def compared(*folders):
    return compare(*collect([str(folder) for folder in folders]))


def seeds(top, *skills, **more):
    for number, some in enumerate(skills):
        for seed, skill in enumerate(some):
            # Seeds of two sweeps need not be the same numbers.
            fake_run(top / f"{number}-{seed}", {"optimizer.lr": number}, skill=skill, seed=100 * number + seed, **more)


def as_sweep(path, folders):
    """A sweep whose points are these runs."""
    path.mkdir(parents=True)
    sweep = SweepFolder(path)
    points = [
        StoredPoint(number, [], sweep.relative(RunFolder(folder)), None, ["val/source_type_loss", "min"], 3)
        for number, folder in enumerate(folders, start=1)
    ]
    sweep.describe({}, points)
    return path


def reported(top, *words):
    out = top.parent / "out" / "report.html"
    assert main(["compare", str(top), "--out", str(out), *words]) == 0
    with out.with_name("comparison.csv").open(newline="") as lines:
        return out.read_text(), list(csv.DictReader(lines)), out.with_name("comparison.md").read_text()


@pytest.mark.parametrize("about", [CLASS, SCALAR], ids=["class", "scalar"])
def test_luck_of_seeds_is_no_difference_between_models(tmp_path, about):
    seeds(tmp_path, *SPREAD, about=about, n=400)
    groups = compared(tmp_path).groups
    pair = compare_pair(0, 1, groups, Said(about, "test"))
    assert pair.is_of_models and pair.n_runs == (3, 3) and not pair.is_different
    assert "no difference that 400 events and 3 + 3 training runs could show" in pair.verdict
    name = Said(about, "test").of(groups[0].first).headline
    by_luck = [
        sorted(group.runs, key=lambda run: run.metrics["test"][about["name"]][name]["value"]) for group in groups
    ]
    alone = [type(groups[0])(by_luck[0][-1:]), type(groups[1])(by_luck[1][:1])]
    assert compare_pair(0, 1, alone, Said(about, "test")).is_different, "of the events alone it would be one"


@pytest.mark.parametrize("about", [CLASS, SCALAR, ANGLE], ids=["class", "scalar", "angle"])
def test_a_difference_larger_than_the_luck_of_seeds_is_one_of_models(tmp_path, about):
    seeds(tmp_path, (0.9, 0.88, 0.92), (0.4, 0.42, 0.38), about=about, n=400)
    comparison = compared(tmp_path)
    pairs = compare_pairs(comparison.groups, Said(about, "test"))
    assert "A is better beyond chance on 400 events and 3 + 3 training runs" in summary_line(comparison, pairs)
    page = render_page(comparison)
    assert "other training runs on the same training events" in page and "speak of these trained networks" not in page


def test_one_seed_on_a_side_says_nothing_of_models(tmp_path):
    seeds(tmp_path, (0.9, 0.88, 0.92), (0.4,), n=400)
    comparison = compared(tmp_path)
    (pair,) = compare_pairs(comparison.groups, Said(CLASS, "test"))
    assert pair.is_different and not pair.is_of_models and pair.verdict.startswith("the network of a is ahead")
    page = render_page(comparison)
    assert "another seed may turn the order round" in page and "it speaks of that trained network" in page


def test_folds_are_paired_and_their_seeds_are_one(tmp_path):
    for number, skill in enumerate((0.9, 0.3)):
        for fold in range(4):
            for seed in (1, 2):
                fake_run(tmp_path / f"{number}{fold}{seed}", {"optimizer.lr": number}, skill=skill - 0.02 * fold,
                         seed=seed, fold=fold, split_hash=f"fold{fold}")  # fmt: skip
    groups = compared(tmp_path).groups
    assert [tuple(map(len, block)) for block in matching_runs(*groups)] == [(2, 2)] * 4
    pair = compare_pair(0, 1, groups, Said(CLASS, "test"))
    assert pair.n_folds == 4 and "better beyond chance on 60 events and 4 folds (8 + 8 training runs)" in pair.verdict


def test_another_column_of_the_leaderboard_can_be_tested(tmp_path):
    seeds(tmp_path / "runs", (0.9, 0.88, 0.92), (0.4, 0.42, 0.38))
    groups = compared(tmp_path / "runs").groups
    for name in ("balanced_accuracy", "roc_auc", "cross_entropy"):
        pair = compare_pair(0, 1, groups, Said(CLASS, "test"), name)
        means = [group.summary("test", "source_type", name).mean for group in groups]
        assert pair.difference.value == pytest.approx(means[0] - means[1]) and "a is better" in pair.verdict, name
    page, _, _ = reported(tmp_path / "runs", "--measure", "roc_auc")
    assert "roc auc on the same test samples" in page
    assert "Choose one of accuracy, balanced_accuracy" in reported(tmp_path / "runs", "--measure", "luck")[0]


def test_interval_and_verdict_of_every_pair_say_the_same(tmp_path):
    rng = np.random.default_rng(0)
    seeds(tmp_path, *[tuple(rng.uniform(0.3, 0.9, 2) * 0.2 + 0.15 * number) for number in range(5)])
    pairs = compare_pairs(compared(tmp_path).groups, Said(CLASS, "test"))
    assert len(pairs) == 10 and {pair.is_different for pair in pairs} == {True, False}
    for pair in pairs:
        outside = pair.difference.low > 0 or pair.difference.high < 0
        assert outside == (pair.p_adjusted < 0.05) == ("beyond chance" in pair.verdict)


def test_points_of_a_sweep_over_settings_do_without_test_numbers(tmp_path):
    folders = [fake_run(tmp_path / "runs" / "all" / str(i), {"optimizer.lr": i}, located_km=90.0) for i in range(3)]
    as_sweep(tmp_path / "runs" / "all" / "sweeps" / "abc", folders)
    for asked in (tmp_path / "runs" / "all" / "sweeps" / "abc", tmp_path / "runs"):
        page, rows, markdown = reported(asked)
        assert (
            not any(name.startswith(("test/", "location/")) for name in rows[0])
            and "val/source_type_accuracy" in rows[0]
        )
        assert "--show-test shows them" in page and "--show-test" in markdown and "test accuracy" not in page + markdown
        assert "Epicentres" not in page
    page, rows, _ = reported(tmp_path / "runs", "--show-test")
    assert "test accuracy" in page and "test/source_type_accuracy" in rows[0] and "--show-test" not in page


def test_seeds_of_one_configuration_choose_nothing_and_keep_their_test_numbers(tmp_path):
    folders = [fake_run(tmp_path / "runs" / str(i), seed=i) for i in range(3)]
    page, rows, _ = reported(as_sweep(tmp_path / "sweep", folders))
    assert "test accuracy" in page and "test/source_type_accuracy" in rows[0]
    page, _, _ = reported(tmp_path / "runs")
    assert "test accuracy" in page, "and so do runs that no sweep holds"


def test_validation_numbers_say_that_they_were_chosen_by_and_what_the_best_is_worth(tmp_path):
    for number in range(8):
        fake_run(tmp_path / str(number), {"optimizer.lr": number}, skill=0.6 + 0.001 * number, parts=("val",), n=100)
    comparison = compared(tmp_path)
    page = render_page(comparison)
    found = re.search(r"A has ([\d.]+) %; as the best of 8 about ([\d.]+) %", page)
    assert found and float(found[1]) - 10 < float(found[2]) < float(found[1]) - 0.5
    assert "chosen on these events, the epoch of each run and the order" in page
    assert float(found[2]) == pytest.approx(80, abs=6), "what all of them are worth"


def test_an_order_by_test_numbers_is_called_so(tmp_path):
    for number in range(3):
        fake_run(tmp_path / "runs" / str(number), {"optimizer.lr": number}, skill=0.3 * number, parts=("test",))
    page, _, markdown = reported(tmp_path / "runs")
    assert "on test, by which it was chosen" in page and "The order is by the test numbers" in page
    assert "by which the order was chosen" in markdown and "chosen on these events" not in page


def test_a_damaged_sweep_hides_nothing_and_stops_nothing(tmp_path):
    for number in range(2):
        fake_run(tmp_path / "runs" / str(number), {"optimizer.lr": number})
    (tmp_path / "runs" / "sweeps" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "sweeps" / "x" / "sweep.json").write_text(json.dumps({"points": "many"}))
    assert "test accuracy" in reported(tmp_path / "runs")[0]
