"""Packages that a library can do without are left out of its import, and are there afterwards."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from seisvision.base.imports import without


def test_a_package_is_left_out_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_extra.py").write_text("here = True\n")
    library = "try:\n    import heavy_extra\n    has_extra = True\nexcept ImportError:\n    has_extra = False\n"
    (tmp_path / "light_library.py").write_text(library)
    monkeypatch.syspath_prepend(str(tmp_path))
    with without("heavy_extra"):
        assert importlib.import_module("light_library").has_extra is False
    assert importlib.import_module("heavy_extra").here
    with without("heavy_extra"):
        assert importlib.import_module("heavy_extra").here
    for name in ("heavy_extra", "light_library"):
        del sys.modules[name]
