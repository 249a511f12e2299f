"""Which tests are slow: those that train, or start processes, whoever of their helpers and fixtures does it.

A list of slow tests would soon be wrong. What a test comes to is read from its code instead: the names that its
function mentions, and, as long as these are defined below ``tests``, the names that those mention.
"""

from __future__ import annotations

import functools
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
    *("synthesise", "meet_every_step"),
}
"""What trains, starts processes, makes a set from physics, or does a command once for each of its writes."""
SLOW_FIXTURES = {"data_dir"}
"""The folder in which the built-in set is made."""


def mark_slow(items: list[pytest.Item]) -> None:
    """Mark every test that comes to one of ``SLOW_NAMES`` as ``slow``."""
    for item in (item for item in items if isinstance(item, pytest.Function)):
        fixtures = item._fixtureinfo.name2fixturedefs
        functions = [item.function, *(definitions[-1].func for definitions in fixtures.values())]
        if SLOW_FIXTURES & fixtures.keys() or any(is_slow(one) for one in functions):
            item.add_marker(pytest.mark.slow)


def is_slow(function: Any) -> bool:
    """Whether a function or class, or anything below ``tests`` that it comes to, mentions a slow name."""
    seen: set[Any] = set()
    ahead = [function]
    while ahead:
        one = ahead.pop()
        if one not in seen:
            seen.add(one)
            names, ours = _mentions(one)
            if names & SLOW_NAMES:
                return True
            ahead += ours
    return False


@functools.cache
def _mentions(thing: Any) -> tuple[frozenset[str], tuple[Any, ...]]:
    """The names that a function or class mentions, and the functions, classes and modules of ours among them."""
    thing = inspect.unwrap(thing) if callable(thing) else thing
    found = [pair for code, names in _codes(thing) for pair in _mentioned(code, names)]
    names = {name for name, _ in found} | {getattr(one, "__name__", None) for _, one in found}
    return frozenset(names - {None}), tuple(one for _, one in found if _is_ours(one))


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
