"""Names from data are no formulas in a spreadsheet, come back as they were, and numbers stay numbers."""

from __future__ import annotations

import ast
import csv
import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import seisvision
from seisvision.base.sample_ids import SampleIds
from seisvision.data.fetching.request_log import RequestLog
from seisvision.data.importing.rejections import Rejection, write_rejections
from seisvision.data.samples.predicted_offsets import PredictedOffsets
from seisvision.data.splitting.split import Split
from seisvision.evaluation.tables import ResultRow, results_table
from seisvision.location.catalogue import read_observations, write_table
from seisvision.outputs.classes.predictions import ClassPredictions
from seisvision.records import tables
from seisvision.records.prediction_table import read_predictions, read_sample_ids, write_predictions
from seisvision.spreadsheets import DictReader, Reader, Writer, from_cell, to_cell

FORMULAS = ["=cmd|' /C calc'!A0", "+49", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", '=A1,"x"', "'=1"]  # noqa: RUF001
NAMES = ["ev1", "'", "''x", "-", "=", "000123", "-1.5", "+7", "-inf", "it's", "", "日本"]
UNSAFE = ("=", "+", "-", "@", "\t", "\r", "\n", "＝")  # noqa: RUF001
ABOUT = {"name": "kind", "kind": "class", "target": "source_type", "class_names": ["=1+1", "b"]}


def is_safe(cell: str) -> bool:
    """Whether a spreadsheet shows a cell and computes nothing."""
    try:
        return not cell.startswith(UNSAFE) or len(cell) == 1 or not math.isnan(float(cell))
    except ValueError:
        return False


def all_safe(text: str) -> bool:
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert any("'" in cell for cell in cells)
    return all(map(is_safe, cells))


@pytest.mark.parametrize("name", [*FORMULAS, *NAMES])
def test_a_name_comes_back_and_computes_nothing(name: str) -> None:
    assert from_cell(to_cell(name)) == name and is_safe(to_cell(name))
    assert from_cell(to_cell(to_cell(name))) == to_cell(name)


def test_different_names_stay_different_and_numbers_are_left_alone() -> None:
    many = [*FORMULAS, *NAMES, *(f"'{name}" for name in FORMULAS), *(f"''{name}" for name in FORMULAS)]
    assert len({to_cell(name) for name in many}) == len(set(many))
    for value in (-1.5, -3, np.float32(-2), "-1.5", "+7", "-1e-7", "-inf", None, True):
        assert to_cell(value) is value


def test_tables_of_every_kind_give_back_what_they_were_given(tmp_path: Path) -> None:
    formulas = [name for name in FORMULAS if name.strip() == name]
    split = Split({"train": tuple(formulas), "test": ("b",)})
    split.save(tmp_path / "split.csv")
    assert Split.load(tmp_path / "split.csv").parts == split.parts
    assert all_safe((tmp_path / "split.csv").read_text())

    offsets = PredictedOffsets(formulas, np.full(len(formulas), -1.5), np.ones(len(formulas)), formulas)
    offsets.write(tmp_path / "offsets.csv")
    back = PredictedOffsets.read(tmp_path / "offsets.csv")
    assert list(back.source_ids) == list(back.reasons) == formulas and (back.offset_km == -1.5).all()
    assert all_safe((tmp_path / "offsets.csv").read_text())

    tables.write_table(tmp_path / "table.csv", ["=head", "value"], [[name, -1.5] for name in formulas])
    read = tables.read_table(tmp_path / "table.csv")
    assert read.columns[0] == "=head" and read.rows == [[name, -1.5] for name in formulas]
    assert all_safe((tmp_path / "table.csv").read_text()) and ",-1.5\n" in (tmp_path / "table.csv").read_text()


def test_predictions_of_classes_and_events_called_like_formulas_come_back(tmp_path: Path) -> None:
    said = ClassPredictions.from_decoded(ABOUT, SampleIds.of_events(["=e", "-e"]), np.array([0, 1]), np.eye(2))
    path = tmp_path / "predictions.csv"
    write_predictions(path, {"kind": said})
    back = read_predictions(path, ABOUT)
    assert list(back.source_ids) == ["=e", "-e"] and back.target.tolist() == [0, 1]
    assert read_sample_ids(path) == {"=e", "-e"} and all_safe(path.read_text())


def test_lists_of_refusals_requests_results_and_places_compute_nothing(tmp_path: Path) -> None:
    write_rejections(tmp_path / "rejected.csv", [Rejection("s", "=f", "@t", "+e+", "read", "x", "-no", -1.5)])
    text = (tmp_path / "rejected.csv").read_text()
    assert all_safe(text) and ",-1.5" in text
    (tmp_path / "requests").mkdir()
    log = RequestLog(tmp_path / "requests")
    log._append({"request_id": "1", "server": "=s", "reason": "@r"})
    assert all_safe(log.path.read_text()) and log.rows()[0]["server"] == "=s"
    assert all_safe(results_table([ResultRow("=n", {}, "@note")], "csv"))
    seen = pd.DataFrame({"event_id": ["=e", "-e"], "station_id": ["+s", "@s"], "latitude_deg": [-1.5, 2.0]})
    write_table(seen, tmp_path / "seen.csv")
    assert all_safe((tmp_path / "seen.csv").read_text()) and ",-1.5" in (tmp_path / "seen.csv").read_text()


def test_an_observation_keeps_its_names(tmp_path: Path) -> None:
    head = "event_id,station_id,station_latitude_deg,station_longitude_deg,offset_km\n"
    (tmp_path / "obs.csv").write_text(f"{head}'=e,'+s-1,1,2,30\n'=e,b,1,3,40\nplain,c,2,3,40\n")
    table = read_observations(tmp_path / "obs.csv")
    assert table.event_id == ["=e", "plain"] and "+s-1" in table.table["station_id"].tolist()


def test_nobody_writes_csv_past_this_module() -> None:
    """Apart from tables of numbers whose names are this program's, and those of the format of waveform sets."""
    allowed = {"spreadsheets.py": ["csv.writer"], "runs/loggers/history.py": ["csv.writer"]}
    allowed |= {"data/sets/writer.py": ["to_csv"], "location/catalogue.py": ["to_csv"]}
    allowed |= {"data/corrections/corrected.py": ["to_csv"], "data/synthesis_local/continuous.py": ["to_csv"] * 4}
    # For the import, which takes names as they stand; and a method of this program's own.
    allowed |= {"api/recordings.py": ["to_csv"], "commands/runs/predict.py": ["to_csv"]}
    found: dict[str, list[str]] = {}
    package = Path(seisvision.__file__).parent
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            name = called if called in ("csv.writer", "csv.DictWriter", "np.savetxt") else called.rpartition(".")[2]
            if name in ("csv.writer", "csv.DictWriter", "np.savetxt", "to_csv"):
                found.setdefault(path.relative_to(package).as_posix(), []).append(name)
    assert found == allowed


def test_a_carriage_return_within_a_name_ends_no_line(tmp_path: Path) -> None:
    from seisvision.data.sets.waveform_set import WaveformSet
    from seisvision.data.sets.writer import WaveformSetWriter

    names = ["a\rb", "c\r", "\rd", "e\r\nf"]
    with WaveformSetWriter(tmp_path / "set", card={}) as writer:
        for name in names:
            row = {"source_id": name, "trace_\rcolumn": name, "trace_sampling_rate_hz": 20.0}
            writer.add_event([row], np.ones((1, 3, 4), dtype=np.float32))
    table, stripped = WaveformSet(tmp_path / "set").metadata, [name.strip() for name in names]
    assert table["source_id"].tolist() == stripped and table["trace_\rcolumn"].tolist() == names
    write_rejections(tmp_path / "rejected.csv", [Rejection("s", name, "", "", "read", "x", name) for name in names])
    with (tmp_path / "rejected.csv").open(newline="") as file:
        assert [row["file"] for row in DictReader(file)] == names
    write_table(pd.DataFrame({"event_id": names, "x": 1.5}), tmp_path / "table.csv")
    assert pd.read_csv(tmp_path / "table.csv")["event_id"].map(from_cell).tolist() == names
    with (tmp_path / "own.csv").open("w", newline="") as file:
        Writer(file).writerows([[name, 1] for name in names])
    with (tmp_path / "own.csv").open(newline="") as file:
        assert [row[0] for row in Reader(file)] == names
