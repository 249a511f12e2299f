"""A sweep of two-process runs that is killed twice ends with the results of one that was left alone."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tiny_runs import ROOT

sys.path.insert(0, str(ROOT / "tests"))

from chaos_sweep import differences, disturbed, sweep_command, undisturbed


def test_a_killed_sweep_ends_like_an_undisturbed_one(data_dir: Path, tmp_path: Path) -> None:
    command = sweep_command(data_dir, 2, 2, "run.test=true")
    undisturbed(command, tmp_path / "undisturbed")
    kills, _ = disturbed(command, tmp_path / "disturbed", 2, random.Random(3), 12.0)
    assert kills.total() == 2
    assert differences(tmp_path / "disturbed", tmp_path / "undisturbed", 2) == []
