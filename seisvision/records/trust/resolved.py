"""Configurations that were resolved when they were stored, and are taken literally ever after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seisvision.errors import ConfigurationError

DEEPEST = 32
"""Levels of configuration; those of experiments have six."""
LARGEST = 2**64
LONGEST_TEXT = 100_000


def check_resolved(node: Any, name: str, path: str = "", depth: int = 0) -> None:
    """Refuse a stored configuration that asks this machine for something, or holds what no setting is.

    Args:
        node: plain values.
        name: file that they were read from.
        path: dotted key of ``node``.
        depth: of ``node``.

    Raises:
        ConfigurationError: names the file, the setting and the reason.
    """
    if depth > DEEPEST:
        raise ConfigurationError(f"{name} is refused: it is nested deeper than {DEEPEST} levels.")
    if isinstance(node, Mapping):
        for key, value in node.items():
            if not isinstance(key, str | int | float | bool | None):
                raise ConfigurationError(f"{name} is refused: a setting in '{path}' is named by no word.")
            check_resolved(value, name, f"{path}.{key}" if path else str(key)[:200], depth + 1)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            check_resolved(value, name, f"{path}[{index}]", depth + 1)
    elif not isinstance(node, str | int | float | bool | None):
        raise ConfigurationError(f"{name} is refused: {path} is a {type(node).__name__}, which is no setting.")
    elif isinstance(node, str) and ("${" in node or len(node) > LONGEST_TEXT or "\0" in node):
        reason = "${...} would be looked up on this machine" if "${" in node else "it is no text of a setting"
        raise ConfigurationError(
            f"{name} is refused: {path} holds '{' '.join(node[:60].split())}', and {reason}; stored configurations "
            "hold values only."
        )
    elif isinstance(node, int) and abs(node) > LARGEST:
        raise ConfigurationError(f"{name} is refused: {path} is a number beyond 2**64.")
