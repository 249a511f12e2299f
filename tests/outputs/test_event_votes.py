"""Traces of an event vote on its class: by mean log-probability and by majority, with intervals over events."""

from __future__ import annotations

import numpy as np
import pytest

from seisvision.base.sample_ids import SampleIds
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.outputs.classes.votes import VOTES

MEAN_LOG, MAJORITY = VOTES


def said(events: list[str], target: list[int], probability: list[list[float]], unit: str = "trace") -> ClassPredictions:
    ids = SampleIds(unit, [str(i) for i in range(len(events))] if unit == "trace" else events, events)
    about = {"kind": "class", "name": "cause", "class_names": ["quake", "blast", "noise"][: len(probability[0])]}
    return ClassPredictions.from_decoded(about, ids, np.array(target), np.array(probability))


def test_one_sure_station_outweighs_two_that_lean_and_a_majority_does_not() -> None:
    measures = said(["a"] * 3 + ["b"], [0, 0, 0, 1], [[0.98, 0.02], [0.45, 0.55], [0.45, 0.55], [0.3, 0.7]]).measures()
    assert measures["accuracy"].value == pytest.approx(0.5) and measures["accuracy"].n == 4
    assert measures[MEAN_LOG].value == 1.0 and measures[MEAN_LOG].n == 2
    assert measures[MAJORITY].value == 0.5
    assert measures[MEAN_LOG].low > 0.1 and measures[MAJORITY].high < 1.0


def test_events_count_once_however_many_stations_they_have() -> None:
    right, wrong = [0.9, 0.1], [0.1, 0.9]
    many = said(["a"] * 9 + ["b", "b"], [0] * 11, [right] * 9 + [wrong] * 2)
    assert many.measures()["accuracy"].value == pytest.approx(9 / 11)
    assert many.measures()[MEAN_LOG].value == many.measures()[MAJORITY].value == 0.5
    influence = many.influence(MEAN_LOG)
    assert influence.value == 0.5 and len(influence.events) == 2


def test_equal_numbers_of_votes_are_decided_by_the_probabilities() -> None:
    tie = said(["a", "a"], [1, 1], [[0.6, 0.4], [0.2, 0.8]])
    assert tie.measures()[MAJORITY].value == 1.0
    assert said(["a", "a"], [0, 0], [[0.6, 0.4], [0.2, 0.8]]).measures()[MAJORITY].value == 0.0


def test_windows_of_noise_vote_apart_from_their_event_and_unlabelled_samples_do_not() -> None:
    quake, noise = [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]
    some = said(["a", "a", "a", "a", "b"], [0, 0, 2, -1, 1], [quake, quake, noise, noise, quake])
    votes = some.votes
    assert votes.events.tolist() == ["a", "a", "b"] and votes.right[MEAN_LOG].tolist() == [True, True, False]
    empty = some.take(np.array([3]))
    assert len(empty.votes.events) == 0 and np.isnan(empty.votes.measures(0.95)[MAJORITY].value)


def test_probability_zero_is_not_beyond_all() -> None:
    votes = said(["a"] * 2, [0, 0], [[0.0, 1.0], [1.0, 0.0]]).votes
    assert all(np.isfinite(right).all() for right in votes.right.values())


def test_tables_show_votes_where_events_have_several_samples() -> None:
    one = said(["a", "b"], [0, 1], [[0.9, 0.1], [0.1, 0.9]], unit="event")
    assert not set(VOTES) & (one.measures().keys() | one.table_columns.keys())
    several = said(["a", "a"], [0, 0], [[0.9, 0.1], [0.1, 0.9]])
    assert set(VOTES) <= several.table_columns.keys() and set(VOTES) <= several.measures().keys()
    assert several.difference(several)["value"] == 0
