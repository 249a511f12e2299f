"""Ids, texts among numbers and damaged tables of other programs: words for none make no event, nothing is guessed."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_sets import write_foreign

from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.split import Split
from seisvision.errors import DataError

SAMPLES = np.zeros((12, 3, 20), np.float32)


def write(path: Path, chunk: str = "", n: int = 4, **columns: object) -> Path:
    table = pd.DataFrame({"trace_name": [f"b${i},:3,:20" for i in range(n)], "trace_sampling_rate_hz": 20} | columns)
    return write_foreign(path, table, {"b": SAMPLES}, {"component_order": "ZNE", "dimension_order": "CW"}, chunk)


@pytest.mark.parametrize(
    "word", ["None", "nan", "NULL", "-", "--", " ", "NaN", "<NA>", "unknown", "-1", "#N/A", "none"]
)
def test_traces_without_an_event_are_not_one_event(tmp_path: Path, word: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        waveform_set = WaveformSet(write(tmp_path / "set", source_id=[word, "ev1", word, "ev1"]))
    assert waveform_set.source_ids == ["b$0", "ev1", "b$2"]
    assert not word.strip() or "2 traces name no event" in caplog.text


def test_names_with_commas_are_events_of_their_own(tmp_path: Path) -> None:
    table = pd.DataFrame({"trace_name": ["AAK,KN_1", "AAK,KN_2"], "trace_sampling_rate_hz": 20})
    write_foreign(tmp_path / "set", table, dict.fromkeys(table["trace_name"], SAMPLES[0]), {"component_order": "ZNE"})
    assert WaveformSet(tmp_path / "set").source_ids == ["AAK,KN_1", "AAK,KN_2"]


def test_one_number_in_two_spellings_is_one_event(tmp_path: Path) -> None:
    """A table with a gap spells its whole numbers with a decimal point."""
    write(tmp_path / "set", "0", source_id=[7, 7, 8, 9])
    write(tmp_path / "set", "1", source_id=[7, None, 8.0, 10])
    assert WaveformSet(tmp_path / "set").source_ids == ["7", "8", "9", "1/b$1", "10"]
    ids = ["007", "7", "1.5", "2.0"]
    assert WaveformSet(write(tmp_path / "own", source_id=ids)).source_ids == ids


def test_codes_stay_and_words_for_none_go(tmp_path: Path) -> None:
    columns = {
        "station_network_code": ["NA", "NA", "nan", "CX"],
        "station_code": ["NAN", "007", "None", "TRUE"],
        "station_location_code": ["00", "--", "", "10"],
        "source_type": ["quake", "None", "none", "NA"],
        "source_origin_time": ["2020-01-01T00:00:00", "NaT", "None", ""],
    }
    table = WaveformSet(write(tmp_path / "set", **columns)).metadata
    assert table[list(columns)].fillna("").to_dict("list") == {
        "station_network_code": ["NA", "NA", "", "CX"],
        "station_code": ["NAN", "007", "", "TRUE"],
        "station_location_code": ["00", "", "", "10"],
        "source_type": ["quake", "", "none", ""],
        "source_origin_time": ["2020-01-01T00:00:00", "", "", ""],
    }


def test_texts_among_numbers_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    columns = {
        "source_magnitude": ["3.1", "None", "", "2"],
        "source_depth_km": ["3,1", "2", "1", "4"],
        "trace_snr_db": ["[56.8 55.4 47.4]"] * 4,
    }
    with caplog.at_level(logging.WARNING):
        table = WaveformSet(write(tmp_path / "set", **columns)).metadata
    assert table["source_magnitude"].tolist()[::3] == [3.1, 2.0]
    assert "source_depth_km ('3,1' and so on, 1 rows)" in caplog.text and "trace_snr_db" in caplog.text
    assert "source_magnitude" not in caplog.text


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"trace_sampling_rate_hz": "100 Hz"}, "trace_sampling_rate_hz='100 Hz' is not a number"),
        ({"trace_dt_s": 0.01}, "contradict each other in 4 traces.*20 Hz, 0.01 s"),
        ({"trace_sampling_rate_hz": 0}, "4 traces have no positive sampling rate"),
    ],
)
def test_rates_that_contradict_are_refused(tmp_path: Path, columns: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        WaveformSet(write(tmp_path / "set", **columns))


def test_rates_of_traces_go_before_that_of_the_file_and_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "set", trace_sampling_rate_hz=[20, None, 40, None])
    write_foreign(
        path, pd.read_csv(path / "metadata.csv"), {"b": SAMPLES}, {"sampling_rate": "20", "component_order": "ZNE"}
    )
    with caplog.at_level(logging.WARNING):
        assert WaveformSet(path).metadata["trace_sampling_rate_hz"].tolist() == [20, 20, 40, 20]
    assert "1 of 4 traces have rates of their own" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_encodings_index_columns_and_repeated_columns(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "set")
    text = ",trace_name,source_id,source_id,station_name,trace_sampling_rate_hz\n0,b$0,e,e,Zürich,20\n"
    (path / "metadata.csv").write_text(text, encoding=encoding)
    table = WaveformSet(path).metadata
    assert table["station_name"].tolist() == ["Zürich"]
    assert list(table.columns)[:2] == ["trace_name", "source_id"] and "source_id.1" not in table
    (path / "metadata.csv").write_text(text.replace("e,e", "e,f"), encoding=encoding)
    with pytest.raises(DataError, match="2 columns 'source_id' that differ"):
        WaveformSet(path)


def test_split_words(tmp_path: Path) -> None:
    words = ["TRAIN", "training", "Dev", "validation", "Test", "testing ", "None", ""]
    table = WaveformSet(write(tmp_path / "set", n=8, split=words)).event_table()
    split = Split.from_column(table)
    assert split.parts == {"train": ("b$0", "b$1"), "val": ("b$2", "b$3"), "test": ("b$4", "b$5")}
    with pytest.raises(DataError, match=r"holds \['fold 3'\]; allowed: train, training"):
        Split.from_column(table.assign(split="Fold 3"))
