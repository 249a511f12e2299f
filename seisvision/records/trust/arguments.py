"""Whether plain values fit the arguments of a class: by name, and by the types that its signature states."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.plain_types import fits_type, shortened, type_name


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
