"""What explains clusters, against textbook values and made columns."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mutual_info_score
from sklearn.neighbors import NearestNeighbors

from seisvision.evaluation import cluster_tables
from seisvision.evaluation.cluster_tables import (
    Column,
    columns_of,
    cross_rows,
    explain_clusters,
    isolation,
    sizes_over_time,
    summarise_clusters,
    table_text,
    warn_of_confounds,
)
from seisvision.seeding import DEFAULT_SEED, numpy_stream


def test_columns_that_follow_the_clusters_come_first() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 100)
    columns = [
        Column("noise", rng.normal(size=300)),
        Column("network", np.array(["AK", "IU", "II"])[labels], confound=True),
        Column("depth_km", labels * 10 + rng.normal(size=300) * 4),
        Column("constant", np.ones(300)),
    ]
    found = explain_clusters(labels, columns)
    assert [one.name for one in found] == ["network", "depth_km", "noise"]
    assert found[0].cramers_v == pytest.approx(1, abs=0.01) and found[0].information == pytest.approx(1)
    expected = mutual_info_score(labels, columns[2].codes) / np.log(3)
    assert found[1].information == pytest.approx(expected)
    assert found[2].cramers_v < 0.15 and not found[2].notable
    assert "network" in (warn_of_confounds(found) or "")
    assert warn_of_confounds([one for one in found if not one.confound]) is None


def test_cramers_v_by_hand() -> None:
    labels, names = np.repeat([0, 1], 50), np.array(["a"] * 30 + ["b"] * 20 + ["a"] * 20 + ["b"] * 30)
    (found,) = explain_clusters(labels, [Column("x", names)])
    phi2 = 4 / 100
    corrected = np.sqrt((phi2 - 1 / 99) / (2 - 1 / 99 - 1))
    assert found.cramers_v == pytest.approx(corrected)


def test_unknown_values_are_no_error() -> None:
    columns = columns_of({"empty": np.full(4, np.nan), "some": np.array([1.0, np.nan, 3.0, np.nan])}, ["some"])
    assert [(column.name, column.confound) for column in columns] == [("some", True)]
    head, rows = summarise_clusters(np.array([0, 0, 1, 1]), columns)
    assert head == ["cluster", "samples", "some"] and rows == [[0, 2, 1.0], [1, 2, 3.0]]
    assert table_text(["a"], [[float("nan")]]) == 'a\n""\n'


def test_the_loneliest_point_is_most_isolated() -> None:
    points = np.vstack([np.random.default_rng(0).normal(size=(50, 2)), [[30, 30]]])
    assert isolation(points).argmax() == 50 and isolation(points).max() == 1


def test_isolation_of_very_many_points_is_estimated_from_some(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.vstack([np.random.default_rng(0).normal(size=(2000, 3)), [[30, 30, 30]]])
    exact = isolation(points)
    monkeypatch.setattr(cluster_tables, "MOST_NEIGHBOURS", 500)
    searched: list[int] = []
    fit = NearestNeighbors.fit
    monkeypatch.setattr(NearestNeighbors, "fit", lambda self, some: searched.append(len(some)) or fit(self, some))
    estimate = isolation(points)
    assert searched == [500]
    assert estimate.argmax() == 2000 and np.array_equal(estimate, isolation(points))
    assert spearmanr(exact, estimate).statistic > 0.85
    # Points of the subset do not count themselves as company.
    chosen = numpy_stream(DEFAULT_SEED, "isolation").permutation(2001)[:500]
    assert (estimate - exact)[chosen].mean() == pytest.approx(0, abs=0.02)


def test_sizes_by_month_and_by_year() -> None:
    times_s = np.array(["2020-01-05", "2020-03-01", "2020-03-31"], "datetime64[s]").astype(float)
    bins, counts = sizes_over_time(np.array([0, 1, 1]), times_s)
    assert bins == ["2020-01", "2020-02", "2020-03"] and counts == {"0": [1, 0, 0], "1": [0, 0, 2]}
    years = np.array(["1990-01-05", "2020-03-01", "NaT"], "datetime64[s]").astype(float)
    years[2] = np.nan
    bins, counts = sizes_over_time(np.array([0, 1, 1]), years)
    assert len(bins) == 31 and sum(counts["1"]) == 1


def test_cross_table_counts_samples_without_a_label() -> None:
    head, rows = cross_rows(np.array([0, 0, 1]), ["a", "", "b"])
    assert head == ["cluster", "a", "b", "no label"] and rows == [[0, 1, 0, 1], [1, 0, 1, 0]]
