"""One base seed, many named random streams.

Every source of randomness (split, initialisation, shuffling, augmentation, noise, k-means, ...) draws
from its own stream, derived from the base seed by name and by indices such as the epoch or the event.
Streams hold no state, so a resumed run draws what an uninterrupted one would have drawn.
"""

from __future__ import annotations

import zlib

import numpy as np

DEFAULT_SEED = 3407
"""The seed of the Seismic Atlas (statement A-22)."""


def stream_seed(seed: int, name: str, *indices: int) -> int:
    """Return the 63-bit seed of stream ``name`` at ``indices`` (epoch, step, event, ...)."""
    key = (zlib.crc32(name.encode()), *indices)
    words = np.random.SeedSequence(seed, spawn_key=key).generate_state(2, np.uint64)
    return int(words[0] >> np.uint64(1))


def numpy_stream(seed: int, name: str, *indices: int) -> np.random.Generator:
    """Return a fresh numpy generator for stream ``name`` at ``indices``."""
    key = (zlib.crc32(name.encode()), *indices)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
