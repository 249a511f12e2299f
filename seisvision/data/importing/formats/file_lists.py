"""Which files a source names, and what they are called."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from seisvision.data.importing.formats.packed import SUFFIXES as PACKED_SUFFIXES
from seisvision.data.importing.formats.packed import is_wanted
from seisvision.errors import DataError

Named = tuple[Path, str]
"""A file, and its name below the pattern that found it."""


def list_files(patterns: Iterable[str]) -> list[Named]:
    """Files behind folders (searched through), file names and glob patterns, each once, with its name as text.

    Links are followed; hidden files are left out. Links that lead nowhere and folders that cannot be opened are
    listed like files, so that reading them tells what is wrong.

    Raises:
        DataError: a pattern matches nothing.
    """
    found: dict[tuple[str, str], Named] = {}
    real: dict[Path, str] = {}
    for pattern in patterns:
        path = Path(pattern)
        if path.is_dir():
            matches, base = list(_walk(path)), path
        elif _is_entry(path):
            matches, base = [path], path.parent
        else:
            base = _fixed_part(path)
            matches = [item for item in base.glob(str(path.relative_to(base))) if _is_entry(item)]
        visible = [item for item in matches if is_wanted(str(item.relative_to(base)))]
        if not visible:
            raise DataError(
                f"no waveform file matches '{pattern}'; give a folder, a file or a pattern such as 'x/*.mseed'"
            )
        for item in visible:
            folder = real.setdefault(item.parent, os.path.realpath(item.parent))
            found.setdefault((folder, item.name), (item, plain_name(str(item.relative_to(base)))))
    return sorted(found.values())


def _is_entry(path: Path) -> bool:
    return path.is_file() or (path.is_symlink() and not path.exists())


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder; a folder that links lead to twice is gone through once."""
    closed: list[Path] = []
    seen: set[str] = set()
    for name, folders, files in os.walk(folder, followlinks=True, onerror=lambda error: closed.append(_path_of(error))):
        real = os.path.realpath(name)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        here = Path(name)
        yield from (item for item in (here / file for file in files) if _is_entry(item))
    yield from closed


def _path_of(error: OSError) -> Path:
    return Path(os.fsdecode(error.filename))


def _fixed_part(pattern: Path) -> Path:
    """Longest leading folder of a glob pattern that holds no wildcard."""
    parts = list(pattern.parts)
    fixed = next((i for i, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts) - 1)
    return Path(*parts[:fixed]) if fixed else Path()


def plain_name(name: str) -> str:
    """Return a file name as text that any table can hold, in the composed form of Unicode, as people type it.

    Names that are no UTF-8 come from systems that wrote Latin-1.
    """
    if name.isascii():
        return name
    raw = os.fsencode(name)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return unicodedata.normalize("NFC", text)


def stem(name: str) -> str:
    """Name up to its ending, and up to the ending of the format where the file is compressed."""
    path = Path(name)
    if path.suffix.lower() in PACKED_SUFFIXES and Path(path.stem).suffix:
        path = Path(path.stem)
    return path.stem
