"""A share of the events to learn from, so that one sees what more of them would bring."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from seisvision.data.splitting.split import Split
from seisvision.errors import ConfigurationError
from seisvision.seeding import numpy_stream

LEARNT_FROM = ("train", "val")


def with_share(
    split: Split, share: float, seed: int, event_of: Mapping[str, str], class_of: Mapping[str, str]
) -> Split:
    """A split that learns from a share of its training and of its validation events; the test stays whole.

    Events are drawn class by class, rounded up, so that every class keeps at least one. Those of a smaller share are
    among those of a larger one with the same seed.

    Args:
        split: the whole.
        share: above 0, at most 1.
        seed: of the draw.
        event_of: id to event; an id that is missing is an event of its own.
        class_of: event to class; may be empty.

    Raises:
        ConfigurationError: the share is not allowed.
    """
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    if not is_number or not 0 < share <= 1:
        raise ConfigurationError(f"split.share={share} is not allowed; give a number above 0, at most 1, or null.")
    parts = dict(split.parts)
    for part in LEARNT_FROM:
        ids = parts.get(part, ())
        by_class: dict[str, dict[str, None]] = {}
        for one in sorted(ids):
            event = event_of.get(one, one)
            by_class.setdefault(class_of.get(event, ""), {})[event] = None
        kept: set[str] = set()
        for name, events in by_class.items():
            order = numpy_stream(seed, f"share of {part} {name}").permutation(sorted(events))
            kept.update(order[: math.ceil(share * len(order) - 1e-9)].tolist())
        parts[part] = tuple(one for one in ids if event_of.get(one, one) in kept)
    return replace(split, parts=parts)
