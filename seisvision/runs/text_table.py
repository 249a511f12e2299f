"""Plain tables that read well in a terminal, a log file and an e-mail."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell, the header underlined; the last cell of a row may run on."""
    counted = [row for row in (header, *rows) if len(row) == len(header)]
    widths = [max(len(row[column]) for row in counted if not _runs_on(row, column)) for column in range(len(header))]
    lines = [_line(header, widths), _line(["-" * width for width in widths], widths)]
    return "\n".join([*lines, *(_line(row, widths) for row in rows)])


def _runs_on(row: Sequence[str], column: int) -> bool:
    """Whether the cell may overflow because all cells to its right are empty."""
    return column < len(row) - 1 and not any(row[column + 1 :])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
