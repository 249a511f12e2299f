"""What is kept of every compared run: a row of settings and rows of measures, so that thousands fit in memory.

Names are the same in most runs and are kept once. What else a run stored is read when it is asked for.
"""

from __future__ import annotations

import hashlib
import math
import sys
from array import array
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")

SECTIONS = ("data", "outputs", "strongest_baseline", "code")
"""What a comparison reads of ``metrics.json`` beside the measures."""
DETAILS = ("headline", "table_columns", "confusion")
"""What it reads beside the measures of an output."""
BY = ("by_stations", "by_gap")
"""What it reads beside the measures of epicentres."""
NUMBERS = ("value", "low", "high", "n")
"""Of a measure, in the order in which they are kept."""
LARGEST = 2**53
"""Whole numbers up to here are floating-point numbers too."""
NO_MEASURE = -1


class Shared:
    """Of values that are equal, one: what most runs of a sweep have in common is kept once, and not to be changed."""

    def __init__(self) -> None:
        self._known: dict[bytes, Any] = {}

    def one(self, value: Value) -> Value:
        """An equal value that was seen before, else this one."""
        found: Value = self._known.setdefault(digest(value), value)
        return found


def digest(value: Any) -> bytes:
    """Sixteen bytes that are the same for plain values of the same content, types and order."""
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Row(Mapping[str, Any]):
    """Values by name.

    Args:
        values: plain ones.
        shared: holds the names.
    """

    __slots__ = ("_places", "_values")

    def __init__(self, values: Mapping[str, Any], shared: Shared) -> None:
        self._places = shared.one({name: place for place, name in enumerate(values)})
        self._values = tuple(sys.intern(one) if type(one) is str else one for one in values.values())

    def __getitem__(self, name: str) -> Any:
        return self._values[self._places[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Measures(Mapping[str, Any]):
    """The measures of an output and what a comparison reads beside them, as ``metrics.json`` holds them.

    Args:
        stored: measures and details by name.
        shared: holds names, kinds of intervals and details.
    """

    __slots__ = ("_details", "_kinds", "_numbers", "_places")

    def __init__(self, stored: Mapping[str, Any], shared: Shared) -> None:
        measures = {name: one for name, one in stored.items() if _is_plain_measure(one)}
        details = {name: one for name, one in stored.items() if name not in measures and _is_read(name, one)}
        order = {name: place for place, name in enumerate(measures)}
        self._places = shared.one(
            {name: order.get(name, NO_MEASURE) for name in stored if name in order or name in details}
        )
        self._kinds = shared.one(tuple(one.get("kind") for one in measures.values()))
        self._numbers = array("d", [_number(one[key]) for one in measures.values() for key in NUMBERS])
        self._details = shared.one(details)

    def __getitem__(self, name: str) -> Any:
        place = self._places[name]
        if place == NO_MEASURE:
            return self._details[name]
        value, low, high, n = self._numbers[4 * place : 4 * place + 4]
        numbers = {key: None if math.isnan(one) else one for key, one in zip(NUMBERS, (value, low, high), strict=False)}
        kind = self._kinds[place]
        return {**numbers, "n": int(n), **({} if kind is None else {"kind": kind})}

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _is_plain_measure(one: Any) -> bool:
    """Whether three floating-point numbers or nothing, a whole number, and perhaps a word say all of it."""
    if type(one) is not dict or not set(NUMBERS) <= set(one) <= {*NUMBERS, "kind"}:
        return False
    ends = (one["value"], one["low"], one["high"])
    # A stored NaN is told from null, and 5 from 5.0, by keeping such measures as they are.
    are_plain = all(end is None or (type(end) is float and not math.isnan(end)) for end in ends)
    return are_plain and type(one["n"]) is int and 0 <= one["n"] <= LARGEST and type(one.get("kind", "")) is str


def _is_read(name: str, one: Any) -> bool:
    return name in DETAILS or (isinstance(one, Mapping) and "value" in one)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def kept_metrics(metrics: Mapping[str, Any], shared: Shared) -> dict[str, Any]:
    """What a comparison reads of ``metrics.json``, which was checked: of baselines only for which outputs there are."""
    kept: dict[str, Any] = {name: shared.one(metrics[name]) for name in SECTIONS if name in metrics}
    kept["training"] = Row(metrics["training"], shared)
    for part in ("val", "test"):
        if part in metrics:
            kept[part] = {sys.intern(name): Measures(one, shared) for name, one in metrics[part].items()}
    baselines = metrics.get("baselines") or {}
    kept["baselines"] = shared.one(tuple(output for output, stored in baselines.items() if stored))
    if isinstance(metrics.get("location"), Mapping):
        located = metrics["location"].items()
        kept["location"] = {name: _kept_location(name, one, shared) for name, one in located}
    return kept


def _kept_location(name: str, one: Any, shared: Shared) -> Any:
    """Of a locator its measures, and of the network's distances also how they depend on stations."""
    if not isinstance(one, dict):
        return one
    curves = {key: one[key] for key in BY if key in one} if name == "network" else {}
    return {"measures": Measures(one.get("measures") or {}, shared), **curves}
