"""Differences of models in simulations: how often equal models are called different, and unequal ones found."""

import numpy as np
import pytest
from scipy.stats import norm

from seisvision.evaluation.differences import (
    Difference,
    Part,
    area_influence,
    balanced_influence,
    compare_folds,
    compare_runs,
    mean_influence,
    median_influence,
)
from seisvision.evaluation.selection import corrected_best

RIGHT = 0.85
SHARED = 0.6
"""Of the variance on the normal scale: what makes an event hard for all runs."""


def runs(rng, n_runs, events, spread, right=RIGHT, hard=None):
    """Shares right of trainings of one model, whose true shares have a standard deviation ``spread``."""
    mean, scale = norm.ppf(right), spread / norm.pdf(norm.ppf(RIGHT))
    for _ in range(n_runs):
        score = mean + scale * rng.normal() + hard + rng.normal(size=len(events)) * np.sqrt(1 - SHARED)
        yield mean_influence((score > 0).astype(float), events, is_share=True)


def table(rng, n_models, n_runs, n_events, spread, traces=1, better=0.0):
    events = np.repeat(np.arange(n_events), traces)
    hard = rng.normal(size=n_events)[events] * np.sqrt(SHARED)
    return [list(runs(rng, n_runs, events, spread, RIGHT + better * (model == 0), hard)) for model in range(n_models)]


def rate(n, differs):
    """Share of n draws, less two simulation errors where it is small."""
    found = np.mean([differs() for _ in range(n)])
    return found - 2 * np.sqrt(0.05 * 0.95 / n)


def excludes_zero(found, level=0.95):
    low, high = found.interval(level)
    return low > 0 or high < 0


@pytest.mark.slow
@pytest.mark.parametrize("n_runs", [1, 2, 5])
@pytest.mark.parametrize(("n_events", "traces"), [(50, 1), (177, 1), (60, 3)])
def test_equal_models_are_seldom_called_different(n_runs, n_events, traces):
    for spread in (0.0, 0.024, 0.049) if n_runs > 1 else (0.0,):
        rng = np.random.default_rng(3)
        wrong = rate(300, lambda: excludes_zero(compare_runs(*table(rng, 2, n_runs, n_events, spread, traces))))  # noqa: B023
        assert wrong < 0.06, (n_runs, spread)


def test_of_five_equal_models_no_pair_differs_in_nineteen_of_twenty_tables():
    rng = np.random.default_rng(4)

    def any_differs():
        models = table(rng, 5, 3, 177, 0.024)
        return any(excludes_zero(compare_runs(models[a], models[b]), 1 - 0.05 / 10) for a in range(5) for b in range(a))

    assert rate(200, any_differs) < 0.06


def test_a_model_that_is_ten_points_better_is_found():
    rng = np.random.default_rng(5)
    assert np.mean([excludes_zero(compare_runs(*table(rng, 2, 5, 177, 0.024, better=0.1))) for _ in range(100)]) > 0.9
    assert np.mean([excludes_zero(compare_runs(*table(rng, 2, 1, 177, 0.0, better=0.1))) for _ in range(100)]) > 0.8


def test_with_one_training_the_difference_is_of_networks_and_leaves_out_the_spread():
    rng = np.random.default_rng(6)
    models = table(rng, 2, 2, 177, 0.049)
    alone = compare_runs(models[0][:1], models[1][:1])
    assert not alone.is_of_models and not compare_runs(models[0], models[1][:1]).is_of_models
    assert compare_runs(*models).is_of_models
    wrong = np.mean([excludes_zero(compare_runs(*table(rng, 2, 1, 1000, 0.049))) for _ in range(100)])
    assert wrong > 0.3, "networks of equal models do differ, so nothing may be said of the models"


