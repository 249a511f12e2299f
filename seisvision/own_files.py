"""Reports have names that anybody may use: a command replaces its own, and nobody else's unless it is told to."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from seisvision.errors import ConfigurationError


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Declare the option that lets a command replace files of others."""
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files of the report's names also where others made them"
    )


def check_own(marks: Mapping[Path, str], setting: str, overwrite: bool) -> None:
    """Refuse to replace a file that a command has not written, before any work is done; empty ones hold nothing.

    Args:
        marks: text that every file of the command holds, by the name that it will have.
        setting: option that names the place.
        overwrite: replace whatever is there.

    Raises:
        ConfigurationError: names the files of others.
    """
    foreign = [] if overwrite else [str(path) for path, mark in marks.items() if not _is_own(path, mark)]
    if foreign:
        are = "is there and was" if len(foreign) == 1 else "are there and were"
        raise ConfigurationError(
            f"{', '.join(foreign)} {are} not written by this command. Give another place with {setting}, move what is "
            "there away, or add --overwrite to replace it."
        )


def _is_own(path: Path, mark: str) -> bool:
    if not path.is_file() or path.stat().st_size == 0:
        return True
    content = path.read_bytes()
    # Tables are told by their first columns.
    return content.startswith(mark.encode()) if path.suffix == ".csv" else mark.encode() in content
