"""The command line of the import."""

import argparse

import numpy as np
import pandas as pd
import pytest
from obspy import Stream, UTCDateTime, read, read_inventory
from obspy.core.inventory import Channel, Inventory, Network, Station
from obspy.core.inventory.response import Response
from recorded_trees import trace, write_events, write_tree

from seisvision.commands.sets import data_import as command
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words] + ["--workers", "1"]))


def one_source(folder):
    return [
        "--waveforms",
        folder / "waveforms",
        "--events",
        folder / "events.csv",
        "--stations",
        folder / "stations.csv",
    ]


def test_one_source_needs_only_flags(tmp_path, capsys):
    folder, out = write_tree(tmp_path, 2), tmp_path / "sets" / "mine"
    assert run(*one_source(folder), "--out", out, "--set", "processing.rate_hz=20", "--source-type", "blast") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == str(out)
    assert any(line.split()[:2] == ["blast", "2"] for line in printed)
    made = WaveformSet(out)
    assert made.card["name"] == "mine" and set(made.metadata.trace_sampling_rate_hz) == {20}
    assert (out / "rejected.csv").is_file()


def test_a_recipe_with_root(tmp_path, capsys):
    write_tree(tmp_path / "study", 2)
    (tmp_path / "r.yaml").write_text(
        "sources:\n- {name: s, waveforms: '${root}/study/waveforms', events: '${root}/study/events.csv',"
        " stations: '${root}/study/stations.csv'}\nwindow: {before_s: 10, length_s: 40}\n"
    )
    assert run(tmp_path / "r.yaml", "--root", tmp_path, "--out", tmp_path / "set", "--seed", 5) == 0
    assert WaveformSet(tmp_path / "set").card["import"]["parameters"]["seed"] == 5
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "set")
    with pytest.raises(ConfigurationError, match=r"--unit cannot go with a recipe"):
        run(tmp_path / "r.yaml", "--root", tmp_path, "--out", tmp_path / "set2", "--unit", "m")


def test_dry_run_tells_the_same_and_writes_nothing(tmp_path, capsys):
    folder = write_tree(tmp_path, 2)
    Stream([trace(0, "AAA", length_s=2)]).write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    assert run(*one_source(folder), "--out", tmp_path / "set", "--dry-run") == 0
    dry = capsys.readouterr().out
    assert "XX.AAA..HHZ: length 2 s < 10 s" in dry and "nothing was written" in dry
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.csv", "stations.csv", "waveforms"]
    run(*one_source(folder), "--out", tmp_path / "set")
    real = capsys.readouterr().out
    assert real.partition("onset of events")[0] == dry.partition("onset of events")[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--waveforms", "x", "--events", "y"], "--out DIR"),
        (["--out", "x"], "give a recipe, or --waveforms and --events"),
    ],
)
def test_incomplete_commands_are_told_what_is_missing(words, message):
    with pytest.raises(ConfigurationError, match=message):
        run(*words)


def station_xml(path):
    def channel(code):
        response = Response.from_paz(
            [0j, 0j], [-4.44 + 4.44j, -4.44 - 4.44j], 4e8, input_units="M/S", output_units="COUNTS"
        )
        return Channel(code, "", 46.0, -121.9, 9.0, 0.0, response=response, start_date=UTCDateTime(0))

    station = Station("AAA", 46.0, -121.9, 9.0, channels=[channel("HHZ")], start_date=UTCDateTime(0))
    Inventory([Network("XX", [station])], source="test").write(str(path), format="STATIONXML")
    return path


@pytest.mark.parametrize("how", ["remove", "gain"])
def test_responses_come_from_stationxml(tmp_path, how):
    (tmp_path / "waveforms").mkdir()
    Stream([trace(0, "AAA"), trace(0, "BBB")]).write(str(tmp_path / "waveforms" / "ev0.mseed"), format="MSEED")
    write_events(tmp_path / "events.csv", ["ev0"])
    path = station_xml(tmp_path / "stations.xml")
    flags = ["--waveforms", tmp_path / "waveforms", "--events", tmp_path / "events.csv", "--stations", path]
    run(*flags, "--response", how, "--out", tmp_path / "set", "--set", "processing.taper_fraction=0")
    made = WaveformSet(tmp_path / "set")
    assert made.metadata.trace_unit.tolist() == ["m/s"]
    expected = read(str(tmp_path / "waveforms" / "ev0.mseed"))[:1].detrend("linear")
    if how == "remove":
        expected.remove_response(read_inventory(str(path)), output="VEL", zero_mean=False, taper=False)
    else:
        expected[0].data = expected[0].data / read_inventory(str(path))[0][0][0].response.instrument_sensitivity.value
    scale = np.abs(expected[0].data).max()
    assert np.allclose(made.read_trace(0, "Z")[0][0], expected[0].data, atol=1e-4 * scale)
    rejected = pd.read_csv(tmp_path / "set" / "rejected.csv")
    assert rejected.trace_id.tolist() == ["XX.BBB..HHZ"] and rejected.cause.tolist() == ["no_response"]


def test_responses_need_stationxml(tmp_path):
    with pytest.raises(ConfigurationError, match="needs StationXML"):
        run(*one_source(write_tree(tmp_path, 1)), "--response", "remove", "--out", tmp_path / "set")
