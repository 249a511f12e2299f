"""What numpy and torch name differently, for what is written once for both.

Arrays of numpy take a third of the time of tensors where there is one event; tensors use vector instructions where
there are many. What is computed once an event always has arrays of numpy; what is computed for each station or point
at every step has tensors where that pays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def library(values: np.ndarray, few: int) -> Any:
    """``numpy`` where there are few values, else ``torch``."""
    return np if values.size <= few else torch


def native(of: Any, *values: np.ndarray) -> list[Any]:
    """Arrays as what the library has."""
    return list(values) if of is np else [torch.from_numpy(value) for value in values]


def arrays(*values: Any) -> list[np.ndarray]:
    """Arrays or tensors as arrays."""
    return [value.numpy() if isinstance(value, Tensor) else value for value in values]


def single(values: Any) -> Any:
    """The same in single precision."""
    return values.float() if isinstance(values, Tensor) else values.astype(np.float32)


def double(values: Any) -> Any:
    """The same in double precision."""
    return values.double() if isinstance(values, Tensor) else values.astype(np.float64)


def numbers(count: int, like: Any) -> Any:
    """0 to ``count`` - 1, on the device of an array."""
    return torch.arange(count, device=like.device) if isinstance(like, Tensor) else np.arange(count)


def stacked(values: list[Any]) -> Any:
    """Arrays of one shape along a new first axis."""
    return torch.stack(values) if isinstance(values[0], Tensor) else np.array(values)


def columns(values: Any, index: Any) -> Any:
    """Columns (..., M) at ``index``, several times as fast as by brackets."""
    return values.index_select(-1, index) if isinstance(values, Tensor) else values.take(index, -1)


def along(values: Any, index: Any) -> Any:
    """Values (M, K) at indices (M, L) of their rows."""
    return values.gather(1, index) if isinstance(values, Tensor) else values[np.arange(len(values))[:, None], index]


def order(values: Any) -> Any:
    """Indices (M, K) that put each row in order."""
    # numpy's sort has vector instructions.
    return torch.from_numpy(values.numpy().argsort(1)) if isinstance(values, Tensor) else values.argsort(1)


def summed(values: Any, axis: int) -> Any:
    """Sums along an axis."""
    # numpy's own method takes twice as long on a few values.
    return values.sum(axis) if isinstance(values, Tensor) else np.add.reduce(values, axis)


def at_least(values: Any, least: float) -> Any:
    """Values, none of them below the least."""
    # numpy's own clip takes several times as long on a few values.
    return values.clamp_min(least) if isinstance(values, Tensor) else np.maximum(values, least)


def bound(values: Any, least: float, largest: float) -> None:
    """Keep values, in their place, between two."""
    if isinstance(values, Tensor):
        values.clamp_(least, largest)
    else:
        np.maximum(values, least, out=values)
        np.minimum(values, largest, out=values)
