"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings; tests that need it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SEISVISION_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real recordings not found in {folder}; set SEISVISION_SHARED_DATA to test with them")
    return folder
