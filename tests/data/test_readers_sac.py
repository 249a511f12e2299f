"""SAC files whose headers are undefined, contradict each other or are none of a time series."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from obspy.io.sac import SACTrace
from recorded_trees import trace

from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.importer import ImportReport, NothingLeftError, run_import
from seisvision.data.importing.recipe import build_recipe
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.units import sac_unit

EVENT = {"kevnm": "quake", "evla": 46.0, "evlo": -122.0, "evdp": 5.0, "o": 40.0, "stla": 46.1, "stlo": -121.0}


def write_sac(path: Path, station: str, event: int = 0, order: str = "little", **header: Any) -> Path:
    item = trace(event, station)
    item.data = item.data.astype(np.float32)
    made = SACTrace.from_obspy_trace(item)
    for key, value in (EVENT | header).items():
        setattr(made, key, value)
    path.parent.mkdir(exist_ok=True)
    made.write(str(path), byteorder=order)
    return path


def imported(folder: Path, **source: Any) -> tuple[pd.DataFrame, ImportReport]:
    plain = {"name": "sac", "waveforms": str(folder / "wav"), "events": "sac", "stations": "sac"}
    plain |= {"association": {"by": "sac"}} | source
    recipe = build_recipe({"name": "sac", "sources": [plain], "processing": {"components": "Z"}})
    try:
        report = run_import(recipe, folder / "set")
    except NothingLeftError as nothing:
        return pd.DataFrame(), nothing.report
    return pd.read_csv(folder / "set" / "metadata.csv"), report


def check_counts(report: ImportReport) -> None:
    kinds = [rejection.kind for rejection in report.rejections]
    assert report.n_recordings.total() == report.n_components.total() + kinds.count("recording")
    assert report.n_catalogue.total() == report.n_events + kinds.count("event")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("at", "code", "value", "cause"),
    [
        (280, "i", -12345, "no_start_time"), (300, "i", -12345, "no_start_time"), (280, "i", 4, "no_start_time"),
        (20, "f", -12345.0, "no_start_time"), (284, "i", 0, "damaged_header"), (284, "i", 366, "damaged_header"),
        (288, "i", 24, "damaged_header"), (340, "i", 2, "no_time_series"), (340, "i", 3, "no_time_series"),
        (340, "i", 51, "no_time_series"), (420, "i", 0, "no_time_series"),
    ],
)  # fmt: skip
def test_headers_that_are_no_recording(
    tmp_path: Path, order: str, at: int, code: str, value: float, cause: str
) -> None:
    path = write_sac(tmp_path / "x.sac", "AAA", order="little" if order == "<" else "big")
    content = bytearray(path.read_bytes())
    struct.pack_into(order + "i", content, 280, 2019)
    struct.pack_into(order + "i", content, 284, 365)
    path.write_bytes(content)
    assert read_segments(path)[0].flaw is None, "otherwise it is refused for something else"
    struct.pack_into(order + code, content, at, value)
    path.write_bytes(content)
    with pytest.raises(Refusal) as refused:
        read_segments(path)
    assert refused.value.cause == cause


def test_undefined_values_are_not_known(tmp_path: Path) -> None:
    path = write_sac(tmp_path / "x.sac", "AAA", cmpaz=-12345.0, stel=1e30, kuser0="-12345", mag=-12345.0, idep="ivel")
    header = read_segments(path)[0].sac
    assert not {"cmpaz", "stel", "kuser0", "mag", "baz"} & set(header)
    assert sac_unit(header) == "nm/s"


@pytest.mark.parametrize(("at", "cause"), [(440, "station"), (600, "channel")])
def test_blank_and_undefined_codes_are_listed_and_the_import_goes_on(tmp_path: Path, at: int, cause: str) -> None:
    write_sac(tmp_path / "wav" / "good.sac", "AAA")
    for i, blank in enumerate((b"-12345  ", b"        ", bytes(8))):
        content = bytearray(write_sac(tmp_path / "wav" / f"blank{i}.sac", "BBB").read_bytes())
        content[at : at + 8] = blank
        (tmp_path / "wav" / f"blank{i}.sac").write_bytes(content)
    table, report = imported(tmp_path)
    assert list(table["station_code"]) == ["AAA"]
    assert [(item.stage, item.cause) for item in report.rejections] == [("read", "blank_code")] * 3
    assert all(f"no {cause} code" in item.reason for item in report.rejections)
    check_counts(report)


def test_codes_of_garbage_are_refused_and_those_of_c_strings_read(tmp_path: Path) -> None:
    content = bytearray(write_sac(tmp_path / "x.sac", "AAA").read_bytes())
    content[440:448] = b"AB\x00\xff\x01zzz"
    (tmp_path / "x.sac").write_bytes(content)
    assert read_segments(tmp_path / "x.sac")[0].station == "AB"
    content[440:448] = b"\xe9\xffAB    "
    (tmp_path / "x.sac").write_bytes(content)
    with pytest.raises(Refusal, match="KSTNM"):
        read_segments(tmp_path / "x.sac")


@pytest.mark.parametrize("first", ["unknown", "other"])
def test_an_event_is_what_most_of_its_files_say(tmp_path: Path, first: str) -> None:
    unknown = {"evla": None, "evlo": None, "evdp": None, "o": None}
    other = {"evla": 47.0, "evdp": 33.0, "mag": 4.0}
    headers = {"unknown": unknown, "other": other}
    names = [first, "agreed1", "agreed2", "agreed3", *({"unknown", "other"} - {first})]
    for i, name in enumerate(names):
        write_sac(tmp_path / "wav" / f"{i}.{name}.sac", f"S{i}", **{"mag": 3.0, **headers.get(name, {})})
    table, report = imported(tmp_path)
    assert set(table["source_latitude_deg"]) == {46.0} and set(table["source_depth_km"]) == {5.0}
    assert set(table["source_magnitude"]) == {3.0} and len(table) == 5
    told = [(item.file, item.cause) for item in report.rejections]
    assert told == [(f"{names.index('other')}.other.sac", "headers_disagree")] * 3
    check_counts(report)


@pytest.mark.parametrize("change", [{"evla": 48.0}, {"evdp": 100.0}, {"evlo": 50.0}, {"o": 45.0}])
def test_without_a_majority_the_event_is_refused(tmp_path: Path, change: dict[str, float]) -> None:
    write_sac(tmp_path / "wav" / "a.sac", "AAA")
    write_sac(tmp_path / "wav" / "b.sac", "BBB", **change)
    write_sac(tmp_path / "wav" / "c.sac", "CCC", kevnm="other")
    table, report = imported(tmp_path)
    assert list(table["source_id"]) == ["other"]
    told = [(item.event_id or item.file, item.cause) for item in report.rejections]
    assert told == [("quake", "headers_disagree"), ("a.sac", "refused_event"), ("b.sac", "refused_event")]
    check_counts(report)


def test_one_place_in_two_spellings_of_longitude_is_no_contradiction(tmp_path: Path) -> None:
    write_sac(tmp_path / "wav" / "a.sac", "AAA")
    write_sac(tmp_path / "wav" / "b.sac", "BBB", evlo=238.0, evla=46.0005, o=40.2)
    _, report = imported(tmp_path)
    assert report.n_events == 1 and not report.rejections


def test_two_events_of_one_name_are_parted(tmp_path: Path) -> None:
    for event, stations in enumerate((("AAA", "BBB"), ("CCC",))):
        for station in stations:
            write_sac(tmp_path / "wav" / f"{station}.sac", station, event, kevnm="SOUTHERN_CALIFOR", evla=46.0 + event)
    write_sac(tmp_path / "wav" / "DDD.sac", "DDD", 1, kevnm="SOUTHERN_CALIFOR", o=None)
    table, report = imported(tmp_path)
    stations = table.groupby("source_id")["station_code"].agg(list).to_dict()
    assert stations == {
        "SOUTHERN_CALIFOR_20200101T000000": ["AAA", "BBB"], "SOUTHERN_CALIFOR_20200101T010000": ["CCC"],
    }  # fmt: skip
    assert [(item.file, item.cause) for item in report.rejections] == [("DDD.sac", "no_event")]
    check_counts(report)


def test_origins_that_differ_by_rounding_name_one_event(tmp_path: Path) -> None:
    for station, origin_s in (("AAA", 39.999), ("BBB", 40.001), ("CCC", 41.5)):
        write_sac(tmp_path / "wav" / f"{station}.sac", station, kevnm=None, o=origin_s)
    table, report = imported(tmp_path)
    assert table.groupby("source_id")["station_code"].agg(list).tolist() == [["AAA", "BBB"], ["CCC"]]
    check_counts(report)


def test_a_depth_in_metres_is_left_unknown_and_told(tmp_path: Path) -> None:
    write_sac(tmp_path / "wav" / "a.sac", "AAA", evdp=8100.0)
    table, report = imported(tmp_path)
    assert table["source_depth_km"].isna().all()
    assert [(item.cause, item.value) for item in report.rejections] == [("doubtful_depth", 8100.0)]
    check_counts(report)
