"""What a stranger, or a damage, may make of the files of a folder, for ``hostile_folders.py``."""

from __future__ import annotations

import csv
import io
import json
import lzma
import os
import random
import re
import shutil
import socket
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ODD: list[Any] = [
    None, True, False, 0, -1, 2**31, 2**63, 10**25, 10**400, 0.5, float("nan"), float("inf"), -1e308, "", "x", "\0",
    "a\nb", "x" * 300_000, "\udc80", "\U0001f30b", "../../../etc/passwd", "/dev/zero", "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0", [], {}, [[]], [None], {"a": {}}, {"_target_": "os.system", "command": "touch PWNED"},
    "${oc.env:HOME}", "os.system", [1] * 5000, "nan", "1e999",
]  # fmt: skip
RAW_YAML = [
    "!!python/object/apply:os.system ['touch PWNED']",
    "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "&a [*a]", "{a: " * 5000, "x: !!binary aGVsbG8=", "? [1, 2]\n: 3\n", "? {a: 1}\n: 3\n", "a: 2020-13-45",
    "a: 1\na: 2",
    "<<: [1, 2]", "!!set {a, b}", "--- 1\n--- 2\n", "%YAML 9.9\n---\na: 1", "a: !!int x", "a: !!float x",
    "a: !!timestamp 99999-01-01", "&" + "a" * 100_000 + " x", "a: 0o" + "7" * 5000, "a: " + "9" * 5000, "a: 1:99:99",
    "\ufeffa: 1", "a:\tb", "- " * 3000, "~", "''", "[]",
]  # fmt: skip
RAW_JSON = ["", "[]", "3", '"x"', "null", "{" * 100_000, "[" * 90 + "]" * 90, '{"a": 1e999}', '{"a": 1, "a": 2}',
            '{"a": "\\ud800"}', "9" * 6000, '{"\\u0000": 1}', "NaN", "{}",
            '{"state": "finished", "attempts": 1}']  # fmt: skip
CELLS = ["", "nan", "inf", "1e999", "9" * 400, "-1", "x", "\0", '"', "x" * 200_000, "=1+1", "'=1+1", "True", "\udc80",
         "../../etc/passwd", "/dev/zero", "\r", "0x10", "1_0", "<b>"]  # fmt: skip


def change(top: Path, rng: random.Random, outside: Path, only: str = "") -> str:
    """Change one or two files of a folder in place, pictures and tables for people seldom; returns what was done.

    Args:
        top: the folder.
        rng: decides.
        outside: folder of others that links may lead to.
        only: pattern of the files to change.
    """
    said = []
    for _ in range(rng.choice([1, 1, 1, 2])):
        files = sorted(path for path in top.rglob("*") if path.is_file() and not path.is_symlink())
        files = [path for path in files if re.search(only, path.relative_to(top).as_posix())]
        if not files:
            break
        shown = [1 if path.parent.name in ("figures", "samples", "tables") else 6 for path in files]
        said.append(change_file(rng.choices(files, shown)[0], rng, outside, top))
    return "; ".join(said)


def change_file(path: Path, rng: random.Random, outside: Path, top: Path) -> str:
    """Change one file, by what it is or by what it could be replaced with."""
    by_kind = {".json": _json, ".yaml": _yaml, ".csv": _csv, ".npz": _npz}.get(path.suffix, _bytes)
    how: Callable[..., str] = rng.choices([by_kind, _place, _folder, _bytes, _add], [60, 16, 4, 10, 4])[0]
    return f"{path.relative_to(top)} {how.__name__} {how(path, rng, outside, top)}"


def replace_leaf(content: Any, rng: random.Random) -> tuple[Any, str]:
    """Change one place in nested containers."""
    node, path, holder, key = content, "", None, None
    while isinstance(node, dict | list) and node and rng.random() < 0.85:
        holder, key = node, rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        path += f".{key}"
        node = node[key]
    how = rng.choice(["odd", "odd", "odd", "odd", "delete", "wrap", "double", "key"])
    new = rng.choice(ODD)
    if how == "wrap":
        new = {"a": node} if rng.random() < 0.5 else [node]
    if holder is None:
        return new, f"all={new!r:.60}"
    if how == "delete":
        del holder[key]
    elif how == "double" and isinstance(node, list):
        holder[key] = node + node
    elif how == "key" and isinstance(holder, dict):
        holder[rng.choice(["a b", "", "_target_", "__class__", "x" * 5000, "\0", "<i>"])] = holder.pop(key)
    else:
        holder[key] = new
    return content, f"{path} {how} {new!r:.60}"


def _json(path: Path, rng: random.Random, *_: Path) -> str:
    if rng.random() < 0.12:
        text = rng.choice(RAW_JSON)
        path.write_text(text)
        return f"{text[:30]!r}"
    try:
        content, said = replace_leaf(json.loads(path.read_text()), rng)
        path.write_text(json.dumps(content))
    except (ValueError, RecursionError):  # changed before
        return "unchanged"
    return said


def _yaml(path: Path, rng: random.Random, *_: Path) -> str:
    if rng.random() < 0.25:
        text = rng.choice(RAW_YAML)
        path.write_text(text if rng.random() < 0.5 else path.read_text(errors="replace") + "\n" + text)
        return f"{text[:30]!r}"
    try:
        content, said = replace_leaf(yaml.safe_load(path.read_text()), rng)
        path.write_text(yaml.safe_dump(content), errors="surrogatepass")
    except (ValueError, yaml.YAMLError, RecursionError, AttributeError, LookupError, TypeError):
        return "unchanged"
    return said


def _csv(path: Path, rng: random.Random, *_: Path) -> str:
    try:
        rows = list(csv.reader(io.StringIO(path.read_text())))
    except (ValueError, csv.Error):
        rows = []
    if not rows or not rows[0]:
        return "unchanged"
    how = rng.choice(["cell", "cell", "cell", "head", "short", "long", "twice", "column", "none", "mark", "copy"])
    number = rng.randrange(len(rows))
    cell = rng.randrange(max(1, len(rows[number])))
    new = rng.choice(CELLS)
    if how == "cell" and rows[number]:
        rows[number][cell] = new
    elif how == "head":
        rows[0][rng.randrange(len(rows[0]))] = rng.choice([*rows[0], new])
    elif how == "short":
        rows[number] = rows[number][:cell]
    elif how == "long":
        rows[number] = rows[number] * rng.choice([2, 500])
    elif how == "twice":
        rows += rows[1:]
    elif how == "column":
        place = rng.randrange(len(rows[0]))
        rows = [row[:place] + row[place + 1 :] for row in rows]
    elif how == "none":
        rows = rows[: rng.choice([0, 1])]
    elif how == "copy":
        rows[number] = rows[rng.randrange(len(rows))]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_text(("\ufeff" if how == "mark" else "") + text.getvalue(), errors="surrogatepass")
    return f"{how} row {number} {new!r:.30}"


def _header(dtype: str, shape: str) -> bytes:
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def _npz(path: Path, rng: random.Random, *_: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, EOFError, zlib.error, lzma.LZMAError):
        return "unchanged"  # it was changed before
    if not content:
        return "unchanged"
    name = rng.choice(list(content))
    kinds: dict[str, Callable[[], bytes]] = {
        "pickle": lambda: _array(np.array([os.system], dtype=object)),
        "bomb": lambda: _header("'<f4'", f"({2 * 10**8},)") + bytes(8 * 10**8),
        "shape": lambda: _header("'<f4'", "(1000000000000,)") + bytes(400),
        "negative": lambda: _header("'<f4'", "(-1,)") + bytes(400),
        "no numbers": lambda: _header("'<f4'", "'x'"),
        "dtype": lambda: _header("__import__('os').system('touch PWNED')", "()"),
        "text": lambda: _header("'<U1000000000'", "(1,)") + bytes(400),
        "object": lambda: _header("'|O'", "(1,)") + b"\x80\x04cos\nsystem\n(S'touch PWNED'\ntR.",
        "scalar": lambda: _array(np.float32(1)),
        "nan": lambda: _array(np.full((3, 3), np.nan)),
        "flat": lambda: _array(np.arange(4)),
        "other": lambda: content[rng.choice(list(content))],
        "complex": lambda: _array(np.ones(3, complex)),
        "structure": lambda: _array(np.zeros(3, [("a", "f4")])),
        "json": lambda: _array(np.array(rng.choice(RAW_JSON[:6]))),
        "empty": lambda: b"",
        "garbage": lambda: b"\x93NUMPY\x09\x09" + bytes(50),
        "deep": lambda: _header("'<f4'", "(" + "(" * 2000 + ")" * 2000 + ")"),
        "missing": lambda: b"",
        "cut": lambda: content[name][: rng.randrange(len(content[name]) or 1)],
        "longer": lambda: content[name] + bytes(100),
        **dict.fromkeys(("within 1", "within 2", "within 3", "within 4"), lambda: _within(content[name], rng)),
    }
    how = rng.choice(list(kinds)) if rng.random() < 0.97 or path.stat().st_size > 10**7 else "bomb"
    content[name] = kinds[how]()
    if how == "missing":
        del content[name]
    with zipfile.ZipFile(path, "w", rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
                         if how != "bomb" else zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # fmt: skip
        for one, data in content.items():
            archive.writestr(one, data)
        if rng.random() < 0.1:
            archive.writestr(rng.choice(["../x.npy", "x.txt", "/", "target/../../x.npy"]), b"x")
    if rng.random() < 0.15:
        whole = bytearray(path.read_bytes())
        place = whole.rfind(b"PK\x01\x02")
        whole[place + rng.choice([8, 10, 24])] ^= rng.choice([1, 8, 99])  # flags (encrypted), method, size
        path.write_bytes(bytes(whole))
    return f"{name} {how}"


def _within(stored: bytes, rng: random.Random) -> bytes:
    """The same array with some of its values, or what its JSON says, changed; or of another type."""
    try:
        values = np.lib.format.read_array(io.BytesIO(stored), allow_pickle=False)
    except ValueError:  # changed before
        return stored
    if values.dtype.kind == "U" and values.ndim == 0:
        try:
            return _array(np.array(json.dumps(replace_leaf(json.loads(str(values)), rng)[0])))
        except ValueError:
            return stored
    how = rng.choice(["some", "some", "all", "type", "twice", "order"])
    odd = rng.choice([np.nan, np.inf, -np.inf, 1e308, -1, 0, 2**31, 999, 1e-320])
    texts = values.dtype.kind == "U"
    if how == "type":
        kind = rng.choice(["f8", "f2", "i1", "u8", "i8", "?", "U3", "S3", "M8[s]", "f16"])
        return _array(np.zeros(values.shape, kind))
    if how in ("twice", "order") and len(values):
        return _array(np.concatenate([values, values]) if how == "twice" else values[::-1])
    where = [rng.random() < (1 if how == "all" else 0.1) for _ in range(values.size)]
    changed = values.copy() if texts or np.can_cast(np.min_scalar_type(odd), values.dtype) else values.astype(float)
    changed.flat[np.flatnonzero(where)] = rng.choice(["", "x", values.flat[0] if values.size else ""]) if texts else odd
    return _array(changed)


def _array(values: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(values), allow_pickle=True)
    return file.getvalue()


def _bytes(path: Path, rng: random.Random, *_: Path) -> str:
    content = bytearray(path.read_bytes())
    how = rng.choice(["flip", "flip", "cut", "cut", "empty", "zeros", "line", "double", "utf16"])
    if how == "flip" and content:
        for _ in range(rng.choice([1, 3, 30])):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif how == "cut":
        content = content[: rng.randrange(len(content) + 1)]
    elif how == "empty":
        content = bytearray()
    elif how == "zeros":
        content = bytearray(len(content))
    elif how == "double":
        content = content + content
    elif how == "utf16":
        content = bytearray(bytes(content).decode("latin-1").encode("utf-16"))
    if how == "line" and rng.random() < 0.3:
        with path.open("ab") as file:
            for _ in range(25):
                file.write(rng.choice([b"a", b"[]," * 4, b"1,\n"]) * (1 << 20))
        return "100 MB"
    path.write_bytes(bytes(content))
    return how


def _place(path: Path, rng: random.Random, outside: Path, top: Path) -> str:
    """Something else stands where the file stood."""
    how = rng.choice(["secret", "written", "relative", "device", "random", "passwd", "fifo", "socket", "folder",
                      "loop", "hidden name", "same", "gone"])  # fmt: skip
    kept = path.read_bytes()
    path.unlink()
    targets = {"secret": outside / "secret", "written": outside / "not_there_yet", "device": "/dev/zero",
               "random": "/dev/urandom", "passwd": "/etc/passwd", "loop": path.name,
               "relative": os.path.relpath(outside / "secret", path.parent)}  # fmt: skip
    if how in targets:
        path.symlink_to(targets[how])
    elif how == "same":
        # The real content, but elsewhere: whoever writes through the link would change that.
        there = outside / f"kept{path.suffix}"
        there.write_bytes(kept)
        path.symlink_to(there)
    elif how == "fifo":
        os.mkfifo(path)
    elif how == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            here = Path.cwd()
            os.chdir(path.parent)
            try:
                one.bind(path.name)
            finally:
                os.chdir(here)
    elif how == "folder":
        path.mkdir()
    elif how == "hidden name":
        path.with_name(f".{path.name}").write_bytes(kept)
    return how


def _folder(path: Path, rng: random.Random, outside: Path, top: Path) -> str:
    """The folder of the file lies elsewhere, or is a file."""
    folder = path.parent
    if folder == top:
        return "unchanged"
    how = rng.choice(["link", "link", "file", "loop", "gone"])
    if how == "link":
        shutil.move(folder, outside / "folder")
        folder.symlink_to(outside / "folder")
        return how
    shutil.rmtree(folder)
    if how == "file":
        folder.write_text("x")
    elif how == "loop":
        folder.symlink_to("..")
    return how


ADDED = [".lock", "train.log", "report.html", "limits.json", "workers/error-0.json", "workers/rank-0.log", "explain/x",
         "figures/x.png", "comparison.csv", "metrics.csv", "evaluate", "audit", "audit.json", "chunks", "card.json",
         "excluded.csv", "known_events.csv", "predictions_train.csv", "tables/x.csv", "best.yaml",
         ".hidden"]  # fmt: skip


def _add(path: Path, rng: random.Random, outside: Path, top: Path) -> str:
    """A file that was not there, or a link under the name of one that will be written."""
    name = rng.choice(ADDED)
    new = path.parent / name
    if os.path.lexists(new) or (os.path.lexists(new.parent) and not new.parent.is_dir()):
        return "unchanged"
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_text("x")
    return f"{name} {_place(new, rng, outside, top)}"
