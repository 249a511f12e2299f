"""Samples that are left out are counted by reason, with the setting that lets them in."""

from __future__ import annotations

import logging

import pytest
from small_sets import write_set

from seisvision.data.samples.left_out import summary
from seisvision.data.samples.usability import refuse_nothing
from seisvision.data.samples.window import Window
from seisvision.data.serving.datamodule import EventDataModule
from seisvision.data.sets.waveform_set import WaveformSet
from seisvision.data.splitting.split import Split
from seisvision.errors import DataError


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> WaveformSet:
    return write_set(tmp_path_factory.mktemp("sets") / "small", 10)


@pytest.mark.parametrize(
    ("reason", "unit", "cure"),
    [
        ("fewer than 9 stations", "event", "set dataset.samples.min_stations"),
        ("no onset time", "trace", "set dataset.traces.onset, or another window.reference"),
        ("no origin time", "event", "set dataset.samples.window.reference"),
        ("no label: source_type=noise", "event", "set dataset.labels"),
        ("not selected: source_type=quake", "event", "set dataset.select"),
        ("the recording is shorter than the window", "trace", "set dataset.traces.window: length_s"),
    ],
)
def test_every_reason_comes_with_its_cure(reason: str, unit: str, cure: str) -> None:
    assert summary([reason] * 3, unit).startswith(f"3 x {reason} ({cure}")


def test_reasons_are_counted_by_kind_and_none_is_dropped() -> None:
    reasons = [f"no value within {n} s" for n in range(5)] + ["fewer than 2 stations"] * 9
    told = summary(reasons + [f"odd reason {chr(97 + n)}" for n in range(8)], "event")
    assert told.startswith("9 x fewer than 2 stations") and "1 x no value within 0 s and 4 alike" in told
    assert told.endswith("4 x other reasons")


def test_what_is_left_out_is_told_before_training(small: WaveformSet, caplog: pytest.LogCaptureFixture) -> None:
    split = Split({"train": tuple(small.source_ids)})
    targets = {"source_type": {"quake": 0}}
    with caplog.at_level(logging.WARNING):
        EventDataModule(small, split, samples={"window": Window(length_s=5.0), "targets": targets})
    assert "4 events of" in caplog.text and "4 x no label: source_type=blast (set dataset.labels" in caplog.text


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"min_stations": 9}, r"none of the 10 events .*: 10 x fewer than 9 stations \(set dataset\.samples\.min_st"),
        ({"select": {"source_type": ["slide"]}}, r"6 x not selected: source_type=quake \(set dataset\.select\); 4 x"),
        (
            {"unit": "trace"},
            r"none of the 40 traces .*: 40 x the recording is shorter than the window \(set data",
        ),
    ],
)
def test_a_set_of_which_nothing_is_left_says_why(small: WaveformSet, settings: dict, told: str) -> None:
    window = Window(length_s=60.0, reference="random", complete=True) if "unit" in settings else Window(length_s=5.0)
    with pytest.raises(DataError, match=told):
        refuse_nothing(small, samples={"window": window}, **settings)
