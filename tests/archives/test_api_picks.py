"""``sv.load(...).predict(stream)`` of a picker gives the table of ``seisvision pick``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import obspy
import pandas as pd
import pick_ricker
import pytest
from ricker_archives import DAY_NS, record

import seisvision as sv
from seisvision import cli
from seisvision.api import networks
from seisvision.api.answers import Answers
from seisvision.data.importing.tables.times import NS
from seisvision.errors import CheckpointError, ConfigurationError, DataError

RATE_HZ = 20.0
ONSETS_S = (101.0, 300.5, 512.25)


@pytest.fixture
def picker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> networks.Picker:
    """A picker that finds wavelets: P on the vertical component, S on the eastern one."""
    for module in (pick_ricker.picking, pick_ricker.shares, networks):
        monkeypatch.setattr(module, "open_picker", lambda path: pick_ricker.RickerNetwork())
    (tmp_path / "weights.pt").write_bytes(b"")
    found = sv.load(tmp_path / "weights.pt")
    assert isinstance(found, networks.Picker)
    return found


@pytest.fixture
def stream() -> obspy.Stream:
    """Ten minutes of one station after midnight, with a gap, of which the last component is whole numbers."""
    onsets = [DAY_NS + round(at * NS) for at in ONSETS_S]
    found = obspy.Stream()
    for seed, letter in enumerate("ZNE"):
        samples = record(RATE_HZ, DAY_NS, 600 * 20, onsets if letter == "Z" else [], seed)
        header = {"network": "XX", "station": "AAA", "channel": f"HH{letter}", "sampling_rate": RATE_HZ}
        trace = obspy.Trace(np.array(samples, dtype=float), {**header, "starttime": obspy.UTCDateTime(ns=DAY_NS)})
        found.append(trace)
    found[2].data = np.round(found[2].data).astype(np.int64)
    found[1].data = np.ma.masked_array(found[1].data, mask=np.arange(12000) // 1000 == 9)
    return found


def test_a_stream_is_picked_as_its_files_are(picker: networks.Picker, stream: obspy.Stream, tmp_path: Path) -> None:
    before = [trace.data.copy() for trace in stream]
    picks = picker.pick(stream, thresholds={"P": 0.8, "S": 0.8})
    found = picks.table[picks.table["phase"] == "P"]
    late_s = (found["time"] - pd.Timestamp(DAY_NS, tz="UTC")).dt.total_seconds()
    np.testing.assert_allclose(late_s, ONSETS_S, atol=0.026)
    assert {"gap", "no_recording"} <= set(picks.refused["reason"])
    assert f"{len(picks)} picks" in repr(picks) and str(len(picks)) in picks._repr_html_()
    for trace, data in zip(stream, before, strict=True):
        assert trace.data.dtype == data.dtype and np.ma.allequal(trace.data, data)
    folder = tmp_path / "files"
    folder.mkdir()
    for number, trace in enumerate(stream.split()):
        trace.data = trace.data.astype(np.int32) if trace.data.dtype == np.int64 else trace.data
        trace.write(str(folder / f"{number}.mseed"), format="MSEED")
    out = tmp_path / "picks.csv"
    words = ["--ckpt", "none", "--waveforms", str(folder), "--out", str(out), "--threshold", "0.8"]
    assert cli.main(["pick", *words]) == 0
    pd.testing.assert_frame_equal(picker.pick(folder, thresholds={"P": 0.8, "S": 0.8}).table, picks.table)
    assert picks.table["probability"].tolist() == pd.read_csv(out)["probability"].tolist()


def test_what_cannot_be_picked_is_told(picker: networks.Picker, stream: obspy.Stream, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no setting of picking. Did you mean 'thresholds'"):
        picker.pick(stream, threshold=0.5)
    with pytest.raises(ConfigurationError, match=r"events=\.\.\. does not go with picking"):
        picker.predict(stream, events="events.xml")
    stream[0].stats.station = "TOOLONG"
    with pytest.raises(DataError, match="station code has more than the 5 letters"):
        picker.predict(stream)
    with pytest.raises(ConfigurationError, match=r"give an obspy\.Stream"):
        picker.predict({"a": 1})
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        sv.load(tmp_path / "absent.pt")
    assert "picks" in repr(picker) and "ZNE at 20 Hz" in picker._repr_html_()


def test_the_command_replaces_its_own_answers_about_a_set(
    picker: networks.Picker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picker answers about a set as other networks do, also about what is done with events of its training."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "metadata.csv").write_text("source_id\n")
    asked = []

    def answer(network: networks.Picker, data: str, **given: str) -> Answers:
        asked.append(given)
        return Answers({"source_id": ["a"], "p_prediction": [1.0]}, {}, [("b", "event", "no window")])

    monkeypatch.setattr(networks.Network, "predict", answer)
    monkeypatch.setattr(picker, "trained", object())
    monkeypatch.setattr(networks, "load", lambda path: picker)
    out = tmp_path / "told.csv"
    (tmp_path / "net").touch()
    words = [
        "predict",
        str(tmp_path / "net"),
        str(tmp_path / "set"),
        "--out",
        str(out),
        "--training-events",
        "leave_out",
    ]
    assert [cli.main(words), cli.main(words)] == [0, 0]
    assert asked == [{"training_events": "leave_out"}] * 2
    assert out.read_text().startswith("source_id,")


def test_the_command_refuses_what_does_not_go_with_picking(
    picker: networks.Picker, stream: obspy.Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "load", lambda path: picker)
    stream[0].write(str(tmp_path / "z.mseed"), format="MSEED")
    out = tmp_path / "picks.csv"
    (tmp_path / "net").touch()
    words = ["predict", str(tmp_path / "net"), str(tmp_path / "z.mseed"), "--out", str(out)]
    assert cli.main([*words, "--training-events", "keep"]) == 2 and not out.exists()
    assert [cli.main(words), cli.main(words)] == [0, 0]
    assert out.read_text().startswith("network,")
