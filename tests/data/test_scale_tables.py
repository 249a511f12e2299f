"""Large tables open from a binary copy that says exactly what the CSV says."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_sets import event_waveforms, write_set

from seisvision.data.sets import table_cache
from seisvision.data.sets.waveform_set import WaveformSet


@pytest.fixture(autouse=True)
def copies_of_small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cache, "MIN_ROWS", 1)


def forbid_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise AssertionError("the CSV table was read")

    monkeypatch.setattr(pd, "read_csv", refuse)


@pytest.mark.parametrize("settings", [{}, {"events_per_chunk": 3}])
def test_the_copy_says_what_the_table_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, int]
) -> None:
    path = write_set(tmp_path / "set", 10, **settings).path
    table = pd.read_csv(path / "metadata.csv") if not settings else None
    if table is not None:
        table["station_location_code"] = ""
        table["source_name"] = ['naïve, "quoted"', ""] * 20
        table["trace_flag"] = [True, False] * 20
        table.loc[3, "path_ep_distance_km"] = np.nan
        table.to_csv(path / "metadata.csv", index=False)
    (path / table_cache.FILE_NAME).unlink()
    first = WaveformSet(path)
    assert (path / table_cache.FILE_NAME).is_file()
    forbid_csv(monkeypatch)
    second = WaveformSet(path)
    pd.testing.assert_frame_equal(first.metadata, second.metadata)
    assert first.source_ids == second.source_ids
    for source_id in ("ev000", "ev007"):
        event = second.read_event(source_id)
        np.testing.assert_array_equal(np.stack(event.waveforms), event_waveforms(int(source_id[2:])))
    pd.testing.assert_frame_equal(first.event_table(), second.event_table())


def test_an_edited_table_is_read_anew(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set").path
    text = (path / "metadata.csv").read_text()
    (path / "metadata.csv").write_text(text.replace("quake", "blast"))
    # As if the clock of the disk were coarse: only the size may then tell, or the time.
    os.utime(path / "metadata.csv", ns=(time.time_ns(), time.time_ns()))
    assert set(WaveformSet(path).metadata["source_type"]) == {"blast"}
    assert set(WaveformSet(path).metadata["source_type"]) == {"blast"}


@pytest.mark.parametrize("damage", [b"", b"not a file of numpy", None])
def test_a_damaged_copy_is_replaced(tmp_path: Path, damage: bytes | None) -> None:
    path = write_set(tmp_path / "set").path
    copy = path / table_cache.FILE_NAME
    copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2] if damage is None else damage)
    assert len(WaveformSet(path).metadata) == 40
    assert table_cache.load_table(path, "other key") is None
    assert copy.stat().st_size > 1000


def test_small_sets_and_read_only_folders_have_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cache, "MIN_ROWS", 41)
    assert not (write_set(tmp_path / "small").path / table_cache.FILE_NAME).exists()
    monkeypatch.setattr(table_cache, "MIN_ROWS", 1)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert not (write_set(tmp_path / "fixed").path / table_cache.FILE_NAME).exists()
