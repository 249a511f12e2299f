"""Self-contained checkpoints: what they hold and how they are read without executing anything."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from seisvision.errors import CheckpointError
from seisvision.plain_files import check_plain

CONTENT_KEYS = ("version", "config", "outputs", "run_id", "data_fingerprint", "split_hash", "split", "git")
"""What stands under ``seisvision`` in a checkpoint, beside the weights and the state of the training."""

PICKLES = (b"PK", *(bytes([0x80, protocol]) for protocol in range(1, 6)))
"""First bytes of archives, such as those of torch, and of bare pickles, which hold what they are asked to run."""


SHIPPED = Path(__file__).resolve().parents[1] / "networks"
"""Small networks that come with the package; docs/networks.md says what they are worth."""


def shipped_networks() -> list[str]:
    """Names of the networks that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.ckpt"))


def find_checkpoint(path: str | Path) -> Path:
    """Return the checkpoint file that ``path`` names; a run folder means its best one.

    Names such as ``pick-small``, where nothing else is called so, are of networks that come with the package.

    Raises:
        CheckpointError: there is none.
        NoPlainFileError: something in the run folder leads out of it.
    """
    path = Path(path)
    if path.is_dir():
        check_plain(path)
        inside = path / "checkpoints" / "best.ckpt"
        if not inside.is_file():
            raise CheckpointError(f"{path} holds no checkpoints/best.ckpt. Give a .ckpt file or a finished run folder.")
        return inside
    if not path.is_file():
        if str(path) in shipped_networks():
            return SHIPPED / f"{path}.ckpt"
        raise CheckpointError(
            f"There is no checkpoint {path}. Give a run folder, a file (.ckpt), or a network of the package: "
            f"{', '.join(shipped_networks())}."
        )
    return path


def checkpoint_hash(path: str | Path) -> str:
    """Sixteen hexadecimal digits that name a checkpoint by its content.

    Raises:
        CheckpointError: there is none.
    """
    with find_checkpoint(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def load_last_checkpoint(path: Path) -> dict[str, Any]:
    """Read the checkpoint from which a run resumes.

    Raises:
        CheckpointError: it is damaged; the message says what to do about it.
    """
    try:
        return load_checkpoint(path)
    except CheckpointError as error:
        raise CheckpointError(
            f"{error} Delete {path}, and the same command starts this run from its beginning."
        ) from error


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of plain containers and tensors; code inside it is refused, not run.

    Raises:
        CheckpointError: the file is missing, damaged, was changed, contains pickled objects, or is not from seisvision.
    """
    import pickle

    import torch

    from seisvision.records.integrity.seals import check_entries, check_seal
    from seisvision.records.trust.contents import check_archive, check_plain

    path = find_checkpoint(path)
    # Before torch opens it: an archive may lie about its sizes, and the seal names what may be inside.
    check_archive(path)
    check_entries(path)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # torch finds files that are none in many ways: as a bad pickle, a bad index, a missing key, an end.
        if isinstance(error, pickle.UnpicklingError) and path.read_bytes()[:2] in PICKLES:
            named = re.search(r"GLOBAL ([\w.]+)", str(error))
            reason = f" such as {named[1]}" if named else ""
            raise CheckpointError(
                f"{path} is refused: it contains objects other than tensors and plain containers{reason}, "
                "and loading those could run code. Use a checkpoint written by seisvision."
            ) from error
        reason = type(error).__name__ if len(str(error)) < 5 else str(error).splitlines()[0][:100]
        raise CheckpointError(
            f"{path} is damaged or no checkpoint at all ({reason}). Give a run folder, or a .ckpt file of its "
            "checkpoints/."
        ) from error
    content = checkpoint.get("seisvision") if isinstance(checkpoint, dict) else None
    if not isinstance(content, dict) or any(key not in content for key in CONTENT_KEYS):
        raise CheckpointError(
            f"{path} was not written by this version of seisvision: it lacks its configuration. "
            "Use a checkpoint from a run folder's checkpoints/."
        )
    check_plain({"seisvision": content, "state_dict": checkpoint.get("state_dict")}, str(path))
    # It becomes a part of paths.
    if not re.fullmatch(r"[0-9a-f]{10}(-\d{1,9})?", str(content["run_id"])):
        raise CheckpointError(
            f"{path} names the run {str(content['run_id'])[:40]!r}, which is no run id. It was tampered with."
        )
    check_seal(path, checkpoint)
    return checkpoint
