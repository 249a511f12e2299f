"""Large tables open from a binary copy that says exactly what the CSV says."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_sets import event_waveforms, write_set

from seisvision.data.sets import table_cache
from seisvision.data.sets.stored.columns import Column, TraceTable
from seisvision.data.sets.waveform_set import OF_THE_TABLE, WaveformSet
from seisvision.errors import DataError


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
        table["source_name"] = ['naïve, "quoted"', "", "two\nlines", "Þórður 山"] * 10
        table["source_magnitude_author"] = [3, "three", 3.0, None] * 10
        table["trace_checked"] = [True, None] * 20
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


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def one_bit(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


def header_of_millions(content: bytes) -> bytes:
    return content.replace(b"[40]", b"[40000000000000]", 1)


@pytest.mark.parametrize("damage", [lambda _: b"", lambda _: b"no arrays", half, one_bit, header_of_millions])
def test_a_damaged_copy_is_replaced(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = write_set(tmp_path / "set").path
    copy = path / table_cache.FILE_NAME
    whole = copy.read_bytes()
    copy.write_bytes(damage(whole))
    assert WaveformSet(path).metadata["trace_name"].nunique() == 40
    assert copy.read_bytes() == whole
    assert table_cache.load_table(path, "other key") is None


def test_small_sets_have_no_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cache, "MIN_ROWS", 41)
    assert not (write_set(tmp_path / "small").path / table_cache.FILE_NAME).exists()


def test_a_folder_that_cannot_be_written_keeps_the_table_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = write_set(tmp_path / "set")
    (expected.path / table_cache.FILE_NAME).unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    waveform_set = WaveformSet(expected.path)
    assert not (expected.path / table_cache.FILE_NAME).exists()
    pd.testing.assert_frame_equal(waveform_set.metadata, expected.metadata)
    other = pickle.loads(pickle.dumps(waveform_set))
    np.testing.assert_array_equal(np.stack(other.read_event("ev003").waveforms), event_waveforms(3))


def test_rows_and_columns_are_those_of_the_whole_table(tmp_path: Path) -> None:
    waveform_set = write_set(tmp_path / "set").with_columns({"trace_extra": np.arange(40.0)})
    table, whole = waveform_set.table, waveform_set.metadata
    assert table.columns == list(whole) and len(table) == len(whole) and "trace_extra" in table
    rows = np.array([7, 0, 39, 7])
    for chosen in (rows, rows - 40, slice(3, 30, 4), np.arange(40) % 3 == 0):
        pd.testing.assert_frame_equal(table.iloc[chosen], whole.iloc[chosen], check_index_type=False)
    pd.testing.assert_series_equal(table.iloc[5], whole.iloc[5])
    pd.testing.assert_series_equal(table["station_code"], whole["station_code"])
    with pytest.raises(IndexError):
        table.iloc[np.array([40])]
    with pytest.raises(KeyError):
        table["nothing"]


def test_a_table_is_asked_as_one_of_pandas_is(tmp_path: Path) -> None:
    waveform_set = write_set(tmp_path / "set")
    table, whole = waveform_set.table, waveform_set.metadata
    mask = whole["source_id"] == whole["source_id"].iloc[2]
    for ours, theirs in (
        (table[mask], whole[mask]),
        (table[mask.to_numpy()], whole[mask]),
        (table[["source_id"]], whole[["source_id"]]),
        (table.iloc[::-1], whole.iloc[::-1]),
        (table.loc[[1, 3]], whole.loc[[1, 3]]),
        (table.groupby("source_id").size(), whole.groupby("source_id").size()),
    ):
        assert ours.equals(theirs)
    with pytest.raises(AttributeError):
        _ = table.no_such_thing


def test_a_column_of_several_types_comes_back_as_it_was() -> None:
    column = pd.Series(["1", 1, 1.0, True, None, float("nan"), "é\n"], dtype=object)
    packed = Column.of(column)
    assert packed is not None
    cells = packed.series(column.index).tolist()
    assert [type(cell) for cell in cells] == [type(cell) for cell in column.tolist()]
    assert [str(cell) for cell in cells] == [str(cell) for cell in column.tolist()]
    assert Column.of(pd.Series([["a"], ["b"]])) is None


def open_and_sum(path: Path) -> float:
    waveform_set = WaveformSet(path)
    return float(waveform_set.metadata["trace_onset_s"].sum()) + len(waveform_set.source_ids)


def test_processes_that_make_the_copy_at_once(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set").path
    expected = open_and_sum(path)
    (path / table_cache.FILE_NAME).unlink()
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert pool.map(open_and_sum, [path] * 9, chunksize=1) == [expected] * 9
    assert sorted(item.name for item in path.iterdir() if item.name.startswith(".")) == [table_cache.FILE_NAME]


def first_samples(waveform_set: WaveformSet) -> float:
    """In a worker: what it reads; the arrays of the table are those of the file and nobody's copy."""
    mapped = [getattr(waveform_set, name) for name in OF_THE_TABLE if not name.endswith(("ts", "rs", "ids"))]
    assert all(lies_in_a_file(array) for array in mapped)
    return float(np.sum(waveform_set.read_event("ev005").waveforms))


def lies_in_a_file(array: np.ndarray) -> bool:
    base: Any = array
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    return isinstance(base, np.memmap)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_map_the_copy_and_are_sent_nothing(tmp_path: Path, method: str) -> None:
    path = write_set(tmp_path / "set").path
    waveform_set = WaveformSet(path)
    assert b"ev005" not in pickle.dumps(waveform_set) and len(pickle.dumps(waveform_set)) < 3000
    expected = first_samples(waveform_set)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(first_samples, (waveform_set,)) == expected


def test_a_set_that_is_replaced_while_it_is_open(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set").path
    waveform_set, unread = WaveformSet(path), WaveformSet(path)
    expected = first_samples(waveform_set)
    sent = pickle.dumps(waveform_set)
    write_set(path, 3, overwrite=True)
    assert first_samples(waveform_set) == expected and len(waveform_set.metadata) == 40
    with pytest.raises(DataError, match="changed or replaced while it was in use; start the command again"):
        pickle.loads(sent)
    with pytest.raises(DataError, match=r"waveforms\.hdf5 was replaced while"):
        unread.read_event("ev005")


def test_a_copy_that_is_removed_while_it_is_in_use_is_made_again(tmp_path: Path) -> None:
    path = write_set(tmp_path / "set").path
    sent = pickle.dumps(WaveformSet(path))
    (path / table_cache.FILE_NAME).unlink()
    assert first_samples(pickle.loads(sent)) and (path / table_cache.FILE_NAME).is_file()


def test_a_small_set_that_was_edited_after_it_was_sent_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cache, "MIN_ROWS", 10**6)
    sent = pickle.loads(pickle.dumps(write_set(tmp_path / "set")))
    assert len(sent.table) == len(sent.metadata)
    again = pickle.loads(pickle.dumps(sent))
    path = tmp_path / "set" / "metadata.csv"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(DataError, match="was changed or replaced"):
        _ = again.table


def test_added_columns_go_with_rows_however_these_are_told() -> None:
    table = TraceTable(pd.DataFrame({"station_code": list("abc")})).with_columns({"trace_extra": np.arange(3.0)})
    for rows in (np.array([]), (2, 1), [0, 2], np.array([2.0]), np.array([True, False, True])):
        numbers = [0, 2] if len(rows) == 3 else [int(row) for row in rows]
        assert table.iloc[rows]["trace_extra"].tolist() == numbers
    with pytest.raises(IndexError, match="rows 3 to 3 of a table of 3"):
        table.iloc[[3]]
