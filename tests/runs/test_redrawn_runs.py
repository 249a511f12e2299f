"""A run whose windows are redrawn every epoch ends as it would have, wherever it was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_runs import TINY, plain_config

from seisvision.data.serving.redrawn import RedrawnWindows
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import RunFolder, read_json
from seisvision.runs.ensure import ensure_run

REDRAWN = [
    *(word for word in TINY if not word.startswith("view.")),
    "dataset=synthetic_traces",
    "task=offset",
    "view=waveform",
    "view.n_samples=601",
    "model=convnetquake",
    "augment.time_shift_s=20",
    "dataset.source.lead_s=300",
    "dataset.source.length_s=2200",
    "dataset.traces.window.length_s=300",
    "dataset.traces.window.start_s=-60",
    "dataset.traces.window.jitter_s=30",
    "dataset.traces.window.redrawn=true",
    "dataset.traces.max_traces_per_event=2",
    "trainer.max_epochs=3",
    "system.num_threads=1",
]


def run(data_dir: Path, runs_dir: Path) -> RunFolder:
    return ensure_run(plain_config([*REDRAWN, f"system.data_dir={data_dir}", f"system.runs_dir={runs_dir}"]), [])


def outcome(folder: RunFolder) -> tuple[Any, pd.DataFrame, dict[str, torch.Tensor]]:
    return (
        read_json(folder.metrics_file)["test"],
        pd.read_csv(folder.history_file),
        load_checkpoint(folder.last_checkpoint)["state_dict"],
    )


def test_an_interrupted_run_with_redrawn_windows_ends_like_an_uninterrupted_one(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs: list[int] = []
    read = RedrawnWindows.__getitems__

    def interrupted(self: RedrawnWindows, numbers: Sequence[int]) -> list[dict[str, Any]]:
        epochs.append(numbers[0] // len(self))
        if epochs.count(1) == 2:
            raise KeyboardInterrupt
        return read(self, numbers)

    with monkeypatch.context() as patch:
        patch.setattr(RedrawnWindows, "__getitems__", interrupted)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            run(data_dir, tmp_path / "interrupted")
    assert set(epochs) == {0, 1} and epochs.count(0) > 2, "the second batch of the second epoch was the last"
    straight = run(data_dir, tmp_path / "straight")
    resumed = run(data_dir, tmp_path / "interrupted")
    assert resumed.run_id == straight.run_id and resumed.status()["attempts"] == 2
    (scores, history, weights), (wanted, wanted_history, wanted_weights) = outcome(resumed), outcome(straight)
    assert scores == wanted
    pd.testing.assert_frame_equal(history, wanted_history, check_exact=True)
    # The level of a view that has none is no number.
    torch.testing.assert_close(weights, wanted_weights, rtol=0, atol=0, equal_nan=True)
