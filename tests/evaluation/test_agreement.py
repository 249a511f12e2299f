"""Agreement of clusters with classes, against scikit-learn, and what its intervals mean."""

import numpy as np
import pytest
from sklearn import metrics

from seisvision.evaluation.agreement import agreement_difference, agreement_measures, cross_table


def _noisy(share: float, n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Clusters (N,) that follow classes (N,) in some share of the samples."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 5, n)
    return np.where(rng.random(n) < share, (classes + 2) % 5, rng.integers(0, 6, n)), classes


def test_the_measures_are_those_of_scikit_learn() -> None:
    labels, classes = _noisy(0.6)
    found = {name: measure.value for name, measure in agreement_measures(labels, classes, np.arange(600)).items()}
    assert found["ari"] == pytest.approx(metrics.adjusted_rand_score(classes, labels))
    assert found["nmi"] == pytest.approx(metrics.normalized_mutual_info_score(classes, labels))
    assert found["nmi"] == pytest.approx(metrics.v_measure_score(classes, labels))
    assert found["homogeneity"] == pytest.approx(metrics.homogeneity_score(classes, labels))
    assert found["completeness"] == pytest.approx(metrics.completeness_score(classes, labels))
    assert found["purity"] == cross_table(labels, classes, 6, 5).max(1).sum() / 600


def test_numbers_of_clusters_do_not_matter_and_unknown_classes_do_not_count() -> None:
    labels, classes = _noisy(0.6)
    renamed = np.array([3, 0, 5, 1, 4, 2])[labels]
    before = agreement_measures(labels, classes, np.arange(600))
    assert agreement_measures(renamed, classes, np.arange(600))["ari"].value == pytest.approx(before["ari"].value)
    extended = agreement_measures(np.append(labels, [0, 0]), np.append(classes, [-1, -1]), np.arange(602))
    assert extended["ari"] == before["ari"]


def test_chance_agrees_by_nothing_and_equality_by_one() -> None:
    labels, classes = _noisy(0.0)
    chance = agreement_measures(labels, classes, np.arange(600))["ari"]
    assert chance.low < 0 < chance.high or abs(chance.value) < 0.01
    assert agreement_measures(classes, classes, np.arange(600))["ari"].value == 1.0
    assert np.isnan(agreement_measures(labels, np.full(600, -1), np.arange(600))["ari"].value)


def test_intervals_hold_what_other_samples_give() -> None:
    truth = agreement_measures(*_noisy(0.6, 200_000, 1), np.arange(200_000) // 400)["ari"].value
    inside = 0
    for seed in range(40):
        measure = agreement_measures(*_noisy(0.6, 300, seed + 2), np.arange(300))["ari"]
        inside += measure.low <= truth <= measure.high
    assert inside >= 34


def test_traces_of_one_event_count_as_one_piece_of_evidence() -> None:
    labels, classes = _noisy(0.6, 150)
    alone = agreement_measures(labels, classes, np.arange(150))["ari"]
    repeated = agreement_measures(np.repeat(labels, 10), np.repeat(classes, 10), np.repeat(np.arange(150), 10))["ari"]
    assert repeated.high - repeated.low > 0.8 * (alone.high - alone.low)


def test_a_better_clustering_is_told_from_a_worse_one() -> None:
    better, classes = _noisy(0.8)
    worse = _noisy(0.5)[0]
    difference = agreement_difference(better, worse, classes, np.arange(600))
    assert difference["low"] > 0 and difference["p_value"] < 0.01
    assert agreement_difference(better, better, classes, np.arange(600))["value"] == 0
