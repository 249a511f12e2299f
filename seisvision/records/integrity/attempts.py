"""Which code trained which epochs of a run: every attempt at it leaves what it ran with in ``environment.json``."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from seisvision.errors import SeisvisionError
from seisvision.records.environment import code_state, describe_environment, package_versions
from seisvision.records.folder import TIME_FORMAT, RunFolder, read_json, write_json

log = logging.getLogger(__name__)

Attempt = dict[str, Any]

COUNTING_PACKAGES = (
    "seisvision", "torch", "torchvision", "timm", "pytorch-lightning", "obspy", "numpy", "scipy", "pandas", "h5py",
    "scikit-learn",
)  # fmt: skip
"""Packages whose version may change a number."""
OF_ENVIRONMENT = ("python", "platform", "packages", "hardware")
"""What an attempt keeps of the description of its environment; the command line is not among it."""
FRESH = "run.fresh=true trains it anew, all of it by the present code"


def begin_attempt(folder: RunFolder, config: Mapping[str, Any], done: int, git: Mapping[str, Any]) -> list[Attempt]:
    """Add this attempt to ``environment.json``, and warn where other code trained the epochs before it.

    Args:
        folder: of the run.
        config: resolved configuration.
        done: epochs that are stored.
        git: state of the code that wrote the last checkpoint, for runs whose attempts are not known.

    Returns:
        All attempts, this one last.
    """
    now = describe_environment(config["seed"])
    attempt = {
        "started": time.strftime(TIME_FORMAT, time.gmtime()),
        "host": socket.gethostname(),
        "from_epoch": done,
        "code": code_state(config),
        **{key: now[key] for key in OF_ENVIRONMENT},
    }
    attempts = [*(_known(folder, git) if done else []), attempt]
    write_json(folder.environment_file, {**now, "attempts": attempts})
    for one in _stretches(attempts[:-1], done):
        changed = differences(one["attempt"], attempt)
        if changed:
            log.warning(
                "Epochs %d to %d of this run were trained by other code (%s). It goes on, and its result says which "
                "code trained which epochs; %s.", one["first"], one["last"], "; ".join(changed), FRESH,
            )  # fmt: skip
    return attempts


def _known(folder: RunFolder, git: Mapping[str, Any]) -> list[Attempt]:
    """Attempts before this one; of a run of an earlier version, or with a damaged file, what its checkpoint says."""
    unknown: Attempt = {"from_epoch": 0, "code": dict(git), "packages": {}}
    if not folder.environment_file.is_file():
        log.warning(
            "%s is missing: of the code of the epochs before, only the commit is known.", folder.environment_file
        )
        return [unknown]
    try:
        return _read(read_json(folder.environment_file))
    except (SeisvisionError, KeyError, TypeError, AttributeError):
        log.warning(
            "%s is damaged: of the code of the epochs before, only the commit is known.", folder.environment_file
        )
        return [unknown]


def _read(environment: Mapping[str, Any]) -> list[Attempt]:
    if "attempts" not in environment:
        return [{"from_epoch": 0, "code": dict(environment["git"]), "packages": dict(environment["packages"])}]
    attempts = [dict(one) for one in environment["attempts"]]
    for one in attempts:
        one["code"], one["packages"], one["from_epoch"] = (
            dict(one["code"]),
            dict(one["packages"]),
            int(one["from_epoch"]),
        )
    return attempts


def _stretches(attempts: Sequence[Attempt], n_epochs: int) -> list[dict[str, Any]]:
    """Epochs that one attempt trained, in their order; an attempt that began again took over what came after."""
    trained_by: dict[int, Attempt] = {}
    for attempt in attempts:
        trained_by |= dict.fromkeys(range(attempt["from_epoch"], n_epochs), attempt)
    stretches: list[dict[str, Any]] = []
    for epoch in range(n_epochs):
        owner = trained_by.get(epoch)
        if owner is None:
            continue
        if stretches and stretches[-1]["attempt"] is owner:
            stretches[-1]["last"] = epoch + 1
        else:
            stretches.append({"first": epoch + 1, "last": epoch + 1, "attempt": owner})
    return stretches


def differences(one: Attempt, other: Attempt) -> list[str]:
    """What of the code of two attempts differs, in words."""
    said = []
    mine, others = one["code"], other["code"]
    if mine.get("sources") != others.get("sources") or mine.get("own") != others.get("own"):
        is_unknown = "sources" not in mine and mine.get("commit") == others.get("commit") and not mine.get("dirty")
        if not (is_unknown and not others.get("dirty")):
            said.append(f"{code_name(mine)}, now {code_name(others)}")
    versions, now = one.get("packages") or {}, other.get("packages") or {}
    said += [
        f"{name} {versions[name]}, now {now.get(name)}"
        for name in COUNTING_PACKAGES
        if name in versions and versions[name] != now.get(name)
    ]
    return said


def changed_since(folder: RunFolder) -> list[str]:
    """What of the present code and packages differs from those that finished a run, in words.

    Nothing where that is not known. Modules of one's own are not compared: nothing of them has been imported.
    """
    try:
        last = _read(read_json(folder.environment_file))[-1]
        here = {**code_state({}), "own": last["code"].get("own")}
        return differences(last, {"code": here, "packages": package_versions()})
    except (SeisvisionError, KeyError, IndexError, TypeError, AttributeError, ValueError):
        return []


def code_name(code: Mapping[str, Any]) -> str:
    """Short name of the code of an attempt: commit, a + where it was changed, and the hash of its sources."""
    commit = f"{str(code.get('commit', ''))[:10]}{'+' if code.get('dirty') else ''}"
    sources = f"sources {code['sources']}" if code.get("sources") else ""
    return " ".join(part for part in (f"commit {commit}" if commit else "", sources) if part) or "unknown code"


def describe_code(attempts: Sequence[Attempt], n_epochs: int) -> dict[str, Any]:
    """What ``metrics.json`` says of the code: by which the epochs were trained, what measured, and what changed.

    Args:
        attempts: all of the run; the last one measures.
        n_epochs: epochs trained.
    """
    last = attempts[-1]
    epochs: list[dict[str, Any]] = []
    changed: list[str] = []
    for stretch in _stretches(attempts, n_epochs):
        by, found = code_name(stretch["attempt"]["code"]), differences(stretch["attempt"], last)
        same = epochs and not differences(stretch["attempt"], epochs[-1]["attempt"])
        if same:
            epochs[-1]["last"] = stretch["last"]
        else:
            epochs.append({"first": stretch["first"], "last": stretch["last"], "by": by, "attempt": stretch["attempt"]})
        changed += [item for item in found if item not in changed]
    plain = [{key: value for key, value in one.items() if key != "attempt"} for one in epochs]
    return {"epochs": plain, "measured_by": code_name(last["code"]), "changed": changed}


def tell_code(metrics: Mapping[str, Any]) -> list[str]:
    """Lines for people on a run that several versions of the code made; none for others."""
    code = metrics.get("code")
    if not isinstance(code, Mapping) or not code.get("changed"):
        return []
    try:
        parts = [f"epochs {one['first']} to {one['last']} by {one['by']}" for one in code["epochs"]]
        by, changed = ", ".join(parts), "; ".join(map(str, code["changed"]))
        return [f"The code changed during this run: {by}, measured by {code['measured_by']} ({changed}); {FRESH}."]
    except (KeyError, TypeError):
        return []
