"""Picks are joined to the events that made them, whoever joins them."""

from __future__ import annotations

import importlib.util
import itertools

import numpy as np
import pytest
from made_networks import events, network, picks_of, uniform

from seisvision.cataloguing.association.origin_vote import MOST_AT_ONCE, OriginVote, stretches
from seisvision.cataloguing.association.protocol import Associator, Picks, Rules
from seisvision.cataloguing.association.pyocto import PyOcto
from seisvision.errors import ConfigurationError

HAS_PYOCTO = importlib.util.find_spec("pyocto") is not None
ASSOCIATORS = [
    pytest.param(OriginVote(), id="vote"),
    pytest.param(PyOcto(), id="pyocto", marks=pytest.mark.skipif(not HAS_PYOCTO, reason="PyOcto is not installed")),
]


@pytest.mark.parametrize("associator", ASSOCIATORS)
def test_events_are_found_among_false_picks(associator: Associator) -> None:
    places, stations = events(8), network()
    origin_s = np.cumsum(np.full(8, 40.0))
    picks, true = picks_of(places, origin_s, stations, n_false=80, lost=0.2)
    found = associator.associate(picks, stations, uniform(), Rules(fewest_picks=8))
    assert len(found.origin_s) == 8
    np.testing.assert_allclose(found.origin_s, origin_s, atol=0.6)
    same = (found.event == true) & (true >= 0)
    assert same.sum() >= 0.95 * (true >= 0).sum()
    assert ((found.event >= 0) & (true < 0)).sum() <= 4


def test_two_events_at_one_time_are_two() -> None:
    places, stations = events(2, seed=5), network(12)
    picks, true = picks_of(places, np.array([10.0, 12.5]), stations)
    found = OriginVote().associate(picks, stations, uniform(), Rules(fewest_picks=8))
    assert len(found.origin_s) == 2
    assert (found.event == true).mean() > 0.9


def test_noise_alone_makes_no_event() -> None:
    stations = network()
    rng = np.random.default_rng(3)
    n = 300
    picks = Picks(rng.integers(0, 10, n), rng.integers(0, 2, n), np.sort(rng.uniform(0, 3600, n)))
    found = OriginVote().associate(picks, stations, uniform(), Rules(fewest_picks=8))
    assert len(found.origin_s) == 0 and (found.event == -1).all()


def test_rules_say_what_an_event_is() -> None:
    places, stations = events(1), network(5)
    picks, _ = picks_of(places, np.array([10.0]), stations)
    assert len(OriginVote().associate(picks, stations, uniform(), Rules(fewest_picks=10)).origin_s) == 1
    assert len(OriginVote().associate(picks, stations, uniform(), Rules(fewest_stations=6)).origin_s) == 0
    only_p = picks.phase == 0
    of_p = Picks(picks.station[only_p], picks.phase[only_p], picks.time_s[only_p])
    assert len(OriginVote().associate(of_p, stations, uniform(), Rules(fewest_picks=5)).origin_s) == 0
    relaxed = Rules(fewest_picks=5, fewest_s=0, fewest_both=0)
    assert len(OriginVote().associate(of_p, stations, uniform(), relaxed).origin_s) == 1


def test_long_stretches_are_cut_with_an_overlap() -> None:
    time_s = np.arange(1000) * 0.1
    parts = stretches(time_s, 5.0)
    assert max(len(part) for part in parts) == MOST_AT_ONCE
    assert sorted(set(np.concatenate(parts).tolist())) == list(range(1000))
    assert all(time_s[a[-1]] - time_s[b[0]] >= 5.0 - 0.2 for a, b in itertools.pairwise(parts))
    assert stretches(np.empty(0), 5.0) == []


@pytest.mark.skipif(HAS_PYOCTO, reason="PyOcto is installed")
def test_pyocto_that_is_missing_is_told_with_what_to_do() -> None:
    picks = Picks(np.zeros(1, int), np.zeros(1, int), np.zeros(1))
    with pytest.raises(ConfigurationError, match="pip install --no-deps pyocto"):
        PyOcto().associate(picks, network(), uniform(), Rules())
