"""Preparation of features and k-means: against other libraries, and where they usually break."""

import tracemalloc

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from seisvision.clustering.features import effective_rank, fit_preparation, whiten
from seisvision.clustering.kmeans import assign, kmeans
from seisvision.errors import ConfigurationError, DataError


def _blobs(
    sizes: list[int], distance: float = 12.0, dimensions: int = 8, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, P) around one place a group, and the group of each; shuffled."""
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    return rng.normal(size=(len(groups), dimensions)) + distance * np.eye(dimensions)[groups], groups


@pytest.mark.parametrize("shape", [(400, 30), (30, 400)], ids=["many samples", "many features"])
def test_whitened_components_have_equal_variance_and_are_those_of_sklearn(shape: tuple[int, int]) -> None:
    features = np.random.default_rng(0).normal(size=shape) @ np.diag(np.linspace(0.1, 5, shape[1])) + 7
    points = fit_preparation(features, 10, normalise=False)(features)
    assert np.cov(points.T, bias=True) == pytest.approx(np.eye(10), abs=1e-8)
    theirs = PCA(10, whiten=True).fit_transform(features)
    correlation = np.abs((points * theirs).sum(0)) / np.linalg.norm(points, axis=0) / np.linalg.norm(theirs, axis=0)
    assert correlation == pytest.approx(np.ones(10))


@pytest.mark.parametrize("shape", [(300, 40), (40, 300)], ids=["many samples", "many features"])
def test_many_features_are_prepared_in_parts_alike(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(0).normal(size=shape) @ np.diag(np.linspace(0.1, 5, shape[1])) + 7
    whole, rank = fit_preparation(features, 10), effective_rank(features)
    monkeypatch.setattr("seisvision.clustering.features.MOST_AT_ONCE", 1000)
    parts = fit_preparation(features.astype(np.float32), 10)
    assert parts.axes.shape == whole.axes.shape
    assert parts(features) == pytest.approx(whole(features), abs=1e-5)
    assert effective_rank(features) == pytest.approx(rank)


def test_of_many_features_only_what_is_kept_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(0).normal(size=(200, 20_000)).astype(np.float32)
    monkeypatch.setattr("seisvision.clustering.features.MOST_AT_ONCE", 2**18)
    tracemalloc.start()
    points = fit_preparation(features, 16)(features)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert points.shape == (200, 16)
    assert peak_bytes < 8 * features.size / 2, "a copy in float64, or as many axes as samples, would take twice as much"


def test_rows_have_length_one_and_noise_of_rounding_is_left_out() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(100, 3)) @ rng.normal(size=(3, 40)) + 1e-9 * rng.normal(size=(100, 40))
    points = whiten(features)
    assert points.shape == (100, 3)
    assert np.linalg.norm(points, axis=1) == pytest.approx(np.ones(100))
    assert 1.0 <= effective_rank(features) <= 3.0


def test_fewer_samples_than_components_are_no_obstacle() -> None:
    points = whiten(np.random.default_rng(0).normal(size=(20, 512)), 256)
    assert points.shape == (20, 19) and np.isfinite(points).all()


def test_other_samples_are_prepared_as_those_it_learnt_from() -> None:
    features = np.random.default_rng(0).normal(size=(50, 12))
    preparation = fit_preparation(features, 5)
    assert preparation(features[:7]) == pytest.approx(preparation(features)[:7])


@pytest.mark.parametrize("features", [np.ones((10, 4)), np.full((10, 4), np.nan), np.ones((1, 4))])
def test_features_that_hold_nothing_are_refused(features: np.ndarray) -> None:
    with pytest.raises(DataError):
        fit_preparation(features)


@pytest.mark.parametrize("backend", ["sklearn", "faiss"])
def test_groups_are_found_and_numbered_by_size(backend: str) -> None:
    pytest.importorskip("faiss") if backend == "faiss" else None
    points, groups = _blobs([50, 120, 20])
    found = kmeans(points, 3, seed=1, backend=backend)
    assert adjusted_rand_score(groups, found.labels) == 1.0
    assert found.sizes.tolist() == [120, 50, 20]
    squared = np.square(points - found.centres[found.labels]).sum(1)
    assert found.loss == pytest.approx(squared.mean())


@pytest.mark.parametrize("backend", ["sklearn", "faiss"])
def test_the_seed_decides(backend: str) -> None:
    pytest.importorskip("faiss") if backend == "faiss" else None
    points = np.random.default_rng(0).normal(size=(500, 6))
    first, again, other = (kmeans(points, 5, seed=seed, n_init=1, backend=backend) for seed in (1, 1, 2))
    assert np.array_equal(first.labels, again.labels) and np.array_equal(first.centres, again.centres)
    assert not np.array_equal(first.labels, other.labels)


def test_faiss_uses_all_points() -> None:
    pytest.importorskip("faiss")
    points, _ = _blobs([2000, 10], distance=30.0, dimensions=3)
    assert kmeans(points, 2, seed=0, backend="faiss").sizes.tolist() == [2000, 10]


def test_a_missing_faiss_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(ConfigurationError, match=r"seisvision\[clusters\]"):
        kmeans(np.eye(5), 2, seed=0, backend="faiss")


@pytest.mark.parametrize("backend", ["sklearn", "faiss"])
def test_fewer_different_points_than_clusters_leave_no_cluster_empty(backend: str) -> None:
    pytest.importorskip("faiss") if backend == "faiss" else None
    found = kmeans(np.repeat(np.eye(3), 7, axis=0), 5, seed=0, backend=backend)
    assert found.sizes.tolist() == [7, 7, 7]
    assert len(found.centres) == 3


def test_outliers_do_not_become_clusters_of_their_own() -> None:
    points, groups = _blobs([150, 100, 80, 2], distance=15.0)
    assert 2 in kmeans(points, 4, seed=0).sizes
    found = kmeans(points, 4, seed=0, min_cluster_size=10)
    assert found.sizes.min() >= 10
    real = groups < 3
    purity = sum(np.bincount(groups[real & (found.labels == n)]).max() for n in range(len(found.centres)))
    assert purity == real.sum(), "the groups themselves stay apart"


def test_a_floor_keeps_the_number_of_clusters_where_it_can() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(300, 4)), rng.normal(size=(3, 4)) + 60.0])
    assert len(kmeans(points, 4, seed=0, min_cluster_size=20).centres) == 4
    assert kmeans(points, 4, seed=0, min_cluster_size=20).sizes.min() >= 20


def test_new_points_go_to_the_nearest_centre() -> None:
    points, _ = _blobs([60, 40])
    found = kmeans(points, 2, seed=0)
    assert np.array_equal(assign(points, found.centres).labels, found.labels)
    assert assign(points[:5], found.centres).sizes.sum() == 5


@pytest.mark.parametrize(
    "settings", [{"k": 0}, {"k": 2, "n_init": 0}, {"k": 2, "backend": "fais"}, {"k": 2, "min_cluster_size": 0}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict) -> None:
    with pytest.raises(ConfigurationError):
        kmeans(np.eye(5), seed=0, **settings)


def test_too_few_points_are_named() -> None:
    with pytest.raises(DataError, match="5 samples cannot form k=6"):
        kmeans(np.eye(5), 6, seed=0)
