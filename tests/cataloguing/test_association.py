"""Picks are joined to the events that made them, whoever joins them."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_networks import events, network, picks_of, uniform

from seisvision.cataloguing.association import origin_vote
from seisvision.cataloguing.association.geometry import arc_km, sphere_distance_km
from seisvision.cataloguing.association.origin_vote import MOST_AT_ONCE, OriginVote, stretches
from seisvision.cataloguing.association.protocol import Associator, Picks, Rules
from seisvision.cataloguing.association.pyocto import PyOcto
from seisvision.earth.projection import Projection, vectors_of
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


@pytest.mark.parametrize("associator", ASSOCIATORS)
@pytest.mark.parametrize("centre", [(-17.0, 179.98), (84.0, 20.0)], ids=["date_line", "far_north"])
def test_networks_may_lie_anywhere(associator: Associator, centre: tuple[float, float]) -> None:
    places, stations = events(4, centre=centre), network(centre=centre)
    assert centre[1] < 179 or (stations.longitude_deg.min() < 0 < stations.longitude_deg.max())
    origin_s = np.cumsum(np.full(4, 40.0))
    picks, true = picks_of(places, origin_s, stations)
    found = associator.associate(picks, stations, uniform(), Rules(fewest_picks=8))
    assert len(found.origin_s) == 4 and (found.event == true).mean() > 0.95
    away_km = sphere_distance_km(found.latitude_deg, found.longitude_deg, *places[:2])
    assert np.median(away_km) < 3 and (np.abs(found.longitude_deg) <= 180).all()


def test_what_pyocto_gets_and_gives_lies_on_a_plane_about_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that stands in for PyOcto finds an event at the first station, on the other side of the date line."""
    stations = network(centre=(-17.0, 179.98))

    class Stub:
        def __init__(self, **settings: Any) -> None:
            self.width_km = settings["xlim"][1] - settings["xlim"][0]

        def associate(self, picks: pd.DataFrame, stations: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
            assert self.width_km < 100
            first = stations.iloc[0]
            event = pd.DataFrame({"idx": [4], "time": [1.0], "x": [first["x"]], "y": [first["y"]], "z": [5.0]})
            return event, pd.DataFrame({"pick_idx": [0], "event_idx": [4]})

    stub = SimpleNamespace(OctoAssociator=Stub, VelocityModel0D=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "pyocto", stub)
    found = PyOcto().associate(Picks(np.zeros(1, int), np.zeros(1, int), np.zeros(1)), stations, uniform(), Rules())
    assert found.latitude_deg[0] == pytest.approx(stations.latitude_deg[0])
    assert found.longitude_deg[0] == pytest.approx(stations.longitude_deg[0])


def test_few_places_at_a_time_make_the_same_events(monkeypatch: pytest.MonkeyPatch) -> None:
    places, stations = events(2), network(6)
    picks, _ = picks_of(places, np.array([10.0, 40.0]), stations)
    whole = OriginVote().associate(picks, stations, uniform(), Rules())
    monkeypatch.setattr(origin_vote, "AT_ONCE", 5000)
    parts = OriginVote().associate(picks, stations, uniform(), Rules())
    assert parts.event.tolist() == whole.event.tolist()
    np.testing.assert_allclose(parts.origin_s, whole.origin_s, atol=1e-6)


def test_grids_that_memory_does_not_hold_are_refused() -> None:
    picks, _ = picks_of(events(1), np.array([10.0]), network())
    with pytest.raises(ConfigurationError, match=r"associate\.spacing_km=0\.01"):
        OriginVote().associate(picks, network(), uniform(), Rules(spacing_km=0.01))


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


def test_the_fullest_window_of_every_row_is_found() -> None:
    rng = np.random.default_rng(5)
    rows = np.sort(np.concatenate([np.full((40, 2), -np.inf), rng.normal(size=(40, 15))], 1), axis=1)
    number, first = origin_vote.most_within(rows, 0.7, 7)
    for row, many, at in zip(rows, number, first, strict=True):
        counts = [int(((row >= begin) & (row <= begin + 0.7)).sum()) if np.isfinite(begin) else 0 for begin in row]
        assert many == (max(counts) if max(counts) >= 7 else 0)
        assert many == 0 or counts[at] == many
    assert (number == 0).any() and (number > 0).any()


@pytest.mark.parametrize("centre", [(-17.0, 179.98), (88.0, 20.0)], ids=["date_line", "pole"])
def test_arcs_from_the_plane_are_distances_on_the_sphere(centre: tuple[float, float]) -> None:
    plane, at = Projection(*centre), np.array([-300.0, 0.0, 0.5, 250.0])
    latitude, longitude = plane.to_degrees(at, at[::-1])
    found = arc_km(plane.to_vectors(at, at[::-1]), vectors_of(latitude, longitude))
    expected = sphere_distance_km(latitude[:, None], longitude[:, None], latitude, longitude)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-4)
