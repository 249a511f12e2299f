"""Further sets to train with: what is refused, what names the run, and which of their events are left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tiny_runs import plain_config

from seisvision.data.samples.window import Window
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.split import Split
from seisvision.data.synthesis_local.source import LocalSyntheticSource
from seisvision.errors import ConfigurationError
from seisvision.experiments.waveforms.network import build_view
from seisvision.experiments.waveforms.sets.beside import _check_stations, _held_out, check_beside, superposition_of
from seisvision.experiments.waveforms.settings import Settings
from seisvision.records.identity import run_identity, scientific_part
from seisvision.records.words.composing import compose_experiment

MIXED = ("experiment=pick_mixed",)
DISTANCE = {"name": "distance", "_target_": "seisvision.outputs.ScalarOutput"}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ([*MIXED, "dataset.beside.synthetic.share=1.0"], "dataset.beside.synthetic.share=1.0 is not allowed"),
        ([*MIXED, "dataset.beside.synthetic.share=null"], "share=None is not allowed"),
        (
            [*MIXED, "+dataset@dataset.beside.more=ncedc_picks", "+dataset.beside.more.share=0.3"],
            "shares of dataset.beside add to 1.05",
        ),
    ],
)
def test_shares_that_are_not_allowed(overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_beside(Settings.of(plain_config(overrides)))


def test_clusters_are_found_in_one_set() -> None:
    config = replace(Settings.of(plain_config([*MIXED])), task={"_target_": "seisvision.tasks.DeepClusterTask"})
    with pytest.raises(ConfigurationError, match="numbers the samples of one set"):
        check_beside(config)


def test_superposition_needs_windows_that_are_drawn_anew() -> None:
    asked = [*MIXED, "dataset.superpose={probability: 0.3}"]
    config = Settings.of(plain_config(asked))
    view = build_view(config.view)
    found = superposition_of(config, view)
    assert found is not None and found.probability == 0.3
    fixed = Settings.of(plain_config([*asked, "dataset.traces.window.redrawn=false"]))
    with pytest.raises(ConfigurationError, match="redrawn=true"):
        superposition_of(fixed, view)
    with pytest.raises(ConfigurationError, match="output 'distance' would be told nothing"):
        superposition_of(replace(config, task={"outputs": [DISTANCE]}), view)
    with pytest.raises(ConfigurationError, match="no setting 'probabilty'"):
        superposition_of(Settings.of(plain_config([*MIXED, "dataset.superpose={probabilty: 0.3}"])), view)


def test_what_is_beside_names_the_run_by_its_content() -> None:
    def name(fingerprint: str, *overrides: str) -> str:
        config = plain_config([*MIXED, *overrides])
        config["dataset"]["beside"]["synthetic"]["fingerprint"] = fingerprint
        return run_identity(scientific_part(config, "own"))

    assert name("a") == name("a", "+dataset.beside.synthetic.source.processes=3")
    assert name("a") != name("b")
    assert name("a") != name("a", "dataset.beside.synthetic.share=0.5")


@pytest.mark.parametrize(
    ("experiment", "run_id"), [("pick_mixed", "740c0c5552"), ("demo", "64ac63d473"), ("offset_pnw", "a338179c2a")]
)
def test_ids_of_experiments_that_stand_stay(experiment: str, run_id: str) -> None:
    config = compose_experiment([f"experiment={experiment}"])
    for beside in (config["dataset"].get("beside") or {}).values():
        beside["fingerprint"] = "x"
    assert run_identity(scientific_part(config, "f")) == run_id


def test_events_of_validation_are_found_in_the_other_set(tmp_path: Path) -> None:
    own = WaveformSet(LocalSyntheticSource(n_events=4, n_stations=[2, 2], length_s=20.0).prepare(tmp_path))
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    for file in own.path.iterdir():
        (renamed / file.name).write_bytes(file.read_bytes())
    table = pd.read_csv(renamed / "metadata.csv")
    table["source_id"] = "other-" + table["source_id"]
    table.to_csv(renamed / "metadata.csv", index=False)
    events = own.source_ids
    split = Split({"train": tuple(events[:2]), "val": (events[2],), "test": (events[3],)})
    data = EventDataModule(own, split, samples={"window": Window("trace", 0.0, 10.0)}, unit="trace")
    assert _held_out(data, WaveformSet(renamed)) == {f"other-{name}" for name in events[2:]}
    everything = Split({"train": tuple(events)}, "event")
    same_stations = EventDataModule(own, everything, samples={"window": Window("trace", 0.0, 10.0)}, unit="trace")
    with pytest.raises(ConfigurationError, match=r"stations that split\.by=station holds out"):
        _check_stations("more", same_stations, data)
