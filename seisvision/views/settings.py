"""Checks of view settings: a wrong value is refused with its name and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from seisvision.errors import ConfigurationError, did_you_mean


def one_of(setting: str, value: str, allowed: Sequence[str]) -> str:
    """Return ``value``, or raise ConfigurationError unless it is one of ``allowed``."""
    if value not in allowed:
        raise ConfigurationError(f"{setting}='{value}' is not allowed. {did_you_mean(str(value), list(allowed))}")
    return value


def positive(setting: str, value: Any, maximum: float = math.inf) -> Any:
    """Return ``value``, or raise ConfigurationError unless it is a number in (0, maximum]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= maximum:
        bound = "" if maximum == math.inf else f" and at most {maximum:g}"
        raise ConfigurationError(f"{setting}={value} is not allowed; it must be larger than 0{bound}")
    return value


def ordered_range(setting: str, value: Any, otherwise: str = "") -> tuple[float, float]:
    """Return (low, high), or raise ConfigurationError unless ``value`` is a pair with low < high."""
    if isinstance(value, str) or value is None or len(value) != 2 or not value[0] < value[1]:
        allowed = f"give (low, high) with low < high{otherwise}"
        raise ConfigurationError(f"{setting}={value} is not allowed; {allowed}")
    return float(value[0]), float(value[1])


def optional_range(setting: str, value: Any, absent: str | None = None) -> tuple[float, float] | None:
    """Return (low, high), or None where ``value`` is the word or None that stands for no range."""
    return None if value == absent else ordered_range(setting, value, f", or {absent!r}")
