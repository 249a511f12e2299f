import csv
import io
import math
import sys

import pytest

from seisvision.errors import ConfigurationError
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import (
    ResultRow,
    RunRow,
    architecture_table,
    fold_columns,
    format_measure,
    format_named,
    format_seconds,
    render_table,
    results_table,
)

NETWORK = ResultRow(
    "resnet18",
    {
        "accuracy": Measure.proportion(162, 177),
        "balanced_accuracy": Measure(0.9, 0.86, 0.94, 177),
        "roc_auc": Measure(0.961, 0.93, 0.98, 177),
        "cross_entropy": Measure(math.nan),
    },
)
EXPERT = ResultRow("physics", note="start_s is not known")


def test_text_table_shows_counts_intervals_and_reasons() -> None:
    lines = results_table([NETWORK, EXPERT]).splitlines()
    assert lines[2].split("  ")[0] == "resnet18"
    for part in ("177", "91.5 % [86.5, 94.8]", "90.0 % [86.0, 94.0]", "0.961 [0.930, 0.980]"):
        assert part in lines[2]
    assert lines[3].startswith("physics") and lines[3].endswith("start_s is not known")
    accuracy = lines[0].index("accuracy")
    assert lines[2][accuracy:].startswith("91.5 %") and lines[3][accuracy:].startswith("- ")


def test_rows_keep_their_order() -> None:
    names = [line.split("  ")[0] for line in results_table([EXPERT, NETWORK]).splitlines()[2:]]
    assert names == ["physics", "resnet18"]


def test_markdown_shows_names_from_data_as_they_are() -> None:
    table = results_table([ResultRow("a|b\n<script>_x_</script>")], "markdown")
    lines = table.splitlines()
    assert len(lines) == 3
    assert r"a\|b &lt;script&gt;\_x\_&lt;/script&gt;" in lines[2]
    assert {line.replace(r"\|", "").count("|") for line in lines} == {7}


def test_csv_keeps_full_precision_and_leaves_undefined_values_empty() -> None:
    rows = list(csv.DictReader(io.StringIO(results_table([NETWORK, EXPERT], "csv"))))
    assert float(rows[0]["accuracy"]) == 162 / 177 and rows[0]["accuracy_n"] == "177"
    assert float(rows[0]["accuracy_low"]) == NETWORK.measures["accuracy"].low
    assert rows[0]["cross_entropy"] == "" and rows[1]["accuracy"] == ""
    assert rows[1]["note"] == "start_s is not known"


def test_architecture_table_shows_counts_parameters_and_folders() -> None:
    rows = [
        RunRow(
            "resnet50", 23_512_130, Measure.proportion(185, 213), Measure.proportion(162, 177), 605.4, "runs/a/1234"
        ),
        RunRow("resnet18", 11_177_538, Measure.proportion(177, 213)),
    ]
    lines = architecture_table(rows).splitlines()
    for part in (
        "resnet50",
        "23,512,130",
        "185/213 = 86.9 % [81.7, 90.7]",
        "162/177 = 91.5 %",
        "10 min 05 s",
        "runs/a/1234",
    ):
        assert part in lines[2]
    assert lines[3].startswith("resnet18")
    assert "test accuracy" not in architecture_table(rows[1:])
    records = list(csv.DictReader(io.StringIO(architecture_table(rows, "csv"))))
    assert records[0]["test_accuracy_n"] == "177" and records[1]["test_accuracy"] == records[1]["seconds"] == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(math.nan, "-"), (42.4, "42 s"), (59.9, "1 min 00 s"), (185, "3 min 05 s"), (7800, "2 h 10 min")],
)
def test_seconds_are_readable(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'markdown'"):
        results_table([NETWORK], "markdow")  # type: ignore[arg-type]


def test_tables_of_other_kinds_show_their_own_columns() -> None:
    columns = {"acc_tol_rel0.10_abs10km": "within 10% or 10 km", "median_ae_km": "median error (km)", "r2": "R²"}
    network = ResultRow(
        "alexnet",
        {
            "acc_tol_rel0.10_abs10km": Measure(0.92, 0.9, 0.94, 4000),
            "median_ae_km": Measure(256.4, 240.0, 270.0, 4000),
            "r2": Measure(0.7612, 0.7, 0.8, 4000),
        },
    )
    lines = results_table([network], columns=columns).splitlines()
    assert [name for name in columns.values() if name not in lines[0]] == []
    for part in ("4000", "92.0 % [90.0, 94.0]", "256.4 [240.0, 270.0]", "0.761 [0.700, 0.800]"):
        assert part in lines[2]
    record = next(csv.DictReader(io.StringIO(results_table([network], "csv", columns=columns))))
    assert record["median_ae_km_high"] == "270.0" and "accuracy" not in record


def test_runs_can_be_compared_by_any_measure() -> None:
    rows = [RunRow("alexnet", 57_007_937, Measure(256.4, 240.0, 270.0, 400), None, 10.0)]
    lines = architecture_table(rows, measure="median_ae_km", heading="median error").splitlines()
    assert "val median error" in lines[0] and "256.4 [240.0, 270.0] km" in lines[2]
    record = next(csv.DictReader(io.StringIO(architecture_table(rows, "csv", measure="median_ae_km"))))
    assert record["val_median_ae_km"] == "256.4" and record["test_median_ae_km"] == ""
    assert format_named("acc_tol_15deg", Measure.proportion(9, 10)).startswith("9/10 = 90.0 %")
    assert format_named("median_ae_deg", None) == format_measure(None) == "-"


def test_columns_that_a_terminal_has_no_room_for_stand_below() -> None:
    lines = [
        ["", "accuracy", "note"],
        ["forest", "93.2 % [81.8, 97.7]", "this network minus this: +2.3 % [-9.8, 14.3]"],
    ]
    wide, narrow = fold_columns(lines, None), fold_columns(lines, 60)
    assert max(map(len, wide.splitlines())) > 60 >= max(map(len, narrow.splitlines()))
    above, below = narrow.split("\n\n")
    assert above.splitlines()[-1] == "forest  93.2 % [81.8, 97.7]"
    assert below.splitlines()[-1].startswith("forest  this network")
    assert len(fold_columns(lines, 5).split("\n\n")) == 2, "a column that fits nowhere stands by itself"


def test_tables_are_folded_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    head, body = ["name", *"abc"], [["x", *("long words " * 4 for _ in range(3))]]
    monkeypatch.setenv("COLUMNS", "80")
    assert len(render_table(head, body, "text").splitlines()) == 3
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert max(map(len, render_table(head, body, "text").splitlines())) <= 80
