"""Cards say where a set comes from, and fingerprints tell an edited set from the one that was written."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from recorded_trees import write_tree
from small_sets import write_set

from seisvision.cli import main
from seisvision.data.sets.set_files import set_fingerprint
from seisvision.data.sets.waveform_set import WaveformSet


def test_an_edited_table_has_another_fingerprint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_set(tmp_path / "set").path
    written = json.loads((path / "card.json").read_text())["fingerprint"]
    with caplog.at_level(logging.WARNING):
        assert set_fingerprint(path) == WaveformSet(path).fingerprint == written
    assert not caplog.records
    table = path / "metadata.csv"
    original = table.read_text()
    # Of equal length, so that only the content tells.
    table.write_text(original.replace("quake", "blast", 1))
    with caplog.at_level(logging.WARNING):
        edited = set_fingerprint(path)
    assert edited != written and "metadata.csv" in caplog.text and written in caplog.text
    assert edited == WaveformSet(path).fingerprint
    table.write_text(original.replace("quake", "blasts", 1))
    assert set_fingerprint(path) not in (edited, written)
    table.write_text(original)
    assert set_fingerprint(path) == written


def test_other_waveforms_have_another_fingerprint(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set", events_per_chunk=4).path
    written = set_fingerprint(path)
    with (path / "waveforms1.hdf5").open("ab") as file:
        file.write(b"more")
    assert set_fingerprint(path) != written


def test_cards_without_files_are_taken_at_their_word(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set").path
    card = json.loads((path / "card.json").read_text())
    del card["files"]
    (path / "card.json").write_text(json.dumps(card | {"fingerprint": "given"}))
    assert set_fingerprint(path) == "given"


def test_every_command_writes_a_whole_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = write_tree(tmp_path / "tree")
    sources = ["--waveforms", str(tree / "waveforms"), "--events", str(tree / "events.csv")]
    assert (
        main(["data", "import", *sources, "--out", str(tmp_path / "imported"), "--set", "processing.band_hz=[1,10]"])
        == 0
    )
    synthetic = ["--n-events", "2", "--length-s", "120", "--offset-range-deg", "1", "2", "--n-stations", "2", "3"]
    synthetic += ["--processes", "1", "--data-dir", str(tmp_path / "data"), "--out", str(tmp_path / "made")]
    assert main(["data", "synth", *synthetic]) == 0
    for name in ("imported", "made"):
        card = json.loads((tmp_path / name / "card.json").read_text())
        for key in ("name", "description", "source", "licence", "citation", "unit", "processing", "fingerprint"):
            assert key in card and card[key] is not None
        assert card["files"]["metadata.csv"]["bytes"] == (tmp_path / name / "metadata.csv").stat().st_size
    capsys.readouterr()
    assert main(["data", "card", str(tmp_path / "imported")]) == 0
    printed = capsys.readouterr().out
    assert "band-pass 1 to 10 Hz" in printed and "3 events" in printed
    assert printed.splitlines()[-1] == str(tmp_path / "imported")


def test_a_set_without_a_card_prints_what_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_set(tmp_path / "set").path
    (path / "card.json").unlink()
    assert main(["data", "card", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "no card.json" in printed and "10 events, 40 traces" in printed and "quake 6, blast 4" in printed
