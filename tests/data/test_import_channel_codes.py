"""Names of channels that are no SEED codes, and channels that are there twice."""

import numpy as np
import pandas as pd
import pytest
from obspy import Stream
from recorded_trees import recipe, trace, write_events, write_stations

from seisvision.cli import main
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import build_recipe
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.sensors.channel_codes import check_code, clean_channel
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError

PLAIN = {"taper_fraction": 0}
KIK = {"UD1": "01.HHZ", "NS1": "01.HHN", "EW1": "01.HHE", "UD2": "02.HHZ", "NS2": "02.HHN", "EW2": "02.HHE"}


def write(folder, traces, stations=("AAA", "BBB")):
    """One event with these recordings, as one miniSEED file."""
    (folder / "waveforms").mkdir(exist_ok=True)
    Stream(traces).write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    write_events(folder / "events.csv", ["ev0"])
    write_stations(folder / "stations.csv", list(stations))


def imported(folder, source=None, **sections):
    """Import; every channel read is a component or a rejection."""
    plan = recipe(folder, source, **({"processing": PLAIN} | sections))
    report = run_import(plan, folder / "set", overwrite=True)
    rejected = pd.read_csv(folder / "set" / "rejected.csv", keep_default_na=False)
    assert sum(report.n_components.values()) + (rejected.trace_id != "").sum() == sum(report.n_recordings.values())
    return WaveformSet(folder / "set"), rejected


def renamed(name, code, station="AAA", **changes):
    """A recording of ``code`` under another name."""
    item = trace(0, station, code, **changes)
    item.stats.channel = name
    return item


@pytest.mark.parametrize("names", [("UD", "NS", "EW"), ("UD2", "NS2", "EW2"), ("P", "X", "Y"), ("hz", "hn", "ew")])
def test_a_mapping_says_what_names_mean_and_without_it_the_reason_does(tmp_path, names):
    write(tmp_path, [renamed(name, f"HH{c}") for name, c in zip(names, "ZNE", strict=True)] + [trace(0, "BBB")])
    _, rejected = imported(tmp_path)
    lost = [name for name in names if name[-1] not in "nz"]
    assert (
        rejected.cause.tolist() == ["component"] * len(lost) and rejected.reason.str.contains("channel_codes: ").all()
    )
    codes = {name: f"HH{c}" for name, c in zip(names, "ZNE", strict=True)}
    made, rejected = imported(tmp_path, {"channel_codes": codes})
    assert made.metadata.trace_component_order.tolist() == ["ZNE", "Z"] and rejected.empty
    for letter, samples in zip("ZNE", made.read_trace(0, "ZNE")[0], strict=True):
        assert np.allclose(samples, trace(0, "AAA", f"HH{letter}").detrend("linear").data, atol=1)


def test_two_sensors_under_numbered_names_stay_two(tmp_path):
    write(tmp_path, [renamed(name, code[3:], seed=int(name[-1])) for name, code in KIK.items()])
    made, rejected = imported(tmp_path, {"channel_codes": KIK})
    assert made.metadata.trace_component_order.tolist() == ["ZNE"] and len(rejected) == 3
    assert set(rejected.cause) == {"other_sensor"} and rejected.trace_id.str.contains(".02.HH", regex=False).all()
    assert np.allclose(made.read_trace(0, "Z")[0][0], trace(0, "AAA", seed=1).detrend("linear").data, atol=1)


def test_the_command_takes_the_mapping_and_names_of_stationxml_follow_it(tmp_path, capsys, caplog):
    write(tmp_path, [renamed(name, code) for name, code in (("UD", "HHZ"), ("NS", "HHN"), ("EW", "HHE"))])
    asked = ["data", "import", "--waveforms", str(tmp_path / "waveforms"), "--events", str(tmp_path / "events.csv")]
    asked += ["--stations", str(tmp_path / "stations.csv"), "--out", str(tmp_path / "set")]
    assert main([*asked, "--channel-codes", "ud=HHZ,NS=HHN,EW=HHE"]) == 0
    assert WaveformSet(tmp_path / "set").metadata.trace_component_order[0] == "ZNE"
    assert main([*asked, "--overwrite", "--channel-codes", "UD"]) != 0
    assert "UD=HHZ" in capsys.readouterr().err + caplog.text


