"""Files find their events by name, folder, time or SAC header, and every file and event is accounted for."""

import numpy as np
import pytest
from obspy import Stream, Trace, UTCDateTime, read
from obspy.io.sac import SACTrace
from recorded_trees import BEFORE_S, origin, recipe, trace, write_events, write_stations, write_tree

from seisvision.data.importing.association import associate
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.summary import summary
from seisvision.data.importing.tables.catalogue import sac_origin_ns
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError


def found_in(folder, **source):
    return associate(recipe(folder, source).sources[0])


def test_by_name_with_strays_on_both_sides(tmp_path):
    folder = write_tree(tmp_path, n_events=3)
    (folder / "waveforms" / "ev1.mseed").rename(folder / "waveforms" / "ev11.mseed")
    found = found_in(folder)
    assert [files.event_id for files in found.events] == ["ev0", "ev2"]
    assert {(r.kind, r.cause) for r in found.rejections} == {("file", "no_event"), ("event", "no_recording")}
    stray = next(r for r in found.rejections if r.kind == "file")
    assert stray.file == "ev11.mseed" and "Did you mean 'ev1'" in stray.reason
    assert (found.n_files, found.n_catalogue) == (3, 3)


def test_a_pattern_picks_the_id_out_of_the_name(tmp_path):
    folder = write_tree(tmp_path, n_events=2)
    for path in list((folder / "waveforms").iterdir()):
        path.rename(path.with_name(f"2020_{path.stem}_raw.mseed"))
    assert [files.event_id for files in found_in(folder, association={"pattern": r"_(ev\d+)_"}).events] == [
        "ev0",
        "ev1",
    ]
    assert {r.cause for r in found_in(folder, association={"pattern": r"^(x)"}).rejections} == {
        "no_match",
        "no_recording",
    }
    for pattern, message in (("(ev", "no regular expression"), (r"ev\d+", "needs a group")):
        with pytest.raises(ConfigurationError, match=message):
            found_in(folder, association={"pattern": pattern})


def test_by_folder(tmp_path):
    folder = write_tree(tmp_path, n_events=2)
    for event in (0, 1):
        (folder / "waveforms" / f"ev{event}").mkdir()
        (folder / "waveforms" / f"ev{event}.mseed").rename(folder / "waveforms" / f"ev{event}" / "any.mseed")
    found = found_in(folder, association={"by": "folder"})
    assert [(files.event_id, files.files[0][1]) for files in found.events] == [
        ("ev0", "ev0/any.mseed"),
        ("ev1", "ev1/any.mseed"),
    ]


def continuous(station, first_s, length_s):
    """Noise at 10 Hz that begins ``first_s`` after the first origin."""
    data = np.random.default_rng(round(first_s) + 1000).normal(scale=1000, size=round(length_s * 10)).astype(np.int32)
    header = {
        "network": "XX",
        "station": station,
        "channel": "HHZ",
        "sampling_rate": 10,
        "starttime": origin(0) + first_s,
    }
    return Trace(data, header)


def test_by_time_cuts_each_event_from_continuous_recordings(tmp_path):
    (tmp_path / "waveforms").mkdir()
    continuous("AAA", -600, 4000).write(str(tmp_path / "waveforms" / "a1.mseed"), format="MSEED")
    second = continuous("AAA", 3400, 4000)
    second.write(str(tmp_path / "waveforms" / "a2.mseed"), format="MSEED")
    continuous("BBB", 50000, 100).write(str(tmp_path / "waveforms" / "b.mseed"), format="MSEED")
    write_events(
        tmp_path / "events.csv", ["e0", "e1", "e2", "e9"], source_origin_time=[str(origin(i)) for i in (0, 1, 2)] + [""]
    )
    write_stations(tmp_path / "stations.csv", ["AAA", "BBB"])
    plan = recipe(
        tmp_path, {"association": {"by": "time", "before_s": 10, "after_s": 50}}, processing={"components": "Z"},
        window={"reference": "origin", "before_s": 5, "length_s": 30}, quality={"max_flat_s": 100},
    )  # fmt: skip
    found = associate(plan.sources[0])
    assert [files.event_id for files in found.events] == ["e0", "e1", "e2"]
    assert [r.event_id or r.file for r in found.rejections] == ["b.mseed", "e9"]
    report = run_import(plan, tmp_path / "set")
    table = WaveformSet(tmp_path / "set").metadata
    assert list(table.source_id) == ["e0", "e1", "e2"]
    assert [UTCDateTime(text) for text in table.trace_start_time] == [origin(i) - 5 for i in range(3)]
    cut = WaveformSet(tmp_path / "set").read_trace(1, "Z")[0][0]
    recorded = second.data[1950:2250]  # the event is 200 s into this file, the window 5 s ahead of it
    assert cut.shape == (300,) and np.corrcoef(cut[:250], recorded[:250])[0, 1] > 0.999
    assert report.n_recordings["tree"] == 3


