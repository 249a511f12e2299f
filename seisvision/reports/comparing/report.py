"""The three texts of a comparison; a run that none of the checks found damaged still cannot stop the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from seisvision.errors import SeisvisionError
from seisvision.records.results import StoredRun
from seisvision.reports.comparing.collect import Cache, Collected, ComparedRun, LeftOut
from seisvision.reports.comparing.groups import Comparison, compare
from seisvision.reports.comparing.page import render_page
from seisvision.reports.comparing.tables import comparison_csv, comparison_markdown

DAMAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, SeisvisionError)
"""What code raises on values that are not what they should be."""


class Report(NamedTuple):
    """A comparison and what is written of it."""

    comparison: Comparison
    csv: Iterator[str]
    """Its lines."""
    markdown: str
    page: str


class Shown(NamedTuple):
    """What is shown of a comparison."""

    top: int = 8
    """How many of the best configurations are shown in detail."""
    reload_s: float | None = None
    """The page loads itself again after so many seconds."""
    measure: str | None = None
    """That pairs are tested on; the headline where it is not given."""
    hint: str = ""
    """Why test numbers are not shown."""


DEFAULT = Shown()


def make_report(collected: Collected, cache: Cache, shown: Shown = DEFAULT) -> Report:
    """Compare and write; where that fails, try each run alone and leave out those that fail.

    Args:
        collected: what to compare.
        cache: of the runs that were read; those found damaged are remembered.
        shown: what of it.
    """
    try:
        return _report(collected, shown)
    except DAMAGE:
        whole = _without_damaged(collected, cache)
        if len(whole.left_out) == len(collected.left_out):
            raise
        return _report(whole, shown)


def _report(collected: Collected, shown: Shown) -> Report:
    comparison = compare(*collected)
    if shown.hint:
        comparison.hides_test = True
        comparison.warnings.insert(0, shown.hint)
    page = render_page(comparison, shown.top, shown.reload_s, shown.measure)
    return Report(comparison, comparison_csv(comparison), comparison_markdown(comparison), page)


def _without_damaged(collected: Collected, cache: Cache) -> Collected:
    """What is left when every run that fails alone is left out."""
    runs: list[ComparedRun] = []
    others: list[StoredRun] = []
    damaged: list[LeftOut] = []
    alone: list[tuple[Any, Collected, list[Any]]] = [(run, Collected([run], [], []), runs) for run in collected.runs]
    alone += [(run, Collected([], [], [run]), others) for run in collected.others]
    for run, only, kept in alone:
        try:
            _report(only, Shown(top=1))
        except DAMAGE as error:
            left_out = LeftOut(run.path, f"broken: {type(error).__name__}: {error}", "finished")
            damaged.append(left_out)
            cache[run.path] = (cache[run.path][0] if run.path in cache else None, left_out)
        else:
            kept.append(run)
    return Collected(runs, sorted([*collected.left_out, *damaged], key=lambda one: one.path), others)
