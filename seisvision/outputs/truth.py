"""The true value of an output: one column of a set, or several side by side.

``about`` is the plain description of an output: ``target`` names its one column, or ``columns`` names D of them. Where
it names none, the set does not hold the truth: the output is about the picture itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def columns_of(about: Mapping[str, Any]) -> tuple[str, ...]:
    """Columns of the true value, from a description of an output or from its settings."""
    return tuple(about.get("columns") or ((about["target"],) if "target" in about else ()))


def truth_of(about: Mapping[str, Any], targets: Mapping[str, Any]) -> np.ndarray:
    """True values (N,), or (N, D) of several columns, from values (N,) by column; (0,) where there is no column."""
    values = [np.asarray(targets[column]) for column in columns_of(about)]
    if not values:
        return np.zeros(0)
    return values[0] if len(values) == 1 else np.stack(values, axis=1)


def by_column(about: Mapping[str, Any], truth: np.ndarray) -> dict[str, np.ndarray]:
    """Values (N,) by column, from true values (N,) or (N, D)."""
    columns = columns_of(about)
    if not columns:
        return {}
    return dict(zip(columns, [truth] if len(columns) == 1 else truth.T, strict=True))


def known_rows(truth: np.ndarray) -> np.ndarray:
    """bool (N,): samples of true values (N, ...) of which at least one number is known."""
    return np.isfinite(truth).any(axis=tuple(range(1, truth.ndim)))
