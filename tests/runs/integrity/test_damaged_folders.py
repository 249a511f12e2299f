"""Every file of a run folder, damaged in every way: the same command mends it or says what to do, in one line."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from seisvision.errors import SeisvisionError
from seisvision.records.folder import RunFolder, read_json
from seisvision.records.integrity.manifest import COMPARED
from seisvision.runs.ensure import ensure_run


def _halved(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "emptied": lambda path: path.write_bytes(b""),
    "halved": _halved,
    "other content": lambda path: path.write_text("[7]\n"),
    "a folder": _folder,
}
ALWAYS = ["config.yaml", "overrides.yaml", "environment.json", "split.csv", "excluded.csv", "metrics.csv", "train.log"]
CHECKPOINTS = ["checkpoints/last.ckpt", "checkpoints/best.ckpt"]
RESUMED = [*ALWAYS, *CHECKPOINTS, "status.json", "known_events.csv"]
STORED = [
    *ALWAYS,
    *CHECKPOINTS,
    "status.json",
    "metrics.json",
    "predictions.csv",
    "predictions_val.csv",
    "manifest.json",
]


def scores(run: RunFolder) -> tuple[dict, dict, str]:
    """What a run found out."""
    metrics = read_json(run.metrics_file)
    return metrics["val"], metrics["test"], run.predictions_file.read_text()


def is_one_line_with_advice(error: SeisvisionError, name: str) -> bool:
    """Whether a message names the file and what to do."""
    text = str(error)
    return len(text.splitlines()) == 1 and name in text and any(word in text for word in ("Delete", "Move", "Restore"))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", RESUMED)
def test_an_interrupted_run_is_finished_or_says_what_is_wrong(
    name: str,
    damage: str,
    interrupted: RunFolder,
    finished: RunFolder,
    copy_of: Callable,
    small: Callable,
    tmp_path: Path,
) -> None:
    run = copy_of(interrupted)
    DAMAGES[damage](run.path / name)
    try:
        done = ensure_run(small(tmp_path), [])
    except SeisvisionError as error:
        assert is_one_line_with_advice(error, Path(name).name), str(error)
    else:
        assert scores(done) == scores(finished)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", STORED)
def test_a_finished_run_shows_its_result_and_what_was_changed_or_says_what_is_wrong(
    name: str, damage: str, finished: RunFolder, copy_of: Callable, small: Callable, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.WARNING)
    run = copy_of(finished)
    before = read_json(run.metrics_file)
    DAMAGES[damage](run.path / name)
    try:
        done = ensure_run(small(tmp_path), [])
    except SeisvisionError as error:
        assert is_one_line_with_advice(error, Path(name).name), str(error)
        return
    after = read_json(done.metrics_file)
    assert (after["val"], after["test"]) == (before["val"], before["test"])
    measured_again = not (run.path / name).is_dir() and (run.path / name).exists() and name == "metrics.json"
    assert COMPARED.fullmatch(name) is None or measured_again or name in caplog.text


def test_a_damaged_file_is_deleted_as_the_message_says_and_the_run_is_whole(
    finished: RunFolder, copy_of: Callable, small: Callable, tmp_path: Path
) -> None:
    run = copy_of(finished)
    for name in ("status.json", "metrics.json"):
        (run.path / name).write_text('{"half')
        with pytest.raises(SeisvisionError, match=rf"{name} cannot be read .*Delete that file"):
            ensure_run(small(tmp_path), [])
        (run.path / name).unlink()
        assert scores(ensure_run(small(tmp_path), [])) == scores(finished)


@pytest.mark.parametrize("name", ["checkpoints", "tables", "figures"])
def test_a_file_where_a_folder_belongs_is_named(
    name: str, interrupted: RunFolder, copy_of: Callable, small: Callable, tmp_path: Path
) -> None:
    run = copy_of(interrupted)
    shutil.rmtree(run.path / name, ignore_errors=True)
    (run.path / name).write_text("")
    with pytest.raises(SeisvisionError, match=f"{name} is a file where the run has a folder. Move it away"):
        ensure_run(small(tmp_path), [])


def test_a_checkpoint_of_another_run_is_refused(
    interrupted: RunFolder, copy_of: Callable, small: Callable, tmp_path: Path
) -> None:
    config = small(tmp_path) | {"seed": 8}
    other = ensure_run(config, [])
    run = copy_of(interrupted)
    for name in CHECKPOINTS:
        kept = (run.path / name).read_bytes()
        shutil.copy(other.path / name, run.path / name)
        with pytest.raises(SeisvisionError, match=f"is of run {other.run_id}, not of {run.run_id}"):
            ensure_run(small(tmp_path), [])
        (run.path / name).write_bytes(kept)


def test_epochs_that_have_lost_their_history_are_told(
    interrupted: RunFolder, copy_of: Callable, small: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = copy_of(interrupted)
    run.history_file.unlink()
    ensure_run(small(tmp_path), [])
    assert "has no line of 2 of the 2 epochs that are done" in caplog.text


def test_a_result_is_shown_where_nothing_can_be_written_and_work_is_refused_in_one_line(
    finished: RunFolder, interrupted: RunFolder, copy_of: Callable, small: Callable, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    opened = Path.open

    def refuse(path: Path, mode: str = "r", *words: object, **more: object) -> object:
        if path.name == ".lock":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, mode, *words, **more)

    run = copy_of(finished)
    monkeypatch.setattr(Path, "open", refuse)
    assert scores(ensure_run(small(tmp_path), [])) == scores(finished)
    shutil.rmtree(run.path)
    copy_of(interrupted)
    with pytest.raises(SeisvisionError, match=r"cannot be written to \(Permission denied\).*system\.runs_dir") as told:
        ensure_run(small(tmp_path), [])
    assert len(str(told.value).splitlines()) == 1
