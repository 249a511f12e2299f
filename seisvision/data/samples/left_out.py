"""Why samples are left out, counted by kind, each with the setting that would let them in."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from seisvision.base.units import unit_named

MOST_KINDS = 6

CURES = (
    (r"not selected", "dataset.select"),
    (r"fewer than .* stations with a predicted offset", "dataset.samples.min_stations, offset_ckpt"),
    (r"fewer than .* stations", "dataset.samples.min_stations"),
    (r"no label", "dataset.labels for classes; for numbers, fill the column"),
    (r"no noise window", "dataset.{section}.noise.before_onset_s, or a shorter window"),
    (r"no onset time", "dataset.{section}.onset, or another window.reference"),
    (r"no \w+ time", "dataset.{section}.window.reference"),
    (r"no sample of the window differs", "dataset.{section}.window, or leave dead channels out of the set"),
    (r"in no part of the split", "split.column, or draw another split"),
    (r"the (window|recording) ", "dataset.{section}.window: length_s, start_s or complete"),
)
"""How a reason begins, and which setting cures it."""


def summary(reasons: Sequence[str], unit: str) -> str:
    """Counts of reasons by kind, the commonest first; reasons that differ in numbers only are one kind.

    Args:
        reasons: one for each sample that is left out.
        unit: what a sample is, ``event`` or ``trace``.
    """
    texts: dict[str, Counter[str]] = defaultdict(Counter)
    for reason in reasons:
        texts[_kind(reason)][reason] += 1
    kinds = sorted(texts.values(), key=lambda counter: -counter.total())
    shown = [_told(counter, unit) for counter in kinds[:MOST_KINDS]]
    more = sum(counter.total() for counter in kinds[MOST_KINDS:])
    return "; ".join([*shown, *([f"{more} x other reasons"] if more else [])])


def _kind(reason: str) -> str:
    return re.sub(r"-?\d+(\.\d+)?", "#", reason)


def _told(counter: Counter[str], unit: str) -> str:
    reason, n = counter.most_common(1)[0]
    others = counter.total() - n
    section = unit_named(unit).section
    cure = next((cure.format(section=section) for start, cure in CURES if re.match(start, reason)), "")
    like = f" and {others} alike" if others else ""
    return f"{n} x {reason}{like}" + (f" (set {cure})" if cure else "")
