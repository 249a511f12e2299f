import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from seisvision.base.sample_ids import SampleIds
from seisvision.errors import DataError
from seisvision.evaluation.baselines.feature_table import FeatureTable
from seisvision.outputs.classes.baselines import fit_baselines

CLASSES = ["earthquake", "glacial"]


def toy_set(
    n: int = 300, shift: float = 2.0, seed: int = 0
) -> tuple[FeatureTable, dict[str, int], dict[str, SampleIds]]:
    """Events of two classes, one feature that tells them apart and one that does not."""
    rng = np.random.default_rng(seed)
    ids = [f"event-{i}" for i in range(n)]
    target = rng.integers(0, 2, n)
    values = rng.normal(size=(n, 2)) * [1, 1e6]
    values[:, 0] += shift * target
    parts = {"train": ids[: n // 2], "val": ids[n // 2 : 3 * n // 4], "test": ids[3 * n // 4 :]}
    events = SampleIds.of_events(ids)
    named = {part: events.select(some) for part, some in parts.items()}
    return FeatureTable(events, ["useful", "useless"], values), dict(zip(ids, target.tolist(), strict=True)), named


def test_a_useful_feature_beats_guessing_and_a_useless_one_does_not() -> None:
    table, labels, parts = toy_set()
    useless = FeatureTable(table.ids, ["useless"], table.values[:, 1:])
    results = fit_baselines({"physics": table, "geometry": useless}, labels, parts, CLASSES)
    assert list(results) == ["majority", "physics", "geometry"]
    assert results["physics"].metrics["test"]["accuracy"].low > results["majority"].metrics["test"]["accuracy"].high
    assert (
        results["geometry"].metrics["test"]["roc_auc"].low < 0.5 < results["geometry"].metrics["test"]["roc_auc"].high
    )
    assert set(results["physics"].metrics) == {"val", "test"}


def test_majority_is_that_of_the_training_events() -> None:
    table, _, parts = toy_set()
    labels = dict.fromkeys(parts["train"].ids, 0) | dict.fromkeys(parts["test"].ids, 1) | {parts["train"].ids[0]: 1}
    majority = fit_baselines({"physics": table}, labels, parts, CLASSES)["majority"]
    assert majority.metrics["test"]["accuracy"].value == 0.0
    assert majority.predictions["test"].probability[0, 1] == pytest.approx(1 / len(parts["train"].ids))


def test_test_events_have_no_say_in_the_fit() -> None:
    table, labels, parts = toy_set()
    spoilt = table.values.copy()
    rows = table.ids.places(parts["test"].ids)
    spoilt[rows] = 1e9
    flipped = labels | {i: 1 - labels[i] for i in parts["test"].ids}
    first = fit_baselines({"physics": table}, labels, parts, CLASSES)
    second = fit_baselines({"physics": FeatureTable(table.ids, table.names, spoilt)}, flipped, parts, CLASSES)
    assert first["physics"].metrics["val"] == second["physics"].metrics["val"]


def test_missing_values_and_unlabelled_events_do_no_harm() -> None:
    table, labels, parts = toy_set()
    values = table.values.copy()
    values[::7, 0] = np.nan
    some = {i: label for i, label in labels.items() if i not in parts["test"].ids[:10]} | {parts["test"].ids[10]: -1}
    result = fit_baselines({"physics": FeatureTable(table.ids, table.names, values)}, some, parts, CLASSES)["physics"]
    assert result.metrics["test"]["accuracy"].n == len(parts["test"].ids) - 11
    assert result.metrics["test"]["accuracy"].value > 0.7


def test_balanced_weights_raise_the_recall_of_a_rare_class() -> None:
    table, labels, parts = toy_set(800, shift=1.5)
    rare = {i: label for n, (i, label) in enumerate(labels.items()) if label == 0 or n % 8 == 0}
    recalls = [
        fit_baselines({"physics": table}, rare, parts, CLASSES, class_weight=weight)["physics"]
        .metrics["test"]["recall_glacial"]
        .value
        for weight in (None, "balanced")
    ]
    assert recalls[1] > recalls[0] + 0.2


def test_a_class_without_training_events_gets_no_probability() -> None:
    table, labels, parts = toy_set()
    result = fit_baselines({"physics": table}, labels, parts, [*CLASSES, "landslide"])["physics"]
    assert (result.predictions["test"].probability[:, 2] == 0).all()
    assert result.predictions["test"].probability.sum(1) == pytest.approx(1)


def test_what_cannot_be_had_is_skipped_with_its_reason() -> None:
    table, labels, parts = toy_set()
    results = fit_baselines({"physics": "start_s is not known"}, labels, parts, CLASSES)
    assert results["physics"].skipped == "start_s is not known" and not results["physics"].metrics
    one_class = fit_baselines({"physics": table}, dict.fromkeys(labels, 1), parts, CLASSES)
    assert one_class["physics"].skipped == "all training events are of class glacial"
    json.dumps({name: baseline.to_dict() for name, baseline in results.items()}, allow_nan=False)


def test_missing_events_and_labels_are_refused() -> None:
    table, labels, parts = toy_set()
    with pytest.raises(DataError, match="no features"):
        fit_baselines(
            {"physics": FeatureTable(SampleIds.of_events(["x"]), table.names, table.values[:1])}, labels, parts, CLASSES
        )
    with pytest.raises(DataError, match="labelled training events"):
        fit_baselines({"physics": table}, {}, parts, CLASSES)


def test_probabilities_are_those_of_plain_logistic_regression() -> None:
    table, labels, parts = toy_set()
    scaled = (table.values - table.select(parts["train"].ids).mean(0)) / table.select(parts["train"].ids).std(0)
    scaled_table = FeatureTable(table.ids, table.names, scaled)
    target = [labels[i] for i in parts["train"].ids]
    reference = LogisticRegression().fit(scaled_table.select(parts["train"].ids), target)
    expected = reference.predict_proba(scaled_table.select(parts["test"].ids))
    result = fit_baselines({"physics": table}, labels, parts, CLASSES)["physics"].predictions["test"]
    assert result.probability == pytest.approx(expected, abs=1e-3)
