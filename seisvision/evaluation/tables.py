"""Small tables for the terminal, for Markdown pages and for spreadsheets."""

from __future__ import annotations

import html
import io
import math
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from seisvision import spreadsheets
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.evaluation.intervals import NO_INTERVAL, Measure

Format = Literal["text", "markdown", "csv"]

UNDEFINED = "-"
GAP = "  "
"""Between columns."""
RESULT_COLUMNS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "roc_auc": "ROC AUC",
    "cross_entropy": "cross-entropy",
}
"""Measures of a results table of classes and their headings; predictions of every kind have ``table_columns``."""
SHARES = ("accuracy", "balanced_accuracy", "bin_acc", "flips_180", "answered", "unlocated")
SHARE_PREFIXES = ("acc_tol_", "recall_", "precision_", "coverage_", "within_")
COUNTABLE_PREFIXES = ("accuracy", "acc_tol_", "within_factor_2")
"""Shares of samples, which are shown with their counts."""


def number_text(value: float) -> str:
    """A number in four digits."""
    return f"{value:,.0f}" if abs(value) >= 10000 else f"{value:.4g}"


@dataclass(frozen=True)
class ResultRow:
    """One line of a results table: a network, a baseline or the expert."""

    name: str
    measures: Mapping[str, Measure] = field(default_factory=dict)
    note: str = ""
    """Shown behind the measures, such as why a baseline is missing."""


@dataclass(frozen=True)
class RunRow:
    """One line of an architecture comparison: one measure of a run on validation and, where evaluated, test samples."""

    model: str
    n_parameters: int
    val: Measure
    test: Measure | None = None
    seconds: float = math.nan
    folder: str | Path = ""


def is_share(name: str) -> bool:
    """True for measures that are read as a percentage."""
    return name in SHARES or name.startswith(SHARE_PREFIXES)


def results_table(
    rows: Sequence[ResultRow],
    form: Format = "text",
    *,
    with_notes: bool = True,
    columns: Mapping[str, str] = RESULT_COLUMNS,
) -> str:
    """Measures with their intervals, one line per network or baseline, in the order given.

    Args:
        rows: networks and baselines.
        form: in ``csv``, value, ends of the interval and n have columns of their own and full precision.
        with_notes: whether notes are shown.
        columns: measures and their headings; the n of the first is shown.
    """
    if form == "csv":
        return _csv(
            ["name", *[f"{key}{end}" for key in columns for end in ("", "_low", "_high", "_n")], "note"],
            [[row.name, *[x for key in columns for x in _numbers(row.measures.get(key))], row.note] for row in rows],
        )
    notes = with_notes and any(row.note for row in rows)
    head = ["", "n", *columns.values(), *(["note"] if notes else [])]
    body = [
        [
            row.name,
            _count(row.measures.get(next(iter(columns)))),
            *[format_measure(row.measures.get(key), percent=is_share(key)) for key in columns],
            *([row.note] if notes else []),
        ]
        for row in rows
    ]
    return render_table(head, body, form)


def architecture_table(
    rows: Sequence[RunRow], form: Format = "text", *, measure: str = "accuracy", heading: str | None = None
) -> str:
    """Comparison of runs in the order given: parameters, one measure, time, folder.

    Args:
        rows: runs.
        form: in ``csv`` everything has full precision.
        measure: name of the measure of all rows; shares of samples are shown as k/n.
        heading: default the name with spaces.
    """
    if form == "csv":
        head = ["model", "n_parameters"]
        head += [f"{part}_{measure}{end}" for part in ("val", "test") for end in ("", "_low", "_high", "_n")]
        body = [
            [
                row.model,
                str(row.n_parameters),
                *_numbers(row.val),
                *_numbers(row.test),
                _number(row.seconds),
                str(row.folder),
            ]
            for row in rows
        ]
        return _csv([*head, "seconds", "folder"], body)
    with_test = any(row.test is not None for row in rows)
    title = heading or measure.replace("_", " ")
    head = ["model", "parameters", f"val {title}", *([f"test {title}"] if with_test else []), "time", "run"]
    body = [
        [
            row.model,
            f"{row.n_parameters:,}",
            format_named(measure, row.val),
            *([format_named(measure, row.test)] if with_test else []),
            format_seconds(row.seconds),
            str(row.folder),
        ]
        for row in rows
    ]
    return render_table(head, body, form)


