"""The three texts of a comparison; a run that none of the checks found damaged still cannot stop the others."""

from __future__ import annotations

from typing import Any, NamedTuple

from seisvision.errors import SeisvisionError
from seisvision.runs.comparing.clusterings import ClusterRun
from seisvision.runs.comparing.collect import Cache, Collected, ComparedRun, LeftOut
from seisvision.runs.comparing.groups import Comparison, compare
from seisvision.runs.comparing.page import render_page
from seisvision.runs.comparing.tables import comparison_csv, comparison_markdown

DAMAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, SeisvisionError)
"""What code raises on values that are not what they should be."""


class Report(NamedTuple):
    """A comparison and what is written of it."""

    comparison: Comparison
    csv: str
    markdown: str
    page: str


def make_report(collected: Collected, cache: Cache, top: int = 8, reload_s: float | None = None) -> Report:
    """Compare and write; where that fails, try each run alone and leave out those that fail.

    Args:
        collected: what to compare.
        cache: of the runs that were read; those found damaged are remembered.
        top: how many of the best configurations are shown in detail.
        reload_s: the page loads itself again after so many seconds.
    """
    try:
        return _report(collected, top, reload_s)
    except DAMAGE:
        whole = _without_damaged(collected, cache)
        if len(whole.left_out) == len(collected.left_out):
            raise
        return _report(whole, top, reload_s)


def _report(collected: Collected, top: int, reload_s: float | None = None) -> Report:
    comparison = compare(*collected)
    texts = comparison_csv(comparison), comparison_markdown(comparison), render_page(comparison, top, reload_s)
    return Report(comparison, *texts)


def _without_damaged(collected: Collected, cache: Cache) -> Collected:
    """What is left when every run that fails alone is left out."""
    runs: list[ComparedRun] = []
    clusterings: list[ClusterRun] = []
    damaged: list[LeftOut] = []
    alone: list[tuple[Any, Collected, list[Any]]] = [(run, Collected([run], [], []), runs) for run in collected.runs]
    alone += [(run, Collected([], [], [run]), clusterings) for run in collected.clusterings]
    for run, only, kept in alone:
        try:
            _report(only, top=1)
        except DAMAGE as error:
            left_out = LeftOut(run.path, f"broken: {type(error).__name__}: {error}", "finished")
            damaged.append(left_out)
            cache[run.path] = (cache[run.path][0] if run.path in cache else None, left_out)
        else:
            kept.append(run)
    return Collected(runs, sorted([*collected.left_out, *damaged], key=lambda one: one.path), clusterings)
