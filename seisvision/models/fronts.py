"""Fixed first layers, which show a network what a picture looks like in a certain way."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from seisvision.models.contrast import Contrast
from seisvision.models.sobel import Sobel

FRONTS: dict[str, Callable[[int], nn.Module]] = {"none": nn.Identity, "sobel": Sobel, "contrast": Contrast}
"""By name, built from the number of picture channels."""
