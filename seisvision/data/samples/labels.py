"""Which values of a column mean which class: ``dataset.labels``, checked before anything is read from it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seisvision.errors import ConfigurationError

log = logging.getLogger(__name__)

MOST_SHOWN = 12


def check_labels(labels: Any, column: str) -> None:
    """Refuse a mapping of class names to values that does not say of each value which one class it means.

    Values are compared as text, as the samples are.

    Raises:
        ConfigurationError: names the class or the value, and how it is written.
    """
    setting = f"dataset.labels.{column}"
    example = f"such as {setting}={{quake: [earthquake], blast: [explosion]}}"
    if not isinstance(labels, Mapping):
        raise ConfigurationError(f"{setting}={labels!r} must name classes and the values that mean them, {example}.")
    _check_names(labels, setting)
    class_of: dict[str, str] = {}
    for name, values in labels.items():
        if not isinstance(values, list | tuple):
            raise ConfigurationError(f"{setting}.{name}={values!r} must be a list, even of one value: [{values}].")
        if not values:
            raise ConfigurationError(
                f"{setting}.{name} is empty, so nothing can be of class '{name}'. Give its values, or leave it out."
            )
        for value in values:
            if isinstance(value, Mapping | list | tuple) or value is None:
                raise ConfigurationError(
                    f"{setting}.{name} holds {value!r}, which no event can have; give values, in quotes where YAML "
                    "takes them for something else."
                )
            other = class_of.setdefault(str(value), str(name))
            if other != str(name):
                raise ConfigurationError(
                    f"{setting} gives the value '{value}' to two classes, '{other}' and '{name}'. Leave it in one."
                )


def _check_names(labels: Mapping[Any, Any], setting: str) -> None:
    for name in labels:
        if name is None or isinstance(name, bool) or not str(name).strip():
            raise ConfigurationError(
                f"{setting} has a class called {name!r}, which is no text. YAML takes yes, no, true, false and "
                'null for something else; write the name in quotes, such as "no", or choose another.'
            )
    kinds = {type(name) for name in labels}
    if len(kinds) > 1:
        raise ConfigurationError(f"{setting} has classes {list(labels)}: names of text and numbers. Write all as text.")


def check_values(labels: Mapping[Any, Sequence[Any]], column: str, values: Iterable[Any], where: object) -> None:
    """Refuse classes none of whose values a set has, and warn of values that it does not have.

    Args:
        labels: class names and the values that mean them, see :func:`check_labels`.
        column: which column.
        values: that column, one entry an event.
        where: what to call the set.

    Raises:
        ConfigurationError: names the classes, what the column holds, and values that differ only in spelling.
    """
    held = Counter("" if _is_missing(value) else str(value) for value in values)
    absent = {str(name): [str(value) for value in wanted if str(value) not in held] for name, wanted in labels.items()}
    empty = [name for name, wanted in labels.items() if len(absent[str(name)]) == len(wanted)]
    missing = [value for values in absent.values() for value in values]
    hints = "".join(f" '{value}' is written '{alike}' there." for value in missing for alike in _alike(value, held))
    if empty:
        shown = ", ".join(f"{value or 'nothing'} ({n})" for value, n in held.most_common(MOST_SHOWN))
        more = f" and {len(held) - MOST_SHOWN} others" if len(held) > MOST_SHOWN else ""
        raise ConfigurationError(
            f"No event of {where} is of class {', '.join(map(repr, map(str, empty)))} of dataset.labels.{column}. Its "
            f"column '{column}' holds: {shown}{more}.{hints} Write the values as they stand there, or leave the class "
            "out."
        )
    if missing:
        log.warning(
            "dataset.labels.%s: no event of %s has the value %s.%s", column, where, ", ".join(map(repr, missing)), hints
        )


def _is_missing(value: Any) -> bool:
    return value is None or value != value


def _alike(value: str, held: Iterable[str]) -> list[str]:
    """Values that are the same but for case, blanks, hyphens, underscores or the way in which a number is written."""
    return [other for other in held if other and _plain(other) == _plain(value)]


def _plain(value: str) -> str:
    try:
        return str(float(value))
    except ValueError:
        return "".join(letter for letter in value.casefold() if letter.isalnum())


def tell_rare_classes(counts: Mapping[str, Mapping[str, Mapping[str, int]]], unit: str) -> None:
    """Warn of classes of which a network can learn or show next to nothing.

    Args:
        counts: part to class target to class name to number of samples.
        unit: what a sample is, ``event`` or ``trace``.
    """
    for column, trained in counts.get("train", {}).items():
        for name in trained:
            by_part = {part: of_part[column][name] for part, of_part in counts.items()}
            without = [part for part, n in by_part.items() if n == 0]
            if by_part["train"] > 1 and not without:
                continue
            numbers = ", ".join(f"{n} {part}" for part, n in by_part.items())
            said = f"; nothing is said of it on {' and '.join(without)}" if without else ""
            log.warning("Class '%s' of %s has few %ss: %s%s.", name, column, unit, numbers, said)
