"""YAML that may come from a stranger: plain values only, no larger or deeper than a person would write them."""

from __future__ import annotations

import functools
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from seisvision.errors import ConfigurationError
from seisvision.plain_files import NoPlainFileError

LARGEST_BYTES = 4_000_000
DEEPEST = 64
MOST_VALUES = 200_000
"""Values with every alias counted as what it stands for: nine lines of aliases can stand for billions."""

UNREADABLE = (yaml.YAMLError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)

FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's own reading, in which ``1e-3`` is a text; right for files that a program wrote."""


@functools.cache
def settings_loader() -> Any:
    """OmegaConf's loader, with which Hydra reads ``conf/``, on the parser in C where PyYAML has it.

    In it ``1e-3`` is a number, and no key stands twice.
    """
    from omegaconf._utils import get_yaml_loader

    theirs = get_yaml_loader()
    if FAST_LOADER is yaml.SafeLoader:
        return theirs
    return type("SettingsLoader", (FAST_LOADER, theirs), {})


def read_yaml(path: str | Path, loader: Any = None) -> Any:
    """Read a YAML file of plain values; interpolations such as ``${oc.env:HOME}`` stay the text they are.

    Args:
        path: of the file.
        loader: class of PyYAML; by default :func:`settings_loader`.

    Raises:
        ConfigurationError: it is not YAML, asks for objects, or is larger or deeper than allowed.
        OSError: it cannot be read.
    """
    path = Path(path)
    text = read_limited(path)
    try:
        return yaml.load(text, Loader=settings_loader() if loader is None else loader)
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        ArithmeticError,
        RecursionError,
    ) as error:
        # What a tag such as !!timestamp or !!bool cannot read, PyYAML's constructors find in ways of their own.
        raise ConfigurationError(f"{path} is not readable YAML: {_first_line(error)}") from error


SECTION = re.compile(r"^(?=[A-Za-z_]\w*:)", re.MULTILINE)
LONGEST_IN_SECTIONS = 100_000
"""Characters, which cannot hold more than :data:`MOST_VALUES` values where nothing is an alias."""


def read_sections(path: str | Path) -> Any:
    """Read a YAML file that a program wrote, as :func:`read_yaml` does with :data:`FAST_LOADER`.

    What stands below each key at its top is read by itself, and once: runs of a sweep have most of it in common. What
    is returned is shared among them, and not to be changed.

    Raises:
        ConfigurationError: as :func:`read_yaml`.
        OSError: it cannot be read.
    """
    text = _text(Path(path))
    if len(text) <= LONGEST_IN_SECTIONS and "&" not in text:
        try:
            sections = [_section(one) for one in SECTION.split(text) if one]
        except (ConfigurationError, *UNREADABLE):
            sections = [None]  # read whole, it may be right; else the message is of the whole file
        if sections and all(isinstance(one, dict) for one in sections):
            return {key: value for one in sections for key, value in one.items()}
    return read_yaml(path, FAST_LOADER)


@lru_cache(maxsize=1000)
def _section(text: str) -> Any:
    check_size(text, "a section")
    return yaml.load(text, Loader=FAST_LOADER)


def read_limited(path: Path) -> str:
    """Text of a YAML file that is safe to load.

    Raises:
        ConfigurationError: it is not YAML, or larger or deeper than allowed.
        NoPlainFileError: there is nothing, or no file.
        OSError: it cannot be read.
    """
    text = _text(path)
    try:
        check_size(text, str(path))
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"{path} is not readable YAML: {_first_line(error)}") from error
    return text


def _text(path: Path) -> str:
    if not path.is_file():
        raise NoPlainFileError(f"{path} is not there, or is no file. Restore it.")
    if path.stat().st_size > LARGEST_BYTES:
        raise ConfigurationError(
            f"{path} is refused: it is larger than {LARGEST_BYTES / 1e6:g} MB, as no settings are."
        )
    try:
        return path.read_text(encoding="utf-8")
    except ValueError as error:
        raise ConfigurationError(f"{path} is not readable YAML: {_first_line(error)}") from error


def check_size(text: str, name: str) -> None:
    """Refuse nesting and aliases that would fill the memory once they are loaded; nothing is built for it.

    Args:
        text: YAML.
        name: of the file, for the message.

    Raises:
        ConfigurationError: names the file and the limit.
        YAMLError: the text is not YAML.
    """
    sizes: list[int] = [0]
    anchors: list[str | None] = []
    size_of: dict[str, int] = {}
    for event in yaml.parse(text, Loader=FAST_LOADER):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in anchors:
                raise ConfigurationError(f"{name} is refused: its alias *{event.anchor} stands within itself.")
            sizes[-1] += size_of.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            sizes[-1] += 1
            if event.anchor:
                size_of[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            sizes.append(1)
            anchors.append(event.anchor)
            if len(anchors) > DEEPEST:
                raise ConfigurationError(f"{name} is refused: it is nested deeper than {DEEPEST} levels.")
        elif isinstance(event, yaml.CollectionEndEvent):
            size, anchor = sizes.pop(), anchors.pop()
            sizes[-1] += size
            if anchor:
                size_of[anchor] = size
        if sizes[-1] > MOST_VALUES:
            raise ConfigurationError(
                f"{name} is refused: its aliases stand for more than {MOST_VALUES:,} values. Write them out."
            )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines else type(error).__name__


def check_references(node: Any, name: str, resolvers: tuple[str, ...] = ()) -> None:
    """Refuse ``${...}`` that would look things up on this machine; references to other settings of the file may stay.

    Args:
        node: plain values, not resolved.
        name: of the file, for the message.
        resolvers: functions of OmegaConf that may be called, such as ``oc.select``.

    Raises:
        ConfigurationError: names the file and what it asks for.
    """
    if isinstance(node, dict):
        for key, value in node.items():
            check_references([key, value], name, resolvers)
    elif isinstance(node, list):
        for value in node:
            check_references(value, name, resolvers)
    elif isinstance(node, str):
        for start in [found.end() for found in re.finditer(r"\$\{", node)]:
            called = re.match(r"\s*([^:{}]*)[:{]", node[start:])
            # Where another reference stands within the name, what would be called is not known before it is.
            if called and called[1].strip() not in resolvers:
                raise ConfigurationError(
                    f"{name} is refused: '{node[:80]}' would be looked up on this machine. Write the value itself, or "
                    "give it on the command line."
                )
