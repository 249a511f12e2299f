"""A set in the data folder is found by its name, with classes, windows and bands of its own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tiny_runs import ROOT

from seisvision.errors import ConfigurationError
from seisvision.records.words.composing import compose_experiment
from seisvision.records.words.own_sets import _classes, with_own_sets

LENGTHS = ["dataset.samples.window.length_s=30", "dataset.traces.window.length_s=30", "logger=csv"]
CONF = ROOT / "conf"


def own_set(data_dir: Path) -> None:
    (data_dir / "own2").mkdir()
    rows = ['e1,quake,50.0,"bucket0$0,:1,:2000"', 'e2,blast,50.0,"bucket0$1,:1,:1500"']
    header = "source_id,source_type,trace_sampling_rate_hz,trace_name"
    (data_dir / "own2" / "metadata.csv").write_text("\n".join([header, *rows]) + "\n")


def test_it_is_described_by_what_it_holds(tmp_path: Path) -> None:
    own_set(tmp_path)
    words = ["dataset=own2", "logger=csv", f"system.data_dir={tmp_path}"]
    dataset = compose_experiment([*words, "dataset.traces.window.length_s=12"])["dataset"]
    assert dataset["labels"] == {"source_type": {"blast": ["blast"], "quake": ["quake"]}}
    assert dataset["source"]["path"] == dataset["name"] == "own2"
    assert dataset["samples"]["window"]["length_s"] == 30 and dataset["traces"]["window"]["length_s"] == 12
    assert dataset["baselines"]["bands_hz"][-1] == [7.5, 22.5]
    typed = compose_experiment([*words, "dataset.labels.source_type={event:[quake,blast]}"])["dataset"]["labels"]
    assert typed == {"source_type": {"event": ["quake", "blast"]}}


@pytest.mark.parametrize(
    ("types", "names"),
    [
        (["earthquake", "quarry blast"], ["earthquake", "quarry_blast"]),
        (["a b", "a_b", "a-b"], ["a_b_1", "a-b", "a_b"]),
        (["it's", "back\\slash", "end\\", "quo\\'te", "null", "1", "[x], {y}", "#", "Erdbeben, groß"], None),
    ],
    ids=["usgs", "alike", "odd"],
)
def test_classes_are_named_whatever_the_catalogue_calls_them(
    tmp_path: Path, types: list[str], names: list[str] | None
) -> None:
    """The search page of ComCat says ``quarry blast``."""
    (tmp_path / "own3").mkdir()
    table = pd.DataFrame({"source_id": types, "source_type": types})
    table.to_csv(tmp_path / "own3" / "metadata.csv", index=False)
    labels = compose_experiment(["dataset=own3", f"system.data_dir={tmp_path}", *LENGTHS])["dataset"]["labels"]
    found = labels["source_type"]
    assert sorted(value for values in found.values() for value in values) == sorted(types)
    assert names is None or sorted(found) == sorted(names)


def test_classes_that_nothing_tells_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "own4").mkdir()
    pd.DataFrame({"source_id": ["a", "b"]}).to_csv(tmp_path / "own4" / "metadata.csv", index=False)
    with pytest.raises(ConfigurationError, match=r"nothing says which there are.*dataset\.labels\.source_type="):
        compose_experiment(["dataset=own4", f"system.data_dir={tmp_path}", *LENGTHS])


def test_files_of_the_configuration_and_other_words_are_left_alone(tmp_path: Path) -> None:
    own_set(tmp_path)
    (tmp_path / "own2").rename(tmp_path / "mt_baker")
    words = ["dataset=mt_baker", "dataset=elsewhere", f"system.data_dir={tmp_path}"]
    assert with_own_sets(words, CONF) == words


@pytest.mark.parametrize(
    ("types", "classes"),
    [
        (["séisme", "tir de carrière"], ["seisme:['séisme']", "tir_de_carriere:['tir de carrière']"]),
        (["1", "3D"], ["1:[1]", "3D:[3D]"]),
        (["null", "quake"], ["class_null:['null']", "quake:['quake']"]),
    ],
)
def test_classes_of_other_alphabets_have_names_that_can_be_typed_and_plain_ones_stay(types, classes) -> None:
    assert _classes(types) == classes
