"""SEG-Y and SU in the shapes that recorders and converters write: times, places, samples, byte orders, revisions."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import obspy
import pytest

from seisvision.data.importing.formats.reading import Reading
from seisvision.data.importing.formats.waveform_files import Segment, read_segments
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.recipe import build_recipe
from seisvision.data.importing.rejections import Refusal
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import ConfigurationError, DataError

SHOT = obspy.UTCDateTime("2020-03-04T05:00:00")
SAMPLES = np.arange(-50, 50) * 7
TYPES = {2: "i4", 3: "i2", 5: "f4", 6: "f8", 8: "i1", 9: "i8"}


def put(block: bytearray, order: str, numbers: dict[int, tuple[str, float]], first: int) -> bytes:
    """Write numbers at the bytes that the standard counts from one."""
    for at, (code, value) in numbers.items():
        struct.pack_into(order + code, block, at - first, value)
    return bytes(block)


def file_header(order: str = ">", revision: int = 1, sample_format: int = 5, **more: Any) -> bytes:
    """3600 bytes and the extended texts."""
    numbers: dict[int, tuple[str, float]] = {
        3217: ("H", 10_000), 3221: ("H", 100), 3225: ("h", sample_format), 3255: ("h", 1),
    }  # fmt: skip
    if revision == 1:
        numbers |= {3501: ("H", 0x0100), 3503: ("h", 1)}
    if revision == 2:
        numbers |= {3501: ("B", 2), 3297: ("I", 16909060), 3269: ("I", 100)}
    texts = more.get("texts", 0)
    block = put(bytearray(400), order, numbers | {3505: ("h", texts)} | more.get("numbers", {}), 3201)
    return b" " * 3200 + block + b" " * 3200 * texts


def one_trace(
    data: np.ndarray = SAMPLES, order: str = ">", kind: str = "f4", extension: bytes = b"", **numbers: Any
) -> bytes:
    """Trace header and samples; ``b109=500`` writes to bytes 109-110."""
    fields: dict[int, tuple[str, float]] = {
        9: ("i", 7), 13: ("i", 1), 29: ("h", 12), 69: ("h", -10), 71: ("h", -10000), 73: ("i", -1220000),
        77: ("i", 461000), 81: ("i", -1221000), 85: ("i", 460000), 89: ("h", 3), 115: ("H", len(data)),
        117: ("H", 10_000), 157: ("h", 2020), 159: ("h", 64), 161: ("h", 5),
    }  # fmt: skip
    for name, value in numbers.items():
        at = int(name[1:])
        fields[at] = (fields[at][0] if at in fields else "h", value)
    return put(bytearray(240), order, fields, 1) + extension + data.astype(order + kind).tobytes()


def read(path: Path, content: bytes, **reading: str) -> list[Segment]:
    path.write_bytes(content)
    return read_segments(path, reading=Reading(**reading))


def seconds_after_shot(segment: Segment) -> float:
    return (segment.start_ns - SHOT.ns) / 1e9


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("revision", [0, 1, 2])
@pytest.mark.parametrize("sample_format", list(TYPES))
def test_every_revision_order_and_sample_format(tmp_path: Path, order: str, revision: int, sample_format: int) -> None:
    data = np.arange(100) - 50 if sample_format == 8 else SAMPLES
    content = file_header(order, revision, sample_format, texts=1 if revision else 0)
    (segment,) = read(tmp_path / "x.sgy", content + one_trace(data, order, TYPES[sample_format]))
    np.testing.assert_array_equal(segment.samples, data)
    assert segment.flaw is None and segment.rate_hz == 100 and segment.start_ns == SHOT.ns
    assert (segment.sac["stla"], segment.sac["evlo"]) == (pytest.approx(46.0), pytest.approx(-122.0))


def test_ibm_floats_are_what_obspy_wrote(tmp_path: Path) -> None:
    values = np.array([1.0, -118.625, 0.15625, 3e5, 0.0], np.float32)
    header = {"delta": 0.01, "starttime": SHOT}
    obspy.Stream([obspy.Trace(values, header)]).write(str(tmp_path / "x.sgy"), format="SEGY", data_encoding=1)
    np.testing.assert_array_equal(read_segments(tmp_path / "x.sgy")[0].samples, values)


@pytest.mark.parametrize(
    ("revision", "delay", "scalar", "expected_s"),
    [(0, 5000, 0, 5.0), (0, 5000, -10, 5.0), (1, 5000, -10, 0.5), (1, -250, 1, -0.25), (2, 30, 100, 3.0)],
)
def test_recording_begins_after_the_delay(
    tmp_path: Path, revision: int, delay: int, scalar: int, expected_s: float
) -> None:
    content = file_header(revision=revision) + one_trace(b109=delay, b215=scalar)
    assert seconds_after_shot(read(tmp_path / "x.sgy", content)[0]) == pytest.approx(expected_s)


def test_gps_time_is_turned_to_utc(tmp_path: Path) -> None:
    for year, leap_s in ((2020, 18), (2015, 16), (1995, 10)):
        (segment,) = read(tmp_path / "x.sgy", file_header() + one_trace(b157=year, b167=5))
        assert obspy.UTCDateTime(year=year, julday=64, hour=5).ns - segment.start_ns == leap_s * 10**9


@pytest.mark.parametrize(
    ("numbers", "cause"),
    [
        ({"b157": 0}, "no_start_time"), ({"b157": 98}, "no_start_time"), ({"b159": 0}, "damaged_header"),
        ({"b157": 2019, "b159": 366}, "damaged_header"), ({"b167": 1}, "local_time"), ({"b167": 3}, "local_time"),
        ({"b29": 2}, "no_ground_motion"), ({"b71": 1}, "damaged_header"),
    ],
)  # fmt: skip
def test_a_trace_that_cannot_be_used_says_why_and_spares_the_others(
    tmp_path: Path, numbers: dict[str, int], cause: str
) -> None:
    bad, good = read(tmp_path / "x.sgy", file_header() + one_trace(**numbers) + one_trace(b13=2))
    assert bad.flaw is not None and bad.flaw.cause == cause
    assert good.flaw is None and good.station == "R00002" and good.n_samples == 100


def test_traces_without_numbers_are_receivers_by_their_place_in_the_record(tmp_path: Path) -> None:
    unnumbered = [one_trace(b9=record, b13=0, b5=0, b1=0) for record in (7, 7, 7, 8, 8)]
    segments = read(tmp_path / "x.sgy", file_header() + b"".join(unnumbered))
    assert [one.station for one in segments] == ["R00001", "R00002", "R00003", "R00001", "R00002"]
    components = [one_trace(b13=0, b5=0, b1=0, b29=kind) for kind in (12, 13, 14, 12, 13, 14)]
    segments = read(tmp_path / "y.sgy", file_header() + b"".join(components))
    assert [one.station for one in segments] == ["R00001"] * 3 + ["R00002"] * 3


@pytest.mark.parametrize(
    ("numbers", "longitude", "latitude"),
    [
        ({"b71": -100, "b89": 4, "b81": -122301500, "b85": 46304500, "b73": 0, "b77": 0}, -122.5041667, 46.5125),
        ({"b71": 10, "b89": 2, "b81": -43950, "b85": 16560, "b73": 0, "b77": 0}, -122.0833333, 46.0),
        ({"b71": 0, "b89": 3, "b81": -122, "b85": 46, "b73": 0, "b77": 0}, -122.0, 46.0),
    ],
)
def test_angles_in_every_unit(tmp_path: Path, numbers: dict[str, int], longitude: float, latitude: float) -> None:
    (segment,) = read(tmp_path / "x.sgy", file_header() + one_trace(**numbers))
    assert segment.sac["stlo"] == pytest.approx(longitude) and segment.sac["stla"] == pytest.approx(latitude)
    assert "evla" not in segment.sac, "a place of zeros only is none"


def test_heights_in_feet(tmp_path: Path) -> None:
    content = file_header(numbers={3255: ("h", 2)}) + put(bytearray(one_trace()), ">", {41: ("i", 10000)}, 1)
    assert read(tmp_path / "x.sgy", content)[0].sac["stel"] == pytest.approx(304.8)


def test_the_extension_of_revision_2_is_more_exact(tmp_path: Path) -> None:
    numbers = {
        113: ("d", -122.5), 121: ("d", 46.25), 141: ("i", 250_000_000), 145: ("d", 333.25), 157: ("H", 1),
    }  # fmt: skip
    extension = put(bytearray(240), ">", numbers, 1)[:232] + b"SEG00001"
    header = file_header(revision=2, numbers={3217: ("H", 333), 3273: ("d", 333.25), 3507: ("i", 1)})
    (segment,) = read(tmp_path / "x.sgy", header + one_trace(extension=extension, b117=333))
    assert segment.rate_hz == pytest.approx(1e6 / 333.25) and seconds_after_shot(segment) == 0.25
    assert (segment.sac["stlo"], segment.sac["stla"]) == (-122.5, 46.25)
    np.testing.assert_array_equal(segment.samples, SAMPLES)


def test_bytes_after_the_last_trace_are_told(tmp_path: Path) -> None:
    path, losses = tmp_path / "x.sgy", list[Refusal]()
    path.write_bytes(file_header() + one_trace() + one_trace(b13=2)[:300])
    assert len(read_segments(path, losses=losses)) == 1
    assert [loss.cause for loss in losses] == ["truncated"] and "byte 4240" in str(losses[0])
    assert len(read(path, file_header() + one_trace() + bytes(500))) == 1, "padding is no loss"


def test_su_in_either_order_once_it_is_named(tmp_path: Path) -> None:
    for order in "<>":
        content = one_trace(order=order) + one_trace(order=order, b13=2, b109=2000)
        first, second = read(tmp_path / "x.su", content, format="SU")
        assert first.start_ns == SHOT.ns and seconds_after_shot(second) == 2.0
        np.testing.assert_array_equal(second.samples, SAMPLES)


def gather(folder: Path, records: tuple[int, ...] = (7,)) -> Path:
    """One file: three receivers for each field record, five minutes apart."""
    (folder / "shots").mkdir()
    rng = np.random.default_rng(0)
    traces = [
        one_trace(rng.normal(size=2000), b9=record, b13=number, b163=5 * i)
        for i, record in enumerate(records)
        for number in (1, 2, 3)
    ]
    (folder / "shots" / "line.sgy").write_bytes(file_header(numbers={3221: ("H", 2000)}) + b"".join(traces))
    return folder / "shots"


def imported(folder: Path, **source: Any) -> tuple[WaveformSet, Any]:
    plain = {"name": "line", "events": "sac", "stations": "sac", "association": {"by": "sac"}} | source
    recipe = build_recipe({"name": "line", "sources": [plain], "processing": {"components": "Z"}})
    report = run_import(recipe, folder / "set")
    return WaveformSet(folder / "set"), report


def test_each_record_of_a_file_is_an_event_of_its_own(tmp_path: Path) -> None:
    made, _ = imported(tmp_path, waveforms=str(gather(tmp_path, records=(7, 8))))
    assert made.source_ids == ["record7", "record8"] and set(made.event_table()["n_traces"]) == {3}
    starts = made.metadata.groupby("source_id")["trace_start_time"].unique()
    assert len(starts["record7"]) == 1 and starts["record7"][0] != starts["record8"][0]


def test_records_that_the_catalogue_does_not_know_spare_the_others(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("event_id,source_origin_time\nrecord8,2020-03-04T05:05:00\n")
    shots = gather(tmp_path, records=(7, 8, 9))
    made, report = imported(tmp_path, waveforms=str(shots), events=str(tmp_path / "events.csv"))
    assert made.source_ids == ["record8"] and len(made.metadata) == 3
    assert [(item.file, item.cause) for item in report.rejections] == [("line.sgy", "no_event")] * 2


def test_picks_by_time_see_no_traces_that_cannot_be_used(tmp_path: Path) -> None:
    shots = gather(tmp_path, records=(7,))
    with (shots / "line.sgy").open("ab") as file:
        file.write(one_trace(np.ones(2000), b13=4, b29=2))
    rows = [f"R0000{i},P,{time}" for i, time in ((1, SHOT + 5), (2, SHOT - 86400))]
    (tmp_path / "picks.csv").write_text("\n".join(["station,phase,time", *rows]))
    source = {"events": "files", "association": {"by": "name"}, "picks": str(tmp_path / "picks.csv")}
    _, report = imported(tmp_path, waveforms=str(shots), **source)
    told = [item.cause for item in report.rejections if item.kind == "pick"]
    assert report.n_picks_used.total() == 1 and told == ["no_event_in_time"]


def test_a_table_gives_traces_their_stations(tmp_path: Path) -> None:
    table = tmp_path / "traces.csv"
    table.write_text(
        "trace,network,station,location,channel,latitude_deg,longitude_deg\n1-2,YY,G{trace:03d},,GPZ,47.5,-121\n"
    )
    made, report = imported(tmp_path, waveforms=str(gather(tmp_path)), traces=str(table), format="segy")
    assert list(made.metadata["station_code"]) == ["G001", "G002"]
    assert set(made.metadata["station_network_code"]) == {"YY"} and set(made.metadata["station_latitude_deg"]) == {47.5}
    assert [(item.trace_id, item.cause) for item in report.rejections] == [(".R00003..SPZ", "not_in_table")]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,YY,A,,HHZ\n1,YY,B,,HHZ", "two rows for trace 1"), ("x,YY,A,,HHZ", "such as 7, or a range"),
        ("1,YY,,,HHZ", "needs a station"), ("1,YY,{name},,HHZ", "no text with"),
    ],
)  # fmt: skip
def test_a_wrong_table_stops_before_any_work(tmp_path: Path, rows: str, message: str) -> None:
    table = tmp_path / "traces.csv"
    table.write_text(f"trace,network,station,location,channel\n{rows}\n")
    with pytest.raises(DataError, match=message):
        imported(tmp_path, waveforms=str(gather(tmp_path)), traces=str(table))


def test_an_unknown_format_is_a_setting_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SEGY"):
        imported(tmp_path, waveforms=str(tmp_path), format="SEGYY")
    with pytest.raises(Refusal, match="neither byte order"):
        read(tmp_path / "x.sgy", b"hello" * 2000, format="SEGY")
