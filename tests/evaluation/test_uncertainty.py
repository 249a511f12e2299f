"""Intervals by method: values of the literature, and what they do at the ends of the scale."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from seisvision.base.sample_ids import SampleIds
from seisvision.evaluation.agreement import agreement_measures, expected_information
from seisvision.evaluation.intervals import Measure, rare_wilson_interval, wilson_interval
from seisvision.evaluation.resampling import EventBootstrap
from seisvision.evaluation.tables import format_measure
from seisvision.evaluation.uncertainty.directions import mean_direction_interval
from seisvision.evaluation.uncertainty.proportions import Part, effective_trials, mean_of_parts
from seisvision.evaluation.uncertainty.quantiles import quantile_interval
from seisvision.evaluation.uncertainty.roc_area import area_part
from seisvision.outputs.classes.measures import classification_metrics
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.classes.tables import class_table


@pytest.mark.parametrize(("n", "wrong"), [(20, 0.008), (20, 0.0026), (50, 0.003), (50, 0.01)])
def test_rare_errors_stay_inside_where_wilsons_interval_loses_them(n: int, wrong: float) -> None:
    numbers = np.arange(n + 1)
    chance = stats.binom.pmf(numbers, n, wrong)
    held = sum(p for k, p in zip(numbers, chance, strict=True) if rare_wilson_interval(int(k), n)[0] <= wrong)
    assert held >= 0.93
    assert rare_wilson_interval(n // 2, n) == wilson_interval(n // 2, n)


def test_traces_that_are_copies_count_as_one_and_independent_ones_in_full() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(200), 6)
    by_event = rng.random(200) < 0.7
    assert effective_trials(by_event[group].astype(float), group) == pytest.approx(200, rel=0.03)
    assert effective_trials((rng.random(1200) < 0.7).astype(float), group) == pytest.approx(1200, rel=0.25)
    one_wrong = np.ones(1200)
    one_wrong[0] = 0
    assert effective_trials(one_wrong, group) <= 200


def test_a_network_without_errors_keeps_an_interval() -> None:
    target = np.repeat([0, 1], 10)
    probability = np.where(target[:, None] == np.arange(2), 0.9, 0.1)
    found = classification_metrics(target, probability, ["a", "b"])
    assert found["roc_auc"].high == 1 and 0.8 < found["roc_auc"].low < 0.93
    assert found["balanced_accuracy"].high == 1 and 0.7 < found["balanced_accuracy"].low < 0.9
    reversed_score = area_part(target == 0, probability[:, 1], np.arange(20), 20)
    assert reversed_score is not None and (reversed_score.low, reversed_score.value) == (0.0, 0.0)
    assert reversed_score.high == pytest.approx(1 - found["roc_auc"].low)


def test_the_area_is_as_uncertain_as_delong_says_where_scores_overlap() -> None:
    rng = np.random.default_rng(1)
    positive = np.arange(600) < 300
    score = rng.normal(size=600) + positive
    part = area_part(positive, score, np.arange(600), 600)
    assert part is not None and part.value == pytest.approx(metrics.roc_auc_score(positive, score))
    pairs = (score[positive][:, None] > score[~positive]).astype(float)
    delong = math.sqrt(pairs.mean(1).var(ddof=1) / 300 + pairs.mean(0).var(ddof=1) / 300)
    assert (part.high - part.low) / (2 * 1.96 * delong) == pytest.approx(1, abs=0.05)
    repeated = area_part(np.repeat(positive, 5), np.repeat(score, 5), np.repeat(np.arange(600), 5), 600)
    assert repeated is not None and repeated.high - repeated.low == pytest.approx(part.high - part.low, rel=0.05)


def test_the_mean_of_independent_parts_adds_squares_and_of_equal_ones_keeps_the_width() -> None:
    one = Part(0.5, 0.4, 0.6, np.array([0.035, -0.035, 0.0, 0.0]))
    other = Part(0.5, 0.4, 0.6, np.array([0.0, 0.0, 0.035, -0.035]))
    apart, together = mean_of_parts([one, other]), mean_of_parts([one, one])
    assert apart[1] == pytest.approx(0.5 - 0.1 / math.sqrt(2), abs=0.02)
    assert together[1] < apart[1] and together[1] <= 0.4 + 1e-9 and together[2] >= 0.6 - 1e-9


def test_f1_has_the_interval_of_the_overlap() -> None:
    rng = np.random.default_rng(2)
    target = rng.integers(0, 2, 90)
    said = np.where(rng.random(90) < 0.8, target, 1 - target)
    ids = [str(number) for number in range(90)]
    probability = np.where(said[:, None] == np.arange(2), 0.8, 0.2)
    about = {"name": "class", "class_names": ["a", "b"]}
    row = class_table(ClassPredictions(about, SampleIds.of_events(ids), target, probability), {})[1]
    assert row[-3] == pytest.approx(metrics.f1_score(target, said))
    assert row[-2] < row[-3] < row[-1] and row[-1] - row[-2] < 0.3


def test_a_mean_needs_events_to_have_an_interval_and_tables_say_when_it_has_none() -> None:
    sizes = np.random.default_rng(3).lognormal(size=200)
    few, enough = EventBootstrap(np.arange(20)).mean_size(sizes[:20]), EventBootstrap(np.arange(200)).mean_size(sizes)
    assert few.kind == "none" and math.isnan(few.low) and format_measure(few).endswith("(no interval)")
    assert enough.kind == "studentised bootstrap" and enough.low < enough.value < enough.high
    # Skewed errors leave more room above than below.
    assert enough.high - enough.value > enough.value - enough.low
    assert Measure.from_dict(enough.to_dict()) == enough and "kind" not in Measure(1.0).to_dict()


def test_a_mean_direction_is_told_from_scatter() -> None:
    rng = np.random.default_rng(4)
    for spread, known in ((0.2, True), (1.2, True), (10.0, False)):
        angle = math.pi + spread * rng.normal(size=150)
        low, high = mean_direction_interval(np.stack([np.cos(angle), np.sin(angle)], axis=1), np.arange(150))
        assert math.isfinite(low) == known
        if known:
            assert low < high and abs((low + high) / 2 % (2 * math.pi) - math.pi) < 0.4
    narrow = 0.01 * rng.normal(size=40) + 1
    low, high = mean_direction_interval(np.stack([np.cos(narrow), np.sin(narrow)], axis=1), np.arange(40))
    expected = stats.t.interval(0.95, 39, narrow.mean(), stats.sem(narrow))
    assert (low, high) == pytest.approx(expected, abs=1e-5)


def test_quantiles_lie_between_order_statistics() -> None:
    values = np.random.default_rng(5).permutation(np.arange(1.0, 101.0))
    assert quantile_interval(values, 0.9) == (84.0, 96.0)
    assert all(math.isnan(end) for end in quantile_interval(values[:30], 0.9))


def test_adjusted_information_is_that_of_scikit_learn_and_chance_stands_beside() -> None:
    rng = np.random.default_rng(6)
    classes = rng.integers(0, 4, 600)
    labels = np.where(rng.random(600) < 0.5, classes, rng.integers(0, 7, 600))
    found = agreement_measures(labels, classes, np.arange(600))
    assert found["ami"].value == pytest.approx(metrics.adjusted_mutual_info_score(classes, labels))
    table = metrics.cluster.contingency_matrix(labels, classes)
    chance = np.mean([metrics.mutual_info_score(classes, rng.permutation(labels)) for _ in range(200)])
    assert expected_information(table.sum(1), table.sum(0)) == pytest.approx(chance, rel=0.1)
    guessed = agreement_measures(rng.integers(0, 7, 600), classes, np.arange(600))
    assert guessed["nmi"].value == pytest.approx(guessed["nmi_by_chance"].value, abs=0.02)
    assert guessed["ari"].low < 0 < guessed["ari"].high and found["ari"].low > 0.1
    assert guessed["purity"].kind == guessed["ami"].kind == "none" != found["ami"].kind
