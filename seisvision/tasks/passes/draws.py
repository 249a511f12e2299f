"""Random numbers that follow from what they are drawn for, and from nothing else: not from the batch, nor the device.

A counter is hashed, as in counter-based generators (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import torch

from seisvision.seeding import stream_seed

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9


def sample_keys(ids: Sequence[str], seed: int) -> torch.Tensor:
    """One key a sample, int64 (B,), from its id and the base seed."""
    base = stream_seed(seed, "passes") & _MASK
    return torch.tensor([zlib.crc32(one.encode()) ^ base for one in ids], dtype=torch.int64)


def uniform(keys: torch.Tensor, stream: int, pass_number: int, shape: Sequence[int]) -> torch.Tensor:
    """Numbers in (0, 1), float32 (B, *shape), one set for each key (B,), stream (such as a layer) and pass."""
    n_values = 1
    for size in shape:
        n_values *= int(size)
    start = _mixed(_mixed(keys ^ ((stream * _GOLDEN) & _MASK)) ^ ((pass_number * 0x85EBCA6B) & _MASK))
    counter = torch.arange(n_values, dtype=torch.int64, device=keys.device) * _GOLDEN & _MASK
    drawn = _mixed(start[:, None] ^ counter[None, :])
    # 24 bits, as many as float32 can tell apart, and the middle of each step, so that neither end is drawn.
    return ((drawn >> 8).float() + 0.5).mul_(2.0**-24).reshape(len(keys), *shape)


def normal(keys: torch.Tensor, stream: int, pass_number: int, shape: Sequence[int]) -> torch.Tensor:
    """Standard normal numbers, float32 (B, *shape)."""
    return torch.special.ndtri(uniform(keys, stream, pass_number, shape).double()).float()


def _mixed(numbers: torch.Tensor) -> torch.Tensor:
    """Integers below 2^32, each bit of which depends on every bit of what it was made of (Wellons' ``lowbias32``)."""
    numbers = (numbers ^ (numbers >> 16)) * 0x7FEB352D & _MASK
    numbers = (numbers ^ (numbers >> 15)) * 0x846CA68B & _MASK
    return numbers ^ (numbers >> 16)
