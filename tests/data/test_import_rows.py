"""One bad row is the loss of that row: the rest is imported, and every event and channel is accounted for."""

import bz2
import gzip
import json

import numpy as np
import pandas as pd
import pytest
from obspy import Stream
from recorded_trees import origin, recipe, trace, write_events, write_stations, write_table, write_tree

from seisvision.cli import main
from seisvision.data.importing import building
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.summary import summary
from seisvision.data.sets import writer as writer_module
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.earth.geodesics import path
from seisvision.errors import DataError

HALF_MERIDIAN_KM = 20003.931459
"""From pole to pole, and between any two antipodes, on WGS84."""


def imported(folder, source=None, **sections):
    report = run_import(recipe(folder, source, **sections), folder / "set", overwrite=True)
    made = WaveformSet(folder / "set")
    kinds = [rejection.kind for rejection in report.rejections]
    assert report.n_events + kinds.count("event") == sum(report.n_catalogue.values())
    assert sum(report.n_components.values()) + kinds.count("recording") == sum(report.n_recordings.values())
    return report, made, pd.read_csv(folder / "set" / "rejected.csv", keep_default_na=False)


@pytest.mark.parametrize(
    ("columns", "cause"),
    [
        ({"source_depth_km": "8f"}, "bad_value"),
        ({"source_depth_km": "-500"}, "bad_value"),
        ({"source_magnitude": "*"}, "bad_value"),
        ({"source_latitude_deg": "95"}, "bad_value"),
        ({"source_longitude_deg": "inf"}, "bad_value"),
        ({"source_origin_time": "2020-13-01T00:00:00"}, "bad_time"),
        ({"source_origin_time": "01/02/2020 00:00:00"}, "ambiguous_time"),
        ({"event_id": "ev0"}, "duplicate_id"),
        ({"event_id": "e\x07v"}, "bad_id"),
        ({"event_id": ""}, "bad_id"),
        ({"source_type": "not existing"}, "not_existing"),
    ],
)
@pytest.mark.parametrize("by", ["name", "time"])
def test_a_bad_row_of_the_catalogue_is_listed_and_the_rest_imported(tmp_path, columns, cause, by):
    folder = write_tree(tmp_path, 2)
    good = write_events(folder / "good.csv", ["ev0", "ev1"]).read_text().splitlines()
    bad = write_events(folder / "bad.csv", ["ev2"], **{key: [value] for key, value in columns.items()}).read_text()
    (folder / "events.csv").write_text("\n".join([*good, bad.splitlines()[1]]) + "\n")
    report, made, rejected = imported(folder, {"association": {"by": by}})
    assert made.source_ids == ["ev0", "ev1"] and sum(report.n_catalogue.values()) == 3
    rows = rejected[rejected.stage == "event"]
    assert list(rows.cause) == [cause] and list(rows.file) == ["events.csv"] and rows.reason.str.len().min() > 10


def test_the_file_of_a_refused_event_is_told_why(tmp_path):
    folder = write_tree(tmp_path, 2)
    write_events(folder / "events.csv", ["ev0", "ev1"], source_latitude_deg=[46, 460])
    _, _, rejected = imported(folder)
    row = rejected[rejected.cause == "refused_event"].iloc[0]
    assert row.file == "ev1.mseed" and "source_latitude_deg is 460" in row.reason


def test_rows_that_are_cut_short_or_too_long(tmp_path):
    folder = write_tree(tmp_path, 3)
    lines = (folder / "events.csv").read_text().splitlines()
    lines[2] = lines[2] + ",1,2"
    lines[3] = lines[3][:45]
    (folder / "events.csv").write_text("\n".join(lines))
    _, made, rejected = imported(folder)
    assert made.source_ids == ["ev0"]
    assert list(rejected[rejected.stage == "event"].cause) == ["bad_row", "bad_row"]


