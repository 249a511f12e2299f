"""Ways to damage the content of a file, each told by a random generator."""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

Damage = Callable[[bytes, np.random.Generator], bytes]
NASTY_TEXTS = (
    "../../climbed", "/tmp/climbed", "..\\..\\climbed", "", " ", "\x00", "nan", "1e999", "-1e308", "ev0", "a" * 70_000,
    "é",
    "=1+1", '"', "'; DROP TABLE", "${root}", "{event_id}", "9999-12-31T23:59:59Z", "0001-01-01", "2020-13-45",
    "91", "-181",
    "1677-01-01T00:00:00Z", "2262-12-31T00:00:00Z", "inf", "\n", ",,,,", "\ufeff", "\u202e",
)  # fmt: skip
NASTY_FLOATS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e38, -1e38, 1e-38, 12345.0, -12345.0, 1e6, 1e-6)
NASTY_INTS = (0, -1, 1, 2**31 - 1, -(2**31), 9999, 100_000_000, -12345)


def truncate(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut anywhere."""
    return content[: int(rng.integers(0, max(len(content), 1)))]


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    """Turn one to twenty bits over."""
    damaged = bytearray(content)
    for at in rng.integers(0, len(damaged), int(rng.integers(1, 21))):
        damaged[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(damaged)


def overwrite(content: bytes, rng: np.random.Generator) -> bytes:
    """Write noise, zeros or ones over a stretch."""
    damaged = bytearray(content)
    at, length = int(rng.integers(0, len(damaged))), int(rng.integers(1, 200))
    piece = [rng.bytes(length), b"\x00" * length, b"\xff" * length][int(rng.integers(0, 3))]
    damaged[at : at + length] = piece[: len(damaged) - at]
    return bytes(damaged)


def replace_all(content: bytes, rng: np.random.Generator) -> bytes:
    """Something else altogether."""
    others = (
        b"",
        b"\x00" * 5000,
        rng.bytes(3000),
        b"<html>404</html>",
        b"\x89HDF\r\n\x1a\n",
        content * 2,
        content[::-1],
    )
    return others[int(rng.integers(0, len(others)))]


def drop_and_repeat(content: bytes, rng: np.random.Generator) -> bytes:
    """Lose a stretch, or have it twice."""
    first, last = sorted(int(at) for at in rng.integers(0, len(content), 2))
    return content[:first] + content[last:] if rng.random() < 0.5 else content[:last] + content[first:]


def record_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Nonsense in one field of a miniSEED record: count, rate, time, offset, encoding, record length."""
    damaged = bytearray(content)
    start = 512 * int(rng.integers(0, len(damaged) // 512))
    at, width = ((30, 2), (32, 2), (34, 2), (20, 2), (22, 2), (44, 2), (46, 2), (52, 1), (54, 1), (8, 12))[
        int(rng.integers(0, 10))
    ]
    values = (b"\xff" * width, b"\x00" * width, rng.bytes(width), b"../../../../../.."[:width])
    damaged[start + at : start + at + width] = values[int(rng.integers(0, len(values)))]
    return bytes(damaged)


def sac_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Nonsense in one number or text of a SAC header."""
    damaged = bytearray(content)
    if rng.random() < 0.5:
        number = struct.pack("<f", NASTY_FLOATS[int(rng.integers(0, len(NASTY_FLOATS)))])
        at = 4 * int(rng.choice([0, 1, 2, 5, 6, 7, 31, 32, 33, 35, 36, 38, 39, 51, 52, 53, 57, 58]))
    elif rng.random() < 0.7:
        number = struct.pack("<i", NASTY_INTS[int(rng.integers(0, len(NASTY_INTS)))])
        at = 4 * int(rng.integers(70, 110))
    else:
        number = NASTY_TEXTS[int(rng.integers(0, len(NASTY_TEXTS)))].encode()[:8].ljust(8)
        at = 440 + 8 * int(rng.integers(0, 24))
    damaged[at : at + len(number)] = number
    return bytes(damaged)


def cells(content: bytes, rng: np.random.Generator) -> bytes:
    """Nonsense in one or more cells of a table, or in its header."""
    lines = [line.split(",") for line in content.decode("latin-1").splitlines()]
    for _ in range(int(rng.integers(1, 4))):
        line = lines[int(rng.integers(0, len(lines)))]
        line[int(rng.integers(0, len(line)))] = NASTY_TEXTS[int(rng.integers(0, len(NASTY_TEXTS)))]
    return "\n".join(",".join(line) for line in lines).encode()


def reshape_table(content: bytes, rng: np.random.Generator) -> bytes:
    """Rows twice, too long or too short, columns gone, other encodings."""
    lines = content.splitlines()
    row = lines[-1]
    others = (
        [*lines, row], [*lines, row + b",1,2,3"], [*lines[:-1], row.rpartition(b",")[0]], lines[:1], lines[1:],
        [line.partition(b",")[2] for line in lines], [line + b",9" for line in lines[1:]], [lines[0], *lines],
        [lines[0], *(line + b",9" for line in lines[1:])],
    )  # fmt: skip
    text = b"\n".join(others[int(rng.integers(0, len(others)))])
    encoding = ("latin-1", "latin-1", "latin-1", "utf-16", "utf-32", "utf-8-sig")[int(rng.integers(0, 6))]
    return text.decode("latin-1").encode(encoding)


def xml_values(content: bytes, rng: np.random.Generator) -> bytes:
    """Nonsense between two tags or in an attribute."""
    opening, closing = ((b">", b"<"), (b'="', b'"'))[int(rng.integers(0, 2))]
    pieces = content.split(opening)
    at = int(rng.integers(1, len(pieces)))
    text = NASTY_TEXTS[int(rng.integers(0, len(NASTY_TEXTS)))].encode()
    pieces[at] = text + closing + pieces[at].partition(closing)[2]
    return opening.join(pieces)


def xml_entities(content: bytes, rng: np.random.Generator) -> bytes:
    """Entities: of another file, of the network, or that grow without end."""
    laughs = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    declared = (
        '<!ENTITY a11 SYSTEM "file:///etc/passwd">', '<!ENTITY a11 SYSTEM "http://127.0.0.1:9/x">',
        f'<!ENTITY a0 "ha">{laughs}', '<!ENTITY a11 "&a11;">', '<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;',
    )[int(rng.integers(0, 5))]  # fmt: skip
    head, _, body = content.partition(b"?>")
    pieces = body.split(b">")
    at = int(rng.integers(1, len(pieces) - 1))
    pieces[at] = b"&a11;" + pieces[at]
    return head + b"?><!DOCTYPE x [" + declared.encode() + b"]>" + b">".join(pieces)


def card_text(content: bytes, rng: np.random.Generator) -> bytes:
    """A card that is no card, or whose fingerprint climbs out."""
    others = (
        b"[]",
        b"null",
        b"{",
        b'{"fingerprint": "a/../../../climbed"}',
        b'{"fingerprint": 5, "files": []}',
        b"\xff\xfe",
    )
    return others[int(rng.integers(0, len(others)))]


class _Executes:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (_leave_trace, ("obspy.core.stream",))


def _leave_trace(_: str) -> None:
    executed.append(True)


executed: list[bool] = []
"""Filled by the pickle among the inputs, if it is ever loaded."""


def a_pickle(_: bytes, rng: np.random.Generator) -> bytes:
    """What obspy takes for a pickled stream, and would execute."""
    return pickle.dumps(_Executes(), protocol=int(rng.integers(0, 5)))


def hdf5_content(content: bytes, rng: np.random.Generator) -> bytes:
    """A readable HDF5 file whose content is not that of a set."""
    stored = io.BytesIO(content)
    with h5py.File(stored, "a") as file:
        bucket = next(iter(file["data"]))
        samples = file["data"][bucket][()]
        choice = int(rng.integers(0, 9))
        if choice == 0:
            del file["data"]
            file["data"] = samples
        elif choice == 1:
            del file["data_format"]
            file["data_format"] = 1.0
        elif choice == 2:
            file["data_format"]["dimension_order_"] = "x"
            del file["data_format"]["dimension_order"]
            file["data_format"]["dimension_order"] = b"\xff\xfe"
        elif choice == 3:
            del file["data_format"]["sampling_rate"]
            file["data_format"]["sampling_rate"] = "fast"
        else:
            del file["data"][bucket]
            replacements = (
                samples[:, :, :10], samples[:1], samples[0, 0], np.full(samples.shape, np.nan), np.array([b"text"])
            )  # fmt: skip
            file["data"][bucket] = replacements[choice - 4]
    return stored.getvalue()


def trace_names(content: bytes, rng: np.random.Generator) -> bytes:
    """Addresses of samples that are not there."""
    others = (
        b"bucket0$999,:1,:1500", b"../../data$0,:1,:9", b"bucket0$0,:99,:9999999999", b"/etc/passwd",
        b"bucket0$-1,:1,:5", b"bucket0$99999999999999999999999,:1,:5", b"bucket0", b"$", b"..$0,:1,:5",
        b"bucket0$0,:0,:0",
    )  # fmt: skip
    name = others[int(rng.integers(0, len(others)))]
    head, _, tail = content.partition(b"bucket0$0,:1,:1500")
    return head + name + tail


ANY: tuple[Damage, ...] = (truncate, flip, overwrite, replace_all, drop_and_repeat)
TABLE: tuple[Damage, ...] = (*ANY, cells, cells, reshape_table)
XML: tuple[Damage, ...] = (*ANY, xml_values, xml_values, xml_entities)
