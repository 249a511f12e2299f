"""Residual networks an eighth as wide, for runs in tests: what trains, stores and reads them is the same.

A whole ResNet-18 has 11 million weights. Stepping through them and writing them into three checkpoints is two thirds of
a tiny run. The thin one has the same layers under the same names.
"""

from __future__ import annotations

import functools
from typing import Any

WORD = "SEISVISION_TEST_THIN"
"""Variable that tells processes that tests start (``ready_python``) to have thin networks too."""
CHANNELS = (8, 16, 32, 64)
NAMES = ("resnet18", "resnet34")


def thin_create_model() -> Any:
    """What stands for ``timm.create_model``."""
    import timm

    whole = getattr(timm.create_model, "whole", timm.create_model)

    @functools.wraps(whole)
    def create_model(model_name: str, **settings: Any) -> Any:
        thin = {"channels": CHANNELS} if model_name in NAMES and not settings.get("pretrained") else {}
        return whole(model_name, **thin, **settings)

    create_model.whole = whole  # type: ignore[attr-defined]
    return create_model
