"""Sets on disk: the same whatever made them, described truly, made once."""

import argparse
import json
import logging
import subprocess
import sys
import threading

import numpy as np
import pytest

from seisvision.commands.sets import data_synth as command
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.synthesis import synthesise as module
from seisvision.data.synthesis.parameters import SynthesisParameters
from seisvision.data.synthesis.source import SyntheticSource
from seisvision.data.synthesis.synthesise import synthesise
from seisvision.errors import ConfigurationError, DataError

SMALL = {
    "n_events": 8,
    "length_s": 400,
    "sampling_rate_hz": 1,
    "n_stations": (3, 5),
    "offset_range_deg": (2, 8),
    "fault": 3,
    "classes": ("tectonic", "glacial", "noise"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, earth_cache):
    return synthesise(SynthesisParameters(**SMALL), tmp_path_factory.mktemp("sets") / "one", earth_cache, processes=1)


def test_content_does_not_depend_on_the_number_of_processes(made, tmp_path, earth_cache):
    two = synthesise(SynthesisParameters(**SMALL), tmp_path / "two", earth_cache, processes=2)
    assert (made / "metadata.csv").read_text() == (two / "metadata.csv").read_text()
    first, second = WaveformSet(made), WaveformSet(two)
    assert first.source_ids == second.source_ids
    for source_id in first.source_ids:
        pair = first.read_event(source_id).waveforms, second.read_event(source_id).waveforms
        np.testing.assert_array_equal(np.stack(pair[0]), np.stack(pair[1]))


def test_metadata_agree_with_their_own_coordinates(made):
    from obspy.geodetics import gps2dist_azimuth

    metadata = WaveformSet(made).metadata
    for row in metadata.itertuples():
        metres, azimuth, back = gps2dist_azimuth(
            row.source_latitude_deg, row.source_longitude_deg, row.station_latitude_deg, row.station_longitude_deg
        )
        assert row.path_ep_distance_km == pytest.approx(metres / 1e3, abs=0.01)
        assert row.path_azimuth_deg == pytest.approx(azimuth, abs=0.01)
        assert row.path_back_azimuth_deg == pytest.approx(back, abs=0.01)
    assert set(metadata["trace_unit"]) == {"m/s"}
    assert (metadata["trace_start_time"] == metadata["source_origin_time"]).all()
    assert metadata["trace_onset_s"].isna().all()


def test_labels_belong_to_their_class(made):
    events = WaveformSet(made).event_table()
    assert list(events["source_type"].value_counts().sort_index()) == [3, 2, 3]
    assert (events["source_force_azimuth_deg"].notna() == (events["source_type"] == "glacial")).all()
    assert (events["source_depth_km"].isna() == (events["source_type"] == "noise")).all()
    assert events["source_origin_time"].is_unique


def test_faults_are_named_and_dead_traces_kept(made):
    waveforms = WaveformSet(made)
    faults = waveforms.metadata["trace_fault"].fillna("")
    assert 0 < (faults != "").mean() < 1
    for row in np.flatnonzero(faults == "dead"):
        assert (waveforms.read_trace(row)[0] == 0).all()
    assert (faults == "dead").any()


def test_card_says_what_the_set_is(made):
    card = json.loads((made / "card.json").read_text())
    parameters = SynthesisParameters(**SMALL)
    assert card["fingerprint"] == parameters.fingerprint() == WaveformSet(made).fingerprint
    assert SynthesisParameters.from_mapping(card["parameters"]) == parameters
    assert card["counts"]["n_events"] == 8
    assert card["unit"] == "m/s"
    assert "no recording" in card["source"]


def test_a_set_is_made_once(tmp_path, caplog):
    caplog.set_level(logging.INFO, "seisvision")
    source = SyntheticSource(**SMALL, processes=1)
    assert source.fingerprint(tmp_path) == SynthesisParameters(**SMALL).fingerprint()
    requests = [threading.Thread(target=source.prepare, args=(tmp_path,)) for _ in range(2)]
    for request in requests:
        request.start()
    for request in requests:
        request.join()
    path = source.prepare(tmp_path)
    assert path == tmp_path / f"synthetic-{source.fingerprint(tmp_path)}"
    assert [record.message.startswith("Making") for record in caplog.records].count(True) == 1
    assert len(WaveformSet(path).source_ids) == 8


def test_an_error_leaves_nothing_behind(tmp_path, earth_cache, monkeypatch):
    def fail(event, parameters):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "trace_metadata", fail)
    with pytest.raises(KeyboardInterrupt):
        synthesise(SynthesisParameters(**SMALL), tmp_path / "set", earth_cache, processes=1)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_set_is_not_overwritten(made, earth_cache):
    with pytest.raises(DataError, match="exists already"):
        synthesise(SynthesisParameters(**SMALL), made, earth_cache, processes=1)


def test_bad_settings_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="processes=0"):
        synthesise(SynthesisParameters(**SMALL), tmp_path / "set", tmp_path, processes=0)
    with pytest.raises(ConfigurationError, match="Did you mean 'n_events'"):
        SyntheticSource(n_event=3)


def test_short_records_are_warned_of(tmp_path, earth_cache, caplog):
    caplog.set_level(logging.WARNING, "seisvision")
    parameters = SynthesisParameters(n_events=1, length_s=300, n_stations=(1, 1), sampling_rate_hz=1)
    synthesise(parameters, tmp_path / "short", earth_cache)
    assert "before the surface waves" in caplog.text


def run_command(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


def test_command_prints_the_folder_last(tmp_path, capsys):
    words = "--n-events 2 --length-s 300 --n-stations 2 3 --offset-range-deg 2 6 --sampling-rate-hz 1 --processes 1"
    assert run_command(*words.split(), "--data-dir", str(tmp_path)) == 0
    output = capsys.readouterr().out.splitlines()
    assert "glacial" in "".join(output)
    assert len(WaveformSet(output[-1]).source_ids) == 2
    named = tmp_path / "mine"
    assert run_command(*words.split(), "--data-dir", str(tmp_path), "--out", str(named)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(named)


def test_a_script_without_a_guard_ends_with_a_hint(tmp_path, earth_cache):
    script = tmp_path / "script.py"
    script.write_text(
        "from seisvision.data.synthesis.source import SyntheticSource\n"
        f"SyntheticSource(**{SMALL!r}, processes=2).prepare({str(tmp_path / 'data')!r})\n"
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cache").symlink_to(earth_cache)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode != 0
    assert "DataError" in done.stderr and "guard" in done.stderr
    assert not list((tmp_path / "data").glob("synthetic-*"))


def test_the_source_tells_the_columns_of_its_events_before_it_makes_them(made):
    columns = WaveformSet(made).table.columns
    assert set(SyntheticSource.event_columns_made) == {name for name in columns if name.startswith("source_")}
