"""miniSEED: its records are looked at before a reader sees them, because readers stop at blanks and drop a cut end.

Formats: SEED manual 2.4 (FDSN, 2012), fixed header, blockette 1000, control headers; miniSEED 3 (FDSN, 2022).
"""

from __future__ import annotations

import io
import mmap
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from seisvision.data.importing.formats.miniseed_samples import segments_of
from seisvision.data.importing.formats.reading import Request
from seisvision.data.importing.formats.segment import Segment
from seisvision.data.importing.rejections import Refusal
from seisvision.data.importing.tables.times import NS

Content = bytes | mmap.mmap
DATA = re.compile(rb"[0-9 \x00]{6}[DRQM][ \x00]|MS\x03")
CONTROL = re.compile(rb"[0-9 ]{6}[VAST][ *]")
"""Control headers of full SEED volumes: volume, abbreviations, stations, time spans."""
BLANK = b"\x00\xff \r\n\t"
"""Bytes that fill blocks without a record."""
BTIME = {"year": 20, "day": 22, "fraction": 28}
"""Places of words in a header; hour, minute and second are single bytes between them."""
HEADER_BYTES, SHORTEST_HEADER_BYTES = 48, 40
QUALITIES = b"DRQM"
"""Letters behind the number of a record, the rarest bytes of a header: looked for first, as patterns take long."""
IN_NUMBERS = np.isin(np.arange(256), list(b"0123456789 \x00"))
NUMBER_BYTES = 6
"""Length of the number of a record, with which it begins."""
BLOCK_BYTES = 1 << 18
"""Looked through at once: as much as the nearer memory of a processor holds."""
FIXED = [0, 1, 2, 3, 4, 5, 6, 46, 47, 48, 49, 54]
"""Bytes of a record that tell it from samples: number, quality, and a first blockette 1000 with the length."""
MAX_BLOCKETTES = 16
MAPPED_BYTES = 1 << 28
"""Larger files are mapped, which costs small ones more than to read them."""
SHORTEST, LONGEST = 7, 20
"""Lengths of records as powers of two."""


def is_mseed(path: Path) -> bool:
    """Whether the file begins like miniSEED of version 2 or 3, full SEED or blank blocks before either."""
    with path.open("rb") as file:
        head = file.read(4096)
    start = len(head) - len(head.lstrip(BLANK)) if head[:1] in (b"\x00", b"\xff", b"\n", b"\r") else 0
    return any(pattern.match(head, at) is not None for at in {0, start} for pattern in (DATA, CONTROL))


@contextmanager
def _opened(path: Path) -> Iterator[Content]:
    with path.open("rb") as file:
        if path.stat().st_size <= MAPPED_BYTES:
            yield file.read()
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def _is_regular(content: Content) -> bool:
    """Whether the file is records of one length from end to end, as nearly all files are: told without a loop."""
    length = _record_length(content, 0)
    if (
        length is None
        or content[:2] == b"MS"
        or len(content) % length
        or content[46:48] not in (b"\x00\x30", b"\x30\0")
    ):
        return False
    records = np.frombuffer(content, np.uint8).reshape(-1, length)
    heads = records[:, FIXED]
    digits = heads[:, :6]
    alike = bool((heads[:, 6:] == heads[0, 6:]).all() and digits.min() >= ord("0") and digits.max() <= ord("9"))
    del records
    # A record that lost its end holds the next ones.
    if not alike:
        return False
    likely = _likely_starts(content)
    return not any(_is_header(content, at) for at in likely[likely % length != 0].tolist())


def _likely_starts(content: Content) -> np.ndarray:
    """Where (N,) a header may begin: the number and the quality of a record, or the first letters of version 3."""
    found = [np.empty(0, np.int64)]
    for begin in range(0, len(content), BLOCK_BYTES):
        # Six bytes more, which hold the number of a record whose letter is the first of the block.
        early = min(begin, NUMBER_BYTES)
        raw = np.frombuffer(content[begin - early : begin + BLOCK_BYTES + 1], np.uint8)
        letters = early + np.flatnonzero(_are_any_of(raw[early:-1], QUALITIES))
        numbered = letters[_are_any_of(raw[letters + 1], b" \x00")] - NUMBER_BYTES
        numbered = numbered[numbered >= 0]
        numbered = numbered[IN_NUMBERS[raw[numbered[:, None] + np.arange(NUMBER_BYTES)]].all(axis=1)]
        of_version_3 = letters[(raw[letters] == ord("M")) & (raw[letters + 1] == ord("S"))]
        found += [numbered + begin - early, of_version_3 + begin - early]
    return np.sort(np.concatenate(found))


def _are_any_of(raw: np.ndarray, letters: bytes) -> np.ndarray:
    is_one = raw == letters[0]
    for letter in letters[1:]:
        is_one |= raw == letter
    return is_one


