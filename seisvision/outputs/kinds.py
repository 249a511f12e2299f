"""Finds the kinds of outputs: the folders of :mod:`seisvision.outputs`, and packages of one's own like them."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

from seisvision.errors import ConfigurationError, did_you_mean
from seisvision.outputs.predictions import Predictions
from seisvision.public import ALLOWED_TARGETS_VARIABLE, is_own


@functools.cache
def kinds() -> dict[str, ModuleType]:
    """The folders here, by the word for their kind."""
    here = Path(__file__).parent
    rooms = [one.name for one in pkgutil.iter_modules([str(here)]) if one.ispkg]
    found = [importlib.import_module(f"seisvision.outputs.{room}") for room in sorted(rooms)]
    return {room.KIND: room for room in found}


def predictions_class(kind: Any) -> type[Predictions]:
    """The class of predictions of a kind of output.

    Args:
        kind: the word for it; of a package of one's own, such as ``mypackage.quantiles``, its name. That package has to
            be allowed on this machine, for the word may come from a stranger's file.

    Raises:
        ConfigurationError: the kind is unknown.
    """
    if kind in kinds():
        room = kinds()[kind]
        return _class_of(room, room.PREDICTIONS)
    if not isinstance(kind, str) or not is_own(kind):
        raise ConfigurationError(
            f"Unknown kind of output '{kind}'. {did_you_mean(str(kind), list(kinds()))} For a kind of your own, "
            f"which is called by its package, set {ALLOWED_TARGETS_VARIABLE}=yourpackage. in the environment."
        )
    try:
        room = importlib.import_module(kind)
        found = _class_of(room, room.PREDICTIONS)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(
            f"The kind of output '{kind}' cannot be found: {error}. Its __init__.py has to name PREDICTIONS, a "
            "class in predictions.py beside it."
        ) from error
    if not (isinstance(found, type) and issubclass(found, Predictions)):
        raise ConfigurationError(
            f"{kind}: {room.PREDICTIONS} is no kind of predictions; inherit seisvision.outputs.predictions.Predictions."
        )
    return found


def _class_of(room: ModuleType, name: str) -> Any:
    return getattr(importlib.import_module(f"{room.__name__}.predictions"), name)
