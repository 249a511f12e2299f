"""From files to a waveform set: what is in it, and that whatever is not is listed with its reason."""

import numpy as np
import pandas as pd
import pytest
from obspy import Stream, Trace, UTCDateTime, read
from obspy.geodetics import gps2dist_azimuth
from obspy.signal.rotate import rotate_ne_rt
from recorded_trees import BEFORE_S, add_up, origin, recipe, trace, write_events, write_stations, write_tree

from seisvision.data.importing.importer import run_import
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError

WHOLE = {"taper_fraction": 0}
WINDOW = {"reference": "onset", "before_s": 10, "length_s": 40}


def imported(folder, source=None, **sections):
    """Run the import and open what it wrote."""
    out = folder / "set"
    report = run_import(recipe(folder, source, **sections), out, overwrite=True)
    return report, WaveformSet(out), pd.read_csv(out / "rejected.csv", keep_default_na=False)


def test_whole_records_are_what_the_files_hold(tmp_path):
    folder = write_tree(tmp_path, n_events=2)
    report, made, rejected = imported(folder, processing=WHOLE)
    assert made.source_ids == ["ev0", "ev1"] and len(made.metadata) == 6 and rejected.empty
    stream = read(str(folder / "waveforms" / "ev1.mseed")).detrend("linear")
    event = made.read_event("ev1")
    for row, waveform in zip(event.metadata.itertuples(), event.waveforms, strict=True):
        for letter, samples in zip("ZNE", waveform, strict=True):
            expected = stream.select(station=row.station_code, component=letter)[0]
            assert np.allclose(samples, expected.data, atol=1e-2)
            assert UTCDateTime(row.trace_start_time) == expected.stats.starttime
    assert add_up(report)


def test_columns_follow_from_the_tables(tmp_path):
    _, made, _ = imported(write_tree(tmp_path, n_events=2), {"unit": "counts"})
    row = made.metadata[(made.metadata.source_id == "ev1") & (made.metadata.station_code == "CCC")].iloc[0]
    distance_m, azimuth, back_azimuth = gps2dist_azimuth(46.1, -122.0, 46.0, -121.7)
    assert row.path_ep_distance_km == pytest.approx(distance_m / 1000)
    assert (row.path_azimuth_deg, row.path_back_azimuth_deg) == (pytest.approx(azimuth), pytest.approx(back_azimuth))
    assert row.source_origin_time == "2020-01-01T01:00:00.000000Z"
    assert (row.trace_channel, row.trace_component_order, row.trace_unit) == ("HH", "ZNE", "counts")
    assert (row.source_type, row.source_cell, row.source_dataset) == ("quake", "46.1,-122.0", "tree")
    assert row.trace_onset_s == pytest.approx(BEFORE_S + 7.0, abs=0.4)


def damaged_tree(folder):
    """One event with every kind of damage beside two sound stations."""
    (folder / "waveforms").mkdir()
    dead = trace(0, "DEAD")
    dead.data[:] = 5
    early, late = trace(0, "GAPS"), trace(0, "GAPS")
    early.trim(endtime=origin(0) - 10)
    late.trim(starttime=origin(0) - 6)
    slow = trace(0, "RATE", rate=20, length_s=30)
    slow.stats.starttime += 200
    good = [trace(0, name, f"HH{c}") for name in ("AAA", "BBB") for c in "ZNE"]
    bad = [
        dead,
        early,
        late,
        trace(0, "RATE"),
        slow,
        trace(0, "LOST"),
        trace(0, "TINY", length_s=3),
        trace(0, "ODD", "LOG"),
    ]
    Stream(good + bad).write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    (folder / "waveforms" / "noise").mkdir()
    (folder / "waveforms" / "noise" / "ev0.mseed").write_bytes(b"no recording at all" * 100)
    (folder / "waveforms" / "readme.txt").write_text("about this folder")
    write_events(folder / "events.csv", ["ev0", "ev1"])
    write_stations(folder / "stations.csv", ["AAA", "BBB", "DEAD", "GAPS", "RATE", "TINY", "ODD"])
    return folder


