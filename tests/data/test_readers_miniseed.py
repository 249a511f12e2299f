"""miniSEED as recorders and downloads leave it: blanks, cut ends, mixtures, blank codes; with either reader."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import obspy
import pytest
from recorded_trees import recipe, trace, write_tree

from seisvision.data.importing.formats import miniseed
from seisvision.data.importing.formats.waveform_files import Segment, read_segments
from seisvision.data.importing.importer import run_import
from seisvision.data.importing.rejections import Refusal

RECORD = 512


@pytest.fixture(params=["pymseed", "obspy"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test is run with both readers."""
    if request.param == "obspy":
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    return str(request.param)


def records(item: obspy.Trace, **settings: Any) -> bytes:
    content = io.BytesIO()
    item.write(content, format="MSEED", **({"reclen": RECORD} | settings))
    return content.getvalue()


def read(path: Path, content: bytes) -> tuple[list[Segment], list[Refusal]]:
    path.write_bytes(content)
    losses: list[Refusal] = []
    return sorted(read_segments(path, losses=losses), key=lambda item: (item.trace_id, item.start_ns)), losses


@pytest.mark.parametrize(
    "blank", [b"000009D ".ljust(512), bytes(512), b"\xff" * 512, b" " * 512, b"\n", bytes(100), b"\r\n" * 3]
)
@pytest.mark.parametrize("at", [0, 3, -1])
def test_blanks_between_records_hide_nothing(tmp_path: Path, reader: str, blank: bytes, at: int) -> None:
    sound = records(trace(0, "AAA"))
    place = len(sound) if at < 0 else at * RECORD
    if at == 0 and blank[:1] in b" 0":
        pytest.skip("a file that begins with a block of spaces is a text")
    (segment,), losses = read(tmp_path / "x.mseed", sound[:place] + blank + sound[place:])
    np.testing.assert_array_equal(segment.samples, trace(0, "AAA").data)
    assert not losses


def test_what_is_no_record_is_told_and_the_rest_used(tmp_path: Path, reader: str) -> None:
    sound = records(trace(0, "AAA"))
    noise = np.random.default_rng(1).bytes(700)
    (segment,), losses = read(tmp_path / "x.mseed", sound[:1024] + noise + sound[1024:])
    np.testing.assert_array_equal(segment.samples, trace(0, "AAA").data)
    assert [(loss.cause, loss.value) for loss in losses] == [("damaged_block", 700)]
    found, losses = read(tmp_path / "y.mseed", sound[: 1024 + 300] + sound[1536:])
    assert len(found) == 2 and [(loss.cause, loss.value) for loss in losses] == [("damaged_block", 300)]


@pytest.mark.parametrize("at_once", [512, 1024 + 301, 1024 + 305, 1024 + 306, 1024 + 307, 1 << 18])
def test_a_header_is_found_wherever_the_blocks_of_the_search_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(miniseed, "BLOCK_BYTES", at_once)
    sound = records(trace(0, "AAA"))
    # A record that lost its end, and a blank at the end: the number of bytes is that of whole records.
    found, losses = read(tmp_path / "x.mseed", sound[: 1024 + 300] + sound[1536:] + bytes(212))
    assert len(found) == 2 and [(loss.cause, loss.value) for loss in losses] == [("damaged_block", 300)]
    (segment,), losses = read(tmp_path / "y.mseed", sound)
    assert not losses and len(segment.samples) == trace(0, "AAA").stats.npts


@pytest.mark.parametrize("length", [512, 4096])
def test_of_a_cut_end_the_whole_records_are_used(tmp_path: Path, reader: str, length: int) -> None:
    sound = records(trace(0, "AAA"), reclen=length)
    (whole,), _ = read(tmp_path / "x.mseed", sound[: len(sound) - length])
    (segment,), losses = read(tmp_path / "y.mseed", sound[:-100])
    np.testing.assert_array_equal(segment.samples, whole.samples)
    assert [loss.cause for loss in losses] == ["truncated"]
    with pytest.raises(Refusal, match=f"cut it to {len(sound) - length} bytes"):
        read_segments(tmp_path / "y.mseed")


def test_mixtures_of_lengths_encodings_and_orders(tmp_path: Path, reader: str) -> None:
    parts = [
        records(trace(0, "AAA"), reclen=4096), records(trace(0, "BBB"), encoding="STEIM1"),
        records(trace(0, "CCC"), encoding="INT32", reclen=256, byteorder="<"),
    ]  # fmt: skip
    for order in (parts, parts[::-1]):
        found, losses = read(tmp_path / "x.mseed", b"".join(order))
        assert [segment.station for segment in found] == ["AAA", "BBB", "CCC"] and not losses
        for segment in found:
            np.testing.assert_array_equal(segment.samples, trace(0, segment.station).data)


