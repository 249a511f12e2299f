"""Where a run took place: code, packages and hardware."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from seisvision.secrets_kept import USER_IN_ADDRESS, redact_words

PACKAGES = (
    "seisvision", "torch", "torchvision", "timm", "pytorch-lightning", "hydra-core", "omegaconf", "obspy", "numpy",
    "scipy", "pandas", "h5py", "scikit-learn", "wandb",
)  # fmt: skip


def describe_environment(seed: int) -> dict[str, Any]:
    """Git state, package versions, hardware and seed, as plain values."""
    return {
        "seed": seed,
        "git": git_state(),
        "command": [Path(sys.argv[0]).name, *redact_words(sys.argv[1:])],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "hardware": _hardware(),
    }


def git_state() -> dict[str, Any]:
    """Commit of the source tree and whether it has uncommitted changes; empty where there is no repository."""
    root = Path(__file__).resolve().parents[2]
    # An installed copy may lie inside somebody else's repository, whose commit would mean nothing.
    commit = _git(root, "rev-parse", "HEAD") if (root / ".git").exists() else None
    if commit is None:
        return {}
    return {"commit": commit, "dirty": bool(_git(root, "status", "--porcelain", "--untracked-files=no"))}


def remote_address() -> str | None:
    """Where the repository of the working folder comes from, without user and password; ``None`` where unknown."""
    url = _git(Path.cwd(), "config", "--get", "remote.origin.url")
    return USER_IN_ADDRESS.sub(r"\1", url) if url else None


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _hardware() -> dict[str, Any]:
    import torch

    return {
        "cpu_count": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }
