"""Picks find their event, station and place in the window."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import load_recipe
from seisvision.data.importing.tables.picks import read_picks
from seisvision.data.waveform_set import WaveformSet
from seisvision.errors import DataError

CONF = Path(__file__).resolve().parents[2] / "conf" / "import"
SECOND = 10**9


def test_the_first_pick_of_each_phase_counts_and_minus_one_is_none(tmp_path):
    (tmp_path / "7_picks.csv").write_text(
        "Station,Phase,PickTime\nA,P,1970-01-01T00:00:05Z\nA,Pn,1970-01-01T00:00:04Z\nA,Sg,-1\nB,S,1970-01-01T00:00:09Z\n"
    )
    path = str(tmp_path / "{event_id}_picks.csv")
    assert read_picks(path, "7") == {("A", "P"): 4 * SECOND, ("B", "S"): 9 * SECOND}
    assert read_picks(path, "8") == {} and read_picks(None, "7") == {}


def test_one_table_may_hold_the_picks_of_all_events(tmp_path):
    file = tmp_path / "picks.csv"
    file.write_text("event_id,station,phase,time\n007,A,P,1970-01-01T00:00:05Z\n8,A,S,1970-01-01T00:00:06Z\n")
    assert read_picks(str(file), "007") == {("A", "P"): 5 * SECOND}
    assert read_picks(str(file), "8") == {("A", "S"): 6 * SECOND}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event_id,station,phase\n1,A,P\n", "no column 'pick_time'"),
        ("station,phase,time\nA,P,1970-01-01T00:00:05Z\n", "no column 'event_id'"),
        ("event_id,station,phase,time\n1,A,P,soon\n", "'soon' of station 'A'"),
    ],
)
def test_tables_that_cannot_be_read_are_explained(tmp_path, text, message):
    file = tmp_path / "picks.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        read_picks(str(file), "1")
    with pytest.raises(DataError, match="not found"):
        read_picks(str(tmp_path / "none.csv"), "1")


def test_picks_of_bardarbunga_become_arrival_samples(shared_data, tmp_path):
    run_import(load_recipe(CONF / "bardarbunga.yaml", str(shared_data)), tmp_path / "set")
    table = WaveformSet(tmp_path / "set").metadata
    assert table.trace_p_arrival_sample.notna().sum() == 116 and table.trace_s_arrival_sample.notna().sum() == 162
    row = table[(table.source_id == "20140824000109140") & (table.station_code == "DYJN")].iloc[0]
    arrival = pd.Timestamp(row.trace_start_time) + pd.Timedelta(row.trace_s_arrival_sample / 50, "s")
    assert abs((arrival - pd.Timestamp("2014-08-24T00:01:14.228910Z")).total_seconds()) < 0.001
    # A picked P is the onset, also where the detector finds another one.
    picked = table.trace_p_arrival_sample.notna()
    np.testing.assert_allclose(table.trace_onset_s[picked], table.trace_p_arrival_sample[picked] / 50, atol=0.001)
    both = table.dropna(subset=["trace_p_arrival_sample", "trace_s_arrival_sample"])
    lag_s = (both.trace_s_arrival_sample - both.trace_p_arrival_sample) / 50
    hypocentral_km = np.hypot(both.path_ep_distance_km, both.source_depth_km)
    assert np.median(hypocentral_km / lag_s) == pytest.approx(7, abs=1)
