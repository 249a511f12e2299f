"""What configuration may name, and at which place.

What has no public name (``seisvision/public.py``) cannot be named by a file: neither a function of this package that
writes files, nor a class of one kind at the place of another. Classes of a package of your own need its prefix in
``SEISVISION_ALLOWED_TARGETS``, and must fit their place.
"""

from __future__ import annotations

import importlib
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from seisvision.errors import ConfigurationError
from seisvision.public import (
    ALLOWED_TARGETS_VARIABLE,
    AUGMENTATION,
    DERIVED,
    LOGGER,
    MODEL,
    NAMES,
    OPTIMIZER,
    OUTPUT,
    SCHEDULER,
    SOURCE,
    TASK,
    VIEW,
    find_public,
    is_own,
    public_name,
)

LIBRARIES: dict[str, tuple[str, str]] = {
    OPTIMIZER: ("torch.optim", "torch.optim.Optimizer"),
    SCHEDULER: ("torch.optim.lr_scheduler", "torch.optim.lr_scheduler.LRScheduler"),
}
"""Kind, the module of torch whose public classes may be named, and the class that they must inherit."""

BASES: dict[str, tuple[str, ...]] = {
    VIEW: ("seisvision.views.view.View",),
    AUGMENTATION: ("torch.nn.Module",),
    MODEL: ("torch.nn.Module",),
    TASK: ("pytorch_lightning.LightningModule",),
    OUTPUT: ("seisvision.outputs.output.Output",),
    OPTIMIZER: ("torch.optim.Optimizer",),
    SCHEDULER: ("torch.optim.lr_scheduler.LRScheduler",),
    SOURCE: (),
    DERIVED: ("seisvision.data.derived.column.DerivedColumn",),
    LOGGER: ("pytorch_lightning.loggers.Logger",),
}
"""What a class of one's own must inherit to fit the place; sources have no base but methods."""
SOURCE_METHODS = ("prepare", "fingerprint")

PLACES: dict[str, tuple[str, str]] = {
    VIEW: ("view", r"view"),
    AUGMENTATION: ("augment", r"augment"),
    MODEL: ("model", r"model"),
    TASK: ("task", r"task"),
    OUTPUT: ("task.outputs[0]", r"task\.outputs\[\d+\]"),
    OPTIMIZER: ("optimizer", r"optimizer"),
    SCHEDULER: ("scheduler", r"scheduler"),
    SOURCE: ("dataset.source", r"dataset\.(beside\.[^.\[\]]+\.)?source"),
    DERIVED: ("dataset.derive.column", r"dataset\.derive\.[^.\[\]]+"),
    LOGGER: ("logger.name", r"logger\.[^.\[\]]+"),
}
"""Where in an experiment each kind is expected, as an example and as a pattern; no ``_target_`` stands elsewhere."""

LATER = (OPTIMIZER, SCHEDULER)
"""Kinds that need what only the training has; they stand in configuration with ``_partial_: true``."""
MARKS = ("_target_", "_partial_", "_args_", "_recursive_", "_convert_")
"""Words by which Hydra's own ``instantiate`` is steered; here the first two mean something, the others are refused."""


def check_name(kind: str, target: Any, where: str) -> None:
    """Refuse what may not be named at a place, without importing anything.

    Args:
        kind: what is expected there, a key of ``NAMES``.
        target: the dotted path.
        where: the setting, for the message.

    Raises:
        ConfigurationError: names the setting, what it says and what is allowed.
    """
    if isinstance(target, str) and re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", target):
        path = public_name(target)
        if path in NAMES[kind] or is_own(path) or _library_name(kind, path):
            return
    raise not_allowed(kind, target, where)


def not_allowed(kind: str, target: Any, where: str) -> ConfigurationError:
    """The error that says what a place takes."""
    allowed = [*NAMES[kind], *([f"the classes of {LIBRARIES[kind][0]}"] if kind in LIBRARIES else [])]
    return ConfigurationError(
        f"{where}={_short(target)} is not allowed there. The {kind} must be one of: {', '.join(allowed)}. A class of "
        f"your own: set {ALLOWED_TARGETS_VARIABLE}=yourpackage. in the environment (docs/trust.md)."
    )


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, str | int | float | None) else f"<{type(value).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def _library_name(kind: str, path: str) -> str | None:
    """The name of a public class of torch that a path means, such as ``AdamW``; ``torch.optim.adamw.AdamW`` is one."""
    if kind not in LIBRARIES:
        return None
    module, _ = LIBRARIES[kind]
    package, _, name = path.rpartition(".")
    inside = package == module or (kind == OPTIMIZER and package == f"{module}.{name.lower()}")
    return name if inside and not name.startswith("_") else None