def test_a_station_at_two_places_loses_its_recordings_only(tmp_path):
    folder = write_tree(tmp_path, 1)
    rows = [("AAA", 46, -121.9), ("AAA", 10, 20), ("BBB", 46, 999), ("CCC", 46, -121.7)]
    rows = [{"network": "XX", "station": code, "latitude": lat, "longitude": lon} for code, lat, lon in rows]
    write_table(folder / "stations.csv", [*rows[:2], rows[2] | {"latitude": "north"}, *rows[3:]])
    _, made, rejected = imported(folder, processing={"components": "Z"})
    assert list(made.metadata.station_code) == ["CCC"]
    causes = rejected[rejected.cause == "unusable_position"]
    assert set(causes.trace_id) == {"XX.AAA..HHZ", "XX.BBB..HHZ"}
    assert any("two places" in reason for reason in causes.reason) and any("north" in text for text in causes.reason)


def test_the_summary_tells_places_origins_columns_and_cures(tmp_path):
    folder = write_tree(tmp_path, 2)
    write_events(folder / "events.csv", ["ev0", "ev1"], source_latitude_deg=[46, ""], nst=[4, 5],
                 source_magnitude_type=["ML", "Mw"])  # fmt: skip
    write_stations(folder / "stations.csv", ["AAA", "BBB"])
    report, made, _ = imported(folder, processing={"components": "Z"})
    told = summary(report)
    assert "2 of 3 stations have a position, 1 of 2 events an origin" in told
    assert "XX.CCC: the position of this station is not known" in told
    assert "ML 1, Mw 1 (types differ" in told
    assert "events of tree, 8 of 9 columns have a meaning" in told and "kept as they are: nst" in told
    assert "component E is not wanted" in told and "to change it: processing.components" in told
    card = made.card["import"]
    assert card["columns"]["tree"]["events"]["nst"] == "" and "source_magnitude" in card["columns"]["tree"]["events"]
    assert card["counts"]["events_with_origin"] == 1 and card["counts"]["traces_with_station_position"] == 4


def test_reasons_are_shown_where_nothing_is_left(tmp_path, capsys):
    folder = write_tree(tmp_path, 1)
    words = ["--waveforms", folder / "waveforms", "--events", folder / "events.csv", "--out", folder / "set"]
    words = ["data", "import", *map(str, words), "--set", "quality.min_length_s=500"]
    assert main(words) == 1
    printed = capsys.readouterr().out
    assert "length 120 s < 500 s" in printed and "to change it: quality.min_length_s" in printed
    assert (folder / "set.rejected.csv").is_file()


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_packed_tables_are_read_in_import_and_dry_run(tmp_path, ending, pack, capsys):
    folder = write_tree(tmp_path, 1)
    for name in ("events.csv", "stations.csv"):
        (folder / f"{name}{ending}").write_bytes(pack((folder / name).read_bytes()))
        (folder / name).unlink()
    words = ["data", "import", "--waveforms", folder / "waveforms", "--events", folder / f"events.csv{ending}"]
    words = [str(word) for word in [*words, "--stations", folder / f"stations.csv{ending}", "--out", folder / "set"]]
    assert main([*words, "--dry-run"]) == 0 and not (folder / "set").exists()
    assert main(words) == 0
    assert "3 of 3 stations have a position, 1 of 1 events an origin" in capsys.readouterr().out
    assert np.isfinite(WaveformSet(folder / "set").metadata.path_ep_distance_km).all()


def test_a_set_appears_with_its_list_of_refusals(tmp_path, monkeypatch):
    folder = write_tree(tmp_path, 1)
    seen = []
    finish = writer_module.WaveformSetWriter._finish
    monkeypatch.setattr(
        writer_module.WaveformSetWriter, "_finish",
        lambda self, partial: (seen.append((partial / "rejected.csv").is_file()), finish(self, partial))[1],
    )  # fmt: skip
    imported(folder)
    assert seen == [True]


def test_shards_list_the_bad_rows_once(tmp_path):
    folder = write_tree(tmp_path, 3)
    write_events(folder / "events.csv", ["ev0", "ev1", "ev2"], source_depth_km=[5, "deep", 5])
    words = ["data", "import", "--waveforms", folder / "waveforms", "--events", folder / "events.csv", "--stations",
             folder / "stations.csv", "--out", folder / "set"]  # fmt: skip
    for shard in ("1/2", "2/2"):
        assert main([*map(str, words), "--shard", shard]) == 0
    assert main(["data", "merge", str(folder / "set.shards")]) == 0
    rejected = pd.read_csv(folder / "set" / "rejected.csv")
    assert list(rejected[rejected.stage == "event"].event_id) == ["ev1"]
    counts = json.loads((folder / "set" / "card.json").read_text())["import"]["counts"]
    assert counts["catalogue_events"] == 3 and counts["events_with_origin"] == 2