def test_every_damage_is_listed_with_its_reason_and_numbers_add_up(tmp_path):
    quality = {"missing_station": "reject", "min_length_s": 10}
    report, made, rejected = imported(damaged_tree(tmp_path), processing={"components": "Z"}, quality=quality)
    assert set(made.metadata.station_code) == {"AAA", "BBB", "RATE"}
    causes = {row.trace_id or row.file or row.event_id: row.cause for row in rejected.itertuples()}
    assert causes == {
        "XX.DEAD..HHZ": "flat",
        "XX.GAPS..HHZ": "gap",
        "XX.RATE..HHZ": "mixed_rates",
        "XX.LOST..HHZ": "no_position",
        "XX.TINY..HHZ": "short",
        "XX.ODD..LOG": "not_ground_motion",
        "XX.AAA..HHN": "component",
        "XX.AAA..HHE": "component",
        "XX.BBB..HHN": "component",
        "XX.BBB..HHE": "component",
        "noise/ev0.mseed": "unreadable",
        "readme.txt": "no_event",
        "ev1": "no_recording",
    }
    gap = rejected[rejected.cause == "gap"].iloc[0]
    assert gap.reason == "gap 3.98 s > 1 s" and float(gap["value"]) == pytest.approx(3.98)
    assert (gap.event_id, gap.file, gap.stage) == ("ev0", "ev0.mseed", "merge")
    assert add_up(report)
    counted = made.card["import"]["counts"]
    assert counted["rejected"]["recording/quality/flat"] == 1
    assert counted["recordings_read"] == 13


def test_positions_may_be_missing_if_so_asked(tmp_path):
    _, made, rejected = imported(damaged_tree(tmp_path), processing={"components": "Z"})
    lost = made.metadata[made.metadata.station_code == "LOST"].iloc[0]
    assert np.isnan(lost.path_ep_distance_km) and "no_position" not in set(rejected.cause)


def test_missing_origins_are_kept_or_refused(tmp_path):
    folder = write_tree(tmp_path, n_events=2)
    write_events(
        folder / "events.csv", ["ev0", "ev1"], source_latitude_deg=["", 46], source_origin_time=["", str(origin(1))]
    )
    report, made, _ = imported(folder, window=WINDOW)
    first = made.metadata[made.metadata.source_id == "ev0"]
    assert first.path_ep_distance_km.isna().all() and set(first.source_cell) == {"none-ev0"}
    assert first.trace_onset_s.notna().all()
    report, made, rejected = imported(folder, quality={"missing_origin": "reject"})
    assert made.source_ids == ["ev1"]
    assert (rejected.cause == "no_origin").sum() == 1 + 9
    assert add_up(report)


def test_events_with_few_stations_or_signals_are_refused_with_all_their_channels(tmp_path):
    folder = write_tree(tmp_path, n_events=2)
    Stream([trace(0, "AAA")]).write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    report, made, rejected = imported(folder, quality={"min_stations": 2})
    assert made.source_ids == ["ev1"]
    assert list(rejected.reason) == ["1 stations left < 2"] * 2
    assert list(rejected.trace_id) == ["XX.AAA..HHZ", ""]
    assert add_up(report)
    report, made, rejected = imported(folder, quality={"min_signal_stations": 2})
    assert made.source_ids == ["ev1"] and set(rejected.cause) == {"few_signals"}


def test_when_nothing_is_left_the_reasons_are_written_beside(tmp_path):
    folder = write_tree(tmp_path, n_events=1)
    with pytest.raises(DataError, match=r"every event was refused.*set\.rejected\.csv"):
        imported(folder, quality={"min_stations": 9})
    assert not (folder / "set").exists()
    assert len(pd.read_csv(folder / "set.rejected.csv")) == 10


def test_one_sensor_per_station_by_the_list(tmp_path):
    (tmp_path / "waveforms").mkdir()
    channels = [
        trace(0, "AAA", f"{band}{c}", location=loc)
        for band, loc in (("BH", ""), ("HH", "10"), ("HH", "00"))
        for c in "ZNE"
    ]
    channels += [trace(0, "BBB", "HHZ")] + [trace(0, "BBB", f"EH{c}") for c in "ZNE"]
    dead = trace(0, "CCC", "HHZ")
    dead.data[:] = 0
    channels += [dead, trace(0, "CCC", "BHZ")]
    Stream(channels).write(str(tmp_path / "waveforms" / "ev0.mseed"), format="MSEED")
    write_events(tmp_path / "events.csv", ["ev0"])
    write_stations(tmp_path / "stations.csv", ["AAA", "BBB", "CCC"])
    report, made, rejected = imported(tmp_path, processing={"channels": ["HH", "BH", "EH"]})
    table = made.metadata.set_index("station_code")
    assert (table.trace_channel["AAA"], str(table.station_location_code["AAA"]).zfill(2)) == ("HH", "00")
    assert (table.trace_channel["BBB"], table.trace_component_order["BBB"]) == ("EH", "ZNE")
    assert (table.trace_channel["CCC"], table.trace_component_order["CCC"]) == ("BH", "Z")
    assert (rejected.cause == "other_sensor").sum() == 7 and add_up(report)
    _, made, _ = imported(tmp_path, processing={"channels": ["BH", "HH", "EH"], "components": "Z"})
    assert list(made.metadata.trace_channel) == ["BH", "HH", "BH"]


