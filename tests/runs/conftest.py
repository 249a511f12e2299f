"""Fixtures of the run tests."""

from pathlib import Path

import pytest
from torch import get_num_threads, set_num_threads


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for all tests and all pytest processes; sets are made in it once, under a lock."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if base.name.startswith("popen") else base) / "data"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def one_thread():
    """Two pytest processes on two cores must not fight for them."""
    # By their own names: a test that replaces torch's gets them back only after this.
    before = get_num_threads()
    set_num_threads(1)
    yield
    set_num_threads(before)
