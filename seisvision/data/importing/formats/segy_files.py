"""SEG-Y and SU files as they lie on disk: layout, trace headers, samples.

Standards: SEG-Y revision 0 (Barry et al., 1975, doi:10.1190/1.1440530), 1 (SEG Technical Standards Committee, 2002) and
2.0 (2017), whose first trace header extension is read, too. SU (Seismic Unix) is the traces alone, as IEEE floats.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from seisvision.data.importing.rejections import Refusal

Content = bytes | mmap.mmap
TEXT_BYTES, BINARY_BYTES, TRACE_BYTES = 3200, 400, 240
BLOCK_BYTES = 512
"""Of tapes and disks, whose last block is filled up."""
FILE_BYTES = TEXT_BYTES + BINARY_BYTES
ORDER_MARK = 0x01020304
IBM = 1
SAMPLES = {
    1: "u4", 2: "i4", 3: "i2", 5: "f4", 6: "f8", 8: "i1", 9: "i8", 10: "u4", 11: "u2", 12: "u8", 16: "u1",
}  # fmt: skip
"""Data sample format code (bytes 3225-3226) to type; 1 is the hexadecimal float of IBM."""
OTHER_SAMPLES = {4: "fixed point with gain", 7: "24 bit", 15: "24 bit without sign"}
END_TEXT = b"((SEG: EndText))"
EXTENSION = b"SEG00001"
MOST_EXTENSIONS = 64
"""More additional trace headers are what a writer left in bytes that revision 1 had not assigned."""
FIELDS = {
    "number_in_line": (0, "i4"), "number_in_file": (4, "i4"), "record": (8, "i4"), "number": (12, "i4"),
    "kind": (28, "i2"), "group_elevation": (40, "i4"), "source_depth": (48, "i4"), "height_scalar": (68, "i2"),
    "place_scalar": (70, "i2"), "source_x": (72, "i4"), "source_y": (76, "i4"), "group_x": (80, "i4"),
    "group_y": (84, "i4"), "place_unit": (88, "i2"), "delay_ms": (108, "i2"), "n_samples": (114, "u2"),
    "interval_us": (116, "u2"), "year": (156, "i2"), "day": (158, "i2"), "hour": (160, "i2"), "minute": (162, "i2"),
    "second": (164, "i2"), "time_basis": (166, "i2"), "time_scalar": (214, "i2"),
}  # fmt: skip
"""Field of the trace header to its offset and type."""
EXTENDED = {
    "record": (16, "i8"), "group_elevation": (32, "f8"), "source_depth": (56, "f8"), "source_x": (96, "f8"),
    "source_y": (104, "f8"), "group_x": (112, "f8"), "group_y": (120, "f8"), "n_samples": (136, "u4"),
    "nanosecond": (140, "i4"), "interval_us": (144, "f8"), "n_extensions": (156, "u2"),
}  # fmt: skip
"""The same for the first extension, whose numbers count where they are not zero."""
SCALED = {"group_elevation": "height_scalar", "source_depth": "height_scalar"} | dict.fromkeys(
    ("source_x", "source_y", "group_x", "group_y"), "place_scalar"
)
CODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q", "f4": "f", "f8": "d"}


@dataclass(frozen=True)
class Layout:
    """How a file is laid out.

    Args:
        order: ``<`` or ``>``.
        revision: 0, 1 or 2; traces of SU are read like revision 0.
        first_at: byte of the first trace.
        n_samples: per trace, where the trace does not say; 0 where the file does not, either.
        interval_us: the same.
        n_extensions: additional trace headers of 240 bytes.
        feet: whether lengths are in feet.
    """

    order: str
    revision: int
    sample_format: int
    first_at: int
    n_samples: int
    interval_us: float
    n_extensions: int = 0
    feet: bool = False


def find_layout(content: Content, named: bool) -> Layout | None:
    """Return the layout of a SEG-Y file; None for what is none.

    Args:
        named: the user says that it is SEG-Y, so only the byte order is in question.
    """
    if len(content) < FILE_BYTES:
        return None
    for order in "><":
        layout = _layout(content, order)
        if layout is not None and (named or _is_likely(content, layout)):
            return layout
    return None


def _layout(content: Content, order: str) -> Layout | None:
    def number(code: str, at: int) -> Any:
        return struct.unpack_from(order + code, content, at - 1)[0]

    sample_format = number("h", 3225)
    if sample_format not in SAMPLES and sample_format not in OTHER_SAMPLES:
        return None
    revision = content[3500] or (content[3501] if order == "<" else 0)
    revision = revision if revision in (1, 2) else 0
    n_samples, interval_us, n_extensions, first_at = number("H", 3221), float(number("H", 3217)), 0, 0
    if revision == 2:
        if number("I", 3297) not in (0, ORDER_MARK):
            return None
        n_samples = number("I", 3269) or n_samples
        exact_us = number("d", 3273)
        interval_us = exact_us if 0 < exact_us < 1e12 else interval_us
        n_extensions, first_at = number("I", 3507), number("Q", 3523)
        n_extensions = n_extensions if n_extensions <= MOST_EXTENSIONS else 0
    if not FILE_BYTES <= first_at < len(content):
        first_at = _after_texts(content, number("h", 3505) if revision else 0)
    return Layout(
        order, revision, sample_format, first_at, n_samples, interval_us, n_extensions, number("h", 3255) == 2
    )


def _after_texts(content: Content, number: int) -> int:
    """End of the extended textual headers; a number below zero says that a stanza ends them."""
    if number >= 0:
        return FILE_BYTES + TEXT_BYTES * number
    at = FILE_BYTES
    while at + TEXT_BYTES <= len(content):
        text = content[at : at + TEXT_BYTES]
        at += TEXT_BYTES
        if END_TEXT in text or END_TEXT in text.decode("cp037", "replace").encode("ascii", "replace"):
            break
    return at


def _is_likely(content: Content, layout: Layout) -> bool:
    """Whether the first trace agrees with the header of the file."""
    if len(content) < layout.first_at + TRACE_BYTES:
        return False
    fields = trace_fields(content, layout.first_at, layout)
    n_samples, interval_us = fields["n_samples"], fields["interval_us"]
    agree = layout.n_samples in (0, n_samples) and layout.interval_us in (0, interval_us)
    flag = struct.unpack_from(layout.order + "h", content, 3502)[0]
    plausible = fields["day"] <= 366 and 0 <= fields["year"] < 2200 and fields["hour"] < 25
    return bool(n_samples and interval_us and plausible and (agree or (layout.revision and flag in (0, 1))))


def su_layout(content: Content) -> Layout | None:
    """Return the layout of an SU file in the byte order in which its traces fill the file."""
    for order in "<>":
        if len(content) < TRACE_BYTES:
            return None
        n_samples, interval_us = struct.unpack_from(f"{order}HH", content, 114)
        if n_samples and interval_us and len(content) % (TRACE_BYTES + 4 * n_samples) == 0:
            return Layout(order, 0, 5, 0, n_samples, float(interval_us))
    return None


def trace_fields(content: Content, at: int, layout: Layout) -> dict[str, Any]:
    """Numbers of the trace header at that byte, with what its extension says more exactly.

    ``source_x`` and the other coordinates are multiplied by their scalar, which in the extension stands for itself.
    """
    order = layout.order
    fields = {name: struct.unpack_from(order + CODES[kind], content, at + o)[0] for name, (o, kind) in FIELDS.items()}
    fields |= {name: fields[name] * scalar(fields[by]) for name, by in SCALED.items()}
    fields |= {"nanosecond": 0, "n_extensions": layout.n_extensions}
    fields["n_samples"] = fields["n_samples"] or layout.n_samples
    if fields["interval_us"] in (0, int(layout.interval_us), round(layout.interval_us)):
        fields["interval_us"] = layout.interval_us
    extension = content[at + TRACE_BYTES : at + 2 * TRACE_BYTES]
    if layout.n_extensions and extension[-len(EXTENSION) :] == EXTENSION:
        more = {name: struct.unpack_from(order + CODES[kind], extension, o)[0] for name, (o, kind) in EXTENDED.items()}
        fields |= {name: value for name, value in more.items() if value and np.isfinite(value)}
    return fields


def scalar(value: int) -> float:
    """Positive: a factor; negative: a divisor; zero: none."""
    return float(value) if value > 0 else (1.0 / -value if value < 0 else 1.0)


def traces(content: Content, layout: Layout, losses: list[Refusal]) -> Iterator[tuple[dict[str, Any], slice]]:
    """Yield the fields and the place of the samples of every trace; what is left at the end is told in ``losses``.

    Raises:
        Refusal: the samples are of a kind that is not read, or no trace is whole.
    """
    if layout.sample_format not in SAMPLES:
        kind = OTHER_SAMPLES[layout.sample_format]
        reason = f"SEG-Y samples of format {layout.sample_format} ({kind}) are not read; write them as format 5"
        raise Refusal("read", "unreadable", reason, layout.sample_format)
    width = np.dtype(SAMPLES[layout.sample_format]).itemsize
    at = layout.first_at
    while at + TRACE_BYTES <= len(content):
        fields = trace_fields(content, at, layout)
        begin = at + TRACE_BYTES * (1 + fields["n_extensions"])
        end = begin + width * fields["n_samples"]
        if end > len(content) or not fields["n_samples"]:
            break
        yield fields, slice(begin, end)
        at = end
    rest = content[at:]
    # Fewer bytes than a header may be the zeros that the next one begins with, but for those that fill up a block.
    fills_up = len(rest) >= TRACE_BYTES or (len(rest) >= 4 and len(content) % BLOCK_BYTES == 0)
    if rest.strip(b"\x00\xff \r\n" if fills_up else b" \r\n"):
        reason = f"{len(rest)} bytes from byte {at} on are no whole trace; the traces before are used"
        losses.append(Refusal("read", "truncated", reason, len(rest)))


def unpack(piece: bytes, layout: Layout) -> np.ndarray:
    """Samples in the byte order of this machine; IBM floats become float64, which holds them exactly."""
    raw = np.frombuffer(piece, layout.order + SAMPLES[layout.sample_format])
    if layout.sample_format != IBM:
        return raw.astype(raw.dtype.newbyteorder("="))
    sign = 1.0 - 2.0 * (raw >> 31)
    exponent = ((raw >> 24) & 0x7F).astype(np.int64) - 64
    return np.asarray(sign * (raw & 0xFFFFFF) * np.exp2(4.0 * exponent - 24))
