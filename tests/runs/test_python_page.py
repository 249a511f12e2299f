"""The examples of the page on Python run, one after the other, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tiny_runs import ROOT

import seisvision as sv


def test_its_examples_run_in_their_order(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 5
    (tmp_path / "data").symlink_to(data_dir)
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"python.md, example {number + 1}", "exec"), known)
    for name in ("section.png", "predictions.csv", "report.html"):
        assert (tmp_path / name).stat().st_size > 100


def test_it_names_what_the_package_offers() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `sv\.(\w+)\(", page, re.MULTILINE)) == set(sv.__all__)
