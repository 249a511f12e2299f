"""Which value means which class: refused where it is not one, told where a class has few events or none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny_runs import ROOT, TINY, plain_config

from seisvision.data.samples.labels import check_labels, check_values, tell_rare_classes
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.sets.writer import WaveformSetWriter
from seisvision.errors import ConfigurationError
from seisvision.records.folder import read_json
from seisvision.runs.ensure import ensure_run

sys.path.insert(0, str(ROOT / "tests" / "data"))
from small_sets import event_waveforms, trace_row

REFUSED: dict[str, tuple[Any, str]] = {
    "a value in two classes": (
        {"quake": ["earthquake"], "blast": ["explosion", "earthquake"]},
        r"value 'earthquake' to two classes, 'quake' and 'blast'",
    ),
    "a number in two classes": ({"a": [1, 2], "b": ["2"]}, r"value '2' to two classes, 'a' and 'b'"),
    "an empty list": ({"quake": ["a"], "other": []}, r"other is empty.*Give its values, or leave it out"),
    "an empty first list": ({"quake": [], "other": ["a"]}, r"quake is empty"),
    "a word that is no list": ({"quake": "earthquake", "b": ["x"]}, r"must be a list.*\[earthquake\]"),
    "a value of nothing": ({"quake": [None], "b": ["x"]}, r"holds None.*quotes"),
    "yes and no": ({True: ["a"], False: ["b"]}, r"a class called True.*in quotes"),
    "null": ({None: ["a"], "b": ["b"]}, r"a class called None.*in quotes"),
    "text and numbers": ({"a": ["a"], 1: ["b"]}, r"names of text and numbers"),
    "a list of values": (["quake", "blast"], r"must name classes and the values"),
}


@pytest.mark.parametrize(("labels", "match"), REFUSED.values(), ids=REFUSED)
def test_labels_that_are_not_well_defined_are_refused(labels: Any, match: str) -> None:
    with pytest.raises(ConfigurationError, match=r"dataset\.labels\.source_type.*" + match):
        check_labels(labels, "source_type")


@pytest.mark.parametrize("labels", [{"a": ["x", "x"], "b": ["y"]}, {0: [0], 1: [1]}, {"a": [True], "b": [False]}])
def test_labels_that_are_well_defined_pass(labels: Any) -> None:
    check_labels(labels, "source_type")


@pytest.mark.parametrize(
    ("wanted", "held", "hint"),
    [
        ("Quake", "quake", "'Quake' is written 'quake' there"),
        ("not-reported", "not reported", "'not-reported' is written 'not reported' there"),
        ("1", "1.0", "'1' is written '1.0' there"),
        ("landslide", "quake", "holds: quake (3), nothing (1)"),
    ],
)
def test_a_class_that_the_set_does_not_have_is_refused_with_what_was_meant(wanted: str, held: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        check_values({"one": [wanted], "two": [held]}, "kind", [held, held, held, float("nan")], "here")
    assert "class 'one' of dataset.labels.kind" in str(error.value) and hint in str(error.value)


def test_a_value_that_no_event_has_is_told(caplog: pytest.LogCaptureFixture) -> None:
    check_values({"quake": ["eq", "EQ "], "blast": ["ex"]}, "kind", pd.Series(["eq", "ex"]), "here")
    assert "no event of here has the value 'EQ '. 'EQ ' is written 'eq' there." in caplog.text


def test_few_events_of_a_class_are_told_with_their_numbers(caplog: pytest.LogCaptureFixture) -> None:
    train = {"quake": 20, "slide": 1, "blast": 9}
    tell_rare_classes({"train": {"kind": train}, "val": {"kind": {"quake": 5, "slide": 2, "blast": 0}}}, "event")
    assert "Class 'slide' of kind has few events: 1 train, 2 val." in caplog.text
    assert "Class 'blast' of kind has few events: 9 train, 0 val; nothing is said of it on val." in caplog.text
    assert "quake" not in caplog.text


PARTS = {"train": ["quake"] * 4 + ["blast"] * 4 + ["slide"], "val": ["quake", "blast"], "test": ["quake"] * 3}


@pytest.fixture(scope="module")
def lopsided(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    """One class alone in the test part, another with a single event."""
    path = tmp_path_factory.mktemp("sets") / "lopsided"
    kinds = [(part, kind) for part, some in PARTS.items() for kind in some]
    with WaveformSetWriter(path, card={"name": "lopsided"}) as writer:
        for event, (part, kind) in enumerate(kinds):
            rows = [trace_row(event, station, source_type=kind, split=part) for station in range(3)]
            writer.add_event(rows, event_waveforms(event, 3))
    return WaveformSet(path)


def _config(waveform_set: WaveformSet, folder: Path, labels: str, *overrides: str) -> dict[str, Any]:
    tiny = [word for word in TINY if not word.startswith("dataset.source")]
    where = [f"dataset.source.path={waveform_set.path}", f"system.data_dir={folder}", f"system.runs_dir={folder}"]
    cut = ["dataset.samples.window.length_s=8", "view=local", "view.channels=[{component: Z, band_hz: [1, 5]}]"]
    bands = ["dataset.baselines.bands_hz=[[0.5,2],[2,8]]", f"dataset.labels.source_type={labels}"]
    return plain_config(["dataset=folder", "split.column=split", *tiny, *where, *cut, *bands, *overrides])


def test_a_run_measures_only_the_classes_that_are_there(
    lopsided: WaveformSet, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture
) -> None:
    labels = "{quake: [quake], blast: [blast], slide: [slide]}"
    folder = ensure_run(_config(lopsided, tmp_path, labels, "evaluation.baselines=true", "trainer.max_epochs=1"), [])
    assert "Class 'slide' of source_type has few events: 1 train, 0 val, 0 test" in caplog.text
    measured = read_json(folder.metrics_file)["test"]["source_type"]
    assert measured["recall_quake"]["n"] == 3 and measured["recall_slide"]["n"] == 0
    assert "nan" not in capsys.readouterr().out.lower()


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        ("{quake: [quake]}", "names one class, quake"),
        ("{quake: [quake, slide], blast: [blast, slide]}", "value 'slide' to two classes"),
        ("{quake: [QUAKE], blast: [blast]}", "'QUAKE' is written 'quake' there"),
        ("{quake: [quake], blast: []}", "blast is empty"),
    ],
)
def test_a_run_is_refused_before_it_starts(lopsided: WaveformSet, tmp_path: Path, labels: str, match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        ensure_run(_config(lopsided, tmp_path, labels), [])
