"""Archives in the forms they come in read as obspy, or the library of the format, reads them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import obspy
import pytest
from obspy.core import AttribDict
from obspy.io.segy.segy import SEGYTraceHeader
from recorded_trees import origin, trace, write_events, write_stations, write_tree

from seisvision.data.importing.formats import waveform_files
from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import Recipe, build_recipe
from seisvision.data.sets.waveform_set import WaveformSet

PROCESSING = {"components": "Z"}


def recipe(**source: Any) -> Recipe:
    return build_recipe({"name": "archive", "sources": [{"name": "archive"} | source], "processing": PROCESSING})


def pieces(path: Path) -> list[obspy.Trace]:
    return obspy.read(str(path)).sort(["network", "station", "location", "channel", "starttime"]).traces


def write_records(path: Path, stream: list[obspy.Trace], encodings: list[str]) -> Path:
    """Append the traces to one file, each in its own encoding."""
    with path.open("wb") as file:
        for item, encoding in zip(stream, encodings, strict=True):
            kind = {
                "STEIM2": np.int32,
                "STEIM1": np.int32,
                "INT32": np.int32,
                "FLOAT32": np.float32,
                "FLOAT64": np.float64,
            }
            item.data = item.data.astype(kind[encoding])
            item.write(file, format="MSEED", encoding=encoding, reclen=512)
    return path


def cut(event: int, station: str, first_s: float, last_s: float) -> obspy.Trace:
    whole = trace(event, station)
    return whole.slice(whole.stats.starttime + first_s, whole.stats.starttime + last_s).copy()


@pytest.mark.parametrize("encoding", ["STEIM1", "STEIM2", "INT32", "FLOAT32", "FLOAT64"])
def test_gaps_are_what_obspy_reads(tmp_path: Path, encoding: str) -> None:
    parts = [cut(0, "AAA", 0, 20), cut(0, "AAA", 25, 60), cut(0, "BBB", 0, 119)]
    path = write_records(tmp_path / "x.mseed", parts, [encoding] * 3)
    found = sorted(read_segments(path), key=lambda item: (item.trace_id, item.start_ns))
    expected = pieces(path)
    assert len(found) == len(expected) == 3
    for segment, item in zip(found, expected, strict=True):
        assert (segment.trace_id, segment.start_ns) == (item.id, item.stats.starttime.ns)
        assert segment.rate_hz == item.stats.sampling_rate and segment.samples.dtype == item.data.dtype
        np.testing.assert_array_equal(segment.samples, item.data)


def test_mixed_encodings_in_one_file(tmp_path: Path) -> None:
    parts = [cut(0, name, 0, 60) for name in ("AAA", "BBB", "CCC")]
    path = write_records(tmp_path / "x.mseed", parts, ["STEIM2", "FLOAT32", "INT32"])
    for segment, item in zip(sorted(read_segments(path), key=lambda s: s.trace_id), pieces(path), strict=True):
        np.testing.assert_array_equal(segment.samples, item.data)
        assert segment.samples.dtype == item.data.dtype


def test_overlaps_hold_the_samples_obspy_reads(tmp_path: Path) -> None:
    """How two overlapping pieces are parted is up to the reader; every sample of either must be there, at its time."""
    path = write_records(tmp_path / "x.mseed", [cut(0, "AAA", 0, 40), cut(0, "AAA", 30, 80)], ["STEIM2", "STEIM2"])

    def at(times_ns: Any, values: np.ndarray) -> set[tuple[int, int]]:
        return {(round(ns / 1e6), int(value)) for ns, value in zip(times_ns, values, strict=True)}

    found, expected = set(), set()
    for segment in read_segments(path):
        found |= at(segment.start_ns + np.arange(segment.n_samples) * 1e9 / segment.rate_hz, segment.samples)
    for item in pieces(path):
        expected |= at([(item.stats.starttime + s).ns for s in item.times()], item.data)
    assert found == expected


def test_without_pymseed_obspy_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_records(tmp_path / "x.mseed", [cut(0, "AAA", 0, 60)], ["STEIM2"])
    with_it = read_segments(path)[0]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert waveform_files._reader(path) is waveform_files._read_mended
    np.testing.assert_array_equal(read_segments(path)[0].samples, with_it.samples)


def write_sds(folder: Path, days: int = 3, stations: tuple[str, ...] = ("AAA", "BBB")) -> Path:
    """Day files of noise with an event every hour; the day changes in the middle of event 23."""
    for station in stations:
        whole = obspy.Stream([trace(event, station, length_s=3600.0, rate=5.0) for event in range(24 * days)])
        whole.merge(fill_value="interpolate")
        for day in range(days):
            begin = obspy.UTCDateTime("2020-01-01") + 86400 * day
            part = whole.slice(begin, begin + 86400 - 0.2)
            path = folder / "2020" / "XX" / station / "HHZ.D" / f"XX.{station}..HHZ.D.2020.{day + 1:03d}"
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write(str(path), format="MSEED")
    return folder


def test_seiscomp_archives_are_found_by_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = write_sds(tmp_path / "archive")
    (archive / "2020" / "notes.txt").write_text("not a recording")
    ids = [f"e{i}" for i in range(3)]
    times = [
        str(obspy.UTCDateTime("2020-01-01T05:00:00")),
        str(obspy.UTCDateTime("2020-01-01T23:59:40")),
        str(origin(30)),
    ]
    events = write_events(tmp_path / "events.csv", ids, source_origin_time=times)
    stations = write_stations(tmp_path / "stations.csv", ["AAA", "BBB"])
    opened: list[str] = []
    real = waveform_files._reader
    monkeypatch.setattr(waveform_files, "_reader", lambda path, named: opened.append(path.name) or real(path, named))
    made = recipe(
        waveforms=str(archive), events=str(events), stations=str(stations),
        association={"by": "sds", "before_s": 10, "after_s": 50},
    )  # fmt: skip
    report = run_import(made, tmp_path / "set")
    assert not [name for name in opened if name.endswith("003")], "a day without events was opened"
    waveform_set = WaveformSet(tmp_path / "set")
    assert waveform_set.source_ids == ids and set(waveform_set.event_table()["n_traces"]) == {2}
    midnight = waveform_set.read_event("e1").waveforms[0]
    assert midnight.shape[1] == pytest.approx(300, abs=2), "both days belong to an event at midnight"
    causes = {(rejection.file.rpartition("/")[2], rejection.cause) for rejection in report.rejections}
    assert ("notes.txt", "no_sds_name") in causes and ("XX.AAA..HHZ.D.2020.003", "no_event_in_time") in causes


def segy_trace(receiver: int, samples: np.ndarray, code: int = 12, units: int = 3) -> obspy.Trace:
    header = SEGYTraceHeader()
    header.original_field_record_number, header.trace_number_within_the_original_field_record = 7, receiver
    header.trace_identification_code, header.coordinate_units = code, units
    header.scalar_to_be_applied_to_all_coordinates = -10000
    header.group_coordinate_x, header.group_coordinate_y = -1221000 + 100 * receiver, 460000
    header.source_coordinate_x, header.source_coordinate_y = -1220000, 461000
    item = obspy.Trace(samples.astype(np.float32), {"sampling_rate": 100.0, "starttime": origin(0)})
    item.stats.segy = AttribDict(trace_header=header)
    return item


def test_segy_receivers_are_stations(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).normal(size=(4, 3000))
    stream = obspy.Stream([segy_trace(i + 1, samples[i]) for i in range(4)])
    (tmp_path / "shots").mkdir()
    stream.write(str(tmp_path / "shots" / "shot7.segy"), format="SEGY", data_encoding=5)
    made = recipe(
        waveforms=str(tmp_path / "shots"), events="sac", stations="sac", association={"by": "sac"}, source_type="shot"
    )
    run_import(made, tmp_path / "set")
    waveform_set = WaveformSet(tmp_path / "set")
    assert waveform_set.source_ids == ["record7"]
    table = waveform_set.metadata
    assert list(table["station_code"]) == ["R00001", "R00002", "R00003", "R00004"]
    np.testing.assert_allclose(table["station_longitude_deg"], -122.1 + 0.01 * np.arange(1, 5), atol=1e-6)
    np.testing.assert_allclose(table["source_latitude_deg"], 46.1, atol=1e-6)
    assert (table["path_ep_distance_km"] > 10).all()


def test_segy_places_in_metres_are_no_places(tmp_path: Path) -> None:
    stream = obspy.Stream([segy_trace(1, np.random.default_rng(0).normal(size=3000), units=1)])
    stream.write(str(tmp_path / "shot.segy"), format="SEGY", data_encoding=5)
    assert "stla" not in read_segments(tmp_path / "shot.segy")[0].sac


def write_asdf_by_hand(path: Path, tree: Path) -> Path:
    """As the paper describes the format."""
    with h5py.File(path, "w") as file:
        file.attrs["file_format"], file.attrs["file_format_version"] = np.bytes_("ASDF"), np.bytes_("1.0.3")
        for source in sorted((tree / "waveforms").glob("*.mseed")):
            for item in obspy.read(str(source)):
                times = f"{item.stats.starttime.isoformat()}__{item.stats.endtime.isoformat()}__raw"
                dataset = file.create_dataset(f"Waveforms/XX.{item.stats.station}/{item.id}__{times}", data=item.data)
                dataset.attrs["starttime"], dataset.attrs["sampling_rate"] = (
                    item.stats.starttime.ns,
                    item.stats.sampling_rate,
                )
    return path


def imported(tmp_path: Path, name: str, **source: Any) -> WaveformSet:
    run_import(recipe(**source), tmp_path / name)
    return WaveformSet(tmp_path / name)


def assert_equal_sets(one: WaveformSet, other: WaveformSet) -> None:
    assert one.source_ids == other.source_ids and len(one.metadata) == len(other.metadata)
    for source_id in one.source_ids:
        for first, second in zip(
            one.read_event(source_id).waveforms, other.read_event(source_id).waveforms, strict=True
        ):
            np.testing.assert_array_equal(first, second)


def test_asdf_reads_without_pyasdf(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    archive = write_asdf_by_hand(tmp_path / "a.h5", tree)
    common = {"events": str(tree / "events.csv"), "stations": str(tree / "stations.csv")}
    common["association"] = {"by": "time", "before_s": 40, "after_s": 79}
    plain = imported(tmp_path, "plain", waveforms=str(tree / "waveforms"), **common)
    assert_equal_sets(imported(tmp_path, "asdf", waveforms=str(archive), **common), plain)


def test_asdf_as_pyasdf_writes_it(tmp_path: Path) -> None:
    pyasdf = pytest.importorskip("pyasdf")
    tree = write_tree(tmp_path / "tree")
    catalogue = obspy.Catalog()
    for event in range(3):
        place = obspy.core.event.Origin(time=origin(event), latitude=46.0 + 0.1 * event, longitude=-122.0, depth=5000.0)
        made = obspy.core.event.Event(resource_id=f"quakeml:test/e{event}", origins=[place], event_type="earthquake")
        catalogue.append(made)
    with pyasdf.ASDFDataSet(str(tmp_path / "a.h5"), mpi=False) as archive:
        archive.add_quakeml(catalogue)
        for source in sorted((tree / "waveforms").glob("*.mseed")):
            archive.add_waveforms(str(source), tag="raw")
        for i, name in enumerate(("AAA", "BBB", "CCC")):
            station = obspy.core.inventory.Station(name, 46.0, -121.9 + 0.1 * i, 100.0)
            network = obspy.core.inventory.Network("XX", stations=[station])
            archive.add_stationxml(obspy.core.inventory.Inventory(networks=[network]))
    common = {"association": {"by": "time", "before_s": 40, "after_s": 79}}
    path = str(tmp_path / "a.h5")
    found = imported(tmp_path, "asdf", waveforms=path, events=path, stations=path, **common)
    assert found.source_ids == ["e0", "e1", "e2"] and found.metadata["station_latitude_deg"].notna().all()
    plain = imported(
        tmp_path, "plain", waveforms=str(tree / "waveforms"), events=path, stations=str(tree / "stations.csv"), **common
    )
    assert_equal_sets(found, plain)
