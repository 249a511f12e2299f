import json
import math

import pytest
from scipy import stats

from seisvision.errors import DataError
from seisvision.evaluation.intervals import (
    Measure,
    wilson_interval,
)


@pytest.mark.parametrize(("k", "n"), [(162, 177), (0, 10), (10, 10), (1, 3), (500, 1000)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_interval_equals_scipy(k: int, n: int, level: float) -> None:
    expected = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    assert wilson_interval(k, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_interval_of_the_atlas_result() -> None:
    low, high = wilson_interval(162, 177)
    assert (round(low, 3), round(high, 3)) == (0.865, 0.948)


def test_wilson_interval_without_trials_is_undefined() -> None:
    assert all(math.isnan(end) for end in wilson_interval(0, 0))


@pytest.mark.parametrize(("k", "n", "level"), [(4, 3, 0.95), (-1, 3, 0.95), (1, 3, 95)])
def test_wilson_interval_refuses_nonsense(k: int, n: int, level: float) -> None:
    with pytest.raises(DataError):
        wilson_interval(k, n, level)


def test_measure_survives_json_with_undefined_values() -> None:
    for measure in (Measure(math.nan), Measure.proportion(162, 177), Measure(1.5, math.nan, math.nan, 7)):
        back = Measure.from_dict(json.loads(json.dumps(measure.to_dict(), allow_nan=False)))
        assert repr(back) == repr(measure)