@pytest.mark.slow
@pytest.mark.parametrize("of_events", ["same", "others"])
def test_folds_of_equal_models_seldom_differ(of_events):
    rng = np.random.default_rng(7)

    def differs():
        n, sides = 150, ([], [])
        fixed = np.arange(n)
        for fold in range(5):
            events = fixed if of_events == "same" else np.arange(30) + 30 * fold
            if of_events == "others" or not fold:
                hard = rng.normal(size=len(events)) * np.sqrt(SHARED)
            for side in sides:
                side.append(list(runs(rng, 1, events, 0.03, hard=hard)))
        return excludes_zero(compare_folds(*sides, held_out_ratio=0.25))

    assert rate(300, differs) < 0.06


def test_p_value_and_interval_say_the_same_whatever_the_parts():
    for value in (0.01, 0.05, 0.2):
        for parts in ((Part(4e-4, 7.0),), (Part(4e-4, 1.3), Part(1e-4, 176.0)), (Part(0.0, 2.0), Part(1e-4, 49.0))):
            found = Difference(value, parts, True)
            for level in (0.5, 0.9, 0.95, 0.999):
                assert excludes_zero(found, level) == (found.p_value < 1 - level)
    low, high = Difference(0.2, (Part(4e-4, 1.3), Part(1e-4, 176.0)), True).interval(1 - 0.03)
    wider = Difference(0.2, (Part(4e-4, 1.3),), True).interval(1 - 0.03)
    assert low < wider[0] and high > wider[1], "the events add to the spread over runs"


def test_influences_are_the_changes_of_a_measure_without_an_event():
    rng = np.random.default_rng(8)
    n = 400
    events = np.repeat(np.arange(n // 2), 2)
    classes = rng.integers(0, 2, n // 2)[events]
    score = classes + rng.normal(size=n)
    hits = (score > 0.5) == classes
    values = rng.gamma(2.0, size=n)
    measures = {
        "mean": (lambda kept: mean_influence(values[kept], events[kept])),
        "balanced": (lambda kept: balanced_influence(hits[kept], classes[kept], events[kept])),
        "area": (lambda kept: area_influence(classes[kept] == 1, score[kept], events[kept])),
    }
    for name, measure in measures.items():
        whole = measure(np.ones(n, bool))
        without = np.array([measure(events != event).value for event in range(n // 2)])
        jackknife = (n // 2 - 1) * (whole.value - without)
        assert np.corrcoef(jackknife, whole.by_event * n / 2)[0, 1] > 0.999, name
        assert whole.by_event @ whole.by_event == pytest.approx(np.var(jackknife) / (n / 2), rel=0.05), name
    several = [np.median(rng.gamma(2.0, size=n)) for _ in range(400)]
    found = median_influence(values, np.arange(n))
    assert np.sqrt(found.by_event @ found.by_event) == pytest.approx(np.std(several), rel=0.25)


@pytest.mark.parametrize(("n_candidates", "n_events"), [(5, 50), (5, 177), (30, 177)])
def test_the_best_of_many_is_corrected_for_having_been_chosen(n_candidates, n_events):
    rng = np.random.default_rng(9)
    before, after = [], []
    for _ in range(40):
        candidates = [some[0] for some in table(rng, n_candidates, 1, n_events, 0.0)]
        before.append(max(one.value for one in candidates) - RIGHT)
        after.append(corrected_best(candidates, less_is_better=False) - RIGHT)
    assert np.mean(before) > 0.02, "the best of equals looks better than it is"
    assert abs(np.mean(after)) < 0.01 + 2 * np.std(after) / np.sqrt(40)


def test_what_cannot_be_corrected_is_not():
    rng = np.random.default_rng(10)
    one, other, few = (table(rng, 1, 1, n, 0.0)[0][0] for n in (50, 60, 5))
    assert corrected_best([one], less_is_better=False) is None
    assert corrected_best([one, other], less_is_better=False) is None, "other events"
    assert corrected_best([few, few], less_is_better=False) is None
    assert corrected_best([one, one], less_is_better=True) == pytest.approx(one.value, abs=0.02)
