"""The criterion finds where the variance changes, and only there."""

import numpy as np
import pytest

from seisvision.picking.akaike import samples_before_change


@pytest.mark.parametrize("change", [20, 150, 280])
def test_the_change_is_found_to_a_sample_or_two(change: int) -> None:
    found = []
    for seed in range(40):
        samples = np.random.default_rng(seed).normal(size=300)
        samples[change:] *= 30
        found.append(samples_before_change(samples, 1e-5) - change)
    assert np.median(np.abs(found)) <= 1 and np.abs(found).max() < 12


def test_scale_and_offset_do_not_matter() -> None:
    samples = np.random.default_rng(3).normal(size=200)
    samples[90:] *= 20
    found = samples_before_change(samples, 1e-5)
    assert samples_before_change(1e-9 * samples, 1e-5) == found
    assert samples_before_change(samples + 2, 0.0) == samples_before_change(samples, 0.0)


def test_what_a_filter_leaks_ahead_counts_as_silence() -> None:
    """Without a floor the step from nothing to a thousandth would be the larger one."""
    samples = np.random.default_rng(0).normal(size=300)
    samples[:100] *= 1e-9
    samples[100:200] *= 1e-3
    assert abs(samples_before_change(samples, 1e-12) - 100) < 3
    assert abs(samples_before_change(samples, 1e-3) - 200) < 3


@pytest.mark.parametrize("margin", [(3, 3), (4, 5), (1, 1)])
def test_margins_are_kept_down_to_the_shortest_piece(margin: tuple[int, int]) -> None:
    for n in range(sum(margin), sum(margin) + 4):
        found = samples_before_change(np.random.default_rng(n).normal(size=n), 1e-5, margin)
        assert margin[0] <= found <= n - margin[1]
