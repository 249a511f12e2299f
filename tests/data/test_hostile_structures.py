"""Files that people exchange whose structure is damaged or hostile: refused by name, or told, never served as zeros."""

import gzip
import io
import itertools
import json
import socket
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile_structures import CHANGES, TRACES, search, write_set
from obspy import Stream
from recorded_trees import trace

from seisvision.data.audit.audit import audit_set
from seisvision.data.fetching.transport import Limits, Request, send
from seisvision.data.importing.formats.miniseed import whole_records
from seisvision.data.importing.formats.waveform_files import read_segments
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.station_table import read_stations
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.errors import DataError, SeisvisionError
from seisvision.files import parse_json
from seisvision.records.folder import RunFolder


def losses(path: Path, content: bytes) -> list[Refusal]:
    path.write_bytes(content)
    told: list[Refusal] = []
    try:
        read_segments(path, losses=told)
    except Refusal as refusal:
        told.append(refusal)
    return told


def mseed(length: int, station: str = "AAA", channels: str = "ZNE") -> bytes:
    content = io.BytesIO()
    stream = Stream([trace(0, station, f"HH{letter}", length_s=6.0) for letter in channels])
    stream.write(content, format="MSEED", reclen=length)
    return content.getvalue()


@pytest.mark.parametrize(
    "content", [mseed(512), mseed(512, "BBB", "Z") + mseed(4096, channels="Z")], ids=["one length", "mixed lengths"]
)
def test_every_cut_within_a_record_is_told(tmp_path: Path, content: bytes) -> None:
    ends = {record.stop for record in whole_records(content)[0]}
    near = {at for end in (0, *ends) for at in (*range(end + 1, end + 58), *range(end, end + 4096, 512))}
    for at in sorted(near - ends - {0}):
        if at < len(content):
            assert losses(tmp_path / "x", content[:at]), f"cut at {at} of {len(content)}"


@pytest.mark.parametrize("at", [8, 64, 128, 512, 600])
def test_a_record_that_lost_its_end_hides_no_other(tmp_path: Path, at: int) -> None:
    assert losses(tmp_path / "x", mseed(1024, channels="Z")[:at] + mseed(512, "BBB"))


def test_a_cut_text_of_samples_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.gse2"
    Stream([trace(0, "AAA", "HHZ", length_s=3.0), trace(0, "AAA", "HHN", length_s=3.0)]).write(str(path), format="GSE2")
    content = path.read_bytes()
    assert not losses(path, content)
    assert losses(path, content[: content.rindex(b"WID2") + 5])


@pytest.mark.parametrize("change", CHANGES[:7] + CHANGES[9:], ids=lambda change: change.__name__)
def test_what_a_file_does_not_hold_itself_is_refused_by_name(tmp_path: Path, change: object) -> None:
    path = write_set(tmp_path / "set")
    waveform, _ = WaveformSet(path).read_trace(1)
    np.testing.assert_array_equal(waveform, TRACES[1])
    with h5py.File(path / "waveforms.hdf5", "r+") as file:
        change(file, path, np.random.default_rng(0))  # type: ignore[operator]
    with pytest.raises(DataError, match=r"waveforms\.hdf5") as refused:
        WaveformSet(path).read_trace(3)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [3.0, h5py.Empty("f4")], ids=["one", "none"])
def test_a_single_value_is_no_trace(tmp_path: Path, value: object) -> None:
    path = write_set(tmp_path / "set")
    with h5py.File(path / "waveforms.hdf5", "r+") as file:
        del file["data/bucket0"]
        file["data/bucket0"] = value
    with pytest.raises(DataError, match="a single value or nothing, no samples"):
        WaveformSet(path).read_trace(1)


def test_soft_links_within_the_file_are_followed(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set")
    with h5py.File(path / "waveforms.hdf5", "r+") as file:
        file.move("data/bucket0", "kept")
        file["data/bucket0"] = h5py.SoftLink("/kept")
    np.testing.assert_array_equal(WaveformSet(path).read_trace(2)[0], TRACES[2])


def test_a_bucket_shorter_than_its_table_is_refused_and_audited(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set")
    with h5py.File(path / "waveforms.hdf5", "r+") as file:
        del file["data/bucket0"]
        bucket = file.create_dataset("data/bucket0", TRACES.shape, "f4", chunks=(1, 3, 60))
        bucket[:3] = TRACES[:3]
    with pytest.raises(DataError, match="3 of 4 blocks were written"):
        WaveformSet(path).check_shapes()
    assert "unreadable" in {finding.code for finding in audit_set(WaveformSet(path)).findings}
    longer = write_set(tmp_path / "longer", row_of_last=9)
    with pytest.raises(DataError, match="row 9 of a dataset with 4 rows"):
        WaveformSet(longer).check_shapes()


def test_what_grows_without_end_is_left(tmp_path: Path) -> None:
    path = tmp_path / "stations.xml.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(80):
            file.write(bytes(1 << 20))
    with pytest.raises(DataError, match="grows beyond 64 MiB"):
        read_stations(str(path))
    with pytest.raises(Refusal, match="grows beyond 64 MiB"):
        read_segments(path)


@pytest.mark.parametrize("text", ["[" * 9000 + "]" * 9000, '{"a":' * 200 + "1" + "}" * 200])
def test_json_nested_without_end_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="100 levels"):
        parse_json(text)
    (tmp_path / "status.json").write_text(text)
    with pytest.raises(SeisvisionError, match=r"status\.json"):
        RunFolder(tmp_path).status()


@pytest.mark.parametrize(
    "status", [[], 3, "x", {}, {"state": 3, "attempts": 1}, {"state": "finished", "attempts": "x"}]
)
def test_a_status_of_another_shape_is_refused(tmp_path: Path, status: object) -> None:
    (tmp_path / "status.json").write_text(json.dumps(status))
    with pytest.raises(SeisvisionError, match="is damaged"):
        RunFolder(tmp_path).is_finished()


def answers(head: bytes, pieces: itertools.repeat, pause_s: float) -> str:
    """Address of a server that sends pieces until the connection ends."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, listening:
            connection.recv(4096)
            try:
                connection.sendall(head)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause_s)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/x"


HEAD = b"HTTP/1.0 200 OK\r\n"


@pytest.mark.parametrize("head", [HEAD + b"\r\n", HEAD + b"Content-Length: 999999\r\n\r\n", HEAD + b"X-A: "])
def test_an_answer_that_comes_byte_by_byte_ends_in_time(head: bytes) -> None:
    url = answers(head, itertools.repeat(b"a"), 0.1)
    begun = time.monotonic()
    answer = send(Request("x", "dataselect", url), Limits(silent_s=20.0, total_s=0.7))
    assert time.monotonic() - begun < 10
    assert answer.trouble == "timeout" and "requests.total_s" in answer.reason


@pytest.mark.parametrize("head", [HEAD + b"\r\n", HEAD + b"Content-Length: 99999999999\r\n\r\n"])
def test_an_answer_without_end_is_left(head: bytes) -> None:
    url = answers(head, itertools.repeat(bytes(1 << 16)), 0.0)
    answer = send(Request("x", "dataselect", url), Limits(silent_s=20.0, max_bytes=1 << 20))
    assert answer.trouble == "too_large" and "max_answer_mb" in answer.reason and not answer.body


def test_a_search_finds_no_fault() -> None:
    found = search(40, 5)
    assert not any(found[name] for name in ("traceback", "silent", "zeros", "slow", "executed")), found