def test_windows_are_equal_and_shifted_by_event_whatever_else_is_imported(tmp_path):
    folder = write_tree(tmp_path, n_events=6)
    shifted = WINDOW | {"jitter_s": 8}

    def onsets(**changes):
        _, made, _ = imported(folder, window=shifted, **changes)
        rows = made.metadata.drop_duplicates("source_id").set_index("source_id")
        assert set(made.metadata.groupby("source_id").trace_start_time.nunique()) == {1}
        assert all(made.read_trace(row, "ZNE")[0].shape == (3, 2000) for row in range(len(made.metadata)))
        return pd.to_datetime(rows.source_onset_time).sub(pd.to_datetime(rows.trace_start_time)).dt.total_seconds()

    first = onsets()
    assert first.between(2, 18).all() and first.std() > 1
    other_seed = onsets(seed=1)
    assert (first - other_seed).abs().max() > 1
    for event in (0, 3):
        (folder / "waveforms" / f"ev{event}.mseed").unlink()
    fewer = onsets()
    assert len(fewer) == 4 and np.allclose(fewer, first[fewer.index], atol=0.021)


def test_windows_beyond_the_recording_are_padded_only_so_far(tmp_path):
    folder = write_tree(tmp_path, n_events=1)
    short = trace(0, "AAA").trim(endtime=origin(0) + 30)
    Stream([short, trace(0, "BBB"), trace(0, "CCC")]).write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    window = {"reference": "origin", "before_s": 10, "length_s": 50}
    report, made, rejected = imported(folder, window=window)
    assert rejected.reason.tolist() == ["lacks 9.98 s of the window > 0 s"] and add_up(report)
    _, made, rejected = imported(folder, window=window | {"max_pad_s": 12}, processing=WHOLE)
    waveform = made.read_trace(0, "Z")[0][0]
    assert rejected.empty and made.metadata.trace_pad_s.tolist() == pytest.approx([9.98, 0, 0])
    assert np.all(waveform[-499:] == 0) and np.all(np.abs(waveform[-600:-510]).max() > 0)


def test_stations_can_be_cut_one_by_one(tmp_path):
    _, made, _ = imported(write_tree(tmp_path, n_events=1), window=WINDOW | {"per_station": True, "jitter_s": 3})
    assert made.metadata.trace_start_time.nunique() == 3
    assert made.metadata.trace_onset_s.between(7, 13).all()


def test_radial_and_transverse_are_turned_back(tmp_path):
    folder = write_tree(tmp_path, n_events=1)
    stream = read(str(folder / "waveforms" / "ev0.mseed"))
    turned = Stream()
    for i, name in enumerate(("AAA", "BBB", "CCC")):
        back_azimuth = gps2dist_azimuth(46.0, -122.0, 46.0, -121.9 + 0.1 * i)[2]
        north, east = (stream.select(station=name, component=c)[0].detrend("linear") for c in "NE")
        for letter, data in zip("RT", rotate_ne_rt(north.data, east.data, back_azimuth), strict=True):
            turned.append(Trace(data, north.stats.copy()))
            turned[-1].stats.channel = f"HH{letter}"
        turned.append(stream.select(station=name, component="Z")[0])
    for part in turned:
        part.data = part.data.astype(np.float64)
        part.stats.pop("mseed", None)
    turned.write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    report, made, _ = imported(folder, processing=WHOLE)
    assert set(made.metadata.trace_turned_from) == {"RT"} and report.turned == {"RT": 3} and add_up(report)
    for row in range(3):
        name = made.metadata.station_code[row]
        waveform, mask = made.read_trace(row, "ZNE")
        assert mask.all()
        for letter, samples in zip("NE", waveform[1:], strict=True):
            assert np.allclose(samples, stream.select(station=name, component=letter)[0].data, atol=1)


def test_horizontals_without_known_direction_are_refused(tmp_path):
    (tmp_path / "waveforms").mkdir()
    channels = [trace(0, "AAA", f"BH{c}") for c in "Z12"] + [trace(0, "BBB", f"BH{c}") for c in "ZR"]
    Stream(channels).write(str(tmp_path / "waveforms" / "ev0.mseed"), format="MSEED")
    write_events(tmp_path / "events.csv", ["ev0"])
    write_stations(tmp_path / "stations.csv", ["AAA", "BBB"])
    report, made, rejected = imported(tmp_path)
    assert set(made.metadata.trace_component_order) == {"Z"}
    assert dict(zip(rejected.trace_id, rejected.cause, strict=True)) == {
        "XX.AAA..BH1": "no_azimuth", "XX.AAA..BH2": "no_azimuth", "XX.BBB..BHR": "half_of_a_pair",
    }  # fmt: skip
    assert add_up(report)


