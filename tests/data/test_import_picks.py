"""Files of picks: what is read from them, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import load_recipe
from seisvision.data.importing.tables.leap_seconds import without_leap_seconds
from seisvision.data.importing.tables.phases import phase_family
from seisvision.data.importing.tables.pick import Pick, stream_codes
from seisvision.data.importing.tables.picks import read_event_picks, read_picks
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError

CONF = Path(__file__).resolve().parents[2] / "conf" / "import"
SECOND = 10**9
MORNING_NS = pd.Timestamp("2020-01-01T00:00:05.25").value


def picks_of(tmp_path: Path, text: str, name: str = "picks.csv") -> list[Pick]:
    (tmp_path / name).write_text(text)
    return read_picks(str(tmp_path / name))


@pytest.mark.parametrize(
    ("names", "family"),
    [
        ("P p Pn PG pg Pb P* Pdiff PKP PKPdf PKIKP IPU0 IPC1 EP+1 iP ip EPn P? P1 P_ (P) Pg+ P-wave", "P"),
        ("S s Sn SG sg Sb S* ES eS iSg S? S2 ES+3 S-wave", "S"),
        ("pP sP PP PcP PCP PmP PS SP ScS SKS SS sS Lg Rg T PKPbc PKP2 Px P5 Pcoda AML IAML END coda x Pick Speed", ""),
    ],
)
def test_only_first_arrivals_are_p_and_s(names, family):
    assert {name: phase_family(name) for name in names.split()} == dict.fromkeys(names.split(), family)
    assert phase_family("") == "" and phase_family("EP 1") == "P" and phase_family("P coda") == ""


def test_codes_stand_in_one_cell_or_in_several():
    assert stream_codes("AAA") == ("", "AAA", "", "")
    assert stream_codes("XX.AAA") == ("XX", "AAA", "", "")
    assert stream_codes("CX.PB01.") == ("CX", "PB01", "", "")
    assert stream_codes("NC.MCV..EH") == ("NC", "MCV", "", "EH")
    assert stream_codes("XX.AAA.--.HHZ") == ("XX", "AAA", "", "HHZ")
    assert stream_codes("XX.AAA.HHZ") == ("XX", "AAA", "", "HHZ")


TABLES = {
    "phasenet": (
        "station_id,begin_time,phase_index,phase_time,phase_score,phase_type\n"
        "XX.AAA.00.HH,2020-01-01T00:00:00.000,525,2020-01-01T00:00:05.250,0.9,P\n"
    ),
    "phasenet in samples": (
        "station_id,begin_time,phase_index,sampling_rate,phase_score,phase_type\n"
        "XX.AAA.00.HH,2020-01-01T00:00:00.000,1050,200,0.9,P\n"
    ),
    "gamma": "id,timestamp,type,prob,amp,event_index\nXX.AAA.00.HH,2020-01-01T00:00:05.250,p,0.9,1e-6,3\n",
    "seisbench": (
        "trace_id,start_time,end_time,peak_time,peak_value,phase\n"
        "XX.AAA.00,2020-01-01T00:00:05.1Z,2020-01-01T00:00:05.4Z,2020-01-01T00:00:05.25Z,0.9,P\n"
    ),
    "pyocto": "station,time,probability,phase\nXX.AAA.00,1577836805.25,0.9,P\n",
    "eqtransformer": (
        "file_name,network,station,instrument_type,event_start_time,p_arrival_time,p_probability,p_uncertainty,p_snr,"
        "s_arrival_time,s_probability\n"
        "AAA_XX_HH,XX,AAA  ,HH,2020-01-01 00:00:04,2020-01-01 00:00:05.25,0.9,0.02,30,,\n"
    ),
    "of compact times": "net,sta,phase,time,prob\nXX,AAA,P,20200101000005.25,0.9\n",
    "of exponents": "net,sta,phase,time,prob\nXX,AAA,P,1.57783680525E9,0.9\n",
    "of milliseconds": "Net,Sta,Phase Hint,Pick Time,Score\nXX,AAA,iP,1577836805250,0.9\n",
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_pickers_are_read_by_name(tmp_path, kind):
    (pick,) = picks_of(tmp_path, TABLES[kind])
    assert (pick.network, pick.station, pick.family, pick.time_ns) == ("XX", "AAA", "P", MORNING_NS)
    assert pick.probability == 0.9 and np.isnan(pick.uncertainty_s)
    assert pick.event_id == ("3" if kind == "gamma" else None)


def test_a_row_may_hold_both_phases(tmp_path):
    text = "station,p_time,s_time\nXX.AAA,2020-01-01T00:00:05.25,2020-01-01T00:00:09\nXX.BBB,,2020-01-01T00:00:08\n"
    found = [(pick.station, pick.family) for pick in picks_of(tmp_path, text)]
    assert found == [("AAA", "P"), ("AAA", "S"), ("BBB", "S")]


def test_judgements_and_uncertainties_are_read(tmp_path):
    text = (
        "event_id,station,phase,time,status,uncertainty,author\n7,A,P,2020-01-01T00:00:05Z,manual reviewed,0.05,anna\n"
        "7,A,P,2020-01-01T00:00:06Z,Rejected,-1,--\n"
    )
    first, second = picks_of(tmp_path, text)
    assert (first.judgement, first.author, first.uncertainty_s) == ("manual reviewed", "anna", 0.05)
    assert (second.status, second.author) == ("rejected", "") and np.isnan(second.uncertainty_s)


def test_queries_of_aqms_count_leap_seconds(tmp_path):
    text = (
        "evid,to_timestamp,datetime,to_timestamp.1,datetime.1,iphase,net,sta,location,seedchan,rflag\n"
        "7,2020-01-01 00:00:27-00,1577836827.0,2020-01-01 00:00:32.25-00,1577836832.25,P,XX,AAA,  ,HHZ,F\n"
    )
    (pick,) = picks_of(tmp_path, text)
    assert (pick.time_ns, pick.origin_ns, pick.mode) == (MORNING_NS, MORNING_NS - 5_250_000_000, "manual")
    for utc, leap in (("1980-06-01", 9), ("2005-12-31T23:59:59", 22), ("2006-01-01", 23), ("2016-12-31", 26)):
        utc_ns = pd.Timestamp(utc).value
        assert without_leap_seconds(utc_ns + leap * SECOND) == utc_ns


def test_a_file_of_each_event_and_minus_one_for_none(tmp_path):
    (tmp_path / "7_picks.csv").write_text(
        "Station,Phase,PickTime,PickError\nA,P,1970-01-01T00:00:05Z,0.1\nA,Sg,-1,-1\nB,S,1970-01-01T00:00:09Z,-1\n"
    )
    path = str(tmp_path / "{event_id}_picks.csv")
    found = [(pick.event_id, pick.station, pick.time_ns) for pick in read_event_picks(path, "7")]
    assert found == [("7", "A", 5 * SECOND), ("7", "B", 9 * SECOND)]
    assert read_event_picks(path, "8") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event_id,station,phase\n1,A,P\n", "no column 'pick_time'"),
        ("event_id,station,time\n1,A,1970-01-01T00:00:05Z\n", "no column 'phase'"),
        ("event_id,phase,time\n1,P,1970-01-01T00:00:05Z\n", "no column 'station'"),
        ("fname,itp,tp_prob,its,ts_prob\na.mseed,[5],[0.9],[],[]\n", "samples of files"),
        ("station_id,begin_time,phase_index,phase_type\nA,1970-01-01,5,P\n", "phase_time, or sampling_rate_hz"),
    ],
)
def test_tables_that_cannot_be_read_are_explained(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        picks_of(tmp_path, text)
    with pytest.raises(DataError, match="not found"):
        read_picks(str(tmp_path / "none.csv"))


@pytest.mark.parametrize("text", ["soon", "5.2", "0", "12:03:05", "1e999999999", "202013040506"])
def test_what_is_no_time_is_kept_as_it_is_written(tmp_path, text):
    (pick,) = picks_of(tmp_path, f"event_id,station,phase,time\n1,A,P,{text}\n")
    assert (pick.time_ns, pick.written) == (None, text)


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


@pytest.mark.parametrize("general", ["time", "datetime", "timestamp"])
@pytest.mark.parametrize("own", ["arrival", "Pick"])
def test_a_time_beside_the_arrival_is_that_of_the_origin(tmp_path, general, own):
    text = f"event_id,{general},station,phase,{own}\ne,2020-01-01T00:00:01,AAA,P,2020-01-01T00:00:05.25\n"
    (pick,) = picks_of(tmp_path, text)
    assert (pick.time_ns, pick.origin_ns) == (MORNING_NS, pd.Timestamp("2020-01-01T00:00:01").value)
    (numbered,) = picks_of(tmp_path, text.replace(",2020-01-01T00:00:05.25", ",17").replace("00:01,", "05.25,"))
    assert numbered.origin_ns is None


def test_date_and_time_of_day_in_two_columns(tmp_path):
    (pick,) = picks_of(tmp_path, "event_id,station,phase,date,time\ne,AAA,P,2020-01-01,00:00:05.25\n")
    assert pick.time_ns == MORNING_NS
    (whole,) = picks_of(tmp_path, "event_id,station,phase,date,time\ne,AAA,P,1999-01-01,2020-01-01T00:00:05.25\n")
    assert whole.time_ns == MORNING_NS
