"""Learning curves of runs, read from ``metrics.csv``."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from pathlib import Path

from seisvision.plain_files import read_text

Points = list[tuple[float, float]]


def read_history(path: Path) -> dict[str, Points]:
    """Curves by name: epoch (from 1) and the mean of what was logged in it; lines that hold no number are skipped.

    Args:
        path: table with the columns epoch, step, name and value; it may be missing or end in half a line.
    """
    sums: dict[str, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for epoch, name, value in logged_values(path):
        sums[name][epoch + 1].append(value)
    return {
        name: [(epoch, sum(values) / len(values)) for epoch, values in sorted(by_epoch.items())]
        for name, by_epoch in sums.items()
    }


def logged_values(path: Path) -> list[tuple[float, str, float]]:
    """Epoch (from 0), name and value of every line that holds them, in order; none of a file that is no table."""
    found = []
    try:
        for row in csv.DictReader(io.StringIO(read_text(path), newline="")):
            try:
                found.append((float(row["epoch"]), str(row["name"]), float(row["value"])))
            except (KeyError, TypeError, ValueError):
                continue
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return found
