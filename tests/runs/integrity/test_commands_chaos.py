"""A few kills of commands that read runs; ``tests/chaos_commands.py`` does many."""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import pytest
from tiny_runs import ROOT

from seisvision.records.folder import RunFolder

sys.path.insert(0, str(ROOT / "tests"))
from chaos_commands import Command, commands, disturb, left_behind


@pytest.mark.parametrize(("name", "n_kills"), [("compare", 2), ("evaluate", 2)])
def test_a_killed_command_ends_like_an_undisturbed_one_when_it_is_repeated(
    name: str, n_kills: int, finished: RunFolder, data_dir: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    for group in ("one", "several"):
        shutil.copytree(finished.path, runs / group / finished.run_id)
    command = Command(commands(str(data_dir))[name].words)
    said: list[str] = []
    assert disturb(command, tmp_path / name, n_kills, random.Random(3), said.append, runs) == []
    assert sum(": kill " in line for line in said) == n_kills


def test_what_is_left_behind_is_seen(tmp_path: Path) -> None:
    left = [".lock", ".table.partial-0123.csv", "last.tmp"]
    for name in (*left, "metrics.json"):
        (tmp_path / name).write_text("")
    assert sorted(left_behind(tmp_path)) == [f"left behind: {name}" for name in left]
