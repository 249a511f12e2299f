"""Tables that end within a line, as an interrupted copy leaves them, are refused or told: no half line is a row."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from seisvision.data.importing.tables.catalogue_table import events_from_table
from seisvision.data.importing.tables.pick_tables import table_picks
from seisvision.data.importing.tables.text_tables import read_table
from seisvision.errors import DataError

EVENTS = (
    "event_id,source_origin_time,source_latitude_deg,source_longitude_deg,remark\n"
    'a,2020-01-01T00:00:00,46.0,-121.3,"one"\nb,2020-01-02T00:00:00,46.0,-121.3,"two"'
)


def test_a_last_line_without_an_end_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(EVENTS)
    catalogue = events_from_table(path)
    assert len(catalogue.events) == 2
    assert any("line 3, the last, does not end" in note and "'b,2020-01-02" in note for note in catalogue.notes)
    path.write_text(EVENTS + "\n")
    assert not any("does not end" in note for note in events_from_table(path).notes)


@pytest.mark.parametrize("cut", [len('wo"'), len('"two"') + 5, len('"two"') + 20])
def test_a_line_that_lacks_cells_or_ends_within_quotes_is_no_row(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text(EVENTS[:-cut])
    catalogue = events_from_table(path)
    assert list(catalogue.events) == ["a"]
    table = read_table(path)
    assert len(table.rows) == 1 and "cut short?" in table.misfits[0][1]


def test_picks_cut_within_a_row_are_refused_and_within_the_last_cell_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, text = tmp_path / "picks.csv", "station,pick_time,phase\nAAA,2020-01-01T00:00:00,P\nBBB,2020-01-01T00:00:07,S"
    path.write_text(text[:-5])
    with pytest.raises(DataError, match=r"line 3, the last, does not end.*has 2 cells.*Get the file whole"):
        table_picks(path)
    path.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert len(table_picks(path)) == 2
    assert "picks.csv: line 3, the last, does not end" in caplog.text
    path.write_text(text[:-5] + "\n")
    assert len(table_picks(path)) == 2
