"""``seisvision compare`` on run folders made from numbers."""

import csv
import json
import math
import re
import time

import numpy as np
import pytest
import scipy.stats
from fake_runs import ANGLE, CLASS, SCALAR, fake_run

from seisvision.cli import main
from seisvision.records.prediction_table import read_predictions
from seisvision.reports.comparing.collect import collect
from seisvision.reports.comparing.groups import compare
from seisvision.reports.comparing.page import render_page
from seisvision.reports.comparing.pairs import Said, compare_pair, compare_pairs

SCRIPT = "<script>alert(1)</script>"


def compared(*folders):
    return compare(*collect([str(folder) for folder in folders]))


def stored(folder):
    return json.loads((folder / "metrics.json").read_text())["test"]["source_type"]


def rows_of(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_seeds_of_a_configuration_are_one_group_with_mean_and_spread(tmp_path):
    for seed in (1, 2, 3):
        fake_run(tmp_path / f"good{seed}", {"optimizer.lr": 0.001}, skill=0.8, seed=seed)
        fake_run(tmp_path / f"poor{seed}", {"optimizer.lr": 0.1}, skill=0.2, seed=seed)
    comparison = compared(tmp_path)
    assert [len(group.runs) for group in comparison.groups] == [3, 3]
    best = comparison.groups[0]
    assert best.differing == {"optimizer.lr": 0.001}
    values = [stored(tmp_path / f"good{seed}")["accuracy"]["value"] for seed in (1, 2, 3)]
    found = best.summary("test", "source_type", "accuracy")
    assert found.mean == pytest.approx(np.mean(values))
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    half_t = scipy.stats.t.interval(0.95, 2, np.mean(values), scipy.stats.sem(values))[1] - np.mean(values)
    assert found.high - found.mean >= 0.99 * min(half_t, 1 - found.mean), "wider than seeds alone say"
    assert (found.n_runs, found.n_samples) == (3, 60)


def test_one_run_keeps_its_own_interval(tmp_path):
    folder = fake_run(tmp_path / "one")
    own = stored(folder)["accuracy"]
    found = compared(folder).groups[0].summary("test", "source_type", "accuracy")
    assert (found.mean, found.low, found.high) == pytest.approx((own["value"], own["low"], own["high"]))
    assert math.isnan(found.sd)


def test_folds_are_repetitions_and_their_splits_may_differ(tmp_path):
    for fold in (0, 1):
        for lr in (0.1, 0.2):
            fake_run(tmp_path / f"{lr}-{fold}", {"optimizer.lr": lr}, fold=fold, split_hash=f"fold{fold}")
    comparison = compared(tmp_path)
    assert [len(group.runs) for group in comparison.groups] == [2, 2]
    assert not any("split" in warning for warning in comparison.warnings)


def test_the_same_seed_again_is_not_a_second_sample(tmp_path):
    fake_run(tmp_path / "abc")
    fake_run(tmp_path / "abc-2")
    comparison = compared(tmp_path)
    assert len(comparison.runs) == 1
    assert "same configuration, seed and fold" in comparison.left_out[0].reason


def test_folders_that_cannot_be_compared_are_listed_with_the_reason(tmp_path):
    fake_run(tmp_path / "fine1", seed=1)
    fake_run(tmp_path / "fine2", seed=2)
    fake_run(tmp_path / "other", about=SCALAR)
    fake_run(tmp_path / "running", state="running")
    failed = fake_run(tmp_path / "failed", state="failed")
    (failed / "status.json").write_text(json.dumps({"state": "failed", "error": "DataError: no such set"}))
    broken = fake_run(tmp_path / "broken")
    (broken / "metrics.json").write_text((broken / "metrics.json").read_text()[:100])
    no_config = fake_run(tmp_path / "no_config")
    (no_config / "config.yaml").unlink()
    bad_config = fake_run(tmp_path / "bad_config")
    (bad_config / "config.yaml").write_text("a: [1, 2")
    old = fake_run(tmp_path / "old")
    metrics = json.loads((old / "metrics.json").read_text())
    del metrics["outputs"]
    (old / "metrics.json").write_text(json.dumps(metrics))
    odd = fake_run(tmp_path / "odd")
    metrics = json.loads((odd / "metrics.json").read_text())
    metrics["test"]["source_type"]["accuracy"]["value"] = "ninety"
    (odd / "metrics.json").write_text(json.dumps(metrics))
    evaluated = fake_run(tmp_path / "evaluated")
    (evaluated / "status.json").unlink()
    half = fake_run(tmp_path / "half")
    (half / "status.json").write_bytes(b"\xff\xfe{")
    comparison = compared(tmp_path)
    assert [run.path.name for run in comparison.runs] == ["fine1", "fine2"]
    reasons = {one.path.name: one.reason for one in comparison.left_out}
    expected = {"other": "another task", "running": "running", "failed": "no such set", "broken": "broken",
                "no_config": "broken", "bad_config": "broken", "old": "another version",
                "evaluated": "not a training run", "odd": "broken",
                "half": "broken"}  # fmt: skip
    assert reasons.keys() == expected.keys()
    for name, text in expected.items():
        assert text in reasons[name], (name, reasons[name])
    page = render_page(comparison)
    assert all(name in page for name in expected)


def test_runs_without_predictions_or_history_are_still_compared(tmp_path):
    for number, name in enumerate(("a", "b")):
        folder = fake_run(tmp_path / name, {"optimizer.lr": number}, about=SCALAR)
        (folder / "predictions.csv").unlink()
        (folder / "metrics.csv").unlink()
        (folder / "environment.json").unlink()
    page = render_page(compared(tmp_path))
    assert "not comparable" in page and "cannot be read" in page


@pytest.mark.parametrize("about", [CLASS, SCALAR, ANGLE], ids=lambda about: about["kind"])
def test_the_better_model_leads_whatever_is_predicted(tmp_path, about):
    fake_run(tmp_path / "poor", {"optimizer.lr": 0.1}, about=about, skill=0.1)
    fake_run(tmp_path / "good", {"optimizer.lr": 0.2}, about=about, skill=0.9)
    comparison = compared(tmp_path)
    assert comparison.groups[0].first.path.name == "good"
    page = render_page(comparison)
    assert "the network of A is ahead on 60 events; of another training nothing is said" in page
    assert "beyond chance on" not in page, "one training of each says nothing of the models"
    assert "Where they disagree" in page and "event-0" in page


def test_two_runs_are_paired_sample_by_sample(tmp_path):
    folders = [
        fake_run(tmp_path / str(lr), {"optimizer.lr": lr}, skill=skill) for lr, skill in ((0.1, 0.74), (0.2, 0.66))
    ]
    comparison = compared(tmp_path)
    pair = compare_pair(0, 1, comparison.groups, Said(CLASS, "test"))
    said = [read_predictions(folder / "predictions.csv", CLASS) for folder in folders]
    right = [one.correct for one in said]
    only = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
    assert abs(pair.difference.value) == pytest.approx(abs(only[0] - only[1]) / 60)
    exact = scipy.stats.binomtest(only[0], sum(only)).pvalue
    assert pair.p_value == pytest.approx(exact, abs=0.25) and pair.n_events == 60
    assert not pair.is_of_models and (pair.p_value < 0.05) == pair.is_different


def test_a_difference_that_chance_explains_is_called_so(tmp_path):
    for lr, skill in ((0.1, 0.74), (0.2, 0.68)):
        fake_run(tmp_path / str(lr), {"optimizer.lr": lr}, skill=skill)
    page = render_page(compared(tmp_path))
    assert "no difference between these networks that 60 events could show" in page
    assert "beyond chance" not in page and "is ahead" not in page


def test_intervals_of_many_pairs_hold_together(tmp_path):
    for number, skill in enumerate((0.9, 0.5, 0.45)):
        fake_run(tmp_path / str(number), {"optimizer.lr": number}, skill=skill)
    groups = compared(tmp_path).groups
    alone, together = compare_pair(0, 1, groups, Said(CLASS, "test")), compare_pairs(groups, Said(CLASS, "test"))
    assert alone.p_adjusted == alone.p_value and together[0].p_adjusted == pytest.approx(3 * alone.p_value)
    assert together[0].difference.low < alone.difference.low
    assert all((pair.p_adjusted < 0.05) == pair.is_different for pair in together)


def test_other_data_warn_and_are_not_tested(tmp_path):
    fake_run(tmp_path / "a", {"optimizer.lr": 0.1}, fingerprint="data1")
    fake_run(tmp_path / "b", {"optimizer.lr": 0.2}, fingerprint="data2")
    comparison = compared(tmp_path)
    assert any("data1" in warning and "data2" in warning for warning in comparison.warnings)
    assert "no run of both has the same data and split" in render_page(comparison)


def test_another_split_of_the_same_data_warns(tmp_path):
    fake_run(tmp_path / "a", {"optimizer.lr": 0.1}, split_hash="s1")
    fake_run(tmp_path / "b", {"optimizer.lr": 0.2}, split_hash="s2")
    assert any("s1" in warning and "s2" in warning for warning in compared(tmp_path).warnings)


def test_other_numbers_of_samples_warn_and_common_ones_are_paired(tmp_path):
    fake_run(tmp_path / "a", {"optimizer.lr": 0.1}, n=60)
    short = fake_run(tmp_path / "b", {"optimizer.lr": 0.2}, n=60)
    lines = (short / "predictions.csv").read_text().splitlines()
    (short / "predictions.csv").write_text("\n".join(lines[:41]))
    metrics = json.loads((short / "metrics.json").read_text())
    metrics["test"]["source_type"]["accuracy"]["n"] = 40
    (short / "metrics.json").write_text(json.dumps(metrics))
    comparison = compared(tmp_path)
    assert any("40 to 60 test samples" in warning for warning in comparison.warnings)
    pair = compare_pair(0, 1, comparison.groups, Said(CLASS, "test"))
    assert (pair.n_samples, pair.n_events) == (40, 40)


def test_only_settings_that_differ_are_shown(tmp_path):
    for number, lr in enumerate((0.1, 0.2)):
        fake_run(tmp_path / str(lr), {"optimizer.lr": lr, "view.height": 32, "system.num_workers": number})
    comparison = compared(tmp_path)
    assert comparison.differing == ["optimizer.lr"]
    page = render_page(comparison)
    assert 'class="mono">optimizer.lr<' in page and 'class="mono">view.height<' not in page


def test_lines_through_the_settings_are_drawn_for_sweeps_of_three(tmp_path):
    for i in range(4):
        settings = {"optimizer.lr": 0.1**i, "trainer.batch_size": 8 * (i // 2 + 1)}
        fake_run(tmp_path / "two" / str(i), settings, n=20)
        fake_run(tmp_path / "three" / str(i), {**settings, "view.height": 32 * (i % 2 + 1)}, n=20)
    assert "The sweep" not in render_page(compared(tmp_path / "two"))
    assert "The sweep" in render_page(compared(tmp_path / "three"))


def test_the_part_without_results_is_not_used(tmp_path):
    for lr in (0.1, 0.2):
        fake_run(tmp_path / str(lr), {"optimizer.lr": lr}, parts=("val",))
    comparison = compared(tmp_path)
    assert comparison.part == "val"
    assert "on the same val samples" in render_page(comparison)


def test_names_from_data_and_settings_are_text(tmp_path):
    about = CLASS | {"class_names": [SCRIPT, 'x" onload="alert(2)']}
    for lr in (0.1, 0.2):
        fake_run(tmp_path / SCRIPT.replace("/", "_") / str(lr), {"optimizer.lr": lr, "view.style": SCRIPT + str(lr)},
                 about=about, skill=lr)  # fmt: skip
    out = tmp_path / "report.html"
    assert main(["compare", str(tmp_path), "--out", str(out)]) == 0
    page = out.read_text()
    assert page.count("<script>") == 1 and page.count("</script>") == 1
    assert 'x" onload' not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>" not in (tmp_path / "comparison.md").read_text()


def test_the_page_is_one_file_that_asks_for_nothing(tmp_path):
    folder = fake_run(tmp_path / "a")
    (folder / "figures").mkdir()
    (folder / "figures" / "source_type_seen.png").write_bytes(b"\x89PNG")
    page = render_page(compared(tmp_path))
    assert all(value.startswith(("#", "data:")) for value in re.findall(r'(?:src|href)="([^"]*)"', page))
    assert "url(" not in page and "@import" not in page and "http://" not in page and "https://" not in page
    assert "data:image/png;base64," in page


def test_the_table_for_programs_has_full_precision(tmp_path):
    folder = fake_run(tmp_path / "runs" / "a", seed=5)
    fake_run(tmp_path / "runs" / "b", seed=6)
    assert main(["compare", str(tmp_path / "runs"), "--out", str(tmp_path / "out" / "r.html")]) == 0
    rows = rows_of(tmp_path / "out" / "comparison.csv")
    measures = stored(folder)
    row = next(row for row in rows if row["seed"] == "5")
    assert len(rows) == 2
    assert float(row["test/source_type_accuracy"]) == measures["accuracy"]["value"]
    assert float(row["test/source_type_roc_auc_low"]) == measures["roc_auc"]["low"]
    assert "resnet18" in (tmp_path / "out" / "comparison.md").read_text()


def test_patterns_and_folders_name_a_run_once(tmp_path):
    fake_run(tmp_path / "sweep" / "deep" / "a", seed=1)
    fake_run(tmp_path / "sweep" / "b", seed=2)
    runs, left_out, _ = collect([str(tmp_path / "swe*"), str(tmp_path / "sweep" / "b"), str(tmp_path)])
    assert sorted(run.path.name for run in runs) == ["a", "b"] and not left_out


def test_exit_codes_and_last_line(tmp_path, capsys):
    fake_run(tmp_path / "runs" / "a")
    fake_run(tmp_path / "unfinished" / "a", state="running")
    out = tmp_path / "report.html"
    assert main(["compare", str(tmp_path / "runs"), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(out)
    assert main(["compare", str(tmp_path / "unfinished"), "--out", str(out)]) == 1
    assert main(["compare", str(tmp_path / "nothing"), "--out", str(out)]) == 2
    assert main(["compare", str(tmp_path / "runs"), "--out", str(tmp_path)]) == 2
    assert main(["compare", str(tmp_path / "runs"), "--out", str(out), "--watch", "0"]) == 2


def test_watching_survives_a_folder_that_vanishes_while_it_is_read(tmp_path, monkeypatch):
    fake_run(tmp_path / "runs" / "a")
    out, rounds = tmp_path / "report.html", []

    def vanished(*args):
        raise FileNotFoundError("status.json")

    def sleep(seconds):
        rounds.append(out.read_text())
        monkeypatch.setattr("seisvision.reports.comparing.collect.collect", vanished if len(rounds) == 1 else collect)
        if len(rounds) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    assert main(["compare", str(tmp_path / "runs"), "--out", str(out), "--watch", "7"]) == 130
    assert all("runs compared" in page for page in rounds)


def test_watching_writes_again_until_it_is_interrupted(tmp_path, monkeypatch):
    fake_run(tmp_path / "runs" / "a", seed=1, state="running")
    out, seen = tmp_path / "report.html", []

    def sleep(seconds):
        seen.append(len(rows_of(tmp_path / "comparison.csv")))
        assert f'http-equiv="refresh" content="{seconds:g}"' in out.read_text()
        assert not list(tmp_path.glob(".report*")), "no half-written file is left"
        if len(seen) == 3:
            raise KeyboardInterrupt
        fake_run(tmp_path / "runs" / f"b{len(seen)}", seed=10 + len(seen))

    monkeypatch.setattr(time, "sleep", sleep)
    assert main(["compare", str(tmp_path / "runs"), "--out", str(out), "--watch", "7"]) == 130
    assert seen == [0, 1, 2]
    assert main(["compare", str(tmp_path / "runs"), "--out", str(out)]) == 0
    assert 'http-equiv="refresh"' not in out.read_text(), "a page that is not watched stays still"
