"""Regions from one station hold what they say, whatever is wrong with sigmas: two rows of the benchmark, in short."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from opened_benchmarks import opened


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return opened("single_station")


@pytest.mark.parametrize("errors", ["as stated", "all of these"])
def test_regions_hold_what_they_say_over_many_networks(benchmark: ModuleType, errors: str) -> None:
    generator = np.random.default_rng(4)
    cell = benchmark.CELLS[errors]
    found = np.array([benchmark.coverage(generator, 100, **cell) for _ in range(25)])
    inside68, inside95 = found.mean(axis=0)
    assert 0.65 < inside68 < 0.72
    assert 0.93 < inside95 < 0.97
