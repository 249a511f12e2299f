"""Commands on data that are killed at random leave what undisturbed ones leave; the long form: tests/chaos_data.py."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chaos_data import campaign, scenarios


@pytest.mark.parametrize("name", ["import_overwrite", "merge_overwrite", "shard"])
def test_a_killed_command_ends_like_an_undisturbed_one(name: str, tmp_path: Path) -> None:
    with scenarios(tmp_path / "inputs", 3, with_fetch=False) as known:
        assert campaign(known[name], tmp_path / name, 3, random.Random(name), forked=True) == []