def sac(folder, station, channel, data, **header):
    made = SACTrace(data=np.asarray(data, np.float32), delta=0.02, knetwk="XX", kstnm=station, kcmpnm=channel, **header)
    made.reftime = origin(0)
    made.b, made.o = -BEFORE_S, 0.0
    made.write(str(folder / f"{station}.{channel}.sac"))


def test_by_sac_header_everything_comes_from_the_file(tmp_path):
    (tmp_path / "waveforms").mkdir()
    place = {"stla": 61.0, "stlo": -148.0, "stel": 842.0, "evla": 61.5, "evlo": -149.7, "evdp": 33.0, "mag": 4.5}
    sac(tmp_path / "waveforms", "AAA", "BHZ", trace(0, "AAA").data, kevnm="quake7", **place)
    trace(0, "BBB").write(str(tmp_path / "waveforms" / "b.mseed"), format="MSEED")
    source = {"association": {"by": "sac"}, "events": "sac", "stations": "sac", "source_type": "quake", "unit": "m"}
    report = run_import(recipe(tmp_path, source, processing={"components": "Z"}), tmp_path / "set")
    row = WaveformSet(tmp_path / "set").metadata.iloc[0]
    assert (row.source_id, row.source_type, row.trace_unit, row.station_code) == ("quake7", "quake", "m", "AAA")
    assert (row.source_depth_km, row.source_magnitude, row.station_elevation_m) == (33.0, 4.5, 842.0)
    assert row.source_origin_time == "2020-01-01T00:00:00.000000Z"
    assert row.path_ep_distance_km == pytest.approx(106.5, abs=1)
    assert [r.cause for r in report.rejections] == ["no_sac_header"]


def test_without_event_name_the_origin_time_names_a_sac_event(tmp_path):
    (tmp_path / "waveforms").mkdir()
    sac(tmp_path / "waveforms", "AAA", "BHZ", trace(0, "AAA").data, stla=1.0, stlo=2.0)
    found = found_in(tmp_path, association={"by": "sac"}, events="sac")
    assert [files.event_id for files in found.events] == ["20200101T000000"]


def test_without_a_catalogue_files_are_events(tmp_path):
    folder = write_tree(tmp_path, n_events=2)
    run_import(recipe(folder, {"events": "files"}), tmp_path / "set")
    table = WaveformSet(tmp_path / "set").metadata
    assert set(table.source_id) == {"ev0", "ev1"}
    assert set(table.source_cell) == {"none-ev0", "none-ev1"}
    assert table.path_ep_distance_km.isna().all()


def test_what_cannot_work_is_said(tmp_path):
    folder = write_tree(tmp_path, n_events=1)
    with pytest.raises(DataError, match="no waveform file matches"):
        found_in(folder, waveforms=str(folder / "nothing" / "*.mseed"))
    with pytest.raises(ConfigurationError, match="needs a catalogue"):
        found_in(folder, association={"by": "time"}, events="files")
    Stream([trace(0, "AAA")]).write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    write_events(folder / "events.csv", ["ev0"], source_origin_time=[""])
    with pytest.raises(DataError, match="origin time"):
        found_in(folder, association={"by": "time"})


def test_the_tables_of_a_source_are_no_recordings(tmp_path):
    folder = write_tree(tmp_path, n_events=2)
    for event in (0, 1):
        (folder / "waveforms" / f"ev{event}_picks.csv").write_text("station,phase,pick_time\n")
    picks = str(folder / "waveforms" / "{event_id}_picks.csv")
    for by in ("name", "time"):
        found = found_in(folder, waveforms=[str(folder)], picks=picks, association={"by": by})
        assert (found.n_files, len(found.events), found.rejections) == (2, 2, [])