def test_two_spellings_of_one_channel_are_one_channel(tmp_path):
    whole = trace(0, "AAA")
    middle = whole.stats.starttime + 60
    early, late = whole.slice(endtime=middle), whole.slice(starttime=middle)
    early.stats.channel, late.stats.location = "hhz", "--"
    write(tmp_path, [early, late])
    made, rejected = imported(tmp_path)
    assert rejected.empty and made.metadata.trace_component_order.tolist() == ["Z"]
    assert np.allclose(made.read_trace(0, "Z")[0][0], whole.detrend("linear").data, atol=1)


def test_one_station_code_of_two_networks_is_two_stations(tmp_path):
    write(tmp_path, [trace(0, "AAA"), trace(0, "AAA", network="YY", seed=2)])
    made, rejected = imported(tmp_path)
    assert made.metadata.station_network_code.tolist() == ["XX", "YY"] and rejected.empty


def test_the_next_sensor_is_taken_where_the_first_one_fails(tmp_path):
    slow = [trace(0, "AAA", f"HH{c}", rate=5) for c in "ZNE"]
    write(tmp_path, slow + [trace(0, "AAA", f"BH{c}") for c in "ZN"])
    made, rejected = imported(tmp_path, processing=PLAIN | {"band_hz": [3, 10]})
    assert (made.metadata.trace_channel[0], made.metadata.trace_component_order[0]) == ("BH", "ZN")
    assert rejected.cause.tolist() == ["slow_sampling"] * 3


@pytest.mark.parametrize("code", ["VERTICAL", "BHZ00", "UD", "EW1", "X", "HH-Z", "BHZ.1", ""])
def test_names_that_say_no_component_are_refused(code):
    with pytest.raises(Refusal, match="names no component"):
        check_code(code)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("LDZ", "pressure"),
        ("VM2", "mass position"),
        ("LKE", "temperature"),
        ("BDF", "pressure"),
        ("HDH", "pressure"),
        ("HJ1", "rotation"),
        ("BFN", "magnetic"),
        ("LSE", "strain"),
        ("LQN", "electric"),
    ],
)
def test_other_sensors_than_of_the_ground_are_refused(code, kind):
    with pytest.raises(Refusal, match=kind):
        check_code(code)


@pytest.mark.parametrize(
    ("name", "codes"),
    [("BHE00", "{BHE00: 00.BHE}"), ("BH210", "{BH210: 10.BH2}"), ("NS2", "{NS2: HHN}"), ("VERT", "HHZ or HHN or HHE")],
)
def test_the_mapping_offered_names_no_other_component(name, codes):
    with pytest.raises(Refusal, match=codes):
        check_code(name)


@pytest.mark.parametrize(
    ("name", "location", "cleaned"),
    [
        (" hhz ", "--", ("", "HHZ")),
        ("Z__", "  ", ("", "Z")),
        ("U_D_", "00", ("00", "HHZ")),
        ("ns", "10", ("20", "HHN")),
    ],
)
def test_codes_are_cleaned(name, location, cleaned):
    assert clean_channel(name, {"UD": "HHZ", "NS": "20.HHN"}, location) == cleaned


@pytest.mark.parametrize(
    "codes", [{"UD": "vertical"}, {"UD": ""}, {"UD": None}, ["UD"], {"UD": "100.HHZ"}, {"": "HHZ"}]
)
def test_mappings_to_what_is_no_code_are_refused(codes):
    with pytest.raises(ConfigurationError, match="channel_codes"):
        build_recipe({"name": "x", "sources": [{"waveforms": "w", "events": "e.csv", "channel_codes": codes}]})
