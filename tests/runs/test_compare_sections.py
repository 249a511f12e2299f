"""Sections of the comparison beyond the leaderboard: epicentres, error sources, importance, clusterings, Grad-CAM."""

import csv
import json
import re
import time

import matplotlib.image
import numpy as np
import pytest
from fake_runs import ANGLE, CLASS, SCALAR, fake_clustering, fake_run

from seisvision.cli import main
from seisvision.reports.comparing.collect import collect
from seisvision.reports.comparing.groups import compare
from seisvision.reports.comparing.importance import importance
from seisvision.reports.comparing.page import render_page

HOSTILE = "<script>alert(1)</script>"


def page_of(top) -> str:
    return render_page(compare(*collect([str(top)])))


def section(page: str, anchor: str) -> str:
    """The text of one section, without markup; empty where it is not there."""
    found = re.search(rf'<section id="{anchor}">(.*?)</section>', page, re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("about", [CLASS, SCALAR, ANGLE], ids=["class", "scalar", "angle"])
def test_error_sources_of_several_configurations_lie_in_one_chart_a_quantity(tmp_path, about) -> None:
    for i in range(3):
        fake_run(tmp_path / str(i), {"optimizer.lr": 0.1**i}, about=about, skill=0.3 + 0.2 * i)
    found = section(page_of(tmp_path), "sources-of-error-0")
    assert found.count("<figure") == 2, "offset and magnitude"
    for label, style in (("A", "c0"), ("B", "c1"), ("C", "c2")):
        assert found.count(f'<text class="key {style}"') == 2 and f">{label}</text>" in found
    tips = re.findall(r'data-tip="([^"]*)"', found)
    assert all("samples of" in tip and "[" in tip for tip in tips) and len(tips) > 12


def test_runs_of_an_older_version_have_no_error_sources_and_no_section(tmp_path) -> None:
    folder = fake_run(tmp_path / "a")
    for table in (folder / "tables").glob("*"):
        table.unlink()
    other = fake_run(tmp_path / "b", {"optimizer.lr": 0.1})
    (other / "tables" / "source_type_test_error_against.csv").write_text("quantity,low\nhalf a li")
    page = page_of(tmp_path)
    assert section(page, "sources-of-error-0") == "" and section(page, "location") == ""
    assert section(page, "looked") == "" and section(page, "importance") == ""
    assert 'href="#location"' not in page


def test_epicentres_are_tabled_with_intervals_over_seeds_and_the_picks_once(tmp_path) -> None:
    for seed, median in ((1, 100.0), (2, 120.0)):
        fake_run(tmp_path / f"a{seed}", about=SCALAR, seed=seed, located_km=median)
    fake_run(tmp_path / "b", {"optimizer.lr": 0.1}, about=SCALAR, seed=1, located_km=80.0)
    assert main(["compare", str(tmp_path), "--out", str(tmp_path / "out" / "report.html")]) == 0
    found = section((tmp_path / "out" / "report.html").read_text(), "location")
    assert "110.0" in found and "sd 14.1" in found, "the mean of both seeds"
    assert found.count("S minus P") == 2 and "93.0 %" in found, "once in the explanation, once in the table"
    rows = list(csv.DictReader((tmp_path / "out" / "comparison.csv").open()))
    assert {row["location/network_median_error_km"] for row in rows} == {"100.0", "120.0", "80.0"}
    assert float(rows[0]["location/network_coverage_95_low"]) < float(rows[0]["location/network_coverage_95"])


def test_the_setting_that_matters_is_the_most_important() -> None:
    rng = np.random.default_rng(0)
    lr, width = 10 ** rng.uniform(-4, -1, 60), rng.choice([32, 64], 60)
    model = rng.choice(["resnet18", "alexnet"], 60)
    value = 0.8 - 0.1 * (np.log10(lr) + 2.5) ** 2 + 0.08 * (model == "alexnet") + rng.normal(0, 0.01, 60)
    found = importance({"lr": lr.tolist(), "width": width.tolist(), "model": model.tolist()}, value.tolist())
    assert found is not None and found.explained > 0.5
    assert list(found.shares) == ["lr", "model", "width"] and found.shares["width"] < 0.03
    assert sum(found.shares.values()) == pytest.approx(found.explained), "the explained variance is divided"


def test_settings_that_do_not_matter_explain_nothing_and_few_runs_say_nothing() -> None:
    rng = np.random.default_rng(1)
    settings = {"lr": rng.uniform(0, 1, 40).tolist(), "width": rng.choice([1, 2], 40).tolist()}
    found = importance(settings, rng.normal(size=40).tolist())
    assert found is not None and found.explained < 0.2
    assert sum(found.shares.values()) == pytest.approx(max(0.0, found.explained))
    few = {key: values[:8] for key, values in settings.items()}
    assert importance(few, rng.normal(size=8).tolist()) is None
    assert importance(settings, [1.0] * 40) is None, "no difference to explain"


def test_pure_noise_earns_nothing_even_where_trees_know_it_by_heart() -> None:
    totals = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        settings = {name: rng.uniform(0, 1, 80).tolist() for name in ("a", "b", "c")}
        found = importance(settings, rng.normal(size=80).tolist())
        assert found is not None and max(found.shares.values()) < 0.1
        totals.append(sum(found.shares.values()))
        value = np.asarray(settings["a"]) + rng.normal(0, 0.05, 80)
        beside = importance(settings, value.tolist())
        assert beside is not None and beside.shares["a"] > 0.85 and beside.shares["b"] + beside.shares["c"] < 0.03
    assert np.mean(totals) < 0.05


def test_importance_is_drawn_for_sweeps(tmp_path) -> None:
    for i in range(14):
        settings = {
            "optimizer.lr": 0.01 * (i + 1),
            "trainer.batch_size": 8 * (i % 3 + 1),
            "view.height": 32 * (i % 2 + 1),
        }
        fake_run(tmp_path / str(i), settings, skill=0.05 * i)
    found = section(page_of(tmp_path), "importance")
    assert "optimizer.lr" in found and found.count("<rect") == 3 and "random forest" in found


def test_clustering_runs_have_a_table_of_their_own_and_are_not_called_broken(tmp_path, capsys) -> None:
    fake_run(tmp_path / "a")
    fake_clustering(tmp_path / "c1", k=3, ari=0.4)
    fake_clustering(tmp_path / "c2", k=5, ari=0.6)
    comparison = compare(*collect([str(tmp_path)]))
    assert [run.metrics["clustering"]["k"] for run in comparison.others] == [3, 5] and comparison.left_out == []
    found = section(render_page(comparison), "others")
    assert found.count("<tr>") == 3 and "0.400 [0.300, 0.500]" in found and "ARI with source_type" in found
    assert main(["compare", str(tmp_path), "--out", str(tmp_path / "out" / "report.html")]) == 0
    markdown = (tmp_path / "out" / "comparison.md").read_text()
    assert "## Clustering runs" in markdown and "0.6" in markdown


def test_clustering_runs_alone_make_a_report(tmp_path) -> None:
    fake_clustering(tmp_path / "c1")
    broken = fake_clustering(tmp_path / "c2")
    (broken / "metrics.json").write_text('{"clustering": {"sizes": "many"}}')
    assert main(["compare", str(tmp_path), "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "Only clustering runs have finished." in page
    assert "broken: metrics.json: training" in section(page, "left-out")


def test_an_interrupted_run_is_called_so(tmp_path) -> None:
    fake_run(tmp_path / "a")
    fake_run(tmp_path / "b", {"optimizer.lr": 0.1}, state="interrupted")
    (one,) = collect([str(tmp_path)]).left_out
    assert "interrupted: the same command" in one.reason


def test_what_networks_looked_at_has_a_section(tmp_path) -> None:
    for i in range(2):
        folder = fake_run(tmp_path / str(i), {"optimizer.lr": 0.1**i})
        (folder / "figures").mkdir()
        matplotlib.image.imsave(folder / "figures" / "source_type_test_gradcam.png", np.zeros((4, 4)))
    page = page_of(tmp_path)
    assert section(page, "looked").count("data:image/png;base64,") == 2 and section(page, "pictures") == ""


def test_commands_and_folders_name_nothing_of_this_machine(tmp_path, monkeypatch) -> None:
    typed = ["model=resnet18", "system.data_dir=/secret/data", "logger=wandb", "+launcher=local", "optimizer.lr=0.1"]
    fake_run(tmp_path / "runs" / "a", overrides=typed)
    monkeypatch.chdir(tmp_path)
    page = page_of(tmp_path / "runs")
    assert "/secret" not in page and str(tmp_path) not in page
    assert "python train.py model=resnet18 optimizer.lr=0.1 seed=3407" in page and "<code>runs/a</code>" in page


def test_markup_in_quantities_columns_and_settings_is_text(tmp_path) -> None:
    for i in range(2):
        folder = fake_run(tmp_path / str(i), {"optimizer.lr": 0.1**i})
        file = folder / "tables" / "source_type_test_error_against.csv"
        file.write_text(file.read_text().replace("magnitude", HOSTILE))
    cluster = fake_clustering(tmp_path / "c")
    text = (cluster / "metrics.json").read_text()
    (cluster / "metrics.json").write_text(text.replace("alexnet_bn", HOSTILE).replace('"source_type"', f'"{HOSTILE}"'))
    page = page_of(tmp_path)
    assert page.count(HOSTILE) == 0 and page.count("&lt;script&gt;") > 3 and page.count("<script>") == 1


def test_many_runs_with_all_sections_stay_small(tmp_path) -> None:
    for i in range(60):
        settings = {
            "optimizer.lr": 0.001 * (i + 1),
            "trainer.batch_size": 8 * (i % 5 + 1),
            "view.height": 32 * (i % 3 + 1),
        }
        fake_run(tmp_path / "runs" / str(i), settings, about=SCALAR, skill=i / 60, located_km=100.0 + i)
    started = time.process_time()
    page = page_of(tmp_path / "runs")
    assert len(page) < 2_000_000
    assert time.process_time() - started < 60, "a guard against something quadratic, not a measurement"


def test_what_a_network_costs_stands_beside_what_it_is_worth(tmp_path) -> None:
    folder = fake_run(tmp_path / "a")
    fake_run(tmp_path / "b", {"optimizer.lr": 0.1})
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["training"]["flops"] = 3.626e9
    metrics["data"]["samples"]["train"] = 610
    (folder / "metrics.json").write_text(json.dumps(metrics))
    page = page_of(tmp_path)
    # 610 samples in each of 3 epochs of 61 s in all; the other run is of a version that counted nothing.
    assert "GFLOP a picture" in page and 'data-v="3626000000.0">3.63<' in page and 'data-v="30.0">30<' in page
    assert main(["compare", str(tmp_path), "--out", str(tmp_path / "out" / "report.html")]) == 0
    with (tmp_path / "out" / "comparison.csv").open(newline="") as handle:
        rows = {row["flops"]: row["samples_per_s"] for row in csv.DictReader(handle)}
    assert rows == {"3626000000.0": "30.0", "": ""}