def test_folders_named_like_events_are_told(tmp_path):
    folder = write_tree(tmp_path, n_events=1)
    (folder / "waveforms" / "ev0").mkdir()
    (folder / "waveforms" / "ev0.mseed").rename(folder / "waveforms" / "ev0" / "XX.AAA.mseed")
    assert any("--associate folder" in item.reason for item in found_in(folder).rejections)


def test_files_named_otherwise_that_hold_the_events_are_told(tmp_path):
    folder = write_tree(tmp_path, n_events=3)
    for number, path in enumerate(sorted((folder / "waveforms").iterdir())):
        path.rename(path.with_name(f"recorder_{number}.mseed"))
    (told,) = [note for note in found_in(folder).notes if "--associate time" in note]
    assert "3 of 3 looked into hold an origin" in told
    assert len(found_in(folder, association={"by": "time"}).events) == 3
    late = write_tree(tmp_path / "late", n_events=2)
    for path in list((late / "waveforms").iterdir()):
        path.rename(path.with_name(f"{path.stem}_other.mseed"))
        stream = read(str(path.with_name(f"{path.stem}_other.mseed")))
        for one in stream:
            one.stats.starttime += 1e7
        stream.write(str(path.with_name(f"{path.stem}_other.mseed")), format="MSEED")
    assert not [note for note in found_in(late).notes if "--associate time" in note]


def test_a_file_of_another_time_says_its_own(tmp_path):
    folder = write_tree(tmp_path, n_events=1)
    trace = continuous("AAA", 1e6, 100)
    trace.write(str(folder / "waveforms" / "late.mseed"), format="MSEED")
    refused = [item for item in found_in(folder, association={"by": "time"}).rejections if item.kind == "file"]
    assert [item.cause for item in refused] == ["no_event_in_time"]
    assert str(trace.stats.starttime)[:19] in refused[0].reason


def test_components_in_files_of_their_own_are_told(tmp_path):
    folder = write_tree(tmp_path, n_events=1)
    for path in list((folder / "waveforms").iterdir()):
        for one in read(str(path)):
            one.write(str(path.with_name(f"day_{one.id}.mseed")), format="MSEED")
        path.unlink()
    apart = run_import(recipe(folder, {"events": "files"}), None)
    joined = run_import(recipe(folder, {"events": "files", "association": {"pattern": "^(day)_"}}), None)
    assert apart.n_parted == len(joined.stations) and joined.n_parted == 0
    assert "--pattern" in summary(apart) and "--pattern" not in summary(joined)


def test_an_event_without_stations_says_what_became_of_its_recordings(tmp_path):
    folder = write_tree(tmp_path, n_events=2)
    dead = read(str(folder / "waveforms" / "ev0.mseed"))
    for one in dead:
        one.data[:] = 0
    dead.write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    refused = [item for item in run_import(recipe(folder, {}), None).rejections if item.kind == "event"]
    assert refused[0].cause == "few_stations" and f"recordings refused: flat {len(dead)}" in refused[0].reason


@pytest.mark.parametrize("name", ["nan", "None", "-1", "unknown"])
def test_an_id_that_reads_as_none_is_refused_unless_it_gets_a_prefix(tmp_path, name):
    folder = write_tree(tmp_path, n_events=2)
    (folder / "waveforms" / "ev0.mseed").rename(folder / "waveforms" / f"{name}.mseed")
    text = (folder / "events.csv").read_text()
    (folder / "events.csv").write_text(text.replace("ev0", name))
    found = found_in(folder)
    assert [files.event_id for files in found.events] == ["ev1"] and found.n_catalogue == 2
    assert [(item.kind, item.cause) for item in found.rejections] == [("event", "bad_id"), ("file", "refused_event")]
    run_import(recipe(folder, {"id_prefix": "x_"}), folder / "set")
    assert WaveformSet(folder / "set").source_ids == [f"x_{name}", "x_ev1"]


def test_an_origin_that_no_recording_can_have_names_no_event():
    assert sac_origin_ns({"o": 9e7, "b": 0.0}, 7_200_000_000 * 10**9) is None
    assert sac_origin_ns({"o": 40.0, "b": 0.0}, 0) == 40 * 10**9
