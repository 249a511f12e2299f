"""What libraries import besides."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let a library that can do without a package import nothing of it in this block, where nobody else has before.

    Args:
        name: of the package, whose import raises ``ImportError`` in the block.
    """
    if name in sys.modules:
        yield
        return
    # How Python itself marks what must not be imported.
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
