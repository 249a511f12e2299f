import math

import numpy as np
import pytest
from sklearn import metrics as reference

from seisvision.errors import DataError
from seisvision.evaluation.intervals import wilson_interval
from seisvision.outputs.classes.measures import (
    classification_metrics,
    confusion_matrix,
    expected_calibration_error,
    majority_class,
    reliability_bins,
)


def predictions(n: int, n_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.integers(0, n_classes, n)
    # Rounded so that ties occur.
    logits = np.round(rng.normal(size=(n, n_classes)) + 1.5 * np.eye(n_classes)[target], 1)
    return target, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_values_equal_scikit_learn(n_classes: int) -> None:
    target, probability = predictions(150, n_classes)
    names = [f"class{k}" for k in range(n_classes)]
    measures = classification_metrics(target, probability, names, n_resamples=50)
    said = probability.argmax(1)
    recall = reference.recall_score(target, said, average=None)
    precision = reference.precision_score(target, said, average=None)
    expected = {
        "accuracy": reference.accuracy_score(target, said),
        "balanced_accuracy": reference.balanced_accuracy_score(target, said),
        "cross_entropy": reference.log_loss(target, probability),
        "roc_auc": reference.roc_auc_score(
            target, probability[:, 1] if n_classes == 2 else probability, multi_class="ovr"
        ),
        **{f"recall_{name}": recall[k] for k, name in enumerate(names)},
        **{f"precision_{name}": precision[k] for k, name in enumerate(names)},
    }
    assert {key: measures[key].value for key in expected} == pytest.approx(expected)
    assert set(measures) == {*expected, "expected_calibration_error"}


def test_intervals_hold_the_value_and_proportions_use_wilson() -> None:
    target, probability = predictions(177, 2)
    measures = classification_metrics(target, probability, ["earthquake", "glacial"], n_resamples=200)
    right = probability.argmax(1) == target
    accuracy, recall = measures["accuracy"], measures["recall_glacial"]
    assert (accuracy.low, accuracy.high) == wilson_interval(right.sum(), 177)
    assert (recall.low, recall.high, recall.n) == (
        *wilson_interval(right[target == 1].sum(), (target == 1).sum()),
        (target == 1).sum(),
    )
    for key in ("balanced_accuracy", "roc_auc"):
        assert measures[key].low < measures[key].value < measures[key].high
        assert measures[key].n == 177
    # Of so few events none may be wrong with confidence, and one more would change the mean.
    assert measures["cross_entropy"].kind == "none" and math.isnan(measures["cross_entropy"].low)
    many = classification_metrics(*predictions(600, 2), ["earthquake", "glacial"], n_resamples=200)["cross_entropy"]
    assert many.low < many.value < many.high


def test_level_widens_the_intervals() -> None:
    target, probability = predictions(100, 2)
    narrow, wide = (
        classification_metrics(target, probability, ["a", "b"], level, n_resamples=300) for level in (0.5, 0.99)
    )
    for key in ("accuracy", "roc_auc", "balanced_accuracy", "recall_a"):
        assert wide[key].high - wide[key].low > narrow[key].high - narrow[key].low


def test_absent_classes_are_undefined_not_wrong() -> None:
    probability = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]])
    measures = classification_metrics(np.array([0, 0]), probability, ["a", "b", "c"], n_resamples=20)
    for key in ("recall_b", "recall_c", "precision_b", "precision_c", "roc_auc"):
        assert math.isnan(measures[key].value) and measures[key].n == 0
    assert measures["balanced_accuracy"].value == 1.0


def test_no_samples_at_all_gives_undefined_measures() -> None:
    measures = classification_metrics(np.zeros(0, int), np.zeros((0, 2)), ["a", "b"], train_target=np.array([1]))
    assert all(math.isnan(measure.value) and measure.n == 0 for measure in measures.values())


def test_rows_without_label_are_left_out() -> None:
    target, probability = predictions(40, 2)
    some = target.copy()
    some[::2] = -1
    measures = classification_metrics(some, probability, ["a", "b"], n_resamples=20)
    assert measures["accuracy"].n == 20
    assert measures["accuracy"] == classification_metrics(target[1::2], probability[1::2], ["a", "b"])["accuracy"]
    assert np.sum(confusion_matrix(some, probability.argmax(1), 2)) == 20


def test_majority_comes_from_the_training_labels() -> None:
    target, probability = np.array([1, 1, 1, 0]), np.full((4, 2), 0.5)
    train = np.array([0, 0, 0, 1, -1, -1, -1, -1])
    measures = classification_metrics(target, probability, ["a", "b"], train_target=train, n_resamples=20)
    assert majority_class(train) == 0
    assert measures["majority_baseline_accuracy"].value == 0.25


def test_groups_widen_the_intervals_as_if_each_were_one_sample() -> None:
    target, probability = predictions(40, 2)
    target, probability = np.repeat(target, 5), np.repeat(probability, 5, axis=0)
    groups = np.repeat(np.arange(40), 5)
    grouped = classification_metrics(target, probability, ["a", "b"], groups=groups, n_resamples=200)
    plain = classification_metrics(target, probability, ["a", "b"], n_resamples=200)
    single = classification_metrics(target[::5], probability[::5], ["a", "b"])
    assert grouped["accuracy"].low == pytest.approx(single["accuracy"].low, abs=0.02)
    assert grouped["accuracy"].n == 200
    for key in ("accuracy", "roc_auc", "balanced_accuracy"):
        assert grouped[key].value == pytest.approx(plain[key].value)
        assert grouped[key].high - grouped[key].low > 1.5 * (plain[key].high - plain[key].low)


def test_confusion_matrix_equals_scikit_learn() -> None:
    target, probability = predictions(90, 3)
    said = probability.argmax(1)
    assert confusion_matrix(target, said, 4) == reference.confusion_matrix(target, said, labels=range(4)).tolist()


def test_calibration_error_by_hand() -> None:
    # Two bins: confidence 0.95 with 1 of 2 right, confidence 0.65 with 1 of 1 right.
    probability = np.array([[0.95, 0.05], [0.05, 0.95], [0.65, 0.35]])
    target = np.array([0, 0, 0])
    assert expected_calibration_error(target, probability) == pytest.approx((2 * 0.45 + 1 * 0.35) / 3)
    bins = reliability_bins(target, probability)
    assert bins.count.tolist() == [1, 2]
    assert bins.accuracy.tolist() == [1.0, 0.5]


def test_certain_and_wrong_costs_much_but_not_infinity() -> None:
    measures = classification_metrics(np.array([0, 1]), np.eye(2)[[1, 1]], ["a", "b"], n_resamples=10)
    assert 10 < measures["cross_entropy"].value < 20


@pytest.mark.parametrize(
    ("target", "probability", "message"),
    [
        (np.array([0, 2]), np.full((2, 2), 0.5), "allowed are 0 to 1"),
        (np.array([0]), np.full((2, 2), 0.5), r"need probabilities of shape \(1, 2\)"),
        (np.array([0, 1]), np.array([[3.0, -1.0], [0.5, 0.5]]), "softmax"),
        (np.array([0, 1]), np.full((2, 2), np.nan), "softmax"),
    ],
)
def test_bad_input_is_refused(target: np.ndarray, probability: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        classification_metrics(target, probability, ["a", "b"])


def test_majority_needs_labels() -> None:
    with pytest.raises(DataError, match="no majority"):
        majority_class(np.array([-1, -1]))
