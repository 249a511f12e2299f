"""Derived columns: what each makes of a table, of the training alone, and what a set holds then."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_sets import event_waveforms, trace_row

from seisvision.base.sample_ids import SampleIds
from seisvision.data.derived.bins import Bins
from seisvision.data.derived.deriving import fit_columns, with_derived, with_known
from seisvision.data.derived.places import KMeansPlaces
from seisvision.data.derived.s_minus_p import SMinusPDistance
from seisvision.data.derived.travel_time import TravelTime
from seisvision.data.samples.traces import sample_targets
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import ConfigurationError, DataError

FIJI = [(-17.0, 179.95), (-17.1, -179.95), (-17.05, 179.9)]
CHILE = [(-21.0, -69.5), (-21.1, -69.6), (-21.05, -69.4)]


def epicentres(places: list[tuple[float, float]]) -> pd.DataFrame:
    return pd.DataFrame(places, columns=["source_latitude_deg", "source_longitude_deg"])


def small_set(path: Path, places: list[tuple[float, float]]) -> WaveformSet:
    with WaveformSetWriter(path, card={"name": "places"}) as writer:
        for event, (latitude, longitude) in enumerate(places):
            known = {"source_latitude_deg": latitude, "source_longitude_deg": longitude}
            rows = [trace_row(event, station, **known, trace_p_arrival_sample=60.0) for station in range(2)]
            writer.add_event(rows, event_waveforms(event, 2))
    return WaveformSet(path)


def test_places_know_that_the_earth_is_round() -> None:
    places, table = KMeansPlaces(2), epicentres([*CHILE, *FIJI])
    fitted = places.fit(table)
    numbers = places.apply(table, fitted).tolist()
    assert sorted(["".join(numbers[:3]), "".join(numbers[3:])]) == ["000", "111"]
    assert sorted(abs(value) for value in fitted["longitudes_deg"]) == pytest.approx([69.5, 179.97], abs=0.01)
    assert fitted["longitudes_deg"] == sorted(fitted["longitudes_deg"])


def test_places_do_not_depend_on_the_order_of_events_and_not_on_how_many_lie_elsewhere() -> None:
    places, table = KMeansPlaces(2), epicentres([*CHILE, *FIJI])
    assert places.fit(table.iloc[::-1]) == places.fit(table)
    close = epicentres([(0.0, 0.0), (0.0, 0.0002), (0.0, 0.01), (0.0, 0.0102)])
    assert places.apply(close, places.fit(close)).tolist() == ["0", "0", "1", "1"]


def test_far_events_have_the_nearest_place_and_events_without_epicentre_none() -> None:
    places = KMeansPlaces(2)
    fitted = places.fit(epicentres([*CHILE, *FIJI]))
    chile = str(int(np.argmin(np.abs(np.array(fitted["longitudes_deg"]) + 69.5))))
    assert places.apply(epicentres([(60.0, -60.0), (np.nan, 3.0), (95.0, 3.0)]), fitted).tolist() == [chile, None, None]


def test_distances_of_picks_grow_with_s_minus_p_and_are_none_without_both() -> None:
    table = pd.DataFrame(
        {
            "trace_sampling_rate_hz": 100.0,
            "trace_p_arrival_sample": [3000.0, 3000.0, 3000.0, np.nan],
            "trace_s_arrival_sample": [3100.0, 3300.0, 2900.0, 3000.0],
        }
    )
    column = SMinusPDistance(p_velocity_km_s=5.4, vp_vs=1.9)
    np.testing.assert_allclose(column.apply(table, {}), [6.0, 18.0, np.nan, np.nan])
    assert column.known(table).tolist() == [True, True, False, False]
    with pytest.raises(ConfigurationError, match=r"vp_vs=1\.0"):
        SMinusPDistance(vp_vs=1.0)


def test_too_few_places_are_refused_with_their_number() -> None:
    with pytest.raises(DataError, match="2 different places, which cannot be 3"):
        KMeansPlaces(3).fit(epicentres([(1.0, 2.0), (1.0, 2.0), (3.0, 4.0)]))
    with pytest.raises(ConfigurationError, match="k=1 must be from 2"):
        KMeansPlaces(1)


def test_bins_hold_their_lower_edge_and_nothing_beyond_the_last() -> None:
    bins = Bins("source_depth_km", [0.0, 10.0, 20.0, np.inf])
    table = pd.DataFrame({"source_depth_km": [-1.0, 0.0, 9.9, 10.0, 500.0, np.nan]})
    assert bins.apply(table, bins.fit(table)).tolist() == [None, "0", "0", "1", "2", None]
    assert bins.known(table).tolist() == [False, True, True, True, True, False]


def test_bins_of_equally_many_follow_the_training_and_are_open() -> None:
    bins, training = Bins("path_ep_distance_km", 2), pd.DataFrame({"path_ep_distance_km": [1.0, 2.0, 3.0, 4.0]})
    fitted = bins.fit(training)
    assert fitted["edges"] == [-np.inf, 2.5, np.inf]
    assert bins.apply(pd.DataFrame({"path_ep_distance_km": [-5.0, 2.5, 1e6]}), fitted).tolist() == ["0", "1", "1"]
    with pytest.raises(DataError, match="cannot be dealt into 2 bins"):
        bins.fit(pd.DataFrame({"path_ep_distance_km": [np.nan]}))


@pytest.mark.parametrize("edges", [[1.0], [0.0, 1.0], [0.0, 2.0, 1.0], [0.0, 1.0, np.nan], 1, 10**6])
def test_edges_that_make_no_bins_are_refused(edges: Any) -> None:
    with pytest.raises(ConfigurationError, match="make no bins of 'x'"):
        Bins("x", edges)


@pytest.mark.parametrize(
    ("column", "fitted"),
    [
        (KMeansPlaces(2), {}),
        (KMeansPlaces(2), {"latitudes_deg": [1.0], "longitudes_deg": [1.0]}),
        (KMeansPlaces(2), {"latitudes_deg": [1.0, np.nan], "longitudes_deg": [1.0, 2.0]}),
        (KMeansPlaces(2), {"latitudes_deg": [1.0, 91.0], "longitudes_deg": [1.0, 2.0]}),
        (KMeansPlaces(2), {"latitudes_deg": [1.0, np.inf], "longitudes_deg": [1.0, 2.0]}),
        (Bins("x", 2), {"edges": [3.0, 2.0, 1.0]}),
        (Bins("x", [0.0, 1.0, 2.0]), {"edges": [0.0, 1.5, 2.0]}),
        (TravelTime("P"), {"more": [1.0]}),
    ],
    ids=range(8),
)
def test_values_that_no_training_gives_are_refused(column: Any, fitted: Any) -> None:
    with pytest.raises(ValueError, match=r"no list|not called|on Earth|do not rise"):
        column.check(fitted)


def test_a_set_has_the_columns_for_events_and_traces_also_in_reading_processes(tmp_path: Path) -> None:
    waveform_set = small_set(tmp_path / "set", [*CHILE, *FIJI])
    columns = {"source_place": KMeansPlaces(2), "p_travel_s": TravelTime("P"), "near": Bins("path_ep_distance_km", 2)}
    fitted = fit_columns(waveform_set, columns, waveform_set.source_ids, "event")
    derived = with_derived(waveform_set, columns, fitted)
    assert derived.fingerprint == waveform_set.fingerprint and "source_place" not in waveform_set.metadata
    assert set(derived.event_table()["source_place"]) == {"0", "1"}
    for served in (derived, pickle.loads(pickle.dumps(derived))):
        traces = SampleIds("trace", ["0", "1", "7"], ["ev000", "ev000", "ev003"])
        wanted = {"source_place": {"0": 0, "1": 1}, "p_travel_s": None, "near": {"0": 0, "1": 1}}
        found = sample_targets(served, traces, wanted)
        assert found["source_place"][0] == found["source_place"][1] != found["source_place"][2]
        # The trace begins 2 s after the origin, and P is its sample 60 at 20 Hz.
        assert found["p_travel_s"].tolist() == [5.0, 5.0, 5.0] and found["near"].tolist() == [0, 1, 1]


def test_only_training_events_decide(tmp_path: Path) -> None:
    columns = {"source_place": KMeansPlaces(2), "depth": Bins("path_ep_distance_km", 2)}
    training = [f"ev{event:03d}" for event in range(4)]
    fitted = []
    for name, test in (("one", [(80.0, 10.0), (81.0, 11.0)]), ("two", [(-60.0, 100.0), (5.0, 5.0)])):
        waveform_set = small_set(tmp_path / name, [*CHILE[:2], *FIJI[:2], *test])
        fitted.append(fit_columns(waveform_set, columns, training, "event"))
        rows = [str(row) for event in training for row in waveform_set.rows(event)]
        assert fit_columns(waveform_set, columns, rows, "trace") == fitted[-1]
    assert fitted[0] == fitted[1]


def test_before_the_split_only_whether_there_is_a_value_is_told(tmp_path: Path) -> None:
    waveform_set = small_set(tmp_path / "set", [CHILE[0], (np.nan, np.nan), FIJI[0]])
    known = with_known(waveform_set, {"source_place": KMeansPlaces(2)}).event_table()["source_place"]
    assert np.isfinite(known.astype(float)).tolist() == [True, False, True] and set(known.dropna()) == {0.0}
