"""Whether plain values fit the arguments of a class: by name, and by the types that its signature states."""

from __future__ import annotations

import collections.abc
import inspect
import math
import pathlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seisvision.errors import ConfigurationError, did_you_mean

LARGEST = 2**63
"""Whole numbers beyond fit no tensor and no file."""


def check_arguments(
    build: Callable[..., Any], settings: Mapping[str, Any], given: Mapping[str, Any], where: str
) -> None:
    """Refuse settings that a class or function has no argument for, or whose type is another one.

    Args:
        build: class or function.
        settings: from configuration, with the objects in them built already.
        given: arguments that the program gives itself.
        where: the setting, for the message.

    Raises:
        ConfigurationError: names the setting, its value and what is allowed.
    """
    try:
        parameters = inspect.signature(build).parameters
    except (TypeError, ValueError):
        # Written in C, without a signature.
        return
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    named = [name for name, one in parameters.items() if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    hints = _hints(build)
    prefix = f"{where}." if where else ""
    for key, value in settings.items():
        if not isinstance(key, str) or (key not in named and not takes_any):
            settable = [name for name in named if name not in given]
            raise ConfigurationError(
                f"{prefix}{key} is no setting of {build.__name__}. {did_you_mean(str(key), settable)}"
            )
        if key in named and not fits_type(value, hints.get(key, Any)):
            raise ConfigurationError(
                f"{prefix}{key}={shortened(value)} is not allowed; {build.__name__} takes {type_name(hints[key])}."
            )


def _hints(build: Any) -> dict[str, Any]:
    """Types of the arguments; none where they name what is imported for checkers of types only."""
    is_class = isinstance(build, type)
    try:
        return typing.get_type_hints(build.__init__ if is_class else build)
    except Exception:
        return {}


def fits_type(value: Any, wanted: Any) -> bool:
    """Whether a plain value, or an object, is of a stated type. Lists stand for tuples and other sequences."""
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if wanted is Any or isinstance(wanted, typing.TypeVar):
        return True
    if origin is typing.Annotated:
        return fits_type(value, inner[0])
    if origin in (typing.Union, types.UnionType):
        return any(fits_type(value, one) for one in inner)
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        keys, values = inner or (Any, Any)
        is_mapping = isinstance(value, Mapping)
        return is_mapping and all(fits_type(k, keys) and fits_type(v, values) for k, v in value.items())
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        return _is_list(value) and len(value) == len(inner) and all(map(fits_type, value, inner))
    if isinstance(origin, type) and issubclass(origin, collections.abc.Iterable):
        return _is_list(value) and all(fits_type(one, inner[0]) for one in value)
    if origin is collections.abc.Callable:
        return callable(value)
    return _fits_plain(value, origin or wanted)


def _fits_plain(value: Any, wanted: Any) -> bool:
    if wanted is None or wanted is type(None):
        return value is None
    if wanted is bool:
        return isinstance(value, bool)
    if wanted is int:
        return _is_number(value) and value == int(value) and abs(value) < LARGEST if _is_finite(value) else False
    if wanted is float:
        return _is_number(value) and (isinstance(value, float) or abs(value) < LARGEST)
    if wanted is pathlib.Path:
        return isinstance(value, str | pathlib.Path)
    if wanted in (list, tuple, Sequence, collections.abc.Sequence):
        return _is_list(value)
    return isinstance(value, wanted) if isinstance(wanted, type) else True


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or math.isfinite(value))


def type_name(wanted: Any) -> str:
    """A stated type in the words of the code, without where its parts are defined."""
    text = wanted.__name__ if isinstance(wanted, type) and not typing.get_args(wanted) else str(wanted)
    for module in ("collections.abc.", "typing.", "pathlib.", "torch.nn.modules.module."):
        text = text.replace(module, "")
    return text


def shortened(value: Any) -> str:
    """A value in one line of a message."""
    if isinstance(value, int) and abs(value) >= LARGEST:
        return "<a number beyond 2**63>"
    text = repr(value) if isinstance(value, str | int | float | bool | None) else f"<{type(value).__name__}>"
    if isinstance(value, list | tuple) and len(value) <= 8:
        text = f"[{', '.join(shortened(one) for one in value)}]"
    return text if len(text) <= 120 else f"{text[:117]}..."
