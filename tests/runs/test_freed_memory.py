"""Freed memory stays with the process, unless the environment says otherwise."""

from __future__ import annotations

import ctypes
import resource
import sys

import pytest
import torch

from seisvision.runs.freed_memory import keep_freed_memory

BLOCK = 8_000_000
"""Bytes of a block, far above the size that glibc gets from the system by itself."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is of glibc")
def test_a_block_that_was_freed_is_not_asked_of_the_system_again() -> None:
    keep_freed_memory()

    def fresh_pages() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            torch.empty(BLOCK, dtype=torch.uint8).fill_(1)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    fresh_pages()
    # Each block would be some 2000 pages, were it asked for anew.
    assert fresh_pages() < BLOCK // resource.getpagesize()


def test_what_the_environment_says_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("asked for another"))
    keep_freed_memory()