def whole_records(content: Content) -> tuple[list[slice], list[Refusal]]:
    """Return where the whole records lie, and what of the rest was more than blanks."""
    records: list[slice] = []
    losses: list[Refusal] = []
    starts = _header_starts(content)
    at, usual = 0, None
    while at < len(content):
        following = _next_record(content, starts, at)
        length = _record_length(content, at)
        length = _to_next_record(content, at, following, usual) if length is None else length
        end = at + length if length else following
        # Where another record begins before this one ends, bytes are missing in between.
        if length and end <= min(following, len(content)):
            records.append(slice(at, end))
            usual = length
        else:
            end = following
            losses += _lost(content, at, end, len(records))
        at = end
    return records, losses


def _next_record(content: Content, starts: np.ndarray, at: int) -> int:
    """Where the next record begins, after the header at ``at`` if there is one; else the end of the file."""
    place = int(np.searchsorted(starts, at))
    if place < len(starts) and starts[place] == at:
        place = int(np.searchsorted(starts, at + SHORTEST_HEADER_BYTES))
    return int(starts[place]) if place < len(starts) else len(content)


def _header_starts(content: Content) -> np.ndarray:
    """Where something begins that looks like the header of a record, in order; blank blocks do not."""
    return np.array([at for at in _likely_starts(content).tolist() if _is_header(content, at)], dtype=np.int64)


def _is_header(content: Content, at: int) -> bool:
    return DATA.match(content, at) is not None and _looks_true(content, at)


def _looks_true(content: Content, at: int) -> bool:
    """Whether the time of what looks like a header is one; six digits and a letter may stand in samples, too."""
    head = content[at : at + HEADER_BYTES]
    if head[:3] == b"MS\x03":
        return len(head) >= 40 and head[5] < 24 and 1900 <= struct.unpack_from("<H", head, 8)[0] <= 2200
    if len(head) < HEADER_BYTES:
        return False
    year, day = struct.unpack_from(f"{_order(head)}HH", head, 20)
    return 1900 <= year <= 2200 and 1 <= day <= 366 and head[24] < 24 and head[25] < 60


def _order(head: bytes) -> str:
    return ">" if 1900 <= struct.unpack_from(">H", head, 20)[0] <= 2200 else "<"


def _lost(content: Content, at: int, end: int, n_before: int) -> list[Refusal]:
    piece = bytes(content[at:end])
    # Blank blocks have a number, a letter and the length of a record; less of it is a record of which the rest is gone.
    is_blank_block = DATA.match(piece) and not piece[8:].strip(BLANK) and len(piece) % (1 << SHORTEST) == 0
    if not piece.strip(BLANK) or CONTROL.match(piece) or is_blank_block:
        return []
    if DATA.match(piece) and end == len(content):
        reason = "ends within a record, recordings may be missing"
        kept = f"; cut it to {at} bytes to use what is left" if n_before else ""
        return [Refusal("read", "truncated", reason + kept, len(content))]
    reason = f"{end - at} bytes from byte {at} on are no whole record; the records around them are used"
    return [Refusal("read", "damaged_block", reason, end - at)]


def _record_length(content: Content, at: int) -> int | None:
    """Length of the record that begins there; None where none does, or its header does not tell."""
    head = content[at : at + HEADER_BYTES]
    if DATA.match(head) is None:
        return None
    if head[:3] == b"MS\x03":
        return None if len(head) < 40 else 40 + head[33] + sum(struct.unpack_from("<HI", head, 34))
    if len(head) < HEADER_BYTES:
        return None
    order = _order(head)
    offset = struct.unpack_from(f"{order}H", head, 46)[0]
    for _ in range(MAX_BLOCKETTES):
        blockette = content[at + offset : at + offset + 8]
        if offset < HEADER_BYTES or len(blockette) < 8:
            return None
        kind, following = struct.unpack_from(f"{order}HH", blockette)
        if kind == 1000:
            return 1 << blockette[6] if SHORTEST <= blockette[6] <= LONGEST else None
        if following <= offset:
            return None
        offset = following
    return None


def _to_next_record(content: Content, at: int, following: int, usual: int | None) -> int | None:
    """Length of a record without blockette 1000: to the next header, a power of two, else as the one before."""
    if DATA.match(content, at) is None or content[at : at + 2] == b"MS" or not _looks_true(content, at):
        return None
    length = following - at
    if length.bit_count() == 1 and SHORTEST <= length.bit_length() - 1 <= LONGEST:
        return length
    return usual if usual is not None and usual <= length else None


def read_mseed(request: Request) -> list[Segment]:
    """Read the whole records of a file; what else is in it is added to ``request.losses``."""
    with _opened(request.path) as content:
        sound = content if _is_regular(content) else _sound_content(content, request.losses)
        return mark_blank_networks(_read_buffer(sound, request))


def listed_mseed(path: Path) -> list[Segment] | None:
    """Channels and times of a file from its headers, without looking for damage; None where the reader meets some."""
    try:
        return mark_blank_networks(segments_of(path, Request(path, headers_only=True)))
    except (RuntimeError, UnicodeEncodeError):
        return None


