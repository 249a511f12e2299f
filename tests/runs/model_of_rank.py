"""A network that one of several processes cannot build, named by tests as a package of the user's own."""

from __future__ import annotations

import os
from typing import Any

from seisvision.errors import DataError
from seisvision.models.timm_backbone import TimmBackbone


def build(in_channels: int, **settings: Any) -> TimmBackbone:
    """A ResNet-18, except in the process of rank 1."""
    if os.environ.get("RANK") == "1":
        raise DataError("rank 1 has lost its waveforms")
    return TimmBackbone("resnet18", in_channels)
