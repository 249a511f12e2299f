"""Where a run took place: code, packages and hardware."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seisvision.records.trust.allowed import leaves
from seisvision.secrets_kept import USER_IN_ADDRESS, redact_words

PACKAGES = (
    "seisvision", "torch", "torchvision", "timm", "pytorch-lightning", "hydra-core", "omegaconf", "obspy", "numpy",
    "scipy", "pandas", "h5py", "scikit-learn", "wandb",
)  # fmt: skip


PACKAGE = Path(__file__).resolve().parents[1]


def describe_environment(seed: int) -> dict[str, Any]:
    """Git state, package versions, hardware and seed, as plain values."""
    return {
        "seed": seed,
        "git": git_state(),
        "command": [Path(sys.argv[0]).name, *redact_words(sys.argv[1:])],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": package_versions(),
        "hardware": _hardware(),
    }


def package_versions() -> dict[str, str | None]:
    """Installed versions of the packages that results depend on; None of those that are not installed."""
    return {name: _version(name) for name in PACKAGES}


def git_state() -> dict[str, Any]:
    """Commit of the source tree and whether it has uncommitted changes; empty where there is no repository."""
    root = PACKAGE.parent
    # An installed copy may lie inside somebody else's repository, whose commit would mean nothing.
    commit = _git(root, "rev-parse", "HEAD") if (root / ".git").exists() else None
    if commit is None:
        return {}
    return {"commit": commit, "dirty": bool(_git(root, "status", "--porcelain", "--untracked-files=no"))}


def remote_address() -> str | None:
    """Where the repository of the working folder comes from, without user and password; ``None`` where unknown."""
    url = _git(Path.cwd(), "config", "--get", "remote.origin.url")
    return USER_IN_ADDRESS.sub(r"\1", url) if url else None


def code_state(config: Mapping[str, Any]) -> dict[str, Any]:
    """The code that is at work: its commit, whether that was changed, and hashes of the sources as they are.

    Args:
        config: resolved configuration; classes of one's own that it names count by their modules.

    Returns:
        :func:`git_state` with ``sources``, of all modules of this package, and ``own``, by module outside it.
    """
    return {**git_state(), "sources": _hash_of_sources(_sources()), "own": _own_modules(config)}


Module = tuple[tuple[str, ...], int, int]
"""Parts of its path within the package, when it was changed, and its size."""


def _sources(folder: Path = PACKAGE, above: tuple[str, ...] = ()) -> tuple[Module, ...]:
    """All modules below a folder in the order of their paths."""
    found: list[Module] = []
    for one in os.scandir(folder):
        parts = (*above, one.name)
        if one.is_dir():
            found += _sources(Path(one.path), parts)
        elif one.name.endswith(".py"):
            about = one.stat()
            found.append((parts, about.st_mtime_ns, about.st_size))
    return tuple(sorted(found))


@functools.lru_cache(maxsize=1)
def _hash_of_sources(sources: tuple[Module, ...]) -> str:
    """Hash of modules as they are; each run of a sweep asks for it."""
    digest = hashlib.sha256()
    for parts, _, _ in sources:
        digest.update(f"{Path(*parts)}\0".encode() + PACKAGE.joinpath(*parts).read_bytes())
    return digest.hexdigest()[:12]


def _own_modules(config: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of the files of modules outside this package and torch that the configuration names, once imported."""
    names = {str(value).rpartition(".")[0] for key, value in leaves(config) if key.rpartition(".")[2] == "_target_"}
    found = {}
    for name in sorted(name for name in names if not f"{name}.".startswith(("seisvision.", "torch."))):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and Path(file).is_file():
            found[name] = hashlib.sha256(Path(file).read_bytes()).hexdigest()[:12]
    return found


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@functools.cache
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
