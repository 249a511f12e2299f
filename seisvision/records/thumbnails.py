"""Small pictures of test samples in one file of a run, so that a comparison can show those on which runs disagree."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from seisvision.files import parse_json, write_text
from seisvision.plain_files import LARGEST_JSON_BYTES, read_text

MOST_CHARACTERS = 300_000
"""Of the pictures of a file, which is about its size in bytes."""
LONGEST_SIDE = 128
"""Pixels; larger pictures are averaged down."""
QUALITY = 75
JPEG = b"\xff\xd8\xff"
"""How every JPEG begins."""


def write_thumbnails(path: Path, pictures: Iterable[tuple[str, np.ndarray]]) -> Path:
    """Write pictures by sample id as JSON with JPEGs in base64; those that no longer fit are left out.

    Args:
        path: JSON to write.
        pictures: sample ids and pictures uint8 (3, H, W), the most important first.
    """
    kept: dict[str, str] = {}
    left = MOST_CHARACTERS
    for sample_id, picture in pictures:
        text = base64.b64encode(as_jpeg(picture)).decode()
        left -= len(text)
        if left < 0:
            break
        kept[sample_id] = text
    write_text(path, json.dumps({"format": "jpeg", "pictures": kept}) + "\n")
    return path


def read_thumbnails(path: Path) -> dict[str, str]:
    """JPEGs in base64 by sample id; empty where the file is missing or damaged, and without what is no JPEG."""
    try:
        found = parse_json(read_text(path, LARGEST_JSON_BYTES))["pictures"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if not isinstance(found, Mapping):
        return {}
    return {str(sample_id): text for sample_id, text in found.items() if isinstance(text, str) and _is_jpeg(text)}


def _is_jpeg(text: str) -> bool:
    try:
        return base64.b64decode(text, validate=True).startswith(JPEG)
    except (binascii.Error, ValueError):
        return False


def as_jpeg(picture: np.ndarray) -> bytes:
    """A picture uint8 (3, H, W) as a JPEG, averaged down where a side is longer than :data:`LONGEST_SIDE`."""
    from matplotlib.image import imsave

    content = io.BytesIO()
    shown = np.ascontiguousarray(_shrunk(picture).transpose(1, 2, 0))
    imsave(content, shown, format="jpeg", pil_kwargs={"quality": QUALITY})
    return content.getvalue()


def _shrunk(picture: np.ndarray) -> np.ndarray:
    """A picture uint8 (3, H, W) averaged over squares, so that no side is longer than allowed."""
    _, height, width = picture.shape
    n = -(-max(height, width) // LONGEST_SIDE)
    if n == 1:
        return picture
    squares = picture[:, : height // n * n, : width // n * n].reshape(3, height // n, n, width // n, n)
    return squares.mean((2, 4)).round().astype(np.uint8)
