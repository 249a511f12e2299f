"""The records of miniSEED files, as far as it takes to tell whether a file is whole.

Formats: SEED manual 2.4 (FDSN, 2012), fixed header and blockette 1000; miniSEED 3 (FDSN, 2022), fixed header.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from seisvision.data.importing.rejections import Refusal

QUALITY = b"DRQM"
HEAD_BYTES = 64
MAX_BLOCKETTES = 16


def is_mseed(path: Path) -> bool:
    """Whether the file begins like a miniSEED record of version 2 or 3, whatever its name."""
    with path.open("rb") as file:
        return _is_record(file.read(8))


def _is_record(head: bytes) -> bool:
    if head[:3] == b"MS\x03":
        return True
    return len(head) >= 8 and all(c in b"0123456789 \x00" for c in head[:6]) and head[6:7] in QUALITY


def check_whole(path: Path) -> None:
    """Readers take the whole records of a file that was cut off and say nothing of the rest.

    Raises:
        Refusal: the file ends within a record. Records of which the length is not told are left to the reader.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = _record_length(file, 0)
        if length is None or size % length == 0:
            return
        at = 0
        while at + length <= size:
            at += length
            if at == size:
                return
            length = _record_length(file, at)
            if length is None:
                return
    reason = f"ends within a record, recordings may be missing; cut it to {at} bytes to use what is left"
    raise Refusal("read", "truncated", reason, size)


def _record_length(file: BinaryIO, at: int) -> int | None:
    file.seek(at)
    head = file.read(HEAD_BYTES)
    if not _is_record(head):
        return None
    if head[:3] == b"MS\x03":
        return None if len(head) < 40 else 40 + head[33] + sum(struct.unpack_from("<HI", head, 34))
    return _blockette_1000(file, at, head)


def _blockette_1000(file: BinaryIO, at: int, head: bytes) -> int | None:
    """Length of a record of version 2, a power of two; None where the header does not tell."""
    if len(head) < 48:
        return None
    order = ">" if 1900 <= struct.unpack_from(">H", head, 20)[0] <= 2200 else "<"
    offset = struct.unpack_from(f"{order}H", head, 46)[0]
    for _ in range(MAX_BLOCKETTES):
        file.seek(at + offset)
        blockette = file.read(8)
        if len(blockette) < 8:
            return None
        kind, following = struct.unpack_from(f"{order}HH", blockette)
        if kind == 1000:
            return 1 << blockette[6] if 6 <= blockette[6] <= 20 else None
        if following <= offset:
            return None
        offset = following
    return None
