"""Checkpoints that say what they held when they were written, so that a changed bit is found when they are read.

Two layers. The archive that torch writes has a CRC-32 of each of its entries, which torch itself does not look at: it
finds any few changed bits, in files of earlier versions too. Beside the weights stands a SHA-256 of them and of what is
said of them; it goes wherever the file is copied, and finds what was loaded, changed and saved again.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from seisvision.errors import CheckpointError

SEAL = "seisvision_sha256"
"""Key of the hash in a checkpoint."""
SEALED = ("state_dict", "seisvision")
"""What the hash is of: the weights, and configuration, split and run id. The state of the optimiser has its CRC-32."""

PLAIN = (str, int, float, bool, type(None))
"""Types of values that are hashed as they are written."""


def sealed(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint with its hash; one of another program has none."""
    if any(key not in checkpoint for key in SEALED):
        return dict(checkpoint)
    return {**checkpoint, SEAL: content_hash(checkpoint)}


def write_tensors(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Write plain containers and tensors to a file, with their hash."""
    # Of a file that torch opens itself nobody hears why it could not be written.
    with path.open("wb") as file:
        torch.save(sealed(checkpoint), file)


def check_entries(path: Path) -> None:
    """Refuse an archive in which an entry is not what was written; a file that is no archive is left to torch.

    Raises:
        CheckpointError: names the entry.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise CheckpointError(_altered(path, f"its archive cannot be read: {error}")) from error
    if damaged is not None:
        raise CheckpointError(_altered(path, f"{damaged} does not match its checksum (CRC-32)"))


def check_seal(path: Path, checkpoint: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose content is not what was written; those of earlier versions have no hash.

    Raises:
        CheckpointError: it was changed.
    """
    if SEAL in checkpoint and checkpoint[SEAL] != content_hash(checkpoint):
        raise CheckpointError(_altered(path, "weights or configuration do not match its checksum (SHA-256)"))


def _altered(path: Path, why: str) -> str:
    return (
        f"{path} is damaged: it was changed after it was written ({why}). Restore it from a copy, or train again with "
        "run.fresh=true."
    )


def content_hash(checkpoint: Mapping[str, Any]) -> str:
    """SHA-256 of the sealed part of a checkpoint, in hexadecimal digits."""
    digest = hashlib.sha256()
    for key in SEALED:
        _feed(digest, checkpoint[key])
    return digest.hexdigest()


def _feed(digest: Any, node: Any) -> None:
    """Add a value: its kind, its size and its content, so that no two values are read as one."""
    # Most values are words and numbers, such as the ids of a split: what they are not is asked of the rest only.
    if type(node) in PLAIN:
        _feed_text(digest, node)
    elif isinstance(node, torch.Tensor):
        digest.update(f"tensor {node.dtype} {tuple(node.shape)};".encode())
        # Cloned where the stride is not 1: an empty array of numpy, or one expanded value, comes with a stride of 0,
        # counts as contiguous, and has no bytes to view.
        flat = node.detach().cpu().reshape(-1)
        flat = flat if flat.stride(0) == 1 else flat.clone(memory_format=torch.contiguous_format)
        digest.update(flat.view(torch.uint8).numpy().data)
    elif isinstance(node, Mapping):
        digest.update(f"mapping {len(node)};".encode())
        for key, value in node.items():
            _feed(digest, key)
            _feed(digest, value)
    elif isinstance(node, list | tuple):
        digest.update(f"list {len(node)};".encode())
        for value in node:
            _feed(digest, value)
    else:
        _feed_text(digest, node)


def _feed_text(digest: Any, node: Any) -> None:
    text = repr(node).encode()
    digest.update(b"%s %d;%s" % (type(node).__name__.encode(), len(text), text))