def format_named(name: str, measure: Measure | None) -> str:
    """A measure the way its name asks for: with counts, as a percentage or as a number in its unit."""
    if name.startswith(COUNTABLE_PREFIXES):
        return format_fraction(measure)
    unit = next((unit for unit in ("km", "deg", "s") if name.endswith(f"_{unit}")), "")
    text = format_measure(measure, percent=is_share(name))
    return f"{text} {unit}" if unit and text != UNDEFINED else text


def format_measure(measure: Measure | None, percent: bool = False) -> str:
    """Such as ``91.5 % [86.5, 94.8]``, ``0.930 [0.880, 0.970]`` or ``254.3 [231.0, 270.2]``; a dash if undefined.

    ``(no interval)`` stands behind values whose interval would not hold.
    """
    if measure is None or math.isnan(measure.value):
        return UNDEFINED
    scale, digits, unit = (100, 1, " %") if percent else (1, 3 if abs(measure.value) < 10 else 1, "")
    text = f"{measure.value * scale:.{digits}f}{unit}"
    if math.isnan(measure.low) or math.isnan(measure.high):
        return f"{text} (no interval)" if measure.kind == NO_INTERVAL else text
    return f"{text} [{measure.low * scale:.{digits}f}, {measure.high * scale:.{digits}f}]"


def format_fraction(measure: Measure | None) -> str:
    """A proportion with its counts, such as ``162/177 = 91.5 % [86.5, 94.8]``."""
    if measure is None or math.isnan(measure.value):
        return UNDEFINED
    return f"{round(measure.value * measure.n)}/{measure.n} = {format_measure(measure, percent=True)}"


def format_seconds(seconds: float) -> str:
    """Such as ``42 s``, ``3 min 05 s`` or ``2 h 10 min``."""
    if math.isnan(seconds):
        return UNDEFINED
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_number(value: float) -> str:
    """Three significant digits, without exponent."""
    if math.isnan(value):
        return UNDEFINED
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _count(measure: Measure | None) -> str:
    return UNDEFINED if measure is None else str(measure.n)


def _numbers(measure: Measure | None) -> list[str]:
    if measure is None:
        return [""] * 4
    return [_number(measure.value), _number(measure.low), _number(measure.high), str(measure.n)]


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))


def render_table(head: list[str], body: list[list[str]], form: Format) -> str:
    """Cells as text or Markdown; names in cells may hold anything.

    Raises:
        ConfigurationError: the format is unknown.
    """
    renderers: dict[str, Callable[[list[str], list[list[str]]], str]] = {"text": _text, "markdown": _markdown}
    if form not in renderers:
        raise ConfigurationError(f"Unknown table format '{form}'. {did_you_mean(form, [*renderers, 'csv'])}")
    return renderers[form](head, body)


def _text(head: list[str], body: list[list[str]]) -> str:
    lines = [[_plain(cell) for cell in line] for line in (head, *body)]
    return fold_columns(lines, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)


def fold_columns(lines: list[list[str]], widest: int | None) -> str:
    """Lines of cells, head first, as aligned text; columns that do not fit stand below, with the first one again.

    Args:
        lines: cells, as many in each.
        widest: characters of a line; None for any number.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    panels: list[list[int]] = [[0]]
    for column in range(1, len(widths)):
        taken = sum(widths[one] + len(GAP) for one in panels[-1]) + widths[column]
        if widest is not None and taken > widest and len(panels[-1]) > 1:
            panels.append([0])
        panels[-1].append(column)
    return "\n\n".join(_aligned(lines, widths, columns) for columns in panels)


def _aligned(lines: list[list[str]], widths: list[int], columns: list[int]) -> str:
    rule = ["-" * width for width in widths]
    rows = (GAP.join(line[one].ljust(widths[one]) for one in columns) for line in (lines[0], rule, *lines[1:]))
    return "\n".join(row.rstrip() for row in rows)


def _markdown(head: list[str], body: list[list[str]]) -> str:
    escaped = [[markdown_text(cell) for cell in line] for line in (head, *body)]
    lines = [escaped[0], ["---"] * len(head), *escaped[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_text(text: str) -> str:
    """Text on one line that Markdown shows as it is: names come from data and may hold anything."""
    escaped = html.escape(_plain(text), quote=False)
    for character in "\\|`*_[]~":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped


def _csv(head: list[str], body: list[list[str]]) -> str:
    buffer = io.StringIO()
    writer = spreadsheets.Writer(buffer)
    writer.writerow(head)
    writer.writerows(body)
    return buffer.getvalue()


def _plain(text: str) -> str:
    """Text on one line without control characters."""
    return "".join(character if character.isprintable() else " " for character in str(text))
