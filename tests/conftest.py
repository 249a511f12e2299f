"""Fixtures shared by all tests."""

import gc
import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import quick_composing
import ready_python
from slow_tests import mark_slow

from seisvision.runs import terminal

TESTS = Path(__file__).resolve().parent


def pytest_configure(config: pytest.Config) -> None:
    """Processes that seisvision starts need not import the libraries once more, nor compose what others have composed.

    Both are told by ``ready_python`` and ``quick_composing``. All pytest processes have one folder of what is composed.
    """
    ready_python.install(ready_python.OurOwn)
    if quick_composing.FOLDER not in os.environ:
        composed = tempfile.TemporaryDirectory(prefix="seisvision-composed-")
        os.environ[quick_composing.FOLDER] = composed.name
        config.add_cleanup(composed.cleanup)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``make quick`` leaves out what is slow; files of runs take longest and come first, so that none is the last."""
    mark_slow(items)
    items.sort(key=lambda item: "runs" not in item.path.parent.relative_to(TESTS).parts)


def pytest_collection_finish() -> None:
    """What is there by now stays: seven thousand tests and the libraries need not be looked through for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings; tests that need it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SEISVISION_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real recordings not found in {folder}; set SEISVISION_SHARED_DATA to test with them")
    return folder


@pytest.fixture(autouse=True)
def own_messages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Commands decide where messages go for the life of their process; tests share one, and read the messages."""
    set_up = terminal.set_up_logging

    def set_up_for_tests() -> None:
        set_up()
        terminal.log.propagate = True

    monkeypatch.setattr(terminal, "set_up_logging", set_up_for_tests)
    _as_at_the_start()
    yield
    _as_at_the_start()


def _as_at_the_start() -> None:
    terminal.log.setLevel(logging.NOTSET)
    terminal.log.propagate = True
    terminal.log.handlers.clear()


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Commands set handlers for the life of their process; tests share one."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # Tests that a shell starts in the background would be deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
