"""How notebooks show things: small tables of escaped text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

MOST_ROWS = 20


def facts_html(title: str, facts: Mapping[str, Any]) -> str:
    """A heading and a table of two columns."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{_text(name)}</th>{_cell(said)}</tr>" for name, said in facts.items()
    )
    return f"<div><b>{_text(title)}</b><table>{rows}</table></div>"


def rows_html(columns: Sequence[str], rows: Iterable[Sequence[Any]], n_rows: int) -> str:
    """A table of the first rows, and how many there are beyond them."""
    head = "".join(f"<th>{_text(name)}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row, _ in zip(rows, range(MOST_ROWS), strict=False)
    )
    more = f"<p>{n_rows - MOST_ROWS} more</p>" if n_rows > MOST_ROWS else ""
    return f"<table><tr>{head}</tr>{body}</table>{more}"


def _cell(value: Any) -> str:
    return f"<td style='text-align:left'>{_text(value)}</td>"


def _text(value: Any) -> str:
    if isinstance(value, float):
        value = "" if value != value else f"{value:.6g}"
    return escape(str(value))