def test_mixed_rates_come_out_at_one_rate_and_say_so(tmp_path):
    (tmp_path / "waveforms").mkdir()
    channels = [trace(0, "AAA", rate=100), trace(0, "BBB", rate=50), trace(0, "CCC", rate=20)]
    Stream(channels).write(str(tmp_path / "waveforms" / "ev0.mseed"), format="MSEED")
    write_events(tmp_path / "events.csv", ["ev0"])
    write_stations(tmp_path / "stations.csv", ["AAA", "BBB", "CCC"])
    settings = {"rate_hz": 40, "components": "Z", "normalise": "trace_max"}
    _, made, _ = imported(tmp_path, processing=settings, window=WINDOW)
    table = made.metadata
    assert set(table.trace_sampling_rate_hz) == {40} and set(table.trace_unit) == {"normalised"}
    assert table.trace_original_sampling_rate_hz.tolist() == [100, 50, 20]
    assert table.trace_upsampled.tolist() == [False, False, True]
    for row in range(3):
        waveform = made.read_trace(row, "Z")[0]
        assert waveform.shape == (1, 1600) and np.abs(waveform).max() == pytest.approx(1)
        assert 1500 < table.trace_scale[row] < 2500


def test_channels_too_slow_for_the_band_and_log_text_are_listed(tmp_path):
    folder = write_tree(tmp_path, n_events=1)
    text = Trace(np.frombuffer(b"clock locked", dtype="S1"), trace(0, "AAA", "LOG").stats)
    text.stats.sampling_rate = 0.01
    stream = Stream([trace(0, "AAA"), trace(0, "BBB", "LHZ", rate=1)])
    stream.write(str(folder / "waveforms" / "ev0.mseed"), format="MSEED")
    with (folder / "waveforms" / "ev0.mseed").open("ab") as file:
        text.write(file, format="MSEED", encoding="ASCII")
    report, made, rejected = imported(folder, processing={"band_hz": [1, 10]})
    assert made.metadata.station_code.tolist() == ["AAA"] and add_up(report)
    assert dict(zip(rejected.trace_id, rejected.cause, strict=True)) == {
        "XX.AAA..LOG": "no_samples", "XX.BBB..LHZ": "slow_sampling",
    }  # fmt: skip


def test_several_sources_become_one_set(tmp_path):
    quakes, slides = write_tree(tmp_path / "a", 2), write_tree(tmp_path / "b", 2, ("DDD",))
    plan = recipe(quakes, window=WINDOW)
    write_events(slides / "events.csv", ["ev0", "ev1"], source_type=["surface event", "junk"])
    kinds = {"surface event": "slide", "junk": None}
    named = {"name": "slides", "source_type": kinds, "id_prefix": "b_", "licence": "L2"}
    other = recipe(slides, named).sources
    with pytest.raises(ConfigurationError, match=r"event 'ev0' is in source 'tree' and in 'again'.*id_prefix"):
        run_import(type(plan)("x", (plan.sources[0], recipe(slides, {"name": "again"}).sources[0])), tmp_path / "set")
    report = run_import(type(plan)("both", plan.sources + other, window=plan.window), tmp_path / "set")
    made = WaveformSet(tmp_path / "set")
    assert made.event_table().source_type.to_dict() == {"ev0": "quake", "ev1": "quake", "b_ev0": "slide"}
    assert [r.event_id for r in report.rejections if r.kind == "event"] == ["b_ev1"] and add_up(report)
    assert made.card["licence"] == ["L2", "not stated"] and made.card["name"] == "both"
    assert [source["name"] for source in made.card["import"]["sources"]] == ["tree", "slides"]


def test_interrupted_imports_leave_nothing_and_spoil_nothing(tmp_path):
    folder = write_tree(tmp_path, n_events=3)
    plan = recipe(folder)

    def stop_after_one(results, total):
        assert total == 3
        yield next(iter(results))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_import(plan, tmp_path / "set", progress=stop_after_one)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.csv", "stations.csv", "waveforms"]
    run_import(plan, tmp_path / "set")
    before = (tmp_path / "set" / "card.json").read_bytes()
    with pytest.raises(DataError, match="exists already"):
        run_import(plan, tmp_path / "set")
    with pytest.raises(KeyboardInterrupt):
        run_import(plan, tmp_path / "set", overwrite=True, progress=stop_after_one)
    assert (tmp_path / "set" / "card.json").read_bytes() == before
    assert WaveformSet(tmp_path / "set").source_ids == ["ev0", "ev1", "ev2"]
