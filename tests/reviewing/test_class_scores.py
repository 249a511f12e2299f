"""Scores of classes: what cleanlab 2.9 says of the same probabilities, and planted errors found."""

from __future__ import annotations

import numpy as np
import pytest

from seisvision.errors import DataError
from seisvision.reviewing.class_scores import (
    check,
    confident_joint,
    likely_errors,
    n_likely_errors,
    normalised_margin,
    self_confidence,
)
from seisvision.reviewing.event_scores import event_scores, joint_probabilities

FIRST_ISSUES = [5, 9, 12, 35, 46, 60, 62, 66, 76, 82, 90, 97]
"""What ``cleanlab.filter.find_label_issues(filter_by="confident_learning")`` of version 2.9.0 finds first."""


def noisy(seed: int, n: int, k: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,), a share of them drawn anew, and probabilities (n, k) that lean to the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    labels = np.where(rng.random(n) < share, rng.integers(0, k, n), truth)
    logits = rng.normal(0, 1, (n, k))
    logits[np.arange(n), truth] += 2
    shares = np.exp(logits)
    return labels, shares / shares.sum(1, keepdims=True)


def test_the_numbers_are_those_that_cleanlab_gave() -> None:
    labels, shares = noisy(7, 400, 4, 0.15)
    assert confident_joint(labels, shares).tolist() == [[54, 4, 3, 4], [2, 53, 3, 6], [2, 1, 51, 7], [3, 3, 7, 63]]
    assert n_likely_errors(labels, shares) == 45
    assert np.flatnonzero(likely_errors(labels, shares))[:12].tolist() == FIRST_ISSUES
    assert np.argsort(self_confidence(labels, shares))[:5].tolist() == [46, 126, 312, 60, 222]
    assert np.argsort(normalised_margin(labels, shares))[:5].tolist() == [126, 121, 352, 239, 60]
    assert normalised_margin(labels, shares)[:4] == pytest.approx([0.823499, 0.936047, 0.815326, 0.889863], abs=1e-6)


@pytest.mark.parametrize(
    ("seed", "n", "k", "share"), [(0, 50, 2, 0.3), (1, 300, 6, 0.1), (2, 300, 3, 0.0), (3, 40, 8, 0.5)]
)
def test_cleanlab_says_the_same(seed: int, n: int, k: int, share: float) -> None:
    count = pytest.importorskip("cleanlab.count", reason="cleanlab is not installed; its numbers stand above")
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    labels, shares = noisy(seed, n, k, share)
    joint = count.compute_confident_joint(labels, shares, calibrate=False)
    own = confident_joint(labels, shares)
    np.fill_diagonal(own, np.maximum(own.diagonal(), 1))  # cleanlab has no empty diagonal
    assert own.tolist() == joint.tolist()
    issues = find_label_issues(labels, shares, filter_by="confident_learning", n_jobs=1)
    assert likely_errors(labels, shares).tolist() == issues.tolist()
    for method, score in (("self_confidence", self_confidence), ("normalized_margin", normalised_margin)):
        assert score(labels, shares) == pytest.approx(get_label_quality_scores(labels, shares, method=method))


def test_a_class_that_nobody_has_counts_nothing() -> None:
    labels, shares = (
        np.array([0, 0, 1, 1]),
        np.array([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1]]),
    )
    assert confident_joint(labels, shares)[:, 2].sum() == 0
    assert not likely_errors(labels, shares).any()


def test_arrays_that_do_not_go_together_are_refused() -> None:
    labels, shares = noisy(0, 10, 3, 0.1)
    check(labels, shares)
    for wrong in (
        (labels[:5], shares),
        (labels + 3, shares),
        (labels, 2 * shares),
        (labels, np.where(shares > 0.5, np.nan, shares)),
    ):
        with pytest.raises(DataError):
            check(*wrong)


def test_planted_errors_come_first_and_of_right_labels_none_is_called_wrong() -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 6, 2000)
    logits = rng.normal(0, 1, (2000, 6))
    logits[np.arange(2000), truth] += 8
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = truth.copy()
    wrong = rng.choice(2000, 100, replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, 6, 100)) % 6
    order = np.argsort(self_confidence(labels, shares))[:100]
    assert np.isin(order, wrong).mean() >= 0.98
    assert np.isin(wrong, np.flatnonzero(likely_errors(labels, shares))).mean() >= 0.95
    assert likely_errors(truth, shares).mean() < 0.005


def test_the_score_of_an_event_is_the_mean_of_its_stations_and_the_odd_one_is_named() -> None:
    logs = np.log([0.9, 0.85, 0.92, 0.88, 0.001, 0.5, 0.4, 0.45])
    first, second = event_scores(logs, ["a"] * 5 + ["b"] * 3)
    assert (first.source_id, first.rows, first.odd) == ("a", (0, 1, 2, 3, 4), 4)
    assert first.mean == pytest.approx(logs[:5].mean()) and first.lowest == pytest.approx(np.log(0.001))
    assert first.odd_sigmas < -3.5
    assert second.odd is None, "stations that agree have no odd one"
    (pair,) = event_scores(np.log([0.9, 0.001]), ["c", "c"])
    assert pair.odd is None, "of two nobody can tell which is wrong"


def test_stations_that_agree_are_surer_together_than_alone() -> None:
    shares = np.array([[0.6, 0.4], [0.7, 0.3], [0.0, 1.0]])
    assert joint_probabilities(shares, [0, 1])[0] == pytest.approx(0.42**0.5 / (0.42**0.5 + 0.12**0.5))
    assert np.isfinite(joint_probabilities(shares, [0, 2])).all(), "a station that is certain does not end it"
