"""What the files of a finished run held when it ended, so that whoever reads them later knows whether they still do.

``manifest.json`` names the results: tables, predictions, metrics, settings and the best checkpoint, each with its size
and SHA-256. Figures, logs and what commands add later are not among them.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from seisvision.errors import SeisvisionError
from seisvision.records.folder import RunFolder, read_json, write_json

log = logging.getLogger(__name__)

CHANGING = ("manifest.json", "status.json", "limits.json", "train.log")
"""Files at the top of a run folder that change after its end, and the manifest itself."""
COMPARED = re.compile(r"metrics\.json|metrics\.csv|config\.yaml|environment\.json|overrides\.yaml|predictions\w*\.csv")
"""Names of the small files from which comparisons and tables are made."""
LONGEST_NAME = 250
"""Characters with the folders within the run; file systems allow 255 in one name."""
WHAT_TO_DO = (
    "Restore them from a copy; or run again with run.fresh=true; or, where the checkpoints are whole, delete "
    "metrics.json and repeat the command of the run, which measures again"
)


def write_manifest(folder: RunFolder) -> None:
    """Write ``manifest.json`` of a run that is at its end."""
    files = [path for path in folder.path.iterdir() if path.is_file() and path.name not in CHANGING]
    files += [path for path in folder.tables.rglob("*") if path.is_file()]
    files += [folder.best_checkpoint] if folder.best_checkpoint.is_file() else []
    names = sorted(path.relative_to(folder.path).as_posix() for path in files if not path.name.startswith("."))
    write_json(folder.manifest_file, {"files": {name: _describe(folder.path / name) for name in names}})


def read_manifest(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Sizes and hashes by file name; empty for runs of earlier versions.

    Raises:
        SeisvisionError: it is damaged.
    """
    if not folder.manifest_file.exists():
        return {}
    content = read_json(folder.manifest_file)
    files = content.get("files") if isinstance(content, Mapping) else None
    if not isinstance(files, Mapping) or not all(
        isinstance(one, Mapping) and isinstance(one.get("bytes"), int) and isinstance(one.get("sha256"), str)
        for one in files.values()
    ):
        raise SeisvisionError(f"{folder.manifest_file} is damaged: it does not list files with bytes and sha256.")
    for name in map(str, files):
        if len(name) > LONGEST_NAME or "\0" in name or ".." in PurePath(name).parts or PurePath(name).is_absolute():
            raise SeisvisionError(f"{folder.manifest_file} is damaged: {name[:60]!r} is no name of a file of the run.")
    return {str(name): dict(one) for name, one in files.items()}


def altered_files(folder: RunFolder, asked: re.Pattern[str] | None = None) -> list[str]:
    """Files of a finished run that are no more what they were at its end, each with what happened, in words.

    Args:
        folder: of the run.
        asked: matches the names of those that are looked at; default all of the manifest.
    """
    try:
        known = read_manifest(folder)
    except SeisvisionError:
        return [f"{folder.manifest_file.name} (damaged)"]
    found = []
    for name in (name for name in known if asked is None or asked.fullmatch(name)):
        path = folder.path / name
        if not path.is_file():
            found.append(f"{name} (missing)")
        elif path.stat().st_size != known[name]["bytes"] or _describe(path) != known[name]:
            found.append(f"{name} (changed)")
    return found


def warn_if_altered(folder: RunFolder, asked: re.Pattern[str]) -> None:
    """Say so where files that are about to be read are not what they were when the run ended."""
    found = altered_files(folder, asked)
    if found:
        log.warning("Run %s was changed after its end: %s. %s.", folder.path, ", ".join(found), WHAT_TO_DO)


def _describe(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
