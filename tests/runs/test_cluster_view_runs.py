"""What a clustering run and a sweep over the number of clusters leave for people to look at."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import ready_python
from tiny_runs import ROOT, TINY, tiny_config

from seisvision.experiments.clustering.pictures import send_cluster_tables
from seisvision.records.folder import RunFolder, read_json
from seisvision.runs.ensure import ensure_run

CLUSTER = ["task=cluster", "task.k=3", "task.pca_dim=6", "task.n_init=2", "task.min_cluster_size=2", "name=clusters"]


@pytest.fixture(scope="module")
def finished(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    overrides = [*CLUSTER, "evaluation.baselines=false"]
    return ensure_run(tiny_config(data_dir, tmp_path_factory.mktemp("runs"), *overrides), [])


def test_every_cluster_is_drawn_and_counted(finished: RunFolder) -> None:
    table = pd.read_csv(finished.path / "clusters.csv")
    numbers = sorted(table["cluster"].unique())
    pictures = {path.name for path in finished.figures.glob("*.png")}
    assert {"clusters_map.png", "clusters_over_time.png"} <= pictures
    assert {f"cluster_{n}_{kind}.png" for n in numbers for kind in ("pictures", "sections")} <= pictures
    summary = pd.read_csv(finished.path / "clusters_summary.csv").set_index("cluster")
    assert summary["samples"].to_dict() == table["cluster"].value_counts().sort_index().to_dict()
    assert np.isfinite(summary["dominant_frequency_hz"]).all() and (summary["duration_s"] > 0).all()
    over_time = pd.read_csv(finished.path / "clusters_over_time.csv").drop(columns="time")
    assert over_time.to_numpy().sum() == len(table)


def test_cross_table_and_strangest_are_those_of_the_clusters(finished: RunFolder) -> None:
    table = pd.read_csv(finished.path / "clusters.csv", dtype={"sample_id": str})
    cross = pd.read_csv(finished.path / "clusters_by_source_type.csv").set_index("cluster")
    expected = pd.crosstab(table["cluster"], table["source_type"])
    assert cross[expected.columns].to_numpy().tolist() == expected.to_numpy().tolist()
    assert cross["no label"].sum() == 0
    strange = pd.read_csv(finished.path / "clusters_strangest.csv", dtype={"sample_id": str})
    most = table.nlargest(20, "strangeness")
    assert strange["strangeness"].to_numpy() == pytest.approx(most["strangeness"].to_numpy())
    assert strange["sample_id"][0] == most["sample_id"].iloc[0]
    assert strange["isolation"].between(0, 1).all()


def test_metrics_say_what_explains_the_clusters(finished: RunFolder) -> None:
    found = read_json(finished.metrics_file)["clustering"]
    explained = pd.read_csv(finished.path / "clusters_explained.csv")
    assert list(found["explained_by"]) == explained["column"].head(5).tolist()
    assert (np.diff(explained["cramers_v"]) <= 0).all() and "warning" in found


def test_tables_go_to_loggers_that_show_them(finished: RunFolder) -> None:
    class Shown:
        def __init__(self) -> None:
            self.tables: dict[str, int] = {}

        def log_table(self, name: str, columns: list[str], rows: list[list[str]]) -> None:
            assert all(len(row) == len(columns) for row in rows)
            self.tables[name] = len(rows)

    logger = Shown()
    send_cluster_tables([object(), logger], finished)
    assert logger.tables["clusters_strangest"] == 20 and logger.tables["clusters_by_source_type"] == 3


def test_a_sweep_over_k_ends_with_the_report(data_dir: Path, tmp_path: Path) -> None:
    tiny = [word for word in TINY if "n_events" not in word and "max_epochs" not in word]
    changed = ["dataset.source.n_events=42", "trainer.max_epochs=1", "augment=none", "task.front=none"]
    folders = [f"system.data_dir={data_dir}", f"system.runs_dir={tmp_path}", "system.num_threads=1"]
    command = [sys.executable, str(ROOT / "train.py"), "-m", *tiny, *folders, *CLUSTER, *changed]
    done = ready_python.run([*command, "task.k=range(2,4)"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = Path(done.stdout.strip().splitlines()[-1]) / "clusters"
    by_k = pd.read_csv(report / "clusters_by_k.csv")
    assert by_k["k"].tolist() == [2, 3] and by_k["runs"].tolist() == [1, 1]
    assert np.isfinite(by_k[["silhouette", "gap", "stability_ari", "cross_entropy"]].to_numpy()).all()
    assert "recommended" in (report / "clusters.md").read_text() and (report / "clusters.html").exists()
