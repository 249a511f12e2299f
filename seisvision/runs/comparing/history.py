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
    try:
        for row in csv.DictReader(io.StringIO(read_text(path), newline="")):
            try:
                epoch, value = float(row["epoch"]) + 1, float(row["value"])
            except (KeyError, TypeError, ValueError):
                continue
            sums[row["name"]][epoch].append(value)
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    return {
        name: [(epoch, sum(values) / len(values)) for epoch, values in sorted(by_epoch.items())]
        for name, by_epoch in sums.items()
    }
