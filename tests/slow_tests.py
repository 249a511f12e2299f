"""Which tests are slow: those that train, or start processes, whoever of their helpers and fixtures does it.

A list of slow tests would soon be wrong. What a test comes to is read from its code instead: the names that its
function mentions, and, as long as these are defined below ``tests``, the names that those mention.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parent
SLOW_NAMES = {
    *("ensure_run", "run_experiment", "evaluate_checkpoint", "Trainer"),
    *("subprocess", "Popen", "multiprocessing", "ProcessPoolExecutor", "fork"),
}
"""What trains, and what starts a process."""


def mark_slow(items: list[pytest.Item]) -> None:
    """Mark every test that comes to one of ``SLOW_NAMES`` as ``slow``."""
    known: dict[object, bool] = {}
    for item in items:
        if isinstance(item, pytest.Function) and any(is_slow(one, known) for one in _functions(item)):
            item.add_marker(pytest.mark.slow)


def _functions(item: pytest.Function) -> Iterator[Any]:
    """The test and its fixtures."""
    yield item.function
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        yield definitions[-1].func


def is_slow(thing: Any, known: dict[object, bool]) -> bool:
    """Whether a function or class below ``tests``, or what it mentions, is named or mentions a slow name."""
    thing = inspect.unwrap(thing) if callable(thing) else thing
    if thing in known:
        return known[thing]
    known[thing] = False  # Two functions that call each other are not asked for ever.
    known[thing] = any(
        name in SLOW_NAMES
        or getattr(found, "__name__", None) in SLOW_NAMES
        or (_is_ours(found) and is_slow(found, known))
        for code, names in _codes(thing)
        for name, found in _mentioned(code, names)
    )
    return known[thing]


def _codes(thing: Any) -> Iterator[tuple[CodeType, dict[str, Any]]]:
    """The code of a function, or of the methods of a class, and the names it may mean."""
    if isinstance(thing, FunctionType):
        yield thing.__code__, thing.__globals__
    elif isinstance(thing, type):
        for method in vars(thing).values():
            if isinstance(method := getattr(method, "__func__", method), FunctionType):
                yield method.__code__, method.__globals__


def _mentioned(code: CodeType, names: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every global, attribute or import that the code mentions, and what it is where that is known."""
    module: Any = None
    for name in code.co_names:
        # ``fake_runs.make`` mentions a module of ours and then something in it.
        found = names.get(name, getattr(module, name, None))
        module = found if isinstance(found, ModuleType) and _is_ours(found) else module
        yield name, found
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _mentioned(constant, names)


def _is_ours(thing: Any) -> bool:
    """Whether it is defined below ``tests``."""
    try:
        return Path(inspect.getfile(thing)).is_relative_to(TESTS)
    except TypeError:
        return False
