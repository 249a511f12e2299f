"""Finds the kinds of experiments: the folders of ``seisvision/experiments`` that name one, and packages of one's own.

The ``__init__.py`` of such a folder says ``KIND``, the word for it; ``TASKS``, the public names of the tasks it runs;
``EXPERIMENT``, a class in ``experiment.py`` that does runs (:class:`seisvision.runs.experiment.Experiment`); and
``RESULT``, a class in ``results.py`` that reads what they stored (:class:`seisvision.records.results.Result`).
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import seisvision
from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.public import ALLOWED_TARGETS_VARIABLE, is_own, public_name
from seisvision.records.results import Result

NAMED = ("KIND", "TASKS", "EXPERIMENT", "RESULT")


@functools.cache
def kinds() -> dict[str, ModuleType]:
    """The folders with a kind of experiment, by the word for it."""
    here = Path(seisvision.__file__).parent / "experiments"
    folders = [one.name for one in pkgutil.iter_modules([str(here)]) if one.ispkg]
    found = [importlib.import_module(f"seisvision.experiments.{folder}") for folder in sorted(folders)]
    return {folder.KIND: folder for folder in found if hasattr(folder, "KIND")}


def kind_of_config(config: Mapping[str, Any]) -> str:
    """The kind of experiment that a configuration describes: ``experiment_kind``, else the one that runs its task.

    Raises:
        ConfigurationError: no kind runs this task.
    """
    asked = config.get("experiment_kind")
    if asked is not None:
        return str(asked)
    task = public_name(str((config.get("task") or {}).get("_target_")))
    for kind, folder in kinds().items():
        if task in folder.TASKS:
            return kind
    # A task of one's own is a network with outputs until it says otherwise.
    return "supervised"


def kind_of_metrics(metrics: Mapping[str, Any]) -> str:
    """The kind of experiment that stored metrics are of; those of version 0.1.0 do not say it."""
    return str(metrics.get("experiment_kind") or ("clustering" if "clustering" in metrics else "supervised"))


def experiment_class(kind: str) -> type[Any]:
    """The class that does runs of a kind.

    Args:
        kind: the word for it; of a package of one's own, such as ``mypackage.tables``, its name. That package has to be
            allowed on this machine, for the word may come from a stranger's file.

    Raises:
        ConfigurationError: the kind is unknown, or its folder is not complete.
    """
    folder = _folder(kind)
    return _class_in(folder, "experiment", folder.EXPERIMENT)


@functools.cache
def result_reader(kind: str) -> Result:
    """What reads the stored results of a kind; see :func:`experiment_class`."""
    folder = _folder(kind)
    reader = _class_in(folder, "results", folder.RESULT)()
    if not isinstance(reader, Result):
        raise ConfigurationError(
            f"{kind}: {folder.RESULT} reads no results; inherit seisvision.records.results.Result."
        )
    return reader


def result_of(metrics: Mapping[str, Any]) -> Result:
    """What reads the results that ``metrics.json`` holds."""
    return result_reader(kind_of_metrics(metrics))


def _folder(kind: str) -> ModuleType:
    if kind in kinds():
        return kinds()[kind]
    if not is_own(kind):
        raise ConfigurationError(
            f"Unknown kind of experiment '{kind}'. {did_you_mean(kind, list(kinds()))} For a kind of your own, "
            f"which is called by its package, set {ALLOWED_TARGETS_VARIABLE}=yourpackage. in the environment."
        )
    try:
        folder = importlib.import_module(kind)
    except ImportError as error:
        raise ConfigurationError(f"The kind of experiment '{kind}' cannot be found: {error}.") from error
    missing = [name for name in NAMED if not hasattr(folder, name)]
    if missing:
        raise ConfigurationError(f"The __init__.py of {kind} has to name {', '.join(missing)}.")
    return folder


def _class_in(folder: ModuleType, module: str, name: str) -> type[Any]:
    try:
        return getattr(importlib.import_module(f"{folder.__name__}.{module}"), name)
    except AttributeError as error:
        raise ConfigurationError(f"{folder.__name__}.{module} has no {name}: {error}.") from error
