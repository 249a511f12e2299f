"""What is slow is found in the code of a test, of its helpers and of its fixtures; all of them can be collected."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from slow_tests import TESTS, is_slow, mark_slow


def starts_a_process() -> None:
    subprocess.run(["true"], check=True)


def imports_what_trains() -> object:
    from seisvision.runs.ensure import ensure_run

    return ensure_run


def hands_it_on() -> list[object]:
    return [calls() for calls in (lambda: starts_a_process(),)]


class Helper:
    def work(self) -> None:
        starts_a_process()


def has_a_helper() -> None:
    Helper().work()


def counts_to(n: int) -> int:
    return n if n < 1 else 1 + counts_to(n - 1)


def there(n: int) -> None:
    back(n)
    starts_a_process()


def back(n: int) -> None:
    there(n) if n else None


@pytest.mark.parametrize("function", [there, back, starts_a_process, imports_what_trains, hands_it_on, has_a_helper])
def test_slow(function: Callable[..., object]) -> None:
    assert is_slow(function)


@pytest.mark.parametrize("function", [counts_to, test_slow, max, 3])
def test_quick(function: object) -> None:
    assert not is_slow(function)


@pytest.fixture
def costly() -> Iterator[Helper]:
    helper = Helper()
    yield helper
    helper.work() if helper is None else None


def test_a_fixture_makes_a_test_slow(costly: Helper, request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("slow")


def test_the_marked_ones_are_among_all(request: pytest.FixtureRequest) -> None:
    mark_slow([request.node])
    assert not request.node.get_closest_marker("slow")


def test_modules_of_tests_have_names_of_their_own() -> None:
    """Outside packages pytest imports a module by its bare name: of two alike, one could not be collected."""
    loose = [file for file in TESTS.rglob("*.py") if not (file.parent / "__init__.py").exists()]
    counts = Counter(file.stem for file in loose if file.stem not in {"conftest", "sitecustomize"})
    assert [name for name, times in counts.items() if times > 1] == []
