"""What a sweep says at its end."""

from __future__ import annotations

from pathlib import Path

from seisvision.records.folder import FAILED, FINISHED, PENDING, RunFolder
from seisvision.records.sweeps.states import PointState
from seisvision.sweeps.ending import MOST_TOLD, means_over_repeats, sweep_end

MONITOR = ["val/accuracy", "max"]


def point(
    number: int, words: str, value: float | None, run: Path | None = None, error: str | None = None
) -> PointState:
    state = FAILED if error else FINISHED if value is not None else PENDING
    folder = None if run is None else RunFolder(run)
    return PointState(number, state, words.split(), folder, objective=value, error=error, monitor=MONITOR)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if "model=" in line or "all points" in line]


def test_seeds_and_folds_of_a_setting_are_averaged_and_a_failed_one_is_not_hidden(tmp_path: Path) -> None:
    states = [
        point(1, "model=a x=1 seed=1", 0.8, tmp_path / "1"),
        point(2, "model=a seed=2 x=1", 0.9, tmp_path / "2"),
        point(3, "model=b x=1 seed=1", 0.7, tmp_path / "3"),
        point(4, "model=b x=1 seed=2", None, tmp_path / "4", error="ConfigurationError: no"),
    ]
    table = means_over_repeats(states)
    assert rows(table) == [
        ["model=a", "val/accuracy", "2", "of", "2", "0.85", "0.071", "0.8", "0.9"],
        ["model=b", "val/accuracy", "1", "of", "2", "0.7", "-", "0.7", "0.7"],
    ]
    assert "chosen on these events" in table


def test_without_repeats_there_is_no_table_and_one_run_under_two_names_is_none(tmp_path: Path) -> None:
    shared = [point(1, "model=a seed=1", 0.8, tmp_path / "1"), point(2, "model=a split.fold=0", 0.8, tmp_path / "1")]
    assert means_over_repeats(shared) == ""
    assert (
        means_over_repeats([point(1, "model=a", 0.8, tmp_path / "1"), point(2, "model=b", 0.9, tmp_path / "2")]) == ""
    )
    assert means_over_repeats([]) == ""


def test_failures_are_told_with_reason_messages_and_what_to_do(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "2")
    run.path.mkdir()
    run.log_file.write_text("said\n")
    states = [point(1, "model=a", 0.8), point(2, "model=b", None, run.path, error="DataError: nothing there")]
    said = sweep_end(states, tmp_path)
    assert "2 points: 1 failed, 1 finished" in said
    assert "point 2 failed: model=b\n  DataError: nothing there\n  " + str(run.log_file) in said
    assert "The same command tries them again" in said
    many = [point(n, f"seed={n}", None, error="no") for n in range(MOST_TOLD + 3)]
    assert f"and 3 more: {tmp_path / 'points.csv'}" in sweep_end(many, tmp_path)


def test_what_wandb_keeps_offline_is_told_until_it_is_sent(tmp_path: Path) -> None:
    runs = [tmp_path / "my runs" / name for name in ("1", "2")]
    parts = [run / "wandb" / f"offline-run-{run.name}" for run in runs]
    for part in parts:
        part.mkdir(parents=True)
    states = [point(n, f"seed={n}", 0.5, run) for n, run in enumerate(runs)]
    assert f"keeps 2 runs offline; this sends all that lie there:\n  wandb sync $(find '{runs[0].parent}'" in sweep_end(
        states, tmp_path
    )
    for part in parts:
        (part / "run-1.wandb.synced").write_text("")
    assert "W&B" not in sweep_end(states, tmp_path)
