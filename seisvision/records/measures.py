"""Measures as ``metrics.json`` holds them: found among the details beside them, and told in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seisvision.evaluation.intervals import Measure
from seisvision.evaluation.tables import format_named


def describe_measure(name: str, stored: Mapping[str, Any]) -> str:
    """A stored measure as text, such as ``162/177 = 91.5 % [86.5, 94.8]`` or ``254.3 [231.0, 270.2] km``."""
    return format_named(name, Measure.from_dict(dict(stored)))


def is_measure(value: Any) -> bool:
    """Whether a stored value is a measure, and not one of the details beside the measures."""
    return isinstance(value, Mapping) and {"value", "low", "high", "n"} <= set(value)


def stored_measures(stored: Mapping[str, Any]) -> dict[str, Measure]:
    """The measures among stored values, by name."""
    return {name: Measure.from_dict(dict(value)) for name, value in stored.items() if is_measure(value)}
