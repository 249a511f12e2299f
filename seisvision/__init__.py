"""seisvision: deep learning experiments on seismic events drawn as pictures."""

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["compare", "load", "open_run", "open_set", "train"]

_MODULES = {
    "compare": "seisvision.api.training",
    "load": "seisvision.api.networks",
    "open_run": "seisvision.api.runs",
    "open_set": "seisvision.api.sets",
    "train": "seisvision.api.training",
}
"""The public names for Python; their types stand in ``__init__.pyi``. A module is imported when it is first used, so
that ``import seisvision`` costs nothing."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'seisvision' has no attribute '{name}'; it offers {', '.join(__all__)}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
