"""The report on the number of clusters: honest on noise, complete, safe to open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_cluster_runs import make_run, three_groups
from sklearn.metrics import adjusted_rand_score

from seisvision.cli import main
from seisvision.experiments.clustering.report.number import NumberReport, judge_number, warnings
from seisvision.experiments.clustering.report.page import render_cluster_page
from seisvision.experiments.clustering.report.report import cluster_markdown, write_cluster_report
from seisvision.experiments.clustering.report.runs import network_identity, read_cluster_runs

pytestmark = pytest.mark.whole_figures

KS = (2, 3, 4, 5, 6)
SEEDS = (1, 2)


def _sweep(path: Path, events: np.ndarray) -> Path:
    for k in KS:
        for seed in SEEDS:
            make_run(path / f"k{k}-{seed}", events, k, seed)
    return path


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _sweep(tmp_path_factory.mktemp("grouped"), three_groups()[0])


@pytest.fixture(scope="module")
def noise_report(tmp_path_factory: pytest.TempPathFactory) -> NumberReport:
    events = np.random.default_rng(5).normal(size=(240, 4))
    return judge_number(*read_cluster_runs([_sweep(tmp_path_factory.mktemp("noise"), events)]))


def test_heaps_that_networks_make_of_noise_are_no_structure(noise_report: NumberReport) -> None:
    assert noise_report.choice.k is None
    assert noise_report.verdicts["recommended"] == "no structure"
    own = [row["own_groups"] for row in noise_report.rows]
    assert max(own) > 1, "the runs must look convincing by themselves, or this proves nothing"


def test_smallest_loss_picks_an_end_of_the_range_whatever_the_data(grouped: Path, noise_report: NumberReport) -> None:
    report = judge_number(*read_cluster_runs([grouped]))
    for one in (report, noise_report):
        assert one.verdicts["min_loss, cross-entropy (paper)"] == str(KS[0])
        # Networks of made-up runs differ, so their losses need not fall at every step.
        assert int(one.verdicts["min_loss, k-means (paper)"]) in KS[-2:]
        assert (np.diff([row["cross_entropy"] for row in one.rows]) > 0).all()
    assert report.choice.k == 3
    assert adjusted_rand_score(report.choice.labels, three_groups()[1]) > 0.9


def test_command_writes_the_report_and_lists_what_it_left_out(
    grouped: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    hostile = grouped / "<script>alert(1)</script>"
    make_run(hostile, three_groups()[0], 3, 9)
    (hostile / "features.npz").write_bytes(b"not an archive")
    make_run(grouped / "other", three_groups(100)[0], 3, 1)
    empty = grouped / "no_metrics"
    empty.mkdir()
    (empty / "status.json").write_text('{"state": "failed"}')
    assert main(["clusters", str(grouped), "--out", str(tmp_path / "report")]) == 0
    assert capsys.readouterr().out.strip().endswith(str(tmp_path / "report" / "clusters.html"))
    page = (tmp_path / "report" / "clusters.html").read_text()
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert "broken" in page and "other samples" in page and "failed" in page
    assert "http://" not in page and "https://" not in page
    markdown = (tmp_path / "report" / "clusters.md").read_text()
    assert markdown.startswith("# K = 3") and "<script>" not in markdown
    table = pd.read_csv(tmp_path / "report" / "clusters_by_k.csv")
    assert table["k"].tolist() == list(KS) and table["runs"].tolist() == [len(SEEDS)] * len(KS)
    assert table["seeds_ari"].idxmax() == 1
    assert table["cross_entropy_over_ln_k"].to_numpy() == pytest.approx(0.5)
    consensus = pd.read_csv(tmp_path / "report" / "consensus.csv")
    assert consensus["cluster"].nunique() == 3 and consensus["confidence"].between(0, 1).all()
    assert (tmp_path / "report" / "clusters_by_k.png").stat().st_size > 10_000


@pytest.fixture(scope="module")
def one_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs as ``experiment=cluster -m task.k=2,3,4,5`` leaves them: ``task.train_k`` is 12 whatever K is."""
    path = tmp_path_factory.mktemp("one_network")
    for k in KS[:4]:
        make_run(path / f"k{k}", three_groups()[0], k, 1, train_k=12)
    return path


def test_networks_that_do_not_depend_on_k_count_once_and_give_no_number_by_cross_entropy(
    one_network: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs, _ = read_cluster_runs([one_network])
    assert len({run.network for run in runs}) == 1 and not np.array_equal(runs[0].features, runs[1].features)
    assert {run.train_k for run in runs} == {12} and runs[0].features.dtype == np.float32
    with caplog.at_level("WARNING"):
        page = write_cluster_report([one_network], tmp_path / "report")
    assert page is not None
    texts = [page.read_text(), (tmp_path / "report" / "clusters.md").read_text()]
    for text in [*texts, caplog.text]:
        assert "Only 1 different network(s) in 4 runs" in text
    for text in texts:
        assert "by cross-entropy" not in text
        assert "Cross-entropy says nothing of K here" in text and "task.train_k=null" in text
    table = pd.read_csv(tmp_path / "report" / "clusters_by_k.csv")
    assert table["cross_entropy_over_ln_k"].to_numpy() == pytest.approx(0.5)


def test_the_report_says_what_its_confidence_is(noise_report: NumberReport) -> None:
    says = noise_report.choice.confidence_of
    assert "agreement between networks" in says or "single group" in says
    assert f"Confidence: {noise_report.choice.confidence:.0%} {says}." in cluster_markdown(noise_report)
    assert f"<span>{says}</span>" in render_cluster_page(noise_report)
    assert not any("different network" in text for text in warnings(noise_report))


def test_what_the_training_sees_makes_another_network() -> None:
    task = {"k": 3, "train_k": 12, "final_n_init": 100, "pca_dim": 16}
    config = {"seed": 1, "task": task, "dataset": {"labels": {}}, "evaluation": {"level": 0.95}}
    first = network_identity(config, "abc")
    for same in ({"k": 5}, {"final_n_init": 10}):
        assert network_identity({**config, "task": {**task, **same}}, "abc") == first
    assert network_identity({**config, "evaluation": {"level": 0.9}, "name": "other"}, "abc") == first
    for other in ({"train_k": None}, {"train_k": 6}, {"pca_dim": 8}):
        assert network_identity({**config, "task": {**task, **other}}, "abc") != first
    assert network_identity({**config, "seed": 2}, "abc") != first
    own = [network_identity({**config, "task": {**task, "train_k": None, "k": k}}, "abc") for k in (3, 4)]
    assert own[0] != own[1]


def test_nothing_to_report_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "status.json").write_text('{"state": "running"}')
    assert write_cluster_report([tmp_path], tmp_path / "report") is None
    assert main(["clusters", str(tmp_path), "--out", str(tmp_path / "report")]) == 1


def test_order_of_samples_in_a_run_does_not_matter(tmp_path: Path) -> None:
    events, _ = three_groups(80)
    names = [f"event-{number:04d}" for number in range(80)]
    make_run(tmp_path / "a", events, 3, 1, pull=0)
    make_run(tmp_path / "b", events[::-1].copy(), 3, 1, pull=0, ids=names[::-1])
    (first, second), left_out = read_cluster_runs([tmp_path])
    assert not left_out and first.sample_ids == second.sample_ids
    assert first.features == pytest.approx(second.features, abs=1e-5)
    assert adjusted_rand_score(first.labels, second.labels) > 0.9