def find_face(kind: str, target: Any, where: str) -> Any:
    """Import the class or function that a place names.

    Raises:
        ConfigurationError: it may not be named there, cannot be found, or is of another kind.
    """
    check_name(kind, target, where)
    path = public_name(target)
    if path in NAMES[kind]:
        return find_public(path)
    name = _library_name(kind, path)
    if name is not None and not is_own(path):
        module, base = LIBRARIES[kind]
        found = getattr(importlib.import_module(module), name, None)
        if not isinstance(found, type) or not issubclass(found, locate_name(base)) or found is locate_name(base):
            raise not_allowed(kind, target, where)
        return found
    found = find_own(path, where)
    if not fits(kind, found):
        wanted = BASES[kind][0] if BASES[kind] else f"a class with the methods {' and '.join(SOURCE_METHODS)}"
        raise ConfigurationError(
            f"{where}={path} is not allowed there: it is no {kind}. Inherit {wanted}; a function says what it returns "
            "by its annotation."
        )
    return found


def find_own(target: Any, where: str) -> Any:
    """Import what a package of one's own defines.

    Raises:
        ConfigurationError: the package is not allowed, or has no such thing of its own.
    """
    if not isinstance(target, str) or not is_own(target):
        raise ConfigurationError(
            f"{where}={_short(target)} is not allowed: it is none of the public faces (docs/trust.md). For a class of "
            f"your own set {ALLOWED_TARGETS_VARIABLE}=yourpackage. in the environment."
        )
    try:
        found = locate_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{where}={target} cannot be found: {error}") from error
    if not is_own(f"{getattr(found, '__module__', '')}.{getattr(found, '__name__', '')}"):
        raise ConfigurationError(f"{where}={target} is not allowed: your package imports it, but does not define it.")
    return found


def fits(kind: str, found: Any) -> bool:
    """Whether what a package of one's own defines can be what a place expects.

    A class inherits the base of the place, or has the methods of a source; a function says so by what it returns.
    """
    if not isinstance(found, type):
        try:
            made = typing.get_type_hints(found).get("return")
        except Exception:
            return False
        return isinstance(found, types.FunctionType) and isinstance(made, type) and fits(kind, made)
    if kind == SOURCE:
        return all(callable(getattr(found, name, None)) for name in SOURCE_METHODS)
    return issubclass(found, tuple(map(locate_name, BASES[kind])))


def locate_name(path: str) -> Any:
    """Import what a dotted path names: a module, then one attribute of it."""
    module_name, _, attribute = path.rpartition(".")
    return getattr(importlib.import_module(module_name), attribute)


def kind_at(place: str) -> str | None:
    """What is expected at a dotted key of an experiment; None where only plain values are."""
    return next((kind for kind, (_, pattern) in PLACES.items() if re.fullmatch(pattern, place)), None)


def check_node(kind: str | None, node: Mapping[str, Any], where: str) -> None:
    """Refuse a mapping that asks for an object at a place that takes none, or in a way that is not expected.

    Raises:
        ConfigurationError: names the setting and what is wrong.
    """
    prefix = f"{where}." if where else ""
    for mark in MARKS:
        if mark not in node:
            continue
        if kind is None:
            raise ConfigurationError(
                f"{prefix}{mark}={_short(node[mark])} is not allowed: no object is expected there, only plain values."
            )
        if mark not in ("_target_", "_partial_"):
            raise ConfigurationError(f"{prefix}{mark} is not allowed. Leave it out.")
    if kind is None:
        return
    if "_target_" in node:
        check_name(kind, node["_target_"], f"{prefix}_target_")
    partial = node.get("_partial_", False)
    if partial is not (kind in LATER) and "_target_" in node:
        needed = "must be true" if kind in LATER else "is not allowed"
        raise ConfigurationError(f"{prefix}_partial_={_short(partial)}: for the {kind} it {needed}.")
