"""Whether the files of a run hold what is read of them, so that one damaged run cannot stop the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from seisvision.errors import SeisvisionError
from seisvision.evaluation.intervals import Measure

TEXT, NUMBER, MAPPING, LIST, WHOLE = "text", "a number", "a mapping", "a list", "a whole number"
TYPES: dict[str, Any] = {TEXT: str, NUMBER: int | float, MAPPING: Mapping, LIST: list, WHOLE: int}
ABSENT = object()


class NotComparableError(SeisvisionError):
    """A run folder cannot be compared; the message says why."""


def need(value: Any, kind: str, name: str, file: str = "metrics.json") -> Any:
    """The value, which has to be there and of a kind.

    Raises:
        NotComparableError: names the file and the value.
    """
    if not isinstance(value, TYPES[kind]) or isinstance(value, bool):
        said = "missing or null" if value is ABSENT or value is None else f"{repr(value)[:60]}, not {kind}"
        raise NotComparableError(f"broken: {file}: {name} is {said}")
    return value


def if_given(value: Any, kind: str, name: str, file: str = "metrics.json") -> None:
    """The same of a value that may be missing."""
    if value is not None:
        need(value, kind, name, file)


def each_is(several: Any, kind: str, name: str, *, of: str = MAPPING) -> Any:
    """A mapping or list whose values are all of a kind."""
    need(several, of, name)
    for one in several.values() if isinstance(several, Mapping) else several:
        need(one, kind, f"a value of {name}")
    return several


def measure_like(stored: Mapping[str, Any], always: Collection[str] = ()) -> dict[str, Any]:
    """What may be a measure among stored values: mappings that hold a value, and those that are shown."""
    return {key: one for key, one in stored.items() if key in always or (isinstance(one, Mapping) and "value" in one)}


def check_measures(measures: Mapping[str, Any], name: str) -> None:
    """Refuse what stands where measures are expected."""
    for key, value in measures.items():
        if value is None:
            continue
        try:
            Measure.from_dict(dict(need(value, MAPPING, f"{name}.{key}")))
        except (TypeError, ValueError) as error:
            raise NotComparableError(f"broken: metrics.json: {name}.{key} is no measure ({error})") from None
