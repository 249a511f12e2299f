"""A complete run of a second or two: a network of a few weights, so that many of them can be damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_runs import tiny_config

SMALL = [
    "~model",
    "+model._target_=model_of_ones_own.RequiredArguments",
    "+model.width=7",
    "trainer.max_epochs=3",
    "dataset.source.n_events=16",
]


def small_config(data_dir: Path, runs_dir: Path, *overrides: str) -> dict[str, Any]:
    """The tiny experiment with a network that is tiny too."""
    return tiny_config(data_dir, runs_dir, *SMALL, *overrides)
