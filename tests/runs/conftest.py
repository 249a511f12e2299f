"""Fixtures of the run tests."""

import signal
from pathlib import Path

import pytest
import torch


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
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def own_signals():
    """Commands set handlers for the life of their process; tests share one."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # Tests that a shell starts in the background would be deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
