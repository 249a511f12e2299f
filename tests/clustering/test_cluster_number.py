"""Counting groups: against textbook values, on known groups and on clouds without any."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score

from seisvision.clustering.choose import choose_k, pooled_points
from seisvision.clustering.gap import gap_statistic
from seisvision.clustering.indices import cluster_indices
from seisvision.clustering.stability import bootstrap_stability, mean_agreement
from seisvision.clustering.valleys import find_groups, most_groups
from seisvision.errors import DataError


def _groups(k: int, n: int, seed: int, separation: float = 7.0) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 6) in k groups of unequal sizes and shapes, and the group of each."""
    rng = np.random.default_rng(seed)
    group = rng.choice(k, size=n, p=np.linspace(1, 2, k) / np.linspace(1, 2, k).sum())
    places = separation * np.array([[i % 3, i // 3] for i in range(k)], float)
    points = rng.normal(size=(n, 6)) * np.array([1.2, 0.9, 1, 1, 1, 1])
    points[:, :2] += places[group]
    return points, group


def test_indices_of_four_points_by_hand() -> None:
    points, labels = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([0, 0, 1, 1])
    found = cluster_indices(points, labels)
    assert found.silhouette == pytest.approx((2 * (1 - 1 / 10.5) + 2 * (1 - 1 / 9.5)) / 4)
    assert found.calinski_harabasz == pytest.approx(100 / (1 / 2))
    assert found.davies_bouldin == pytest.approx((0.5 + 0.5) / 10)
    assert np.isnan(cluster_indices(points, np.zeros(4, int)).silhouette)


def test_silhouette_of_three_species_of_iris() -> None:
    measured, species = load_iris(return_X_y=True)
    assert cluster_indices(measured, species).silhouette == pytest.approx(0.503, abs=1e-3)


def test_gap_finds_three_groups_and_none_in_a_box() -> None:
    assert gap_statistic(_groups(3, 300, 0)[0], range(1, 8)).best == 3
    box = np.random.default_rng(0).uniform(size=(300, 4))
    assert gap_statistic(box, range(1, 8)).best == 1


def test_stability_is_only_worth_what_a_cloud_does_not_reach() -> None:
    long = np.random.default_rng(0).normal(size=(400, 4)) * [9, 1, 1, 1]
    cloud = bootstrap_stability(long, [2, 3])
    assert cloud.ari[0] > 0.8 and abs(cloud.corrected[0]) < 0.5
    grouped = bootstrap_stability(_groups(3, 400, 0)[0], [2, 3, 5])
    assert grouped.ks[int(grouped.corrected.argmax())] == 3 and grouped.corrected[1] > 0.9


def test_agreement_of_seeds_is_the_mean_over_pairs() -> None:
    one, other = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    expected = np.mean([1.0, adjusted_rand_score(one, other), adjusted_rand_score(one, other)])
    assert mean_agreement([one, 1 - one, other]) == pytest.approx(expected)
    assert np.isnan(mean_agreement([one]))


@pytest.mark.parametrize("k", [2, 3, 5, 6])
def test_known_groups_are_counted_and_named(k: int) -> None:
    points, group = _groups(k, 500, k)
    choice = choose_k([points], n_repeats=6)
    assert choice.k is not None and abs(choice.k - k) <= 1
    assert choice.k != k or adjusted_rand_score(group, choice.labels) > 0.9
    sizes = np.bincount(choice.labels)
    assert (np.diff(sizes) <= 0).all()
    assert choice.certainty.min() > 0 and choice.certainty.mean() > 0.9


@pytest.mark.parametrize("shape", ["gaussian", "long", "box", "heavy", "skewed", "rectified", "ring"])
def test_clouds_without_groups_have_no_structure(shape: str) -> None:
    rng = np.random.default_rng(1)
    normal = rng.normal(size=(400, 4))
    angle = rng.uniform(0, 2 * np.pi, 400)
    points = {
        "gaussian": normal,
        "long": normal * [10, 1, 1, 1],
        "box": rng.uniform(size=(400, 4)) * [8, 1, 1, 1],
        "heavy": normal / np.sqrt(rng.chisquare(3, size=(400, 1)) / 3),
        "skewed": rng.exponential(size=(400, 4)),
        "rectified": np.maximum(normal @ rng.normal(size=(4, 12)), 0),
        "ring": np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.1 * rng.normal(size=(400, 2)),
    }[shape]
    choice = choose_k([points], n_repeats=6)
    assert choice.k is None and "No structure" in choice.sentence()
    assert not choice.labels.any()


def test_groups_that_only_one_run_sees_are_no_structure() -> None:
    rng = np.random.default_rng(0)
    heaps = [rng.normal(size=(300, 4)) + 30 * rng.integers(0, 2, (300, 1)) for _ in range(4)]
    choice = choose_k(heaps, n_repeats=6)
    assert choice.k is None and abs(choice.agreement) < 0.1
    assert "own" in choice.sentence() and "agreement between networks" in choice.confidence_of
    assert choice.confidence == pytest.approx(1 - max(0.0, choice.agreement))
    shared, group = _groups(2, 300, 0)
    seen = choose_k([shared @ rng.normal(size=(6, 5)) for _ in range(4)], n_repeats=6)
    assert seen.k == 2 and seen.agreement > 0.8 and adjusted_rand_score(group, seen.labels) > 0.9


def test_the_same_network_counts_once() -> None:
    points, _ = _groups(3, 200, 0)
    assert np.array_equal(pooled_points([points, points.copy()]), pooled_points([points]))
    assert np.isnan(choose_k([points, points], n_repeats=4).agreement)


def test_features_that_differ_by_rounding_are_of_one_network() -> None:
    points, _ = _groups(3, 200, 0)
    rng = np.random.default_rng(0)
    nearly = [points, *(points + 1e-6 * rng.normal(size=points.shape) for _ in range(3))]
    choice = choose_k(nearly, n_repeats=4)
    assert choice.n_networks == 1 and np.isnan(choice.agreement)
    assert "one network only" in choice.sentence()
    other = choose_k([points, points + 0.3 * rng.normal(size=points.shape)], n_repeats=4)
    assert other.n_networks == 2 and np.isfinite(other.agreement)


def _far_groups(k: int, members: int) -> np.ndarray:
    """Points (k x members, k) of which every group is 200 standard deviations from the others."""
    return np.random.default_rng(0).normal(size=(k * members, k)) + 200 * np.eye(k)[np.repeat(range(k), members)]


@pytest.mark.parametrize("k", [3, 6])
def test_few_samples_in_groups_far_apart_are_counted(k: int) -> None:
    choice = choose_k([_far_groups(k, 16)], n_repeats=4)
    assert choice.k == k and not choice.is_floor
    assert choice.sentence().startswith(f"K = {k}:")


def test_a_number_that_so_many_samples_cannot_exceed_is_a_floor() -> None:
    choice = choose_k([_far_groups(12, 12)], n_repeats=4)
    assert choice.k == choice.most == 8 and choice.number == "at least 8"
    assert choice.sentence().startswith("At least 8 groups") and "144 samples cannot show more" in choice.sentence()


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_samples_that_are_all_alike_but_few_break_nothing() -> None:
    assert choose_k([np.ones((60, 3))], n_repeats=2).k is None
    assert choose_k([np.eye(3)[np.arange(60) % 3]], n_repeats=2).k == 3


def test_larger_sets_are_cut_into_cells_of_25_points() -> None:
    assert [most_groups(n) for n in (9, 36, 86, 200, 240, 270, 400, 10_000)] == [1, 3, 8, 8, 9, 10, 16, 16]


@pytest.mark.parametrize("n", [40, 60, 110])
def test_few_samples_of_noise_have_no_structure(n: int) -> None:
    for dims in (2, 8):
        points = np.random.default_rng([n, dims]).normal(size=(n, dims))
        choice = choose_k([points], n_repeats=3)
        assert choice.k is None and choice.confidence_of == "of the repeats find a single group"
        assert ("far apart" in choice.sentence()) == (n < 89)


def test_far_points_go_to_the_nearest_group() -> None:
    points, group = _groups(2, 300, 3)
    found = find_groups(points[:200], 1)
    assert found.n == 2 and found.p_value < 0.01
    assert adjusted_rand_score(group[200:], found.assign(points[200:])) > 0.95


def test_runs_count_the_same_however_large_their_features_are() -> None:
    points, _ = _groups(3, 200, 0)
    rng = np.random.default_rng(0)
    alone = pooled_points([points, rng.normal(size=(200, 6))])
    scaled = pooled_points([1000 * points, rng.normal(size=(200, 6)) * 0 + 1.0])
    assert scaled.shape[1] <= alone.shape[1]
    assert np.std(scaled) < 10


def test_what_cannot_be_counted_is_refused() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.raises(DataError, match="at least 40"):
        choose_k([points[:20]])
    with pytest.raises(DataError, match="side by side"):
        choose_k([points, points[:45]])
    with pytest.raises(DataError, match="not finite"):
        choose_k([np.where(points > 2, np.nan, points)])