class SoundFile:
    """A file whose records are looked at once, and which is then read in pieces.

    Args:
        path: of the file.
        losses: what of it is no whole record is added here.

    Raises:
        Refusal: it holds no record.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, losses: list[Refusal]) -> None:
        self.path = path
        with _opened(path) as content:
            self._is_regular = _is_regular(content)
            self._content = None if self._is_regular else _sound_content(content, losses)
            self._starts_ns = _record_starts_ns(content) if self._is_regular else None
            self._n_bytes = len(content)

    def read(self, request: Request) -> list[Segment]:
        """Read what is asked for; see :func:`read_mseed`. Of a regular file only the records of that time are read."""
        content = self._content
        if content is None:
            content = self._records_of(request.span_ns)
        return mark_blank_networks(_read_buffer(content, request)) if content else []

    def _records_of(self, span_ns: tuple[int, int] | None) -> bytes:
        starts = self._starts_ns
        first, last, length = 0, self._n_bytes, 0
        if span_ns is not None and starts is not None and len(starts) > 1:
            length = self._n_bytes // len(starts)
            # A record ends before the next begins; one more on either side for clocks that tell it otherwise.
            inside = np.flatnonzero((starts[1:] >= span_ns[0]) & (starts[:-1] <= span_ns[1]))
            at_end = len(starts) - 1 if starts[-1] <= span_ns[1] else -1
            chosen = [*inside[:1].tolist(), *inside[-1:].tolist(), *([at_end] if at_end >= 0 else [])]
            if not chosen:
                return b""
            first, last = (max(0, min(chosen) - 1)) * length, min((max(chosen) + 2) * length, self._n_bytes)
        with self.path.open("rb") as file:
            file.seek(first)
            return file.read(last - first)


def _record_starts_ns(content: Content) -> np.ndarray | None:
    """Start (N,) of every record of a regular file of one channel in the order of time; else None."""
    length = _record_length(content, 0)
    records = np.frombuffer(content, np.uint8).reshape(-1, length or 1)
    heads = records[:, 8:30].copy()
    del records
    if not (heads[:, :12] == heads[0, :12]).all():
        return None
    order = _order(bytes(content[:HEADER_BYTES]))
    words = {name: heads[:, at - 8 : at - 6].copy().view(f"{order}u2")[:, 0] for name, at in BTIME.items()}
    years, inverse = np.unique(words["year"].astype(np.int64), return_inverse=True)
    first_days = np.array([date(int(year), 1, 1).toordinal() - date(1970, 1, 1).toordinal() for year in years])
    days = first_days[inverse] + words["day"] - 1
    seconds = days * 86400 + heads[:, 16] * np.int64(3600) + heads[:, 17] * np.int64(60) + heads[:, 18]
    starts = seconds * NS + words["fraction"].astype(np.int64) * 100_000
    return starts if (np.diff(starts) >= 0).all() else None


def mended(request: Request) -> io.BytesIO:
    """Return the whole records of a file for a reader of its own; what else is in it is added to the losses."""
    with _opened(request.path) as content:
        return io.BytesIO(content[:] if _is_regular(content) else _sound_content(content, request.losses))


def mark_blank_networks(segments: list[Segment]) -> list[Segment]:
    """Mark recordings without a network code, which SEED does not know: a station code alone is not unique."""
    reason = "the header gives no network code, so its station cannot be told from others of that name"
    blank = Refusal("read", "blank_code", reason)
    return [
        segment if segment.network.strip() or segment.flaw else replace(segment, flaw=blank) for segment in segments
    ]


def _sound_content(content: Content, losses: list[Refusal]) -> bytes:
    """Whole records, one after the other.

    Raises:
        Refusal: there is none, or no telling how the samples are stored.
    """
    records, lost = whole_records(content)
    losses += lost
    if not records:
        raise lost[0] if lost else Refusal("read", "empty_file", "holds no recording")
    told = [record for record in records if _says_encoding(content, record.start)]
    if len(told) < len(records):
        silent = len(records) - len(told)
        reason = (
            f"{silent} of {len(records)} records have no blockette 1000, which says how samples are stored; write the "
            "file anew with a tool that knows its encoding"
        )
        losses.append(Refusal("read", "no_encoding", reason, silent))
    if not told:
        raise losses.pop()
    return b"".join(content[record] for record in told)


def _says_encoding(content: Content, at: int) -> bool:
    return content[at : at + 2] == b"MS" or _record_length(content, at) is not None


def _read_buffer(content: Content, request: Request) -> list[Segment]:
    from pymseed import MiniSEEDError

    try:
        return segments_of(content, request)
    except MiniSEEDError as error:
        records, _ = whole_records(content)
        sound = [record for record in records if _can_be_read(content[record])]
        if not sound or len(sound) == len(records):
            raise
        reason = (
            f"{len(records) - len(sound)} of {len(records)} records cannot be unpacked, the others are used: {error}"
        )
        request.losses.append(Refusal("read", "damaged_block", reason.splitlines()[0], len(records) - len(sound)))
        return segments_of(b"".join(content[record] for record in sound), request)


def _can_be_read(record: bytes) -> bool:
    import pymseed

    try:
        with pymseed.MS3TraceList.from_buffer(record, unpack_data=True):
            return True
    except pymseed.MiniSEEDError:
        return False
