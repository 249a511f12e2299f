"""How far samples lie from what a network has learnt, and how often samples like the usual ones are called strange."""

import numpy as np
import pytest

from seisvision.evaluation.neighbours import N_DIRECTIONS, KnownFeatures, share_as_far


def features(n: int, seed: int, n_features: int = 60, bend: float = 0.0) -> np.ndarray:
    """Points (N, F) on a curved sheet of two dimensions, of any length; ``bend`` leaves the sheet."""
    generator = np.random.default_rng(seed)
    along = generator.uniform(-1, 1, (n, 2))
    shape = np.random.default_rng(99).normal(size=(5, n_features))
    curved = np.stack([along[:, 0], along[:, 1], along[:, 0] * along[:, 1], along[:, 0] ** 2, np.full(n, 2.0)], 1)
    off = np.random.default_rng(98).normal(size=n_features)
    return (curved @ shape + bend * off) * generator.uniform(0.5, 2, (n, 1))


def test_what_leaves_the_sheet_of_the_training_is_farther_whatever_its_length() -> None:
    known = KnownFeatures.fit(features(2000, 0))
    usual, strange = known.distance(features(500, 1)), known.distance(features(500, 2, bend=1.0))
    assert np.mean(strange > np.quantile(usual, 0.95)) > 0.9
    # Lengths alone are no strangeness.
    assert known.distance(3 * features(500, 1)) == pytest.approx(usual)


def test_the_kept_directions_tell_what_all_features_tell() -> None:
    training, asked = features(1000, 0), features(200, 1)
    known = KnownFeatures.fit(training)
    assert known.directions.shape == (N_DIRECTIONS, 60) and known.places.shape == (1000, N_DIRECTIONS)
    one, other = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (training, asked))
    whole = np.sort(np.linalg.norm(other[:, None] - one[None], axis=2), axis=1)[:, 29]
    assert known.distance(asked) == pytest.approx(whole, abs=1e-6)


def test_few_training_samples_have_fewer_neighbours() -> None:
    known = KnownFeatures.fit(features(5, 0))
    assert np.isfinite(known.distance(features(3, 1))).all() and known.distance(features(0, 1)).shape == (0,)


def test_no_more_than_a_share_of_usual_samples_is_refused_though_events_have_much_in_common() -> None:
    generator = np.random.default_rng(3)
    refused = []
    for _ in range(400):
        count = generator.integers(1, 20, 41)
        event = np.repeat(np.arange(41), count)
        distance = generator.normal(size=41)[event] + 0.3 * generator.normal(size=len(event))
        new = event == 40
        share = share_as_far(distance[new], distance[~new], [str(one) for one in event[~new]])
        refused.append(np.mean(share <= 0.1))
    assert np.mean(refused) == pytest.approx(0.1, abs=0.04)
    assert share_as_far(np.array([9.0]), np.arange(4.0), ["a", "b", "c", "d"]) == pytest.approx([0.2])
