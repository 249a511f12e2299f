"""The version of what run folders hold: written into each, refused where it is newer than this program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.errors import SeisvisionError

SCHEMA = 1
"""Counts changes of a run folder that an earlier program would read wrongly: a file or column that is gone, has another
name, unit or meaning. What is only added does not count. ``docs/run_folder.md`` describes it."""
KEY = "schema"
BEFORE_SCHEMAS = 0
"""Of folders written before the version was, which hold what version 1 does."""


def check_schema(content: Mapping[str, Any], path: Path) -> int:
    """The version that a file of a run folder states.

    Args:
        content: of ``status.json`` or ``metrics.json``.
        path: of the file, for the message.

    Raises:
        SeisvisionError: it is newer than this program, or no whole number.
    """
    stated = content.get(KEY, BEFORE_SCHEMAS)
    if not isinstance(stated, int) or isinstance(stated, bool) or stated < 0:
        raise SeisvisionError(f"{path} states {KEY}={str(stated)[:60]!r}; a whole number from 0 belongs there.")
    if stated > SCHEMA:
        raise SeisvisionError(
            f"{path} was written by a newer seisvision: it states {KEY} {stated}, and this one reads up to {SCHEMA}. "
            "Update seisvision; nothing was read or changed."
        )
    return stated
