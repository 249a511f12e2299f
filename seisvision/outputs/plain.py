"""Numbers of results for JSON, and what their figures are called."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def plain_numbers(values: Sequence[float] | np.ndarray) -> list[float | None]:
    """Numbers for JSON; None where they are not finite."""
    return [float(value) if math.isfinite(value) else None for value in values]


def figure_path(stem: Path, what: str) -> Path:
    """``<stem>_<what>.png``."""
    return Path(f"{stem}_{what}.png")
