"""Events are moved to where differential times put them, and the stated errors are of the right size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_networks import events, network, uniform

from seisvision.cataloguing import exchange
from seisvision.cataloguing.network import Arrivals, predict
from seisvision.cataloguing.relocation.double_difference import CC, CT, Links, Relocated, double_difference
from seisvision.cataloguing.windows import Events
from seisvision.earth.constants import KM_PER_DEG
from seisvision.errors import DataError

N = 12
STATIONS = network(10)


def _true(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (N, 3) km against one point, and origin errors (N,) s."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, 0.5, (N, 3)), rng.normal(0, 0.05, N)


def _arrivals(km: np.ndarray) -> Arrivals:
    latitude, longitude, depth = (one[0] for one in events(1, 2.0))
    scale = KM_PER_DEG * np.cos(np.radians(latitude))
    return predict(
        latitude + km[:, 0] / KM_PER_DEG, longitude + km[:, 1] / scale, depth + km[:, 2], STATIONS, uniform()
    )


def _links(seed: int, sigma_s: float, wild: float = 0.0) -> tuple[Links, np.ndarray]:
    """Links of all pairs with errors that belong to events, and the true places about their mean."""
    rng = np.random.default_rng(seed + 100)
    place, late = _true(seed)
    travel = _arrivals(place).travel_s + rng.normal(0, sigma_s, (N, len(STATIONS.station_id), 2))
    # A hypocentre that was located all at one point, with an origin that is off.
    observed = travel - late[:, None, None]
    first, second = np.triu_indices(N, 1)
    rows = [
        (a, b, station, phase, CC, observed[a, station, phase] - observed[b, station, phase], 1.0)
        for a, b in zip(first, second, strict=True)
        for station in range(len(STATIONS.station_id))
        for phase in (0, 1)
    ]
    table = np.array(rows, float)
    outliers = rng.uniform(size=len(table)) < wild
    table[outliers, 5] += rng.uniform(-0.4, 0.4, int(outliers.sum()))
    columns = [table[:, at].astype(int) for at in range(5)]
    return Links(*columns, table[:, 5], table[:, 6]), place - place.mean(0)


def _moved(links: Links, **settings: object) -> Relocated:
    return double_difference(links, _arrivals, N, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("wild", [0.0, 0.05], ids=["plain", "outliers"])
def test_true_places_come_out(wild: float) -> None:
    links, true = _links(0, 1e-4, wild)
    found = _moved(links, n_bootstrap=10)
    place = _arrivals_shift(found)
    np.testing.assert_allclose(place, true, atol=0.02)
    assert found.rms_s[1] < 0.2 * found.rms_s[0]


def _arrivals_shift(found: Relocated) -> np.ndarray:
    return found.shift[:, :3] - found.shift[:, :3].mean(0)


def test_stated_errors_are_of_the_size_of_the_errors() -> None:
    ratios = []
    for seed in range(4):
        links, true = _links(seed, 5e-3)
        found = _moved(links, n_bootstrap=60, iterations=4)
        ratios.append((_arrivals_shift(found) - true) / found.error[:, :3])
    # A standard deviation of one would be perfect; errors that took pairs for independent would give 3 and more.
    assert 0.6 < np.std(np.concatenate(ratios)) < 1.5


def test_events_without_enough_links_stay() -> None:
    links, _ = _links(0, 1e-3)
    alone = (links.first == 0) | (links.second == 0)
    fewer = Links(*(value[~alone] for value in vars(links).values()))
    found = _moved(fewer, n_bootstrap=5)
    assert np.isnan(found.shift[0]).all() and found.cluster[0] == -1
    assert np.isfinite(found.shift[1:]).all()
    none = Links(*(value[:0] for value in vars(links).values()))
    assert np.isnan(_moved(none).shift).all()


def test_files_of_hypodd_say_what_the_links_say(tmp_path: Path) -> None:
    links, _ = _links(0, 1e-3)
    links.kind[::2] = CT
    latitude, longitude, depth = events(N, 1.0)
    origin_ns = 1_600_000_000_000_000_000 + np.arange(N) * 60_000_000_000
    travel = predict(latitude, longitude, depth, STATIONS, uniform()).travel_s
    arrival_ns = origin_ns[:, None, None] + np.rint(travel * 1e9).astype(np.int64)
    names = np.array([f"e{number}" for number in range(N)])
    made = Events(
        names, origin_ns, latitude, longitude, depth, arrival_ns, np.ones(arrival_ns.shape, bool), np.full(N, "cut")
    )
    exchange.write_hypodd(tmp_path, STATIONS, made, links)
    correlated = exchange.read_differences(tmp_path / "dt.cc")
    own = links.kind == CC
    assert len(correlated) == own.sum()
    np.testing.assert_allclose(correlated["difference_s"], links.difference_s[own], atol=1e-6)
    picked = exchange.read_differences(tmp_path / "dt.ct")
    at = (links.station[~own], links.phase[~own])
    expected = travel[(links.first[~own], *at)] - travel[(links.second[~own], *at)]
    np.testing.assert_allclose(picked["difference_s"], expected, atol=2e-4)
    assert (tmp_path / "phase.dat").read_text().count("#") == N


def test_what_hypodd_and_gamma_wrote_is_read(tmp_path: Path) -> None:
    line = "7 38.100000 20.500000 8.500 0 0 0 10 10 10 2020 9 13 12 26 40.250 1.7 0 0 0 0 0.01 0.0 1\n"
    reloc = tmp_path / "hypoDD.reloc"
    reloc.write_text(line)
    found = exchange.read_hypodd(reloc, {7: "mine"}).iloc[0]
    assert (found["event_id"], found["time"], found["depth_km"]) == ("mine", "2020-09-13T12:26:40.250000Z", 8.5)
    reloc.write_text("7 38.1\n")
    with pytest.raises(DataError, match="line 1"):
        exchange.read_hypodd(reloc, {})
    cells = {"network": "XX", "station": "S01", "time": "2020-09-13T12:26:41Z", "phase": "P", "probability": 0.9}
    picks = pd.DataFrame([cells])
    exchange.write_gamma(tmp_path / "gamma.csv", picks)
    back = pd.read_csv(tmp_path / "gamma.csv").assign(event_index=3)
    back.to_csv(tmp_path / "assigned.csv", index=False)
    pd.DataFrame({"event_index": [3], "time": ["2020-09-13T12:26:40"]}).to_csv(tmp_path / "events.csv", index=False)
    joined = exchange.read_gamma(tmp_path / "events.csv", tmp_path / "assigned.csv").iloc[0]
    assert joined["event_id"] == "g3"
    assert {name: joined[name] for name in cells} == cells
