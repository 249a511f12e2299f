"""Benchmarks opened as modules, and run with words as if they had been typed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def opened(name: str) -> ModuleType:
    """A benchmark for the tests of a module; scripts beside it are found while it is opened."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module(name)


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Opens a benchmark by its name, as ``python benchmarks/NAME.py`` would."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    threads = torch.get_num_threads()
    yield lambda name: importlib.import_module(name)
    torch.set_num_threads(threads)


def once(measuring: ModuleType) -> Callable[..., Any]:
    """In place of turns: every action once."""

    def in_turns(actions: Mapping[str, Callable[[int], object]], *rest: Any, **more: Any) -> Any:
        for action in actions.values():
            action(1)
        return {name: measuring.Spent([2.0, 1.0, 3.0], [2.0, 1.0, 3.0]) for name in actions}

    return in_turns


def run(module: ModuleType, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *words])
    module.main()
