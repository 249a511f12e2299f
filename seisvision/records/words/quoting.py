"""Paths on a command line of Hydra, whose grammar takes =, commas, brackets and quotes in a value for its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PATH_KEY = re.compile(r"(\+{0,2}(?:[\w@/]+\.)*(?:(?:\w+_)?ckpt|path|folder|scratch|\w+_dir|\w+_path))=(.*)", re.DOTALL)
"""Settings that hold a path, and what is given for them."""
SWEEPS = ("-m", "--multirun")


def quoted_paths(words: Sequence[str]) -> list[str]:
    """Words of a command line, with quotes about those paths that Hydra would not take as they are.

    A path is left alone where Hydra reads it as it stands, and whatever it is where it is quoted already or holds an
    interpolation. In a list and, with ``-m``, between commas, each path is looked at by itself.

    Args:
        words: the command line without the program, as the shell gives it.
    """
    sweeps = any(word in SWEEPS for word in words)
    return [_quoted_word(word, sweeps) for word in words]


def _quoted_word(word: str, sweeps: bool) -> str:
    found = PATH_KEY.fullmatch(word)
    if found is None or "${" in word or not found[2]:
        return word
    key, value = found.groups()
    read = _read(word)
    if _exists(value):
        return (
            word if read is not None and not read.is_sweep_override() and read.value() == value else _whole(key, value)
        )
    if read is None:
        return _quoted_parts(key, value, sweeps)
    # A folder that is to be made may look like a number, or like several where there is one.
    is_several = read.is_sweep_override() and not sweeps and not key.endswith("ckpt")
    is_number = not read.is_sweep_override() and type(read.value()) in (int, float)
    return _whole(key, value) if is_several or is_number else word


def _quoted_parts(key: str, value: str, sweeps: bool) -> str:
    """Quotes about the paths of a list, of a sweep, or about the only one."""
    if value.startswith("[") and value.endswith("]"):
        return f"{key}=[{','.join(_quoted_item(item) for item in value[1:-1].split(','))}]"
    if sweeps:
        return f"{key}={','.join(_quoted_item(item) for item in value.split(','))}"
    return _whole(key, value)


def _whole(key: str, value: str) -> str:
    return f"{key}={_quoted(value)}"


def _exists(value: str) -> bool:
    try:
        return Path(value).exists()
    except (OSError, ValueError):
        return False


def _quoted_item(item: str) -> str:
    item = item.strip()
    return item if _read(f"key={item}") is not None else _quoted(item)


def _quoted(value: str) -> str:
    mark = '"' if "'" in value and '"' not in value else "'"
    # Backslashes stand for themselves, except before a quote.
    inside = re.sub(rf"(\\*)({mark}|$)", lambda part: part[1] * 2 + ("\\" + mark if part[2] else ""), value)
    return f"{mark}{inside}{mark}"


def _read(word: str) -> Any:
    """What Hydra's grammar makes of a word; None where it refuses it."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(word)
    except HydraException:
        return None


def explain_grammar(word: str, message: str) -> str:
    """Say how a value is written that is not one word."""
    key, is_given, value = word.partition("=")
    reason = message.strip().splitlines()[0]
    if not is_given:
        return f"'{word}' cannot be read ({reason}). Give settings as key=value."
    mark = "'" if '"' in value else '"'
    outside = '"' if mark == "'" else "'"
    return (
        f"'{word}' cannot be read ({reason}). A value that holds =, commas, quotes or unpaired brackets stands in "
        f"quotes of its own, inside those of the shell: {outside}{key}={mark}{value.strip(mark)}{mark}{outside}."
    )
