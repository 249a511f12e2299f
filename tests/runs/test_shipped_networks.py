"""Small networks that come with the package: they open anywhere by name, answer, and say what they are worth."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seisvision.api.networks import Network, Picker, load
from seisvision.errors import CheckpointError
from seisvision.experiments.supervised.exporting import without_machine
from seisvision.experiments.supervised.model_card import SYNTHETIC_EVENTS
from seisvision.records.checkpoint import SHIPPED, find_checkpoint, load_checkpoint, shipped_networks
from seisvision.records.known_events import KnownEvents, seen_in


@pytest.mark.parametrize("name", shipped_networks())
def test_it_is_small_has_a_card_and_names_no_machine(name: str) -> None:
    path = SHIPPED / f"{name}.ckpt"
    assert path.stat().st_size < 1_000_000
    card = path.with_suffix(".md").read_text()
    assert "## Measured" in card and "## On recordings" in card and "not stated:" not in card
    with zipfile.ZipFile(path) as archive:
        content = archive.read(next(one for one in archive.namelist() if one.endswith("data.pkl")))
    assert not any(word in content for word in (b"/home", b"/work", b"/root", b"/tmp"))


@pytest.mark.parametrize("name", shipped_networks())
def test_it_says_that_it_has_seen_no_recorded_event(name: str) -> None:
    content = load_checkpoint(SHIPPED / f"{name}.ckpt")["seisvision"]
    known = KnownEvents.of_checkpoint(content)
    recorded: Any = SimpleNamespace(source_ids=["nc71112909"], fingerprint="another")
    assert seen_in(recorded, [known]).describe("mark") == {
        "handling": "mark", "trained_on": 0, "validated_on": 0, "found_by": {}
    }  # fmt: skip
    made_alike: Any = SimpleNamespace(source_ids=content["split"]["train"], fingerprint="another")
    assert seen_in(made_alike, [known]).describe("mark") == "unknown"
    beside = content["config"] | {"dataset": content["config"]["dataset"] | {"beside": {"recorded": {}}}}
    assert seen_in(recorded, [KnownEvents.of_checkpoint(content | {"config": beside})]).n_unknown == 1
    assert SYNTHETIC_EVENTS in (SHIPPED / f"{name}.md").read_text()


def test_a_picker_finds_an_arrival_where_nothing_else_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from obspy import Stream, Trace, UTCDateTime

    monkeypatch.chdir(tmp_path)
    network = load("pick-small")
    assert isinstance(network, Picker)
    draws, time_s = np.random.default_rng(0), np.arange(6000) / 100
    pulse = np.where(time_s > 30, 50 * np.exp(-(time_s - 30) / 2) * np.sin(2 * np.pi * 6 * (time_s - 30)), 0)
    about = {"network": "XX", "station": "AA", "sampling_rate": 100, "starttime": UTCDateTime(2020, 1, 1)}
    recorded = [Trace(pulse * (2 if code == "Z" else 0.5) + draws.normal(size=6000), about | {"channel": f"HH{code}"})
                for code in "ENZ"]  # fmt: skip
    picks = network.predict(Stream(recorded)).table
    late_s = (picks["time"] - pd.Timestamp("2020-01-01T00:00:30", tz="UTC")).dt.total_seconds()
    assert late_s.abs().min() < 0.5


def test_a_distance_is_told_of_arrays() -> None:
    network = load("distance-small")
    assert isinstance(network, Network)
    waveforms = np.random.default_rng(0).normal(size=(2, 3, 1500)).astype("float32")
    table = network.predict(waveforms, sampling_rate_hz=50, components="ZNE", onset_s=[5.0, 6.0]).table
    assert table["offset_prediction"].between(0, 100).all()


def test_what_is_called_so_here_comes_first_and_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("pick-small").parent == SHIPPED
    Path("pick-small").write_bytes(b"")
    assert find_checkpoint("pick-small") == Path("pick-small")
    with pytest.raises(CheckpointError, match="distance-small, pick-small"):
        find_checkpoint("pick-large")


def test_stored_settings_travel_without_folders() -> None:
    config = {
        "logger": {"wandb": {}},
        "system": {"data_dir": "/home/a/data", "runs_dir": "/home/a/runs", "scratch": "/fast"},
        "init_from": "/home/a/runs/x/best.ckpt",
    }
    assert without_machine(config) == {
        "logger": {}, "system": {"data_dir": "data", "runs_dir": "runs"}, "init_from": "best.ckpt",
    }  # fmt: skip
