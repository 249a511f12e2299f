"""What a checkpoint may hold: plain containers and tensors as large as they say, of the types that are read."""

from __future__ import annotations

import contextlib
import errno
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from seisvision.base.units import UNITS
from seisvision.errors import CheckpointError, ConfigurationError, SeisvisionError
from seisvision.files import safe_name
from seisvision.keys import SPLITS
from seisvision.plain_types import fits_type, shortened, type_name

DEEPEST = 64
MOST_VALUES = 20_000_000
"""Values with every container counted as often as it is named."""
LONGEST_TEXT = 1_000_000
OLD_FORMAT = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of torch before version 1.6 begin; those of this program never did."""

CONTENT: dict[str, Any] = {
    "version": str,
    "config": dict[str, Any],
    "outputs": list[dict[str, Any]],
    "view": dict[str, Any],
    "run_id": str,
    "data_fingerprint": str,
    "split_hash": str,
    "split": dict[str, list[str]],
    "split_unit": str,
    "guesses": dict[str, list[float] | float],
    "known_events": dict[str, Any] | None,
    "derived": dict[str, dict[str, list[float]]],
    "network": dict[str, Any],
    "lead_s": float,
    "clustering": dict[str, Any] | None,
    "recordings": dict[str, Any] | None,
    "epoch": int,
}
"""Types of what stands under ``seisvision`` in a checkpoint; versions before some of it came without."""


def check_archive(path: Path) -> None:
    """Refuse an archive that unpacks to more than it weighs, before torch reads it.

    Raises:
        CheckpointError: names the file and the reason.
    """
    with path.open("rb") as file:
        start = file.read(len(OLD_FORMAT))
    if start == OLD_FORMAT:
        raise CheckpointError(f"{path} is refused: it is in an old format of torch. Use a checkpoint of seisvision.")
    if not start.startswith(b"PK"):
        # What is no archive is told by torch, with the name of what it would have run.
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return
    is_packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if is_packed or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise CheckpointError(
            f"{path} is refused: it unpacks to more than its own size, as no checkpoint of seisvision does."
        )


def check_content(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Refuse what stands under ``seisvision`` and the weights where they are not of the types that are read.

    Raises:
        CheckpointError: names the file, the part and the reason.
    """
    content = checkpoint["seisvision"]
    for key, wanted in CONTENT.items():
        if key in content and not fits_type(content[key], wanted):
            said = shortened(content[key])
            raise CheckpointError(
                f"{path} was tampered with or is damaged: its {key}={said} is no {type_name(wanted)}."
            )
    # Files of an evaluation are named by its outputs.
    odd = [name for output in content["outputs"] if safe_name(name := str(output.get("name", ""))) != name]
    if odd:
        raise CheckpointError(f"{path} names the output {shortened(odd[0])}, which no file can be named by.")
    unknown = [name for name in content["split"] if name not in SPLITS]
    if unknown or content.get("split_unit") not in UNITS:
        raise CheckpointError(f"{path} was tampered with or is damaged: its split is of no known samples.")
    if not fits_type(checkpoint.get("state_dict"), dict[str, torch.Tensor]):
        raise CheckpointError(f"{path} was tampered with or is damaged: it has no weights under state_dict.")


def check_plain(node: Any, name: str) -> None:
    """Refuse anything but plain values and whole tensors, containers that hold themselves, and bombs of references.

    Args:
        node: containers as a checkpoint holds them.
        name: of its file, for the message.

    Raises:
        CheckpointError: names the file and the reason.
    """
    size_of: dict[int, int] = {}
    _size(node, name, size_of, 0)


def _size(node: Any, name: str, size_of: dict[int, int], depth: int) -> int:
    """How many values a node stands for; 0 while it is looked through."""
    if isinstance(node, dict | list | tuple):
        known = size_of.get(id(node))
        if known == 0 or depth > DEEPEST:
            raise CheckpointError(
                f"{name} is refused: a container in it holds itself, or is nested {depth} levels deep."
            )
        if known is not None:
            return known
        size_of[id(node)] = 0
        size = 1
        for part in (*node.keys(), *node.values()) if isinstance(node, dict) else node:
            size += _size(part, name, size_of, depth + 1)
            if size > MOST_VALUES:
                raise CheckpointError(f"{name} is refused: its references stand for more than {MOST_VALUES:,} values.")
        size_of[id(node)] = size
        return size
    if isinstance(node, torch.Tensor):
        if not is_whole(node):
            raise CheckpointError(
                f"{name} is refused: a tensor of shape {tuple(node.shape)} is larger than its values."
            )
    elif isinstance(node, str):
        if len(node) > LONGEST_TEXT:
            raise CheckpointError(f"{name} is refused: it holds a text of {len(node):,} characters.")
    elif not isinstance(node, int | float | bool | None):
        raise CheckpointError(f"{name} is refused: it holds a {type(node).__name__}, which is no plain value.")
    return 1


def is_whole(tensor: torch.Tensor) -> bool:
    """Whether every value of a tensor is stored; one value can pass for billions by its strides."""
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def one_line(error: Exception) -> str:
    """The message of an error that repeats what a stranger wrote, as one line that a terminal can show."""
    words = "".join(sign if sign.isprintable() else " " for sign in str(error)).split()
    return " ".join(words)[:1000]


UNFIT = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RuntimeError, MemoryError, AssertionError)
BAD_NAMES = (errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP)


@contextlib.contextmanager
def built_from(path: Path | str, what: str = "its configuration") -> Iterator[None]:
    """Say of a stored file, in one line, that it does not fit, whatever a damaged one makes this program stumble over.

    Args:
        path: of the checkpoint or run folder.
        what: of it is made use of in this block.

    Raises:
        CheckpointError: something in the block failed that would not for a file that was written by a run.
    """
    try:
        yield
    except SeisvisionError as error:
        error.args = (one_line(error),)
        raise
    except UNFIT as error:
        reason = one_line(error)[:200]
        raise CheckpointError(
            f"{path} cannot be used: {what} does not fit this version ({type(error).__name__}: {reason}). It is "
            "damaged, or was written by another version. SEISVISION_TRACEBACK=1 shows where it stopped."
        ) from error
    except OSError as error:
        if error.errno in BAD_NAMES:
            raise CheckpointError(
                f"{path} cannot be used: {what} names an impossible file ({error.strerror})."
            ) from error
        raise


def load_weights(task: torch.nn.Module, checkpoint: Mapping[str, Any], path: Path) -> None:
    """Give a network the weights of a checkpoint.

    Raises:
        CheckpointError: they are those of another network.
    """
    try:
        task.load_state_dict(checkpoint["state_dict"])
    except (RuntimeError, TypeError, ValueError, KeyError, AttributeError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = " ".join(lines[1:2] or lines[:1])[:200]
        raise CheckpointError(f"{path} cannot be used: its weights are those of another network. {reason}") from error


def refuse_as_checkpoint(error: ConfigurationError, path: Path | str) -> CheckpointError:
    """The error of a configuration as one of the checkpoint that holds it."""
    refused = CheckpointError(f"{path} is refused: {error}")
    refused.exit_code = error.exit_code
    return refused
