"""What the settings of a composed configuration mean: the comments beside them in the files they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from seisvision.records.words.composing import CONF
from seisvision.yaml_files import read_yaml

LINE = re.compile(r"^(?P<indent> *)(?P<key>[\w.-]+):(?P<rest>.*)$")
COMMENT = re.compile(r"(?:^|\s)#\s*(?P<comment>.*)$")
SELF = "_self_"
WIDTH = 46
"""Columns that a setting has before its comment."""


def comments_of(choices: Mapping[str, str], conf: Path = CONF, root: str = "train") -> dict[str, str]:
    """Comments by dotted key.

    Args:
        choices: choice in each group, such as ``{"dataset": "mt_baker"}``.
        conf: folder of the files.
        root: the file that composes them.
    """
    found = _comments_in(conf / f"{root}.yaml")
    for group, choice in choices.items():
        found |= _of_choice(conf, group, choice)
    return found


def _of_choice(conf: Path, group: str, choice: str) -> dict[str, str]:
    path = conf / group / f"{choice}.yaml"
    if not path.is_file():
        return {}
    is_global = "@package _global_" in path.read_text(encoding="utf-8")
    prefix = "" if is_global else f"{group}."
    said = {prefix + key: comment for key, comment in _comments_in(path).items()}
    content = read_yaml(path)
    defaults = content.get("defaults") if isinstance(content, dict) else None
    beneath: dict[str, str] = {}
    for one in defaults or []:
        if isinstance(one, str) and one != SELF:
            beneath |= _of_choice(conf, group, one.removeprefix("/"))
    return beneath | said


def _comments_in(path: Path) -> dict[str, str]:
    """Comments behind keys, by dotted key; a line that only holds a comment goes on with the one above it."""
    found: dict[str, str] = {}
    open_keys: list[tuple[int, str]] = []
    last = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        match, comment = LINE.match(line), COMMENT.search(line)
        if match is None:
            if last and comment and line.startswith(" ") and line.lstrip().startswith("#"):
                found[last] += f" {comment['comment'].strip()}"
            continue
        indent = len(match["indent"])
        open_keys = [(depth, key) for depth, key in open_keys if depth < indent]
        open_keys.append((indent, match["key"]))
        dotted = ".".join(key for _, key in open_keys)
        last = dotted if comment else ""
        if comment:
            found[dotted] = comment["comment"].strip()
    return found


def explained(config: Mapping[str, Any], comments: Mapping[str, str], only: Sequence[str] = ()) -> Iterator[str]:
    """Lines of YAML with the comments behind the settings.

    Args:
        config: plain values, as they were composed.
        comments: of :func:`comments_of`.
        only: keys, or beginnings of them, that are shown; all by default.
    """
    yield from _lines(config, comments, tuple(only), "", 0)


def _lines(
    node: Mapping[str, Any], comments: Mapping[str, str], only: tuple[str, ...], place: str, depth: int
) -> Iterator[str]:
    for key, value in node.items():
        dotted = f"{place}.{key}" if place else str(key)
        inside = not only or any(dotted == one or dotted.startswith(f"{one}.") for one in only)
        above = any(one.startswith(f"{dotted}.") for one in only)
        if not (inside or above):
            continue
        is_section = isinstance(value, Mapping) and bool(value)
        shown = "" if is_section else f" {_flow(value)}"
        line = f"{'  ' * depth}{key}:{shown}"
        comment = comments.get(dotted, "")
        yield f"{line:<{WIDTH}}  # {comment}" if comment else line
        if is_section:
            yield from _lines(value, comments, only, dotted, depth + 1)


def _flow(value: Any) -> str:
    """A value on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False).strip()
    return text.removesuffix("\n...").removesuffix("...").strip()