def test_what_nobody_thought_of_is_the_loss_of_one_event(tmp_path, monkeypatch):
    folder = write_tree(tmp_path, 2)
    build = building.build_event

    def stumble(files, *others):
        return build(files, *others) if files.event_id == "ev0" else {}["a key that is not there"]

    monkeypatch.setattr(building, "build_event", stumble)
    picks = [{"event_id": f"ev{i}", "station": "AAA", "phase": "P", "time": str(origin(i) + 5)} for i in (0, 1)]
    report, made, rejected = imported(folder, {"picks": str(write_table(folder / "picks.csv", picks))})
    assert made.source_ids == ["ev0"] and report.n_picks.total() == 2 and report.n_picks_used.total() == 1
    assert list(zip(rejected.event_id, rejected.cause, strict=True)) == [
        ("ev1", "program_error"), ("ev1", "event_refused"),
    ]  # fmt: skip
    assert "KeyError" in rejected.reason[0]


def test_a_missing_file_names_its_source(tmp_path):
    folder = write_tree(tmp_path, 1)
    plan = recipe(folder)
    sources = [{"name": name, "waveforms": plan.sources[0].waveforms, "events": events, "id_prefix": name}
               for name, events in (("one", plan.sources[0].events), ("two", str(folder / "none.csv")))]  # fmt: skip
    with pytest.raises(DataError, match=r"source 'two': events file .*none.csv' not found"):
        run_import(recipe(folder, sources=sources), folder / "set")


def test_paths_are_defined_wherever_the_two_ends_are():
    distance_km, azimuth, back_azimuth = path(10, 20, -10, -160)
    assert distance_km == pytest.approx(HALF_MERIDIAN_KM) and np.isnan(azimuth) and np.isnan(back_azimuth)
    assert path(10, 20, -10.3, -160.2)[0] == pytest.approx(19965, abs=20)
    assert path(0, 179.99, 0, -179.99)[:2] == pytest.approx((2.226, 90), abs=0.01)
    assert path(-20, 185.02, -20.5, 179.5) == pytest.approx(path(-20, -174.98, -20.5, -180.5))
    to_pole, from_pole = path(10, 20, 90, 0), path(90, 0, 10, 20)
    assert (to_pole[1], from_pole[2]) == (0, 0) and np.isnan(to_pole[2]) and np.isnan(from_pole[1])
    same = path(10, 20, 10, 380)
    assert same[0] == pytest.approx(0, abs=1e-6) and np.isnan(same[1:]).all()


def test_events_and_stations_at_the_ends_of_the_earth(tmp_path):
    (tmp_path / "waveforms").mkdir()
    codes = ("ANT", "SAME", "POLE", "WEST")
    Stream([trace(0, code) for code in codes]).write(str(tmp_path / "waveforms" / "ev0.mseed"), format="MSEED")
    places = ((-46, 58), (46, 238), (-90, 0), (46, -122.1))
    rows = [{"station": code, "lat": lat, "lon": lon} for code, (lat, lon) in zip(codes, places, strict=True)]
    write_table(tmp_path / "stations.csv", rows)
    write_events(tmp_path / "events.csv", ["ev0"], source_origin_time=[str(origin(0))])
    _, made, _ = imported(tmp_path, processing={"components": "Z"})
    table = made.metadata.set_index("station_code")
    assert table.path_ep_distance_km.between(0, 20004.5).all() and table.path_ep_distance_km["SAME"] < 0.001
    assert table.path_azimuth_deg.isna().to_dict() == {"ANT": True, "SAME": True, "POLE": False, "WEST": False}
    assert table.station_longitude_deg.between(-180, 180, inclusive="left").all()
