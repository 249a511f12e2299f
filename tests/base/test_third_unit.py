"""A unit that nobody thought of has its place: its samples are served, predicted, stored, read, paired and averaged."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from seisvision import keys
from seisvision.base.sample_ids import SampleIds
from seisvision.base.units import UNITS, Unit, register
from seisvision.data.serving.collate import collate_events
from seisvision.errors import ConfigurationError, DataError
from seisvision.experiments.supervised.prediction import ids_in_data_order
from seisvision.judging.baselines import kinds_of
from seisvision.outputs.averaging import average_predictions
from seisvision.outputs.numbers.predictions import ScalarPredictions
from seisvision.records.prediction_table import read_predictions, read_sample_ids, write_predictions

ABOUT = {
    "kind": "scalar",
    "name": "rate",
    "target": "event_rate",
    "unit": "km",
    "transform": "none",
    "tolerance_relative": 0.1,
    "tolerance_absolute": 1.0,
}


@pytest.fixture
def pair() -> Iterator[Unit]:
    """Two stations that recorded one event; pairs have names of their own and are no rows of any table."""
    yield register(Unit("pair", "station pairs", "pairs", "pair_id"))
    del UNITS["pair"]


def said(value: list[float], names: str = "abcd") -> ScalarPredictions:
    ids = SampleIds("pair", [f"{name}-{name.upper()}" for name in names], [f"ev{ord(name) % 2}" for name in names])
    decoded = np.full((len(names), 6), np.nan)
    decoded[:, 0] = value
    return ScalarPredictions.from_decoded(ABOUT, ids, np.array([10.0 * ord(name) for name in names]), decoded)


def test_predictions_come_back_from_their_table(pair: Unit, tmp_path: Path) -> None:
    path, first = tmp_path / "predictions.csv", said([1.5, 2.5, 3.5, 4.5])
    write_predictions(path, {"rate": first}, metadata=None, marks={"seen": ["", "", "x", ""]})
    with path.open() as lines:
        head, row, *_ = csv.reader(lines)
    assert head[:3] == ["source_id", "pair_id", "seen"] and row[:3] == ["ev1", "a-A", ""]
    back = read_predictions(path, ABOUT)
    assert back.ids == first.ids and back.ids.kind is pair and len(back.ids) == 4 and back.ids.n_events == 2
    assert back.decoded[:, 0].tolist() == [1.5, 2.5, 3.5, 4.5] and back.target.tolist() == first.target.tolist()
    assert read_sample_ids(path) == {"a-A", "b-B", "c-C", "d-D"}


def test_they_are_selected_paired_and_averaged(pair: Unit) -> None:
    first, other = said([970.0, 980.0, 990.0, 1000.0]), said([1000.0, 990.0, 975.0, 970.0], "dcba")
    assert first.select(["c-C", "a-A"]).ids == SampleIds("pair", ["c-C", "a-A"], ["ev1", "ev1"])
    mine, theirs = first.paired(other)
    assert mine.ids == theirs.ids and theirs.decoded[:, 0].tolist() == [970.0, 975.0, 990.0, 1000.0]
    assert first.difference(other)["n"] == 4
    mean = average_predictions([first, other])
    assert mean.ids == first.ids and mean.decoded[:, 0].tolist() == [970.0, 977.5, 990.0, 1000.0]
    assert ScalarPredictions.concatenate([said([1.0], "a"), said([2.0], "b")]).ids.unit == "pair"


def test_they_are_not_taken_for_events_of_the_same_names(pair: Unit) -> None:
    pairs = said([1.0, 2.0, 3.0, 4.0])
    events = ScalarPredictions.from_decoded(ABOUT, SampleIds.of_events(pairs.sample_ids), pairs.target, pairs.decoded)
    with pytest.raises(DataError, match="one on station pairs and one on events"):
        pairs.difference(events)
    with pytest.raises(DataError, match="station pairs and events cannot be averaged"):
        average_predictions([pairs, events])
    with pytest.raises(DataError, match="station pairs are not rows of the metadata table"):
        _ = pairs.ids.rows


def test_batches_carry_their_ids_to_the_order_of_the_data(pair: Unit) -> None:
    def sample(name: str) -> dict[str, Any]:
        return {
            keys.WAVEFORM: torch.zeros(2, 1, 8),
            keys.SAMPLING_RATE_HZ: 1.0,
            keys.SOURCE_ID: "ev0",
            "pair_id": name,
            keys.COUNTS: torch.tensor(name != "padding"),
            keys.TARGETS: {},
        }

    batches = [collate_events([sample("b"), sample("a")]), collate_events([sample("c"), sample("padding")])]
    loader: Any = SimpleNamespace(dataset=SimpleNamespace(ids=SampleIds("pair", ["a", "b", "c"], ["ev0"] * 3)))
    ids, rows = ids_in_data_order("pair", batches, loader)
    assert ids == loader.dataset.ids and rows == [1, 0, 2]


def test_what_only_events_and_traces_have_is_not_made_of_them(pair: Unit) -> None:
    assert kinds_of("pair", ABOUT) == ([], [])
    with pytest.raises(ConfigurationError, match="unit='pairs' is not known"):
        SampleIds("pairs", [], [])
