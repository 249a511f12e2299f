"""Whether the values of a recipe are of the types of its settings."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from typing import Any

from seisvision.errors import ConfigurationError

NAMES = {float: "a number", int: "a whole number", bool: "true or false", str: "a text", type(None): "null"}


def typed_settings(kind: type, content: Mapping[str, Any], where: str, *, checks_lists: bool = True) -> dict[str, Any]:
    """The settings for a dataclass, lists as tuples and numbers as texts where it wants those.

    Args:
        kind: the dataclass; ``content`` holds none but its fields.
        content: values as they stand in YAML.
        where: names it in messages.
        checks_lists: whether what stands in lists is checked; else the dataclass itself says more of it.

    Raises:
        ConfigurationError: names the setting, its value and what it must be.
    """
    hints = typing.get_type_hints(kind)
    settings = {}
    for key, value in content.items():
        if isinstance(value, list | tuple) and not checks_lists:
            settings[key] = tuple(value)
            continue
        try:
            settings[key] = _as(hints[key], value)
        except TypeError:
            raise ConfigurationError(f"{where}.{key}={value!r} must be {_name(hints[key])}") from None
    return settings


def _as(hint: Any, value: Any) -> Any:
    """The value as the type; a TypeError where it is none."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        for part in sorted(parts, key=lambda part: part is str):  # a text fits last: it takes numbers as well
            try:
                return _as(part, value)
            except TypeError:
                continue
        raise TypeError
    if origin is tuple:
        return _as_tuple(parts, value)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise TypeError
        return {_as(parts[0], key): _as(parts[1], one) for key, one in value.items()}
    return _as_scalar(hint, value)


def _as_tuple(parts: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    if len(parts) == 2 and parts[1] is Ellipsis:
        return tuple(_as(parts[0], one) for one in value)
    if len(value) != len(parts):
        raise TypeError
    return tuple(_as(part, one) for part, one in zip(parts, value, strict=True))


def _as_scalar(kind: Any, value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is str and is_number:
        return str(value)  # a code such as 00 or 10, which YAML takes for a number
    fits = {
        float: is_number and not math.isnan(value),
        int: is_number and value == value // 1,
        bool: isinstance(value, bool),
        str: isinstance(value, str),
        type(None): value is None,
    }
    if not fits.get(kind, kind is Any or (isinstance(kind, type) and isinstance(value, kind))):
        raise TypeError
    return value


def _name(hint: Any) -> str:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_name(part) for part in parts)
    if origin is tuple:
        one = _name(parts[0]).removeprefix("a ")
        return f"a list, each {one}" if parts[-1] is Ellipsis else f"a list of {len(parts)}, each {one}"
    if origin is dict:
        return "a mapping of names"
    return NAMES.get(hint, "a mapping of settings")