def test_records_out_of_order_and_twice(tmp_path: Path) -> None:
    folder = write_tree(tmp_path, n_events=1, stations=("AAA",))
    sound = records(trace(0, "AAA"))
    pieces = [sound[i : i + RECORD] for i in range(0, len(sound), RECORD)]
    better = b"".join(piece[:6] + b"Q" + piece[7:] for piece in pieces)
    (folder / "waveforms" / "ev0.mseed").write_bytes(b"".join(pieces[::-1]) + better)
    report = run_import(recipe(folder, processing={"components": "Z"}), tmp_path / "set")
    assert report.n_components.total() == report.n_recordings.total() == 1


@pytest.mark.parametrize("rate", [0.1, 1 / 60, 0.5])
def test_rates_below_one_hertz(tmp_path: Path, reader: str, rate: float) -> None:
    slow = obspy.Trace(np.arange(200, dtype=np.int32), {"network": "XX", "station": "S", "channel": "VHZ"})
    slow.stats.sampling_rate = rate
    (segment,), _ = read(tmp_path / "x.mseed", records(slow))
    assert segment.rate_hz == pytest.approx(rate, rel=1e-5) and segment.n_samples == 200


@pytest.mark.parametrize(
    ("code", "cause"), [("network", "blank_code"), ("station", "blank_code"), ("channel", "blank_code")]
)
def test_a_blank_code_marks_its_recording_only(tmp_path: Path, reader: str, code: str, cause: str) -> None:
    bad = trace(0, "BBB")
    setattr(bad.stats, code, "")
    found, losses = read(tmp_path / "x.mseed", records(trace(0, "AAA")) + records(bad))
    flaws = {segment.trace_id: segment.flaw and segment.flaw.cause for segment in found}
    assert flaws.pop("XX.AAA..HHZ") is None and list(flaws.values()) == [cause] and not losses


def test_blank_locations_are_one(tmp_path: Path, reader: str) -> None:
    parts = [records(trace(0, "AAA", location=location)) for location in ("", "--", "00")]
    found, _ = read(tmp_path / "x.mseed", b"".join(parts))
    assert {segment.location for segment in found} == {"", "00"}


def test_without_blockette_1000_the_encoding_is_not_guessed(tmp_path: Path, reader: str) -> None:
    content = bytearray(records(trace(0, "AAA")))
    for at in range(0, len(content), RECORD):
        content[at + 39] = 0
        content[at + 46 : at + 48] = bytes(2)
    with pytest.raises(Refusal, match="blockette 1000"):
        read(tmp_path / "x.mseed", bytes(content))


def test_records_without_encoding_spare_the_others(tmp_path: Path, reader: str) -> None:
    content = bytearray(records(trace(0, "AAA")) + records(trace(0, "BBB"))[:RECORD])
    content[-RECORD + 39] = 0
    content[-RECORD + 46 : -RECORD + 48] = bytes(2)
    (segment,), losses = read(tmp_path / "x.mseed", bytes(content))
    assert segment.station == "AAA" and [(loss.cause, loss.value) for loss in losses] == [("no_encoding", 1)]


def test_full_seed_is_read_behind_its_control_headers(tmp_path: Path, reader: str) -> None:
    control = b"000001V 0100104 4096 2.4".ljust(4096) + b"000002S 0500092TEST".ljust(4096)
    (segment,), losses = read(tmp_path / "x.seed", control + records(trace(0, "AAA"), reclen=4096))
    np.testing.assert_array_equal(segment.samples, trace(0, "AAA").data)
    assert not losses


def test_one_record_that_cannot_be_unpacked_spares_the_others(tmp_path: Path) -> None:
    sound = records(trace(0, "AAA")) + records(trace(0, "BBB"))
    noise = np.random.default_rng(0).bytes(448)
    found, losses = read(tmp_path / "x.mseed", sound[: 3 * RECORD + 64] + noise + sound[4 * RECORD :])
    assert {segment.station for segment in found} == {"AAA", "BBB"}
    assert [(loss.cause, loss.value) for loss in losses] == [("damaged_block", 1)]


def test_version_3_with_blanks_and_a_cut_end(tmp_path: Path) -> None:
    pymseed = pytest.importorskip("pymseed")
    with pymseed.MS3TraceList.from_buffer(records(trace(0, "AAA")), unpack_data=True) as traces:
        traces.to_file(str(tmp_path / "x.mseed3"), format_version=3)
    content = (tmp_path / "x.mseed3").read_bytes()
    (segment,), losses = read(tmp_path / "y.mseed3", content + bytes(100))
    np.testing.assert_array_equal(segment.samples, trace(0, "AAA").data)
    assert not losses
    (segment,), losses = read(tmp_path / "z.mseed3", content[:-10])
    assert 0 < segment.n_samples < 6000 and [loss.cause for loss in losses] == ["truncated"]
