"""Settings are written as OmegaConf writes them, and the state of the code is that of its files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from seisvision.records import environment
from seisvision.records.folder import RunFolder

TWICE = [1, 2]
SETTINGS: list[dict[str, Any]] = [
    {},
    {"a": 1e-3, "b": "1e-3", "c": "yes", "d": float("inf"), "e": [], "f": {}, "g": "é\n x: y", "h": None, "i": True},
    {"long": "a" * 300 + " " + "b" * 300, "empty": "", "deep": [[1, [{"x": -0.5}]]], "one": TWICE, "two": TWICE},
    {"name": "here", "reference": "${name}", "tuple": (1, 2)},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=["none", "words", "long", "not plain"])
def test_settings_are_written_as_omegaconf_writes_them(settings: dict[str, Any], tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.prepare(settings, ["a='x'", "b=1"])
    assert folder.config_file.read_text(encoding="utf-8") == OmegaConf.to_yaml(OmegaConf.create(settings))
    assert folder.overrides_file.read_text() == OmegaConf.to_yaml(OmegaConf.create(["a='x'", "b=1"]))


def test_the_hash_of_the_code_follows_every_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "PACKAGE", tmp_path)
    (tmp_path / "room").mkdir()
    for name in ("room/b.py", "room.py", "a.py", "notes.txt"):
        (tmp_path / name).write_text(name)

    def found() -> str:
        return environment._hash_of_sources(environment._sources(tmp_path))

    # In the order in which Path sorts, as earlier runs have stored it.
    names = [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*.py"))]
    expected = hashlib.sha256("".join(f"{name}\0{name}" for name in names).encode()).hexdigest()[:12]
    assert len(names) == 3 and found() == expected
    (tmp_path / "room" / "b.py").write_text("room/c.py")
    assert found() != expected
    (tmp_path / "room" / "b.py").write_text("room/b.py")
    assert found() == expected
