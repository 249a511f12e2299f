"""What is stored stays whole when a disk fills up or the power goes."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import ROOT, tiny_config

sys.path.insert(0, str(ROOT / "tests"))

from failing_disk import FailingDisk

from seisvision.errors import CheckpointError, SeisvisionError
from seisvision.records.checkpoint import load_checkpoint
from seisvision.records.folder import FAILED, FINISHED, PENDING, STATUS_BYTES, RunFolder, write_json
from seisvision.runs import callbacks, terminal
from seisvision.runs.ensure import ensure_run, identify


def test_a_disk_that_fills_up_leaves_the_checkpoint_before(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(data_dir, tmp_path, "trainer.max_epochs=3", "evaluation.baselines=false")
    written: list[Path] = []

    def write(content: dict[str, Any], path: Path) -> None:
        """As the disk takes it: only half of what comes after the first epoch."""
        written.append(path)
        torch.save(content, path)
        if content["seisvision"]["epoch"] == 1:
            os.truncate(path, path.stat().st_size // 2)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "write_tensors", write)
        with pytest.raises(SeisvisionError, match=r"cannot be written: .*No space left on device"):
            ensure_run(config, [])
    folder = identify(config)
    assert folder.status()["state"] == FAILED and "No space left" in folder.status()["error"]
    assert load_checkpoint(folder.last_checkpoint)["seisvision"]["epoch"] == 0
    assert load_checkpoint(folder.best_checkpoint)["seisvision"]["epoch"] == 0
    assert len(written) >= 3 and sorted(path.name for path in folder.checkpoints.iterdir()) == [
        "best.ckpt",
        "last.ckpt",
    ]

    # A loss of power that damages what was stored is told with what to do about it.
    os.truncate(folder.last_checkpoint, 1000)
    with pytest.raises(CheckpointError, match=rf"Delete {folder.last_checkpoint}, and the same command starts"):
        ensure_run(config, [])
    folder.last_checkpoint.unlink()
    assert ensure_run(config, []).status()["state"] == FINISHED
    folder.status_file.write_text('{"state": "fini')
    with pytest.raises(SeisvisionError, match=r"status\.json cannot be read .* Delete that file; the same"):
        ensure_run(config, [])


def test_small_files_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.json"
    write_json(path, {"state": "running"})

    class FullDisk(io.TextIOWrapper):
        def writelines(self, texts: Iterable[str]) -> None:
            self.write("".join(texts)[:5])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(path: Path, mode: str = "r", **options: Any) -> Any:
        return FullDisk(io.FileIO(path, mode), "utf-8") if mode == "w" else open_as_ever(path, mode, **options)

    open_as_ever = Path.open
    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(OSError, match="No space left"):
        write_json(path, {"state": "finished"})
    assert path.read_text() == '{\n  "state": "running"\n}\n' and list(tmp_path.iterdir()) == [path]


def test_a_run_that_dies_right_after_a_checkpoint_misses_no_line_of_its_history(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCutError(Exception):
        pass

    def die_after_the_second(
        checkpoints: callbacks.WholeCheckpoints, checkpoint: dict, path: Path, **options: Any
    ) -> None:
        store(checkpoints, checkpoint, path, **options)
        if Path(path).name == "last.ckpt" and checkpoint["epoch"] == 1:
            raise PowerCutError

    store = callbacks.WholeCheckpoints.save_checkpoint
    straight = ensure_run(tiny_config(data_dir, tmp_path / "straight", "trainer.max_epochs=3"), [])
    config = tiny_config(data_dir, tmp_path / "cut", "trainer.max_epochs=3")
    with monkeypatch.context() as patched, pytest.raises(PowerCutError):
        patched.setattr(callbacks.WholeCheckpoints, "save_checkpoint", die_after_the_second)
        ensure_run(config, [])
    assert ensure_run(config, []).history_file.read_text() == straight.history_file.read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_status_needs_no_room_that_the_disk_does_not_have(number: int, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.prepare({"seed": 1}, [])
    folder.mark_running()
    assert folder.status_file.stat().st_size == STATUS_BYTES
    with pytest.MonkeyPatch.context() as patch:
        disk = FailingDisk(tmp_path, 0, number)
        disk.install(patch)
        folder.mark_failed("SeisvisionError: " + "the disk is full, " * 1000)
    status = folder.status()
    assert disk.n_failed and status["state"] == FAILED and status["error"].startswith("SeisvisionError: the disk")
    assert status["attempts"] == 1 and "seconds" in status and status["error"].endswith(" ...")
    folder.mark_running()
    folder.mark_interrupted()
    assert folder.status()["attempts"] == 2 and not list(folder.path.glob(".*partial*"))


@pytest.mark.parametrize("room", [4, 20])
def test_a_training_on_a_full_disk_says_so_in_one_line_and_goes_on_afterwards(
    room: int, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(data_dir, tmp_path / "runs", "trainer.max_epochs=1")
    told: list[str] = []
    monkeypatch.setattr(terminal.log, "error", lambda text, *values, **more: told.append(text % values))
    with pytest.MonkeyPatch.context() as patch:
        disk = FailingDisk(tmp_path, room)
        disk.install(patch)
        code = terminal.guarded(lambda: ensure_run(config, []))
    assert disk.n_failed and code == 1
    assert len(told) == 1 and "No space left on device" in told[0] and str(tmp_path) in told[0], told
    folder = identify(config)
    assert folder.status()["state"] in (FAILED, PENDING) and not list(tmp_path.rglob(".*partial*"))
    done = ensure_run(config, [])
    assert done.status()["state"] == FINISHED
    if room == 20:
        straight = ensure_run(tiny_config(data_dir, tmp_path / "straight", "trainer.max_epochs=1"), [])
        assert done.predictions_file.read_text() == straight.predictions_file.read_text()
