"""Angles on a circle: the one place where differences are wrapped."""

from __future__ import annotations

from typing import Any


def wrapped_difference_deg(prediction: Any, target: Any, period_deg: float = 360.0) -> Any:
    """Signed difference ``prediction - target`` in [-period / 2, period / 2), for numbers, numpy and torch alike.

    Args:
        prediction: angle in degrees, any shape.
        target: angle in degrees, a shape that broadcasts with it.
        period_deg: 360, or 180 where opposite directions are the same.
    """
    return (prediction - target + period_deg / 2) % period_deg - period_deg / 2
