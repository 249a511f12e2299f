"""Whether plain values, as files hold them, are of the types that the code states."""

from __future__ import annotations

import collections.abc
import math
import pathlib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

LARGEST = 2**63
"""Whole numbers beyond fit no tensor and no file."""


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
