"""A changed bit of a checkpoint is found by whatever reads it; those of earlier versions still open."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from edited_sets import evaluate

from seisvision.errors import CheckpointError
from seisvision.experiments.supervised.explain_stored import explain_stored
from seisvision.experiments.waveforms.offsets import predict_offsets
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import RunFolder
from seisvision.records.integrity.seals import SEAL, content_hash
from seisvision.runs.ensure import ensure_run


def flip(path: Path, place: int, bit: int = 3) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(bytes(content))


def place_of_weights(path: Path, name: str = "model.maps.weight") -> int:
    """Where in the file a weight lies."""
    weight = torch.load(path, weights_only=True)["state_dict"][name]
    return path.read_bytes().index(weight.numpy().tobytes()) + 5


READERS: dict[str, Callable[[RunFolder, Path, Path], Any]] = {
    "evaluate": lambda run, data_dir, out: evaluate(data_dir, out, run.path),
    "ensemble": lambda run, data_dir, out: evaluate(
        data_dir, out, f"[{run.path},{run.best_checkpoint.parent}/twin.ckpt]"
    ),
    "explain": lambda run, data_dir, out: explain_stored(
        run, {"method": "gradcam", "samples": 2, "layer": None}, "test"
    ),
    "offset_ckpt": lambda run, data_dir, out: predict_offsets(None, run.best_checkpoint),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("reader", READERS)
def test_a_flipped_bit_of_the_weights_is_found_by(
    reader: str, finished: RunFolder, copy_of: Callable[[RunFolder], RunFolder], data_dir: Path, tmp_path: Path
) -> None:
    run = copy_of(finished)
    shutil.copy(run.best_checkpoint, run.best_checkpoint.with_name("twin.ckpt"))
    flip(run.best_checkpoint, place_of_weights(run.best_checkpoint))
    with pytest.raises(CheckpointError, match=r"best\.ckpt is damaged: it was changed after it was written .*CRC-32"):
        READERS[reader](run, data_dir, tmp_path)


@pytest.mark.parametrize("name", ["last.ckpt", "best.ckpt"])
def test_a_flipped_bit_is_found_before_a_run_goes_on(
    name: str, interrupted: RunFolder, copy_of: Callable[[RunFolder], RunFolder], small: Callable, tmp_path: Path
) -> None:
    run = copy_of(interrupted)
    flip(run.checkpoints / name, place_of_weights(run.checkpoints / name))
    with pytest.raises(CheckpointError, match=rf"{name} is damaged.*Delete .*starts this run from its beginning"):
        ensure_run(small(tmp_path), [])


def test_wherever_a_bit_is_flipped_nothing_else_is_read(finished: RunFolder, tmp_path: Path) -> None:
    """Padding between the entries means nothing; all else is either refused or leaves what is read as it was."""
    path, rng = tmp_path / "one.ckpt", random.Random(4)
    whole = content_hash(load_checkpoint(finished.best_checkpoint))
    size, refused = finished.best_checkpoint.stat().st_size, 0
    for _ in range(60):
        shutil.copy(finished.best_checkpoint, path)
        flip(path, rng.randrange(size), rng.randrange(8))
        try:
            assert content_hash(load_checkpoint(path)) == whole
        except CheckpointError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize(
    "edit",
    [
        lambda checkpoint: checkpoint["state_dict"]["model.maps.weight"].add_(1e-3),
        lambda checkpoint: checkpoint["seisvision"]["split"]["test"].pop(),
        lambda checkpoint: checkpoint["seisvision"].update(data_fingerprint="0" * 12),
    ],
    ids=["weights", "split", "fingerprint"],
)
def test_what_was_loaded_changed_and_saved_again_is_refused(
    edit: Callable, finished: RunFolder, tmp_path: Path
) -> None:
    checkpoint = torch.load(finished.best_checkpoint, weights_only=True)
    edit(checkpoint)
    torch.save(checkpoint, tmp_path / "edited.ckpt")
    with pytest.raises(CheckpointError, match="SHA-256"):
        load_checkpoint(tmp_path / "edited.ckpt")


def test_a_copy_carries_its_checksum(finished: RunFolder, tmp_path: Path) -> None:
    shutil.copy(finished.best_checkpoint, tmp_path / "elsewhere.ckpt")
    assert SEAL in load_checkpoint(tmp_path / "elsewhere.ckpt")


def test_checkpoints_of_earlier_versions_open_and_their_bits_are_checked(finished: RunFolder, tmp_path: Path) -> None:
    checkpoint = torch.load(finished.best_checkpoint, weights_only=True)
    del checkpoint[SEAL]
    path = tmp_path / "earlier.ckpt"
    torch.save(checkpoint, path)
    assert load_checkpoint(path)["seisvision"]["run_id"] == finished.run_id
    flip(path, place_of_weights(path))
    with pytest.raises(CheckpointError, match="CRC-32"):
        load_checkpoint(path)


def test_the_hash_tells_values_apart() -> None:
    def of(value: Any) -> str:
        return content_hash({"state_dict": {"a": value}, "seisvision": {}})

    values = [
        torch.zeros(2), torch.zeros(1, 2), torch.zeros(2, dtype=torch.float64), torch.tensor(0.0), 0, 0.0, "0", None,
        [0], [[0]], [], {}, {"b": 0}, True, torch.zeros(2, dtype=torch.bfloat16), torch.zeros(0),
    ]  # fmt: skip
    assert len({of(value) for value in values}) == len(values)
    grid = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert of(grid) == of(grid.to(memory_format=torch.channels_last)) == of(grid.clone())


def test_empty_arrays_and_values_that_were_expanded_have_a_hash() -> None:
    # As a set without one origin time has them among its known events: numpy gives empty arrays a stride of 0.
    empty, one = torch.from_numpy(np.zeros(0, np.int64)), torch.tensor(7).expand(1)
    assert empty.stride() == one.stride() == (0,)
    for strange, plain in ((empty, torch.zeros(0, dtype=torch.int64)), (one, torch.tensor([7]))):
        hashes = {content_hash({"state_dict": {}, "seisvision": {"known": value}}) for value in (strange, plain)}
        assert len(hashes) == 1
