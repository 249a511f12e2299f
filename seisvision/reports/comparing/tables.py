"""The comparison as ``comparison.csv`` for programs and ``comparison.md`` for people."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from seisvision import spreadsheets
from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import (
    format_measure,
    format_number,
    format_seconds,
    is_share,
    markdown_text,
    render_table,
)
from seisvision.records.measures import is_measure
from seisvision.records.winner import CHOSEN
from seisvision.reports.comparing.groups import Comparison, Summary

MOST_ROWS = 50
"""Groups that are listed in Markdown."""


def comparison_csv(comparison: Comparison) -> Iterator[str]:
    """One row a run: where it is, what it is, every measure of every part in full precision with its interval.

    Returns:
        The lines, each made when it is asked for: those of thousands of runs together would fill the memory.
    """
    # Every row is made here once, so that a damaged run is told before a line is written.
    names = list(dict.fromkeys(name for row in _csv_rows(comparison) for name in row)) or ["group", "run"]
    return _csv_lines(names, comparison)


def _csv_lines(names: Sequence[str], comparison: Comparison) -> Iterator[str]:
    writer = spreadsheets.Writer(_Line())
    yield writer.writerow(names)
    for row in _csv_rows(comparison):
        yield writer.writerow([row.get(name, "") for name in names])


class _Line:
    """A file that hands back what is written to it."""

    @staticmethod
    def write(text: str) -> str:
        return text


def _csv_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    return (_csv_row(run, group.label, group.name, comparison) for group in comparison.groups for run in group.runs)


def _csv_row(run: Any, label: str, name: str, comparison: Comparison) -> dict[str, Any]:
    training = run.training
    row = {
        "group": label,
        "name": name,
        "run": str(run.path),
        "model": training["model"],
        "seed": run.seed,
        "fold": "" if run.fold is None else run.fold,
        "parameters": training["parameters"],
        "flops": training.get("flops", ""),
        "samples_per_s": _number(round(run.samples_per_s, 1)),
        "seconds": training["seconds"],
        "epochs": training.get("epochs", ""),
        "git_commit": run.commit,
        "data_fingerprint": run.fingerprint,
        "split_hash": run.split_hash,
    }
    row |= {f"setting.{key}": run.settings.get(key, "") for key in comparison.differing}
    for part in ("val", "test"):
        for output, measured in run.metrics.get(part, {}).items():
            for measure, stored in measured.items():
                if is_measure(stored):
                    row.update(_cells(f"{part}/{output}_{measure}", stored))
    for locator, found in (run.metrics.get("location") or {}).items():
        for measure, stored in (found.get("measures") or {}).items() if isinstance(found, dict) else ():
            if is_measure(stored):
                row.update(_cells(f"location/{locator}_{measure}", stored))
    return row


def _cells(name: str, stored: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return zip(_columns(name), (_number(stored[key]) for key in ENDS.values()), strict=True)


@lru_cache(maxsize=10_000)
def _columns(name: str) -> tuple[str, ...]:
    return tuple(f"{name}{end}" for end in ENDS)


ENDS = {"": "value", "_low": "low", "_high": "high", "_n": "n"}


def _number(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


def leaderboard(comparison: Comparison, form: Any = "markdown") -> str:
    """The best groups, with mean and standard deviation over their runs."""
    lines = []
    for about in comparison.outputs:
        output = about["name"]
        columns = comparison.columns(output)
        head = ["", "configuration", "runs", *[f"{comparison.part} {text}" for text in columns.values()]]
        body = [
            [
                group.label,
                group.name,
                str(len(group.runs)),
                *[
                    summary_text(group.summary(comparison.part, output, key), key, with_interval=not number)
                    for number, key in enumerate(columns)
                ],
                f"{group.parameters:,}",
                format_number(group.flops / 1e9),
                format_number(group.samples_per_s),
                format_seconds(group.seconds),
            ]
            for group in comparison.groups[:MOST_ROWS]
        ]
        lines.append(render_table([*head, "parameters", "GFLOP", "samples/s", "training"], body, form))
    if comparison.part == "val" and comparison.groups:
        lines.append(f"val: {CHOSEN} (the epoch of each run and the order), so the first look better than on others")
    return "\n\n".join(lines)


def comparison_markdown(comparison: Comparison) -> str:
    """Leaderboard, warnings, and folders that were left out."""
    first = ", ".join(str(about["name"]) for about in comparison.outputs) or "nothing yet"
    lines = [f"# Comparison of {len(comparison.runs)} runs: {markdown_text(first)}", ""]
    chosen = " by which the order was chosen" if comparison.ordered_by == comparison.part == "test" else ""
    lines += [
        f"Ordered by the {comparison.ordered_by} samples; measures are of the {comparison.part} samples{chosen}.",
        "",
    ]
    lines += [leaderboard(comparison), ""] if comparison.groups else []
    if len(comparison.groups) > MOST_ROWS:
        lines += [f"{len(comparison.groups) - MOST_ROWS} more configurations are in comparison.csv.", ""]
    lines += [f"- Warning: {markdown_text(warning)}" for warning in comparison.warnings]
    for others in comparison.others_by_kind():
        some = [run.result.row(run) for run in others[:MOST_ROWS]]
        names = list(dict.fromkeys(name for row in some for name in row if not name.endswith(("_low", "_high"))))
        cells = [[_text(row.get(name, "")) for name in names] for row in some]
        lines += ["", f"## {others[0].result.heading}", "", render_table(names, cells, "markdown")]
    if comparison.left_out:
        lines += ["", "## Left out", ""]
        rows = [[str(one.path), one.reason] for one in comparison.left_out]
        lines += [render_table(["run", "reason"], rows, "markdown")]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def summary_text(summary: Summary | None, name: str, *, with_interval: bool = True) -> str:
    """Such as ``87.0 % [81.2, 91.3], sd 1.2`` or ``254.3``; a dash if unknown."""
    if summary is None:
        return "-"
    shown = summary.measure if with_interval else Measure(summary.mean)
    text = format_measure(shown, percent=is_share(name))
    return text if math.isnan(summary.sd) or not with_interval else f"{text}, sd {spread_text(summary, name)}"


def spread_text(summary: Summary, name: str) -> str:
    """The standard deviation over runs in the digits of the mean."""
    share = is_share(name)
    digits = 1 if share or abs(summary.mean) >= 10 else 3
    return f"{summary.sd * (100 if share else 1):.{digits}f}"
