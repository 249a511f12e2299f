"""A set in the data folder is found by its name, with classes, windows and bands of its own."""

from __future__ import annotations

from pathlib import Path

from tiny_runs import ROOT

from seisvision.records.words.composing import compose_experiment
from seisvision.records.words.own_sets import with_own_sets

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


def test_files_of_the_configuration_and_other_words_are_left_alone(tmp_path: Path) -> None:
    own_set(tmp_path)
    (tmp_path / "own2").rename(tmp_path / "mt_baker")
    words = ["dataset=mt_baker", "dataset=elsewhere", f"system.data_dir={tmp_path}"]
    assert with_own_sets(words, CONF) == words
