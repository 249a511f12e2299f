"""How familiar samples are: what is kept of them on the way, and which networks can be compared."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from seisvision import keys
from seisvision.experiments.supervised import familiar, shift


class Picture:
    unit = "event"

    def __call__(self, batch: dict[str, Any]) -> torch.Tensor:
        return batch[keys.WAVEFORM]


class Task(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model, self.view = nn.Linear(4, 3), Picture()
        self.outputs: list[Any] = []


def test_waveforms_go_when_their_features_are_there() -> None:
    task: Any = Task()
    waveforms: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    class Loader:
        dataset = SimpleNamespace(ids=SimpleNamespace(ids=["b", "a", "c"]))

        def __iter__(self) -> Iterator[dict[str, Any]]:
            for names, counts in ((["a", "b"], [True, True]), (["c", "a"], [True, False])):
                waveform = torch.randn(2, 4)
                waveforms.append(weakref.ref(waveform))
                yield {keys.WAVEFORM: waveform, keys.SOURCE_ID: names, keys.COUNTS: torch.tensor(counts)}
                del waveform
                alive.append(sum(one() is not None for one in waveforms))

    ids, features = familiar._features(task, Loader())
    assert ids.ids == ("b", "a", "c") and features.shape == (3, 3)
    # Only the loop itself still holds the batch at hand.
    assert alive == [1, 1] and all(one() is None for one in waveforms)


def test_folds_are_not_told_how_familiar_samples_are(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def network(*validation: str) -> Any:
        return SimpleNamespace(task=Task(), data=SimpleNamespace(parts={"val": SimpleNamespace(sample_ids=validation)}))

    monkeypatch.setattr(shift, "Familiarity", lambda own: len(own))
    assert shift._familiarity([network("a", "b"), network("b", "a")]) == 2
    with caplog.at_level(logging.WARNING):
        assert shift._familiarity([network("a", "b"), network("c", "d")]) is None
    assert "validated on different samples, as folds are" in caplog.text
