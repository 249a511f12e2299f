"""Classes told by a few examples, on events that are new to the network."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seisvision.data.splitting.splits import Split
from seisvision.errors import DataError
from seisvision.experiments.supervised.transfer import prototypes
from seisvision.records.known_events import Seen

EVENTS = [f"event{number}" for number in range(12)]
KINDS = ["quake", "blast"] * 6
TEST = EVENTS[8:]
IS_RIGHT = [True] * 8 + [True, True, False, False]
"""Whether the features of an event tell its kind; those of the last two lie about it."""


@pytest.fixture
def few_shots(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Asks about a run of twelve events, of which a network has seen some."""
    table = pd.DataFrame({"kind": KINDS}, index=EVENTS)
    samples = SimpleNamespace(sample_ids=EVENTS, ids=SimpleNamespace(source_ids=EVENTS))
    data = SimpleNamespace(
        parts={"test": samples}, unit="event", waveform_set=SimpleNamespace(event_table=lambda: table)
    )
    about = {"name": "kind", "target": "kind", "class_names": ["a", "b"]}
    config = {"system": {}, "dataset": {"labels": {"kind": {"a": ["quake"], "b": ["blast"]}}}}
    run: Any = SimpleNamespace(
        path=Path("run"), config=lambda: config, metrics_file=None, split_file=None, predictions_file=None
    )
    features = np.array(
        [[1.0 if (kind == "quake") is right else -1.0] for kind, right in zip(KINDS, IS_RIGHT, strict=True)]
    )
    patched: dict[str, Any] = {
        "read_json": lambda _: {"outputs": [about]},
        "read_predictions": lambda *_: SimpleNamespace(sample_ids=TEST),
        "build_task": lambda *_: None,
        "network_features": lambda *_: features,
        "_hand_made": lambda *_: features,
    }
    for name, replaced in patched.items():
        monkeypatch.setattr(prototypes, name, replaced)
    monkeypatch.setattr(prototypes.SystemSettings, "of", lambda _: None)
    monkeypatch.setattr(Split, "load", lambda _: Split({"train": tuple(EVENTS[:8]), "test": tuple(TEST)}))

    def ask(seen: list[str]) -> Any:
        def ask_network(path: Path, asked: Any) -> Any:
            known = Seen(dict.fromkeys(seen, "train"))
            # Were they left out of the set, events of which examples are drawn would be missing too.
            assert asked.training_events != "leave_out"
            task = SimpleNamespace(view=None)
            return SimpleNamespace(data=data, task=task, config=None, seen=known)

        monkeypatch.setattr(prototypes, "ask_network", ask_network)
        return prototypes.few_shots(Path("net"), run, [2], 3)

    return ask


def test_events_that_the_network_has_learnt_from_are_left_out_for_all_features(few_shots: Any) -> None:
    told = few_shots([])
    assert told.n_seen == told.n_seen_examples == 0
    assert all((row.balanced_accuracy == 0.5).all() for row in told.rows) and len(told.rows) == 3
    told = few_shots([EVENTS[0], *TEST[2:]])
    assert (told.n_seen, told.n_seen_examples) == (2, 1)
    assert all((row.balanced_accuracy == 1.0).all() for row in told.rows)


def test_nothing_is_told_where_the_network_has_seen_all(few_shots: Any) -> None:
    with pytest.raises(DataError, match="nothing new is left"):
        few_shots(TEST)
