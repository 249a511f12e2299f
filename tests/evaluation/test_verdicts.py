"""Equal models are seldom called different, whatever is measured: the short form of benchmarks/verdicts.py."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MEASURES = (
    "accuracy",
    "balanced accuracy",
    "ROC AUC",
    "mean error",
    "median error",
    "epicentre error",
    "median angle",
)


@pytest.fixture(scope="module")
def verdicts() -> Iterator[ModuleType]:
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("verdicts")
    sys.path.remove(str(BENCHMARKS))


def test_every_measure_is_simulated(verdicts: ModuleType) -> None:
    assert set(verdicts.MEASURES) == set(verdicts.AT_ONCE) == set(MEASURES)


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("traces", [1, 3])
def test_many_draws_at_once_are_judged_as_the_product_judges_one(verdicts: ModuleType, name: str, traces: int) -> None:
    rng = np.random.default_rng(1)
    hard = verdicts.hard_events(rng, 1, 40, traces)
    a, b = (verdicts.scores_of(rng, hard, 3, 2.4) for _ in range(2))
    verdicts.check(a, b, verdicts.AT_ONCE[name], verdicts.MEASURES[name], traces)

    def wrong(score: np.ndarray, traces: int) -> object:
        found = verdicts.AT_ONCE[name](score, traces)
        return type(found)(found.value, 1.01 * found.by_event, found.floor)

    with pytest.raises(AssertionError):
        verdicts.check(a, b, wrong, verdicts.MEASURES[name], traces)


@pytest.mark.parametrize("name", MEASURES)
def test_equal_models_are_called_different_in_no_more_than_six_percent(verdicts: ModuleType, name: str) -> None:
    draws = 400
    limit = 6 + 3 * verdicts.simulation_error(draws, 6.0)
    for n_events, spread in ((20, 2.4), (177, 0.0), (177, 4.9)):
        count = verdicts.called_different(np.random.default_rng(2), draws, n_events, 1, name, spread)
        assert count
        for cell, n_wrong in count.items():
            assert 100 * n_wrong / draws < limit, cell
